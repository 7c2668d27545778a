"""One line's loop: commands first, then what is due; ask, wait, judge, publish. The only place that sleeps.

Everything it decides with is pure: `poller` what to ask, `transaction` whether an answer can be trusted, `readings`
what it means. Here are the clock, the port and the silence between frames.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from acquisition.decoding import point_readings
from acquisition.decoding.device_status import Online
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import DriverSpec
from acquisition.exchange import attempt
from acquisition.exchange.attempt import Answered, Objected, Outcome, Postponed, Rejected, Silent
from acquisition.exchange.late_answers import Counters
from acquisition.exchange.link import BUSY, Link
from acquisition.polling.path_failover import Paths
from acquisition.polling.refused_registers import DeviceHoles, Hole
from acquisition.polling.scheduler import Job, Polled, Poller
from acquisition.transport.ports import LinkError, Port
from acquisition.writes.queue import Answer, Orders
from acquisition.writes.tasks import Commands, Task
from bus.messages import DeviceState, LineState
from mapping.plan import DevicePlan, LinePlan

RECONNECT_FIRST_S: Final = 0.5
RECONNECT_LIMIT_S: Final = 5.0  # or the shortest period: what returns is polled within it
BUSY_WAIT_S: Final = 0.1
IDLE_LIMIT_S: Final = 1.0
POSTPONED_S: Final = 0.5

log = logging.getLogger("acquisition.line")

Publish = Callable[[list[PointReading], int, int, int], None]
HolesChanged = Callable[[DevicePlan, Sequence[Hole], str], None]


class Line:
    """One line with its devices. `publish(readings, monotonic_ns, utc_ns, uncertainty_ns)` takes what one exchange gave.

    What is read is as old as the middle of its exchange, give or take half of it.

    `holes` is what devices refused before, by name; `holes_changed(device, holes, identity)` is told what they refuse now.
    `port` is the plan's unless one is given. `phase`, from 0 to 1, is its place among the lines of its worker.
    """

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        publish: Publish,
        commands: Commands,
        *,
        holes: dict[str, DeviceHoles] | None = None,
        holes_changed: HolesChanged = lambda _device, _holes, _identity: None,
        port: Port | None = None,
        phase: float = 0.0,
        paths: Paths | None = None,
    ) -> None:
        self._plan = plan
        self._paths = paths or Paths(log.warning)
        self._spec = spec
        self._link = Link(plan, spec, port)
        self._publish = publish
        self._holes_changed = holes_changed
        self._loop = asyncio.get_running_loop()
        self._poller = Poller((*plan.devices, *plan.fallbacks), self._loop.time(), holes, phase)
        self._second = {one.name for one in plan.fallbacks}
        for device in self._poller.devices:
            device.resting = device.plan.name in self._second
        self._reconnect_limit_s = _reconnect_limit_s(plan)
        self._states = {device.plan.name: Online(device.plan) for device in self._poller.devices}
        self._up = False  # as people see it: a connection that is closed after each exchange is up all the while
        self._reason = "not opened yet" if plan.devices else "stands by"
        self._since_ns = time.time_ns()
        self._busy_s = 0.0
        self._load_since = self._loop.time()
        self._orders = Orders(self._link, commands, ready=self._objection, read_back=self._read_back, emit=self._emit)

    # ------------------------------------------------------------------ what the worker sees

    @property
    def name(self) -> str:
        """The line's name."""
        return self._plan.name

    def rest(self, device: str) -> None:
        """Another path speaks for `device`: ask it nothing."""
        for one in self._named(device):
            self._poller.rest(one)

    def resume(self, device: str) -> None:
        """This path speaks for `device` now."""
        for one in self._named(device):
            self._states[device] = Online(one.plan)
            self._poller.resume(one, self._loop.time())
        self._orders.wake.set()

    def reached(self, device: str) -> DevicePlan | None:
        """How `device` is reached on this line; None if it is not."""
        return next((one.plan for one in self._named(device)), None)

    def _named(self, device: str) -> list[Polled]:
        return [one for one in self._poller.devices if one.plan.name == device]

    def order(self, task: Task, answer: Answer) -> None:
        """Put a command at the head: it is executed at the next frame border, or never after its deadline."""
        self._orders.order(task, answer)

    @property
    def counters(self) -> Counters:
        """What happened on the line, by kind."""
        return self._link.counters

    def turnarounds(self) -> dict[str, tuple[int, float]]:
        """The unit of each device that has answered often enough, and how many seconds it thinks."""
        known = self._link.turnarounds.known()
        return {
            one.plan.name: (one.plan.unit, known[one.plan.unit])
            for one in self._poller.devices
            if one.plan.unit in known and one.plan.name not in self._second
        }

    def state(self) -> LineState:
        """The line's state, with its load since the last call."""
        now = self._loop.time()
        load = self._busy_s / max(now - self._load_since, 1e-6)
        self._busy_s, self._load_since = 0.0, now
        late = round(self._poller.lateness(now), 3) if self._up else 0.0
        reason = "" if self._up else self._reason
        return LineState(self._plan.name, self._up, self._since_ns, reason, min(load, 1.0), late)

    def device_states(self) -> list[DeviceState]:
        """The states of its devices; of one that is reached by two paths, while this one speaks."""
        return [state.message() for name, state in self._states.items() if self._paths.speaks(name, self)]

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
                    wait = min(2 * wait, self._reconnect_limit_s)
        finally:
            await self._orders.end()
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
            if not device.resting:
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
            await self._pause(min(max(self._poller.next_time() - now, 0.0), IDLE_LIMIT_S))
            return
        await self._connected()
        started = self._loop.time()
        if beside := self._poller.beside(job, now):
            async for one, outcome in attempt.together(self._link, [job, *beside]):
                self._conclude(one, outcome, self._loop.time(), self._loop.time() - started)
        else:
            outcome = await attempt.tried(self._link, job)
            self._conclude(job, outcome, self._loop.time(), self._loop.time() - started)
        await self._recognise(job.device)
        self._busy_s += self._loop.time() - started

    async def _recognise(self, device: Polled) -> None:
        """Ask a device that refuses something what it is: what another one has refused is asked for again."""
        if (
            device.who is not None
            or device.down
            or not (device.identified and device.holes())
            or not self._spec.protocol.modbus
        ):
            return
        device.who = await attempt.identity_of(self._link, device.plan)
        if not device.who or device.who == device.knew:
            return
        if device.knew:
            text = "device %s: it is `%s` now, and was `%s`: what that one refused is asked for again"
            log.warning(text, device.plan.name, device.who, device.knew)
            self._poller.retry_holes(device, self._loop.time())
        device.knew = device.who
        self._remember(device)

    def _conclude(self, job: Job, outcome: Outcome, now: float, cost_s: float) -> None:
        match outcome:
            case Answered(read, asked_at):
                if self._poller.sound(job, now):
                    self._remember(job.device)
                self._heard(job.device, read, asked_at)
            case Silent(reason):
                failed = self._poller.silent(job, now, cost_s)
                if failed is not None:
                    self._failed(job, reason)
            case Objected(reason):
                self._states[job.device.plan.name].failures += 1
                self._poller.give_up(job, now, cost_s)
                self._offline(job.device, reason)
            case Rejected(code, certain):
                self._rejected(job, code, now, certain=certain)
            case Postponed(at_once):
                if not at_once:
                    self._poller.later(job, now, min(job.due.period_s, POSTPONED_S))

    def _rejected(self, job: Job, code: int, now: float, *, certain: bool) -> None:
        refused = point_readings.refused([one.point.number for one in job.due.located], code)
        if code in BUSY:
            if self._poller.busy(job, now, max(BUSY_WAIT_S, job.device.plan.polling.pause_ms / 1000)):
                return
        elif code in attempt.ABSENT and certain:
            known = job.due.hole is not None
            if self._poller.split(job, code, now):
                refused = []
            elif not known:
                place = job.due.hole.place() if job.due.hole is not None else ""
                log.warning("device %s: %s is refused, %s", job.device.plan.name, place, point_readings.exception(code))
                self._remember(job.device)
            self._heard(job.device, refused)
            return
        self._poller.answered(job, now)
        self._heard(job.device, refused)

    # ------------------------------------------------------------------ outcomes

    def _heard(self, device: Polled, read: list[PointReading], asked_at: float | None = None) -> None:
        self._paths.heard(device.plan.name, self)
        if not self._paths.speaks(device.plan.name, self):
            return  # it was asked before the first path had it again
        state = self._states[device.plan.name]
        state.polls += 1
        own = state.changed(True, "")
        if own:
            log.info("device %s: online", device.plan.name)
            for due in device.dues:
                if due.hole is not None:
                    own += point_readings.refused([one.point.number for one in due.located], due.hole.code)
        self._emit(read + own, asked_at)

    def _failed(self, job: Job, reason: str) -> None:
        state = self._states[job.device.plan.name]
        state.polls += 1
        state.failures += 1
        if job.device.down:
            self._offline(job.device, reason)
        elif self._paths.speaks(job.device.plan.name, self):
            self._emit(point_readings.no_answer(job.due.block.points, reason))

    def _offline(self, device: Polled, reason: str) -> None:
        device.identified, device.who = False, None
        state = self._states[device.plan.name]
        own = state.changed(False, reason)
        if own:
            log.warning("device %s: offline, %s", device.plan.name, reason)
            if self._paths.speaks(device.plan.name, self):
                self._emit(point_readings.no_answer(state.polled, reason) + own)
            self._paths.silent(device.plan.name, self, reason)

    def _remember(self, device: Polled) -> None:
        if device.plan.name not in self._second:
            self._holes_changed(device.plan, device.holes(), device.knew)

    def _emit(self, read: list[PointReading], asked_at: float | None = None) -> None:
        if read:
            half_ns = 0 if asked_at is None else round((self._loop.time() - asked_at) * 5e8)
            self._publish(read, time.monotonic_ns(), time.time_ns() - half_ns, half_ns)

    # ------------------------------------------------------------------ commands

    def _objection(self, task: Task) -> str | None:
        identified = task.device.identify is None or self._polled(task.device).identified
        return None if identified else "the device has not identified itself yet"

    async def _read_back(self, task: Task) -> tuple[int, ...] | None:
        """The registers that prove `task`; None if there was no answer, or none can be asked for safely now."""
        assert task.proof is not None  # noqa: S101 - asked by whoever knows
        found = await attempt.registers(
            self._link, self._polled(task.device), task.proof, [task.proof.address + task.proof.count]
        )
        return found if isinstance(found, tuple) else None

    def _polled(self, plan: DevicePlan) -> Polled:
        return next(one for one in self._poller.devices if one.plan is plan)


def _reconnect_limit_s(plan: LinePlan) -> float:
    devices = (*plan.devices, *plan.fallbacks)
    shortest_s = min(
        (block.every_ms / 1000 for device in devices for block in device.blocks), default=RECONNECT_LIMIT_S
    )
    return min(max(shortest_s, RECONNECT_FIRST_S), RECONNECT_LIMIT_S)
