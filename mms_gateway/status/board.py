"""Status board: the last value or state of each point, device, line and worker (pure; time is an argument)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bus import quality
from bus.liveness import Apply, Event, MessageDropped, WorkerBack, WorkerLost
from bus.messages import ConditionState, DeviceState, Heartbeat, LineState, Sample, SampleBatch, Snapshot
from mapping.plan import Own, Plan


@dataclass(slots=True)
class _Row:
    """One point as last heard."""

    name: str
    unit: str
    worker: str
    stale_after_s: float
    sample: Sample | None = None
    seen: float = 0.0  # monotonic seconds of the exchange
    bad_since_ns: int = 0  # UTC; 0 while it is good


class Board:
    """The state of a site, from the bus."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.workers: dict[str, str] = {worker.name: "not heard yet" for worker in plan.workers}
        self.lines: dict[str, LineState] = {}
        self.devices: dict[str, DeviceState] = {}
        self.counters: dict[str, int] = {}
        self.dropped = 0
        self.version = 0  # changes with whatever is shown
        self._points = {
            point.number: _Row(point.name, point.unit, worker.name, point.stale_after_ms / 1000)
            for worker in plan.workers
            for line in worker.lines
            for device in line.devices
            for point in device.points
            if point.polled and not isinstance(point.source, Own)
        }

    def follow(self, events: list[Event]) -> None:
        """Take the events of the bus."""
        for event in events:
            self.version += 1
            match event:
                case Apply(SampleBatch() as batch):
                    for sample in batch.samples:
                        self._show(sample, batch.monotonic_ns / 1e9)
                case Apply(Snapshot() as snapshot):
                    for sample, age in zip(snapshot.samples, snapshot.ages_ms, strict=False):
                        self._show(sample, snapshot.monotonic_ns / 1e9 - age / 1000)
                case Apply(Heartbeat() as beat):
                    self.lines |= {line.line: line for line in beat.lines}
                    self.devices |= {device.device: device for device in beat.devices}
                    self.counters |= beat.counters
                case WorkerLost(worker):
                    self.workers[worker] = "silent"
                case WorkerBack(worker):
                    self.workers[worker] = "alive"
                case MessageDropped():
                    self.dropped += 1
                case _:
                    pass

    def _show(self, sample: Sample, seen: float) -> None:
        row = self._points.get(sample.point)
        if row is None or seen < row.seen:
            return
        if quality.is_good(sample.quality):
            row.bad_since_ns = 0
        elif row.sample is None or row.sample.quality != sample.quality:
            row.bad_since_ns = sample.time_ns
        row.sample, row.seen = sample, seen

    def points(self, now: float) -> list[dict[str, Any]]:
        """Every polled point: value, unit, quality in words, age in seconds; if it is not good, why and since when (UTC)."""
        return [self._point(row, now) for row in self._points.values()]

    def _point(self, row: _Row, now: float) -> dict[str, Any]:
        if row.sample is None:
            return {
                "point": row.name, "value": None, "unit": row.unit, "quality": "invalid", "good": False, "age": None,
                "reason": "not heard yet", "since": None,
            }  # fmt: skip
        age = max(now - row.seen, 0.0)
        judged, reason, since_ns = row.sample.quality, row.sample.reason, row.bad_since_ns
        if not quality.is_invalid(judged) and (age > row.stale_after_s or self.workers.get(row.worker) == "silent"):
            judged, reason = quality.STALE, f"not refreshed for {age:.0f} s"
            since_ns = row.bad_since_ns or row.sample.time_ns + round(min(age, row.stale_after_s) * 1e9)
        return {
            "point": row.name,
            "value": row.sample.value,
            "unit": row.unit,
            "quality": quality.describe(judged),
            "good": quality.is_good(judged),
            "age": round(age, 1),
            "reason": reason,
            "since": _told(since_ns),
        }

    def shown(self, now: float) -> dict[str, Any]:
        """The whole board, for /api/status and the page."""
        return {
            "site": self.plan.site,
            "revision": self.plan.revision,
            "workers": self.workers,
            "lines": [
                {
                    "line": one.line,
                    "connected": one.connected,
                    "load": round(one.load, 3),
                    "lateness": one.lateness,
                    "reason": one.reason,
                    "conditions": [_condition(found) for found in one.conditions],
                }
                for one in self.lines.values()
            ],
            "devices": [
                {
                    "device": one.device,
                    "online": one.online,
                    "reason": one.reason,
                    "polls": one.polls,
                    "failures": one.failures,
                }
                for one in self.devices.values()
            ],
            "points": self.points(now),
        }


def condition_text(found: ConditionState) -> str:
    """A condition of a line, for people."""
    return f"{found.name} since {_told(found.since_ns)}, {found.count} times: {found.evidence}"


def _condition(found: ConditionState) -> dict[str, Any]:
    return {
        "name": found.name, "since": _told(found.since_ns), "count": found.count, "evidence": found.evidence,
    }  # fmt: skip


def _told(utc_ns: int) -> str | None:
    """A time of day for people and machines, to the second; None for none."""
    if not utc_ns:
        return None
    return datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
