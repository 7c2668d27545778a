"""Loop of one line: queued writes first, then the block that is due; request, wait, classify, publish.

It decides nothing by itself: `polling` has the schedule, `exchange` matches responses with requests, `decoding` turns
registers into readings. Here are the task that waits, the state of the line and its log.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from acquisition.decoding import failure_quality
from acquisition.decoding.device_status import DeviceStatus
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import DriverSpec
from acquisition.exchange import attempt
from acquisition.exchange.attempt import (
    AttemptResult,
    BadFrame,
    BlockReadings,
    Deferral,
    DeviceException,
    ResponseTimeout,
    WrongDevice,
)
from acquisition.exchange.counters import BUSY, Counters
from acquisition.exchange.link import Link
from acquisition.polling.path_failover import Paths
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from acquisition.polling.scheduler import Job, PolledDevice, Scheduler
from acquisition.transport.ports import NoConnectionError, Port
from acquisition.writes.queue import OnResult, WriteQueue
from acquisition.writes.tasks import Task, WriteTasks
from bus import logs
from bus.clock import middle
from bus.messages import DeviceState, LineState
from bus.quality import Stamp
from bus.system_clock import SystemClock
from mapping.plan import DevicePlan, LinePlan

RECONNECT_FIRST_S: Final = 0.5
RECONNECT_LIMIT_S: Final = 5.0  # or the shortest period: what returns is polled within it
BUSY_WAIT_S: Final = 0.1
IDLE_LIMIT_S: Final = 1.0
DEFERRAL_S: Final = 0.5

log = logging.getLogger("acquisition.line")

Publish = Callable[[list[PointReading], Stamp], None]
RefusalsChanged = Callable[[DevicePlan, Sequence[RefusedRange], str], None]


class Line:
    """One line with its devices. `publish(readings, stamp)` takes what one exchange gave; `clock` stamps its middle.

    `refused`: ranges that devices have refused before, by name; `refused_changed(device, ranges, identity)` gets those of now.
    `port` is the plan's unless one is given. `phase`, from 0 to 1, is its place among the lines of its worker.
    """

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        publish: Publish,
        tasks: WriteTasks,
        clock: SystemClock,
        *,
        refused: dict[str, DeviceRefusals] | None = None,
        refused_changed: RefusalsChanged = lambda _device, _ranges, _identity: None,
        port: Port | None = None,
        phase: float = 0.0,
        paths: Paths | None = None,
    ) -> None:
        self._plan = plan
        self._paths = paths or Paths(lambda _device, _text: None)  # without a second path there is no switch
        self._spec = spec
        self._link = Link(plan, spec, port)
        self._publish = publish
        self._clock = clock
        self._refused_changed = refused_changed
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler((*plan.devices, *plan.fallbacks), self._loop.time(), refused, phase)
        self._fallbacks = {one.name for one in plan.fallbacks}
        for device in self._scheduler.devices:
            device.suspended = device.plan.name in self._fallbacks
        self._reconnect_limit_s = _reconnect_limit_s(plan)
        self._logs = {
            name: logging.LoggerAdapter(log, {"device": name})
            for name in {one.plan.name for one in self._scheduler.devices}
        }
        self._states = {
            device.plan.name: DeviceStatus(device.plan, clock.now().utc_ns) for device in self._scheduler.devices
        }
        self._up = False  # for the operator: a connection that is closed after each exchange is up all the while
        self._reason = "not opened yet" if plan.devices else "stands by"
        self._since_ns = clock.now().utc_ns
        self._busy_s = 0.0
        self._load_since = self._loop.time()
        self._writes = WriteQueue(
            self._link, tasks, clock, not_ready=self._not_ready, read_back=self._read_back, emit=self._emit
        )

    # ------------------------------------------------------------------ for the worker

    @property
    def name(self) -> str:
        """The line's name."""
        return self._plan.name

    def suspend(self, device: str) -> None:
        """Another path is active for `device`: request nothing of it."""
        for one in self._named(device):
            self._scheduler.suspend(one)

    def resume(self, device: str) -> None:
        """This path is active for `device` now."""
        for one in self._named(device):
            self._states[device] = DeviceStatus(one.plan, self._clock.now().utc_ns)
            self._scheduler.resume(one, self._loop.time())
        self._writes.wake.set()

    def reached(self, device: str) -> DevicePlan | None:
        """Plan of `device` on this line; None if it is not on it."""
        return next((one.plan for one in self._named(device)), None)

    def _named(self, device: str) -> list[PolledDevice]:
        return [one for one in self._scheduler.devices if one.plan.name == device]

    def enqueue(self, task: Task, on_result: OnResult) -> None:
        """Put a write ahead of the polls: it is sent at the next frame border, or never after its deadline."""
        self._writes.enqueue(task, on_result)

    @property
    def counters(self) -> Counters:
        """Counters of the line, by kind."""
        return self._link.counters

    def turnarounds(self) -> dict[str, tuple[int, float]]:
        """The unit of each device that has answered often enough, and its turnaround in seconds."""
        known = self._link.turnarounds.known()
        return {
            one.plan.name: (one.plan.unit, known[one.plan.unit])
            for one in self._scheduler.devices
            if one.plan.unit in known and one.plan.name not in self._fallbacks
        }

    def state(self) -> LineState:
        """The line's state, with its load since the last call."""
        now = self._loop.time()
        load = self._busy_s / max(now - self._load_since, 1e-6)
        self._busy_s, self._load_since = 0.0, now
        late = round(self._scheduler.lateness(now), 3) if self._up else 0.0
        reason = "" if self._up else self._reason
        return LineState(self._plan.name, self._up, self._since_ns, reason, min(load, 1.0), late)

    def device_states(self) -> list[DeviceState]:
        """The states of its devices; of one that has two paths, while this one is active."""
        return [state.message() for name, state in self._states.items() if self._paths.is_active(name, self)]

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled. Every log record of it carries the line."""
        with logs.bound(line=self._plan.name):
            await self._run()

    async def _run(self) -> None:
        wait = RECONNECT_FIRST_S
        try:
            while True:
                try:
                    await self._turn()
                    wait = RECONNECT_FIRST_S
                except NoConnectionError as error:
                    await self._lost(str(error))
                    await self._pause(wait)
                    wait = min(2 * wait, self._reconnect_limit_s)
        finally:
            await self._writes.end()
            await self._link.close()

    # ------------------------------------------------------------------ the link

    async def _connected(self) -> None:
        await self._link.open()
        if not self._up:
            self._up, self._reason, self._since_ns = True, "", self._clock.now().utc_ns
            log.info("line %s: connected", self._plan.name)

    async def _lost(self, reason: str) -> None:
        await self._link.close()
        if self._up or reason != self._reason:
            log.warning("line %s: %s", self._plan.name, reason)
            self._since_ns = self._clock.now().utc_ns
        self._up, self._reason = False, reason
        for device in self._scheduler.devices:
            if not device.suspended:
                self._offline(device, reason)

    async def _pause(self, seconds: float) -> None:
        """Wait, or less if a write comes; writes whose deadline passes meanwhile are ended."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._writes.wake.clear()
            self._writes.expire()
            try:
                await asyncio.wait_for(self._writes.wake.wait(), min(left, 0.1 if self._writes.pending else left))
            except TimeoutError:
                continue
            if self._up:
                return

    # ------------------------------------------------------------------ turns

    async def _turn(self) -> None:
        if await self._writes.turn():
            return
        now = self._loop.time()
        job = self._scheduler.next(now)
        if job is None:
            await self._pause(min(max(self._scheduler.next_time() - now, 0.0), IDLE_LIMIT_S))
            return
        await self._connected()
        started = self._loop.time()
        if others := self._scheduler.concurrent(job, now):
            async for one, result in attempt.poll_concurrently(self._link, [job, *others]):
                self._conclude(one, result, self._loop.time(), self._loop.time() - started)
        else:
            result = await attempt.poll(self._link, job)
            self._conclude(job, result, self._loop.time(), self._loop.time() - started)
        await self._recognize(job.device)
        self._busy_s += self._loop.time() - started

    async def _recognize(self, device: PolledDevice) -> None:
        """Ask a device that refuses registers for its identity: those that another one has refused are requested again."""
        if not self._spec.protocol.modbus or device.identity is not None or device.down:
            return
        if not (device.identified and device.refused_ranges()):
            return
        device.identity = await attempt.identity_of(self._link, device.plan)
        if not device.identity or device.identity == device.known_identity:
            return
        if device.known_identity:
            text = "device %s: it is `%s` now, and was `%s`: what that one refused is asked for again"
            self._logs[device.plan.name].warning(text, device.plan.name, device.identity, device.known_identity)
            self._scheduler.retry_refused(device, self._loop.time())
        device.known_identity = device.identity
        self._remember(device)

    def _conclude(self, job: Job, result: AttemptResult, now: float, cost_s: float) -> None:
        match result:
            case BlockReadings(read, asked_at):
                if self._scheduler.succeeded(job, now):
                    self._remember(job.device)
                self._responded(job.device, read, asked_at)
            case ResponseTimeout(reason) | BadFrame(reason):
                failed = self._scheduler.timed_out(job, now, cost_s)
                if failed is not None:
                    self._failed(job, reason)
            case WrongDevice(reason):
                self._states[job.device.plan.name].failures += 1
                self._scheduler.give_up(job, now, cost_s)
                self._offline(job.device, reason)
            case DeviceException(code, certain):
                self._refused(job, code, now, certain=certain)
            case Deferral(at_once):
                if not at_once:
                    self._scheduler.defer(job, now, min(job.due.period_s, DEFERRAL_S))

    def _refused(self, job: Job, code: int, now: float, *, certain: bool) -> None:
        read = failure_quality.refused([one.point.number for one in job.due.located], code)
        if code in BUSY:
            if self._scheduler.busy(job, now, max(BUSY_WAIT_S, job.device.plan.polling.pause_ms / 1000)):
                return
        elif code in attempt.ABSENT and certain:
            known = job.due.refused is not None
            if self._scheduler.split(job, code, now):
                read = []
            elif not known:
                place = job.due.refused.place() if job.due.refused is not None else ""
                name, exception = job.device.plan.name, failure_quality.exception(code)
                self._logs[name].warning("device %s: %s is refused, %s", name, place, exception)
                self._remember(job.device)
            self._responded(job.device, read)
            return
        self._scheduler.answered(job, now)
        self._responded(job.device, read)

    # ------------------------------------------------------------------ results

    def _responded(self, device: PolledDevice, read: list[PointReading], asked_at: float | None = None) -> None:
        self._paths.answered(device.plan.name, self)
        if not self._paths.is_active(device.plan.name, self):
            return  # it was requested before the first path was active again
        state = self._states[device.plan.name]
        state.polls += 1
        own = state.changed(True, "", self._clock.now().utc_ns)
        if own:
            self._logs[device.plan.name].info("device %s: online", device.plan.name)
            for due in device.blocks:
                if due.refused is not None:
                    own += failure_quality.refused([one.point.number for one in due.located], due.refused.code)
        self._emit(read + own, asked_at)

    def _failed(self, job: Job, reason: str) -> None:
        state = self._states[job.device.plan.name]
        state.polls += 1
        state.failures += 1
        if job.device.down:
            self._offline(job.device, reason)
        elif self._paths.is_active(job.device.plan.name, self):
            self._emit(failure_quality.no_answer(job.due.block.points, reason))

    def _offline(self, device: PolledDevice, reason: str) -> None:
        device.identified, device.identity = False, None
        state = self._states[device.plan.name]
        own = state.changed(False, reason, self._clock.now().utc_ns)
        if own:
            self._logs[device.plan.name].warning("device %s: offline, %s", device.plan.name, reason)
            if self._paths.is_active(device.plan.name, self):
                self._emit(failure_quality.no_answer(state.polled, reason) + own)
            self._paths.failed(device.plan.name, self, reason)

    def _remember(self, device: PolledDevice) -> None:
        if device.plan.name not in self._fallbacks:
            self._refused_changed(device.plan, device.refused_ranges(), device.known_identity)

    def _emit(self, read: list[PointReading], asked_at: float | None = None) -> None:
        if read:
            now = self._clock.now()
            half_ns = 0 if asked_at is None else round((self._loop.time() - asked_at) * 5e8)
            self._publish(read, now if asked_at is None else middle(now, half_ns))

    # ------------------------------------------------------------------ writes

    def _not_ready(self, task: Task) -> str | None:
        identified = task.device.identify is None or self._polled(task.device).identified
        return None if identified else "the device has not identified itself yet"

    async def _read_back(self, task: Task) -> tuple[int, ...] | None:
        """Registers that prove `task`; None if there was no response, or no safe request is possible now."""
        assert task.proof is not None  # noqa: S101 - the queue reads back no other
        found = await attempt.registers(
            self._link, self._polled(task.device), task.proof, [task.proof.address + task.proof.count]
        )
        return found if isinstance(found, tuple) else None

    def _polled(self, plan: DevicePlan) -> PolledDevice:
        return next(one for one in self._scheduler.devices if one.plan is plan)


def _reconnect_limit_s(plan: LinePlan) -> float:
    devices = (*plan.devices, *plan.fallbacks)
    shortest_s = min(
        (block.every_ms / 1000 for device in devices for block in device.blocks), default=RECONNECT_LIMIT_S
    )
    return min(max(shortest_s, RECONNECT_FIRST_S), RECONNECT_LIMIT_S)
