"""Receive buffer of a port: filled by the callbacks of asyncio, emptied by the task that waits. Part of the shell.

One future and one timer for each wait, and none where something is there already: a worker waits thousands of times
a second.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from acquisition.transport.errors import NoConnectionError

APART_S: Final = 0.02  # octets of two frames, and not of one
UNREAD_LIMIT: Final = 65_536  # octets


@dataclass(slots=True)
class _Part:
    """Octets that came together; `came_at`: the last of them."""

    octets: bytearray = field(default_factory=bytearray)
    came_at: float = 0.0


class ReceiveBuffer:
    """Received octets in order, and then the reason why nothing more comes.

    Octets that came apart are taken apart, each with their own time: `came_at`, of those that were taken last. What nobody
    takes is bounded: the oldest is dropped.
    """

    def __init__(self) -> None:
        self.came_at = 0.0
        self._parts: deque[_Part] = deque()
        self._size = 0
        self._fault: str | None = None
        self._waiting: asyncio.Future[None] | None = None

    def put(self, octets: bytes) -> None:
        """Add received octets."""
        now = asyncio.get_running_loop().time()
        if not self._parts or now - self._parts[-1].came_at >= APART_S:
            self._parts.append(_Part())
        self._parts[-1].octets += octets
        self._parts[-1].came_at = now
        self._size += len(octets)
        while self._size > UNREAD_LIMIT and len(self._parts) > 1:
            self._size -= len(self._parts.popleft().octets)
        if self._size > UNREAD_LIMIT:
            del self._parts[0].octets[: self._size - UNREAD_LIMIT]
            self._size = UNREAD_LIMIT
        self._wake()

    def fail(self, reason: str) -> None:
        """Nothing more will come; the first reason is kept."""
        self._fault = self._fault or reason
        self._wake()

    @property
    def fault(self) -> str | None:
        """Reason why nothing more comes; None while something may."""
        return self._fault

    async def take(self, timeout_s: float) -> bytes:
        """The oldest octets that came together; waits for some, at most so long, then empty.

        Raises NoConnectionError once nothing more can come.
        """
        if not self._parts and self._fault is None and timeout_s > 0:
            loop = asyncio.get_running_loop()
            waiting = self._waiting = loop.create_future()
            timer = loop.call_later(timeout_s, _end, waiting)
            try:
                await waiting
            finally:
                timer.cancel()
                self._waiting = None
        if not self._parts:
            if self._fault is not None:
                raise NoConnectionError(self._fault)
            return b""
        part = self._parts.popleft()
        self._size -= len(part.octets)
        self.came_at = part.came_at
        return bytes(part.octets)

    def _wake(self) -> None:
        if self._waiting is not None:
            _end(self._waiting)


def _end(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


class Receiver(asyncio.Protocol):
    """A connection whose octets go to a receive buffer. `reason_of` words its end."""

    def __init__(self, buffer: ReceiveBuffer, reason_of: Callable[[Exception | None], str]) -> None:
        self._buffer = buffer
        self._reason_of = reason_of

    def data_received(self, data: bytes) -> None:
        self._buffer.put(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._buffer.fail(self._reason_of(exc))
