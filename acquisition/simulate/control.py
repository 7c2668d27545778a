"""Control socket of the simulated field: a Unix socket, one JSON object a line each way, for tests and demonstrations.

{"get": "feeder1"}                                      -> {"values": {...}, "registers": {"input 0": 17254, ...},
                                                            "writes": [["coil", 0, [1]], ...]}
{"set": "feeder1", "values": {"voltage_l1": 231.0}}     -> {"ok": true}
{"fault": "feeder1", "kind": "silent"}                  -> {"ok": true}         kind null: sound again
{"clear": "feeder1"}                                    -> {"ok": true}         as new: no fault, nothing set or written
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acquisition.drivers.device_side import Fault
from acquisition.simulate.device import FAULTS, SimulatedDevice


class Control:
    """Serves the socket at `path`."""

    def __init__(self, path: Path, devices: Mapping[str, SimulatedDevice]) -> None:
        self._path = path
        self._devices = devices
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))

    async def stop(self) -> None:
        """Listen no more, and remove the socket."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async for line in reader:
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            return self._done(asked)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _done(self, asked: dict[str, Any]) -> dict[str, Any]:
        for device in self._devices.values():
            device.advance(asyncio.get_running_loop().time())
        if "get" in asked:
            device = self._devices[asked["get"]]
            registers = {f"{table} {address}": word for (table, address), word in sorted(device.registers.items())}
            return {"values": device.values, "registers": registers, "writes": list(device.writes)}
        if "set" in asked:
            device = self._devices[asked["set"]]
            for name, value in asked["values"].items():
                device.set(name, value)
            return {"ok": True}
        if "clear" in asked:
            self._devices[asked["clear"]].clear(int(time.time()))
            return {"ok": True}
        device = self._devices[asked["fault"]]
        kind = asked.get("kind")
        if kind is not None and kind not in FAULTS:
            raise ValueError(f"kind {kind}, expected one of {' '.join(FAULTS)}")
        device.fault = None if kind is None else Fault(kind, int(asked.get("ms", 1000)), int(asked.get("code", 4)))
        return {"ok": True}
