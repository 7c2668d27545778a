"""One line: queued writes first, then the block that is due; request, wait, classify, publish.

It decides nothing by itself: `polling` has the schedule, `exchange` matches responses with requests, `decoding` turns
registers into readings. Here are their order and the state of the line. All is pure: `turns` is a generator of port steps, which
`line_task` carries out.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from acquisition.decoding import failure_quality
from acquisition.decoding.device_status import DeviceStatus
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import Ask, DriverSpec, Question, Read
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
from acquisition.exchange.identity import response_identity
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.conditions import ENDS_AFTER_S
from acquisition.exchange.link import Link
from acquisition.exchange.port_steps import LineTime, Rest, Steps
from acquisition.polling.block_split import ScheduledBlock
from acquisition.polling.path_failover import OwedRequest, Paths
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from acquisition.polling.scheduler import Job, PolledDevice, Scheduler
from acquisition.transport.errors import NoConnectionError
from acquisition.writes.queue import OnResult, WriteQueue
from acquisition.writes.tasks import Task, WriteTasks
from bus.clock import middle
from bus.messages import ConditionState, DeviceState, LineState
from bus.quality import Stamp
from mapping.plan import DevicePlan, LinePlan, ReplyBlock

RECONNECT_FIRST_S: Final = 0.5
RECONNECT_LIMIT_S: Final = 5.0  # or the shortest period: what returns is polled within it
BUSY_WAIT_S: Final = 0.1
IDLE_LIMIT_S: Final = 1.0
DOUBTED: Final = "another response may have been taken for its own"
INCONSISTENT: Final = "another device or master answers under its address"
NO_IDENTITY: Final = "no-identity"
MUTE_S: Final = 20.0  # without an octet, after which a connection whose devices are all down is made anew
EXPIRY_S: Final = 0.1  # between looks at the deadlines of writes, while the line is down
DEFERRAL_S: Final = 0.5

Severity = Literal["info", "warning", "error"]
Log = Callable[[Severity, str, str], None]
"""Takes a severity, a text, and the name of the device that it is about; empty if it is about the line."""

Publish = Callable[[list[PointReading], Stamp], None]
RefusalsChanged = Callable[[DevicePlan, Sequence[RefusedRange], str], None]
RecordChanged = Callable[[str, ChannelRecord], None]
"""Takes the name of a line, and its record."""


class Line:
    """One line with its devices. `publish(readings, stamp)` takes the readings of one exchange; `stamp` gives their time.

    `refused`: ranges that devices have refused before, by name; `refused_changed(device, ranges, identity)` gets those of now.
    `phase`, from 0 to 1, is its place among the lines of its worker. `wake` is called when a write or a device has come.
    `tag`: the transaction id before the first one. `draw` gives numbers from 0 to 1. `record` is that of its channel by an
    earlier OS process; `record_changed(name, record)` gets each that has news.
    """

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        publish: Publish,
        tasks: WriteTasks,
        time: LineTime,
        stamp: Callable[[], Stamp],
        *,
        wake: Callable[[], None],
        log: Log,
        draw: Callable[[], float],
        refused: dict[str, DeviceRefusals] | None = None,
        refused_changed: RefusalsChanged = lambda _device, _ranges, _identity: None,
        phase: float = 0.0,
        paths: Paths | None = None,
        tag: int = 0,
        record: ChannelRecord | None = None,
        record_changed: RecordChanged = lambda _line, _record: None,
    ) -> None:
        self._plan = plan
        self._paths = paths or Paths(lambda _device, _text: None)  # without a second path there is no switch
        self._spec = spec
        self._time = time
        self._link = Link(plan, spec, time, draw, tag, record, self._take_back)
        self._publish = publish
        self._stamp = stamp
        self._wake = wake
        self._log = log
        self._refused_changed = refused_changed
        self._record_changed = record_changed
        self._scheduler = Scheduler((*plan.devices, *plan.fallbacks), time.now, refused, phase)
        self._fallbacks = {one.name for one in plan.fallbacks}
        for device in self._scheduler.devices:
            device.suspended = device.plan.name in self._fallbacks
        self._reconnect_limit_s = _reconnect_limit_s(plan)
        self._states = {
            device.plan.name: DeviceStatus(device.plan, stamp().utc_ns) for device in self._scheduler.devices
        }
        self._up = False  # for the operator: a connection that is closed after each exchange is up all the while
        self._reason = "not opened yet" if plan.devices else "stands by"
        self._since_ns = stamp().utc_ns
        self._busy_s = 0.0
        self._load_since = time.now
        self._no_identity = _no_identity(plan, spec, self._since_ns)
        self._conditions_since_ns: dict[str, int] = {}
        self._writes = WriteQueue(
            self._link,
            tasks,
            time,
            stamp,
            not_ready=self._not_ready,
            read_back=self._read_back,
            emit=self._emit,
            left_on=self._left_on,
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
            self._states[device] = DeviceStatus(one.plan, self._stamp().utc_ns)
            self._scheduler.resume(one, self._time.now)
        self._wake()

    def owed(self, device: str) -> list[OwedRequest]:
        """Requests to `device` whose responses are outstanding on this path."""
        return [owed for one in self._named(device) for owed in self._link.owed(one.plan.unit)]

    def expect(self, device: str, owed: Sequence[OwedRequest]) -> None:
        """This path is active for `device` now, and responses to `owed`, requests on the other one, may come on it."""
        for one in self._named(device):
            self._link.beginnings.on_path(one.plan.unit, owed)

    def record(self) -> ChannelRecord:
        """Record of the line's channel, for the next OS process."""
        return self._link.beginnings.record(self._time.now)

    def reached(self, device: str) -> DevicePlan | None:
        """Plan of `device` on this line; None if it is not on it."""
        return next((one.plan for one in self._named(device)), None)

    def _named(self, device: str) -> list[PolledDevice]:
        return [one for one in self._scheduler.devices if one.plan.name == device]

    def enqueue(self, task: Task, on_result: OnResult) -> None:
        """Put a write ahead of the polls: it is sent at the next frame border, or never after its deadline."""
        self._writes.enqueue(task, on_result)
        self._wake()

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
        now = self._time.now
        load = self._busy_s / max(now - self._load_since, 1e-6)
        self._busy_s, self._load_since = 0.0, now
        late = round(self._scheduler.lateness(now), 3) if self._up else 0.0
        reason = "" if self._up else self._reason
        return LineState(self._plan.name, self._up, self._since_ns, reason, min(load, 1.0), late, self._conditions(now))

    def _conditions(self, now: float) -> tuple[ConditionState, ...]:
        self._tell_conditions()
        found = (
            ConditionState(one.name, self._conditions_since_ns[one.name], one.count, one.evidence)
            for one in self._link.conditions.all(now)
        )
        return (*self._no_identity, *found)

    def device_states(self) -> list[DeviceState]:
        """The states of its devices; of one that has two paths, while this one is active."""
        return [state.message() for name, state in self._states.items() if self._paths.is_active(name, self)]

    def turns(self) -> Steps[None]:
        """Poll for ever."""
        wait = RECONNECT_FIRST_S
        while True:
            try:
                yield from self._turn()
                wait = RECONNECT_FIRST_S
            except NoConnectionError as error:
                yield from self._lost(str(error))
                yield from self._pause(wait)
                wait = min(2 * wait, self._reconnect_limit_s)

    def end_pulses(self) -> Steps[None]:
        """End all pulses, since the line ends; those that are left are given up by `give_up_pulses`."""
        yield from self._writes.end()

    def give_up_pulses(self) -> None:
        """Report the pulses that could not be ended in time."""
        self._writes.give_up()

    # ------------------------------------------------------------------ the link

    def _connected(self) -> Steps[None]:
        yield from self._link.open()
        if not self._up:
            self._up, self._reason, self._since_ns = True, "", self._stamp().utc_ns
            self._log("info", f"line {self._plan.name}: connected", "")

    def _lost(self, reason: str) -> Steps[None]:
        yield from self._link.close()
        if self._up or reason != self._reason:
            self._log("warning", f"line {self._plan.name}: {reason}", "")
            self._since_ns = self._stamp().utc_ns
        self._up, self._reason = False, reason
        for device in self._scheduler.devices:
            if not device.suspended:
                self._offline(device, reason)

    def _pause(self, seconds: float) -> Steps[None]:
        """Wait; on a line that is up, less if a write comes. Writes whose deadline passes meanwhile are ended."""
        until = self._time.now + seconds
        while self._time.now < until:
            self._writes.expire()
            nearest = min(until, self._writes.next_time())
            yield Rest(min(nearest, self._time.now + EXPIRY_S) if self._writes.pending else nearest, wakeable=True)
            if self._up:
                return

    def _tell_conditions(self) -> None:
        """Log each condition of the line once when it has ended, and once when it has begun."""
        name, conditions = self._plan.name, self._link.conditions
        for one in conditions.ended(self._time.now):
            self._log("info", f"line {name}: {one.name} has ended, none for {ENDS_AFTER_S / 60:.0f} min", "")
        for one in conditions.begun():
            self._conditions_since_ns[one.name] = self._stamp().utc_ns
            self._log("warning", f"line {name}: {one.name}: {one.evidence}", "")

    def _tell_record(self) -> None:
        if self._link.beginnings.has_news:
            self._record_changed(self.name, self.record())

    # ------------------------------------------------------------------ turns

    def _turn(self) -> Steps[None]:
        if (yield from self._writes.turn()):
            return
        now = self._time.now
        job = self._scheduler.next(now)
        if job is None:
            yield from self._pause(min(max(self._scheduler.next_time() - now, 0.0), IDLE_LIMIT_S))
            return
        if job.probe and self._all_down() and self._link.silent_s > MUTE_S:
            yield from self._link.close()  # one that only acknowledges is never answered again
        yield from self._connected()
        started = self._time.now
        others = self._scheduler.concurrent(job, now) if self._link.may_pipeline else []
        if others:
            yield from attempt.poll_concurrently(
                self._link,
                [job, *others],
                lambda one, result: self._conclude(one, result, self._time.now, self._time.now - started),
            )
        else:
            held_s = self._link.silence.held_s  # what the line waits in doubt is no cost of the device
            result = yield from attempt.poll(self._link, job)
            self._conclude(job, result, self._time.now, self._time.now - started - self._link.silence.held_s + held_s)
        self._take_back()
        self._tell_conditions()
        self._tell_record()
        yield from self._recognize(job.device)
        self._busy_s += self._time.now - started

    def _all_down(self) -> bool:
        """True if no device of a connection answers."""
        return not self._spec.serial and all(one.down or one.suspended for one in self._scheduler.devices)

    def _recognize(self, device: PolledDevice) -> Steps[None]:
        """Ask a device that refuses registers for its identity: those that another one has refused are requested again."""
        if not self._spec.protocol.modbus or device.identity is not None or device.down:
            return
        if not (device.identified and device.refused_ranges()):
            return
        device.identity = yield from attempt.identity_of(self._link, device.plan)
        if not device.identity or device.identity == device.known_identity:
            return
        if device.known_identity:
            name = device.plan.name
            text = f"device {name}: it is `{device.identity}` now, and was `{device.known_identity}`"
            self._log("warning", f"{text}: what that one refused is asked for again", name)
            self._scheduler.retry_refused(device, self._time.now)
        device.known_identity = device.identity
        self._remember(device)

    def _conclude(self, job: Job, result: AttemptResult, now: float, cost_s: float) -> None:
        match result:
            case BlockReadings(read, asked_at):
                if self._scheduler.succeeded(job, now):
                    self._remember(job.device)
                self._responded(job.device, self._judged(job, read, now - asked_at), asked_at)
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
            case Deferral(at_once, wait_s):
                if not at_once:
                    self._scheduler.defer(job, now, wait_s or min(job.due.period_s, DEFERRAL_S))

    def _judged(self, job: Job, read: list[PointReading], age_s: float) -> list[PointReading]:
        """`read`, invalid where another device or master may have given it, or where it is older than its point may be."""
        if self._link.is_inconsistent(job.device.plan.unit):
            return failure_quality.inconsistent([one.point for one in read], INCONSISTENT)
        stale = {one.point.number for one in job.due.located if one.point.stale_after_ms < age_s * 1000}
        if not stale:
            return read
        fresh = [one for one in read if one.point not in stale]
        return fresh + failure_quality.no_answer(sorted(stale), "its response came too late")

    def _refused(self, job: Job, code: int, now: float, *, certain: bool) -> None:
        read = failure_quality.refused([one.point.number for one in job.due.located], code)
        if not certain and self._scheduler.busy(job, now, self._link.window_s(job.device.plan.unit)):
            return
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
                self._log("warning", f"device {name}: {place} is refused, {exception}", name)
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
        own = state.changed(True, "", self._stamp().utc_ns)
        if own:
            self._log("info", f"device {device.plan.name}: online", device.plan.name)
            for due in device.blocks:
                if due.refused is not None:
                    own += failure_quality.refused([one.point.number for one in due.located], due.refused.code)
        self._emit(read + own, asked_at)

    def _take_back(self) -> None:
        """Make readings invalid that proved to be in doubt after they were published."""
        for request in self._link.taken_back():
            points = [
                number
                for device in self._scheduler.devices
                if self._paths.is_active(device.plan.name, self)
                for due in device.blocks
                for number in _shown_by(request, device.plan, due)
            ]
            self._emit(failure_quality.no_answer(points, DOUBTED))

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
        own = state.changed(False, reason, self._stamp().utc_ns)
        if own:
            self._log("warning", f"device {device.plan.name}: offline, {reason}", device.plan.name)
            if self._paths.is_active(device.plan.name, self):
                self._emit(failure_quality.no_answer(state.polled, reason) + own)
            self._paths.failed(device.plan.name, self, reason)

    def _remember(self, device: PolledDevice) -> None:
        if device.plan.name not in self._fallbacks:
            self._refused_changed(device.plan, device.refused_ranges(), device.known_identity)

    def _emit(self, read: list[PointReading], asked_at: float | None = None) -> None:
        if read:
            now = self._stamp()
            half_ns = 0 if asked_at is None else round((self._time.now - asked_at) * 5e8)
            self._publish(read, now if asked_at is None else middle(now, half_ns))

    # ------------------------------------------------------------------ writes

    def _not_ready(self, task: Task) -> str | None:
        identified = task.device.identify is None or self._polled(task.device).identified
        return None if identified else "the device has not identified itself yet"

    def _read_back(self, task: Task) -> Steps[tuple[int, ...] | None]:
        """Registers that prove `task`; None if there was no response, or no safe request is possible now."""
        assert task.proof is not None  # noqa: S101 - the queue reads back no other
        found = yield from attempt.registers(
            self._link, self._polled(task.device), task.proof, [task.proof.address + task.proof.count], fresh=True
        )
        return found if isinstance(found, tuple) else None

    def _left_on(self, task: Task) -> None:
        self._log("error", f"{task.point.name}: its pulse could not be ended", task.device.name)

    def _polled(self, plan: DevicePlan) -> PolledDevice:
        return next(one for one in self._scheduler.devices if one.plan is plan)


def _shown_by(request: Ask, device: DevicePlan, due: ScheduledBlock) -> list[int]:
    """The points of a block that the response to `request` shows."""
    if isinstance(due.block, ReplyBlock):
        return list(due.block.points) if request == Question(due.block.request, due.block.end) else []
    if not isinstance(request, Read) or (device.unit, due.block.table) != (request.unit, request.table):
        return []
    end = request.address + request.count
    return [one.point.number for one in due.located if request.address <= one.register.address < end]


def _no_identity(plan: LinePlan, spec: DriverSpec, since_ns: int) -> tuple[ConditionState, ...]:
    """The condition `no-identity` of a line some of whose blocks rest on silence only; otherwise none."""
    found = response_identity.by_silence(plan, spec)
    if not found:
        return ()
    blocks = sum(len(device.blocks) for device in plan.devices)
    window_ms = response_identity.window_s(plan, spec) * 1000
    text = f"{len(found)} of {blocks} requests have responses that silence alone identifies, {window_ms:.0f} ms of it"
    return (ConditionState(NO_IDENTITY, since_ns, len(found), text),)


def _reconnect_limit_s(plan: LinePlan) -> float:
    devices = (*plan.devices, *plan.fallbacks)
    shortest_s = min(
        (block.every_ms / 1000 for device in devices for block in device.blocks), default=RECONNECT_LIMIT_S
    )
    return min(max(shortest_s, RECONNECT_FIRST_S), RECONNECT_LIMIT_S)
