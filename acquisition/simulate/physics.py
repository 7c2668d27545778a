"""Measured values of a simulated meter: they obey P = U I cos(phi), and energies count (pure).

Everything follows from the device's name and the second: the same second gives the same values, so a test can compare.
"""

import math
import zlib
from collections.abc import Callable
from typing import Final

NOMINAL_V: Final = 230.0
NOMINAL_A: Final = 12.0
SQRT3: Final = math.sqrt(3)


class Feeder:
    """A three-phase feeder at one second; quantities in SI units."""

    def __init__(self, device: str, second: int) -> None:
        self._seed = zlib.crc32(device.encode()) % 1000
        self._second = second

    def _wave(self, period_s: float, shift: float) -> float:
        return math.sin(2 * math.pi * (self._second / period_s + shift) + self._seed)

    def voltage(self, phase: int) -> float:
        """Line to neutral, V."""
        return NOMINAL_V * (1 + 0.01 * self._wave(47, phase / 3))

    def current(self, phase: int) -> float:
        """A."""
        return NOMINAL_A * (1 + 0.3 * self._wave(61, phase / 3)) * (1 + self._seed / 1000)

    def power_factor(self, phase: int) -> float:
        """cos(phi), inductive."""
        return 0.93 + 0.04 * self._wave(83, phase / 3)

    def active(self, phase: int) -> float:
        """W."""
        return self.voltage(phase) * self.current(phase) * self.power_factor(phase)

    def apparent(self, phase: int) -> float:
        """VA."""
        return self.voltage(phase) * self.current(phase)

    def reactive(self, phase: int) -> float:
        """Var."""
        return math.sqrt(max(self.apparent(phase) ** 2 - self.active(phase) ** 2, 0.0))

    def total(self, of: Callable[[int], float]) -> float:
        """The sum of the three phases."""
        return sum(of(phase) for phase in (0, 1, 2))

    def frequency(self) -> float:
        """Hz."""
        return 50 + 0.03 * self._wave(29, 0.0)

    def counted(self, per_hour: float) -> float:
        """An energy that counts with `per_hour`; over 50,000 h, so that it survives a restart of the test."""
        return per_hour * (1000 + (self._second % 10_000_000) / 3600)


_PHASES: Final = {"l1": 0, "l2": 1, "l3": 2}
_PER_PHASE: Final = (
    "voltage",
    "current",
    "active_power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "power_factor_code",
)
_SHARES: Final = {"l1": 1 / 3, "l2": 1 / 3, "l3": 1 / 3, "t1": 0.7, "t2": 0.3}
_DEMAND: Final = "_demand"


def value(device: str, name: str, second: int) -> float:
    """The value of the point `name`, one of the standard names or any other, in SI units."""
    feeder = Feeder(device, second)
    known = _by_phase(feeder, name)
    if known is None:
        known = _whole(feeder, name)
    if known is None:
        known = _part(feeder, name)
    return known if known is not None else 20 + 5 * math.sin(second / 30 + zlib.crc32(name.encode()) % 7)


def _by_phase(feeder: Feeder, name: str) -> float | None:
    stem, _, last = name.rpartition("_")
    if stem.startswith("voltage_l") and last in _PHASES:
        return feeder.voltage(_PHASES[last]) * SQRT3
    if last not in _PHASES or stem not in _PER_PHASE:
        return None
    phase = _PHASES[last]
    return {
        "voltage": feeder.voltage,
        "current": feeder.current,
        "active_power": feeder.active,
        "reactive_power": feeder.reactive,
        "apparent_power": feeder.apparent,
        "power_factor": feeder.power_factor,
        "power_factor_code": feeder.power_factor,
    }[stem](phase)


def _part(feeder: Feeder, name: str) -> float | None:
    """A phase's or a tariff's share of an energy, the demand of a power, a distortion; None for any other name."""
    stem, _, last = name.rpartition("_")
    if stem.endswith("energy") and last in _SHARES:
        total = _whole(feeder, stem)
        return None if total is None else total * _SHARES[last]
    if name.startswith("thd_"):
        return 2.0 + feeder.power_factor(0)
    stem, demand, _ = name.partition(_DEMAND)
    return _whole(feeder, f"total_{stem}") if demand else None


def _whole(feeder: Feeder, name: str) -> float | None:
    active, reactive = feeder.total(feeder.active), feeder.total(feeder.reactive)
    apparent = feeder.total(feeder.apparent)
    return {
        "total_active_power": active,
        "total_reactive_power": reactive,
        "total_apparent_power": apparent,
        "total_power_factor": active / apparent,
        "total_power_factor_code": active / apparent,  # of four quadrants: an inductive load is as it is
        "frequency": feeder.frequency(),
        "import_energy": feeder.counted(30_000),
        "export_energy": feeder.counted(2_000),
        "import_reactive_energy": feeder.counted(9_000),
        "export_reactive_energy": feeder.counted(500),
        "current_n": 0.4,
        "total_energy": feeder.counted(32_000),
        "total_reactive_energy": feeder.counted(9_500),
        "total_apparent_energy": feeder.counted(34_000),
        "voltage_average": feeder.total(feeder.voltage) / 3,
        "voltage_ll_average": feeder.total(feeder.voltage) / SQRT3,
        "current_average": feeder.total(feeder.current) / 3,
    }.get(name)
