"""Exchange by hand on one line, outside the gateway: one request at a time, timed. Shell."""

import asyncio
import random
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from acquisition.drivers.base import Ask, Found
from acquisition.drivers.registry import driver_of
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.conditions import ConditionName, LineCondition
from acquisition.exchange.link import Link
from acquisition.exchange.port_factory import port_of
from acquisition.port_loop import PortLoop
from acquisition.transport.ports import Port
from mapping.plan import DevicePlan, LinePlan, PollSettings

LEAST_LISTEN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """Result of one request; `found` None: no response in any try. `ms` is that of the last try."""

    found: Found | None
    ms: float


class ManualLine:
    """The exchanges of one line, with the silences and retries that a worker keeps. Any method may raise NoConnectionError."""

    def __init__(self, line: LinePlan) -> None:
        spec = driver_of(line.protocol)
        self._loop = PortLoop(port_of(line, spec))
        self._other_master: ConditionName = "second-master" if spec.serial else "shared-line"
        self._link = Link(line, spec, self._loop.time, random.random, time.monotonic_ns() & 0xFFFF)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._loop.run(self._link.close())

    @property
    def counters(self) -> Counters:
        """Counters of the line so far."""
        return self._link.counters

    @property
    def other_master(self) -> ConditionName:
        """The condition of such a line if another master talks on it."""
        return self._other_master

    def contradicted(self) -> list[Ask]:
        """Requests since the last call that were answered a second time, with other data."""
        return self._link.taken_back()

    def conditions(self) -> tuple[LineCondition, ...]:
        """Conditions that the line has shown so far."""
        return self._link.conditions.all(self._loop.time.now)

    async def listen(self, seconds: float) -> None:
        """Judge what comes within `seconds`, while nothing is asked."""
        await self._loop.run(self._link.silence.listen(seconds))

    async def ask(self, ask: Ask, device: DevicePlan) -> Exchange:
        """Ask, and again as often as the device allows."""
        await self._loop.run(self._link.open())
        found: Found | None = None
        ms = 0.0
        for _ in range(1 + device.polling.retries):
            started = time.monotonic()
            found = await self._loop.run(self._link.exchange(ask, device))
            ms = (time.monotonic() - started) * 1000
            if found is not None:
                break
        return Exchange(found, ms)


def stranger(unit: int, timeout_ms: int) -> DevicePlan:
    """A device of which nothing is known but its unit."""
    return DevicePlan(f"unit{unit}", unit, None, PollSettings(timeout_ms=timeout_ms, retries=0), (), ())


async def overheard(line: LinePlan, seconds: float = LEAST_LISTEN_S) -> bytes:
    """Octets on the line while we send nothing, for at least `seconds`; none on a connection. Raises NoConnectionError."""
    spec = driver_of(line.protocol)
    if not spec.serial:
        return b""
    port = port_of(line, spec)
    await port.open()
    try:
        return await collected(port, max(seconds, LEAST_LISTEN_S))
    finally:
        await port.close()


async def collected(port: Port, seconds: float) -> bytes:
    """Octets that are received within `seconds`. Raises NoConnectionError."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    heard = bytearray()
    while (left := until - loop.time()) > 0:
        heard += await port.read(left)
    return bytes(heard)
