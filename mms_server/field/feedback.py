"""Feedback of commands: the points that interlocking rules name, and those that prove a command (pure)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bus import quality
from bus.messages import Sample, Value
from mapping.plan import PointPlan, Proof

RELATIVE = 1e-6  # the rounding of a float32


@dataclass(eq=False, slots=True)
class Watch:
    """Waits for one point to show that a command was done, by samples of exchanges after `since_ns`.

    `wanted` is the value that shows it; None: the point has to move, up if `upwards`.
    """

    proof: Proof
    point: PointPlan
    wanted: Value
    upwards: bool
    since_ns: int
    before: Value = None
    shown: Value = None
    done: bool = False

    def look(self, sample: Sample, seen_ns: int) -> bool:
        """Take a sample of the point; True if it proves the command."""
        if seen_ns <= self.since_ns or not quality.is_good(sample.quality):
            return False
        self.shown = sample.value
        self.done = self._moved(sample.value) if self.proof.moves else self._equal(sample.value)
        return self.done

    @property
    def wrong(self) -> bool:
        """True if the point shows neither what was wanted nor what it showed before."""
        return self.shown is not None and self.shown != self.before

    def _moved(self, value: Value) -> bool:
        if not isinstance(value, int | float) or not isinstance(self.before, int | float):
            return False
        return value > self.before if self.upwards else value < self.before

    def _equal(self, value: Value) -> bool:
        wanted = self.wanted
        if isinstance(value, bool | str) or not isinstance(wanted, int | float) or not isinstance(value, int | float):
            return value == wanted
        return math.isclose(value, wanted, rel_tol=RELATIVE, abs_tol=self.proof.tolerance)


@dataclass(eq=False, slots=True)
class _PointState:
    """The latest sample of a point, and the monotonic time of its exchange."""

    point: PointPlan
    sample: Sample | None = None
    seen_ns: int = -1


@dataclass(eq=False, slots=True)
class WatchedPoints:
    """The points that interlocks name or that prove commands, with what is known of them."""

    _by_number: dict[int, _PointState] = field(default_factory=dict)
    _by_name: dict[str, _PointState] = field(default_factory=dict)
    _watches: list[Watch] = field(default_factory=list)

    def add(self, point: PointPlan) -> None:
        """Watch `point` from now on."""
        if point.number not in self._by_number:
            self._by_number[point.number] = self._by_name[point.name] = _PointState(point)

    def followed_by(self, points: Iterable[PointPlan]) -> "WatchedPoints":
        """The points of another plan; unchanged ones keep their samples and their watches."""
        after = WatchedPoints()
        for point in points:
            after.add(point)
            known = self._by_number.get(point.number)
            if known is not None and known.point == point:
                after._by_number[point.number] = after._by_name[point.name] = known
        staying = after._by_number
        after._watches = [
            one for one in self._watches if one.proof.point in staying and staying[one.proof.point].point == one.point
        ]
        return after

    def sampled(self, samples: Iterable[Sample], seen_ns: Iterable[int]) -> list[Watch]:
        """Take samples; returns the watches that are done by them."""
        if not self._by_number:
            return []
        ended: list[Watch] = []
        for sample, seen in zip(samples, seen_ns, strict=False):
            known = self._by_number.get(sample.point)
            if known is not None and seen >= known.seen_ns:
                known.sample, known.seen_ns = sample, seen
                ended += [one for one in self._watches if one.proof.point == sample.point and one.look(sample, seen)]
        self._watches = [one for one in self._watches if not one.done]
        return ended

    def lost(self, numbers: Iterable[int]) -> None:
        """Drop the samples of these points, whose worker is silent."""
        for number in numbers:
            known = self._by_number.get(number)
            if known is not None:
                known.sample = None

    def watch(self, proof: Proof, wanted: Value, *, upwards: bool, now_ns: int) -> Watch:
        """Wait for the feedback that `proof` names."""
        known = self._by_number[proof.point]
        before = None if known.sample is None else known.sample.value
        watch = Watch(proof, known.point, wanted, upwards, now_ns, before)
        self._watches.append(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """Remove a watch."""
        self._watches = [one for one in self._watches if one is not watch]

    def good_values(self, names: Iterable[str], now_ns: int) -> Mapping[str, Value]:
        """The values of the points `names` that are good now."""
        found: dict[str, Value] = {}
        for name in names:
            known = self._by_name.get(name)
            if known is None or known.sample is None or not quality.is_good(known.sample.quality):
                continue
            if now_ns < known.seen_ns + known.point.stale_after_ms * 1_000_000:
                found[name] = known.sample.value
        return found
