"""One address decoded in every type and order, the most plausible first (pure).

A float of the right order shows a voltage or a frequency as it is; an integer shows it times a power of ten. A value
that moves a little between two reads is a measurement; one that leaps is half of a value, or has the wrong order.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.decoding import scaling
from acquisition.drivers.base import Registers
from bus import quality
from mapping import units
from mapping.plan import Order, PointPlan, Register, RegisterType, Table
from mms_gateway.commissioning.explain.explaining import register_words
from mms_gateway.commissioning.guess.plausibility import plausibility
from mms_gateway.commissioning.tables import number

ORDERS: Final[tuple[Order, ...]] = ("abcd", "cdab", "badc", "dcba")
TYPES: Final[tuple[tuple[RegisterType, int], ...]] = (
    ("float32", 2), ("int16", 1), ("uint16", 1), ("int32", 2), ("uint32", 2), ("float64", 4), ("int64", 4), ("uint64", 4),
    ("bcd16", 1), ("bcd32", 2),
)  # fmt: skip
SCALES: Final = (1.0, 0.1, 0.01, 0.001, 10.0, 100.0, 1000.0)
TELLING: Final = ((1.0, "V"), (1.0, "Hz"), (0.6, "A"), (0.5, "W"))  # how much a usual value in a unit is worth
SURE: Final[Mapping[str, float]] = {"float32": 1.0, "float64": 0.95, "int16": 0.8, "uint16": 0.75, "bcd16": 0.5}
LESS_SURE: Final = 0.7  # integers of several registers
SCALED: Final = 0.85  # a scale other than 1
LEAPS: Final = 0.3  # moves by more than a twentieth between two reads
CLOSE: Final = 0.2  # of what is expected
HEADER: Final = ("score", "register", "scale", "now", "then")
_QUANTITY: Final = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(\S*)")


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """Value that the meter's own display shows, as typed."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> "ExpectedValue":
        """`230V`, `49.98 Hz` or `1200`. Raises ValueError."""
        match = _QUANTITY.fullmatch(text.strip())
        try:
            value = float(match.group(1)) if match else 0.0
        except ValueError:
            value = 0.0
        unit = match.group(2) if match else ""
        if not value or units.parse(unit) is None:
            raise ValueError(f"`{text}` is no quantity, expected one as 230V or 49.98 Hz")
        return cls(value, unit)


@dataclass(frozen=True, slots=True)
class Guess:
    """One way to read an address, and what it showed the first and the second time."""

    register: Register
    scale: float
    first: float
    second: float
    score: float

    def row(self) -> tuple[str, ...]:
        """For HEADER."""
        return (
            f"{self.score:.2f}",
            register_words(self.register),
            "" if self.scale == 1 else f"scale: {self.scale:g}",
            number(self.first * self.scale),
            number(self.second * self.scale),
        )


def guesses(
    table: Table, address: int, first: Sequence[int], second: Sequence[int], expected: ExpectedValue | None
) -> list[Guess]:
    """Every way to read the registers that came from `address`, those that make no sense left out, the best first."""
    found = [
        guess
        for register in _registers(table, address, min(len(first), len(second)))
        if (guess := _guess(register, first, second, expected)) is not None
    ]
    return sorted(found, key=lambda one: (-one.score, one.register.count, one.register.order != "abcd"))


def _registers(table: Table, address: int, count: int) -> Iterator[Register]:
    for kind, size in TYPES:
        if size <= count:
            for order in ORDERS if size > 1 else ("abcd", "badc"):
                yield Register(table, address, kind, size, order)


def _guess(
    register: Register, first: Sequence[int], second: Sequence[int], expected: ExpectedValue | None
) -> Guess | None:
    before, after = _value(register, first), _value(register, second)
    if before is None or after is None:
        return None
    scored = [(_score(before * scale, scale, register, expected), scale) for scale in SCALES]
    score, scale = max(scored, key=lambda one: one[0])
    if abs(after - before) > abs(before) / 20:
        score *= LEAPS
    return Guess(register, scale, before, after, score) if score > 0 else None


def _value(register: Register, raw: Sequence[int]) -> float | None:
    point = PointPlan(-1, "guess", "", register, polled=True, stale_after_ms=0, every_ms=0)
    reading = scaling.reading(point, register, raw[: register.count])
    if not quality.is_good(reading.quality) or isinstance(reading.value, bool | str | None):
        return None
    return float(reading.value) if math.isfinite(reading.value) else None


def _score(value: float, scale: float, register: Register, expected: ExpectedValue | None) -> float:
    sure = SURE.get(register.type, LESS_SURE) * (1.0 if scale == 1 else SCALED)
    if expected is not None:
        off = abs(value - expected.value) / abs(expected.value)
        return math.sqrt(sure) * max(1 - off / CLOSE, 0.0) ** 2
    if register.type.startswith("float") and scale != 1:
        return 0.0
    best = max(worth * plausibility(value, unit) for worth, unit in TELLING)
    return sure * best * (1.0 if register.order in ("abcd", "cdab") else SCALED)


def bits(table: Table, address: int, first: Registers, second: Registers) -> tuple[str, ...]:
    """Row of a coil or a discrete input, for HEADER: there is but one way to read it."""
    shown = [number(bool(one.values[0])) for one in (first, second)]
    return ("", f"{table} {address} bool", "", *shown)
