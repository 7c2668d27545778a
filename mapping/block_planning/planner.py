"""Planner of block reads: the cheapest legal ones for the registers and a line's physics (pure).

A request costs 8 characters, its answer 5 + 2N, each is preceded by 3.5 characters of silence, and the device thinks:

    T(N) = (13 + 2N) * c + 2 * t35 + t

so a hole is worth reading along while it costs less than a request more: g = (13c + 2 t35 + t) / 2c registers.
On TCP c is nearly 0: always merge, up to what the device allows. A protocol's Framing says how many characters it makes of
a frame of so many octets; instruments and meters that answer in text are reckoned by the character. How requests are cut
is `partition`'s.

A command leaves at the next frame border. So on a serial line that carries commands no block is longer than what keeps an
exchange under 155 ms (D34): at 9600 baud 125 registers would hold a command up for 290 ms. The rest of 200 ms is for the
write itself and for a device that thinks longer than most.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from mapping.block_planning.partition import Span, partition
from mapping.plan import Block, DevicePlan, LinePlan, Obis, PointPlan, Register, RegisterBlock, Reply, ReplyBlock, Table
from mapping.protocols import ANSWER_OCTETS, REGISTERS_LIMIT, REQUEST_OCTETS, Framing, LineSettings

TURNAROUND_S: Final = 0.005
TCP_ROUND_TRIP_S: Final = 0.005
BITS_LIMIT: Final = 2000
FAST_BAUDRATE: Final = 19200
FAST_SILENCE_S: Final = 0.00175
COMMANDED_EXCHANGE_S: Final = 0.155
COMMANDED_LEAST: Final = 16  # registers: at 2400 baud and below, reading in crumbs would cost more than it gives


@dataclass(frozen=True, slots=True)
class Physics:
    """Costs of a line: seconds for a character (0 on TCP), the silence before a frame, the device's turnaround."""

    character_s: float
    silence_s: float
    turnaround_s: float
    framing: Framing
    readout_s: float = 0.0  # a character of a meter's readout, once both have changed over

    @property
    def serial(self) -> bool:
        """True if characters cost time."""
        return self.character_s > 0

    def to(self, device: DevicePlan) -> "Physics":
        """The physics of exchanges with `device`: on a serial line as long as it was seen to think."""
        if not self.serial or device.turnaround_ms is None:
            return self
        return replace(self, turnaround_s=device.turnaround_ms / 1000)

    def exchange_s(self, block: Block) -> float:
        """How long one exchange takes."""
        asked, answered = self.framing.octets(block)
        if (sign_on := self.framing.sign_on) is not None:
            signing_on = (asked + sign_on.octets) * self.character_s + sign_on.turnaround_s
            return signing_on + (answered - sign_on.octets) * self.readout_s + self.turnaround_s
        return (asked + answered) * self.character_s + 2 * self.silence_s + self.turnaround_s

    def commanded_limit(self) -> int:
        """The longest block, in registers, of a line that carries commands."""
        if not self.serial:
            return REGISTERS_LIMIT
        data_s = COMMANDED_EXCHANGE_S - 2 * self.silence_s - self.turnaround_s
        octets = data_s / self.character_s / self.framing.characters
        count = int((octets - REQUEST_OCTETS - ANSWER_OCTETS) / 2)
        return min(max(count, COMMANDED_LEAST), REGISTERS_LIMIT)

    def gap(self) -> int:
        """The largest hole, in registers, that is cheaper read along than asked round."""
        if not self.serial:
            return REGISTERS_LIMIT
        framing = self.framing
        frames = framing.of(REQUEST_OCTETS) + framing.of(ANSWER_OCTETS)
        overhead = frames * self.character_s + 2 * self.silence_s + self.turnaround_s
        return int(overhead / (2 * framing.characters * self.character_s))


def physics(framing: Framing, settings: LineSettings) -> Physics:
    """The physics of a line of that framing from its settings: characters take time where there is a baud rate."""
    baudrate = settings.get("baudrate")
    if baudrate is None:
        return Physics(0.0, 0.0, TCP_ROUND_TRIP_S, framing)
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    character = bits / float(baudrate)
    silence = 0.0
    if framing.silence:
        silence = FAST_SILENCE_S if float(baudrate) > FAST_BAUDRATE else 3.5 * character
    changed = float(baudrate) if framing.sign_on is None else framing.sign_on.baudrate(settings)
    return Physics(character, silence, TURNAROUND_S, framing, character * float(baudrate) / changed)


def plan_blocks(
    points: Iterable[PointPlan], line: Physics, *, max_registers: int, max_gap: int | None
) -> tuple[Block, ...]:
    """The reads that bring all `points`: no value and no group torn, none over `max_registers`, no hole over `max_gap`.

    `max_gap` None: what the line's physics makes worth while. There are no fewer reads (D42), and of as many no shorter ones.
    """
    registers: dict[tuple[Table, int], dict[tuple[bool, int], Span]] = {}
    questions: dict[tuple[str, str, int], list[int]] = {}
    for point in points:
        if isinstance(point.source, Register):
            _take(registers.setdefault((point.source.table, point.every_ms), {}), point, point.source)
        elif isinstance(point.source, Reply | Obis):
            end = point.source.end if isinstance(point.source, Reply) else ""
            questions.setdefault((point.source.request, end, point.every_ms), []).append(point.number)
    gap = line.gap() if max_gap is None else max_gap
    blocks: list[Block] = []
    for (table, every_ms), spans in registers.items():
        bits = table in ("coil", "discrete")
        limit, hole = min(max_registers, REGISTERS_LIMIT), gap
        if bits:
            limit, hole = min(16 * limit, BITS_LIMIT), 16 * gap
        blocks += [
            RegisterBlock(table, one.start, one.end - one.start, every_ms, one.points)
            for one in partition(list(spans.values()), limit, hole)
        ]
    blocks += [ReplyBlock(text, end, every_ms, tuple(numbers)) for (text, end, every_ms), numbers in questions.items()]
    return tuple(blocks)


def planned(device: DevicePlan, line: Physics, longest: int = REGISTERS_LIMIT) -> DevicePlan:
    """`device` with the reads that bring what is polled of it, none over `longest` registers but for what must not be torn."""
    asked = [point for point in device.points if point.polled and point.asked]
    limit = min(line.framing.registers, device.polling.max_registers, longest)
    blocks = plan_blocks(asked, line.to(device), max_registers=limit, max_gap=device.polling.gap)
    return msgspec.structs.replace(device, blocks=blocks)


def _take(spans: dict[tuple[bool, int], Span], point: PointPlan, register: Register) -> None:
    """Add `point` to the spans of its table: one of its own, or its group's."""
    alone = point.together is None
    key = (alone, point.number if point.together is None else point.together)
    start, end = register.address, register.address + register.count
    span = spans.get(key, Span(start, end, ()))
    spans[key] = Span(min(span.start, start), max(span.end, end), (*span.points, point.number))


@dataclass(frozen=True, slots=True)
class LineCost:
    """Cost of a line's plan: requests a second, the share of its time, and how much slower it runs if over 1."""

    requests_per_s: float
    load: float

    @property
    def stretch(self) -> float:
        """The factor by which periods grow when the line cannot keep up; 1 if it can."""
        return max(self.load, 1.0)


def line_cost(line: LinePlan, framing: Framing) -> LineCost:
    """The cost of polling `line`, which has that framing, pauses included."""
    costs = physics(framing, line.settings)
    requests = load = 0.0
    for device in line.devices:
        for block in device.blocks:
            per_s = 1000 / block.every_ms
            requests += per_s
            load += per_s * (costs.to(device).exchange_s(block) + device.polling.pause_ms / 1000)
    return LineCost(requests, load)
