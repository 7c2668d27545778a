"""Ports: a serial device or a TCP connection as octets in, octets out. Part of the shell.

A pseudo-terminal has neither speed nor parity: they are not set there (pyserial fails on it with parity). Errors of
the operating system about a lost port become NoConnectionError, in words that an operator understands.
"""

import asyncio
import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
from pathlib import Path
from typing import Any, Final, Protocol

import serial
from serial.rs485 import RS485Settings

from acquisition.transport.errors import NoConnectionError, UnsentError
from acquisition.transport.receive_buffer import ReceiveBuffer, Receiver
from bus.endpoint import Endpoint

READ_OCTETS: Final = 4096
CONNECT_TIMEOUT_S: Final = 3.0
UNTAKEN_LIMIT_MS: Final = 1000
"""A request that the host has not taken for so long is dropped with its connection: a cable that is put back must not
deliver a command that has been refused to its client meanwhile (D36)."""
_DROP_UNTAKEN: Final = struct.pack("ii", 1, 0)  # closing throws it away instead of delivering it
_PARITIES: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class Port(Protocol):
    """Port of one line."""

    @property
    def came_at(self) -> float:
        """Time of the loop's clock at which the octets of the last `read` came; 0 if the port does not know."""

    async def open(self) -> None:
        """Raises NoConnectionError if it cannot."""

    async def write(self, octets: bytes) -> None:
        """Raises NoConnectionError; UnsentError where the connection had ended before."""

    async def read(self, timeout_s: float) -> bytes:
        """The octets received, at the latest after `timeout_s` (then none); at once if it is 0 or less.

        Those of one time: octets that came apart may be given apart, so that each has its `came_at`.

        Raises NoConnectionError.
        """

    async def set_baudrate(self, baudrate: int) -> None:
        """Go on at `baudrate`; a port that has no speed does nothing. Raises NoConnectionError."""

    async def close(self) -> None:
        """May be called at any time."""


class SerialPort:
    """A serial device; its descriptor is watched by the loop."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._serial: serial.Serial | None = None
        self._descriptor = -1
        self._received = ReceiveBuffer()

    @property
    def came_at(self) -> float:
        return self._received.came_at

    async def open(self) -> None:
        path = str(self._settings["port"])
        pty = str(Path(path).resolve()).startswith("/dev/pts/")
        try:
            self._serial = serial.Serial(
                path,
                baudrate=9600 if pty else self._settings.get("baudrate", 9600),
                bytesize=8 if pty else self._settings.get("data_bits", 8),
                parity=serial.PARITY_NONE if pty else _PARITIES[self._settings.get("parity", "none")],
                stopbits=1 if pty else self._settings.get("stop_bits", 1),
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:
            await self.close()
            raise NoConnectionError(_reason(error, path)) from error
        if self._settings.get("rts") == "rs485":
            try:
                self._serial.rs485_mode = self._direction()
            except (OSError, ValueError) as error:
                await self.close()
                raise NoConnectionError(f"{path}: no direction control, which `rts: rs485` needs") from error
        self._received = ReceiveBuffer()
        self._descriptor = self._serial.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def _direction(self) -> RS485Settings:
        """RTS while we send, set by the system's driver: it alone knows when the last character has left."""
        return RS485Settings(
            rts_level_for_tx=True,
            rts_level_for_rx=False,
            delay_before_tx=self._settings.get("rts_before", 0) / 1000,
            delay_before_rx=self._settings.get("rts_after", 0) / 1000,
        )

    def _readable(self) -> None:
        try:
            octets = os.read(self._descriptor, READ_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            self._gone((error.strerror or str(error)).lower())
        else:
            if octets:
                self._received.put(octets)
            elif _hung_up(self._descriptor):
                self._gone("end of file")

    def _gone(self, reason: str) -> None:
        """A lost port is readable for ever: it is watched no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._received.fail(f"port lost: {reason}")

    async def write(self, octets: bytes) -> None:
        if self._serial is None or self._received.fault:
            raise NoConnectionError(self._received.fault or "port not open")
        view = memoryview(octets)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError as error:
                raise NoConnectionError(f"port lost: {(error.strerror or str(error)).lower()}") from error

    async def read(self, timeout_s: float) -> bytes:
        if timeout_s <= 0 and self._serial is not None and not self._received.fault:
            self._readable()  # the system may hold octets that the loop has not seen yet
        return await self._received.take(timeout_s)

    async def set_baudrate(self, baudrate: int) -> None:
        """Go on at `baudrate` once all written octets are on the line. Raises NoConnectionError."""
        if self._serial is None or str(Path(str(self._settings["port"])).resolve()).startswith("/dev/pts/"):
            return  # a pseudo-terminal has no speed
        try:
            await asyncio.to_thread(self._serial.flush)
            self._serial.baudrate = baudrate
        except (OSError, ValueError, termios.error) as error:
            raise NoConnectionError(_reason(error, "port")) from error

    async def close(self) -> None:
        if self._serial is not None:
            with contextlib.suppress(OSError, ValueError):
                asyncio.get_running_loop().remove_reader(self._descriptor)
            with contextlib.suppress(OSError):
                self._serial.close()
            self._serial = None


class TcpPort:
    """A TCP connection."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._there = Endpoint(str(settings["host"]), int(settings.get("port", 502)))
        self._received = ReceiveBuffer()
        self._transport: asyncio.Transport | None = None

    @property
    def came_at(self) -> float:
        return self._received.came_at

    async def open(self) -> None:
        received = self._received = ReceiveBuffer()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                there = self._there
                transport, _ = await loop.create_connection(lambda: Receiver(received, _lost), there.host, there.port)
        except TimeoutError as error:
            raise NoConnectionError(f"no connection to {self._there} within {CONNECT_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise NoConnectionError(_reason(error, str(self._there))) from error
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_LIMIT_MS)
        self._transport = transport

    async def write(self, octets: bytes) -> None:
        """One request is on its way at a time: the transport's own buffer holds no more than that."""
        if self._transport is None:
            raise NoConnectionError("not connected")
        refuse_ended(self._transport, self._received.fault)
        self._transport.write(octets)

    async def read(self, timeout_s: float) -> bytes:
        if self._transport is None:
            raise NoConnectionError("not connected")
        return await self._received.take(timeout_s)

    async def set_baudrate(self, baudrate: int) -> None:
        """A connection has no speed."""

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if not self._received.fault:
            sock = transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it has gone already
                if _untaken(sock):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_UNTAKEN)
        transport.abort()


def refuse_ended(transport: asyncio.Transport, fault: str | None) -> None:
    """Check before a write that the device has not ended the connection. Raises UnsentError.

    The end of stream may wait in the system while the loop has not seen it (POLLRDHUP), or the transport may be closing
    and drop in silence what it is given. A request written then is never carried out, and looks as if it might have been.
    """
    if fault is None and not transport.is_closing():
        poll = select.poll()
        poll.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        if not poll.poll(0):
            return
    raise UnsentError(fault or _lost(None))


def _hung_up(descriptor: int) -> bool:
    """True if the port has gone; False if it only has no octets, as after a read that took those it was readable for."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _untaken(sock: socket.socket) -> bool:
    """True if the host has not acknowledged everything."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(waiting) > 0


def _lost(error: Exception | None) -> str:
    return "connection closed by the device" if error is None else _reason(error, "connection")


def _reason(error: Exception, what: str) -> str:
    inner = error.__context__ if isinstance(error, serial.SerialException) else None
    text = getattr(inner, "strerror", None) or getattr(error, "strerror", None) or str(error)
    return f"{what}: {text[:1].lower()}{text[1:]}"
