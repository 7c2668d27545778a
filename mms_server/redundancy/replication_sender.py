"""Replication of one store: the store's thread, the loop and the socket to the standby, around the state machine. Shell."""

import asyncio
import contextlib
import logging
import time
from typing import Final

from bus.endpoint import Endpoint
from mms_server.acsi.persistence import Operation, Place
from mms_server.redundancy.messages import Ack, PairMessage
from mms_server.redundancy.replication import Action, Changed, Copy, Release, Replication, Send
from mms_server.redundancy.sockets import PairLink
from mms_server.storage.store import Store, StoredUpTo

TICK_S: Final = 0.25

log = logging.getLogger("mms.standby")


class ReplicationSender:
    """Sends what a store writes to the standby at `peer`; must be made within a running loop."""

    def __init__(self, ied: str, peer: Endpoint, store: Store) -> None:
        """Raises OSError for a peer without an address."""
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._replication = Replication(ied, self._loop.time())
        self._stored: StoredUpTo | None = None
        self._link = PairLink(peer, self._heard)
        self._timer = self._loop.call_later(0, self._tick)

    # ------------------------------------------------------------------ on the store's thread

    def committed(self, operations: list[Operation], ticket: int, stored: StoredUpTo) -> None:
        """A transaction is done."""
        self._stored = stored
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
            self._loop.call_soon_threadsafe(self._committed, operations, ticket)

    def copied(self, stream: int, operations: list[Operation], place: Place | None) -> None:
        """A piece of what the store holds."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._copied, stream, operations, place)

    # ------------------------------------------------------------------ on the loop

    def _committed(self, operations: list[Operation], ticket: int) -> None:
        self._do(self._replication.committed(operations, ticket, self._loop.time()))

    def _copied(self, stream: int, operations: list[Operation], place: Place | None) -> None:
        self._do(self._replication.copied(stream, operations, place, self._loop.time()))

    def _heard(self, message: PairMessage) -> None:
        if isinstance(message, Ack):
            self._do(self._replication.heard(message, self._loop.time()))

    def _tick(self) -> None:
        self._do(self._replication.tick(self._loop.time(), time.time_ns()))
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(message):
                    if not self._link.send(message):
                        self._do(self._replication.lost(self._loop.time()))
                        return
                case Copy(place):
                    self._store.copy(self._replication.stream, place)
                case Release(ticket):
                    assert self._stored is not None  # noqa: S101 - a transaction gave the ticket
                    self._stored(ticket)
                case Changed(follows=True):
                    log.info("the standby has all that is stored")
                case Changed():
                    log.warning("the standby does not follow: it lacks what is stored from now on")

    def close(self) -> None:
        """Stop replicating."""
        self._timer.cancel()
        self._link.close()
