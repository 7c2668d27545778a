"""Plausibility of a number as a quantity in a unit: 0 if it is impossible, 1 for a usual measured value (pure).

A number of the wrong type or word order is far too large, far too small, or not finite; one of the right type at the
wrong register is finite, but no voltage and no frequency.
"""

import math
from typing import Final, NamedTuple

from mapping import units


class Range(NamedTuple):
    """Where a quantity usually lies, and where it can lie, both as magnitudes in the SI unit."""

    usual: tuple[float, float]
    possible: tuple[float, float]


RANGES: Final[dict[str, Range]] = {
    "V": Range((80, 300), (20, 500_000)),
    "Hz": Range((48, 62), (40, 70)),
    "A": Range((0.01, 5_000), (0, 100_000)),
    "W": Range((1, 1e7), (0, 1e9)),
    "VA": Range((1, 1e7), (0, 1e9)),
    "VAr": Range((1, 1e7), (0, 1e9)),
    "Wh": Range((1, 1e12), (0, 1e15)),
    "VAh": Range((1, 1e12), (0, 1e15)),
    "VArh": Range((1, 1e12), (0, 1e15)),
    "degC": Range((1, 100), (0, 1500)),
}
FRACTION: Final = Range((0.05, 1), (0, 1))  # a power factor
ANYTHING: Final = Range((1e-3, 1e9), (1e-9, 1e15))
TELLING: Final = frozenset({"V", "Hz"})  # units without a sign, whose usual values hardly anything else shows
NOTHING: Final = 0.2  # a zero: it may be anything
RARELY: Final = 0.4  # possible, but not usual


def plausibility(value: float, unit: str, *, fraction: bool = False) -> float:
    """How plausible `value`, in `unit`, is; `fraction`: a power factor."""
    if not math.isfinite(value):
        return 0.0
    if value == 0:
        return NOTHING
    parsed = units.parse(unit)
    expected = FRACTION if fraction else RANGES.get(parsed.symbol, ANYTHING) if parsed and unit else ANYTHING
    if value < 0 and parsed is not None and parsed.symbol in TELLING:
        return 0.0
    magnitude = abs(value) * (parsed.factor if parsed else 1.0)
    if expected.usual[0] <= magnitude <= expected.usual[1]:
        return 1.0
    return RARELY if expected.possible[0] <= magnitude <= expected.possible[1] and magnitude > 1e-6 else 0.0


def weight(unit: str) -> float:
    """How much a plausible value in `unit` tells."""
    parsed = units.parse(unit)
    return 3.0 if parsed is not None and parsed.symbol in TELLING else 1.0
