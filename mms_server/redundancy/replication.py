"""State machine of replicating one store to the standby, the sender's side (pure; time is an argument).

    ALONE ──Begin──► ASKED ──Ack 0──► COPYING ──the last piece is kept──► IN_STEP
      ▲                │                  │                                 │
      └── no answer for a second, or it cannot be sent: asked again a second later ──┘

While it copies, pieces of the store, in the order of their keys, travel among the operations that happen meanwhile. All are
carried out in one order, and each replaces the row of its key: the end is a copy. One piece is under way at a time. In
step, an operation that is on our own disk counts as stored once the standby has it too.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bus.state_schema import SCHEMA
from mms_server.acsi import persistence
from mms_server.acsi.persistence import Operation, Place, weight
from mms_server.redundancy.messages import Ack, Begin, Drop, File, Put, Rows

PATIENCE_S: Final = 1.0
PIECE_S: Final = 10.0  # our own store may be busy so long before a piece counts as lost
FRAME_OCTETS: Final = 1024 * 1024


class CopyState(Enum):
    """How complete the standby's copy is, as far as the sender knows."""

    ALONE = "there is none"
    ASKED = "asked whether it follows"
    COPYING = "takes a copy"
    IN_STEP = "has all that we have"


@dataclass(frozen=True, slots=True)
class Send:
    """Action: give this message to the standby."""

    message: Begin | Rows


@dataclass(frozen=True, slots=True)
class Copy:
    """Action: ask the store for the piece behind `place`; None for the first one."""

    place: Place | None


@dataclass(frozen=True, slots=True)
class Release:
    """Action: count everything up to `ticket` as stored."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Event: the standby follows, or does so no more."""

    follows: bool


Action = Send | Copy | Release | Changed


@dataclass(slots=True)
class _Sent:
    """A message that waits for its Ack."""

    number: int
    at: float
    ticket: int = 0
    piece: bool = False
    place: Place | None = None  # of a piece: where the next one begins; None if it was the last


class Replication:
    """The stream of one store. Its methods return actions, to be done in order."""

    def __init__(self, ied: str, now: float) -> None:
        self.state = CopyState.ALONE
        self._ied = ied
        self._stream = 0
        self._number = 0
        self._waiting: deque[_Sent] = deque()
        self._acted_at = now - PATIENCE_S
        self._piece_due: float | None = None  # our own store was asked for a piece; until when it is awaited

    def committed(self, operations: Sequence[Operation], ticket: int, now: float) -> list[Action]:
        """The actions after a transaction of our own store."""
        if self.state in (CopyState.ALONE, CopyState.ASKED):
            return [Release(ticket)]
        sent = [self._rows(part, now) for part in _parts(operations)]
        if self.state is CopyState.COPYING or not sent:
            return [*sent, Release(ticket)]
        self._waiting[-1].ticket = ticket
        return [*sent]

    def copied(self, stream: int, operations: Sequence[Operation], place: Place | None, now: float) -> list[Action]:
        """The actions after a piece of our own store was read for `stream`; `place` is None for the last one."""
        if stream != self._stream or self.state is not CopyState.COPYING:
            return []
        self._piece_due = None
        send = self._rows(operations, now, last=place is None)
        self._waiting[-1].piece, self._waiting[-1].place = True, place
        return [send]

    def _rows(self, operations: Sequence[Operation], now: float, *, last: bool = False) -> Send:
        self._number += 1
        self._acted_at = now
        self._waiting.append(_Sent(self._number, now))
        return Send(Rows(self._ied, self._stream, self._number, tuple(map(_message, operations)), last))

    def _copy(self, place: Place | None, now: float) -> Copy:
        self._piece_due = now + PIECE_S
        return Copy(place)

    def heard(self, ack: Ack, now: float) -> list[Action]:
        """The actions after an acknowledgement of the standby."""
        if ack.stream != self._stream or self.state is CopyState.ALONE:
            return []
        if self.state is CopyState.ASKED:
            self.state = CopyState.COPYING
            self._waiting.clear()
            return [self._copy(None, now)]
        actions: list[Action] = []
        while self._waiting and self._waiting[0].number <= ack.number:
            sent = self._waiting.popleft()
            if sent.ticket:
                actions.append(Release(sent.ticket))
            if sent.piece and sent.place is not None:
                actions.append(self._copy(sent.place, now))
            elif sent.piece:
                self.state = CopyState.IN_STEP
                actions.append(Changed(follows=True))
        return actions

    @property
    def stream(self) -> int:
        """The stream that is under way, or was last."""
        return self._stream

    def tick(self, now: float, utc_ns: int) -> list[Action]:
        """The actions that time makes due: a standby that does not answer follows no more, and is asked again."""
        if self._waiting and now - self._waiting[0].at >= PATIENCE_S:
            return self.lost(now)
        if self._piece_due is not None and now >= self._piece_due:
            return self.lost(now)
        if now - self._acted_at < PATIENCE_S:
            return []
        if self.state is CopyState.IN_STEP:
            return [self._rows((), now)]
        if self.state is CopyState.ALONE:
            self.state, self._stream, self._number = CopyState.ASKED, max(utc_ns, self._stream + 1), 0
            self._waiting.append(_Sent(0, now))
            return [Send(Begin(self._ied, self._stream, SCHEMA))]
        return []

    def lost(self, now: float) -> list[Action]:
        """The actions after the loss of the standby: operations that waited for it count as stored."""
        ticket = max((sent.ticket for sent in self._waiting), default=0)
        followed = self.state is CopyState.IN_STEP
        self._waiting.clear()
        self.state, self._acted_at, self._piece_due = CopyState.ALONE, now, None
        actions: list[Action] = [Changed(follows=False)] if followed else []
        return [*actions, Release(ticket)] if ticket else actions


def _parts(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """`operations` in parts that fit a frame."""
    part: list[Operation] = []
    octets = 0
    for operation in operations:
        part.append(operation)
        octets += weight(operation)
        if octets >= FRAME_OCTETS:
            yield part
            part, octets = [], 0
    if part:
        yield part


def _message(operation: Operation) -> Put | File | Drop:
    match operation:
        case persistence.Put(kind, key, value):
            return Put(kind, key, value)
        case persistence.File(block, entry_id, time_ns, content):
            return File(block, entry_id, time_ns, content)
        case persistence.Drop(block, entry_id):
            return Drop(block, entry_id)


def operation_of(message: Put | File | Drop) -> Operation:
    """The operation that `message` carries."""
    match message:
        case Put(kind, key, value):
            return persistence.Put(kind, key, value)
        case File(block, entry_id, time_ns, content):
            return persistence.File(block, entry_id, time_ns, content)
        case Drop(block, entry_id):
            return persistence.Drop(block, entry_id)
