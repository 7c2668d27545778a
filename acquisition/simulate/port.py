"""A line without a port: devices of a plan that answer in memory, once their turnaround is over. Part of the shell."""

import asyncio
import time

from acquisition.drivers.base import DriverSpec
from acquisition.simulate.device import SimulatedDevice
from acquisition.transport.errors import NoConnectionError
from mapping.block_planning.planner import TURNAROUND_S
from mapping.plan import LinePlan


class SimulatedPort:
    """Requests in, answers out, by the device side of `spec`. The values are those of the second in which they are asked."""

    came_at = 0.0

    def __init__(self, line: LinePlan, spec: DriverSpec) -> None:
        self._devices = {plan.unit: SimulatedDevice(plan) for plan in line.devices}
        self._answering = spec.devices(self._devices, line.settings)
        self._second = 0
        self._answers = bytearray()
        self._ready_at = 0.0
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True
        self._answers.clear()

    async def write(self, octets: bytes) -> None:
        if not self._is_open:
            raise NoConnectionError("not open")
        if int(time.time()) != self._second:
            self._second = int(time.time())
            for device in self._devices.values():
                device.tick(self._second)
        for device in self._devices.values():
            device.advance(asyncio.get_running_loop().time())
        asked = bytearray(octets)
        while (turn := self._answering.take(asked)) is not None:
            self._answers += turn.answer()
        self._ready_at = asyncio.get_running_loop().time() + TURNAROUND_S

    async def read(self, timeout_s: float) -> bytes:
        if not self._is_open:
            raise NoConnectionError("not open")
        left = self._ready_at - asyncio.get_running_loop().time()
        await asyncio.sleep(max(min(max(left, 0.0), timeout_s) if self._answers else timeout_s, 0.0))
        if left > timeout_s:
            return b""
        octets = bytes(self._answers)
        self._answers.clear()
        return octets

    async def set_baudrate(self, baudrate: int) -> None:
        """A line in memory has no speed."""

    async def close(self) -> None:
        self._is_open = False
