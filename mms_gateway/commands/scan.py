"""`mms-gateway scan SITE LINE`: who answers on a line, and which profile fits."""

import sys
from pathlib import Path
from typing import Final

from acquisition.drivers.registry import driver_of
from mapping.block_planning.planner import physics
from mapping.plan import LinePlan
from mapping.schema.fields import milliseconds
from mms_gateway.command import FAILED, OK, Command
from mms_gateway.commissioning import line_url
from mms_gateway.commissioning.exit_codes import UsageError, carried_out
from mms_gateway.commissioning.explain.name_lookup import place
from mms_gateway.commissioning.manual_exchange import ManualLine, overheard
from mms_gateway.commissioning.scan.findings import Finding, OtherMasterError, as_json
from mms_gateway.commissioning.scan.profiles import register_profiles
from mms_gateway.commissioning.scan.scanning import HEADER, FoundUnit, Scan, another_master, parse_units, snippet
from mms_gateway.commissioning.tables import table, text

LISTEN_CHARACTERS: Final = 3.5


def scan(
    *words: str,
    line: str | None = None,
    units: str = "1-247",
    timeout: str = "200ms",
    json: bool = False,
    lines: Path | None = None,
    state_dir: Path | None = None,
) -> int:
    """Find the Modbus units on a line, ask each what it is, and find the profile that fits it. Nothing is written.

    Parameters
    ----------
    words
        SITE LINE: a line of a site. With --line: nothing.
    line
        A line without a site: modbus-tcp://HOST:PORT or modbus-rtu:/dev/ttyUSB0?baudrate=9600.
    units
        The units to ask: 1-247, or 1,2,17.
    timeout
        How long each may take to answer.
    json
        Write one JSON object with columns, rows and findings.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    """

    async def work() -> int:
        site = None if line else _site(words)
        plan = line_url.parse_line(line) if line else _line(words, lines, state_dir)
        if not driver_of(plan.protocol).protocol.modbus:
            raise UsageError(f"line `{plan.name}` is {plan.protocol}: only Modbus lines have units that can be asked")
        return await _scan(plan, parse_units(units), milliseconds(timeout), site, json=json)

    async def checked() -> int:
        try:
            return await work()
        except ValueError as error:
            raise UsageError(str(error)) from error

    return carried_out(checked())


def _site(words: tuple[str, ...]) -> Path:
    if len(words) != 2:
        raise UsageError("`scan` takes SITE LINE, or --line")
    return Path(words[0])


def _line(words: tuple[str, ...], lines: Path | None, state_dir: Path | None) -> LinePlan:
    found = place(Path(words[0]), lines=lines, state_dir=state_dir)
    plan = found.line(words[1])
    found.free(plan)
    return plan


async def _scan(line: LinePlan, units: list[int], timeout_ms: int, site: Path | None, *, json: bool) -> int:
    character_s = physics(driver_of(line.protocol).protocol.framing, line.settings).character_s
    heard = await overheard(line, LISTEN_CHARACTERS * character_s)
    if heard:
        return _written(line, len(units), [], [another_master(heard).finding], json=json)
    async with ManualLine(line) as manual:
        work = Scan(manual, register_profiles(site), timeout_ms)
        ended = []
        try:
            await work.units(units, _progress)
        except OtherMasterError as error:
            ended = [error.finding]
    _progress(None)
    return _written(line, len(units), work.found, [*ended, *work.findings()], json=json)


def _written(line: LinePlan, units: int, found: list[FoundUnit], findings: list[Finding], *, json: bool) -> int:
    """Write all that was found; the exit code."""
    rows = [one.row() for one in found]
    if json:
        sys.stdout.write(as_json(HEADER, rows, findings) + "\n")
    elif found:
        sys.stdout.write(f"{text(table(HEADER, rows, right=(0, 4)))}\n\n{snippet(line, found)}\n")
    elif not any(one.severity == "error" for one in findings):
        sys.stdout.write(f"nobody answers on {line.name}, of {units} units\n")
    if not json and findings:
        sys.stdout.write("\n".join(one.shown() for one in findings) + "\n")
    return OK if found and not any(one.severity == "error" for one in findings) else FAILED


def _progress(unit: int | None) -> None:
    """Say on a terminal which unit is asked; None: none any more."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" if unit is None else f"\runit {unit}")
        sys.stderr.flush()


COMMAND: Final = Command("scan", scan)
