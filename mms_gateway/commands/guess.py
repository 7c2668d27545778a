"""`mms-gateway guess SITE DEVICE ADDRESS`: how an address wants to be read, by what makes sense."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import cyclopts

from acquisition.drivers.base import Read, Registers
from acquisition.drivers.registry import driver_of
from mapping.plan import DevicePlan, LinePlan, Table
from mapping.schema.fields import milliseconds
from mms_gateway.command import FAILED, OK, Command
from mms_gateway.commissioning.exit_codes import UsageError, carried_out
from mms_gateway.commissioning.explain.name_lookup import Place, place
from mms_gateway.commissioning.guess import guessing
from mms_gateway.commissioning.guess.guessing import HEADER, ExpectedValue, guesses
from mms_gateway.commissioning.manual_exchange import ManualLine
from mms_gateway.commissioning.tables import table, text

WORD_TABLES: Final[tuple[Table, ...]] = ("holding", "input")
BIT_TABLES: Final[tuple[Table, ...]] = ("coil", "discrete")
COUNTS: Final = (4, 2, 1)  # registers asked for, until the device gives them


def guess(
    site: Path,
    device: str,
    address: Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=0, lte=65535))],
    /,
    *,
    expect: str | None = None,
    pause: str = "1s",
    rows: int = 12,
    lines: Path | None = None,
    state_dir: Path | None = None,
) -> int:
    """Read one address of a device twice, in every table, and show what it means in every type and order, the best first.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    device
        A device of the site.
    address
        The zero-based protocol address: 40101 in a manual is 100. Try its neighbours too.
    expect
        What the meter's own display shows: 230V, 49.98Hz.
    pause
        Between the two reads.
    rows
        How many ways to show.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    """

    async def work() -> int:
        try:
            expected, pause_ms = None if expect is None else ExpectedValue.parse(expect), milliseconds(pause)
        except ValueError as error:
            raise UsageError(str(error)) from error
        line, asked = _asked(place(site, lines=lines, state_dir=state_dir), device)
        async with ManualLine(line) as manual:
            found = await _guessed(manual, asked, address, expected, pause_ms / 1000)
        if not found:
            sys.stdout.write(f"{device} gives nothing at {address} that makes sense; its neighbours may\n")
            return FAILED
        sys.stdout.write(text(table(HEADER, found[:rows], right=(3, 4))) + "\n")
        return OK

    return carried_out(work())


def _asked(found: Place, name: str) -> tuple[LinePlan, DevicePlan]:
    line, device = found.device(name)
    if not driver_of(line.protocol).protocol.modbus:
        raise UsageError(f"`{name}` is on a {line.protocol} line: it has no registers to guess")
    found.free(line, beside=True)
    return line, device


async def _guessed(
    manual: ManualLine, device: DevicePlan, address: int, expected: ExpectedValue | None, pause_s: float
) -> list[tuple[str, ...]]:
    """The rows to show: registers by score, then bits. Raises NoConnectionError."""
    reads = [read for table in WORD_TABLES if (read := await _answered(manual, device, table, address)) is not None]
    bits = [] if expected else [Read(device.unit, table, address, 1) for table in BIT_TABLES]
    before = await _values(manual, device, [*reads, *bits])
    await asyncio.sleep(pause_s)
    after = await _values(manual, device, list(before))
    both = [(read, before[read], after[read]) for read in before if read in after]
    found = [
        guess
        for read, first, second in both
        if read.table in WORD_TABLES
        for guess in guesses(read.table, address, first.values, second.values, expected)
    ]
    rows = [one.row() for one in sorted(found, key=lambda one: -one.score)]
    return rows + [
        guessing.bits(read.table, address, first, second) for read, first, second in both if read.table in BIT_TABLES
    ]


async def _answered(manual: ManualLine, device: DevicePlan, table: Table, address: int) -> Read | None:
    """The longest read from `address` that the device answers; None if it answers none."""
    for count in COUNTS:
        if address + count <= 0x10000:
            read = Read(device.unit, table, address, count)
            if isinstance((await manual.ask(read, device)).found, Registers):
                return read
    return None


async def _values(manual: ManualLine, device: DevicePlan, reads: list[Read]) -> dict[Read, Registers]:
    found = {}
    for read in reads:
        answer = (await manual.ask(read, device)).found
        if isinstance(answer, Registers):
            found[read] = answer
    return found


COMMAND: Final = Command("guess", guess)
