"""Deadband, zero band and range of a measured number, by its configuration (IEC 61850-7-3, MV and CMV; pure).

    llLim    lLim              hLim    hhLim
low-low │ low │     normal       │ high │ high-high          and back only once the hysteresis inside the limit
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import isnan
from typing import Final

CIRCLE: Final = 360.0
RANGE_LIMITS: Final = frozenset({"hhLim", "hLim", "lLim", "llLim"})


class Range(IntEnum):
    """The range of a value (IEC 61850-7-3, RangeKind)."""

    NORMAL = 0
    HIGH = 1
    LOW = 2
    HIGH_HIGH = 3
    LOW_LOW = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """The configuration of one number, in its own unit. `limits` has those that have been set."""

    db: float  # the deadband as a share of its reference
    reference: float  # the value that 100 % of it mean; 0: the value that is shown
    zero: float  # a value nearer to 0 is shown as 0
    limits: Mapping[str, float]
    hysteresis: float
    angle: bool = False

    @property
    def ranged(self) -> bool:
        """True if there is a limit that makes a range."""
        return not RANGE_LIMITS.isdisjoint(self.limits)

    def exceeded(self, value: float, shown: float) -> bool:
        """True if `value` is further from the shown one than the deadband; a NaN always is."""
        distance = abs(value - shown)
        if self.angle:
            distance = min(distance % CIRCLE, -distance % CIRCLE)
        return not distance <= self.db * (self.reference or (CIRCLE if self.angle else abs(shown)))

    def beyond(self, value: float) -> bool:
        """True if `value` is below min or above max."""
        return value > self.limits.get("max", value) or value < self.limits.get("min", value)

    def range_of(self, value: float, present: int) -> int:
        """The range of `value`, which was `present` before; at a limit itself nothing changes."""
        if isnan(value):
            return present
        if self._above("hhLim", value, present == Range.HIGH_HIGH):
            return Range.HIGH_HIGH
        if self._below("llLim", value, present == Range.LOW_LOW):
            return Range.LOW_LOW
        if self._above("hLim", value, present in (Range.HIGH, Range.HIGH_HIGH)):
            return Range.HIGH
        low = self._below("lLim", value, present in (Range.LOW, Range.LOW_LOW))
        return Range.LOW if low else Range.NORMAL

    def _above(self, name: str, value: float, was: bool) -> bool:
        limit = self.limits.get(name)
        return limit is not None and (value > limit or (was and value >= limit - self.hysteresis))

    def _below(self, name: str, value: float, was: bool) -> bool:
        limit = self.limits.get(name)
        return limit is not None and (value < limit or (was and value <= limit + self.hysteresis))
