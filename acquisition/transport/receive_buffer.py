"""Receive buffer of a port: filled by the callbacks of asyncio, emptied by the task that waits. Part of the shell.

One future and one timer for each wait, and none where something is there already: a worker waits thousands of times
a second.
"""

import asyncio
from collections.abc import Callable

from acquisition.transport.errors import NoConnectionError


class ReceiveBuffer:
    """Received octets in order, and then the reason why nothing more comes. `came_at`: when the last ones came."""

    def __init__(self) -> None:
        self.came_at = 0.0
        self._octets = bytearray()
        self._fault: str | None = None
        self._waiting: asyncio.Future[None] | None = None

    def put(self, octets: bytes) -> None:
        """Add received octets."""
        self._octets += octets
        self.came_at = asyncio.get_running_loop().time()
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
        """All that is there; waits for it, at most so long, then empty. Raises NoConnectionError once nothing more can come."""
        if not self._octets and self._fault is None and timeout_s > 0:
            loop = asyncio.get_running_loop()
            waiting = self._waiting = loop.create_future()
            timer = loop.call_later(timeout_s, _end, waiting)
            try:
                await waiting
            finally:
                timer.cancel()
                self._waiting = None
        if not self._octets and self._fault is not None:
            raise NoConnectionError(self._fault)
        octets = bytes(self._octets)
        self._octets.clear()
        return octets

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
