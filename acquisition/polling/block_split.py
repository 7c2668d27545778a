"""Splits a block at registers that the device refuses (exceptions 2 and 3), found by bisection, and joins the rest (pure).

    |--values--|··gap··|----values----|     as planned; the device refuses it
    |--values--|··gap··|---|··|-------|     halved, at the borders of values and of gaps, until each piece is known
    |--values--|refused|---|refused|--|     a register that it does not have costs itself alone, in a gap as in a value
    |--values--|refused|--------------|     one that it has after all: the registers between refused ones are one read again

A device may refuse a read although it answers all parts of it: such a read is not joined again (D94).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from acquisition.decoding import point_readings
from acquisition.decoding.point_readings import PointRegister
from acquisition.polling.refused_registers import RefusedRange, cut
from mapping.plan import Block, DevicePlan, RegisterBlock, Table

SPREAD_LIMIT_S: Final = 2.0
REFUSED_RETRIES_S: Final = (60.0, 600.0, 3600.0)  # D93: a device that only just starts may refuse what it has
REFUSED_RETRY_S: Final = 24 * 3600.0

ReadRange = tuple[Table, int, int]
"""A table, an address, and how many from there."""


@dataclass(slots=True, eq=False)
class ScheduledBlock:
    """A block, or a piece of one, with its next time and the state of its exchange."""

    block: Block
    whole: Block  # as planned
    due_at: float
    period_s: float
    located: Sequence[PointRegister]
    borders: Sequence[int]  # the ends of its values, where it may be cut
    asked: float  # when it was last done with
    not_before: float = 0.0
    tries: int = 0  # without an answer, since `asked`
    cost_s: float = 0.0  # of those
    refusals: int = 0  # of a single value, in a row
    refused: RefusedRange | None = None
    sound: bool = False  # the device has answered it
    joined: bool = False  # of pieces that are sound

    @property
    def is_searched(self) -> bool:
        """True for a piece of a refused block that may have a register which the device refuses."""
        return self.block != self.whole and not self.sound and self.refused is None

    @property
    def ready_at(self) -> float:
        """Time from which it may be requested."""
        return max(self.due_at, self.not_before)


def spread(
    plan: DevicePlan, phase: float, position: int, of: int, now: float, refused: Sequence[RefusedRange]
) -> Iterator[ScheduledBlock]:
    """Blocks of one device without refused ranges, their first times spread over their periods, and the refused ranges.

    They are spread over two seconds at most: the first value of a meter that is polled every minute takes no minute.
    """
    count = max(len(plan.blocks), 1)
    for index, block in enumerate(plan.blocks):
        period_s = block.every_ms / 1000
        place = (phase + (position + index / count) / max(of, 1)) % 1
        first = now + min(period_s, SPREAD_LIMIT_S) * place
        for piece, rejected in _around(plan, block, refused):
            due = _due(plan, piece, block, first, period_s)
            if rejected is not None:
                due.refused, due.due_at, due.refusals = rejected, now + REFUSED_RETRY_S, len(REFUSED_RETRIES_S)
            yield due


def halved(plan: DevicePlan, due: ScheduledBlock, now: float) -> list[ScheduledBlock]:
    """The two halves of `due`, to be requested now; none if it is a single value, or a single gap."""
    block = due.block
    places = point_readings.places(due.located, block) if isinstance(block, RegisterBlock) else []
    if not isinstance(block, RegisterBlock) or len(places) < 2:
        return []
    middle, end = places[len(places) // 2 - 1], block.address + block.count
    halves = (cut(block, block.address, middle), cut(block, middle, end))
    return [_due(plan, half, due.whole, now, due.period_s) for half in halves]


def explains(single: RefusedRange, refused: ReadRange) -> bool:
    """True if the read `refused` was refused because of `single`, which it contains."""
    table, address, count = refused
    end = single.address + single.count
    return single.table == table and address <= single.address and end <= address + count


def joined(
    plan: DevicePlan, blocks: Sequence[ScheduledBlock], of: ScheduledBlock, unjoinable: Collection[ReadRange]
) -> list[ScheduledBlock]:
    """`blocks` with the pieces of the block that `of` is in as few reads as refused ranges allow, once each piece is known.

    A gap is no piece then: it has no value. `unjoinable`: reads that were refused although all parts of them were answered.
    """
    pieces = [one for one in blocks if one.whole is of.whole]
    if len(pieces) < 2 or not all(one.sound or one.refused is not None for one in pieces):
        return list(blocks)
    refused = [one.refused for one in pieces if one.refused is not None]
    found: list[ScheduledBlock] = []
    for block, rejected in _around(plan, of.whole, refused):
        found += _pieces_for(plan, block, rejected, pieces, unjoinable)
    at = blocks.index(pieces[0])
    others = [one for one in blocks if one.whole is not of.whole]
    return [*others[:at], *found, *others[at:]]


def _pieces_for(
    plan: DevicePlan,
    block: Block,
    refused: RefusedRange | None,
    pieces: Sequence[ScheduledBlock],
    unjoinable: Collection[ReadRange],
) -> list[ScheduledBlock]:
    """The piece that reads `block`: one that is there, one of several, or those several where they cannot be joined."""
    same = [one for one in pieces if one.block == block]
    if same or refused is not None or not isinstance(block, RegisterBlock):
        return same
    end = block.address + block.count
    parts = [
        one
        for one in pieces
        if one.located and block.address <= one.located[0].register.address and one.located[-1].register.address < end
    ]
    if (block.table, block.address, block.count) in unjoinable:
        return parts
    due = _due(plan, block, parts[0].whole, min(one.due_at for one in parts), parts[0].period_s)
    due.asked, due.joined = min(one.asked for one in parts), True
    return [due]


def _around(
    plan: DevicePlan, block: Block, refused: Sequence[RefusedRange]
) -> Iterator[tuple[Block, RefusedRange | None]]:
    """`block` cut around those of its values and gaps that are refused; a range that is none of them is forgotten."""
    if not isinstance(block, RegisterBlock):
        yield block, None
        return
    borders = [block.address, *point_readings.places(point_readings.located(plan, block), block)]
    pieces = set(pairwise(borders))
    inside = (one for one in refused if one.table == block.table and (one.address, one.address + one.count) in pieces)
    at, end = block.address, block.address + block.count
    for one in sorted(inside, key=lambda one: one.address):
        if one.address >= at:
            yield from _values(plan, block, at, one.address)
            at = one.address + one.count
            yield cut(block, one.address, at), one
    yield from _values(plan, block, at, end)


def _values(plan: DevicePlan, block: RegisterBlock, start: int, end: int) -> Iterator[tuple[Block, None]]:
    """The read of the values from `start` to before `end`, without the gaps at its ends; none if there are none."""
    if (start, end) == (block.address, block.address + block.count):
        yield block, None
        return
    registers = [one.register for one in point_readings.located(plan, cut(block, start, end))]
    if registers:
        yield cut(block, registers[0].address, max(one.address + one.count for one in registers)), None


def _due(plan: DevicePlan, block: Block, whole: Block, due_at: float, period_s: float) -> ScheduledBlock:
    located = point_readings.located(plan, block)
    borders = point_readings.borders(located, block) if isinstance(block, RegisterBlock) else []
    return ScheduledBlock(block, whole, due_at, period_s, located, borders, due_at - period_s)
