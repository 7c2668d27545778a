"""Measured values: mag behind its deadband, range between its limits, for each commit (IEC 61850-7-3, MV and CMV).

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
from bus.quality import Stamp, UtcTime, Validity
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.measured_values.deadband import Bounds
from mms_server.acsi.measured_values.objects import Leaf, MeasuredNumber, MeasuredObject, found
from mms_server.mms.data import Scalar
from mms_server.model.cache import SlotValue
from mms_server.model.tree import DataModel

STEP: Final = 1e-5  # 0.001 %
_BEYOND: Final = quality.QUESTIONABLE | quality.OUT_OF_RANGE

NewValues = dict[int, Scalar]  # the values of one commit, by slot
_NOTHING: Final[NewValues] = {}


class MeasuredValues(Behaviour):
    """The measured values of one server. `process` gives the process value of a leaf, overridden or not."""

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

    def judged(self, pairs: Iterable[SlotValue], now: Stamp) -> Iterable[SlotValue]:
        """The values to commit instead of `pairs`. Raises TypeError or ValueError as the commit would."""
        by_leaf = self._by_leaf
        if not by_leaf:
            return pairs
        listed = list(pairs)
        touched = {by_leaf[slot] for slot, _ in listed if slot in by_leaf}
        if not touched:
            return listed
        new = {slot: self._cache.check(slot, value) for slot, value in listed}
        for one in touched:
            self._judge(one, new, now)
        return new.items()

    # ------------------------------------------------------------------ one object

    def _judge(self, one: MeasuredObject, new: NewValues, now: Stamp) -> None:
        fed, configured = not one.values.isdisjoint(new), not one.settings.isdisjoint(new)
        bounds = self._bounds(one, new, configured=configured)
        first, one.fed = fed and not one.fed, fed or one.fed
        values = self._values(one, new)
        before = self._quality(one.q, _NOTHING)
        if one.process_q is None or one.q in new:
            one.process_q = self._quality(one.q, new)
        ranged = quality.validity(one.process_q) is not Validity.INVALID and self._ranged(one, bounds, values, new)
        after = quality.worst(one.process_q, _BEYOND) if one.beyond else one.process_q
        if one.q in new or after != before:
            new[one.q] = after
        event = ranged or after != before
        moved = self._follow(one, bounds, values, new, event=event or first)
        self._stamp(one, new, now, moved=moved or event, fed=fed, configured=configured)

    def _values(self, one: MeasuredObject, new: NewValues) -> list[float]:
        """The process values of the numbers."""
        if not one.inst.isdisjoint(new):
            one.by_inst = True
        elif not self._from_field and not one.shown.isdisjoint(new):
            one.by_inst = False
        return [self._value(one, number.leaves[0], new) for number in one.numbers]

    def _value(self, one: MeasuredObject, leaf: Leaf, new: NewValues) -> float:
        inst, shown = leaf
        if inst is not None and inst in new:
            return self._number(inst, new)
        if shown in new and (self._from_field or not one.by_inst):
            return self._number(shown, new)
        return self._number(inst if one.by_inst else shown, new)

    def _ranged(self, one: MeasuredObject, bounds: list[Bounds], values: list[float], new: NewValues) -> bool:
        """Judge the ranges and whether the magnitude is beyond its limits; True if a range changes."""
        one.beyond = bounds[0].beyond(values[0])
        changed = False
        for number, bound, value in zip(one.numbers, bounds, values, strict=True):
            if number.range is not None and bound.ranged:
                present = int(self._number(number.range, _NOTHING))
                judged = bound.range_of(value, present)
                new.pop(number.range, None)
                if judged != present:
                    new[number.range], changed = judged, True
        return changed

    # ------------------------------------------------------------------ what follows

    def _follow(
        self, one: MeasuredObject, bounds: list[Bounds], values: list[float], new: NewValues, *, event: bool
    ) -> bool:
        """Let the shown values follow, or hold them back; True if they move."""
        if self._derives(one) or (event and one.by_inst and one.shown.isdisjoint(new)):
            zeros = [abs(value) < bound.zero for bound, value in zip(bounds, values, strict=True)]
            if event or self._exceeded(one, bounds, values, zeros):
                for number, zero in zip(one.numbers, zeros, strict=True):
                    self._show(one, number, new, zero=zero)
            else:
                self._hold(one, new)
        return any(shown in new and new[shown] != self._process(shown) for shown in one.shown)

    def _derives(self, one: MeasuredObject) -> bool:
        """True if the model's deadband decides the shown value, and not the program or the map that feeds it."""
        return one.has_deadband and (self._from_field or one.by_inst) and one.shown.isdisjoint(self._held)

    def _exceeded(self, one: MeasuredObject, bounds: list[Bounds], values: list[float], zeros: list[bool]) -> bool:
        for number, bound, value, zero in zip(one.numbers, bounds, values, zeros, strict=True):
            shown = self._number(number.shown, _NOTHING)
            if shown != 0 if zero else bound.exceeded(value, shown):
                return True
        return False

    def _show(self, one: MeasuredObject, number: MeasuredNumber, new: NewValues, *, zero: bool) -> None:
        for leaf in number.leaves:
            checked = self._cache.check(leaf[1], 0 if zero else self._value(one, leaf, new))
            if leaf[1] in new or checked != self._process(leaf[1]):
                new[leaf[1]] = checked

    def _hold(self, one: MeasuredObject, new: NewValues) -> None:
        for shown in one.shown:
            if shown in new and self._from_field:
                del new[shown]
            elif shown in new:
                new[shown] = self._process(shown)

    def _stamp(
        self, one: MeasuredObject, new: NewValues, now: Stamp, *, moved: bool, fed: bool, configured: bool
    ) -> None:
        """Set `t`: the field's moves with the shown values; an embedding program gives `t` with its own values."""
        if one.t is None:
            return
        if moved and (self._from_field or configured):
            new.setdefault(one.t, UtcTime(now.utc_ns, now.time_quality))
        elif fed and not moved and self._from_field:
            new.pop(one.t, None)

    # ------------------------------------------------------------------ configuration

    def _bounds(self, one: MeasuredObject, new: NewValues, *, configured: bool) -> list[Bounds]:
        """The bounds of the numbers; those that this commit changes are kept from the next one on, when it has held."""
        if one.bounds is not None and not configured:
            return one.bounds
        self._bound |= new.keys() & one.settings
        bounds = [self._bounds_of(number, new) for number in one.numbers]
        one.bounds = None if configured else bounds
        return bounds

    def _bounds_of(self, number: MeasuredNumber, new: NewValues) -> Bounds:
        span = max(self._number(number.limits.get("max"), new) - self._number(number.limits.get("min"), new), 0.0)
        scale = abs(self._number(number.scale, new)) or 1.0
        return Bounds(
            self._number(number.db, new) * STEP,
            abs(self._number(number.db_ref, new)) / scale or span,
            self._number(number.zero_db, new) * STEP * (abs(self._number(number.zero_ref, new)) / scale or span),
            {name: self._number(slot, new) for name, slot in number.limits.items() if slot in self._bound},
            self._number(number.lim_db, new) * STEP * span,
            number.angle,
        )

    # ------------------------------------------------------------------ leaves

    def _number(self, slot: int | None, new: NewValues) -> float:
        """The number at `slot`, as this commit says or as it was; 0 where there is none."""
        if slot is None:
            return 0.0
        value = new[slot] if slot in new else self._process(slot)
        assert isinstance(value, int | float)  # noqa: S101 - by its place in the model
        return value

    def _quality(self, slot: int, new: NewValues) -> quality.Quality:
        value = new[slot] if slot in new else self._process(slot)
        assert isinstance(value, int)  # noqa: S101 - by its place in the model
        return quality.Quality(value)


def _by_leaf(objects: Iterable[MeasuredObject]) -> dict[int, MeasuredObject]:
    """The objects by each leaf that concerns them."""
    index: dict[int, MeasuredObject] = {}
    for one in objects:
        ranges = [number.range for number in one.numbers if number.range is not None]
        index |= dict.fromkeys((one.q, *ranges, *one.values, *one.settings), one)
    return index
