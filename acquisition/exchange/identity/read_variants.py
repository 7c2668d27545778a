"""Variants of a read, and the one that is sent (pure): no response of another read can be taken for its own (D3, D119).

    10 registers      as planned, where the line was silent or nothing looks alike
    11, 12            one or two more behind the block, or before it; not where nothing unplanned may be read
    9 + 1             in parts, at the end of a value, that differ in size
    13 to 16          where the block has no parts

A variant does not serve while a missing response to another question of its unit would look the same. Those go last that look
like another missing response, like one that the clock has ended, or like a response to somebody else's reads. A line that was
silent for a window, or whose unit was asked nothing for one, takes the first that is left. Otherwise none serves that another
question within the window looks like, and the choice is, in this order:

    none serves              the one that another question had longest ago: it rests on silence
    the unit's one question  the first, unless the unit lags or a write came before: each response is the value
    sizes of its own         those that no other question had for a minute; without any, the longest unused go first
    not asked in the window  a missing or second response of the same read would be older than it looks
    fewest requests          longer reads before parts, unless the device refuses them and the unit has no lag
    every fourth time        the second one, so that a shift of any depth shows soon

A proof is a read that looks like no other, not even like the read before which it is sent: its answer shows that the line is in
step, and its values are not used (D121).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.drivers.base import Read
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S, AskedReads, Question, octets_of, question_of
from acquisition.exchange.identity.late_answers import LateResponses
from acquisition.polling.refused_registers import RefusedRange

LONGER_BY: Final = (1, 2)  # two, for devices whose values are all of two registers
LONGER_STILL_BY: Final = tuple(range(3, 11))  # where the block has no parts: a single value, asked for again and again
REGISTERS_LIMIT: Final = 125
BITS_LIMIT: Final = 2000
FRESH_S: Final = 0.25  # a read-back is longer unlike the reads before it, since one that is wrong confirms a command
OWN_S: Final = 60.0  # a signature that no other question has used for so long is a read's own
SECOND_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """A read that carries some of a block's values: `count` registers or bits from `start`, which lie wholly in it."""

    read: Read
    start: int
    count: int

    @property
    def longer(self) -> bool:
        """True if it has more registers or bits than are wanted."""
        return self.read.count > self.count


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits of the reads of one device: the registers or bits of one read, reads and ranges that it refuses, and `exact`.

    `exact`: nothing is read that was not planned.
    """

    most: int = REGISTERS_LIMIT
    refused: Collection[Read] = ()
    holes: Sequence[RefusedRange] = ()
    exact: bool = False


class ReadChoice:
    """The choice of variants on one line. `draw` gives numbers from 0 to 1."""

    def __init__(self, late: LateResponses, asked: AskedReads, draw: Callable[[], float]) -> None:
        self._late = late
        self._asked = asked
        self._draw = draw
        self._waiting: dict[Question, float] = {}  # since when

    def parts(
        self,
        read: Read,
        borders: Sequence[int],
        limits: ReadLimits,
        now: float,
        *,
        silent_s: float = 0.0,
        fresh: bool = False,
        doubtful: bool = False,
    ) -> list[Part] | None:
        """Reads that together bring `read`; None if a missing response forbids each of its variants.

        `borders` are the ends of its values (addresses, ascending): no value is torn. `silent_s`: the line has been silent
        for so long. `fresh`: not even the same question within the window may look alike, since the value has changed.
        `doubtful`: surplus responses have come lately; rather than two reads that look alike there is none for now.
        """
        known = [one for one in variants(read, borders, limits) if not self._owed(one, now)]
        free = self._unconfused(known, now, fresh=fresh)
        window_s = self._asked.window(read.unit, now)
        if not free or silent_s >= window_s or now >= self._asked.quiet_at(read, now):
            return free[0] if free else None
        waits = doubtful and len(known) > 1 and self._may_wait(read, now, window_s)
        distinct = [one for one in known if not any(self._asked.looks_alike(part.read, now) for part in one)]
        if not distinct:
            return None if waits else self._done(read, min(free, key=self._last_alike(now)))  # by silence only
        distinct = self._unconfused(distinct, now, fresh=fresh)
        if self._asked.questions(read.unit) == 1 and not (fresh or self._asked.lag(read.unit, now)):
            return distinct[0]  # asked alike always: whichever response comes, it is the value
        return self._done(read, self._in_turn(distinct, read.unit, limits, now, waits=waits))

    def apart(self, read: Read, limits: ReadLimits, now: float, together: Collection[Read]) -> Part | None:
        """One read that brings `read`, whose response looks like no other one, nor like those to the reads `together` with it.

        None if there is no such read. One that has served before goes first: then reads that are sent again and again keep their
        sizes apart.
        """
        free = [part for (part,) in variants(read, (), limits) if self._is_apart(part.read, now, together)]
        return max(free, key=lambda part: self._asked.asked_since(part.read, -1.0, first=False) or -1.0, default=None)

    def _is_apart(self, read: Read, now: float, together: Collection[Read]) -> bool:
        if self._asked.looks_alike(read, now) or any(self._asked.are_alike(read, one) for one in together):
            return False
        return not (self._late.may_be_taken_for(read, now) or self._late.may_satisfy_of_others(read, now))

    def _may_wait(self, read: Read, now: float, window_s: float) -> bool:
        """True if `read` has not waited for a window yet, and that is no longer than a line waits."""
        since = self._waiting.setdefault(question_of(read), now)
        return window_s <= HOLD_LIMIT_S and now - since < window_s

    def _done(self, read: Read, parts: list[Part] | None) -> list[Part] | None:
        if parts is not None:
            self._waiting.pop(question_of(read), None)
        return parts

    def _unconfused(self, free: list[list[Part]], now: float, *, fresh: bool) -> list[list[Part]]:
        """Those of `free` that are told best from missing responses and from those to somebody else."""
        if self._late.remembered:
            free = _preferred(free, lambda part: not self._late.may_satisfy_of_others(part.read, now))
            free = _preferred(free, lambda part: self._late.owed_alike(part.read, now) is None)
            free = _preferred(free, lambda part: not self._late.may_still_satisfy(part.read, now))
        if fresh:
            free = _preferred(free, lambda part: self._asked.asked_alike(part.read, now, FRESH_S) is None)
        if self._asked.contested:
            free = _preferred(free, lambda part: not self._asked.is_contested(part.read, now))
        return free

    def _in_turn(
        self, distinct: list[list[Part]], unit: int, limits: ReadLimits, now: float, *, waits: bool
    ) -> list[Part] | None:
        """Of variants that no other question looks like, the one whose turn it is."""
        own = [one for one in distinct if self._last_alike(now)(one) < now - OWN_S]
        distinct = own or sorted(distinct, key=self._last_alike(now))
        unused = [one for one in distinct if all(self._asked.asked_alike(part.read, now) is None for part in one)]
        if not unused:
            return None if waits else min(distinct, key=self._age(now))
        if self._asked.lag(unit, now) or not limits.refused:
            unused.sort(key=len)  # two parts cost two exchanges, more than any longer read
        return unused[1 if len(unused) > 1 and self._draw() < SECOND_SHARE else 0]

    def is_told(self, read: Read, borders: Sequence[int], limits: ReadLimits, now: float) -> bool:
        """True if a variant of `read` has a response that no other one under way could be taken for."""
        return any(all(self._is_own(part.read, now) for part in one) for one in variants(read, borders, limits))

    def _is_own(self, read: Read, now: float) -> bool:
        owed = self._late.may_satisfy(read, now) or self._late.may_still_satisfy_another(read, now)
        return not owed and not self._asked.looks_alike(read, now)

    def proof(self, read: Read, borders: Sequence[int], limits: ReadLimits, now: float) -> Read | None:
        """A read of the unit of `read` whose response no other one could be, not even one to the same question.

        Its values are not used. It is a part of `read`, to the end of a value if it can be, or more than it; None if there is no
        such read.
        """
        proofs = [one for one in _proofs(read, borders, limits) if octets_of(one) != octets_of(read)]
        unused = (one for one in proofs if self._is_unused(one, now))
        return next(unused, proofs[0] if proofs else None)  # one that is owed shows all that was asked before it

    def _is_unused(self, proof: Read, now: float) -> bool:
        alike = self._asked.looks_alike(proof, now)
        owed = self._late.is_owed(proof, now) or self._late.may_still_satisfy(proof, now)
        heard = self._asked.asked_alike(proof, now) is not None or self._asked.is_contested(proof, now)
        return not (alike or owed or heard)

    def distinguishes(self, read: Read, now: float, *, silent_s: float) -> bool:
        """True if no response to another question could be taken for that to `read`, sent now."""
        if self._late.may_satisfy_of_others(read, now) or self._late.may_still_satisfy_another(read, now):
            return False
        return silent_s >= self._asked.window(read.unit, now) or not self._asked.looks_alike(read, now)

    def _owed(self, parts: Sequence[Part], now: float) -> bool:
        return any(self._late.may_satisfy(part.read, now) for part in parts)

    def _last_alike(self, now: float) -> Callable[[Sequence[Part]], float]:
        return lambda parts: max(self._asked.alike_at(part.read) for part in parts)

    def _age(self, now: float) -> Callable[[Sequence[Part]], float]:
        return lambda parts: max(self._asked.asked_alike(part.read, now) or 0.0 for part in parts)


def _preferred(candidates: list[list[Part]], wanted: Callable[[Part], bool]) -> list[list[Part]]:
    """Those whose parts are all `wanted`; all candidates if there are none."""
    return [one for one in candidates if all(map(wanted, one))] or candidates


def variants(read: Read, borders: Sequence[int], limits: ReadLimits) -> Iterator[list[Part]]:
    """The variants of `read`, the cheapest first."""
    yield [Part(read, read.address, read.count)]
    if not limits.exact:
        yield from ([Part(one, read.address, read.count)] for one in _longer(read, limits, LONGER_BY))
    for border in reversed(borders[:-1]):
        first = Read(read.unit, read.table, read.address, border - read.address)
        rest = Read(read.unit, read.table, border, read.address + read.count - border)
        if octets_of(first) != octets_of(rest):
            yield [Part(one, one.address, one.count) for one in (first, rest)]
    if not limits.exact:
        yield from ([Part(one, read.address, read.count)] for one in _longer(read, limits, LONGER_STILL_BY))


def _proofs(read: Read, borders: Sequence[int], limits: ReadLimits) -> Iterator[Read]:
    """Reads that tell if a line is in step: a few of its values, more than all of them, a part of its first value."""
    parts = [Read(read.unit, read.table, read.address, count) for count in range(1, read.count)]
    ends = {border - read.address for border in borders}
    yield from (one for one in parts if one.count in ends and one not in limits.refused)
    if not limits.exact:
        yield from _longer(read, limits, LONGER_BY)
    yield from (one for one in parts if one.count not in ends and one not in limits.refused)


def _longer(read: Read, limits: ReadLimits, steps: Sequence[int]) -> Iterator[Read]:
    """`read` with more behind it, then with more before it; of bits an octet of the response for each step.

    Where the device has refused two such reads on one side, no value begins there: none is tried that reaches further.
    """
    for side in (_with_more_behind, _with_more_before):
        refused = [step for step in (*LONGER_BY, *LONGER_STILL_BY) if side(read, step) in limits.refused]
        furthest = refused[1] if len(refused) > 1 else LONGER_STILL_BY[-1]
        possible = (side(read, step) for step in steps if step <= furthest)
        yield from (one for one in possible if _is_possible(one, limits))


def _with_more_behind(read: Read, step: int) -> Read:
    return Read(read.unit, read.table, read.address, read.count + _of_step(read, step))


def _with_more_before(read: Read, step: int) -> Read:
    return Read(read.unit, read.table, read.address - _of_step(read, step), read.count + _of_step(read, step))


def _of_step(read: Read, step: int) -> int:
    return 8 * step if read.table in ("coil", "discrete") else step


def _is_possible(read: Read, limits: ReadLimits) -> bool:
    """True unless the protocol or the device is known to refuse `read`."""
    end = read.address + read.count
    if read.count > limits.most or read.address < 0 or end > 0x10000 or read in limits.refused:
        return False
    holes = (one for one in limits.holes if one.table == read.table)
    return not any(one.address < end and read.address < one.address + one.count for one in holes)
