"""Control socket of the simulated field: a Unix socket, one JSON object a line each way, for tests and demonstrations.

{"get": "feeder1"}                                      -> {"values": {...}, "registers": {"input 0": 17254, ...},
                                                            "writes": [["coil", 0, [1]], ...],
                                                            "written": [["relay1", true], ...]}
{"set": "feeder1", "values": {"voltage_l1": 231.0}}     -> {"ok": true}
{"fault": "feeder1", "kind": "silent"}                  -> {"ok": true}         kind null: sound again
{"clear": "feeder1"}                                    -> {"ok": true}         as new: no fault, nothing set or written
{"line": "rs485-1", "kind": "duplicate", "ms": 40}      -> {"ok": true}         kind null: none at all
{"renew": true}                                         -> {"ok": true}         every device and every line as new
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults import device_faults
from acquisition.simulate.faults.device_faults import FAULTS, DeviceFault
from acquisition.simulate.faults.line_faults import LINE_FAULTS
from acquisition.simulate.lines import SimulatedLine
from mapping.located_yaml.validation_text import reason
from mapping.schema.fields import Strict

_Model = TypeVar("_Model", bound=Strict)


class Control:
    """Serves the socket at `path`."""

    def __init__(self, path: Path, devices: Mapping[str, SimulatedDevice], lines: Mapping[str, SimulatedLine]) -> None:
        self._path = path
        self._devices = devices
        self._lines = lines
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
            return _seen(self._devices[asked["get"]])
        if "set" in asked:
            device = self._devices[asked["set"]]
            for name, value in asked["values"].items():
                device.set(name, value)
        elif "clear" in asked:
            self._devices[asked["clear"]].clear(int(time.time()))
        elif "renew" in asked:
            for line in self._lines.values():
                line.clear()
            for device in self._devices.values():
                device.clear(int(time.time()))
        elif "line" in asked:
            self._line_fault(**asked)
        else:
            self._device_fault(**asked)
        return {"ok": True}

    def _device_fault(self, fault: str, kind: str | None = None, **keys: Any) -> None:
        device = self._devices[fault]
        if kind is None:
            device.fault = None
            return
        _expect(kind, FAULTS)
        found = _validated(DeviceFault, {"kind": kind, **keys})
        wrong = device_faults.misfit(found, device.plan)
        if wrong is not None:
            raise ValueError(wrong)
        device.fault = found.fault()

    def _line_fault(self, line: str, kind: str | None = None, **keys: Any) -> None:
        if line not in self._lines:
            raise ValueError("its devices answer in the worker, nothing is between them")
        if kind is None:
            self._lines[line].end()
            return
        _expect(kind, list(LINE_FAULTS))
        self._lines[line].begin(_validated(LINE_FAULTS[kind], keys))


def _seen(device: SimulatedDevice) -> dict[str, Any]:
    registers = {f"{table} {address}": word for (table, address), word in sorted(device.registers.items())}
    return {
        "values": device.values,
        "registers": registers,
        "writes": list(device.writes),
        "written": list(device.written_points),
    }


def _expect(kind: str, kinds: Sequence[str]) -> None:
    if kind not in kinds:
        raise ValueError(f"kind {kind}, expected one of {' '.join(kinds)}")


def _validated(model: type[_Model], given: Mapping[str, Any]) -> _Model:
    """`given` as `model`. Raises ValueError, which names the keys that do not fit."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = [": ".join((*map(str, one["loc"]), reason(one))) for one in error.errors(include_url=False)]
        raise ValueError("; ".join(wrong)) from error
