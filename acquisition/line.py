"""One line's loop: commands first, then what is due; ask, wait, judge, publish. The only place that sleeps.

Everything it decides with is pure: `poller` what to ask, `transaction` whether an answer can be trusted, `readings`
what it means. Here are the clock, the port and the silence between frames.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from acquisition import readings, transaction
from acquisition.commands import Commands, Task, proves
from acquisition.convert import Reading
from acquisition.drivers.base import (
    Ask,
    Confirmed,
    DriverSpec,
    Foreign,
    Found,
    Question,
    Read,
    Refused,
    Registers,
    Text,
)
from acquisition.poller import Job, Polled, Poller
from acquisition.ports import LinkError, Port, SerialPort, TcpPort
from acquisition.readings import PointReading
from acquisition.transaction import Counters, Ghosts
from bus import quality
from bus.messages import CommandResult, DeviceState, LineState, Outcome
from mapping.plan import DevicePlan, LinePlan, Own, RegisterBlock, ReplyBlock

RECONNECT_FIRST_S: Final = 0.5
RECONNECT_LIMIT_S: Final = 5.0
BUSY_WAIT_S: Final = 0.1
IDLE_LIMIT_S: Final = 1.0
SILENCE_CHARACTERS: Final = 3.5
SILENCE_FAST_S: Final = 0.00175  # above 19200 baud
BUSY: Final = (5, 6)
UNREACHED: Final = (10, 11)  # a gateway says that nobody answered behind it
_FUNCTION_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}

log = logging.getLogger("acquisition.line")

Publish = Callable[[list[PointReading], int, int], None]
Answer = Callable[[CommandResult], None]


class Line:
    """One line with its devices. `publish(readings, monotonic_ns, utc_ns)` takes what one exchange gave."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, publish: Publish, commands: Commands) -> None:
        self._plan = plan
        self._spec = spec
        self._driver = spec.make()
        self._port: Port = SerialPort(plan.settings) if spec.serial else TcpPort(plan.settings)
        self._publish = publish
        self._commands = commands
        self._loop = asyncio.get_running_loop()
        self._poller = Poller(plan.devices, self._loop.time())
        self._states = {device.plan.name: _Online(device.plan) for device in self._poller.devices}
        self._ghosts = Ghosts()
        self._buffer = bytearray()
        self._tag = time.monotonic_ns() & 0xFFFF
        self._open = False
        self._reason = "not opened yet"
        self._since_ns = time.time_ns()
        self._quiet_since = self._loop.time()
        self._asked_at: dict[int, float] = {}  # when the last exchange with a unit ended
        self._longest_answer_s = 0.0
        self._busy_s = 0.0
        self._load_since = self._loop.time()
        self._tasks: deque[tuple[Task, Answer]] = deque()
        self._wake = asyncio.Event()
        self._character_s = _character_s(plan) if spec.serial else 0.0
        self.counters = Counters()

    # ------------------------------------------------------------------ what the worker sees

    def order(self, task: Task, answer: Answer) -> None:
        """Put a command at the head: it is executed at the next frame border, or never after its deadline."""
        self._tasks.append((task, answer))
        self._wake.set()

    def state(self) -> LineState:
        """The line's state, with its load since the last call."""
        now = self._loop.time()
        load = self._busy_s / max(now - self._load_since, 1e-6)
        self._busy_s, self._load_since = 0.0, now
        return LineState(
            self._plan.name, self._open, self._since_ns, "" if self._open else self._reason, min(load, 1.0)
        )

    def device_states(self) -> list[DeviceState]:
        """The states of its devices."""
        return [state.message() for state in self._states.values()]

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled."""
        wait = RECONNECT_FIRST_S
        try:
            while True:
                try:
                    await self._connected()
                    wait = RECONNECT_FIRST_S
                    await self._turn()
                except LinkError as error:
                    await self._lost(str(error))
                    await self._pause(wait)
                    wait = min(2 * wait, RECONNECT_LIMIT_S)
        finally:
            await self._port.close()

    # ------------------------------------------------------------------ the link

    async def _connected(self) -> None:
        if self._open:
            return
        await self._port.open()
        self._open, self._since_ns = True, time.time_ns()
        self._ghosts.clear()
        self._buffer.clear()
        self._quiet_since = self._loop.time()
        self.counters.reconnects += 1
        if self._reason:
            log.info("line %s: connected", self._plan.name)
        self._reason = ""

    async def _lost(self, reason: str) -> None:
        await self._port.close()
        if self._open or reason != self._reason:
            log.warning("line %s: %s", self._plan.name, reason)
        self._open, self._reason, self._since_ns = False, reason, time.time_ns()
        for device in self._poller.devices:
            self._offline(device, reason)

    async def _hang_up(self) -> None:
        """Close on purpose: the next exchange opens again, and nobody is told."""
        await self._port.close()
        self._open, self._reason = False, ""

    async def _pause(self, seconds: float) -> None:
        """Wait, or less if a command comes; commands whose deadline passes meanwhile are ended."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._wake.clear()
            self._expire_tasks()
            try:
                await asyncio.wait_for(self._wake.wait(), min(left, 0.1 if self._tasks else left))
            except TimeoutError:
                continue
            if self._open:
                return

    # ------------------------------------------------------------------ turns

    async def _turn(self) -> None:
        if self._tasks:
            task, answer = self._tasks.popleft()
            await self._execute(task, answer)
            return
        now = self._loop.time()
        job = self._poller.next(now)
        if job is None:
            await self._pause(min(max(self._poller.next_time(now) - now, 0.0), IDLE_LIMIT_S))
            return
        started = self._loop.time()
        if isinstance(job.due.block, RegisterBlock):
            await self._poll_registers(job, job.due.block)
        else:
            await self._poll_reply(job, job.due.block)
        self._busy_s += self._loop.time() - started
        if job.device.plan.close_after and not self._spec.serial:
            await self._hang_up()

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
            parts = self._parts(job.device, read, edges, device.max_registers)
            if parts is None:
                self._poller.later(job, self._loop.time(), min(job.due.period_s, 1.0))
                return
            found = await self._ask_parts(device, parts)
            if isinstance(found, dict):
                self._answered(job, readings.from_registers(points, found))
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

    def _parts(
        self, device: Polled, read: Read, edges: Sequence[int], max_registers: int
    ) -> list[transaction.Part] | None:
        if self._spec.tagged:
            return [transaction.Part(read, read.address, read.count)]
        bits = read.table in ("coil", "discrete")
        limit = transaction.BITS_LIMIT if bits else min(max_registers, transaction.REGISTERS_LIMIT)
        longer = read.address not in device.refuses_longer
        return transaction.safe_parts(read, edges, self._ghosts, self._loop.time(), limit=limit, longer=longer)

    async def _ask_parts(
        self, device: DevicePlan, parts: Sequence[transaction.Part]
    ) -> dict[int, int] | Refused | None:
        """The registers by address; Refused if the device said no to one part, None if one was not answered."""
        values: dict[int, int] = {}
        for part in parts:
            found = await self._exchange(part.read, device)
            if not isinstance(found, Registers):
                return found if isinstance(found, Refused) else None
            values.update(zip(range(part.start, part.start + part.count), found.values, strict=False))
        return values

    async def _poll_reply(self, job: Job, block: ReplyBlock) -> None:
        device = job.device.plan
        started = self._loop.time()
        reason = f"no answer within {device.timeout_ms} ms"
        for _ in range(1 if job.probe else 1 + device.retries):
            found = await self._exchange(Question(block.request, block.end), device)
            if isinstance(found, Text):
                read = readings.from_line(device, block.points, found.line)
                if read is not None:
                    self._answered(job, read)
                    return
                reason = f"the answer `{found.line[:40]}` fits no expression"
        self._failed(job, self._loop.time() - started, reason, block.points)

    # ------------------------------------------------------------------ one exchange

    async def _exchange(self, ask: Ask, device: DevicePlan) -> Found | None:
        """Ask and wait for the answer, at most the device's time-out; None if there is none. Raises LinkError."""
        await self._connected()
        await self._silence(device)
        self._buffer.clear()
        self.counters.discarded_octets += self._port.discard()
        self._tag = transaction.next_tag(self._tag)
        octets = self._driver.request(ask, self._tag)
        await self._port.write(octets)
        self.counters.requests += 1
        sent = self._loop.time() + len(octets) * self._character_s
        timeout_s = device.timeout_ms / 1000
        answer_octets = transaction.octets_of(ask) + 5 if isinstance(ask, Read) else 8
        found = await self._await_answer(ask, sent + timeout_s + answer_octets * self._character_s)
        now = self._loop.time()
        self._asked_at[device.unit] = now
        if found is not None:
            self.counters.answers += 1
            self.counters.exceptions += isinstance(found, Refused)
            self.counters.busy += isinstance(found, Refused) and found.code in BUSY
            self._longest_answer_s = max(self._longest_answer_s, now - sent)
            return found
        self.counters.timeouts += 1
        await self._after_timeout(ask, timeout_s)
        return None

    async def _await_answer(self, ask: Ask, deadline: float) -> Found | None:
        while (left := deadline - self._loop.time()) > 0:
            octets = await self._port.read(left)
            if not octets:
                continue
            self._quiet_since = self._loop.time()
            self._buffer += octets
            while (found := self._driver.take(ask, self._tag, self._buffer)) is not None:
                if not isinstance(found, Foreign):
                    return found
                self.counters.foreign += 1
                self._ghosts.lay(found, _FUNCTION_TABLES)
        return None

    async def _after_timeout(self, ask: Ask, timeout_s: float) -> None:
        """Leave a ghost, and let the line fall silent; what comes is thrown away."""
        if self._spec.tagged:
            return
        if isinstance(ask, Read):
            self._ghosts.raise_for(ask, self._loop.time(), timeout_s)
        if isinstance(ask, Question):
            await self._until_late_line(ask, 4 * timeout_s)
            return
        hold = min(self._longest_answer_s, timeout_s)
        until = self._loop.time() + timeout_s
        while self._loop.time() < until:
            octets = await self._port.read(min(hold, until - self._loop.time()))
            if not octets:
                return
            self._quiet_since = self._loop.time()
            self._late(ask, octets)

    def _late(self, ask: Ask, octets: bytes) -> None:
        self._buffer += octets
        while (found := self._driver.take(ask, self._tag, self._buffer)) is not None:
            self.counters.late += 1
            if isinstance(found, Registers) and isinstance(ask, Read):
                found = Foreign(ask.unit, _function(ask), transaction.octets_of(ask))
            if isinstance(found, Foreign):
                self._ghosts.lay(found, _FUNCTION_TABLES)

    async def _until_late_line(self, ask: Question, seconds: float) -> None:
        """A line of text tells nothing of its question: wait for the missing one, or long enough that none will come."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._buffer += await self._port.read(left)
            if self._driver.take(ask, self._tag, self._buffer) is not None:
                self.counters.late += 1
                return

    async def _silence(self, device: DevicePlan) -> None:
        """The silence before a frame: 3.5 characters of the line, and the device's own pause."""
        wanted = self._quiet_since + self._frame_silence_s()
        if device.pause_ms and device.unit in self._asked_at:
            wanted = max(wanted, self._asked_at[device.unit] + device.pause_ms / 1000)
        while (left := wanted - self._loop.time()) > 0:  # a sleep may end early  # noqa: ASYNC110
            await asyncio.sleep(left)

    def _frame_silence_s(self) -> float:
        if not self._spec.frame_silence:
            return 0.0
        baudrate = int(self._plan.settings.get("baudrate", 9600))
        return SILENCE_FAST_S if baudrate > 19200 else SILENCE_CHARACTERS * self._character_s

    # ------------------------------------------------------------------ outcomes

    def _answered(self, job: Job, read: list[PointReading]) -> None:
        device = job.device
        self._poller.answered(job, self._loop.time())
        state = self._states[device.plan.name]
        state.polls += 1
        own = state.changed(True, "")
        if own:
            log.info("device %s: online", device.plan.name)
        self._emit(read + own)

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
        state = self._states[device.plan.name]
        own = state.changed(False, reason)
        if own:
            log.warning("device %s: offline, %s", device.plan.name, reason)
            polled = [one.number for one in device.plan.points if one.polled and not isinstance(one.source, Own)]
            self._emit(readings.no_answer(polled, reason) + own)

    def _emit(self, read: list[PointReading]) -> None:
        if read:
            self._publish(read, time.monotonic_ns(), time.time_ns())

    # ------------------------------------------------------------------ commands

    def _expire_tasks(self) -> None:
        for _ in range(len(self._tasks)):
            task, answer = self._tasks.popleft()
            if self._expired(task):
                answer(self._result(task, Outcome.EXPIRED, "its deadline passed before it could be written"))
            else:
                self._tasks.append((task, answer))

    def _expired(self, task: Task) -> bool:
        return self._commands.expired(task.command, time.monotonic_ns(), time.time_ns())

    async def _execute(self, task: Task, answer: Answer) -> None:
        await self._silence(task.device)
        if self._expired(task):
            answer(self._result(task, Outcome.EXPIRED, "its deadline passed before it could be written"))
            return
        try:
            found = await self._exchange(task.write, task.device)
        except LinkError as error:
            answer(self._result(task, Outcome.NO_ANSWER, str(error)))
            raise
        if isinstance(found, Refused):
            reason = f"exception {found.code} ({readings.EXCEPTIONS.get(found.code, 'unknown')})"
            answer(self._result(task, Outcome.EXCEPTION, reason, found.code))
        elif not isinstance(found, Confirmed):
            answer(self._result(task, Outcome.NO_ANSWER, f"no answer within {task.device.timeout_ms} ms"))
        else:
            answer(self._result(task, Outcome.ACCEPTED, ""))
            await self._prove(task, answer)

    async def _prove(self, task: Task, answer: Answer) -> None:
        """Read back until it shows what was written, or the deadline passes."""
        if task.proof is None:
            return
        device = next(one for one in self._poller.devices if one.plan is task.device)
        shown = ""
        while not self._expired(task):
            edges = [task.proof.address + task.proof.count]
            parts = self._parts(device, task.proof, edges, task.device.max_registers)
            found = None if parts is None else await self._ask_parts(task.device, parts)
            if isinstance(found, dict):
                raw = tuple(found[address] for address in range(task.proof.address, edges[0]))
                if proves(task, raw):
                    answer(self._result(task, Outcome.PROVEN, ""))
                    self._emit(_proven(task, raw))
                    return
                shown = " ".join(f"{one:04x}" for one in raw)
            await asyncio.sleep(BUSY_WAIT_S)
        answer(self._result(task, Outcome.DIFFERS, f"reads back {shown or 'nothing'}"))

    def _result(self, task: Task, outcome: Outcome, reason: str, detail: int = 0) -> CommandResult:
        return self._commands.result(task.command, outcome, time.time_ns(), reason, detail)


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
        """The readings of its own points if the state has changed, otherwise none."""
        if online is self._online:
            return []
        self._online, self._since_ns = online, time.time_ns()
        self._reason = reason or self._reason
        shown: dict[str, bool | str] = {"online": online, "last_error": self._reason}
        return [PointReading(number, Reading(shown[name], quality.GOOD)) for name, number in self._own.items()]

    def message(self) -> DeviceState:
        """As it travels in the heartbeat."""
        return DeviceState(self._plan.name, bool(self._online), self._since_ns, self._reason, self.polls, self.failures)


def _character_s(plan: LinePlan) -> float:
    settings = plan.settings
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    return bits / float(settings.get("baudrate", 9600))


def _function(read: Read) -> int:
    """The function code with which `read` is asked."""
    return next(function for function, table in _FUNCTION_TABLES.items() if table == read.table)


def _proven(task: Task, raw: tuple[int, ...]) -> list[PointReading]:
    located = [readings.Located(task.point, task.point.source)]  # type: ignore[arg-type]
    assert task.proof is not None  # noqa: S101 - it was just read
    return readings.from_registers(located, dict(enumerate(raw, task.proof.address)))
