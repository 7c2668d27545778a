"""A simulated line: a queue of requests, the devices that answer them in turn, and a channel in between.

product ── TcpPort or PtyPort ── Line ── Channel.request ── queue ── devices ── Channel.answer ── port ── product
"""

import asyncio
import os
import time
import tty
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from bench.torture.frames import Answer, Take

QUEUE: Final = 64  # requests; more are lost, as in a converter whose memory is full
HELD_OCTETS: Final = 4096


class Port(Protocol):
    """The product's side of a line."""

    address: str

    def send(self, octets: bytes) -> None:
        """Octets for the product."""

    def close(self) -> None:
        """Nothing more."""


class Channel:
    """A sound channel, and the hooks of those that are not. `active` is the fault, `last_at` the time of its last frame."""

    def __init__(self) -> None:
        self.active = False
        self.last_at = 0.0

    def start(self, line: "Line") -> None:
        """The line is open."""

    def request(self, line: "Line", frame: bytes) -> None:
        """A request has come from the product."""
        line.ask(frame)

    def answer(self, line: "Line", asked: bytes, frame: bytes) -> None:
        """The device has answered."""
        line.port.send(frame)

    def turnaround_s(self, usual_s: float) -> float:
        """The time that the device needs for its next answer."""
        return usual_s

    def marked(self) -> None:
        """The fault has touched a frame now."""
        self.last_at = time.time()


class Line:
    """One line. `turnaround_s` is the time from the end of an answer, or from a request, to the next answer's end."""

    def __init__(self, take: Take, answer: Answer, channel: Channel, turnaround_s: float) -> None:
        self.channel, self.turnaround_s = channel, turnaround_s
        self._take, self._answer = take, answer
        self._buffer = bytearray()
        self._queue: deque[tuple[bytes, bool]] = deque(maxlen=QUEUE)
        self._busy = False
        self._timers: set[asyncio.TimerHandle] = set()
        self.port: Port
        self._loop = asyncio.get_running_loop()

    def received(self, octets: bytes) -> None:
        """Octets from the product."""
        self._buffer += octets
        while (frame := self._take(self._buffer)) is not None:
            self.channel.request(self, frame)

    def reset(self) -> None:
        """Forget the part of a request that a connection has left."""
        self._buffer.clear()

    def ask(self, frame: bytes, *, foreign: bool = False) -> None:
        """Queue a request; one of a foreign master is seen on the line when its turn comes."""
        self._queue.append((frame, foreign))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            frame, foreign = self._queue.popleft()
            if foreign:
                self.channel.answer(self, b"", frame)
            self.later(self.channel.turnaround_s(self.turnaround_s), lambda: self._answered(frame, foreign))

    def _answered(self, frame: bytes, foreign: bool) -> None:
        answer = self._answer(frame)
        if answer is not None:
            self.channel.answer(self, b"" if foreign else frame, answer)
        self._next()

    def surplus(self, octets: bytes, after_s: float) -> None:
        """Octets of the fault to the product."""

        def sent() -> None:
            self.channel.marked()
            self.port.send(octets)

        self.later(after_s, sent)

    def later(self, after_s: float, then: Callable[[], None]) -> None:
        """Call `then`, unless the line is closed before."""

        def called() -> None:
            self._timers.discard(handle)
            then()

        handle = self._loop.call_later(after_s, called)
        self._timers.add(handle)

    def close(self) -> None:
        """Close the port; nothing that was to come comes."""
        for handle in self._timers:
            handle.cancel()
        self.port.close()


class PtyPort:
    """The far end of a pseudo-terminal."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.address = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        self._line.received(os.read(self._master, 4096))

    def send(self, octets: bytes) -> None:
        """Octets for the product; lost if it does not read them, as on a wire."""
        try:
            os.write(self._master, octets)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close both ends."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)


class TcpPort:
    """A serial device server. `keeps`: octets for nobody are kept for the next connection's first octets."""

    def __init__(self, line: Line, *, keeps: bool) -> None:
        self.line, self.keeps = line, keeps
        self.address = ""
        self.connections: list[_Connection] = []
        self._kept = bytearray()
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> None:
        """Listen on `port`, 0 for a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname()[:2])

    def send(self, octets: bytes) -> None:
        """Octets for the newest connection."""
        if self.connections:
            self.connections[-1].transport.write(octets)
        elif self.keeps:
            self._kept += octets[: HELD_OCTETS - len(self._kept)]

    def first_octets(self) -> None:
        """A connection speaks for the first time."""
        if self._kept:
            self.line.surplus(bytes(self._kept), 0.003)
            self._kept.clear()

    def end(self, *, reset: bool) -> None:
        """End the newest connection from this side."""
        if self.connections:
            transport = self.connections.pop().transport
            if reset:
                transport.abort()
            else:
                transport.close()

    def close(self) -> None:
        """Stop listening and end the connections."""
        while self.connections:
            self.end(reset=True)
        if self._server is not None:
            self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._silent = True
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._port.connections.append(self)
        self._port.line.reset()

    def data_received(self, data: bytes) -> None:
        if self._silent:
            self._silent = False
            self._port.first_octets()
        self._port.line.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._port.connections:
            self._port.connections.remove(self)
