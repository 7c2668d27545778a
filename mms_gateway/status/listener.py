"""Subscriber that feeds the board from the bus, and asks the workers for snapshots. Shell."""

import time
from pathlib import Path

from bus.codec import Message
from bus.liveness import Event, Liveness, NeedSnapshot
from bus.messages import Heartbeat, SampleBatch, Snapshot
from bus.sockets import Subscriber
from mapping.plan import Plan
from mms_gateway.status.board import Board


class Listener:
    """The bus' end of the board; must be made within a running loop."""

    def __init__(self, plan: Plan, run_dir: Path) -> None:
        self.board = Board(plan)
        revisions = plan.revisions()
        self._liveness = Liveness(revisions, time.monotonic())
        self._bus = Subscriber(run_dir, revisions, on_messages=self._heard, on_refused=self._refused)

    def _heard(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, SampleBatch | Heartbeat | Snapshot):
                self._follow(self._liveness.heard(message, time.monotonic()))

    def _refused(self, _reason: str) -> None:
        self.board.dropped += 1

    def synced(self) -> bool:
        """True once every worker has sent its snapshot."""
        return self._liveness.synced()

    def tick(self) -> None:
        """Let time pass: a silent worker becomes lost."""
        self._follow(self._liveness.tick(time.monotonic()))

    def _follow(self, events: list[Event]) -> None:
        self.board.follow(events)
        for event in events:
            if isinstance(event, NeedSnapshot):
                self._bus.request_snapshot(event.worker)

    def close(self) -> None:
        """Leave the bus."""
        self._bus.close()
