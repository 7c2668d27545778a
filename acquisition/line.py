"""One line's loop: commands first, then what is due; ask, wait, judge, publish. The only place that sleeps.

Everything it decides with is pure: `poller` what to ask, `transaction` whether an answer can be trusted, `readings`
what it means. Here are the clock, the port and the silence between frames.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from acquisition import identity, readings
from acquisition.commands import Commands, Task
from acquisition.convert import Reading
from acquisition.drivers.base import DriverSpec, Question, Read, Refused, Text
from acquisition.link import BUSY, Link
from acquisition.orders import Answer, Orders
from acquisition.poller import Job, Polled, Poller
from acquisition.ports import LinkError
from acquisition.readings import PointReading
from acquisition.transaction import Counters, Part
from bus import quality
from bus.messages import DeviceState, LineState
from mapping.plan import DevicePlan, LinePlan, Own, RegisterBlock, ReplyBlock

RECONNECT_FIRST_S: Final = 0.5
RECONNECT_LIMIT_S: Final = 5.0
BUSY_WAIT_S: Final = 0.1
IDLE_LIMIT_S: Final = 1.0
UNREACHED: Final = (10, 11)  # a gateway says that nobody answered behind it

log = logging.getLogger("acquisition.line")

Publish = Callable[[list[PointReading], int, int, int], None]


class Line:
    """One line with its devices. `publish(readings, monotonic_ns, utc_ns, uncertainty_ns)` takes what one exchange gave.

    What is read is as old as the middle of its exchange, give or take half of it.
    """

    def __init__(self, plan: LinePlan, spec: DriverSpec, publish: Publish, commands: Commands) -> None:
        self._plan = plan
        self._spec = spec
        self._link = Link(plan, spec)
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._poller = Poller(plan.devices, self._loop.time())
        self._states = {device.plan.name: _Online(device.plan) for device in self._poller.devices}
        self._up = False  # as people see it: a connection that is closed after each cycle is up all the while
        self._reason = "not opened yet"
        self._since_ns = time.time_ns()
        self._busy_s = 0.0
        self._load_since = self._loop.time()
        self._orders = Orders(self._link, commands, ready=self._objection, read_back=self._read_back, emit=self._emit)

    # ------------------------------------------------------------------ what the worker sees

    def order(self, task: Task, answer: Answer) -> None:
        """Put a command at the head: it is executed at the next frame border, or never after its deadline."""
        self._orders.order(task, answer)

    @property
    def counters(self) -> Counters:
        """What happened on the line, by kind."""
        return self._link.counters

    def state(self) -> LineState:
        """The line's state, with its load since the last call."""
        now = self._loop.time()
        load = self._busy_s / max(now - self._load_since, 1e-6)
        self._busy_s, self._load_since = 0.0, now
        return LineState(self._plan.name, self._up, self._since_ns, "" if self._up else self._reason, min(load, 1.0))

    def device_states(self) -> list[DeviceState]:
        """The states of its devices."""
        return [state.message() for state in self._states.values()]

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled."""
        wait = RECONNECT_FIRST_S
        try:
            while True:
                try:
                    await self._turn()
                    wait = RECONNECT_FIRST_S
                except LinkError as error:
                    await self._lost(str(error))
                    await self._pause(wait)
                    wait = min(2 * wait, RECONNECT_LIMIT_S)
        finally:
            await self._link.close()

    # ------------------------------------------------------------------ the link

    async def _connected(self) -> None:
        await self._link.open()
        if not self._up:
            self._up, self._reason, self._since_ns = True, "", time.time_ns()
            log.info("line %s: connected", self._plan.name)

    async def _lost(self, reason: str) -> None:
        await self._link.close()
        if self._up or reason != self._reason:
            log.warning("line %s: %s", self._plan.name, reason)
            self._since_ns = time.time_ns()
        self._up, self._reason = False, reason
        for device in self._poller.devices:
            self._offline(device, reason)

    async def _pause(self, seconds: float) -> None:
        """Wait, or less if a command comes; commands whose deadline passes meanwhile are ended."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._orders.wake.clear()
            self._orders.expire()
            try:
                await asyncio.wait_for(self._orders.wake.wait(), min(left, 0.1 if self._orders.pending else left))
            except TimeoutError:
                continue
            if self._up:
                return

    # ------------------------------------------------------------------ turns

    async def _turn(self) -> None:
        if await self._orders.turn():
            return
        now = self._loop.time()
        job = self._poller.next(now)
        if job is None:
            await self._pause(min(max(self._poller.next_time(now) - now, 0.0), IDLE_LIMIT_S))
            return
        await self._connected()
        started = self._loop.time()
        if not job.device.identified and not await self._identified(job):
            pass
        elif isinstance(job.due.block, RegisterBlock):
            await self._poll_registers(job, job.due.block)
        else:
            await self._poll_reply(job, job.due.block)
        self._busy_s += self._loop.time() - started
        if job.device.plan.close_after and not self._spec.serial and self._poller.next(self._loop.time()) is None:
            await self._link.close()

    async def _identified(self, job: Job) -> bool:
        """Ask the device what it is. False if nobody answered, or something else than the profile's device."""
        device = job.device.plan
        if device.identify is None:
            job.device.identified = True
            return True
        register = device.identify.register
        end = register.address + register.count
        read = Read(device.unit, register.table, register.address, register.count)
        started = self._loop.time()
        for _ in range(1 if job.probe else 1 + device.retries):
            parts = self._parts(job.device, read, [end])
            if parts is None:
                self._poller.later(job, self._loop.time(), min(job.due.period_s, 1.0))
                return False
            found = await self._link.ask_parts(device, parts)
            if isinstance(found, dict):
                raw = tuple(found[address] for address in range(register.address, end))
                return self._judged(job, identity.objection(device.identify, raw), self._loop.time() - started)
            if isinstance(found, Refused) and any(part.read.count > part.count for part in parts):
                job.device.refuses_longer.add(register.address)
            elif isinstance(found, Refused) and found.code not in (*BUSY, *UNREACHED):
                refused = f"{identity.place(device.identify)} is refused, {readings.exception(found.code)}"
                return self._judged(job, f"it is another device: {refused}", self._loop.time() - started)
        numbers = [one.number for one in device.points if one.polled and one.asked]
        self._failed(job, self._loop.time() - started, f"no answer within {device.timeout_ms} ms", numbers)
        return False

    def _judged(self, job: Job, objection: str | None, cost_s: float) -> bool:
        job.device.identified = objection is None
        if objection is not None:
            self._states[job.device.plan.name].failures += 1
            self._poller.give_up(job, self._loop.time(), cost_s)
            self._offline(job.device, objection)
        return objection is None

    async def _poll_registers(self, job: Job, block: RegisterBlock) -> None:
        device = job.device.plan
        points = readings.located(device, block)
        numbers = [one.point.number for one in points]
        edges = readings.borders(points, block)
        read = Read(device.unit, block.table, block.address, block.count)
        started = self._loop.time()
        tries = 1 if job.probe else 1 + device.retries
        refusal: Refused | None = None
        while tries:
            tries -= 1
            parts = self._parts(job.device, read, edges)
            if parts is None:
                self._poller.later(job, self._loop.time(), min(job.due.period_s, 1.0))
                return
            asked = self._loop.time()
            found = await self._link.ask_parts(device, parts)
            if isinstance(found, dict):
                self._answered(job, readings.from_registers(points, found), asked)
                return
            if isinstance(found, Refused):
                if any(part.read.count > part.count for part in parts) and found.code in (2, 3):
                    job.device.refuses_longer.add(block.address)
                    tries += 1
                elif found.code in BUSY and tries:
                    await asyncio.sleep(max(BUSY_WAIT_S, device.pause_ms / 1000))
                elif found.code not in UNREACHED:
                    refusal = found
                    break
        if refusal is None:
            self._failed(job, self._loop.time() - started, f"no answer within {device.timeout_ms} ms", numbers)
        elif refusal.code in (2, 3) and self._poller.split(job, edges, self._loop.time()):
            self._answered(job, [])
        else:
            self._answered(job, readings.refused(numbers, refusal.code))

    def _parts(self, device: Polled, read: Read, borders: Sequence[int]) -> list[Part] | None:
        longer = read.address not in device.refuses_longer
        return self._link.parts(read, borders, max_registers=device.plan.max_registers, longer=longer)

    async def _poll_reply(self, job: Job, block: ReplyBlock) -> None:
        device = job.device.plan
        started = self._loop.time()
        reason = f"no answer within {device.timeout_ms} ms"
        for _ in range(1 if job.probe else 1 + device.retries):
            asked = self._loop.time()
            found = await self._link.exchange(Question(block.request, block.end), device)
            if isinstance(found, Text):
                read = readings.from_line(device, block.points, found.line)
                if read is not None:
                    self._answered(job, read, asked)
                    return
                reason = f"the answer `{found.line[:40]}` fits no expression"
        self._failed(job, self._loop.time() - started, reason, block.points)

    # ------------------------------------------------------------------ outcomes

    def _answered(self, job: Job, read: list[PointReading], asked: float | None = None) -> None:
        """The device has answered: `asked` is when it was asked for what was read."""
        device = job.device
        self._poller.answered(job, self._loop.time())
        state = self._states[device.plan.name]
        state.polls += 1
        own = state.changed(True, "")
        if own:
            log.info("device %s: online", device.plan.name)
        self._emit(read + own, asked)

    def _failed(self, job: Job, cost_s: float, reason: str, numbers: Sequence[int]) -> None:
        device = job.device
        state = self._states[device.plan.name]
        state.polls += 1
        state.failures += 1
        given_up = self._poller.failed(job, self._loop.time(), cost_s)
        if given_up or device.down:
            self._offline(device, reason)
        else:
            self._emit(readings.no_answer(numbers, reason))

    def _offline(self, device: Polled, reason: str) -> None:
        device.identified = False
        state = self._states[device.plan.name]
        own = state.changed(False, reason)
        if own:
            log.warning("device %s: offline, %s", device.plan.name, reason)
            polled = [one.number for one in device.plan.points if one.polled and one.asked]
            self._emit(readings.no_answer(polled, reason) + own)

    def _emit(self, read: list[PointReading], asked: float | None = None) -> None:
        if read:
            half_ns = 0 if asked is None else round((self._loop.time() - asked) * 5e8)
            self._publish(read, time.monotonic_ns(), time.time_ns() - half_ns, half_ns)

    # ------------------------------------------------------------------ commands

    def _objection(self, task: Task) -> str | None:
        identified = task.device.identify is None or self._polled(task.device).identified
        return None if identified else "the device has not identified itself yet"

    async def _read_back(self, task: Task) -> tuple[int, ...] | None:
        """The registers that prove `task`; None if there was no answer, or none can be asked for safely now."""
        assert task.proof is not None  # noqa: S101 - asked by whoever knows
        end = task.proof.address + task.proof.count
        parts = self._parts(self._polled(task.device), task.proof, [end])
        found = None if parts is None else await self._link.ask_parts(task.device, parts)
        return tuple(found[at] for at in range(task.proof.address, end)) if isinstance(found, dict) else None

    def _polled(self, plan: DevicePlan) -> Polled:
        return next(one for one in self._poller.devices if one.plan is plan)


class _Online:
    """Whether a device is online, since when, and what was last wrong; its own two points follow."""

    def __init__(self, plan: DevicePlan) -> None:
        self._plan = plan
        self._own = {one.source.name: one.number for one in plan.points if isinstance(one.source, Own)}
        self._online: bool | None = None
        self._reason = ""
        self._since_ns = time.time_ns()
        self.polls = 0
        self.failures = 0

    def changed(self, online: bool, reason: str) -> list[PointReading]:
        """The readings of its own points if the state, or why it is offline, has changed; otherwise none."""
        if online is self._online and reason in ("", self._reason):
            return []
        if online is not self._online:
            self._online, self._since_ns = online, time.time_ns()
        self._reason = reason or self._reason
        shown: dict[str, bool | str] = {"online": online, "last_error": self._reason}
        return [PointReading(number, Reading(shown[name], quality.GOOD)) for name, number in self._own.items()]

    def message(self) -> DeviceState:
        """As it travels in the heartbeat."""
        return DeviceState(self._plan.name, bool(self._online), self._since_ns, self._reason, self.polls, self.failures)
