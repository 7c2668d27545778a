"""Connections of a master, and the way of answers to them: delayed, held, packed, given to another one (pure).

pass_on ──► [delay] ──► [hold until the next request] ──► deliver ──► [packets] ──► Arrival
connection ended: lost, or for the next one
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final, NamedTuple

from acquisition.drivers.device_side import Answering
from acquisition.simulate.faults.line_faults import ActiveFaults

KEPT_LIMIT: Final = 16  # answers that wait for a request, or for a connection
PACKED_LIMIT: Final = 4096  # octets that wait for their packet

Act = Callable[[float], None]
"""Gets the time for which it was planned."""


class End(Enum):
    """The end of a connection that the line has made."""

    CLOSED = "closed"
    RESET = "reset"


class Arrival(NamedTuple):
    """Octets that reach the master at a time in one of its connections, or the end of that."""

    at: float
    connection: int
    octets: bytes | End


class EventQueue:
    """Acts by their times; those of one time in the order in which they were planned."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Act]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._events)

    def later(self, at: float, act: Act) -> None:
        """Plan `act` for the time `at`."""
        self._number += 1
        heapq.heappush(self._events, (at, self._number, act))

    def next_time(self) -> float | None:
        """Time of the first one; None if there is none."""
        return self._events[0][0] if self._events else None

    def run(self, now: float) -> None:
        """Do all that is planned until `now`."""
        events = self._events
        while events and events[0][0] <= now:
            at, _, act = heapq.heappop(events)
            act(at)

    def clear(self) -> None:
        """Do nothing of what is planned."""
        self._events.clear()


@dataclass(slots=True)
class Connection:
    """One connection of a master. `mute_at`: it acknowledges from then on, and no more."""

    number: int
    answering: Answering
    buffer: bytearray = field(default_factory=bytearray)  # octets of a request that is not whole yet
    mute_at: float = float("inf")
    packed: bytearray = field(default_factory=bytearray)  # octets that wait for their packet


class ReturnPath:
    """The way back of one line. `keeps_answers`: it may give an answer to another connection than the one that asked."""

    def __init__(self, events: EventQueue, *, keeps_answers: bool) -> None:
        self._events = events
        self._may_keep = keeps_answers
        self._arrivals: list[Arrival] = []
        self._held: deque[tuple[int, bytes]] = deque(maxlen=KEPT_LIMIT)
        self._unclaimed: deque[bytes] = deque(maxlen=KEPT_LIMIT)  # answers whose connection has ended
        self.faults = ActiveFaults()
        self.connections: dict[int, Connection] = {}

    def next_time(self) -> float | None:
        """Time of the first arrival that was not taken; None if there is none."""
        return self._arrivals[0].at if self._arrivals else None

    def arrived(self) -> list[Arrival]:
        """All that has reached the master since the last call, in order."""
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def unclaimed(self) -> list[bytes]:
        """Answers that a new connection gets."""
        found = list(self._unclaimed)
        self._unclaimed.clear()
        return found

    def end_connection(self, number: int, end: End, now: float) -> None:
        """End a connection, unless the master has."""
        if self.connections.pop(number, None) is not None:
            self._arrivals.append(Arrival(now, number, end))

    def faults_changed(self, now: float) -> None:
        """Pass on what only a fault that is over has kept."""
        if self.faults.hold_until_next is None:
            self.release(now)
        if not self._keeps_answers():
            self._unclaimed.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._held.clear()
        self._unclaimed.clear()
        for one in self.connections.values():
            one.packed.clear()

    def pass_on(self, connection: int, octets: bytes, now: float) -> None:
        """Send an answer on its way."""
        if self.faults.delay is not None:
            self._events.later(now + self.faults.delay.ms / 1000, partial(self._arrive, connection, octets))
        else:
            self._arrive(connection, octets, now)

    def _arrive(self, connection: int, octets: bytes, now: float) -> None:
        if self.faults.hold_until_next is not None:
            self._held.append((connection, octets))
        else:
            self.deliver(connection, octets, now)

    def release(self, now: float) -> None:
        """Let go what is held: a request has come."""
        while self._held:
            connection, octets = self._held.popleft()
            self._events.later(now, partial(self.deliver, connection, octets))

    def deliver(self, connection: int, octets: bytes, now: float) -> None:
        """Give an answer to its connection; if that has ended it is lost, or another one's."""
        one = self.connections.get(connection)
        if one is None and self._keeps_answers():
            one = self._next_connection(octets)
        if one is not None:
            self._hand_over(one, octets, now)

    def deliver_all(self, octets: bytes, now: float) -> None:
        """Give octets to every connection."""
        for one in self.connections.values():
            self._hand_over(one, octets, now)

    def _keeps_answers(self) -> bool:
        """True if it is a serial server that passes on what the line says, to whichever connection."""
        faults = self.faults
        return self._may_keep and (faults.reset_after_request is not None or faults.queue is not None)

    def _next_connection(self, octets: bytes) -> Connection | None:
        """The connection that a serial server gives an answer to when its own has ended: the newest, or the next one."""
        if self.connections:
            return self.connections[max(self.connections)]
        self._unclaimed.append(octets)
        return None

    def _hand_over(self, one: Connection, octets: bytes, now: float) -> None:
        """Give `octets` to the master, in packets if the line packs."""
        if not octets or now >= one.mute_at:
            return
        packing = self.faults.packing
        if packing is None and not one.packed:
            self._arrivals.append(Arrival(now, one.number, octets))
        elif len(one.packed) < PACKED_LIMIT:
            if packing is not None and not one.packed:
                self._events.later(now + packing.ms / 1000, partial(self._pack, one))
            one.packed += octets

    def _pack(self, one: Connection, now: float) -> None:
        """Pass one packet on; what is left when the fault has ended makes one."""
        packing = self.faults.packing
        size = len(one.packed) if packing is None else packing.octets
        packet = bytes(one.packed[:size])
        del one.packed[:size]
        if one.number in self.connections and now < one.mute_at:
            self._arrivals.append(Arrival(now, one.number, packet))
        if packing is not None and one.packed:
            self._events.later(now + packing.ms / 1000, partial(self._pack, one))
