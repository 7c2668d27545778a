"""Pass 5, replies: questions of a line of text whose replies can be taken for each other's, and `resync` that proves nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

from mapping.common_text import common_text
from mapping.passes.draft import Draft, DraftDevice
from mapping.plan import PointPlan, Reply, Resync


def check_replies(draft: Draft) -> None:
    """Note lines of text with replies that are alike, and refuse a `resync` whose reply another one may be."""
    replies = _Replies(draft)
    for device in draft.devices.values():
        if device.resync is not None:
            replies.resync(device, device.resync)
    for line in draft.lines:
        replies.line(line)


@dataclass(slots=True)
class _Replies:
    """The replies of a site. Texts that two expressions both match are found once."""

    draft: Draft
    found: dict[frozenset[str], str | None] = field(default_factory=dict)

    def resync(self, device: DraftDevice, resync: Resync) -> None:
        """Say why the `resync` of `device` cannot serve."""
        file = device.resync_file
        assert file is not None  # noqa: S101 - it has a resync
        own = [point.plan for point in device.points.values() if isinstance(point.plan.source, Reply)]
        if not own:
            message = "`resync` is of instruments that answer in text, but no point of the profile has a `request`"
            if not device.half_known:
                place = replace(file.key_at("resync"), template=True)  # of a profile, and said once
                self.draft.found.error("bad-value", place, message, hint="registers are told apart by their size")
            return
        others = (point for point in self._asked(device.line) if point not in own)
        for point in (*own, *others):
            text = self._common(resync.pattern, _reply(point).pattern)
            if text is not None:
                message = f"the reply of `resync` may be that of `{point.local_name}`: both match `{text}`"
                place = replace(file.at("resync", "reply"), template=True)
                hint = "a question whose reply no other one matches, as that for the version or the serial number"
                self.draft.found.error("bad-value", place, message, hint=hint)
                return

    def line(self, name: str) -> None:
        """Note the pairs of replies of line `name` that are alike, where no `resync` tells them apart."""
        if any(one.line == name and one.resync is not None for one in self.draft.devices.values()):
            return
        pairs = list(self._alike(name))
        if not pairs or self.draft.site_file is None:
            return
        message = f"{len(pairs)} pairs of replies" if len(pairs) > 1 else "the replies of two questions"
        self.draft.found.add_note(
            "replies-alike",
            self.draft.site_file.key_at("lines", name),
            f"{message} on line `{name}` can be taken for each other's: silence alone tells them apart",
            notes=[f"`{text}` may be that of `{one.name}` and of `{other.name}`" for one, other, text in pairs[:3]],
            hint="`resync:` of a profile is a question whose reply no other one matches",
        )

    def _alike(self, line: str) -> Iterator[tuple[PointPlan, PointPlan, str]]:
        for one, other in combinations(self._asked(line), 2):
            if _reply(one).request == _reply(other).request:
                continue
            text = self._common(_reply(one).pattern, _reply(other).pattern)
            if text is not None:
                yield one, other, text

    def _asked(self, line: str) -> list[PointPlan]:
        """The points of `line` that are polled in text."""
        return [
            point.plan
            for device in self.draft.devices.values()
            if device.line == line
            for point in device.points.values()
            if isinstance(point.plan.source, Reply) and point.plan.number in self.draft.used
        ]

    def _common(self, one: str, other: str) -> str | None:
        key = frozenset((one, other))
        if key not in self.found:
            self.found[key] = common_text(one, other)
        return self.found[key]


def _reply(point: PointPlan) -> Reply:
    assert isinstance(point.source, Reply)  # noqa: S101 - asked by the callers
    return point.source
