"""`mms-gateway read SITE DEVICE [POINT...]`: what a device says now, point by point, asked by hand."""

import sys
from pathlib import Path
from typing import Annotated, Final

import cyclopts
import msgspec

from mapping.plan import DevicePlan, LinePlan, PointPlan
from mapping.schema.fields import milliseconds
from mms_gateway.command import FAILED, OK, Command
from mms_gateway.commissioning import line_url, point_read
from mms_gateway.commissioning.exit_codes import UsageError, carried_out
from mms_gateway.commissioning.explain.name_lookup import place, points_of
from mms_gateway.commissioning.manual_exchange import ManualLine, stranger
from mms_gateway.commissioning.point_read import HEADER, PointResult
from mms_gateway.commissioning.scan.profiles import profile_device
from mms_gateway.commissioning.tables import table, text

Wanted = tuple[LinePlan, DevicePlan, list[PointPlan]]


def read(
    *words: str,
    line: str | None = None,
    unit: Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=0, lte=255))] = 1,
    profile: str | None = None,
    register: list[str] | None = None,
    timeout: str = "1s",
    lines: Path | None = None,
    state_dir: Path | None = None,
) -> int:
    """Read points of one device once, each asked for alone: value, unit, quality, registers as they came, milliseconds.

    Parameters
    ----------
    words
        SITE DEVICE [POINT...]: the points of a site's device, all if none is named. With --line: [POINT...].
    line
        A line without a site: modbus-tcp://HOST:PORT or modbus-rtu:/dev/ttyUSB0?baudrate=9600.
    unit
        With --line: the device's unit.
    profile
        With --line: the device's profile, which names its points.
    register
        Read this instead, as `holding 100 int16`. May be given more than once.
    timeout
        With --line: for each try.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    """

    async def work() -> int:
        wanted = _of_line(words, line, unit, profile, timeout) if line else _of_site(words, lines, state_dir)
        given = list(register or ())
        if given:
            wanted = (wanted[0], *_raw(wanted[1], given))
        return await _read(*wanted)

    return carried_out(work())


def _of_site(words: tuple[str, ...], lines: Path | None, state_dir: Path | None) -> Wanted:
    if len(words) < 2:
        raise UsageError("`read` takes SITE DEVICE [POINT...], or --line")
    found = place(Path(words[0]), lines=lines, state_dir=state_dir)
    line, device = found.device(words[1])
    found.free(line, beside=True)
    return line, device, points_of(device, list(words[2:]))


def _of_line(words: tuple[str, ...], text: str, unit: int, profile: str | None, timeout: str) -> Wanted:
    try:
        line, timeout_ms = line_url.parse_line(text), milliseconds(timeout)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if profile is None:
        return line, stranger(unit, timeout_ms), []
    known = profile_device(profile)
    polling = msgspec.structs.replace(known.polling, timeout_ms=timeout_ms)
    device = msgspec.structs.replace(known, unit=unit, polling=polling)
    return line, device, points_of(device, list(words))


def _raw(device: DevicePlan, given: list[str]) -> tuple[DevicePlan, list[PointPlan]]:
    try:
        points = [point_read.raw_point(number, text) for number, text in enumerate(given)]
    except ValueError as error:
        raise UsageError(point_read.first_reason(error)) from error
    return msgspec.structs.replace(device, points=tuple(points)), points


async def _read(line: LinePlan, device: DevicePlan, points: list[PointPlan]) -> int:
    results: dict[int, PointResult] = {}
    async with ManualLine(line) as manual:
        for point in point_read.in_order(device, points):
            ask = point_read.question(device, point)
            if ask is not None:
                answer = await manual.ask(ask, device)
                scales = {number: one.reading for number, one in results.items()}
                results[point.number] = point_read.point_result(device, point, answer.found, answer.ms, scales)
    wanted = [results[point.number] for point in points if point.number in results]
    if not wanted:
        raise UsageError("nothing to read: name points, a --profile or a --register")
    sys.stdout.write(text(table(HEADER, [one.row() for one in wanted], right=(1, 5))) + "\n")
    return OK if any(one.answered for one in wanted) else FAILED


COMMAND: Final = Command("read", read)
