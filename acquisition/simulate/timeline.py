"""Timeline of faults: each with its device, its time and its duration.

faults:
  - {at: 10s, for: 5s, device: feeder1, kind: silent}
  - {at: 30s, for: 20s, device: io1, kind: late, ms: 800}
  - {at: 60s, device: scale, kind: exception, code: 6}          without `for`: until the end
  - {at: 90s, device: io1, kind: busy, times: 3}                three requests find it busy
  - {at: 99s, for: 4s, device: io1, kind: reboot}               silent for so long, then what was written is forgotten
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from acquisition.drivers.device_side import Fault
from acquisition.simulate.device import SimulatedDevice
from mapping.diagnostics import Diagnostics, did_you_mean
from mapping.located_yaml.located import load
from mapping.located_yaml.validated import nearest, validated
from mapping.schema.fields import Milliseconds, Period, Strict


class Entry(Strict):
    """One fault of a timeline."""

    at: Milliseconds
    duration: Period | None = Field(default=None, alias="for")
    device: str
    kind: Literal[
        "silent", "late", "exception", "busy", "crc", "wrong_unit", "garbage", "swapped", "frozen", "stuck", "reboot"
    ]
    ms: int = 1000
    code: int = 4
    times: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _ends(self) -> "Entry":
        if self.kind == "reboot" and self.duration is None:
            raise ValueError("a reboot ends: expected `for`")
        return self

    def fault(self) -> Fault:
        """The fault while it lasts: a device that starts is silent."""
        return Fault("silent" if self.kind == "reboot" else self.kind, self.ms, self.code, self.times)

    def lasts(self, elapsed_ms: float) -> bool:
        """True while it is its time."""
        return self.at <= elapsed_ms < (float("inf") if self.duration is None else self.at + self.duration)


class Entries(Strict):
    """A faults file."""

    faults: list[Entry]


@dataclass(slots=True)
class Timeline:
    """The entries, laid over the devices second by second; a fault set by hand is left alone when one of these ends."""

    entries: list[Entry]
    _faults: dict[int, Fault] = field(default_factory=dict)  # those that last now, by the number of their entry

    def apply(self, devices: Mapping[str, SimulatedDevice], elapsed_s: float) -> None:
        """Set the faults that the timeline has at `elapsed_s`, and end those that are over."""
        lasting = [entry.lasts(elapsed_s * 1000) for entry in self.entries]
        for number, entry in enumerate(self.entries):
            if number in self._faults and not lasting[number]:
                self._end(devices[entry.device], entry, self._faults.pop(number))
        for number, entry in enumerate(self.entries):
            if lasting[number] and entry.device in devices:
                devices[entry.device].fault = self._faults.setdefault(number, entry.fault())

    @staticmethod
    def _end(device: SimulatedDevice, entry: Entry, fault: Fault) -> None:
        if device.fault is fault:
            device.fault = None
        if entry.kind == "reboot":
            device.reboot()


def read_timeline(path: Path, devices: Sequence[str], found: Diagnostics) -> Timeline:
    """The faults file at `path`, of `devices`; empty, and said, if something is wrong with it."""
    located = load(path, found)
    entries = None if located is None else validated(located, Entries, found)
    if located is None or entries is None or found.errors:
        return Timeline([])
    for number, entry in enumerate(entries.faults):
        if entry.device not in devices:
            hint = did_you_mean(nearest(entry.device, devices))
            text = f"no device `{entry.device}`, its fault is passed over"
            found.warning("unknown-device", located.at("faults", number, "device"), text, hint=hint)
    return Timeline(entries.faults)
