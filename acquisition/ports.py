"""Ports: a serial device or a TCP connection as octets in, octets out. Part of the shell.

A pseudo-terminal has neither speed nor parity: they are not set there (pyserial fails on it with parity). What the
operating system says of a lost port becomes LinkError, in words that an operator understands.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from pathlib import Path
from typing import Any, Final, Protocol

import serial

READ_OCTETS: Final = 4096
CONNECT_TIMEOUT_S: Final = 3.0
UNTAKEN_LIMIT_MS: Final = 1000
"""A request that the host has not taken for so long is dropped with its connection: a cable that is put back must not
deliver a command whose client has been told no."""
_DROP_UNTAKEN: Final = struct.pack("ii", 1, 0)  # closing throws it away instead of delivering it
_PARITIES: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class LinkError(Exception):
    """The port or the connection is gone, or cannot be had; the text is the reason."""


class Port(Protocol):
    """One line's way out. `read` returns what has come, at the latest after `timeout_s` (then empty)."""

    async def open(self) -> None:
        """Raises LinkError if it cannot."""

    async def write(self, octets: bytes) -> None:
        """Raises LinkError."""

    async def read(self, timeout_s: float) -> bytes:
        """Raises LinkError."""

    def discard(self) -> int:
        """Throw away what has come unread; how many octets that was."""

    async def close(self) -> None:
        """May be called at any time."""


class SerialPort:
    """A serial device; its descriptor is watched by the loop."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._serial: serial.Serial | None = None
        self._descriptor = -1
        self._received = bytearray()
        self._came = asyncio.Event()
        self._fault: str | None = None

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
            raise LinkError(_reason(error, path)) from error
        self._received.clear()
        self._fault = None
        self._came.clear()
        self._descriptor = self._serial.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def _readable(self) -> None:
        try:
            octets = os.read(self._descriptor, READ_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            octets, self._fault = b"", f"port lost: {(error.strerror or str(error)).lower()}"
        if not octets:
            self._fault = self._fault or "port lost: end of file"
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._received += octets
        self._came.set()

    async def write(self, octets: bytes) -> None:
        if self._serial is None or self._fault:
            raise LinkError(self._fault or "port not open")
        view = memoryview(octets)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError as error:
                raise LinkError(f"port lost: {(error.strerror or str(error)).lower()}") from error

    async def read(self, timeout_s: float) -> bytes:
        if not self._received and not self._fault:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), timeout_s)
        if not self._received and self._fault:
            raise LinkError(self._fault)
        octets = bytes(self._received)
        self._received.clear()
        return octets

    def discard(self) -> int:
        count = len(self._received)
        self._received.clear()
        return count

    async def set_baudrate(self, baudrate: int) -> None:
        """Go on at `baudrate` once all that was written is on the line. Raises LinkError."""
        if self._serial is None or str(Path(str(self._settings["port"])).resolve()).startswith("/dev/pts/"):
            return  # a pseudo-terminal has no speed
        try:
            await asyncio.to_thread(self._serial.flush)
            self._serial.baudrate = baudrate
        except (OSError, ValueError, termios.error) as error:
            raise LinkError(_reason(error, "port")) from error

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
        self._host, self._port = str(settings["host"]), int(settings.get("port", 502))
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        try:
            opening = asyncio.open_connection(self._host, self._port)
            self._reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise LinkError(f"no connection to {self._host}:{self._port} within {CONNECT_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise LinkError(_reason(error, f"{self._host}:{self._port}")) from error
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_LIMIT_MS)
        self._writer = writer

    async def write(self, octets: bytes) -> None:
        if self._writer is None:
            raise LinkError("not connected")
        try:
            self._writer.write(octets)
            await self._writer.drain()
        except OSError as error:
            raise LinkError(_reason(error, "connection")) from error

    async def read(self, timeout_s: float) -> bytes:
        if self._reader is None:
            raise LinkError("not connected")
        try:
            octets = await asyncio.wait_for(self._reader.read(READ_OCTETS), timeout_s)
        except TimeoutError:
            return b""
        except OSError as error:
            raise LinkError(_reason(error, "connection")) from error
        if not octets:
            raise LinkError("connection closed by the device")
        return octets

    def discard(self) -> int:
        return 0  # an answer carries its transaction id: nothing needs to be thrown away unread

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it has gone already
                if _untaken(sock):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_UNTAKEN)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 0.5)


def _untaken(sock: socket.socket) -> bool:
    """True if the host has not acknowledged everything."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(waiting) > 0


def _reason(error: Exception, what: str) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return f"{what}: {text.lower()}"
