"""Report of a compiled site's cost on its lines, for `plan`: requests, octets, milliseconds, load, periods, advice."""

import textwrap
from collections.abc import Iterator
from typing import Final

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.registry import driver_of
from acquisition.exchange.identity import response_identity
from mapping.block_planning import planner
from mapping.block_planning.advice import advice
from mapping.compile import Compiled
from mapping.plan import Block, Computed, DevicePlan, LinePlan, RegisterBlock
from mapping.protocols import Framing
from mms_gateway.commissioning.tables import table, text

WIDTH: Final = 110
HEADER: Final = ("device", "unit", "what", "values", "octets", "ms", "every", "gets", "identity")
RIGHT: Final = (1, 3, 4, 5, 6, 7)
WIDTHS: Final = (16, 4, 26, 6, 11, 7, 8, 8, 0)

Row = tuple[str, ...]


def report(compiled: Compiled) -> str:
    """The report as text, a table for each line."""
    parts = [
        "\n".join(_line(line, compiled.protocols[line.protocol].framing, commanded=line.name in compiled.commanded))
        for worker in compiled.workers
        for line in worker.lines
    ]
    if compiled.passed_over:
        listed = "\n".join(f"  {text}" for text in compiled.passed_over)
        parts.append(f"proposed by a profile, but not in the SCL file:\n{listed}")
    return "\n\n".join(parts)


def _line(line: LinePlan, framing: Framing, *, commanded: bool) -> Iterator[str]:
    cost = planner.line_cost(line, framing)
    physics = planner.physics(framing, line.settings)
    yield f"line {line.name} ({line.protocol}): {cost.requests_per_s:.2f} requests/s, load {cost.load:.1%}"
    if cost.load > 1:
        yield f"  asked for more than it can do: every period becomes {cost.stretch:.2f} times as long"
    if commanded and physics.serial:
        limit = physics.commanded_limit()
        yield f"  it carries commands: no block over {limit} registers, so that none waits long for a frame border"
    spec = driver_of(line.protocol)
    asked = [row for device in line.devices for row in _device(line, device, physics.to(device), cost.stretch, spec)]
    heading, *rows = text(table(HEADER, [row for row, _ in asked], right=RIGHT, widths=WIDTHS, gap=1)).splitlines()
    yield f"  {heading}"
    for shown, (_, below) in zip(rows, asked, strict=True):
        yield f"  {shown}"
        yield from _listed(below)
    yield from (f"  advice: {one}" for one in advice(line, framing, commanded=commanded))


def _device(
    line: LinePlan, device: DevicePlan, physics: planner.Physics, stretch: float, spec: DriverSpec
) -> Iterator[tuple[Row, str]]:
    """The rows of one device, each with the text that stands below it."""
    names = {point.number: point.local_name for point in device.points}
    for block in device.blocks:
        known_by = _identity(line, device, block, spec)
        yield (*_block(device, block, physics, stretch), known_by), " ".join(names[number] for number in block.points)
    computed = [point.local_name for point in device.points if point.polled and isinstance(point.source, Computed)]
    if computed:
        yield (device.name, "", "computed", "", "", "", "", "", ""), " ".join(computed)
    if not device.blocks:
        yield (device.name, str(device.unit), "", "", "", "", "", "", ""), "nothing is asked: no row of a map uses it"


def _identity(line: LinePlan, device: DevicePlan, block: Block, spec: DriverSpec) -> str:
    """The means by which the response to `block` is told from others, with the silence before the request if that is all."""
    found = response_identity.identity(line, device, block, spec)
    if found != "silence only":
        return found
    return f"{found} ({response_identity.window_s(line, spec) * 1000:.0f} ms)"


def _listed(below: str) -> Iterator[str]:
    indent = " " * 24
    yield from textwrap.wrap(below, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _block(device: DevicePlan, block: Block, physics: planner.Physics, stretch: float) -> tuple[str, ...]:
    if isinstance(block, RegisterBlock):
        what = f"{block.table} {block.address}..{block.address + block.count - 1}"
    else:
        what = block.request.strip()
    asked, answered = physics.framing.octets(block)
    ms = physics.exchange_s(block) * 1000 + device.polling.pause_ms
    every, gets = f"{block.every_ms} ms", f"{block.every_ms * stretch:.0f} ms"
    values, octets = str(len(block.points)), f"{asked}+{answered}"
    return device.name, str(device.unit), what, values, octets, f"{ms:.1f}", every, gets
