"""Ports on the network beside plain TCP: TLS, streams whose unread octets must be thrown away, and UDP. Part of the shell.

Unread octets are bounded: a connection is not read any further, and of datagrams the latest stay.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from acquisition.transport.errors import NoConnectionError
from acquisition.transport.ports import CONNECT_TIMEOUT_S, refuse_ended
from bus.endpoint import Endpoint

UNREAD_LIMIT: Final = 65_536
UNSENT_LIMIT: Final = 65_536
DATAGRAMS_LIMIT: Final = 64
_CLOSE_S: Final = 0.5

Settings = Mapping[str, Any]


def client_context(settings: Settings) -> ssl.SSLContext:
    """Our end of TLS: 1.2 or 1.3, our certificate shown, the device's required. Raises OSError (ssl.SSLError is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.get("server_name") is not None
    context.load_cert_chain(settings["cert"], settings["key"])
    context.load_verify_locations(settings["ca"])
    return context


class _Received:
    """Received octets or datagrams, and the reason of their end; `wait` is woken by either."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.fault: str | None = None

    async def wait(self, timeout_s: float) -> None:
        self.came.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.came.wait()

    def fail(self, reason: str) -> None:
        self.fault = self.fault or reason
        self.came.set()


class _Stream(_Received, asyncio.Protocol):
    """The receiving side of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.received = bytearray()
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) > UNREAD_LIMIT and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self.came.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail("connection closed by the device" if exc is None else _reason(exc, "connection"))
        self.closed.set()

    def taken(self) -> bytes:
        """All received octets."""
        octets = bytes(self.received)
        self.received.clear()
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._paused = False
        return octets


class ConnectionPort:
    """A TCP connection, inside TLS where `context` makes one of the settings."""

    came_at = 0.0  # ids name what comes

    def __init__(self, settings: Settings, context: Callable[[Settings], ssl.SSLContext] | None = None) -> None:
        self._settings = settings
        self._host, self._port = str(settings["host"]), int(settings["port"])
        self._context = context
        self._stream: _Stream | None = None
        self._transport: asyncio.Transport | None = None

    async def open(self) -> None:
        where = Endpoint(self._host, self._port)
        try:
            context = None if self._context is None else self._context(self._settings)
            name = None if context is None else self._settings.get("server_name") or self._host
            opening = asyncio.get_running_loop().create_connection(
                _Stream, self._host, self._port, ssl=context, server_hostname=name
            )
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                transport, self._stream = await opening
        except TimeoutError as error:
            raise NoConnectionError(f"no connection to {where} within {CONNECT_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise NoConnectionError(_reason(error, str(where))) from error
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def write(self, octets: bytes) -> None:
        stream, transport = self._opened()
        if transport.get_write_buffer_size() > UNSENT_LIMIT:
            raise NoConnectionError("the device takes nothing any more")
        refuse_ended(transport, stream.fault)
        transport.write(octets)

    async def read(self, timeout_s: float) -> bytes:
        stream, _ = self._opened()
        if timeout_s > 0 and not stream.received and stream.fault is None:
            await stream.wait(timeout_s)
        if not stream.received and stream.fault is not None:
            raise NoConnectionError(stream.fault)
        return stream.taken()

    def _opened(self) -> tuple[_Stream, asyncio.Transport]:
        if self._stream is None or self._transport is None:
            raise NoConnectionError("not connected")
        return self._stream, self._transport

    async def set_baudrate(self, baudrate: int) -> None:
        """A connection has no speed."""

    async def close(self) -> None:
        stream, transport = self._stream, self._transport
        self._stream = self._transport = None
        if stream is None or transport is None:
            return
        transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await stream.closed.wait()
        transport.abort()


class _Datagrams(_Received, asyncio.DatagramProtocol):
    """The receiving side of a UDP socket."""

    def __init__(self) -> None:
        super().__init__()
        self.received: deque[bytes] = deque(maxlen=DATAGRAMS_LIMIT)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append(data)
        self.came.set()

    def error_received(self, exc: Exception) -> None:
        self.fail(_reason(exc, "device"))


class UdpPort:
    """A UDP socket connected to one device; each `read` gives one datagram."""

    came_at = 0.0  # ids name what comes

    def __init__(self, settings: Settings) -> None:
        self._host, self._port = str(settings["host"]), int(settings["port"])
        self._datagrams: _Datagrams | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        try:
            self._transport, self._datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
                _Datagrams, remote_addr=(self._host, self._port)
            )
        except OSError as error:
            raise NoConnectionError(_reason(error, str(Endpoint(self._host, self._port)))) from error

    async def write(self, octets: bytes) -> None:
        if self._transport is None or self._datagrams is None:
            raise NoConnectionError("not open")
        if self._datagrams.fault is not None:
            raise NoConnectionError(self._datagrams.fault)
        self._transport.sendto(octets)

    async def read(self, timeout_s: float) -> bytes:
        datagrams = self._datagrams
        if datagrams is None:
            raise NoConnectionError("not open")
        if timeout_s > 0 and not datagrams.received and datagrams.fault is None:
            await datagrams.wait(timeout_s)
        if not datagrams.received and datagrams.fault is not None:
            raise NoConnectionError(datagrams.fault)
        return datagrams.received.popleft() if datagrams.received else b""

    async def set_baudrate(self, baudrate: int) -> None:
        """A socket has no speed."""

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = self._datagrams = None


def _reason(error: Exception, what: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{what}: certificate refused, {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"{what}: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return f"{what}: {(getattr(error, 'strerror', None) or str(error)).lower()}"
