"""From registers to the cheapest legal block reads for a line's physics (pure).

A request costs 8 characters, its answer 5 + 2N, each is preceded by 3.5 characters of silence, and the device thinks:

    T(N) = (13 + 2N) * c + 2 * t35 + t

so a hole is worth reading along while it costs less than a request more: g = (13c + 2 t35 + t) / 2c registers.
On TCP c is nearly 0: always merge, up to what the device allows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mapping.plan import Block, LinePlan, PointPlan, Register, RegisterBlock, Reply, ReplyBlock

TURNAROUND_S: Final = 0.005
TCP_ROUND_TRIP_S: Final = 0.005
REGISTERS_LIMIT: Final = 125
BITS_LIMIT: Final = 2000
REQUEST_OCTETS: Final = 8
ANSWER_OCTETS: Final = 5
TCP_HEADER_OCTETS: Final = 6
FAST_BAUDRATE: Final = 19200
FAST_SILENCE_S: Final = 0.00175
TEXT_ANSWER_OCTETS: Final = 24  # a guess: an instrument's line


@dataclass(frozen=True, slots=True)
class Physics:
    """What a line costs: seconds for a character (0 on TCP), the silence before a frame, the device's turnaround."""

    character_s: float
    silence_s: float
    turnaround_s: float

    @property
    def serial(self) -> bool:
        """True if characters cost time."""
        return self.character_s > 0

    def exchange_s(self, block: Block) -> float:
        """How long one exchange takes."""
        asked, answered = octets(block, serial=self.serial)
        return (asked + answered) * self.character_s + 2 * self.silence_s + self.turnaround_s

    def gap(self) -> int:
        """The largest hole, in registers, that is cheaper read along than asked round."""
        if not self.serial:
            return REGISTERS_LIMIT
        overhead = (REQUEST_OCTETS + ANSWER_OCTETS) * self.character_s + 2 * self.silence_s + self.turnaround_s
        return int(overhead / (2 * self.character_s))


def physics(protocol: str, settings: Mapping[str, str | int | float | bool]) -> Physics:
    """The physics of a line from its settings."""
    baudrate = settings.get("baudrate")
    if baudrate is None:
        return Physics(0.0, 0.0, TCP_ROUND_TRIP_S)
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    character = bits / float(baudrate)
    silence = 0.0
    if protocol == "modbus-rtu":
        silence = FAST_SILENCE_S if float(baudrate) > FAST_BAUDRATE else 3.5 * character
    return Physics(character, silence, TURNAROUND_S)


def octets(block: Block, *, serial: bool) -> tuple[int, int]:
    """The octets of the request and of the answer."""
    if isinstance(block, ReplyBlock):
        return len(block.request), TEXT_ANSWER_OCTETS
    data = -(-block.count // 8) if block.table in ("coil", "discrete") else 2 * block.count
    header = 0 if serial else TCP_HEADER_OCTETS - 2  # MBAP instead of unit and CRC
    return REQUEST_OCTETS + header, ANSWER_OCTETS + data + header


def plan_blocks(
    points: Iterable[PointPlan], line: Physics, *, max_registers: int, max_gap: int | None
) -> tuple[Block, ...]:
    """The reads that bring all `points`: no value torn, none over `max_registers`, no hole over `max_gap` (None: computed)."""
    registers: dict[tuple[str, int], list[tuple[Register, int]]] = {}
    questions: dict[tuple[str, str, int], list[int]] = {}
    for point in points:
        if isinstance(point.source, Register):
            registers.setdefault((point.source.table, point.every_ms), []).append((point.source, point.number))
        elif isinstance(point.source, Reply):
            key = (point.source.request, point.source.end, point.every_ms)
            questions.setdefault(key, []).append(point.number)
    gap = line.gap() if max_gap is None else max_gap
    blocks: list[Block] = []
    for (table, every_ms), wanted in registers.items():
        bits = table in ("coil", "discrete")
        limit, hole = min(max_registers, REGISTERS_LIMIT), gap
        if bits:
            limit, hole = min(16 * limit, BITS_LIMIT), 16 * gap
        blocks += _merged(wanted, every_ms, limit, hole)
    blocks += [ReplyBlock(text, end, every_ms, tuple(numbers)) for (text, end, every_ms), numbers in questions.items()]
    return tuple(blocks)


def _merged(wanted: Sequence[tuple[Register, int]], every_ms: int, limit: int, gap: int) -> list[Block]:
    ordered = sorted(wanted, key=lambda one: (one[0].address, one[0].count))
    blocks: list[Block] = []
    start, end, numbers = ordered[0][0].address, ordered[0][0].address, list[int]()
    table = ordered[0][0].table
    for register, number in ordered:
        reach = max(end, register.address + register.count)
        if numbers and (register.address - end > gap or reach - start > limit):
            blocks.append(RegisterBlock(table, start, end - start, every_ms, tuple(numbers)))
            start, reach, numbers = register.address, register.address + register.count, []
        numbers.append(number)
        end = reach
    blocks.append(RegisterBlock(table, start, end - start, every_ms, tuple(numbers)))
    return blocks


@dataclass(frozen=True, slots=True)
class LineCost:
    """What a line's plan costs: requests a second, the share of its time, and how much slower it runs if over 1."""

    requests_per_s: float
    load: float

    @property
    def stretch(self) -> float:
        """The factor by which periods grow when the line cannot keep up; 1 if it can."""
        return max(self.load, 1.0)


def line_cost(line: LinePlan) -> LineCost:
    """The cost of polling `line`, pauses included."""
    costs = physics(line.protocol, line.settings)
    requests = load = 0.0
    for device in line.devices:
        for block in device.blocks:
            per_s = 1000 / block.every_ms
            requests += per_s
            load += per_s * (costs.exchange_s(block) + device.pause_ms / 1000)
    return LineCost(requests, load)
