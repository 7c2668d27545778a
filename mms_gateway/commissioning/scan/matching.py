"""Match of a device with profiles (pure): its identify register decides; without one, the plausibility of its values.

    trial = Trial(profile); ask for `trial.wanted`, a few telling points each alone; trial.score(answers)

An illegal register rules a profile out: a device that is what the profile says would have answered.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from acquisition.decoding import scaling
from acquisition.drivers.base import Found, Read, Registers
from acquisition.exchange import identification
from bus import quality
from mapping.plan import DevicePlan, PointPlan, Register
from mms_gateway.commissioning.guess.plausibility import plausibility, weight

TELLING_NAMES: Final = ("voltage_l1", "frequency", "voltage_l1_l2", "total_power_factor", "power_factor_l1")
POINTS_LIMIT: Final = 6
LEAST_SCORE: Final = 0.6
_WORDS: Final = re.compile(r"[a-z0-9]{3,}")


@dataclass(frozen=True, slots=True)
class Match:
    """A profile that fits, how well (0..1), and whether its identify register says so.

    Of two that fit, the one goes first whose name the device itself says; of two that fit alike, the one with more
    registers: a smaller device of a family would have refused some.
    """

    profile: str
    score: float
    proven: bool = False
    named: int = 0  # words of its name that the device says
    points: int = 0

    @property
    def rank(self) -> tuple[object, ...]:
        """Sorts the best first."""
        return (not self.proven, -self.named, -round(self.score, 1), -self.points, self.profile)


def wanted(profile: DevicePlan, unit: int) -> list[Read]:
    """The reads that try `profile` on the device `unit`: its identify register, or a few points."""
    if profile.identify is not None:
        register = profile.identify.register
        return [Read(unit, register.table, register.address, register.count)]
    return [_read(unit, register) for _, register in _telling(profile)]


def _telling(profile: DevicePlan) -> list[tuple[PointPlan, Register]]:
    """The points whose values tell most, and those at both ends of the registers."""
    found = [
        (point, point.source)
        for point in profile.points
        if isinstance(point.source, Register) and point.readable and _by_itself(point, point.source)
    ]
    by_name = {point.local_name: (point, register) for point, register in found}
    by_address = sorted(found, key=lambda one: one[1].address)
    ordered = [by_name[name] for name in TELLING_NAMES if name in by_name] + by_address[-1:] + by_address
    chosen: dict[int, tuple[PointPlan, Register]] = {}
    for point, register in ordered:
        if len(chosen) < POINTS_LIMIT:
            chosen.setdefault(point.number, (point, register))
    return list(chosen.values())


def _by_itself(point: PointPlan, register: Register) -> bool:
    """True if what its register shows is a number without any other register."""
    return point.scale_from is None and register.table in ("holding", "input")


def _read(unit: int, register: Register) -> Read:
    return Read(unit, register.table, register.address, register.count)


def match(profile: DevicePlan, unit: int, answers: Mapping[Read, Found | None], said: str) -> Match | None:
    """How well `profile` fits what the device answered and `said` of itself; None if it is another device."""
    name = profile.profile or profile.name
    if profile.identify is not None:
        found = answers.get(wanted(profile, unit)[0])
        proven = isinstance(found, Registers) and identification.mismatch(profile.identify, found.values) is None
        return Match(name, 1.0, proven=True) if proven else None
    total = weights = 0.0
    for point, register in _telling(profile):
        found = answers.get(_read(unit, register))
        if not isinstance(found, Registers):
            return None
        score = _plausible(point, register, found.values)
        total, weights = total + weight(point.unit) * score, weights + weight(point.unit)
    if not weights or total / weights < LEAST_SCORE:
        return None
    named = sum(word in said.lower() for word in _WORDS.findall(name))
    return Match(name, total / weights, named=named, points=len(profile.points))


def _plausible(point: PointPlan, register: Register, raw: tuple[int, ...]) -> float:
    reading = scaling.reading(point, register, raw)
    if isinstance(reading.value, bool | str):
        return 0.5
    if not quality.is_good(reading.quality) or reading.value is None:
        return 0.1 if reading.reason == scaling.ABSENT else 0.0
    return plausibility(reading.value, point.unit, fraction="power_factor" in point.local_name)


def ranked(found: list[Match]) -> list[Match]:
    """The matches, the best first; one that is proven before all others."""
    return sorted(found, key=lambda one: one.rank)
