"""Simulated lines: sockets and pseudo-terminals, paced as a real line would be. Shell."""

import asyncio
import contextlib
import errno
import logging
import os
import ssl
import tty
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.device_side import Turn
from acquisition.drivers.registry import driver_of
from acquisition.simulate.device import SimulatedDevice
from mapping.block_planning import planner
from mapping.plan import LinePlan

TURNAROUND_S: Final = planner.TURNAROUND_S
LOOPBACK: Final = ("127.", "::1", "localhost")
_LONGEST: Final = 4096

Devices = Mapping[int, SimulatedDevice]

log = logging.getLogger("simulate")


class SimulatedLine(Protocol):
    """One line with its devices."""

    async def start(self) -> dict[str, Any]:
        """Answer; what to lay over the site's line. Raises OSError."""

    async def stop(self) -> None:
        """Answer no more."""


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


def _advance(devices: Devices) -> None:
    """Let what is on its way in the devices arrive, before one of them is asked."""
    for device in devices.values():
        device.advance(asyncio.get_running_loop().time())


class _Turns:
    """The answers that are on their way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, answer: Awaitable[None]) -> None:
        task = asyncio.ensure_future(answer)  # a master that asks again gets the late answer all the same
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


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


class TcpLine:
    """A server for the devices of one line, inside TLS where that carries it."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        self._plan = plan
        self._spec = spec
        self._devices = devices
        self._server: asyncio.Server | None = None
        self._turns = _Turns()

    async def start(self) -> dict[str, Any]:
        """See SimulatedLine."""
        context = server_context(self._plan) if self._spec.transport == "tls" else None
        self._server = await _bound(
            self._plan, lambda host, port: asyncio.start_server(self._serve, host, port, ssl=context)
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return {"host": host, "port": port}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = self._spec.devices(self._devices, self._plan.settings)
        buffer = bytearray()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while octets := await reader.read(_LONGEST):
                buffer += octets
                while (turn := answering.take(buffer)) is not None:
                    self._turns.begin(self._answer(turn, writer))
                del buffer[:-_LONGEST]
        writer.close()

    async def _answer(self, turn: Turn, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(TURNAROUND_S if turn.late_s is None else turn.late_s)
        _advance(self._devices)
        with contextlib.suppress(OSError):
            writer.write(turn.answer())
            await writer.drain()

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._turns.cancel()
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


class UdpLine:
    """A socket for the devices of one line: a datagram is one unit."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        self._plan = plan
        self._devices = devices
        self._answering = spec.devices(devices, plan.settings)
        self._transport: asyncio.DatagramTransport | None = None
        self._turns = _Turns()

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
        turn = self._answering.take(bytearray(datagram))
        if turn is not None:
            self._turns.begin(self._answer(turn, address))

    async def _answer(self, turn: Turn, address: Any) -> None:
        await asyncio.sleep(TURNAROUND_S if turn.late_s is None else turn.late_s)
        _advance(self._devices)
        octets = turn.answer()
        if octets and self._transport is not None:
            self._transport.sendto(octets, address)

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._turns.cancel()
        if self._transport is not None:
            self._transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)


class PtyLine:
    """The device's end of a pseudo-terminal, linked at the site's own port name where nothing stands there yet."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, devices: Devices) -> None:
        self._plan = plan
        self._spec = spec
        self._devices = devices
        self._answering = spec.devices(devices, plan.settings)
        self._master = self._slave = -1
        self._link: Path | None = None
        self._buffer = bytearray()
        self._turns = _Turns()

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
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return {"port": path}

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._buffer += os.read(self._master, _LONGEST)
        _advance(self._devices)
        while (turn := self._answering.take(self._buffer)) is not None:
            self._turns.begin(self._answer(turn, turn.answer()))
        del self._buffer[:-_LONGEST]

    async def _answer(self, turn: Turn, octets: bytes) -> None:
        """Write after the time that the request, the device and the answer take on such a line."""
        framing = self._spec.protocol.framing
        costs = planner.physics(framing, self._plan.settings)
        changed = self._plan.settings if turn.baudrate is None else {**self._plan.settings, "baudrate": turn.baudrate}
        answer_s = len(octets) * planner.physics(framing, changed).character_s
        await asyncio.sleep(turn.asked * costs.character_s + answer_s + costs.silence_s + TURNAROUND_S)
        await asyncio.sleep(turn.late_s or 0.0)
        with contextlib.suppress(BlockingIOError, OSError):
            while octets:  # a terminal takes some 4000 octets at once
                octets = octets[os.write(self._master, octets) :]
                await asyncio.sleep(0)

    async def stop(self) -> None:
        """See SimulatedLine."""
        self._turns.cancel()
        asyncio.get_running_loop().remove_reader(self._master)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()
