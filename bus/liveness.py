"""Liveness of the workers, and gaps in their messages (pure; time is a parameter).

    UNHEARD ──message──► SYNCING ──snapshot──► ALIVE ──silence──► LOST
                            ▲                     │ gap in the sequence   │ message
                            └─────────────────────┴───────────────────────┘

Batches and heartbeats of a worker share one counter. After a gap, from a younger instance or after silence a
snapshot is needed; batches go on being passed meanwhile, and a snapshot counts only where it is younger than they are. Messages
of an older instance than the known one are dropped: it is an OS process that was stopped, replaced, and woke up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bus.messages import Heartbeat, SampleBatch, Snapshot
from bus.topics import TOPICS

SNAPSHOT_RETRY_S: Final = 1.0
SILENCE_S: Final = TOPICS["heartbeat"].stale_after_s or 2.0


class WorkerPhase(Enum):
    """Phase of a worker, as one subscriber knows it."""

    UNHEARD = "not heard yet"
    SYNCING = "waits for a snapshot"
    ALIVE = "alive"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Apply:
    """This message is to be applied."""

    message: SampleBatch | Heartbeat | Snapshot


@dataclass(frozen=True, slots=True)
class NeedSnapshot:
    """A snapshot of this worker is to be requested."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """Nothing has come from this worker for too long."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerBack:
    """A worker is there for the first time, or again; `restarted` if it is another OS process than before."""

    worker: str
    restarted: bool


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """A message that is not applied, and the reason."""

    worker: str
    reason: str


Event = Apply | NeedSnapshot | WorkerLost | WorkerBack | MessageDropped


@dataclass(slots=True)
class _Worker:
    phase: WorkerPhase = WorkerPhase.UNHEARD
    started_ns: int = 0
    sequence: int = 0
    gap: int = 0  # sequence of the youngest message that is known to be missing
    heard_at: float = 0.0
    asked_at: float = float("-inf")


class Liveness:
    """The state of every worker of a plan, for one subscriber."""

    def __init__(self, workers: Iterable[str], now: float) -> None:
        self._workers = {name: _Worker(heard_at=now) for name in workers}

    def follow(self, workers: Iterable[str], now: float) -> None:
        """These are the workers from now on; those that stay keep their state."""
        self._workers = {name: self._workers.get(name) or _Worker(heard_at=now) for name in workers}

    def phase(self, worker: str) -> WorkerPhase:
        """Phase of `worker`. Raises KeyError for one that the plan lacks."""
        return self._workers[worker].phase

    def synced(self) -> bool:
        """True once every worker has sent its snapshot."""
        return all(one.phase is WorkerPhase.ALIVE for one in self._workers.values())

    def heard(self, message: SampleBatch | Heartbeat | Snapshot, now: float) -> list[Event]:
        """Events that follow from `message`."""
        one = self._workers.get(message.worker)
        if one is None:
            return [MessageDropped(message.worker, "a worker that the plan lacks")]
        if message.started_ns < one.started_ns:
            return [MessageDropped(message.worker, "an older instance of the worker")]
        events: list[Event] = []
        restarted = message.started_ns > one.started_ns
        if restarted or one.phase in (WorkerPhase.UNHEARD, WorkerPhase.LOST):
            events.append(WorkerBack(message.worker, restarted and one.started_ns != 0))
            one.phase, one.started_ns, one.asked_at = WorkerPhase.SYNCING, message.started_ns, float("-inf")
            one.gap = message.sequence - 1
            if restarted:
                one.sequence = message.sequence - 1  # it counts anew
        one.heard_at = now
        if isinstance(message, Snapshot):
            return [*events, *self._snapshot(one, message, now)]
        if message.sequence <= one.sequence and one.phase is WorkerPhase.ALIVE:
            return [*events, MessageDropped(message.worker, f"sequence {message.sequence} again")]
        if message.sequence > one.sequence + 1:
            one.phase, one.gap = WorkerPhase.SYNCING, message.sequence - 1
        one.sequence = max(one.sequence, message.sequence)
        return [*events, Apply(message), *self._ask(message.worker, one, now)]

    def _snapshot(self, one: _Worker, snapshot: Snapshot, now: float) -> list[Event]:
        one.sequence = max(one.sequence, snapshot.sequence)
        if snapshot.sequence < one.gap:  # something was lost after it was made
            one.asked_at = float("-inf")
            return [Apply(snapshot), *self._ask(snapshot.worker, one, now)]
        one.phase, one.asked_at = WorkerPhase.ALIVE, float("-inf")
        return [Apply(snapshot)]

    def _ask(self, name: str, one: _Worker, now: float) -> list[Event]:
        if one.phase is not WorkerPhase.SYNCING or now - one.asked_at < SNAPSHOT_RETRY_S:
            return []
        one.asked_at = now
        return [NeedSnapshot(name)]

    def tick(self, now: float) -> list[Event]:
        """Events that follow from silence."""
        events: list[Event] = []
        for name, one in self._workers.items():
            if one.phase is not WorkerPhase.LOST and now - one.heard_at >= SILENCE_S:
                one.phase = WorkerPhase.LOST
                events.append(WorkerLost(name))
            events += self._ask(name, one, now)
        return events

    def next_deadline(self) -> float:
        """Time at which `tick` is due: the next silence, or the next request for a snapshot."""
        waiting = [
            one.asked_at + SNAPSHOT_RETRY_S for one in self._workers.values() if one.phase is WorkerPhase.SYNCING
        ]
        silent = [one.heard_at + SILENCE_S for one in self._workers.values() if one.phase is not WorkerPhase.LOST]
        return min([*waiting, *silent], default=float("inf"))
