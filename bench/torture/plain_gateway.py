"""A plain gateway, for comparison: pymodbus' client asks, our library serves, and nothing of our rules is between them.

    python -m bench.torture.plain_gateway FOLDER

It reads FOLDER/scene.json and torture.icd, asks block by block, tries again as often as the scene says, and takes what
pymodbus accepts for the answer. A line of text is asked by hand: the next line is the answer. Prints `ready mms=ADDRESS`,
serves until its input ends.
"""

import asyncio
import json
import os
import re
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient

from bus.quality import GOOD, INVALID, UtcTime
from mms_server import Client, ControlAction, IedServer

RECONNECT_S: Final = 0.1
_NUMBER: Final = re.compile(rb"[-+]?[0-9.]+")


class Master(Protocol):
    """Asks for one block."""

    async def values(self, block: dict[str, Any]) -> list[float]:
        """Its values in their order. Raises OSError, TimeoutError, ModbusException, ValueError."""

    async def written(self, relay: dict[str, Any], value: bool) -> bool:
        """True if the coil was confirmed, and read back where it can be."""


class Modbus:
    """Pymodbus' client."""

    def __init__(self, scene: dict[str, Any]) -> None:
        self._client, self._closes = _client(scene), scene["close_after"]

    async def values(self, block: dict[str, Any]) -> list[float]:
        if not self._client.connected and not await self._client.connect():
            raise ConnectionError("no connection")
        reads = {"holding": self._client.read_holding_registers, "coil": self._client.read_coils}
        answer = await reads[block["table"]](block["address"], count=block["count"], device_id=block["unit"])
        if self._closes:
            self._client.close()
        if answer.isError():
            raise ModbusException(str(answer))
        if block["table"] == "coil":
            return [float(bit) for bit in answer.bits[: block["count"]]]
        octets = b"".join(word.to_bytes(2, "big") for word in answer.registers)
        return list(struct.unpack(f">{len(octets) // 4}f", octets))

    async def written(self, relay: dict[str, Any], value: bool) -> bool:
        try:
            answer = await self._client.write_coil(relay["address"], value, device_id=relay["unit"])
            if answer.isError() or not relay["read"]:
                return not answer.isError()
            return (await self.values({**relay, "count": 1}))[0] == value
        except ModbusException:
            return False


def _client(scene: dict[str, Any]) -> ModbusBaseClient:
    more = {"timeout": scene["timeout_ms"] / 1000, "retries": scene["retries"]}
    if scene["protocol"] == "modbus-rtu":
        return AsyncModbusSerialClient(scene["address"], baudrate=scene["baudrate"], **more)
    host, _, port = scene["address"].rpartition(":")
    framer = FramerType.SOCKET if scene["protocol"] == "modbus-tcp" else FramerType.RTU
    return AsyncModbusTcpClient(host, port=int(port), framer=framer, **more)


class Text:
    """Lines of text, over TCP or on a serial port: the next line is the answer."""

    def __init__(self, scene: dict[str, Any]) -> None:
        self._scene, self._adam = scene, scene["protocol"] == "adam-ascii"
        self._reader: asyncio.StreamReader | None = None
        self._write: Callable[[bytes], object]
        self._kept: object = None  # what would close the line if it were let go

    async def values(self, block: dict[str, Any]) -> list[float]:
        if self._reader is None:
            self._reader = await (self._serial() if self._adam else self._tcp())
        request = f"#{block['unit']:02X}{block['address']}\r" if self._adam else f"V?{block['address']}\n"
        self._write(request.encode())
        async with asyncio.timeout(self._scene["timeout_ms"] / 1000):
            answer = await self._reader.readuntil(b"\r" if self._adam else b"\n")
        found = _NUMBER.search(answer)
        if found is None:
            raise ValueError(f"no number: {answer!r}")
        return [float(found[0])]

    async def written(self, relay: dict[str, Any], value: bool) -> bool:
        return False

    async def _tcp(self) -> asyncio.StreamReader:
        host, _, port = self._scene["address"].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self._write, self._kept = writer.write, writer
        return reader

    async def _serial(self) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        file = os.open(self._scene["address"], os.O_RDWR | os.O_NOCTTY)
        protocol, pipe = asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", 0)
        self._kept = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        self._write = partial(os.write, file)
        return reader


async def poll(server: IedServer, master: Master, scene: dict[str, Any]) -> None:
    """Ask for ever."""
    period_s = scene["every_ms"] / 1000
    while True:
        started = time.monotonic()
        for block in scene["blocks"]:
            await _block(server, master, block)
        await asyncio.sleep(max(started + period_s - time.monotonic(), 0))


async def _block(server: IedServer, master: Master, block: dict[str, Any]) -> None:
    try:
        values = await master.values(block)
    except (OSError, TimeoutError, ModbusException, ValueError, asyncio.IncompleteReadError):
        server.update({f"{point['reference']}.q": INVALID for point in block["points"]})
        await asyncio.sleep(RECONNECT_S)
        return
    leaf, stamp = ("stVal" if block["table"] == "coil" else "mag.f"), UtcTime.of(time.time())
    for point, value in zip(block["points"], values, strict=False):
        shown = bool(value) if leaf == "stVal" else value
        there = point["reference"]
        server.update({f"{there}.{leaf}": shown, f"{there}.q": GOOD, f"{there}.t": stamp})


async def serve(folder: Path) -> None:
    """Serve until the input ends."""
    scene = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    server = IedServer.from_scl(folder / "torture.icd")
    server.update({f"{point['reference']}.q": INVALID for block in scene["blocks"] for point in block["points"]})
    master: Master = Text(scene) if scene["protocol"].endswith("-ascii") else Modbus(scene)
    if (relay := scene["relay"]) is not None:

        async def switched(_client: Client, _reference: str, action: ControlAction) -> bool:
            return await master.written(relay, bool(action.value))

        server.on_control(relay["reference"], switched)
    async with server.serving(0, "127.0.0.1"):
        polling = asyncio.get_running_loop().create_task(poll(server, master, scene))
        sys.stdout.write(f"ready mms=127.0.0.1:{server.port}\n")
        sys.stdout.flush()
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait((polling, ended), return_when=asyncio.FIRST_COMPLETED)
        if polling.done():
            polling.result()
        polling.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
