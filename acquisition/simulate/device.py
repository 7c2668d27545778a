"""One simulated device: its points turned round into registers, or into lines of text (pure).

engineering value ── / scale ──► raw ── type, order ──► registers by (table, address)
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from acquisition.decoding import scaling
from acquisition.decoding.register_types import encoded, encoded_text
from acquisition.decoding.scaling import Reading
from acquisition.drivers.device_side import Fault
from acquisition.simulate import measured
from acquisition.simulate.example_text import example
from acquisition.simulate.motion import Motion
from bus.messages import Value
from mapping.plan import DevicePlan, Identify, Obis, PointPlan, Register, Reply

TEXT_DECIMALS: Final = 3
WRITES_KEPT: Final = 2000


@dataclass(slots=True)
class SimulatedDevice:
    """A device's registers as they are now. A value that was set, or written by a master, stays."""

    plan: DevicePlan
    fixed: dict[str, Value] = field(default_factory=dict)  # local name -> what a test or a master has set
    fault: Fault | None = None
    registers: dict[tuple[str, int], int] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)  # in each point's unit, as its register can hold it
    writes: deque[tuple[str, int, tuple[int, ...]]] = field(
        default_factory=lambda: deque(maxlen=WRITES_KEPT)
    )  # the latest
    written_points: deque[tuple[str, Value]] = field(
        default_factory=lambda: deque(maxlen=WRITES_KEPT)
    )  # the latest points that a master has written, each with its value in the point's unit
    _identity: tuple[int, ...] = ()
    now_s: float = 0.0
    motion: Motion = field(init=False)

    def __post_init__(self) -> None:
        self.motion = Motion(self.plan.points)

    def advance(self, now_s: float) -> None:
        """Let time pass: what is on its way arrives. `now_s` is on any clock that runs on."""
        self.now_s = now_s
        for move in self.motion.due(now_s):
            self.set(move.name, move.value)

    def tick(self, second: int) -> None:
        """Take the values of `second`."""
        if self.fault is not None and self.fault.kind == "frozen":
            return
        if self.plan.identify is not None:
            self._identify(self.plan.identify)
        scales = self._scales()
        for number, scaled in scales.items():
            scale = self._point(number)
            self._show(
                scale, self.fixed.get(scale.local_name, measured.scale(scaled, lambda one: self._at(one, second)))
            )
        for point in self.plan.points:
            if point.asked and point.number not in scales:
                factor = self._factor(point)
                known = 1.0 if isinstance(factor, str) else factor
                self._show(point, measured.fitting(point, self._at(point, second), known))

    def _drive(self, name: str) -> None:
        for move in self.motion.driven(name, self.values[name], self.values, self.now_s):
            self.set(move.name, move.value)

    def reboot(self) -> None:
        """Forget what was set and written: the next second's values are its own."""
        self.fixed.clear()

    def busy(self) -> bool:
        """True if the next request finds it busy; one less does then."""
        if self.fault is None or self.fault.kind != "busy" or self.fault.times < 1:
            return False
        self.fault.times -= 1
        return True

    def set(self, name: str, value: Value) -> None:
        """Hold the point `name` at `value` (in its unit). Raises KeyError, or ValueError if its register cannot."""
        point = next((one for one in self.plan.points if one.local_name == name and one.asked), None)
        if point is None:
            raise KeyError(name)
        before, shown = dict(self.registers), dict(self.values)
        try:
            self._show(point, value)
            for scaled in self._scales().get(point.number, ()):
                self._show(scaled, shown.get(scaled.local_name, 0))
        except ValueError:
            self.registers, self.values = before, shown
            raise
        self.fixed[name] = value
        self._drive(name)

    def _at(self, point: PointPlan, second: int) -> Value:
        """Value of a point: the one that was set, the one where it rests if something moves it, or the measured one."""
        if point.local_name in self.fixed:
            return self.fixed[point.local_name]
        rest = self.motion.rest(point.local_name, self.values)
        return measured.value(self.plan.name, point, second) if rest is None else rest

    def _scales(self) -> dict[int, list[PointPlan]]:
        """The points that hold the scale of others, by number, and those others."""
        found: dict[int, list[PointPlan]] = {}
        for point in self.plan.points:
            if point.scale_from is not None:
                found.setdefault(point.scale_from.point, []).append(point)
        return found

    def _point(self, number: int) -> PointPlan:
        return next(one for one in self.plan.points if one.number == number)

    def _factor(self, point: PointPlan) -> float | str:
        """Factor by which the device multiplies the raw value of `point`; a text, the reason, if its scale is unusable."""
        if point.scale_from is None:
            return 1.0
        return scaling.factor_of(point, self._reading(self._point(point.scale_from.point)))

    def _reading(self, point: PointPlan) -> Reading:
        """Reading of the registers of `point` as they are now."""
        source = point.source
        assert isinstance(source, Register)  # noqa: S101 - asked by the caller
        raw = [self.registers.get((source.table, source.address + offset), 0) for offset in range(source.count)]
        if point.scale_from is None:
            return scaling.reading(point, source, raw)
        return scaling.scaled_reading(point, source, raw, self._reading(self._point(point.scale_from.point)))

    def clear(self, second: int) -> None:
        """Be as new at `second`: no fault, nothing set, nothing written by a master."""
        self.fault = None
        self.fixed.clear()
        self.writes.clear()
        self.written_points.clear()
        self.motion = Motion(self.plan.points)
        self.tick(second)

    def _show(self, point: PointPlan, value: Value) -> None:
        if not isinstance(point.source, Register):
            self.values[point.local_name] = round(value, TEXT_DECIMALS) if isinstance(value, float) else value
            return
        factor = self._factor(point)
        words = _words(point, point.source, value, 1.0 if isinstance(factor, str) else factor)
        if point.source.type in ("bit", "bits"):
            words = self._beside(point.source, words[0])
        for offset, word in enumerate(words):
            self.registers[point.source.table, point.source.address + offset] = word
        self.values[point.local_name] = self._reading(point).value

    def _beside(self, register: Register, bits: int) -> tuple[int]:
        """The word of `register` with its bits as given, and all others as they are."""
        own = (1 << register.high_bit - register.low_bit + 1) - 1
        mask = encoded(register, own)[0]
        before = self.registers.get((register.table, register.address), 0)
        return (before & ~mask | bits & mask,)

    def _identify(self, identify: Identify) -> None:
        """Be what the profile says: its identify register shows what it must; where a point stands, only read alone."""
        register = identify.register
        point = PointPlan(-1, "identify", "", register, polled=True, stale_after_ms=0, every_ms=0)
        shown = identify.equals if identify.match is None else example(identify.match, {})
        if register.type != "string" and isinstance(shown, str):
            shown = int(shown)
        self._identity = _words(point, register, shown, 1.0)
        for offset, word in enumerate(self._identity):
            self.registers.setdefault((register.table, register.address + offset), word)

    def read(self, table: str, address: int, count: int) -> list[int]:
        """The registers or bits that a read shows, 0 where it has none."""
        identify = self.plan.identify
        if identify is not None and self._covered(identify.register):
            register = identify.register
            if (table, address, count) == (register.table, register.address, register.count):
                return list(self._identity)
        words = [self.registers.get((table, at), 0) for at in range(address, address + count)]
        if self.fault is not None and self.fault.kind == "swapped":
            self._swap(words, table, address)
        return words

    def _swap(self, words: list[int], table: str, address: int) -> None:
        """Turn the words of every number round that lies wholly in `words`, which begin at `address`."""
        for point in self.plan.points:
            source = point.source
            if isinstance(source, Register) and source.table == table and source.type not in ("string", "mod10"):
                first = source.address - address
                if first >= 0 and first + source.count <= len(words):
                    words[first : first + source.count] = reversed(words[first : first + source.count])

    def _covered(self, register: Register) -> bool:
        """True if a point stands where `register` does: the device shows that one only to who asks for nothing else."""
        return any(
            isinstance(point.source, Register)
            and point.source.table == register.table
            and point.source.address < register.address + register.count
            and register.address < point.source.address + point.source.count
            for point in self.plan.points
        )

    def written(self, table: str, address: int, words: list[int]) -> None:
        """A master has written: the points there show it from now on."""
        self.writes.append((table, address, tuple(words)))
        self._note_points(table, address, words)
        if self.fault is not None and self.fault.kind == "stuck":
            return
        for offset, word in enumerate(words):
            self.registers[table, address + offset] = word
        for point in self.plan.points:
            source = point.source
            if (
                isinstance(source, Register)
                and source.table == table
                and address <= source.address < address + len(words)
            ):
                self.values[point.local_name] = self.fixed[point.local_name] = self._reading(point).value
                self._drive(point.local_name)

    def _note_points(self, table: str, address: int, words: list[int]) -> None:
        """Note the points that are written with `words`, with the values that these mean, kept by the device or not."""
        written = {(table, address + offset): word for offset, word in enumerate(words)}
        for point in self.plan.points:
            target = point.write
            if target is not None and any((target.table, target.address + at) in written for at in range(target.count)):
                places = [(target.table, target.address + at) for at in range(target.count)]
                raw = [written.get(place, self.registers.get(place, 0)) for place in places]
                factor = self._factor(point)
                meant = scaling.reading(point, target, raw, 1.0 if isinstance(factor, str) else factor).value
                self.written_points.append((point.local_name, meant))

    def at(self, table: str, address: int) -> PointPlan | None:
        """The point that is read at `address`, where each address holds a whole value."""
        for point in self.plan.points:
            source = point.source
            if isinstance(source, Register) and (source.table, source.address) == (table, address):
                return point
        return None

    def take(self, point: PointPlan, value: Value, words: tuple[int, ...]) -> None:
        """A master has written `value` to the whole of `point`, as `words`. Raises ValueError if it cannot be held."""
        assert isinstance(point.source, Register)  # noqa: S101 - nothing else is written
        self.writes.append((point.source.table, point.source.address, words))
        self.written_points.append((point.local_name, value))
        if self.fault is None or self.fault.kind != "stuck":
            self.set(point.local_name, value)

    def readout(self) -> str:
        """A meter's lines, each with its end."""
        lines = []
        for point in self.plan.points:
            if isinstance(point.source, Obis):
                unit = f"*{point.unit}" if point.unit else ""
                lines.append(f"{point.source.code}({_decimals(point, self.values.get(point.local_name))}{unit})\r\n")
        return "".join(lines)

    def line(self, request: str) -> str | None:
        """The text that answers `request`, without its end; None if the device does not know it."""
        for point in self.plan.points:
            if isinstance(point.source, Reply) and point.source.request == request:
                return _text(point, point.source, self.values.get(point.local_name))
        resync = self.plan.resync
        return example(resync.pattern, {}) if resync is not None and resync.request == request else None

    def end_of(self, request: str) -> str:
        """The end of the answer to `request`."""
        replies = [point.source for point in self.plan.points if isinstance(point.source, Reply)]
        if self.plan.resync is not None and self.plan.resync.request == request:
            return self.plan.resync.end or "\r\n"
        return next((one.end for one in replies if one.request == request and one.end), "\r\n")


def _words(point: PointPlan, register: Register, value: Value, factor: float) -> tuple[int, ...]:
    if register.type == "string":
        return encoded_text(register, str(value))
    return scaling.registers_of(point, register, value, factor)


def _decimals(point: PointPlan, value: Value) -> str:
    """`value` as the device writes it."""
    if isinstance(value, str):
        return value
    return f"{(float(value or 0) - point.offset) / point.scale:.{TEXT_DECIMALS}f}"


def _text(point: PointPlan, reply: Reply, value: Value) -> str:
    return example(reply.pattern, {reply.group: _decimals(point, value)} | dict(reply.good_if))
