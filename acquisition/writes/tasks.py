"""Write tasks: the request that a command means, its deadline, and its proof; `queue` sends them and ends pulses (pure).

received ── seen before? DUPLICATE ── other plan? ── point? ── value fits? ── deadline passed? EXPIRED
   └── written once ── confirmed: ACCEPTED ── read back: PROVEN or DIFFERS
                   ── exception: EXCEPTION ── time-out: NO_ANSWER (never written again)
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from acquisition.decoding import register_types, scaling
from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.drivers.base import Read, Write
from bus import quality
from bus.messages import Command, CommandResult, Outcome, Value
from bus.quality import Stamp
from mapping.plan import DevicePlan, PointPlan, Register

REMEMBERED: Final = 4096
MASK_WRITE: Final = 22


@dataclass(frozen=True, slots=True)
class Task:
    """One write that may happen: the request, and the read that proves it (None where the point cannot be read)."""

    command: Command
    device: DevicePlan
    point: PointPlan
    write: Write
    proof: Read | None
    release: Write | None = None  # ends the pulse
    factor: float = 1.0  # of the point's scale, where another register holds it

    def by(self, device: DevicePlan) -> "Task":
        """The same task for the same device on another path."""
        return replace(
            self,
            device=device,
            write=replace(self.write, unit=device.unit),
            proof=None if self.proof is None else replace(self.proof, unit=device.unit),
            release=None if self.release is None else replace(self.release, unit=device.unit),
        )


Last = Callable[[int], tuple[Reading, int] | None]
"""The last reading of a point, and the monotonic time of its exchange in ns; None if there was none."""


class WriteTasks:
    """Write tasks of one worker: the commands that were seen, and the task that each means for its device."""

    def __init__(
        self, worker: str, revision: str, boot: str, devices: list[DevicePlan], last: Last = lambda _number: None
    ) -> None:
        self._last = last
        self._worker = worker
        self._revision = revision
        self._boot = boot
        self._points = {point.number: (device, point) for device in devices for point in device.points}
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()

    def taken(self, command: Command, now: Stamp) -> Task | CommandResult:
        """The task that `command` means, or the result that ends it here."""
        key = (command.issuer, command.number)
        if key in self._seen:
            return self.result(command, Outcome.DUPLICATE, now, "this command was seen before")
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if command.revision != self._revision:
            return self.result(command, Outcome.OTHER_PLAN, now, f"issued under revision {command.revision}")
        if self.expired(command, now):
            return self.result(command, Outcome.EXPIRED, now, "its deadline had passed when it came")
        device, point = self._points.get(command.point, (None, None))
        if device is None or point is None or point.write is None:
            return self.result(command, Outcome.UNKNOWN_POINT, now, "no point of this worker that can be written")
        try:
            factor = self._factor(point, now.monotonic_ns)
            values = scaling.registers_of(point, point.write, _plausible(point, command.value), factor)
        except ValueError as error:
            return self.result(command, Outcome.UNFIT_VALUE, now, str(error))
        write = _write(device.unit, point, point.write, values)
        proof = _proof(device.unit, point) if command.prove else None
        if not command.pulse_ms:
            return Task(command, device, point, write, proof, factor=factor)
        if command.value is not True:
            return self.result(command, Outcome.UNFIT_VALUE, now, "a pulse is of true")
        release = _write(device.unit, point, point.write, scaling.registers_of(point, point.write, False))
        return Task(command, device, point, write, proof, release)

    def _factor(self, point: PointPlan, now_ns: int) -> float:
        """Factor of the point's scale now. Raises ValueError if it is not known."""
        if point.scale_from is None:
            return 1.0
        _, scale = self._points[point.scale_from.point]
        reading, seen_ns = self._last(scale.number) or (Reading(None, quality.NOT_YET, "not read yet"), now_ns)
        if now_ns - seen_ns > scale.stale_after_ms * 1_000_000:
            reading = Reading(None, quality.STALE, "not refreshed")
        factor = scaling.factor_of(point, reading)
        if isinstance(factor, str):
            raise ValueError(f"its scale is not known: {factor}")
        return factor

    def expired(self, command: Command, now: Stamp, grace_ns: int = 0) -> bool:
        """True once the deadline of `command` is `grace_ns` ago; by the monotonic clock where it is the same host's."""
        if command.boot == self._boot:
            return now.monotonic_ns >= command.expires_monotonic_ns + grace_ns
        return now.utc_ns >= command.expires_utc_ns + grace_ns

    def result(
        self, command: Command, outcome: Outcome, now: Stamp, reason: str = "", detail: int = 0
    ) -> CommandResult:
        """Result of `command`."""
        return CommandResult(command.issuer, command.number, outcome, detail, reason, now.utc_ns, self._worker)


def _plausible(point: PointPlan, value: Value) -> Value:
    """`value`, if it lies within the limits of the point: what would not be believed is not written. Raises ValueError."""
    if isinstance(value, int | float):
        judged = scaling.plausible(point, value)
        if judged.reason:
            raise ValueError(judged.reason)
    return value


def _write(unit: int, point: PointPlan, register: Register, values: tuple[int, ...]) -> Write:
    if register.type == "bit" and register.table == "holding":
        bit = 1 << register_types.bit_on_the_wire(register)
        return Write(unit, MASK_WRITE, register.address, (0xFFFF & ~bit, bit if values[0] else 0))
    bits = register.table == "coil"
    single = 5 if bits else 6
    several = 15 if bits else 16
    function = several if point.write_with == several or len(values) > 1 else single
    return Write(unit, function, register.address, values)


def _proof(unit: int, point: PointPlan) -> Read | None:
    source = point.source
    if not isinstance(source, Register) or not point.readable:
        return None
    return Read(unit, source.table, source.address, source.count)


def proves(task: Task, raw: tuple[int, ...]) -> bool:
    """True if `raw`, read back, shows the commanded value, as near as the register can show it."""
    source = task.point.source
    if not isinstance(source, Register):
        return False
    if source.type == "bit":
        return scaling.reading(task.point, source, raw).value is bool(task.command.value)
    wanted: Value = scaling.reading(task.point, source, _as_read(task, source), task.factor).value
    return scaling.reading(task.point, source, raw, task.factor).value == wanted


def _as_read(task: Task, source: Register) -> tuple[int, ...]:
    """The registers that a read shows if the command was done: as written, if both are of one form."""
    assert task.point.write is not None  # noqa: S101 - a task has one
    if (source.type, source.order, source.count) == (
        task.point.write.type,
        task.point.write.order,
        task.point.write.count,
    ):
        return task.write.values
    return scaling.registers_of(task.point, source, task.command.value, task.factor)


def shown(task: Task, raw: Sequence[int]) -> PointReading:
    """Reading of the point from `raw`, its registers as read back."""
    assert isinstance(task.point.source, Register)  # noqa: S101 - it was just read
    return PointReading(task.point.number, scaling.reading(task.point, task.point.source, raw, task.factor))
