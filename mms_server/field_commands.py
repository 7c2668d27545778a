"""Controls of a site on their way to the field: over the bus to the worker of the point, and what comes back. Shell.

    Oper ──► binding: value, limits ──► Command with a deadline ──► worker: ACCEPTED ──► PROVEN
    normal security      the answer waits for PROVEN (ACCEPTED where nothing can be read back)
    enhanced security    the answer waits for ACCEPTED, CommandTermination brings PROVEN

A command that the deadline has overtaken is never written: the worker sees to that, and nothing is sent twice from here.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus import quality
from bus.messages import Command, CommandResult, Outcome, Sample, Value
from mapping.expressions import Expression, compile_expression
from mapping.plan import CommandBinding, PointPlan
from mms_server.acsi.control import Operation
from mms_server.mms.add_cause import AddCause

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

log = logging.getLogger("mms.command")
Send = Callable[[str, Command], bool]


@dataclass(eq=False)
class _Way:
    """One command on its way: what has come back so far."""

    operation: Operation
    accepted: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    until_s: float = 0.0
    provable: bool = True
    sent_at: float = 0.0


class FieldCommands:
    """The commands of one IED; must be made within a running loop."""

    def __init__(
        self,
        ied: str,
        revision: str,
        bindings: Mapping[str, CommandBinding],
        points: Mapping[int, PointPlan],
        workers: Mapping[int, str],
        send: Send,
    ) -> None:
        self._issuer = f"mms.{ied}.{time.time_ns()}"
        self._revision = revision
        self._bindings = bindings
        self._points = points
        self._workers = workers
        self._send = send
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self._rules = {
            one.reference: compile_expression(one.allow_if) for one in bindings.values() if one.allow_if is not None
        }
        named = {point for rule in self._rules.values() for point in rule.points}
        self._named = {number: point for number, point in points.items() if point.name in named}
        self._latest: dict[str, tuple[Sample, int, int]] = {}  # sample, its exchange's monotonic time, stale_after
        self._numbers = itertools.count(1)
        self._ways: dict[int, _Way] = {}
        self._by_operation: dict[Operation, _Way] = {}

    async def begin(self, operation: Operation) -> bool | AddCause:
        """Send the command; the verdict that the answer to Oper waits for."""
        binding = self._bindings.get(operation.target.reference)
        if binding is None:
            return self._told(operation, AddCause.NOT_SUPPORTED, "no command is mapped")
        rule = self._rules.get(binding.reference)
        if rule is not None and not rule.holds(self._good_values(rule)):
            return self._told(operation, AddCause.BLOCKED_BY_INTERLOCKING, f"`{rule.text}` is not known to hold")
        value = _value(binding, operation.action.value)
        if value is None:
            return self._told(operation, AddCause.INCONSISTENT_PARAMETERS, f"{operation.action.value!r} cannot be set")
        if operation.action.test:
            return True  # a test writes nothing
        point = binding.point if binding.off_point is None or value else binding.off_point
        if binding.pulse_ms is not None and binding.off_point is None and value is not True:
            return self._told(operation, AddCause.INCONSISTENT_PARAMETERS, "a pulse of `off` is nothing")
        way = self._started(operation, binding, point, True if binding.off_point is not None else value)
        if way is None:
            return self._told(operation, AddCause.ABORTION_BY_COMMUNICATION_LOSS, "its worker is not there")
        first = way.accepted if operation.enhanced or not way.provable else way.ended
        outcome = await self._awaited(way, first)
        verdict = True if outcome in (Outcome.ACCEPTED, Outcome.PROVEN) else CAUSES[outcome]
        if not operation.enhanced or verdict is not True:
            self._told(operation, verdict, outcome.name.lower(), way)
            self._by_operation.pop(operation, None)
        return verdict

    async def complete(self, operation: Operation) -> bool | AddCause:
        """The end of an operation with enhanced security."""
        way = self._by_operation.pop(operation, None)
        if way is None or not way.provable:
            return self._told(operation, True, "accepted", way)
        outcome = await self._awaited(way, way.ended)
        verdict = True if outcome is Outcome.PROVEN else CAUSES.get(outcome, AddCause.TIME_LIMIT_OVER)
        return self._told(operation, verdict, outcome.name.lower(), way)

    def sampled(self, samples: Iterable[Sample], seen_ns: Iterable[int]) -> None:
        """Keep what interlocks look at."""
        if not self._named:
            return
        for sample, seen in zip(samples, seen_ns, strict=False):
            point = self._named.get(sample.point)
            if point is not None and seen >= self._latest.get(point.name, (None, -1))[1]:
                self._latest[point.name] = (sample, seen, point.stale_after_ms * 1_000_000)

    def _good_values(self, rule: Expression) -> dict[str, Value]:
        """The values of the rule's points that are good now."""
        now_ns = time.monotonic_ns()
        found: dict[str, Value] = {}
        for name in rule.points:
            known = self._latest.get(name)
            if known is not None and quality.is_good(known[0].quality) and now_ns < known[1] + known[2]:
                found[name] = known[0].value
        return found

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

    def _started(self, operation: Operation, binding: CommandBinding, point: int, value: Value) -> _Way | None:
        number, now_ns, utc_ns = next(self._numbers), time.monotonic_ns(), time.time_ns()
        pulse_ms = binding.pulse_ms or 0
        until = (binding.timeout_ms + pulse_ms) * 1_000_000
        command = Command(
            self._issuer,
            number,
            self._revision,
            point,
            value,
            self._boot,
            now_ns + until,
            utc_ns + until,
            pulse_ms=pulse_ms,
        )
        way = _Way(operation, provable=self._points[point].readable)
        loop = asyncio.get_running_loop()
        way.sent_at = loop.time()
        way.until_s = way.sent_at + until / 1e9 + GRACE_S
        self._ways[number] = self._by_operation[operation] = way
        if self._send(self._workers[point], command):
            return way
        del self._ways[number], self._by_operation[operation]
        return None

    async def _awaited(self, way: _Way, stage: "asyncio.Future[Outcome]") -> Outcome:
        try:
            async with asyncio.timeout_at(way.until_s):
                return await asyncio.shield(stage)
        except TimeoutError:
            return Outcome.EXPIRED

    def _told(
        self, operation: Operation, verdict: bool | AddCause, what: str, way: _Way | None = None
    ) -> bool | AddCause:
        """One audit line for each command."""
        action = operation.action
        spent = 0.0 if way is None else asyncio.get_running_loop().time() - way.sent_at
        log.info(
            "%s = %s: %s", operation.target.reference, action.value, what,
            extra={
                "peer": operation.client.address, "orCat": action.or_cat, "orIdent": action.or_ident.hex(),
                "ctlNum": action.ctl_num, "result": "ok" if verdict is True else verdict.name.lower(),  # type: ignore[union-attr]
                "ms": round(spent * 1000),
            },
        )  # fmt: skip
        return verdict


def _value(binding: CommandBinding, asked: object) -> Value:
    """The value for the point; None if the object's value means nothing there, or is beyond the row's limits."""
    if isinstance(asked, dict):
        asked = next((one for one in asked.values() if isinstance(one, int | float)), None)
    if binding.values:
        return dict(binding.values).get(asked) if isinstance(asked, bool | int | float | str) else None
    if not isinstance(asked, int | float):
        return None
    if not isinstance(asked, bool):
        low, high = binding.minimum, binding.maximum
        if (low is not None and asked < low) or (high is not None and asked > high):
            return None
        if (binding.scale, binding.offset) != (1.0, 0.0):
            return asked * binding.scale + binding.offset
    return asked
