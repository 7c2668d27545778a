"""A timeline of faults: what goes wrong with which device, when, and for how long.

faults:
  - {at: 10s, for: 5s, device: feeder1, kind: silent}
  - {at: 30s, for: 20s, device: io1, kind: late, ms: 800}
  - {at: 60s, device: scale, kind: exception, code: 6}          without `for`: until the end
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from acquisition.simulate.device import Fault, SimulatedDevice
from mapping.schema import Milliseconds, Period, Strict


class Entry(Strict):
    """One fault of a timeline."""

    at: Milliseconds
    duration: Period | None = Field(default=None, alias="for")
    device: str
    kind: Literal["silent", "late", "exception", "crc", "wrong_unit", "garbage"]
    ms: int = 1000
    code: int = 4


class Entries(Strict):
    """A faults file."""

    faults: list[Entry]


@dataclass(slots=True)
class Timeline:
    """The entries, laid over the devices second by second; a fault set by hand is left alone."""

    entries: list[Entry]

    def apply(self, devices: Mapping[str, SimulatedDevice], elapsed_s: float) -> None:
        """Set or clear the faults that the timeline has at `elapsed_s`."""
        elapsed_ms = elapsed_s * 1000
        for entry in self.entries:
            device = devices.get(entry.device)
            if device is None:
                continue
            active = entry.at <= elapsed_ms < (float("inf") if entry.duration is None else entry.at + entry.duration)
            if active:
                device.fault = Fault(entry.kind, entry.ms, entry.code)
            elif entry.at <= elapsed_ms < entry.at + (entry.duration or 0) + 1500:
                device.fault = None


def read_timeline(path: Path) -> Timeline:
    """The faults file at `path`. Raises OSError, yaml.YAMLError, or ValueError that says what does not fit."""
    return Timeline(Entries.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).faults)
