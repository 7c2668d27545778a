"""A block in pieces: what a device refuses of it is found by halving, and the rest is read as one again (pure).

    |--values--|··gap··|----values----|     as planned; the device says no
    |--values--|··gap··|---|··|-------|     halved, at the borders of values and of gaps, until each piece is known
    |--values--| hole  |---| hole |---|     a register that it does not have costs itself alone, in a gap as in a value
    |--values--|       |--------------|     a hole that is there after all: what lies between holes is one read again

A device may refuse a read although it answers all parts of it: what was joined, and refused, stays apart.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from acquisition.decoding import point_readings
from acquisition.decoding.point_readings import Located
from acquisition.polling.refused_registers import Hole, cut
from mapping.plan import Block, DevicePlan, RegisterBlock, Table

SPREAD_LIMIT_S: Final = 2.0
HOLE_RETRIES_S: Final = (60.0, 600.0, 3600.0)  # a device that only just starts may refuse what it has
HOLE_RETRY_S: Final = 24 * 3600.0

Place = tuple[Table, int, int]
"""A table, an address, and how many from there."""


@dataclass(slots=True, eq=False)
class Due:
    """A block, or a piece of one, with its next time, and how far its exchange has come."""

    block: Block
    whole: Block  # as planned
    due: float
    period_s: float
    located: Sequence[Located]
    borders: Sequence[int]  # the ends of its values, where it may be cut
    asked: float  # when it was last done with
    not_before: float = 0.0
    tries: int = 0  # without an answer, since `asked`
    cost_s: float = 0.0  # of those
    refusals: int = 0  # of a single value, in a row: a hole
    hole: Hole | None = None
    sound: bool = False  # the device has answered it
    joined: bool = False  # of pieces that are sound

    @property
    def ready_at(self) -> float:
        """When it may be asked."""
        return max(self.due, self.not_before)


def spread(plan: DevicePlan, phase: float, position: int, of: int, now: float, holes: Sequence[Hole]) -> Iterator[Due]:
    """The blocks of one device without its holes, their first times spread over their periods, and the holes.

    Over two seconds at most: nobody waits a minute for the first word of a meter that is asked every minute.
    """
    count = max(len(plan.blocks), 1)
    for index, block in enumerate(plan.blocks):
        period_s = block.every_ms / 1000
        place = (phase + (position + index / count) / max(of, 1)) % 1
        first = now + min(period_s, SPREAD_LIMIT_S) * place
        for piece, hole in _round(plan, block, holes):
            due = _due(plan, piece, block, first, period_s)
            if hole is not None:
                due.hole, due.due, due.refusals = hole, now + HOLE_RETRY_S, len(HOLE_RETRIES_S)
            yield due


def halved(plan: DevicePlan, due: Due, now: float) -> list[Due]:
    """The two halves of `due`, to be asked at once; none if it is a single value, or a single gap."""
    block = due.block
    places = point_readings.places(due.located, block) if isinstance(block, RegisterBlock) else []
    if not isinstance(block, RegisterBlock) or len(places) < 2:
        return []
    middle, end = places[len(places) // 2 - 1], block.address + block.count
    halves = (cut(block, block.address, middle), cut(block, middle, end))
    return [_due(plan, half, due.whole, now, due.period_s) for half in halves]


def explains(hole: Hole, refused: Place) -> bool:
    """True if the read `refused` was refused because of `hole`, which it has in it."""
    table, address, count = refused
    return hole.table == table and address <= hole.address and hole.address + hole.count <= address + count


def joined(plan: DevicePlan, dues: Sequence[Due], of: Due, apart: Collection[Place]) -> list[Due]:
    """`dues` with the pieces of the block that `of` is of as few reads as its holes allow, once each piece is known.

    A gap is no piece then: nobody wants it. `apart`: reads that were refused although all parts of them were answered.
    """
    pieces = [one for one in dues if one.whole is of.whole]
    if len(pieces) < 2 or not all(one.sound or one.hole is not None for one in pieces):
        return list(dues)
    holes = [one.hole for one in pieces if one.hole is not None]
    found: list[Due] = []
    for block, hole in _round(plan, of.whole, holes):
        found += _kept(plan, block, hole, pieces, apart)
    at = dues.index(pieces[0])
    others = [one for one in dues if one.whole is not of.whole]
    return [*others[:at], *found, *others[at:]]


def _kept(
    plan: DevicePlan, block: Block, hole: Hole | None, pieces: Sequence[Due], apart: Collection[Place]
) -> list[Due]:
    """The piece that reads `block`: one that is there, one of several, or those several where they must stay apart."""
    same = [one for one in pieces if one.block == block]
    if same or hole is not None or not isinstance(block, RegisterBlock):
        return same
    end = block.address + block.count
    parts = [
        one
        for one in pieces
        if one.located and block.address <= one.located[0].register.address and one.located[-1].register.address < end
    ]
    if (block.table, block.address, block.count) in apart:
        return parts
    due = _due(plan, block, parts[0].whole, min(one.due for one in parts), parts[0].period_s)
    due.asked, due.joined = min(one.asked for one in parts), True
    return [due]


def _round(plan: DevicePlan, block: Block, holes: Sequence[Hole]) -> Iterator[tuple[Block, Hole | None]]:
    """`block` cut round those of its values and gaps that are holes; a hole that is none of them is forgotten."""
    if not isinstance(block, RegisterBlock):
        yield block, None
        return
    borders = [block.address, *point_readings.places(point_readings.located(plan, block), block)]
    pieces = set(pairwise(borders))
    inside = (one for one in holes if one.table == block.table and (one.address, one.address + one.count) in pieces)
    at, end = block.address, block.address + block.count
    for hole in sorted(inside, key=lambda one: one.address):
        if hole.address >= at:
            yield from _values(plan, block, at, hole.address)
            at = hole.address + hole.count
            yield cut(block, hole.address, at), hole
    yield from _values(plan, block, at, end)


def _values(plan: DevicePlan, block: RegisterBlock, start: int, end: int) -> Iterator[tuple[Block, None]]:
    """The read of the values that lie from `start` to before `end`, without the gaps at its ends; none if there are none."""
    if (start, end) == (block.address, block.address + block.count):
        yield block, None
        return
    registers = [one.register for one in point_readings.located(plan, cut(block, start, end))]
    if registers:
        yield cut(block, registers[0].address, max(one.address + one.count for one in registers)), None


def _due(plan: DevicePlan, block: Block, whole: Block, due: float, period_s: float) -> Due:
    located = point_readings.located(plan, block)
    borders = point_readings.borders(located, block) if isinstance(block, RegisterBlock) else []
    return Due(block, whole, due, period_s, located, borders, due - period_s)
