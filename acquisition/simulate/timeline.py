"""Timeline of faults: each with its device or its line, its time and its duration.

faults:
  - {at: 10s, for: 5s, device: feeder1, kind: silent}
  - {at: 30s, for: 20s, device: io1, kind: late, ms: 800}
  - {at: 60s, device: scale, kind: exception, code: 6}          without `for`: until the end
  - {at: 65s, device: io1, kind: exception, code: 2, registers: holding 100-101, next: 3}      of some requests
  - {at: 90s, device: io1, kind: busy, times: 3}                three requests find it busy
  - {at: 99s, for: 4s, device: io1, kind: reboot}               silent for so long, then what was written is forgotten
  - {at: 10s, for: 5s, line: rs485-1, kind: duplicate, ms: 40, share: 0.05}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

from pydantic import Field, create_model, model_validator

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import driver_of
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults import device_faults, line_faults
from acquisition.simulate.faults.device_faults import DeviceFaultKeys
from acquisition.simulate.faults.line_faults import LINE_FAULTS, LineFault
from mapping.diagnostics import Diagnostics, did_you_mean
from mapping.located_yaml.located import Located, load
from mapping.located_yaml.validated import nearest, validated
from mapping.plan import DevicePlan, LinePlan, Plan
from mapping.schema.fields import Milliseconds, Period, Strict

_Model = TypeVar("_Model", bound=Strict)


class FaultyLine(Protocol):
    """A simulated line, as far as its faults go."""

    def begin(self, fault: LineFault) -> None:
        """Have `fault`, instead of another one of its kind."""

    def end(self, fault: LineFault | None = None) -> None:
        """Have `fault` no more if it is still there; without one, none at all."""


class Timed(Strict):
    """The time of an entry, from the start of the simulation."""

    at: Milliseconds
    duration: Period | None = Field(default=None, alias="for")

    def lasts(self, elapsed_ms: float) -> bool:
        """True while it is its time."""
        return self.at <= elapsed_ms < (float("inf") if self.duration is None else self.at + self.duration)


class DeviceEntry(Timed, DeviceFaultKeys):
    """A fault of a device."""

    device: str
    kind: Literal[
        "silent", "late", "exception", "busy", "crc", "wrong_unit", "garbage", "swapped", "frozen", "stuck", "reboot"
    ]

    @model_validator(mode="after")
    def _ends(self) -> "DeviceEntry":
        if self.kind == "reboot" and self.duration is None:
            raise ValueError("a reboot ends: expected `for`")
        return self


class LineEntry(Timed):
    """A fault of a line; the keys of each kind are in a class of their own."""

    line: str
    kind: str

    def fault(self) -> LineFault:
        """The fault, without its time."""
        given = self.model_dump(exclude=set(LineEntry.model_fields) - {"kind"}, exclude_unset=True)
        return LINE_FAULTS[self.kind].model_validate(given)


class _LineKind(Strict):
    """A line's entry of a kind that there is not."""

    kind: line_faults.Kind


class _File(Strict):
    faults: list[Any]


_LINE_ENTRIES: Final[dict[str, type[LineEntry]]] = {
    kind: create_model(f"{model.__name__}Entry", __base__=(model, LineEntry))  # type: ignore[arg-type]  # it is both
    for kind, model in LINE_FAULTS.items()
}

Entry = DeviceEntry | LineEntry


@dataclass(slots=True)
class Timeline:
    """The entries, laid over devices and lines second by second; a fault set by hand is left alone when one ends."""

    entries: list[Entry]
    _faults: dict[int, Fault] = field(default_factory=dict)  # of devices, now, by the number of their entry
    _line_faults: dict[tuple[str, str], tuple[int, LineFault]] = field(default_factory=dict)  # by line and kind

    def apply(
        self, devices: Mapping[str, SimulatedDevice], elapsed_s: float, lines: Mapping[str, FaultyLine] | None = None
    ) -> None:
        """Set the faults that the timeline has at `elapsed_s`, and end those that are over."""
        lasting = {number: one for number, one in enumerate(self.entries) if one.lasts(elapsed_s * 1000)}
        for number in [one for one in self._faults if one not in lasting]:
            self._end(devices, self.entries[number], self._faults.pop(number))
        for number, entry in lasting.items():
            if isinstance(entry, DeviceEntry) and entry.device in devices:
                devices[entry.device].fault = self._faults.setdefault(number, entry.fault())
        self._apply_to_lines(lasting, lines or {})

    @staticmethod
    def _end(devices: Mapping[str, SimulatedDevice], entry: Entry, fault: Fault) -> None:
        if isinstance(entry, DeviceEntry):
            device = devices[entry.device]
            if device.fault is fault:
                device.fault = None
            if entry.kind == "reboot":
                device.reboot()

    def _apply_to_lines(self, lasting: Mapping[int, Entry], lines: Mapping[str, FaultyLine]) -> None:
        """Of several entries of one line and kind the last one counts."""
        wanted = {(one.line, one.kind): number for number, one in lasting.items() if isinstance(one, LineEntry)}
        for (line, kind), (_, fault) in list(self._line_faults.items()):
            if (line, kind) not in wanted:
                lines[line].end(fault)
                del self._line_faults[line, kind]
        for (line, kind), number in wanted.items():
            begun, _ = self._line_faults.get((line, kind), (None, None))
            entry = self.entries[number]
            if begun != number and isinstance(entry, LineEntry) and line in lines:
                self._line_faults[line, kind] = number, entry.fault()
                lines[line].begin(self._line_faults[line, kind][1])


# ---------------------------------------------------------------------- the file


def read_timeline(path: Path, plan: Plan, found: Diagnostics) -> Timeline:
    """The faults file at `path`, for the site of `plan`; empty, and said, if something is wrong with it."""
    located = load(path, found)
    given = None if located is None else validated(located, _File, found)
    if located is None or given is None:
        return Timeline([])
    reader = _Reader(located, plan, found)
    entries = [reader.entry(number, one) for number, one in enumerate(given.faults)]
    return Timeline([] if found.errors else [one for one in entries if one is not None])


class _Reader:
    """Reads entries one by one, each by the model of its kind."""

    def __init__(self, located: Located, plan: Plan, found: Diagnostics) -> None:
        self._located = located
        self._found = found
        self._lines = {line.name: line for worker in plan.workers for line in worker.lines}
        self._devices = {device.name: device for line in self._lines.values() for device in line.devices}

    def entry(self, number: int, given: Any) -> Entry | None:
        """The entry of that number; None if something is wrong with it."""
        if isinstance(given, dict) and "line" in given:
            return self._of_line(number, given)
        entry = self._validated(DeviceEntry, number, given)
        if entry is None:
            return None
        if entry.device not in self._devices:
            hint = did_you_mean(nearest(entry.device, list(self._devices)))
            text = f"no device `{entry.device}`, its fault is passed over"
            self._found.warning("unknown-device", self._located.at("faults", number, "device"), text, hint=hint)
        else:
            self._check_registers(number, entry, self._devices[entry.device])
        return entry

    def _of_line(self, number: int, given: dict[str, Any]) -> LineEntry | None:
        model = _LINE_ENTRIES.get(str(given.get("kind")))
        if model is None:
            self._validated(_LineKind, number, {key: value for key, value in given.items() if key == "kind"})
            return None
        entry = self._validated(model, number, given)
        if entry is None:
            return None
        if entry.line not in self._lines:
            hint = did_you_mean(nearest(entry.line, list(self._lines)))
            span = self._located.at("faults", number, "line")
            self._found.error("unknown-line", span, f"no line `{entry.line}`", hint=hint)
        else:
            self._check_line(number, entry, self._lines[entry.line])
        return entry

    def _validated(self, model: type[_Model], number: int, given: Any) -> _Model | None:
        return validated(self._located, model, self._found, data=given, path=("faults", number))

    def _check_registers(self, number: int, entry: DeviceEntry, device: DevicePlan) -> None:
        reason = device_faults.misfit(entry, device)
        if reason is not None:
            self._found.error("bad-value", self._located.at("faults", number, "registers"), reason)

    def _check_line(self, number: int, entry: LineEntry, line: LinePlan) -> None:
        spec, units = driver_of(line.protocol), [device.unit for device in (*line.devices, *line.fallbacks)]
        wrong = line_faults.misfit(entry.fault(), spec, units)
        if wrong is not None:
            text = f"the line {line.name} cannot have {entry.kind}: {wrong.reason}"
            hint = _possible(line.name, spec) if wrong.key == "kind" else None
            self._found.error("bad-value", self._located.at("faults", number, wrong.key), text, hint=hint)


def _possible(line: str, spec: DriverSpec) -> str:
    kinds = line_faults.possible(spec)
    return f"{line} can have {', '.join(kinds)}" if kinds else f"give faults to the devices of {line}"
