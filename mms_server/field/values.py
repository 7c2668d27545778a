"""Values from the field: each sample sets the attributes that it feeds, and is stale after some time.

    sample ──► its point's sources ──► value leaves         scaled, mapped, rounded; held back by a deadband
                                  └──► q  the worst of the object's sources
                                  └──► t  the time of the last change of value or quality, not of the last poll

A bound object is invalid until its first sample, and again once it has not been refreshed for its point's `stale_after`,
counted on the monotonic clock from the exchange that gave the sample, not from its arrival here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from bus import quality
from bus.quality import Quality, Stamp, UtcTime
from mms_server.field.bindings import NEVER, BoundObject, Feed, FieldPoint, taken_over
from mms_server.mms.data import Float32, Float64, Integer, Kind, MmsString, Scalar, Unsigned, VisibleString
from mms_server.model.cache import SlotValue
from mms_server.model.tree import DataModel

if TYPE_CHECKING:
    from bus.messages import Sample, Value
    from mapping.plan import IedPlan, PointPlan, Source

_OVERFLOW: Final = Quality(quality.INVALID | quality.OVERFLOW)


class SampleChanges(NamedTuple):
    """The changes by samples: `first` from the first sample of a point, which is no event; `changes` from all later ones."""

    first: list[SlotValue]
    changes: list[SlotValue]


class FieldValues:
    """The bindings of one IED. Its methods give slots with their values, for one commit.

    `process` gives the process value of a leaf, substituted or not. A sample is compared with that value: compared with
    the value shown, it would be lost if a substitution happens to be equal.
    """

    def __init__(
        self,
        plan: "IedPlan",
        points: "Mapping[int, PointPlan]",
        workers: Mapping[int, str],
        model: DataModel,
        process: Callable[[int], Scalar],
    ) -> None:
        self._model = model
        self._cache = model.cache
        self._process = process
        self._objects: list[BoundObject] = []
        self._points: dict[int, FieldPoint] = {}
        for binding in plan.objects:
            bound = BoundObject(self._leaf(binding.q), self._leaf(binding.t))
            self._objects.append(bound)
            for number, source in enumerate(binding.sources):
                bound.qualities[number] = quality.NOT_YET
                point = self._points.setdefault(
                    source.point,
                    FieldPoint(
                        points[source.point].name,
                        points[source.point].stale_after_ms * 1_000_000,
                        workers[source.point],
                    ),
                )
                targets = tuple(self._slot(one) for one in source.targets)
                held = tuple(self._slot(one) for one in source.held)
                point.feeds.append(Feed(source, bound, number, targets, held, dict(source.values)))
        self._first: dict[int, object] = {self._slot(one.target): one.value for one in plan.presets}
        self._first |= {self._slot(target): quality.NOT_YET for target in plan.unfed}
        self._first |= {bound.q: quality.NOT_YET for bound in self._objects if bound.q is not None}
        self._beneath: dict[int, object] = {slot: process(slot) for slot in self._first}
        self._next_ns = NEVER

    def _slot(self, target: str) -> int:
        domain, _, item = target.partition("/")
        slot = self._model.slot(domain.encode(), item.encode())
        if slot < 0:
            raise ValueError(f"the plan feeds `{target}`, which the SCL file does not have")
        return slot

    def _leaf(self, target: str | None) -> int | None:
        return None if target is None else self._slot(target)

    # ------------------------------------------------------------------ samples

    def held(self) -> list[int]:
        """The leaves that a deadband of the map holds back."""
        return [slot for point in self._points.values() for feed in point.feeds for slot in feed.held]

    def start(self) -> list[SlotValue]:
        """The values before the first sample: the presets of the plan, and invalid quality for all else of the process."""
        return [*self._first.items()]

    def succeed(self, before: "FieldValues", now: Stamp) -> list[SlotValue]:
        """Take over from the bindings of another plan for the same model; the changes for one commit.

        An object that stays bound keeps value, quality and time. One that is bound no more is invalid. One that is newly
        bound, or converted otherwise, gets the last sample of its point, and is invalid if there is none. A leaf whose
        preset has gone gets its value from before the preset.
        """
        pairs = self._started_after(before)
        said = {one.q: one.said for one in before._objects}
        for bound in self._objects:
            bound.said = said.pop(bound.q, quality.NOT_YET)
        for old in before._objects:
            if old.q in said and old.q in self._first and old.said != quality.NOT_YET:
                self._say(old, quality.NOT_YET, now, pairs)
        for point, feed in taken_over(self._points.values(), before._points.values()):
            value = None if point.sample is None else point.sample.value
            self._feed(feed, value, point.judged, point.stamp, pairs)
        for bound in self._objects:
            if bound.worst() != bound.said:
                self._say(bound, bound.worst(), now, pairs)
        self._next_ns = min((point.expires_ns for point in self._points.values()), default=NEVER)
        return pairs

    def _started_after(self, before: "FieldValues") -> list[SlotValue]:
        """The changes of presets: those of the plan `before` that are gone are undone, new ones are set."""
        for slot in self._beneath.keys() & before._beneath.keys():
            self._beneath[slot] = before._beneath[slot]
        back = [(slot, value) for slot, value in before._beneath.items() if slot not in self._first]
        return back + [(slot, value) for slot, value in self._first.items() if before._first.get(slot) != value]

    def _say(self, bound: BoundObject, judged: Quality, now: Stamp, pairs: list[SlotValue]) -> None:
        """Set an object's quality, and its time stamp to `now`."""
        bound.said = judged
        if bound.q is not None:
            pairs.append((bound.q, judged))
        if bound.t is not None:
            pairs.append((bound.t, UtcTime(now.utc_ns, now.time_quality)))

    def samples(
        self, samples: "Iterable[Sample]", seen_ns: Iterable[int], time_quality: int, now: Stamp
    ) -> "SampleChanges":
        """The changes by the samples of one exchange, or of a snapshot. `seen_ns`: the monotonic time of each exchange.

        A sample older than the last one of its point changes nothing; one that is older than `stale_after` is stale.
        """
        found = SampleChanges([], [])
        for sample, seen in zip(samples, seen_ns, strict=False):
            point = self._points.get(sample.point)
            if point is None or seen < point.seen_ns:
                continue
            pairs = found.first if point.seen_ns < 0 else found.changes
            point.seen_ns, point.sample, point.time_quality = min(seen, now.monotonic_ns), sample, time_quality
            judged = Quality(sample.quality)
            if not quality.is_invalid(judged):
                point.expires_ns = point.seen_ns + point.stale_after_ns
                if point.expires_ns <= now.monotonic_ns:
                    judged, point.expires_ns = quality.STALE, NEVER
                self._next_ns = min(self._next_ns, point.expires_ns)
            else:
                point.expires_ns = NEVER
            stamp = UtcTime(sample.time_ns, time_quality)
            for feed in point.feeds:
                self._feed(feed, sample.value, judged, stamp, pairs)
        return found

    def lost(self, worker: str, now: Stamp) -> list[SlotValue]:
        """The changes when `worker` is silent for too long: all its points are stale."""
        pairs: list[SlotValue] = []
        for point in self._points.values():
            if point.worker == worker and point.expires_ns != NEVER:
                self._expire(point, now, pairs)
        return pairs

    def stale(self, now: Stamp) -> list[SlotValue]:
        """The changes by points that have become stale by `now`."""
        if now.monotonic_ns < self._next_ns:
            return []
        pairs: list[SlotValue] = []
        for point in self._points.values():
            if point.expires_ns <= now.monotonic_ns:
                self._expire(point, now, pairs)
        self._next_ns = min((point.expires_ns for point in self._points.values()), default=NEVER)
        return pairs

    def next_deadline_ns(self) -> int:
        """The time at which `stale` is due, on the monotonic clock; NEVER if no point is good."""
        return self._next_ns

    def _expire(self, point: FieldPoint, now: Stamp, pairs: list[SlotValue]) -> None:
        point.expires_ns = NEVER
        for feed in point.feeds:
            self._feed(feed, None, quality.STALE, UtcTime(now.utc_ns, now.time_quality), pairs)

    # ------------------------------------------------------------------ conversion

    def _feed(self, feed: Feed, value: "Value", judged: Quality, stamp: UtcTime, pairs: list[SlotValue]) -> None:
        moved = False
        if value is not None and feed.first is not None:
            shown = self._shown(feed, value)
            if shown is None:
                judged = quality.worst(judged, _OVERFLOW if isinstance(value, int | float) else quality.INVALID)
            else:
                moved = self._set_values(feed, shown, pairs)
        bound = feed.object
        if judged != bound.qualities[feed.number]:
            bound.qualities[feed.number] = judged
            after = bound.worst()
            if bound.q is not None and after != bound.said:
                pairs.append((bound.q, after))
                bound.said, moved = after, True
        if moved and bound.t is not None:
            pairs.append((bound.t, stamp))

    def _shown(self, feed: Feed, value: "Value") -> Scalar | None:
        """`value` as the leaf has it; None if it is out of the leaf's range, or not among the values of the map."""
        slot = feed.first
        kind = None if slot is None else self._cache.nodes[slot].kind
        if feed.values:
            mapped = feed.values.get(value)
            return None if kind is None or mapped is None else _fitting(kind, mapped)
        if isinstance(value, str) and isinstance(kind, Integer | Unsigned | Float32 | Float64):
            value = _number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            source = feed.source
            value = value if (source.scale, source.offset) == (1.0, 0.0) else value * source.scale + source.offset
        return None if kind is None or value is None else _fitting(kind, value)

    def _set_values(self, feed: Feed, shown: Scalar, pairs: list[SlotValue]) -> bool:
        process = self._process
        pairs += [(slot, shown) for slot in feed.targets if process(slot) != shown]
        if not feed.held:
            return process(feed.targets[0]) != shown
        last = process(feed.held[0])
        if feed.object.qualities[feed.number] != quality.NOT_YET and not _exceeds(feed.source, last, shown):
            return False
        pairs += [(slot, shown) for slot in feed.held]
        return last != shown


def _exceeds(source: "Source", last: object, shown: Scalar) -> bool:
    band = source.deadband
    if band is None or not isinstance(last, int | float) or not isinstance(shown, int | float):
        return True
    limit = abs(last) * band.value / 100 if band.percent else band.value
    return abs(shown - last) >= limit


def _number(text: str) -> float | None:
    """The number that an instrument sent as text; None if the text is no number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _fitting(kind: Kind, value: "Value") -> Scalar | None:
    if isinstance(kind, Integer | Unsigned) and isinstance(value, float):
        value = round(value) if abs(value) < 1e38 else None
    if isinstance(kind, VisibleString | MmsString):
        return str(value)[: kind.characters]
    try:
        return kind.check(value)
    except (TypeError, ValueError):
        return None  # becomes a quality: the value does not fit the attribute
