"""Turns of one connection (shell): it handles a limited number of its association's events per turn of the loop."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from mms_server.association.events import Event, Request
from mms_server.association.server_end import Association
from mms_server.network.connection.outlet import Outlet

TURN_REQUESTS: Final = 32  # requests of one client before the others get their turn


class Turns:
    """The events that wait. None is handled while the outlet is paused or the embedding program is asked (`consulting`).

    It keeps no reference to its connection, and no more does the timer: a connection that has ended is freed at once.
    """

    __slots__ = ("_association", "_due", "_events", "_loop", "_outlet", "consulting")

    def __init__(self, association: Association, outlet: Outlet) -> None:
        self.consulting = False
        self._association = association
        self._outlet = outlet
        self._loop = asyncio.get_running_loop()
        self._events: list[Event] = []
        self._due = False

    @property
    def idle(self) -> bool:
        """True if a new request may be answered at once, since none waits before it."""
        return not self._events and not self._outlet.paused and not self.consulting and self._association.idle

    def events(self, turn: Callable[[], None]) -> Iterator[Event]:
        """The events of one turn; the rest is left for another `turn`."""
        self._due = False
        left = TURN_REQUESTS
        while not self._outlet.paused and not self.consulting:
            if not self._events:
                self._events = self._association.events()
                if not self._events:
                    return
            if left == 0:
                self.again(turn)
                return
            event = self._events.pop(0)
            left -= isinstance(event, Request)
            yield event

    def again(self, turn: Callable[[], None]) -> None:
        """Schedule another `turn`, after those of the other connections."""
        if not self._due:
            self._due = True
            self._loop.call_soon(turn)
