"""Wake-up of a server: after a change, from any thread, and at the engine's deadline (shell)."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

from mms_server.acsi.behaviour import NEVER

LONGEST_WAIT_S: Final = 3600.0


class WakeUp:
    """Calls `pump` in a turn of its own on the loop, once for any number of changes, and `expired` at the deadline."""

    def __init__(self, pump: Callable[[], None], expired: Callable[[], None]) -> None:
        self._pump = pump
        self._expired = expired
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._pump_due = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """True from `start` to `stop`."""
        return self._loop is not None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def stop(self) -> None:
        """Call nothing any more."""
        self._loop = None
        self.at(NEVER)

    def soon(self) -> None:
        """Schedule `pump`, from any thread."""
        loop = self._loop
        if loop is None or self._pump_due:
            return
        self._pump_due = True
        if threading.get_ident() == self._thread:
            loop.call_soon(self._pumped)
        else:
            loop.call_soon_threadsafe(self._pumped)

    def from_thread(self, call: Callable[[int], None], ticket: int) -> None:
        """Call `call(ticket)` on the loop."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
                loop.call_soon_threadsafe(call, ticket)

    def at(self, deadline_ns: int) -> None:
        """Call `expired` at `deadline_ns` of the monotonic clock, and no more at the deadline that was given before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline_ns != NEVER and self._loop is not None:
            wait = max((deadline_ns - time.monotonic_ns()) / 1e9, 0.0)
            self._timer = self._loop.call_later(min(wait, LONGEST_WAIT_S), self._overdue)

    def _pumped(self) -> None:
        self._pump_due = False
        self._pump()

    def _overdue(self) -> None:
        self._timer = None
        self._expired()
