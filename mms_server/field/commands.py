"""Controls and settings of a site on their way to the field: over the bus to the worker, and what comes back. Shell.

    Oper ──► rule, value, limits ──► Command with a deadline ──► worker: ACCEPTED ──► PROVEN, or another point shows it
    normal security      the answer waits for the proof (ACCEPTED where nothing can show it)
    enhanced security    the answer waits for ACCEPTED, CommandTermination brings the proof

A command that the deadline has overtaken is never written: the worker sees to that, and nothing is sent twice from here.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bus.messages import Command, CommandResult, Outcome, Sample, Value
from mapping.expressions import compile_expression
from mapping.plan import CommandBinding, PointPlan, Proof, SettingBinding
from mms_server.acsi.control.process import Process, Setting
from mms_server.acsi.control.states import Operation, Selection
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.field.feedback import Watch, WatchedPoints
from mms_server.field.pulses import Pulses
from mms_server.mms.add_cause import AddCause
from mms_server.mms.data import Scalar
from mms_server.mms.errors import DataAccessError

GRACE_S: Final = 0.5  # for a result to come back after the deadline
PULSE_END_S: Final = 30.0  # how long a worker tries to end a pulse
CAUSES: Final = {
    Outcome.EXPIRED: AddCause.TIME_LIMIT_OVER,
    Outcome.NO_ANSWER: AddCause.ABORTION_BY_COMMUNICATION_LOSS,
    Outcome.EXCEPTION: AddCause.BLOCKED_BY_PROCESS,
    Outcome.DIFFERS: AddCause.INVALID_POSITION,
    Outcome.UNKNOWN_POINT: AddCause.NOT_SUPPORTED,
    Outcome.UNFIT_VALUE: AddCause.INCONSISTENT_PARAMETERS,
    Outcome.OTHER_PLAN: AddCause.BLOCKED_BY_PROCESS,
    Outcome.DUPLICATE: AddCause.COMMAND_ALREADY_IN_EXECUTION,
}
DONE: Final = (Outcome.ACCEPTED, Outcome.PROVEN, Outcome.ENDED)
UNTOUCHED: Final = (Outcome.EXCEPTION, Outcome.UNFIT_VALUE, Outcome.UNKNOWN_POINT, Outcome.OTHER_PLAN)
HIGHER: Final = 2  # of a Tcmd

log = logging.getLogger("mms.command")
Send = Callable[[str, Command], bool]
_LOST: Final = (10, 11)  # exceptions of a Modbus gateway: nobody answers behind it
_FAILED: Final = 4  # the exception of a device that cannot
_TEXTS: Final = {
    Outcome.ACCEPTED: "taken by the device", Outcome.PROVEN: "done and proven", Outcome.ENDED: "taken by the device",
}  # fmt: skip


class Heard(NamedTuple):
    """What has become of a command: the worker's word, or ours where it said none."""

    outcome: Outcome
    reason: str = ""
    detail: int = 0

    def verdict(self) -> bool | AddCause:
        """What the client is told."""
        if self.outcome in DONE:
            return True
        if self.outcome is Outcome.EXCEPTION and self.detail in _LOST:
            return AddCause.ABORTION_BY_COMMUNICATION_LOSS
        if self.outcome is Outcome.EXCEPTION and self.detail == _FAILED:
            return AddCause.BLOCKED_BY_HEALTH
        return CAUSES[self.outcome]

    def __str__(self) -> str:
        return self.reason or _TEXTS.get(self.outcome) or self.outcome.name.lower().replace("_", " ")


class Refusal(NamedTuple):
    """Why a command does not leave: for the client, and for the log."""

    cause: AddCause
    text: str


@dataclass(eq=False)
class _Way:
    """One command on its way: what has come back so far."""

    number: int
    written_until_s: float
    ended_until_s: float
    provable: bool
    pulsed: bool
    watch: Watch | None = None
    accepted: "asyncio.Future[Heard]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: "asyncio.Future[Heard]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    shown: "asyncio.Future[Heard]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class CommandPlan(NamedTuple):
    """What a plan says of the commands of one IED. References have the full names of logical devices."""

    bindings: Mapping[str, CommandBinding]
    settings: Mapping[int, SettingBinding]  # by the slot of the value in force
    points: Mapping[int, PointPlan]
    workers: Mapping[int, str]  # by point
    revisions: Mapping[str, str]  # by worker


class FieldCommands(Process):
    """The process of one IED is its field: commands and settings leave by `send`. Must be made within a running loop."""

    def __init__(self, ied: str, plan: CommandPlan, send: Send) -> None:
        self._issuer = f"mms.{ied}.{time.time_ns()}"
        self._send = send
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self._watched = WatchedPoints()
        self._pulses = Pulses()
        self._numbers = itertools.count(1)
        self.settling = asyncio.Lock()  # held while settings are written: their plan must not change under them
        self._ways: dict[int, _Way] = {}
        self._by_operation: dict[Operation, _Way] = {}
        self._by_watch: dict[Watch, _Way] = {}
        self.follow(plan)

    def follow(self, plan: CommandPlan) -> None:
        """Go by `plan` from now on, while no settings are written. What is on its way is still heard of.

        A command that waits for a point which is another now, if only by its number, is not proven any more.
        """
        self._bindings, self._settings, self._points, self._workers, self._revisions = plan
        self._rules = {
            reference: compile_expression(one.allow_if)
            for reference, one in plan.bindings.items()
            if one.allow_if is not None
        }
        named = {point for rule in self._rules.values() for point in rule.points}
        proving = {one.proof.point for one in plan.bindings.values() if one.proof is not None}
        self._watched = self._watched.followed_by(
            point for number, point in plan.points.items() if point.name in named or number in proving
        )

    # ------------------------------------------------------------------ what control asks

    def checks(self, target: ControlObject) -> bool:
        """True for every object of a site that has commands, but for Mod, which no worker has to do with."""
        return bool(self._bindings) and not target.is_mode

    async def check(self, asked: Selection | Operation) -> bool | AddCause:
        """Whether an object may be selected: its rule holds, and what is to be done could be."""
        refusal = self._refusal(asked.target.reference, asked.action)
        if refusal is None:
            return True
        asked.note = refusal.text
        return refusal.cause

    async def begin(self, operation: Operation) -> bool | AddCause:
        """Send the command; the verdict that the answer to Oper waits for."""
        reference = operation.target.reference
        refusal = self._refusal(reference, operation.action)
        if refusal is not None:
            operation.note = refusal.text
            return refusal.cause
        if operation.action.test:
            operation.note = "a test, nothing is written"
            return True
        way = self._operated(reference, operation.action)
        if way is None:
            operation.note = "its worker is not there"
            return AddCause.ABORTION_BY_COMMUNICATION_LOSS
        heard = await (self._accepted(way) if operation.enhanced else self._done(way))
        operation.note = str(heard)
        if operation.enhanced and heard.outcome in DONE:
            self._by_operation[operation] = way
        else:
            self._forget(way)
        return heard.verdict()

    async def complete(self, operation: Operation) -> bool | AddCause:
        """The end of an operation with enhanced security."""
        way = self._by_operation.pop(operation, None)
        if way is None:
            return True  # a test
        operation.note = "not done within operTimeout"  # if we are cut short
        try:
            heard = await self._done(way)
        finally:
            self._forget(way)
        operation.note = str(heard)
        return heard.verdict()

    def _refusal(self, reference: str, action: ControlAction) -> Refusal | None:
        """Why nothing is sent; None if it may be."""
        binding, rule = self._bindings.get(reference), self._rules.get(reference)
        if binding is None:
            return Refusal(AddCause.NOT_SUPPORTED, "no command is mapped")
        now_ns = time.monotonic_ns()
        if self._pulses.on(reference, now_ns):
            return Refusal(AddCause.COMMAND_ALREADY_IN_EXECUTION, "its pulse has not ended yet")
        if any(self._pulses.on(rival, now_ns) for rival in self._rivals(binding)):
            return Refusal(AddCause.ONE_OF_N_CONTROL, "the pulse of another of its group has not ended yet")
        if rule is not None and not rule.holds(self._watched.good_values(rule.points, now_ns)):
            return Refusal(AddCause.BLOCKED_BY_INTERLOCKING, f"`{rule.text}` is not known to hold")
        if action.select and action.value is None:
            return None  # a select with normal security does not say what is to be done
        value = _value(binding, action.value)
        if value is None:
            return Refusal(AddCause.INCONSISTENT_PARAMETERS, f"{action.value!r} cannot be set")
        if binding.pulse_ms is not None and binding.off_point is None and value is not True:
            return Refusal(AddCause.INCONSISTENT_PARAMETERS, "a pulse of `off` is nothing")
        return None

    def _rivals(self, binding: CommandBinding) -> list[str]:
        """The objects of the group of `binding`, itself among them; none where it is in no group."""
        return (
            []
            if binding.one_of is None
            else [one for one, its in self._bindings.items() if its.one_of == binding.one_of]
        )

    def _operated(self, reference: str, action: ControlAction) -> _Way | None:
        binding = self._bindings[reference]
        value, point = _value(binding, action.value), binding.point
        if binding.off_point is not None:
            value, point = True, binding.point if value else binding.off_point
        watch = None
        if binding.proof is not None:
            wanted = None if binding.proof.moves else _converted(binding.proof, action.value)
            upwards = action.value == HIGHER
            watch = self._watched.watch(binding.proof, wanted, upwards=upwards, now_ns=time.monotonic_ns())
        way = self._started(point, value, binding.timeout_ms, binding.pulse_ms or 0, watch)
        if way is None and watch is not None:
            self._watched.forget(watch)
        if way is not None and way.pulsed:
            until_s = way.ended_until_s - asyncio.get_running_loop().time() + PULSE_END_S
            until_ns = time.monotonic_ns() + int(until_s * 1e9)
            self._pulses.begun(reference, way.number, self._workers[point], until_ns)
        return way

    # ------------------------------------------------------------------ what settings ask

    def holds(self, slot: int) -> bool:
        """True if the setting at `slot` stands in a register."""
        return slot in self._settings

    async def write_settings(self, settings: Iterable[Setting]) -> bool | DataAccessError:
        """Write settings, one behind the other, each proven by reading back; what stands in no register is passed over.

        If one fails, those before it, and it unless nothing of it was written, get back what was in force. Two clients'
        settings do not mix.
        """
        async with self.settling:
            begun: list[tuple[SettingBinding, Scalar]] = []
            for slot, value, before in settings:
                binding = self._settings.get(slot)
                if binding is None:
                    continue
                if _converted(binding, value) is None:
                    await self._take_back(begun)
                    return DataAccessError.OBJECT_VALUE_INVALID
                heard = await self._set(binding, value)
                if heard is not None and heard.outcome not in UNTOUCHED:
                    begun.append((binding, before))
                if heard is None or heard.outcome is not Outcome.PROVEN:
                    await self._take_back(begun)
                    return DataAccessError.HARDWARE_FAULT
        return True

    async def _take_back(self, begun: list[tuple[SettingBinding, Scalar]]) -> None:
        """Write what was in force, the last first; where that fails the registers stay as they are, and it is said."""
        for binding, before in reversed(begun):
            heard = await self._set(binding, before)
            if heard is None or heard.outcome is not Outcome.PROVEN:
                log.error("%s: its register may not have the setting that is in force", binding.target)
                return

    async def _set(self, binding: SettingBinding, setting: Scalar) -> Heard | None:
        """What became of one setting; None if nothing was sent."""
        value = _converted(binding, setting)
        way = None if value is None else self._started(binding.point, value, binding.timeout_ms, 0, None)
        if way is None:
            log.info("%s = %s: its worker is not there", binding.target, setting)
            return None
        heard = await self._done(way)
        self._forget(way)
        log.info("%s = %s: %s", binding.target, setting, heard)
        return heard

    # ------------------------------------------------------------------ what comes from the field

    def sampled(self, samples: Iterable[Sample], seen_ns: Iterable[int]) -> None:
        """Keep what interlocks look at, and see what commands wait for."""
        for watch in self._watched.sampled(samples, seen_ns):
            way = self._by_watch.pop(watch, None)
            if way is not None and not way.shown.done():
                way.shown.set_result(Heard(Outcome.PROVEN))

    def lost(self, worker: str) -> None:
        """A worker is silent: what it has told is not known any more."""
        self._watched.lost(number for number, name in self._workers.items() if name == worker)
        self._pulses.lost(worker)

    def restarted(self, worker: str) -> None:
        """Another process stands for a worker now: it ends no pulse of the one before."""
        self._pulses.lost(worker)

    def heard(self, result: CommandResult) -> None:
        """A worker has said what became of a command."""
        if result.issuer == self._issuer and result.outcome is not Outcome.ACCEPTED:
            self._pulses.ended(result.number)
        way = self._ways.get(result.number) if result.issuer == self._issuer else None
        if way is None:
            return
        heard = Heard(result.outcome, result.reason, result.detail)
        if not way.accepted.done():
            way.accepted.set_result(heard)
        if result.outcome is not Outcome.ACCEPTED:
            del self._ways[result.number]
            if not way.ended.done():
                way.ended.set_result(heard)

    # ------------------------------------------------------------------ one command

    def _started(self, point: int, value: Value, timeout_ms: int, pulse_ms: int, watch: Watch | None) -> _Way | None:
        number, now_ns, utc_ns = next(self._numbers), time.monotonic_ns(), time.time_ns()
        within_ns, worker = timeout_ms * 1_000_000, self._workers[point]
        command = Command(
            self._issuer, number, self._revisions[worker], point, value, self._boot, now_ns + within_ns,
            utc_ns + within_ns, pulse_ms=pulse_ms, prove=watch is None,
        )  # fmt: skip
        if not self._send(worker, command):
            return None
        written_until_s = asyncio.get_running_loop().time() + timeout_ms / 1000 + GRACE_S
        ended_until_s = written_until_s + pulse_ms / 1000
        way = _Way(number, written_until_s, ended_until_s, self._points[point].readable, pulse_ms > 0, watch)
        self._ways[number] = way
        if watch is not None:
            self._by_watch[watch] = way
        return way

    async def _accepted(self, way: _Way) -> Heard:
        """What the device said to the write."""
        return await _within(way.accepted, way.written_until_s) or Heard(Outcome.EXPIRED, "nothing heard of it in time")

    async def _done(self, way: _Way) -> Heard:
        """The last that is told of a command: PROVEN, ACCEPTED where nothing could show more, or what went wrong.

        It is not told while a pulse is on: until then the command is being carried out.
        """
        heard = await self._accepted(way)
        if heard.outcome is not Outcome.ACCEPTED:
            return heard
        if way.watch is not None:
            heard = await self._shown(way, way.watch)
            if way.pulsed:
                await _within(way.ended, way.ended_until_s)
            return heard
        if not way.provable and not way.pulsed:
            return heard
        return await _within(way.ended, way.ended_until_s) or Heard(Outcome.EXPIRED, "not proven in time")

    async def _shown(self, way: _Way, watch: Watch) -> Heard:
        until_s = asyncio.get_running_loop().time() + watch.proof.timeout_ms / 1000
        heard = await _within(way.shown, until_s)
        if heard is not None:
            return heard
        if watch.wrong:
            return Heard(Outcome.DIFFERS, f"{watch.point.name} shows {watch.shown!r}")
        return Heard(Outcome.EXPIRED, f"{watch.point.name} does not show it in time")

    def _forget(self, way: _Way) -> None:
        """Nobody waits for it any more."""
        self._ways.pop(way.number, None)
        if way.watch is not None:
            self._watched.forget(way.watch)
            self._by_watch.pop(way.watch, None)


async def _within(stage: "asyncio.Future[Heard]", until_s: float) -> Heard | None:
    """What `stage` brings; None if it has brought nothing by then."""
    try:
        async with asyncio.timeout_at(until_s):
            return await asyncio.shield(stage)
    except TimeoutError:
        return None


def _value(binding: CommandBinding, asked: object) -> Value:
    """The value for the point; None if the object's value means nothing there, or is beyond the row's limits."""
    if isinstance(asked, dict):
        asked = next((one for one in asked.values() if isinstance(one, int | float)), None)
    if isinstance(asked, int | float) and not isinstance(asked, bool) and not binding.values:
        low, high = binding.minimum, binding.maximum
        if (low is not None and asked < low) or (high is not None and asked > high):
            return None
    return _converted(binding, asked)


def _converted(binding: CommandBinding | SettingBinding | Proof, asked: object) -> Value:
    """`asked` as the point has it; None if it means nothing there."""
    if isinstance(asked, dict):
        asked = next((one for one in asked.values() if isinstance(one, int | float)), None)
    if binding.values:
        return dict(binding.values).get(asked) if isinstance(asked, bool | int | float | str) else None
    if not isinstance(asked, int | float):
        return None
    if isinstance(asked, bool) or (binding.scale, binding.offset) == (1.0, 0.0):
        return asked
    return asked * binding.scale + binding.offset
