"""An RTU line in virtual time: a loop that never sleeps, and a port with devices at its end that misbehave on request.

    register A of unit U     even A: U << 8 | A         odd A: the time in ms, modulo 65536, when the request was heard

So a value tells whose it is, where it stood, and when it was held.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.registry import by_protocol
from acquisition.line_task import LineTask
from acquisition.transport.errors import NoConnectionError
from acquisition.transport.receive_buffer import ReceiveBuffer
from acquisition.writes.tasks import WriteTasks
from bus import quality
from bus.quality import Stamp
from bus.system_clock import SystemClock
from mapping.plan import DevicePlan, LinePlan

CHARACTER_S = 10 / 19200
TURNAROUND_S = 0.005


class _Instant(selectors.DefaultSelector):
    """Waits for nothing: what it would have slept, the clock leaps. A pass of the loop takes a microsecond."""

    slept = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            self.slept += max(timeout or 0.0, 1e-6)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return 1000.0 + self._instant.slept


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it to its end in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


def crc(octets: bytes) -> bytes:
    value = 0xFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


@dataclass
class Unit:
    """One device. `late(random)`: seconds on top of its turnaround; `spoil(frame, random)`: what comes of its frame.

    It answers one request after the other: no answer of it overtakes an earlier one.
    """

    holes: range = range(0)
    dead: bool = False
    late: Callable[[random.Random], float] = lambda _random: 0.0
    spoil: Callable[[bytes, random.Random], bytes] = lambda frame, _random: frame
    refuse: Callable[[random.Random], int] = lambda _random: 0
    first: int = 0
    last: int = 0xFFFF
    answered_at: float = 0.0  # the last request
    asked: list[float] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)


class Wire:
    """The port of a line with `units` at its end; keeps what went over it."""

    def __init__(self, units: dict[int, Unit], *, seed: int = 1, echo: bool = False) -> None:
        self.units = units
        self.random = random.Random(seed)
        self.echo = echo
        self.loop = asyncio.get_running_loop()
        self.inbox = ReceiveBuffer()
        self.quiet_since = self.loop.time()
        self.gaps: list[float] = []
        self.late = 0
        self.unplugged = False
        self.opened: list[float] = []  # when it was tried

    @property
    def came_at(self) -> float:
        return self.inbox.came_at

    async def open(self) -> None:
        self.opened.append(self.loop.time())
        if self.unplugged:
            raise NoConnectionError("no such device")

    async def close(self) -> None:
        pass

    async def read(self, timeout_s: float) -> bytes:
        return await self.inbox.take(timeout_s)

    async def set_baudrate(self, baudrate: int) -> None:
        pass

    async def write(self, octets: bytes) -> None:
        if self.unplugged:
            raise NoConnectionError("port lost: end of file")
        now = self.loop.time()
        self.gaps.append(now - self.quiet_since)
        ended = self.quiet_since = now + len(octets) * CHARACTER_S
        if self.echo:
            self.loop.call_at(ended, self.say, octets)
        unit = self.units.get(octets[0])
        if unit is None or unit.dead:
            return
        unit.asked.append(now)
        late_s = unit.late(self.random)
        self.late += late_s > 0
        answer = octets[:1] + self.answer(unit, octets, ended)
        frame = unit.spoil(answer + crc(answer), self.random)
        begun = max(ended, unit.answered_at)
        unit.answered_at = begun + TURNAROUND_S + late_s + len(frame) * CHARACTER_S
        self.loop.call_at(unit.answered_at, self.say, frame)

    def answer(self, unit: Unit, octets: bytes, now: float) -> bytes:
        function, address, count = octets[1], int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:6], "big")
        if code := unit.refuse(self.random):
            return bytes((function | 0x80, code))
        if function in (5, 6):
            unit.writes.append((address, count))
            return octets[1:6]
        wanted = range(address, address + count)
        if address < unit.first or wanted[-1] > unit.last or any(at in unit.holes for at in wanted):
            return bytes((function | 0x80, 2))
        held = int(now * 1000) & 0xFFFF
        if function in (1, 2):
            bits = sum((octets[0] + at & 1) << place for place, at in enumerate(wanted))
            return bytes((function, -(-count // 8))) + bits.to_bytes(-(-count // 8), "little")
        words = [held if at % 2 else octets[0] << 8 | at & 0xFF for at in wanted]
        return bytes((function, 2 * count)) + b"".join(word.to_bytes(2, "big") for word in words)

    def say(self, octets: bytes) -> None:
        if octets:
            self.quiet_since = self.loop.time()
            self.inbox.put(octets)


class LoopClock(SystemClock):
    """The time of the running loop."""

    def now(self) -> Stamp:
        """Stamp of this moment."""
        now_ns = round(asyncio.get_running_loop().time() * 1e9)
        return Stamp(now_ns, now_ns)


@dataclass
class Heard:
    """One exchange's readings, when they were published, and the time of their request by their stamp."""

    at: float
    asked_at: float
    read: list[PointReading]

    @property
    def good(self) -> bool:
        return all(quality.is_good(one.reading.quality) for one in self.read)


class Polling:
    """A line that polls over a wire, and what it published."""

    def __init__(
        self,
        units: dict[int, Unit],
        devices: list[DevicePlan],
        *,
        seed: int = 1,
        echo: bool = False,
        settings: dict[str, str | int | float | bool] | None = None,
    ) -> None:
        self.wire = Wire(units, seed=seed, echo=echo)
        self.heard: list[Heard] = []
        self.last: dict[int, PointReading] = {}
        self.commands = WriteTasks("w", "r", "boot", devices)
        given: dict[str, str | int | float | bool] = {"port": "", "baudrate": 19200, **(settings or {})}
        plan = LinePlan("bench", "modbus-rtu", given, tuple(devices))
        spec = by_protocol()["modbus-rtu"]
        self.task = LineTask(
            plan, spec, self.publish, self.commands, LoopClock(), port=self.wire, draw=random.Random(seed + 1).random
        )
        self.line = self.task.line

    def publish(self, read: list[PointReading], stamp: Stamp) -> None:
        now = asyncio.get_running_loop().time()
        self.heard.append(Heard(now, 2 * stamp.utc_ns / 1e9 - now, read))
        self.last |= {one.point: one for one in read}

    async def poll(self, seconds: float) -> None:
        """For so long, then no more."""
        task = asyncio.ensure_future(self.task.run())
        await asyncio.wait((task,), timeout=seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
