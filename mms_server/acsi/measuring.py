"""What a measured value shows: mag behind its deadband, range between its limits (IEC 61850-7-3, MV and CMV).

    instMag ──► zeroDb ──► db ──► mag            cVal follows instCVal likewise, magnitude and angle together
       └──────► rangeC ───────► range, and outOfRange in q

    db        mag follows once it is further off than db * 0.001 % of its reference; 0: it always follows
              reference: dbRef where it is not 0, else rangeC.max - rangeC.min, else mag itself
    dbAng     the same for the angle, and db where there is no dbAng; at last of 360 degrees
    zeroDb    below zeroDb * 0.001 % of zeroDbRef, or of max - min, mag is 0 and instMag stays
    limits    beyond hhLim, hLim, lLim, llLim: high-high, high, low, low-low; back once limDb * 0.001 % of max - min inside
    min, max  beyond them q is questionable with outOfRange

The first value is shown as it is. A limit binds where the file, a client or the program has set it. A change of range or
quality takes the value along, whatever the deadband. A range is not judged while the value is invalid. All of it joins
the commit that brought the value.

An embedding program decides by what it feeds: instMag, and mag follows; mag alone, and it is mag. From the field comes one
value for both, and `t` is ours: it moves with mag, range and q, and not with instMag.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from math import isnan
from typing import Final

from bus import quality
from bus.quality import Now, UtcTime, Validity
from mms_server.acsi.measured_objects import Leaf, MeasuredNumber, MeasuredObject, found
from mms_server.mms.data import Scalar
from mms_server.model.tree import DataModel

STEP: Final = 1e-5  # 0.001 %
CIRCLE: Final = 360.0
_BEYOND: Final = quality.QUESTIONABLE | quality.OUT_OF_RANGE

Pair = tuple[int, object]
Said = dict[int, Scalar]  # what one commit says, by slot


class Range(IntEnum):
    """Where a value lies (IEC 61850-7-3, RangeKind)."""

    NORMAL = 0
    HIGH = 1
    LOW = 2
    HIGH_HIGH = 3
    LOW_LOW = 4


def range_of(value: float, present: int, limits: dict[str, float], hysteresis: float) -> int:
    """The range of `value`, which was `present` before. A limit that is not in `limits` does not bind.

    What has passed a limit is back when it is further inside than `hysteresis`; at the limit itself nothing changes.
    """

    def above(name: str, *ranges: Range) -> bool:
        limit = limits.get(name)
        return limit is not None and (value > limit or (present in ranges and value >= limit - hysteresis))

    def below(name: str, *ranges: Range) -> bool:
        limit = limits.get(name)
        return limit is not None and (value < limit or (present in ranges and value <= limit + hysteresis))

    if isnan(value):
        return present
    if above("hhLim", Range.HIGH_HIGH):
        return Range.HIGH_HIGH
    if below("llLim", Range.LOW_LOW):
        return Range.LOW_LOW
    if above("hLim", Range.HIGH, Range.HIGH_HIGH):
        return Range.HIGH
    return Range.LOW if below("lLim", Range.LOW, Range.LOW_LOW) else Range.NORMAL


class Measuring:
    """The measured values of one server. `process` gives what the process says of a leaf, whatever covers it."""

    def __init__(self, model: DataModel, process: Callable[[int], Scalar]) -> None:
        self._cache = model.cache
        self._process = process
        self._from_field = False
        self._held: frozenset[int] = frozenset()  # leaves of mag whose deadband somebody else knows
        self._by_leaf: dict[int, MeasuredObject] = {}
        self._settings: set[int] = set()
        self._bound: set[int] = set()  # limits that have been set
        for one in found(model):
            limits = {slot for number in one.numbers for slot in number.limits.values()}
            settings = {slot for number in one.numbers for slot in number.settings()}
            self._bound |= limits & model.given
            self._settings |= settings
            ranges = [number.range for number in one.numbers if number.range is not None]
            for slot in (one.q, *one.values(), *ranges, *settings):
                self._by_leaf[slot] = one

    def field_feeds(self, held: Iterable[int]) -> None:
        """The values are the field's from now on; the leaves `held` have a deadband of their own."""
        self._from_field = True
        self._held = frozenset(held)

    def judged(self, pairs: Iterable[Pair], now: Now) -> Iterable[Pair]:
        """What one commit of `pairs` comes to. Raises TypeError or ValueError as the commit would."""
        if not self._by_leaf:
            return pairs
        listed = list(pairs)
        touched = {id(one): one for slot, _ in listed if (one := self._by_leaf.get(slot)) is not None}
        if not touched:
            return listed
        said = {slot: self._cache.check(slot, value) for slot, value in listed}
        self._bound |= said.keys() & self._settings
        for one in touched.values():
            self._judge(one, said, now)
        return list(said.items())

    # ------------------------------------------------------------------ one object

    def _judge(self, one: MeasuredObject, said: Said, now: Now) -> None:
        fed = any(slot in said for slot in one.values())
        configured = any(slot in said for number in one.numbers for slot in number.settings())
        first, one.fed = fed and not one.fed, fed or one.fed
        values = self._values(one, said)
        before = self._quality(one.q, {})
        if one.said_q is None or one.q in said:
            one.said_q = self._quality(one.q, said)
        ranged = quality.validity(one.said_q) is not Validity.INVALID and self._ranged(one, values, said)
        after = quality.worst(one.said_q, _BEYOND) if one.beyond else one.said_q
        if one.q in said or after != before:
            said[one.q] = after
        event = ranged or after != before
        moved = self._follow(one, values, said, event=event or first)
        self._stamp(one, said, now, moved=moved or event, fed=fed, configured=configured)

    def _values(self, one: MeasuredObject, said: Said) -> list[float]:
        """What the process says that the numbers are worth."""
        if any(inst in said for inst, _ in one.leaves()):
            one.by_inst = True
        elif not self._from_field and any(shown in said for _, shown in one.leaves()):
            one.by_inst = False
        return [self._value(one, number.leaves[0], said) for number in one.numbers]

    def _value(self, one: MeasuredObject, leaf: Leaf, said: Said) -> float:
        inst, shown = leaf
        if inst is not None and inst in said:
            return self._number(inst, said)
        if shown in said and (self._from_field or not one.by_inst):
            return self._number(shown, said)
        return self._number(inst if one.by_inst else shown, said)

    def _follow(self, one: MeasuredObject, values: Sequence[float], said: Said, *, event: bool) -> bool:
        """Let what is shown follow, or hold it back; True if it moves."""
        given = any(shown in said for _, shown in one.leaves())
        if self._derives(one) or (event and one.by_inst and not given):
            zeros = [self._is_zero(number, value, said) for number, value in zip(one.numbers, values, strict=True)]
            judged = list(zip(one.numbers, values, zeros, strict=True))
            if event or any(self._exceeds(number, value, said, zero=zero) for number, value, zero in judged):
                shows = {
                    leaf: 0 if zero else self._value(one, leaf, said) for n, _, zero in judged for leaf in n.leaves
                }
                for (_, shown), value in shows.items():
                    self._show(shown, value, said)
            else:
                self._hold(one, said)
        return any(shown in said and said[shown] != self._process(shown) for _, shown in one.leaves())

    def _derives(self, one: MeasuredObject) -> bool:
        """True if the model's deadband decides what is shown, and not whoever feeds it."""
        known_elsewhere = any(shown in self._held for _, shown in one.leaves())
        return one.has_deadband and not known_elsewhere and (self._from_field or one.by_inst)

    def _show(self, shown: int, value: float, said: Said) -> None:
        checked = self._cache.check(shown, value)
        if shown in said or checked != self._process(shown):
            said[shown] = checked

    def _hold(self, one: MeasuredObject, said: Said) -> None:
        for _, shown in one.leaves():
            if shown in said and self._from_field:
                del said[shown]
            elif shown in said:
                said[shown] = self._process(shown)

    def _stamp(self, one: MeasuredObject, said: Said, now: Now, *, moved: bool, fed: bool, configured: bool) -> None:
        """See to `t`: where the field feeds it moves with what is shown; an embedding program stamps what it brings."""
        if one.t is None:
            return
        if moved and (self._from_field or configured):
            said.setdefault(one.t, UtcTime(now.utc_ns, now.time_quality))
        elif fed and not moved and self._from_field:
            said.pop(one.t, None)

    # ------------------------------------------------------------------ deadband

    def _exceeds(self, number: MeasuredNumber, value: float, said: Said, *, zero: bool) -> bool:
        present = self._number(number.shown, {})
        if zero:
            return present != 0
        distance = abs(value - present)
        if number.angle:
            distance = min(distance % CIRCLE, -distance % CIRCLE)
        band = self._number(number.db, said) * STEP * self._reference(number, present, said)
        return not distance <= band  # what is not a number is not within it

    def _reference(self, number: MeasuredNumber, present: float, said: Said) -> float:
        """What 100 % of db are."""
        own = self._in_steps(number, number.db_ref, said) or self._span(number, said)
        return own or (CIRCLE if number.angle else abs(present))

    def _is_zero(self, number: MeasuredNumber, value: float, said: Said) -> bool:
        """True if `value` is as good as none."""
        reference = self._in_steps(number, number.zero_ref, said) or self._span(number, said)
        return abs(value) < self._number(number.zero_db, said) * STEP * reference

    def _in_steps(self, number: MeasuredNumber, slot: int | None, said: Said) -> float:
        """A reference as the deciding leaf counts."""
        return abs(self._number(slot, said) / (self._number(number.scale, said) or 1.0))

    def _span(self, number: MeasuredNumber, said: Said) -> float:
        low, high = (self._number(number.limits.get(name), said) for name in ("min", "max"))
        return max(high - low, 0.0)

    # ------------------------------------------------------------------ ranges

    def _ranged(self, one: MeasuredObject, values: Sequence[float], said: Said) -> bool:
        """Judge the ranges and whether the magnitude is beyond its limits; True if a range changes."""
        changed = False
        for number, value in zip(one.numbers, values, strict=True):
            limits = {name: self._number(slot, said) for name, slot in number.limits.items() if slot in self._bound}
            if not number.angle and not isnan(value):
                one.beyond = value > limits.get("max", value) or value < limits.get("min", value)
            if number.range is not None and not limits.keys().isdisjoint(("hhLim", "hLim", "lLim", "llLim")):
                present = int(self._number(number.range, {}))
                hysteresis = self._number(number.lim_db, said) * STEP * self._span(number, said)
                judged = range_of(value, present, limits, hysteresis)
                said.pop(number.range, None)
                if judged != present:
                    said[number.range], changed = judged, True
        return changed

    # ------------------------------------------------------------------ leaves

    def _number(self, slot: int | None, said: Said) -> float:
        """The number at `slot`, as this commit says or as it was; 0 where there is none."""
        if slot is None:
            return 0.0
        value = said[slot] if slot in said else self._process(slot)
        assert isinstance(value, int | float)  # noqa: S101 - by its place in the model
        return value

    def _quality(self, slot: int, said: Said) -> quality.Quality:
        value = said[slot] if slot in said else self._process(slot)
        assert isinstance(value, int)  # noqa: S101 - by its place in the model
        return quality.Quality(value)
