"""Bindings of one IED: the state of its points and of the data objects that they feed, and its transfer to another plan.

    FieldPoint ──► Feed ──► BoundObject       a point has a feed for each of its sources, an object one quality for each

With another plan for the same model a point is the same if its name is, a feed if its point and its leaves are, and an
object if its `q` is. A feed that converts otherwise than before begins anew, from the last sample.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bus import quality
from bus.quality import Quality, UtcTime

if TYPE_CHECKING:
    from bus.messages import Sample, Value
    from mapping.plan import Source

NEVER: Final = 1 << 63


@dataclass(slots=True, eq=False)
class BoundObject:
    """One bound data object: its `q` and `t`, and the quality that each of its sources gives."""

    q: int | None
    t: int | None
    qualities: dict[int, Quality] = field(default_factory=dict)  # by the number of the source within the object
    said: Quality = quality.NOT_YET  # the process quality that was committed last; substitution and Mod may add to it

    def worst(self) -> Quality:
        """The worst quality of the object's sources."""
        worst = quality.GOOD
        for one in self.qualities.values():
            worst = quality.worst(worst, one)
        return worst


@dataclass(slots=True, eq=False)
class Feed:
    """One source: its point's way to the leaves of one object."""

    source: "Source"
    object: BoundObject
    number: int
    targets: tuple[int, ...]
    held: tuple[int, ...]
    values: "dict[Value, Value]"
    first: int | None = None  # the leaf whose change moves `t`

    def __post_init__(self) -> None:
        self.first = next(iter(self.held or self.targets), None)

    def converts_as(self, other: "Feed") -> bool:
        """True if both convert a sample to the same value."""
        mine, theirs = self.source, other.source
        return (mine.scale, mine.offset, mine.values) == (theirs.scale, theirs.offset, theirs.values)


@dataclass(slots=True, eq=False)
class FieldPoint:
    """The state of one point: its last sample, and the time at which that expires."""

    name: str
    stale_after_ns: int
    worker: str
    feeds: list[Feed] = field(default_factory=list)
    seen_ns: int = -1  # monotonic time of the exchange that gave the last sample
    expires_ns: int = NEVER
    sample: "Sample | None" = None  # the last, for the feeds that another plan may bring
    time_quality: int = 0  # of its stamp

    @property
    def stamp(self) -> UtcTime:
        """The time stamp of the last sample, 0 without one."""
        return UtcTime(0 if self.sample is None else self.sample.time_ns, self.time_quality)

    @property
    def judged(self) -> Quality:
        """The quality of the last sample; STALE if it has become too old to be good."""
        if self.sample is None:
            return quality.NOT_YET
        judged = Quality(self.sample.quality)
        return quality.STALE if not quality.is_invalid(judged) and self.expires_ns == NEVER else judged


def taken_over(points: Iterable[FieldPoint], before: Iterable[FieldPoint]) -> list[tuple[FieldPoint, Feed]]:
    """Copy the state of equal points in `before` to `points`; returns the feeds that begin anew from a sample."""
    known = {one.name: one for one in before}
    anew: list[tuple[FieldPoint, Feed]] = []
    for point in points:
        old = known.get(point.name)
        if old is None or old.sample is None:
            continue
        point.seen_ns, point.sample, point.time_quality = old.seen_ns, old.sample, old.time_quality
        if old.expires_ns != NEVER:
            point.expires_ns = old.seen_ns + point.stale_after_ns
        feeds = {(one.targets, one.held): one for one in old.feeds}
        for feed in point.feeds:
            same = feeds.get((feed.targets, feed.held))
            if same is not None and feed.converts_as(same):
                feed.object.qualities[feed.number] = same.object.qualities[same.number]
            else:
                anew.append((point, feed))
    return anew
