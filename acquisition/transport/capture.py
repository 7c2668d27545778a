"""Capture of a line's frames in a file: each octet string that went out or came in, with its time. One JSON object a line.

{"line": "rs485-1", "protocol": "modbus-rtu", "settings": {...}}        the head
{"at": 0.0312, "out": "01040000000271cb"}                               seconds since the first opening
{"at": 0.0560, "in": "0104044366666675d9"}
"""

import json
import time
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from acquisition.transport.errors import NoConnectionError
from acquisition.transport.ports import Port
from mapping.plan import LinePlan

SETTING: Final = "record"  # of a line's plan, never of a site's file: where its frames are written


class CapturePort:
    """A port that writes the octets that pass through it to a file, which begins anew at the first opening only."""

    def __init__(self, port: Port, plan: LinePlan) -> None:
        self._port = port
        settings = {key: value for key, value in plan.settings.items() if key != SETTING}
        self._head = {"line": plan.name, "protocol": plan.protocol, "settings": settings}
        self._path = Path(str(plan.settings[SETTING]))
        self._file: TextIO | None = None
        self._since: float | None = None

    @property
    def came_at(self) -> float:
        return self._port.came_at

    async def open(self) -> None:
        await self._port.open()
        if self._file is None:
            self._file = self._opened("w" if self._since is None else "a")
        if self._since is None:
            self._since = time.monotonic()
            self._write(self._head)

    def _opened(self, mode: Literal["a", "w"]) -> TextIO:
        try:
            return self._path.open(mode, encoding="ascii", buffering=1)
        except OSError as error:
            raise NoConnectionError(f"{self._path}: {(error.strerror or str(error)).lower()}") from error

    async def write(self, octets: bytes) -> None:
        await self._port.write(octets)
        self._frame("out", octets)  # not before: what a dead connection refuses has not gone out

    async def read(self, timeout_s: float) -> bytes:
        octets = await self._port.read(timeout_s)
        if octets:
            self._frame("in", octets)
        return octets

    async def set_baudrate(self, baudrate: int) -> None:
        await self._port.set_baudrate(baudrate)

    async def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        await self._port.close()

    def _frame(self, way: str, octets: bytes) -> None:
        if self._since is not None:
            self._write({"at": round(time.monotonic() - self._since, 6), way: octets.hex()})

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry) + "\n")


def captured(port: Port, plan: LinePlan) -> Port:
    """`port`, with its frames captured if the line's plan says so."""
    return CapturePort(port, plan) if SETTING in plan.settings else port
