"""Controls and settings of a site on the path to the field: over the bus to the worker, and its results back. Shell.

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
from mms_server.acsi.control.selection import Operation, Selection
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


class CommandOutcome(NamedTuple):
    """The outcome of a command: the worker's, or ours if the worker has sent none in time."""

    outcome: Outcome
    reason: str = ""
    detail: int = 0

    def verdict(self) -> bool | AddCause:
        """The verdict for the client: True, or the AddCause that stands for the outcome."""
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
    """The reason why a command is not sent: an AddCause for the client, a text for the log."""

    cause: AddCause
    text: str


@dataclass(eq=False)
class _PendingCommand:
    """One command that was sent and has no final result yet; a future for each result that may come."""

    number: int
    written_until_s: float
    ended_until_s: float
    provable: bool
    pulsed: bool
    watch: Watch | None = None
    accepted: "asyncio.Future[CommandOutcome]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    ended: "asyncio.Future[CommandOutcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    shown: "asyncio.Future[CommandOutcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class CommandPlan(NamedTuple):
    """The part of a plan that commands of one IED need. References have the full names of logical devices."""

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
        self._pending: dict[int, _PendingCommand] = {}
        self._by_operation: dict[Operation, _PendingCommand] = {}
        self._by_watch: dict[Watch, _PendingCommand] = {}
        self.follow(plan)

    def follow(self, plan: CommandPlan) -> None:
        """Go by `plan` from now on, while no settings are written. Results of commands already sent are still taken.

        A pending command whose point of proof has changed in the plan, if only by its number, is not proven any more.
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

    # ------------------------------------------------------------------ controls

    def checks(self, target: ControlObject) -> bool:
        """True for every object of a site that has commands, but for Mod, which no worker has to do with."""
        return bool(self._bindings) and not target.is_mode

    async def check(self, asked: Selection | Operation) -> bool | AddCause:
        """The verdict on a selection: True if the interlocking rule holds and the operation could be carried out."""
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
        pending = self._operated(reference, operation.action)
        if pending is None:
            operation.note = "its worker is not there"
            return AddCause.ABORTION_BY_COMMUNICATION_LOSS
        result = await (self._accepted(pending) if operation.enhanced else self._done(pending))
        operation.note = str(result)
        if operation.enhanced and result.outcome in DONE:
            self._by_operation[operation] = pending
        else:
            self._forget(pending)
        return result.verdict()

    async def complete(self, operation: Operation) -> bool | AddCause:
        """The end of an operation with enhanced security."""
        pending = self._by_operation.pop(operation, None)
        if pending is None:
            return True  # a test
        operation.note = "not done within operTimeout"  # if we are cut short
        try:
            result = await self._done(pending)
        finally:
            self._forget(pending)
        operation.note = str(result)
        return result.verdict()

    def _refusal(self, reference: str, action: ControlAction) -> Refusal | None:
        """The reason why nothing may be sent; None if the command may be."""
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

    def _operated(self, reference: str, action: ControlAction) -> _PendingCommand | None:
        binding = self._bindings[reference]
        value, point = _value(binding, action.value), binding.point
        if binding.off_point is not None:
            value, point = True, binding.point if value else binding.off_point
        watch = None
        if binding.proof is not None:
            wanted = None if binding.proof.moves else _converted(binding.proof, action.value)
            upwards = action.value == HIGHER
            watch = self._watched.watch(binding.proof, wanted, upwards=upwards, now_ns=time.monotonic_ns())
        pending = self._started(point, value, binding.timeout_ms, binding.pulse_ms or 0, watch)
        if pending is None and watch is not None:
            self._watched.forget(watch)
        if pending is not None and pending.pulsed:
            until_s = pending.ended_until_s - asyncio.get_running_loop().time() + PULSE_END_S
            until_ns = time.monotonic_ns() + int(until_s * 1e9)
            self._pulses.begun(reference, pending.number, self._workers[point], until_ns)
        return pending

    # ------------------------------------------------------------------ settings

    def holds(self, slot: int) -> bool:
        """True if the setting at `slot` stands in a register."""
        return slot in self._settings

    async def write_settings(self, settings: Iterable[Setting]) -> bool | DataAccessError:
        """Write settings, one after the other, each proven by reading back; settings that are in no register are skipped.

        If one fails, the values in force are written back to those before it, and to the failed one unless nothing of it
        was written. The settings of two clients do not mix.
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
                result = await self._set(binding, value)
                if result is not None and result.outcome not in UNTOUCHED:
                    begun.append((binding, before))
                if result is None or result.outcome is not Outcome.PROVEN:
                    await self._take_back(begun)
                    return DataAccessError.HARDWARE_FAULT
        return True

    async def _take_back(self, begun: list[tuple[SettingBinding, Scalar]]) -> None:
        """Write the values in force back, the last first; if one fails the rest stays as it is, and an error is logged."""
        for binding, before in reversed(begun):
            result = await self._set(binding, before)
            if result is None or result.outcome is not Outcome.PROVEN:
                log.error("%s: its register may not have the setting that is in force", binding.target)
                return

    async def _set(self, binding: SettingBinding, setting: Scalar) -> CommandOutcome | None:
        """Write one setting and wait for its outcome; None if nothing was sent."""
        value = _converted(binding, setting)
        pending = None if value is None else self._started(binding.point, value, binding.timeout_ms, 0, None)
        if pending is None:
            log.info("%s = %s: its worker is not there", binding.target, setting)
            return None
        result = await self._done(pending)
        self._forget(pending)
        log.info("%s = %s: %s", binding.target, setting, result)
        return result

    # ------------------------------------------------------------------ results and samples from the field

    def sampled(self, samples: Iterable[Sample], seen_ns: Iterable[int]) -> None:
        """Take samples: for the interlocking rules, and as proof of the commands that wait for one."""
        for watch in self._watched.sampled(samples, seen_ns):
            pending = self._by_watch.pop(watch, None)
            if pending is not None and not pending.shown.done():
                pending.shown.set_result(CommandOutcome(Outcome.PROVEN))

    def lost(self, worker: str) -> None:
        """A worker is silent: the values of its points are unknown from now on."""
        self._watched.lost(number for number, name in self._workers.items() if name == worker)
        self._pulses.lost(worker)

    def restarted(self, worker: str) -> None:
        """Another process stands for a worker now: it ends no pulse of the one before."""
        self._pulses.lost(worker)

    def heard(self, result: CommandResult) -> None:
        """Take the result of a command from its worker; results of other issuers are ignored."""
        if result.issuer == self._issuer and result.outcome is not Outcome.ACCEPTED:
            self._pulses.ended(result.number)
        pending = self._pending.get(result.number) if result.issuer == self._issuer else None
        if pending is None:
            return
        outcome = CommandOutcome(result.outcome, result.reason, result.detail)
        if not pending.accepted.done():
            pending.accepted.set_result(outcome)
        if result.outcome is not Outcome.ACCEPTED:
            del self._pending[result.number]
            if not pending.ended.done():
                pending.ended.set_result(outcome)

    # ------------------------------------------------------------------ one command

    def _started(
        self, point: int, value: Value, timeout_ms: int, pulse_ms: int, watch: Watch | None
    ) -> _PendingCommand | None:
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
        pending = _PendingCommand(
            number, written_until_s, ended_until_s, self._points[point].readable, pulse_ms > 0, watch
        )
        self._pending[number] = pending
        if watch is not None:
            self._by_watch[watch] = pending
        return pending

    async def _accepted(self, pending: _PendingCommand) -> CommandOutcome:
        """The device's answer to the write, EXPIRED if none comes in time."""
        return await _within(pending.accepted, pending.written_until_s) or CommandOutcome(
            Outcome.EXPIRED, "nothing heard of it in time"
        )

    async def _done(self, pending: _PendingCommand) -> CommandOutcome:
        """The final outcome of a command: PROVEN, ACCEPTED where nothing could prove it, or the failure.

        There is none while a pulse is on: the command is being carried out until the pulse ends.
        """
        result = await self._accepted(pending)
        if result.outcome is not Outcome.ACCEPTED:
            return result
        if pending.watch is not None:
            result = await self._shown(pending, pending.watch)
            if pending.pulsed:
                await _within(pending.ended, pending.ended_until_s)
            return result
        if not pending.provable and not pending.pulsed:
            return result
        return await _within(pending.ended, pending.ended_until_s) or CommandOutcome(
            Outcome.EXPIRED, "not proven in time"
        )

    async def _shown(self, pending: _PendingCommand, watch: Watch) -> CommandOutcome:
        until_s = asyncio.get_running_loop().time() + watch.proof.timeout_ms / 1000
        result = await _within(pending.shown, until_s)
        if result is not None:
            return result
        if watch.wrong:
            return CommandOutcome(Outcome.DIFFERS, f"{watch.point.name} shows {watch.shown!r}")
        return CommandOutcome(Outcome.EXPIRED, f"{watch.point.name} does not show it in time")

    def _forget(self, pending: _PendingCommand) -> None:
        """Remove a command that nobody waits for any more."""
        self._pending.pop(pending.number, None)
        if pending.watch is not None:
            self._watched.forget(pending.watch)
            self._by_watch.pop(pending.watch, None)


async def _within(stage: "asyncio.Future[CommandOutcome]", until_s: float) -> CommandOutcome | None:
    """The result of `stage`; None if it has none at `until_s`, in the time of the loop."""
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
