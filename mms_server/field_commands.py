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
from mms_server.acsi.control import Operation, Selection
from mms_server.acsi.control_objects import ControlAction
from mms_server.field_proofs import Watch, WatchedPoints
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError

GRACE_S: Final = 0.5  # for a result to come back after the deadline
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
DONE: Final = (Outcome.ACCEPTED, Outcome.PROVEN)
HIGHER: Final = 2  # of a Tcmd

log = logging.getLogger("mms.command")
Send = Callable[[str, Command], bool]
Setting = tuple[int, Value]


class Refusal(NamedTuple):
    """Why a command does not leave: for the client, and for the log."""

    cause: AddCause
    text: str


@dataclass(eq=False)
class _Way:
    """One command on its way: what has come back so far."""

    number: int
    until_s: float
    sent_s: float
    provable: bool
    watch: Watch | None = None
    accepted: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    shown: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class FieldCommands:
    """The commands of one IED; must be made within a running loop. References have the full names of logical devices."""

    def __init__(
        self,
        ied: str,
        revision: str,
        bindings: Mapping[str, CommandBinding],
        settings: Mapping[int, SettingBinding],
        points: Mapping[int, PointPlan],
        workers: Mapping[int, str],
        send: Send,
    ) -> None:
        self._issuer = f"mms.{ied}.{time.time_ns()}"
        self._revision = revision
        self._bindings = bindings
        self._settings = settings  # by the slot of the value in force
        self._points = points
        self._workers = workers
        self._send = send
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self._rules = {
            reference: compile_expression(one.allow_if)
            for reference, one in bindings.items()
            if one.allow_if is not None
        }
        self._watched = WatchedPoints()
        named = {point for rule in self._rules.values() for point in rule.points}
        proving = {one.proof.point for one in bindings.values() if one.proof is not None}
        for number, point in points.items():
            if point.name in named or number in proving:
                self._watched.add(point)
        self._numbers = itertools.count(1)
        self._ways: dict[int, _Way] = {}
        self._by_operation: dict[Operation, _Way] = {}
        self._by_watch: dict[Watch, _Way] = {}

    # ------------------------------------------------------------------ what control asks

    async def check(self, selection: Selection) -> bool | AddCause:
        """Whether an object may be selected: its rule holds, and what is to be done could be."""
        refusal = self._refusal(selection.target.reference, selection.action)
        if refusal is None:
            return True
        return self._told(selection.target.reference, selection, refusal.cause, f"select: {refusal.text}")

    async def begin(self, operation: Operation) -> bool | AddCause:
        """Send the command; the verdict that the answer to Oper waits for."""
        reference = operation.target.reference
        refusal = self._refusal(reference, operation.action)
        if refusal is not None:
            return self._told(reference, operation, refusal.cause, refusal.text)
        if operation.action.test:
            return self._told(reference, operation, True, "a test, nothing is written")
        way = self._operated(self._bindings[reference], operation.action)
        if way is None:
            cause = AddCause.ABORTION_BY_COMMUNICATION_LOSS
            return self._told(reference, operation, cause, "its worker is not there")
        self._by_operation[operation] = way
        outcome = await (self._awaited(way, way.accepted) if operation.enhanced else self._done(way))
        verdict = True if outcome in DONE else CAUSES[outcome]
        if operation.enhanced and verdict is True:
            return True
        del self._by_operation[operation]
        self._forget(way)
        return self._told(reference, operation, verdict, outcome.name.lower(), way)

    async def complete(self, operation: Operation) -> bool | AddCause:
        """The end of an operation with enhanced security."""
        way = self._by_operation.pop(operation, None)
        if way is None:
            return True  # a test
        reference = operation.target.reference
        try:
            outcome = await self._done(way)
        except asyncio.CancelledError:
            self._forget(way)
            self._told(reference, operation, AddCause.TIME_LIMIT_OVER, "not done within operTimeout", way)
            raise
        self._forget(way)
        return self._told(reference, operation, True if outcome in DONE else CAUSES[outcome], outcome.name.lower(), way)

    def _refusal(self, reference: str, action: ControlAction) -> Refusal | None:
        """Why nothing is sent; None if it may be."""
        binding, rule = self._bindings.get(reference), self._rules.get(reference)
        if binding is None:
            return Refusal(AddCause.NOT_SUPPORTED, "no command is mapped")
        if rule is not None and not rule.holds(self._watched.good_values(rule.points, time.monotonic_ns())):
            return Refusal(AddCause.BLOCKED_BY_INTERLOCKING, f"`{rule.text}` is not known to hold")
        if action.select and action.value is None:
            return None  # a select with normal security does not say what is to be done
        value = _value(binding, action.value)
        if value is None:
            return Refusal(AddCause.INCONSISTENT_PARAMETERS, f"{action.value!r} cannot be set")
        if binding.pulse_ms is not None and binding.off_point is None and value is not True:
            return Refusal(AddCause.INCONSISTENT_PARAMETERS, "a pulse of `off` is nothing")
        return None

    def _operated(self, binding: CommandBinding, action: ControlAction) -> _Way | None:
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
        return way

    # ------------------------------------------------------------------ what settings ask

    def bound(self, slot: int) -> bool:
        """True if the setting at `slot` stands in a register."""
        return slot in self._settings

    async def set_all(self, settings: Iterable[Setting]) -> bool | DataAccessError:
        """Write settings, one behind the other, each proven by reading back; what stands in no register is passed over."""
        for slot, value in settings:
            binding = self._settings.get(slot)
            verdict = True if binding is None else await self._set(binding, value)
            if verdict is not True:
                return verdict
        return True

    async def _set(self, binding: SettingBinding, setting: Value) -> bool | DataAccessError:
        value = _converted(binding, setting)
        way = None if value is None else self._started(binding.point, value, binding.timeout_ms, 0, None)
        outcome = None if way is None else await self._done(way)
        if way is not None:
            self._forget(way)
        what = "its worker is not there" if outcome is None else outcome.name.lower()
        log.info("%s = %s: %s", binding.target, setting, what)
        if value is None:
            return DataAccessError.OBJECT_VALUE_INVALID
        return True if outcome is Outcome.PROVEN else DataAccessError.HARDWARE_FAULT

    # ------------------------------------------------------------------ what comes from the field

    def sampled(self, samples: Iterable[Sample], seen_ns: Iterable[int]) -> None:
        """Keep what interlocks look at, and see what commands wait for."""
        for watch in self._watched.sampled(samples, seen_ns):
            way = self._by_watch.pop(watch, None)
            if way is not None and not way.shown.done():
                way.shown.set_result(Outcome.PROVEN)

    def heard(self, result: CommandResult) -> None:
        """A worker has said what became of a command."""
        way = self._ways.get(result.number) if result.issuer == self._issuer else None
        if way is None:
            return
        if not way.accepted.done():
            way.accepted.set_result(result.outcome)
        if result.outcome is not Outcome.ACCEPTED:
            del self._ways[result.number]
            if not way.ended.done():
                way.ended.set_result(result.outcome)

    # ------------------------------------------------------------------ one command

    def _started(self, point: int, value: Value, timeout_ms: int, pulse_ms: int, watch: Watch | None) -> _Way | None:
        number, now_ns, utc_ns = next(self._numbers), time.monotonic_ns(), time.time_ns()
        within_ns = (timeout_ms + pulse_ms) * 1_000_000
        command = Command(
            self._issuer, number, self._revision, point, value, self._boot, now_ns + within_ns, utc_ns + within_ns,
            pulse_ms=pulse_ms, prove=watch is None,
        )  # fmt: skip
        if not self._send(self._workers[point], command):
            return None
        sent_s = asyncio.get_running_loop().time()
        way = _Way(number, sent_s + within_ns / 1e9 + GRACE_S, sent_s, self._points[point].readable, watch)
        self._ways[number] = way
        if watch is not None:
            self._by_watch[watch] = way
        return way

    async def _done(self, way: _Way) -> Outcome:
        """The last that is told of a command: PROVEN, ACCEPTED where nothing could show more, or what went wrong."""
        outcome = await self._awaited(way, way.accepted)
        if outcome is not Outcome.ACCEPTED:
            return outcome
        if way.watch is not None:
            return await self._shown(way, way.watch)
        return await self._awaited(way, way.ended) if way.provable else outcome

    async def _awaited(self, way: _Way, stage: "asyncio.Future[Outcome]") -> Outcome:
        try:
            async with asyncio.timeout_at(way.until_s):
                return await asyncio.shield(stage)
        except TimeoutError:
            return Outcome.EXPIRED

    async def _shown(self, way: _Way, watch: Watch) -> Outcome:
        try:
            async with asyncio.timeout(watch.proof.timeout_ms / 1000):
                return await asyncio.shield(way.shown)
        except TimeoutError:
            return Outcome.DIFFERS if watch.wrong else Outcome.EXPIRED

    def _forget(self, way: _Way) -> None:
        """Nobody waits for it any more."""
        self._ways.pop(way.number, None)
        if way.watch is not None:
            self._watched.forget(way.watch)
            self._by_watch.pop(way.watch, None)

    def _told(
        self,
        reference: str,
        asked: Operation | Selection,
        verdict: bool | AddCause,
        what: str,
        way: _Way | None = None,
    ) -> bool | AddCause:
        """One audit line for each command."""
        action = asked.action
        spent = 0.0 if way is None else asyncio.get_running_loop().time() - way.sent_s
        log.info(
            "%s = %s: %s", reference, action.value, what,
            extra={
                "peer": asked.client.address, "orCat": action.or_cat, "orIdent": action.or_ident.hex(),
                "ctlNum": action.ctl_num, "result": verdict.name.lower() if isinstance(verdict, AddCause) else "ok",
                "ms": round(spent * 1000),
            },
        )  # fmt: skip
        return verdict


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
