"""One line in this process: the real loop over a real socket or pseudo-terminal, with simulated devices at its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.drivers.registry import by_protocol
from acquisition.line import Line
from acquisition.line_task import LineTask
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.lines import line_of
from acquisition.writes.tasks import Task, WriteTasks
from bus.messages import Command, CommandResult, Outcome, Value
from bus.quality import Stamp
from bus.system_clock import SystemClock
from mapping.plan import (
    Block,
    DevicePlan,
    Identify,
    LinePlan,
    Obis,
    Own,
    PointPlan,
    PollSettings,
    Register,
    RegisterBlock,
    RegisterType,
    Reply,
    Table,
)

BOOT = "this boot"


def register(table: Table, address: int, kind: RegisterType = "uint16", count: int = 1) -> Register:
    return Register(table, address, kind, count)


def point(number: int, name: str, source: Register | Reply | Obis | Own, **more: object) -> PointPlan:
    return PointPlan(number, name, "", source, True, 3000, 50, **more)  # type: ignore[arg-type]


def device(
    name: str, unit: int, points: Sequence[PointPlan], blocks: Sequence[Block], identify: Identify | None = None
) -> DevicePlan:
    return DevicePlan(name, unit, None, PollSettings(timeout_ms=120, retries=0), tuple(points), tuple(blocks), identify)


def meter(name: str, unit: int, first: int, *, identify: Identify | None = None) -> DevicePlan:
    """Two holding registers and whether it is online: the points `first`, `first + 1`, `first + 2`."""
    points = [
        point(first, f"{name}.power", register("holding", 0)),
        point(first + 1, f"{name}.frequency", register("holding", 1)),
        point(first + 2, f"{name}.online", Own("online")),
    ]
    return device(name, unit, points, [RegisterBlock("holding", 0, 2, 50, (first, first + 1))], identify)


def polled_with(plan: DevicePlan, **changed: object) -> DevicePlan:
    """`plan` with other poll settings."""
    return msgspec.structs.replace(plan, polling=msgspec.structs.replace(plan.polling, **changed))


class Field:
    """Publications of a line and its devices, for a test."""

    def __init__(self, plan: LinePlan) -> None:
        self.devices = {one.name: SimulatedDevice(one) for one in plan.devices}
        for simulated in self.devices.values():
            simulated.tick(0)
        self.last: dict[int, PointReading] = {}
        self.seen: list[PointReading] = []
        self.clock = SystemClock(0)  # which is exactly right
        self.stamps: list[Stamp] = []  # of the publications
        self.results: list[CommandResult] = []
        self._published = asyncio.Event()
        self._commands = WriteTasks("w", "r", BOOT, list(plan.devices), self._reading)
        self._at_ns: dict[int, int] = {}
        self._number = 0
        self.line: Line

    def started(self, task: LineTask) -> "asyncio.Task[None]":
        """Poll the line of `task`, until cancelled."""
        self.line = task.line
        return asyncio.create_task(task.run())

    def publish(self, read: list[PointReading], at: Stamp) -> None:
        self.stamps.append(at)
        self.seen += read
        self._at_ns |= dict.fromkeys((one.point for one in read), at.monotonic_ns)
        self.last |= {one.point: one for one in read}
        self._published.set()

    def _reading(self, number: int) -> tuple[Reading, int] | None:
        last = self.last.get(number)
        return None if last is None else (last.reading, self._at_ns[number])

    def heard(self, result: CommandResult) -> None:
        self.results.append(result)
        self._published.set()

    def command(self, number: int, value: Value, *, within_s: float = 2.0, pulse_ms: int = 0) -> None:
        """Order `value` for point `number`; what becomes of it goes to `results`."""
        self._number += 1
        until = int(within_s * 1e9)
        command = Command(
            "test",
            self._number,
            "r",
            number,
            value,
            BOOT,
            time.monotonic_ns() + until,
            time.time_ns() + until,
            pulse_ms=pulse_ms,
        )
        taken = self._commands.taken(command, self.clock.now())
        if isinstance(taken, Task):
            self.line.enqueue(taken, self.heard)
        else:
            self.heard(taken)

    @property
    def outcomes(self) -> list[Outcome]:
        return [one.outcome for one in self.results]

    async def until(self, true: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until `true`, woken by what the line says. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not true():
                self._published.clear()
                await self._published.wait()


@asynccontextmanager
async def polled(protocol: str, *devices: DevicePlan, **more: str | float | bool) -> AsyncIterator[Field]:
    """A line of that protocol, with `more` settings, and with simulated `devices`, polled until the block ends."""
    settings: dict[str, str | int | float | bool]
    serial = by_protocol()[protocol].serial
    settings = {"port": "pty", "baudrate": 115200} if serial else {"host": "127.0.0.1", "port": 0}
    settings |= more
    plan = LinePlan("bench", protocol, settings, devices)
    field = Field(plan)
    by_unit = {one.plan.unit: one for one in field.devices.values()}
    simulated = line_of(plan, by_unit)
    laid_over = {} if simulated is None else await simulated.start()
    plan = msgspec.structs.replace(plan, settings=settings | laid_over)
    polling = field.started(LineTask(plan, by_protocol()[protocol], field.publish, field._commands, field.clock))
    try:
        yield field
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        if simulated is not None:
            await simulated.stop()
