"""A Modbus TCP gateway with a serial line behind it: the ids of its answers are right, the serial side has none.

It asks one request at a time, throws away what has come before, and takes the next frame of the right function for the
answer. If none comes in time, it answers with exception 11, or not at all, and asks the next one.
"""

import asyncio
from collections import deque
from typing import Final

from bench.torture import frames
from bench.torture.lines import Line
from bench.torture.scenes import Gateway

NO_TARGET_RESPONSE: Final = 11
QUEUE: Final = 64
HEADER: Final = 6  # transaction id, protocol 0, length


class ModbusTcpGateway:
    """The product's side of a line, as a Port."""

    def __init__(self, line: Line, settings: Gateway) -> None:
        self.address = ""
        self.requests: asyncio.Queue[tuple[asyncio.Transport, bytes]] = asyncio.Queue(QUEUE)
        self._line, self._settings = line, settings
        self._inbox: deque[bytes] = deque(maxlen=QUEUE)
        self._came = asyncio.Event()
        self._serving: asyncio.Task[None]
        self._server: asyncio.Server

    async def open(self, port: int) -> None:
        """Listen on `port`, 0 for a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname()[:2])
        self._serving = loop.create_task(self._serve())

    def send(self, octets: bytes) -> None:
        """A frame from the serial line."""
        self._inbox.append(octets)
        self._came.set()

    async def _serve(self) -> None:
        while True:
            transport, request = await self.requests.get()
            answer = await self._answer(request[HEADER:])
            if answer is not None and not transport.is_closing():
                transport.write(request[:4] + len(answer).to_bytes(2, "big") + answer)

    async def _answer(self, body: bytes) -> bytes | None:
        """Unit, function and data of the answer."""
        self._inbox.clear()
        self._line.received(frames.rtu(body))
        try:
            async with asyncio.timeout(self._settings.after_ms / 1000):
                return await self._next(body)
        except TimeoutError:
            self._line.channel.marked()
            return None if self._settings.silent else bytes((body[0], body[1] | 0x80, NO_TARGET_RESPONSE))

    async def _next(self, body: bytes) -> bytes:
        while True:
            while self._inbox:
                frame = self._inbox.popleft()
                fits = frame[0] == body[0] or not self._settings.looks_at_unit
                if fits and frame[1] & 0x7F == body[1]:
                    return body[:1] + frame[1:-2]
            self._came.clear()
            await self._came.wait()

    def close(self) -> None:
        """Stop listening and asking."""
        self._server.close()
        self._serving.cancel()


class _Connection(asyncio.Protocol):
    def __init__(self, gateway: ModbusTcpGateway) -> None:
        self._gateway = gateway
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER and len(self._buffer) >= (size := HEADER + self._buffer[5]):
            request = bytes(self._buffer[:size])
            del self._buffer[:size]
            if not self._gateway.requests.full():
                self._gateway.requests.put_nowait((self._transport, request))
