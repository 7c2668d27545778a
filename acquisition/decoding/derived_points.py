"""Points that need more than one reading: computed points and counter roll-over (pure; time is a parameter).

    readings of an exchange ── simulated lines marked, counters judged ── computed points of these inputs ──► published together

A computed point is as good as its worst input and no fresher than its oldest (D40): an input that has not been read for
longer than its `stale_after` makes it invalid. A counter that falls from the last tenth of its range to the first has
rolled over, and its value stays good. Any other fall is a reset: that one reading is questionable, since a difference over
it means nothing (D90). Nothing is added up: the total is that of the device (D39).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.decoding import scaling
from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from bus import quality
from bus.messages import Value
from bus.quality import Quality
from mapping.expressions import Expression, compile_expression
from mapping.plan import Computed, PointPlan

ROLLED: Final = 0.1  # of the span: from its last tenth to its first is rolling over, any other fall a reset


@dataclass(slots=True)
class _Input:
    """Last reading of an input."""

    reading: Reading
    at_ns: int


@dataclass(frozen=True, slots=True)
class _Formula:
    """One computed point."""

    point: PointPlan
    expression: Expression
    inputs: tuple[tuple[str, PointPlan], ...]


class DerivedPoints:
    """The computed points and counters of one worker, and what they must remember.

    `simulated`: the numbers of points without a field; their quality says test.
    """

    def __init__(self, points: Iterable[PointPlan], simulated: Collection[int] = ()) -> None:
        self._simulated = frozenset(simulated)
        by_number = {point.number: point for point in points}
        self._counters = {number: one for number, one in by_number.items() if one.counter is not None}
        self._counted: dict[int, float] = {}
        self._formulas = _in_order(by_number)
        needed = {one.number for formula in self._formulas for _, one in formula.inputs}
        self._seen: dict[int, _Input | None] = dict.fromkeys(needed)

    def follow(self, read: Sequence[PointReading], now_ns: int) -> list[PointReading]:
        """`read`, its counters judged, and after it the computed points that it changes."""
        if not self._counters and not self._formulas and not self._simulated:
            return list(read)
        found = [self._judged(self._marked(one)) for one in read]
        fresh = self._remember(found, now_ns)
        if not fresh:
            return found
        for formula in self._formulas:
            if any(one.number in fresh for _, one in formula.inputs):
                computed = PointReading(formula.point.number, self._computed(formula, now_ns))
                found.append(computed)
                fresh |= self._remember([computed], now_ns)
        return found

    def _remember(self, read: Sequence[PointReading], now_ns: int) -> set[int]:
        fresh = {one.point for one in read} & self._seen.keys()
        for number, reading in read:
            if number in fresh:
                self._seen[number] = _Input(reading, now_ns)
        return fresh

    def _marked(self, read: PointReading) -> PointReading:
        if read.point not in self._simulated:
            return read
        value, judged, reason = read.reading.value, read.reading.quality, read.reading.reason
        return PointReading(read.point, Reading(value, Quality(judged | quality.SIMULATED), reason))

    # ------------------------------------------------------------------ counters

    def _judged(self, read: PointReading) -> PointReading:
        point, value = self._counters.get(read.point), read.reading.value
        if point is None or isinstance(value, bool | str | None) or not quality.is_good(read.reading.quality):
            return read
        last = self._counted.get(read.point)
        self._counted[read.point] = value
        if last is None or value >= last or _rolled(point, last, value):
            return read
        reason = f"the counter fell from {last:g} to {value:g}: a reset"
        return PointReading(read.point, Reading(value, quality.worst(read.reading.quality, quality.RESET), reason))

    # ------------------------------------------------------------------ formulas

    def _computed(self, formula: _Formula, now_ns: int) -> Reading:
        values: dict[str, Value] = {}
        judged: Quality = quality.GOOD
        reasons: list[str] = []
        for name, point in formula.inputs:
            reading = self._reading(point, now_ns)
            values[name] = reading.value
            if reading.quality != quality.GOOD:
                judged = quality.worst(judged, reading.quality)
            if reading.reason:
                reasons.append(f"`{name}`: {reading.reason}")
        reason = "; ".join(reasons)
        if quality.validity(judged) is quality.Validity.INVALID:
            return Reading(None, judged, reason)
        try:
            found = formula.expression.value(values)
        except ValueError as error:
            return Reading(None, quality.INVALID, str(error))
        if isinstance(found, bool | str):
            return Reading(found, judged, reason)
        shown = scaling.plausible(formula.point, found)
        return Reading(found, quality.worst(judged, shown.quality), shown.reason or reason)

    def _reading(self, point: PointPlan, now_ns: int) -> Reading:
        seen = self._seen[point.number]
        if seen is None:
            return Reading(None, quality.NOT_YET, "not read yet")
        age_ms = (now_ns - seen.at_ns) // 1_000_000
        if age_ms > point.stale_after_ms:
            return Reading(None, quality.STALE, f"not refreshed for {age_ms / 1000:.0f} s")
        return seen.reading


def _rolled(point: PointPlan, last: float, value: float) -> bool:
    span = point.counter.span if point.counter is not None else None
    return span is not None and last >= span * (1 - ROLLED) and value <= span * ROLLED


def _in_order(points: dict[int, PointPlan]) -> list[_Formula]:
    """The computed points that are polled, each behind those that it is computed from."""
    ordered: dict[int, _Formula] = {}

    def place(point: PointPlan) -> None:
        if isinstance(point.source, Computed) and point.number not in ordered:
            inputs = tuple((name, points[number]) for name, number in point.source.points)
            for _, one in inputs:
                place(one)
            expression = compile_expression(point.source.text, point.source.device)
            ordered[point.number] = _Formula(point, expression, inputs)

    for point in points.values():
        if point.polled:
            place(point)
    return list(ordered.values())
