"""Simulated lines: sockets and pseudo-terminals, paced as a real line would be. Shell."""

import asyncio
import contextlib
import errno
import logging
import os
import random
import socket
import ssl
import struct
import tty
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.registry import driver_of
from acquisition.simulate.channel import Channel
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import LineFault
from acquisition.simulate.return_path import End
from mapping.plan import LinePlan

LOOPBACK: Final = ("127.", "::1", "localhost")
UNSENT_LIMIT: Final = 65_536
SENDERS_LIMIT: Final = 64
_LONGEST: Final = 4096

Devices = Mapping[int, SimulatedDevice]

log = logging.getLogger("simulate")


class SimulatedLine(Protocol):
    """One line with its devices."""

    async def start(self) -> dict[str, Any]:
        """Answer; what to lay over the site's line. Raises OSError."""

    async def stop(self) -> None:
        """Answer no more."""

    def begin(self, fault: LineFault) -> None:
        """Have `fault`, instead of another one of its kind. Raises ValueError if such a line cannot."""

    def end(self, fault: LineFault | None = None) -> None:
        """Have `fault` no more if it is still there; without one, none at all."""

    def clear(self) -> None:
        """Be as new: no fault, nothing under way."""


def line_of(plan: LinePlan, devices: Devices) -> SimulatedLine | None:
    """The line, on what really carries it; None if its devices answer in the worker that asks them. Raises PluginError."""
    spec = driver_of(plan.protocol)
    match spec.transport:
        case "memory":
            return None
        case "udp":
            return UdpLine(plan, spec, devices)
        case "tcp" | "tls":
            return TcpLine(plan, spec, devices)
        case "serial":
            return PtyLine(plan, spec, devices)


class _RunningChannel:
    """A channel on the clock of the loop. `deliver` gets what reaches the master, when it does."""

    def __init__(
        self, plan: LinePlan, spec: DriverSpec, devices: Devices, deliver: Callable[[int, bytes | End], None]
    ) -> None:
        self._channel = Channel(spec, plan.settings, devices, random.Random(plan.name))  # noqa: S311 - a line to be repeated
        self._deliver = deliver
        self._timer: asyncio.TimerHandle | None = None

    def opened(self) -> int:
        """The number of a new connection."""
        number = self._channel.opened(_now())
        self._advance()
        return number

    def closed(self, connection: int) -> None:
        """The master has ended `connection`."""
        self._channel.closed(connection, _now())

    def receive(self, connection: int, octets: bytes) -> None:
        """Take octets of the master."""
        self._channel.receive(connection, octets, _now())
        self._advance()

    def begin(self, fault: LineFault) -> None:
        """Have `fault`. Raises ValueError if such a line cannot."""
        self._channel.begin(fault, _now())
        self._advance()

    def end(self, fault: LineFault | None) -> None:
        """Have `fault` no more, none at all without one."""
        self._channel.end(_now(), fault)
        self._advance()

    def clear(self) -> None:
        """Be as new: no fault, nothing under way."""
        self._channel.clear(_now())
        self._advance()

    def stop(self) -> None:
        """Deliver no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _advance(self) -> None:
        """Deliver what is due, and come again when more is."""
        for _, connection, octets in self._channel.advance(_now()):
            self._deliver(connection, octets)
        self.stop()
        deadline = self._channel.deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._advance)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _bound(plan: LinePlan, bind: Callable[[str, int], Awaitable[Any]]) -> Any:
    """Server that `bind` makes on the line's own address if that is of this host, otherwise on a free port."""
    host, port = str(plan.settings["host"]), int(plan.settings.get("port", 502))
    local = host.startswith(LOOPBACK)
    try:
        return await bind(host if local else "127.0.0.1", port if local else 0)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        log.warning("line %s: port %d is taken, a free one serves", plan.name, port)
        return await bind("127.0.0.1", 0)


class _Line(ABC):
    """The part of a line that does not depend on what carries it."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        self._plan = plan
        self._spec = spec
        self._channel = _RunningChannel(plan, spec, devices, self._deliver)

    def begin(self, fault: LineFault) -> None:
        """See SimulatedLine."""
        self._channel.begin(fault)

    def end(self, fault: LineFault | None = None) -> None:
        """See SimulatedLine."""
        self._channel.end(fault)

    def clear(self) -> None:
        """See SimulatedLine."""
        self._channel.clear()

    @abstractmethod
    def _deliver(self, connection: int, octets: bytes | End) -> None:
        """Give the master what reaches it."""


class TcpLine(_Line):
    """A server for the devices of one line, inside TLS where that carries it."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        super().__init__(plan, spec, devices)
        self._server: asyncio.Server | None = None
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def start(self) -> dict[str, Any]:
        """See SimulatedLine."""
        context = server_context(self._plan) if self._spec.transport == "tls" else None
        self._server = await _bound(
            self._plan, lambda host, port: asyncio.start_server(self._serve, host, port, ssl=context)
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return {"host": host, "port": port}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self._channel.opened()
        self._writers[number] = writer
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while octets := await reader.read(_LONGEST):
                self._channel.receive(number, octets)
        self._channel.closed(number)
        self._writers.pop(number, None)
        writer.close()

    def _deliver(self, connection: int, octets: bytes | End) -> None:
        writer = self._writers.get(connection)
        if writer is None:
            return
        if isinstance(octets, bytes):
            if writer.transport.get_write_buffer_size() < UNSENT_LIMIT:
                writer.write(octets)
            return
        if octets is End.RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        writer.close()

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._channel.stop()
        if self._server is not None:
            self._server.close()


def server_context(plan: LinePlan) -> ssl.SSLContext:
    """The devices' end of TLS: they show the certificate of the line, and want one of the same authority. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(plan.settings["cert"]), str(plan.settings["key"]))
    context.load_verify_locations(str(plan.settings["ca"]))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class UdpLine(_Line):
    """A socket for the devices of one line: a datagram is one unit, and each sender has a connection of its own."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        super().__init__(plan, spec, devices)
        self._transport: asyncio.DatagramTransport | None = None
        self._numbers: dict[Any, int] = {}  # by the address of the sender
        self._addresses: dict[int, Any] = {}

    async def start(self) -> dict[str, Any]:
        """See SimulatedLine."""
        loop = asyncio.get_running_loop()
        transport, _ = await _bound(
            self._plan,
            lambda host, port: loop.create_datagram_endpoint(
                lambda: _Datagrams(self._received), local_addr=(host, port)
            ),
        )
        self._transport = cast("asyncio.DatagramTransport", transport)
        host, port = transport.get_extra_info("sockname")[:2]
        return {"host": host, "port": port}

    def _received(self, datagram: bytes, address: Any) -> None:
        if address not in self._numbers:
            self._forget_oldest()
            number = self._numbers[address] = self._channel.opened()
            self._addresses[number] = address
        self._channel.receive(self._numbers[address], datagram)

    def _forget_oldest(self) -> None:
        if len(self._numbers) >= SENDERS_LIMIT:
            oldest = next(iter(self._numbers))
            number = self._numbers.pop(oldest)
            del self._addresses[number]
            self._channel.closed(number)

    def _deliver(self, connection: int, octets: bytes | End) -> None:
        if self._transport is not None and isinstance(octets, bytes) and connection in self._addresses:
            self._transport.sendto(octets, self._addresses[connection])

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._channel.stop()
        if self._transport is not None:
            self._transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)


class PtyLine(_Line):
    """The device's end of a pseudo-terminal, linked at the site's own port name where nothing stands there yet."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        super().__init__(plan, spec, devices)
        self._master = self._slave = -1
        self._link: Path | None = None
        self._unsent = bytearray()
        self._connection = 0

    async def start(self) -> dict[str, Any]:
        """See SimulatedLine."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path = os.ttyname(self._slave)
        wanted = Path(str(self._plan.settings["port"]))
        if wanted.is_absolute() and not wanted.exists() and not wanted.is_symlink():
            with contextlib.suppress(OSError):  # the folder is not ours: the terminal's own name serves as well
                wanted.symlink_to(path)
                self._link, path = wanted, str(wanted)
        self._connection = self._channel.opened()
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return {"port": path}

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._channel.receive(self._connection, os.read(self._master, _LONGEST))

    def _deliver(self, connection: int, octets: bytes | End) -> None:
        if isinstance(octets, bytes) and len(self._unsent) < UNSENT_LIMIT:
            self._unsent += octets
            self._write()

    def _write(self) -> None:
        """Write what the terminal takes: some 4000 octets at once, nothing while nobody reads."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError, OSError):
            del self._unsent[: os.write(self._master, self._unsent)]
        if self._unsent:
            loop.add_writer(self._master, self._write)
        else:
            loop.remove_writer(self._master)

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._channel.stop()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()
