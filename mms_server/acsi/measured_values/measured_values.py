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

from collections.abc import Callable, Iterable
from typing import Final

from bus import quality
from bus.quality import Now, UtcTime, Validity
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.measured_values.deadband import Bounds
from mms_server.acsi.measured_values.objects import Leaf, MeasuredNumber, MeasuredObject, found
from mms_server.mms.data import Scalar
from mms_server.model.tree import DataModel

STEP: Final = 1e-5  # 0.001 %
_BEYOND: Final = quality.QUESTIONABLE | quality.OUT_OF_RANGE

Pair = tuple[int, object]
Said = dict[int, Scalar]  # what one commit says, by slot
_NOTHING: Final[Said] = {}


class Measuring(Behaviour):
    """The measured values of one server. `process` gives what the process says of a leaf, whatever covers it."""

    def __init__(self, model: DataModel, process: Callable[[int], Scalar]) -> None:
        self._cache = model.cache
        self._process = process
        self._from_field = False
        self._held: frozenset[int] = frozenset()  # leaves of mag whose deadband somebody else knows
        self._objects = list(found(model))
        limits = {slot for one in self._objects for number in one.numbers for slot in number.limits.values()}
        self._bound = limits & model.given  # limits that have been set
        self._by_leaf = _by_leaf(one for one in self._objects if not one.idle)

    def field_feeds(self, held: Iterable[int]) -> None:
        """The values are the field's from now on; the leaves `held` have a deadband of their own."""
        self._from_field = True
        self._held = frozenset(held)
        self._by_leaf = _by_leaf(self._objects)

    def judged(self, pairs: Iterable[Pair], now: Now) -> Iterable[Pair]:
        """What one commit of `pairs` comes to. Raises TypeError or ValueError as the commit would."""
        by_leaf = self._by_leaf
        if not by_leaf:
            return pairs
        listed = list(pairs)
        touched = {by_leaf[slot] for slot, _ in listed if slot in by_leaf}
        if not touched:
            return listed
        said = {slot: self._cache.check(slot, value) for slot, value in listed}
        for one in touched:
            self._judge(one, said, now)
        return said.items()

    # ------------------------------------------------------------------ one object

    def _judge(self, one: MeasuredObject, said: Said, now: Now) -> None:
        fed, configured = not one.values.isdisjoint(said), not one.settings.isdisjoint(said)
        bounds = self._bounds(one, said, configured=configured)
        first, one.fed = fed and not one.fed, fed or one.fed
        values = self._values(one, said)
        before = self._quality(one.q, _NOTHING)
        if one.said_q is None or one.q in said:
            one.said_q = self._quality(one.q, said)
        ranged = quality.validity(one.said_q) is not Validity.INVALID and self._ranged(one, bounds, values, said)
        after = quality.worst(one.said_q, _BEYOND) if one.beyond else one.said_q
        if one.q in said or after != before:
            said[one.q] = after
        event = ranged or after != before
        moved = self._follow(one, bounds, values, said, event=event or first)
        self._stamp(one, said, now, moved=moved or event, fed=fed, configured=configured)

    def _values(self, one: MeasuredObject, said: Said) -> list[float]:
        """What the process says that the numbers are worth."""
        if not one.inst.isdisjoint(said):
            one.by_inst = True
        elif not self._from_field and not one.shown.isdisjoint(said):
            one.by_inst = False
        return [self._value(one, number.leaves[0], said) for number in one.numbers]

    def _value(self, one: MeasuredObject, leaf: Leaf, said: Said) -> float:
        inst, shown = leaf
        if inst is not None and inst in said:
            return self._number(inst, said)
        if shown in said and (self._from_field or not one.by_inst):
            return self._number(shown, said)
        return self._number(inst if one.by_inst else shown, said)

    def _ranged(self, one: MeasuredObject, bounds: list[Bounds], values: list[float], said: Said) -> bool:
        """Judge the ranges and whether the magnitude is beyond its limits; True if a range changes."""
        one.beyond = bounds[0].beyond(values[0])
        changed = False
        for number, bound, value in zip(one.numbers, bounds, values, strict=True):
            if number.range is not None and bound.ranged:
                present = int(self._number(number.range, _NOTHING))
                judged = bound.range_of(value, present)
                said.pop(number.range, None)
                if judged != present:
                    said[number.range], changed = judged, True
        return changed

    # ------------------------------------------------------------------ what follows

    def _follow(
        self, one: MeasuredObject, bounds: list[Bounds], values: list[float], said: Said, *, event: bool
    ) -> bool:
        """Let what is shown follow, or hold it back; True if it moves."""
        if self._derives(one) or (event and one.by_inst and one.shown.isdisjoint(said)):
            zeros = [abs(value) < bound.zero for bound, value in zip(bounds, values, strict=True)]
            if event or self._exceeded(one, bounds, values, zeros):
                for number, zero in zip(one.numbers, zeros, strict=True):
                    self._show(one, number, said, zero=zero)
            else:
                self._hold(one, said)
        return any(shown in said and said[shown] != self._process(shown) for shown in one.shown)

    def _derives(self, one: MeasuredObject) -> bool:
        """True if the model's deadband decides what is shown, and not whoever feeds it."""
        return one.has_deadband and (self._from_field or one.by_inst) and one.shown.isdisjoint(self._held)

    def _exceeded(self, one: MeasuredObject, bounds: list[Bounds], values: list[float], zeros: list[bool]) -> bool:
        for number, bound, value, zero in zip(one.numbers, bounds, values, zeros, strict=True):
            shown = self._number(number.shown, _NOTHING)
            if shown != 0 if zero else bound.exceeded(value, shown):
                return True
        return False

    def _show(self, one: MeasuredObject, number: MeasuredNumber, said: Said, *, zero: bool) -> None:
        for leaf in number.leaves:
            checked = self._cache.check(leaf[1], 0 if zero else self._value(one, leaf, said))
            if leaf[1] in said or checked != self._process(leaf[1]):
                said[leaf[1]] = checked

    def _hold(self, one: MeasuredObject, said: Said) -> None:
        for shown in one.shown:
            if shown in said and self._from_field:
                del said[shown]
            elif shown in said:
                said[shown] = self._process(shown)

    def _stamp(self, one: MeasuredObject, said: Said, now: Now, *, moved: bool, fed: bool, configured: bool) -> None:
        """See to `t`: the field's moves with what is shown; an embedding program stamps what it brings itself."""
        if one.t is None:
            return
        if moved and (self._from_field or configured):
            said.setdefault(one.t, UtcTime(now.utc_ns, now.time_quality))
        elif fed and not moved and self._from_field:
            said.pop(one.t, None)

    # ------------------------------------------------------------------ configuration

    def _bounds(self, one: MeasuredObject, said: Said, *, configured: bool) -> list[Bounds]:
        """The bounds of the numbers; those that this commit changes are kept from the next one on, when it has held."""
        if one.bounds is not None and not configured:
            return one.bounds
        self._bound |= said.keys() & one.settings
        bounds = [self._bounds_of(number, said) for number in one.numbers]
        one.bounds = None if configured else bounds
        return bounds

    def _bounds_of(self, number: MeasuredNumber, said: Said) -> Bounds:
        span = max(self._number(number.limits.get("max"), said) - self._number(number.limits.get("min"), said), 0.0)
        scale = abs(self._number(number.scale, said)) or 1.0
        return Bounds(
            self._number(number.db, said) * STEP,
            abs(self._number(number.db_ref, said)) / scale or span,
            self._number(number.zero_db, said) * STEP * (abs(self._number(number.zero_ref, said)) / scale or span),
            {name: self._number(slot, said) for name, slot in number.limits.items() if slot in self._bound},
            self._number(number.lim_db, said) * STEP * span,
            number.angle,
        )

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


def _by_leaf(objects: Iterable[MeasuredObject]) -> dict[int, MeasuredObject]:
    """The objects by every leaf that says something of them."""
    index: dict[int, MeasuredObject] = {}
    for one in objects:
        ranges = [number.range for number in one.numbers if number.range is not None]
        index |= dict.fromkeys((one.q, *ranges, *one.values, *one.settings), one)
    return index
