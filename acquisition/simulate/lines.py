"""Simulated lines: Modbus TCP on a port, RTU and text on a pseudo-terminal, paced as a real line would be. Shell."""

import asyncio
import contextlib
import errno
import logging
import os
import random
import tty
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from pymodbus.framer import FramerRTU

from acquisition.simulate import slave
from acquisition.simulate.device import SimulatedDevice
from mapping import planner
from mapping.plan import LinePlan

TURNAROUND_S: Final = planner.TURNAROUND_S
LOOPBACK: Final = ("127.", "::1", "localhost")
_LONGEST: Final = 4096

Devices = Mapping[int, SimulatedDevice]

log = logging.getLogger("simulate")


class TcpLine:
    """A Modbus TCP server for the devices of one line, by unit."""

    def __init__(self, plan: LinePlan, devices: Devices) -> None:
        self._plan = plan
        self._devices = devices
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> dict[str, Any]:
        """Listen; what to lay over the site's line. Raises OSError."""
        host, port = str(self._plan.settings["host"]), int(self._plan.settings.get("port", 502))
        local = host.startswith(LOOPBACK)
        try:
            self._server = await asyncio.start_server(self._serve, host if local else "127.0.0.1", port if local else 0)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            log.warning("line %s: port %d is taken, a free one serves", self._plan.name, port)
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return {"host": host, "port": port}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                header = await reader.readexactly(7)
                pdu = await reader.readexactly(int.from_bytes(header[4:6], "big") - 1)
                task = asyncio.ensure_future(self._answer(header, pdu, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        writer.close()

    async def _answer(self, header: bytes, pdu: bytes, writer: asyncio.StreamWriter) -> None:
        device = self._devices.get(header[6])
        fault = device.fault if device else None
        if device is None or (fault and fault.kind == "silent"):
            return
        await asyncio.sleep(fault.ms / 1000 if fault and fault.kind == "late" else TURNAROUND_S)
        answered = (
            slave.exception(pdu[0], fault.code) if fault and fault.kind == "exception" else slave.answer(device, pdu)
        )
        unit = header[6] + 1 & 0xFF if fault and fault.kind == "wrong_unit" else header[6]
        octets = header[:4] + (len(answered) + 1).to_bytes(2, "big") + bytes((unit,)) + answered
        if fault and fault.kind in ("crc", "garbage"):
            octets = random.randbytes(len(octets))  # noqa: S311
        with contextlib.suppress(ConnectionError):
            writer.write(octets)
            await writer.drain()

    async def stop(self) -> None:
        """Listen no more."""
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()


class PtyLine:
    """The device's end of a pseudo-terminal, linked at the site's own port name where nothing stands there yet."""

    def __init__(self, plan: LinePlan, devices: Devices) -> None:
        self._plan = plan
        self._devices = devices
        self._master = self._slave = -1
        self._link: Path | None = None
        self._buffer = bytearray()
        self._turns: set[asyncio.Task[None]] = set()
        self._costs = planner.physics(plan.protocol, plan.settings)

    async def start(self) -> dict[str, Any]:
        """Open the terminal; what to lay over the site's line. Raises OSError."""
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
        take = self._take_line if self._plan.protocol == "serial-ascii" else self._take_frame
        while (turn := take()) is not None:
            task = asyncio.ensure_future(turn())  # a master that asks again gets the late answer all the same
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)
        del self._buffer[:-_LONGEST]

    async def _write(self, octets: bytes, asked: int, late_s: float) -> None:
        """Write after the time that the request, the device and the answer take on such a line."""
        on_line = (asked + len(octets)) * self._costs.character_s
        await asyncio.sleep(on_line + self._costs.silence_s + TURNAROUND_S + late_s)
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._master, octets)

    # ------------------------------------------------------------------ RTU

    def _take_frame(self) -> "Callable[[], Any] | None":
        buffer = self._buffer
        while len(buffer) >= 8:
            size = 9 + buffer[6] if buffer[1] in (15, 16) else 10 if buffer[1] == 22 else 8
            if len(buffer) < size:
                return None
            frame = bytes(buffer[:size])
            if FramerRTU.compute_CRC(frame[:-2]).to_bytes(2, "big") == frame[-2:]:
                del buffer[:size]
                return partial(self._answer_frame, frame)
            del buffer[:1]
        return None

    async def _answer_frame(self, frame: bytes) -> None:
        device = self._devices.get(frame[0])
        fault = device.fault if device else None
        if device is None or (fault and fault.kind == "silent"):
            return
        pdu = frame[1:-2]
        answered = (
            slave.exception(pdu[0], fault.code) if fault and fault.kind == "exception" else slave.answer(device, pdu)
        )
        unit = frame[0] + 1 if fault and fault.kind == "wrong_unit" else frame[0]
        octets = bytes((unit & 0xFF,)) + answered
        octets += FramerRTU.compute_CRC(octets).to_bytes(2, "big")
        if fault and fault.kind == "crc":
            octets = octets[:-1] + bytes((octets[-1] ^ 0xFF,))
        if fault and fault.kind == "garbage":
            octets = random.randbytes(len(octets))  # noqa: S311
        await self._write(octets, len(frame), fault.ms / 1000 if fault and fault.kind == "late" else 0.0)

    # ------------------------------------------------------------------ text

    def _take_line(self) -> "Callable[[], Any] | None":
        for device in self._devices.values():
            for point in device.plan.points:
                request = getattr(point.source, "request", None)
                if request and bytes(self._buffer).startswith(request.encode("ascii")):
                    del self._buffer[: len(request)]
                    return partial(self._answer_line, device, request)
        if len(self._buffer) > 256:
            self._buffer.clear()
        return None

    async def _answer_line(self, device: SimulatedDevice, request: str) -> None:
        fault = device.fault
        if fault and fault.kind == "silent":
            return
        text = "?" * 8 if fault and fault.kind in ("garbage", "crc", "exception") else device.line(request) or ""
        octets = (text + device.end_of(request)).encode("ascii", "replace")
        await self._write(octets, len(request), fault.ms / 1000 if fault and fault.kind == "late" else 0.0)

    async def stop(self) -> None:
        """Close the terminal and remove the link."""
        for task in self._turns:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._master)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        if self._link is not None:
            with contextlib.suppress(FileNotFoundError):
                self._link.unlink()
