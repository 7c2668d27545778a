"""Report of a compiled site's cost on its lines, for `plan`: requests, octets, milliseconds, load, periods, identity, advice."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from acquisition.drivers.registry import driver_of
from acquisition.exchange.identity.response_identity import LineIdentities, Means
from mapping.block_planning import planner
from mapping.block_planning.advice import advice
from mapping.compile import Compiled
from mapping.plan import Block, Computed, DevicePlan, LinePlan, RegisterBlock
from mapping.protocols import Framing
from mms_gateway.commissioning.tables import table, text

WIDTH: Final = 110
HEADER: Final = ("device", "unit", "what", "values", "octets", "ms", "every", "gets", "identity", "means", "W", "cost")
RIGHT: Final = (1, 3, 4, 5, 6, 7, 10)
WIDTHS: Final = (16, 4, 26, 6, 11, 7, 8, 8, 0, 0, 0, 0)
COLUMNS: Final = ("line", *HEADER, "points")

Row = tuple[str, ...]
Cell = str | int | float | list[str] | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a line's plan; times in ms. `w_ms`: in this window no other one has such a response; None: with ids."""

    device: str
    unit: int
    what: str
    octets: tuple[int, int]
    ms: float
    every_ms: int
    gets_ms: float
    identity: str
    means: Means
    w_ms: float | None
    points: tuple[str, ...]

    def row(self) -> Row:
        """Its row in the table of its line."""
        times = (f"{self.ms:.1f}", f"{self.every_ms} ms", f"{self.gets_ms:.0f} ms")
        octets = f"{self.octets[0]}+{self.octets[1]}"
        window = "" if self.w_ms is None else f"{self.w_ms:.0f} ms"
        told = (self.identity, self.means.text, window, self.means.cost)
        return (self.device, str(self.unit), self.what, str(len(self.points)), octets, *times, *told)

    def cells(self, line: str) -> list[Cell]:
        """Its row in JSON, with `line`: times are numbers, in ms."""
        octets = f"{self.octets[0]}+{self.octets[1]}"
        times = (round(self.ms, 1), self.every_ms, round(self.gets_ms))
        window = None if self.w_ms is None else round(self.w_ms)
        told = (self.identity, self.means.text, window, self.means.cost)
        return [line, self.device, self.unit, self.what, len(self.points), octets, *times, *told, list(self.points)]


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
    asked = [row for device, requests in _requests(line, framing) for row in _device(device, requests)]
    heading, *lines = text(table(HEADER, [row for row, _ in asked], right=RIGHT, widths=WIDTHS, gap=1)).splitlines()
    yield f"  {heading}"
    for shown, (_, below) in zip(lines, asked, strict=True):
        yield f"  {shown}"
        yield from _listed(below)
    yield from (f"  advice: {one}" for one in advice(line, framing, commanded=commanded))


def rows(compiled: Compiled) -> list[list[Cell]]:
    """The requests of all lines, each with the cells of COLUMNS."""
    return [
        request.cells(line.name)
        for worker in compiled.workers
        for line in worker.lines
        for _, requests in _requests(line, compiled.protocols[line.protocol].framing)
        for request in requests
    ]


def _device(device: DevicePlan, requests: list[Request]) -> Iterator[tuple[Row, str]]:
    """The rows of one device, each with the text that stands below it."""
    for request in requests:
        yield request.row(), " ".join(request.points)
    empty = ("",) * (len(HEADER) - 3)
    computed = [point.local_name for point in device.points if point.polled and isinstance(point.source, Computed)]
    if computed:
        yield (device.name, "", "computed", *empty), " ".join(computed)
    if not device.blocks:
        yield (device.name, str(device.unit), "", *empty), "nothing is asked: no row of a map uses it"


def _requests(line: LinePlan, framing: Framing) -> Iterator[tuple[DevicePlan, list[Request]]]:
    """The requests of each device of `line`."""
    stretch = planner.line_cost(line, framing).stretch
    known = LineIdentities(line, driver_of(line.protocol))
    for device in line.devices:
        physics = planner.physics(framing, line.settings).to(device)
        yield device, list(_of_device(device, physics, stretch, known))


def _of_device(
    device: DevicePlan, physics: planner.Physics, stretch: float, known: LineIdentities
) -> Iterator[Request]:
    names = {point.number: point.local_name for point in device.points}
    for block in device.blocks:
        identity = known.identity(device, block)
        yield Request(
            device.name,
            device.unit,
            _what(block),
            physics.framing.octets(block),
            physics.exchange_s(block) * 1000 + device.polling.pause_ms,
            block.every_ms,
            block.every_ms * stretch,
            identity,
            known.means(device, block),
            None if identity == "transaction id" else known.window_s * 1000,
            tuple(names[number] for number in block.points),
        )


def _what(block: Block) -> str:
    """The registers that a request asks for, or its text."""
    if isinstance(block, RegisterBlock):
        return f"{block.table} {block.address}..{block.address + block.count - 1}"
    return block.request.strip()


def _listed(below: str) -> Iterator[str]:
    indent = " " * 24
    yield from textwrap.wrap(below, WIDTH, initial_indent=indent, subsequent_indent=indent)
