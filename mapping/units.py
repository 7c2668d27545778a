"""Units of points, and their conversion to an attribute's `units` (IEC 61850-7-3, SIUnit and multiplier): kW to W and 10^6.

A conversion is a factor and an offset, so that target = point * factor + offset.
"""

from dataclasses import dataclass
from typing import Final

SI_UNITS: Final[dict[str, int]] = {
    "": 1, "m": 2, "kg": 3, "s": 4, "A": 5, "K": 6, "deg": 9, "rad": 10, "degC": 23, "F": 25, "C": 26, "S": 27, "H": 28,
    "V": 29, "ohm": 30, "J": 31, "N": 32, "Hz": 33, "lx": 34, "lm": 35, "Wb": 36, "T": 37, "W": 38, "Pa": 39, "m2": 41,
    "m3": 42, "m/s": 43, "m/s2": 44, "m3/s": 45, "1/s": 53, "rad/s": 54, "W/m2": 55, "VA": 61, "VAr": 63, "Vs": 66,
    "As": 68, "VAh": 71, "Wh": 72, "VArh": 73, "V/Hz": 74, "Hz/s": 75, "dB": 79, "W/s": 81, "h": 84, "min": 85,
}  # fmt: skip
"""Ordinal of each unit that points may have, by its plain symbol."""

_ALIASES: Final = {"var": "VAr", "varh": "VArh", "°C": "degC", "Ohm": "ohm", "Ω": "ohm", "°": "deg", "1": ""}
_DERIVED: Final = {
    "g": ("kg", 1e-3), "bar": ("Pa", 1e5), "l": ("m3", 1e-3), "l/s": ("m3/s", 1e-3), "m3/h": ("m3/s", 1 / 3600),
    "%": ("", 1.0), "rpm": ("1/s", 1 / 60), "t": ("kg", 1e3),
}  # fmt: skip
_PREFIXES: Final = {"G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_UNPREFIXED: Final = frozenset({"", "kg", "min", "h", "%", "rpm", "m3/h", "t", "deg", "degC", "dB"})
_COS_PHI: Final = 65
_LITRES_PER_SECOND: Final = 82
_ORDINALS: Final = {ordinal: symbol for symbol, ordinal in SI_UNITS.items()} | {_COS_PHI: ""}
_TIME: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_CELSIUS_ZERO: Final = 273.15


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as a plain SI symbol and the factor to it: kW is W and 1000."""

    symbol: str
    factor: float = 1.0

    @property
    def ordinal(self) -> int | None:
        """Its SIUnit ordinal, None if the standard has none."""
        return SI_UNITS.get(self.symbol)


def parse(text: str) -> Unit | None:
    """The unit that `text` names, None if it is unknown. `%` counts as the number that it shows."""
    text = text.strip()
    plain = _plain(text)
    if plain is not None:
        return plain
    base = _plain(text[1:])
    if base is None or text[:1] not in _PREFIXES or text[1:] in _UNPREFIXED:
        return None
    return Unit(base.symbol, _PREFIXES[text[:1]] * base.factor)


def _plain(text: str) -> Unit | None:
    name = _ALIASES.get(text, text)
    if name in SI_UNITS:
        return Unit(name)
    return Unit(*_DERIVED[name]) if name in _DERIVED else None


def of_ordinals(si_unit: int, multiplier: int) -> Unit | None:
    """The unit that an object's `units` say; None for an ordinal that no point can have."""
    if si_unit == _LITRES_PER_SECOND:
        return Unit("m3/s", 10.0 ** (multiplier - 3))
    symbol = _ORDINALS.get(si_unit)
    return None if symbol is None else Unit(symbol, 10.0**multiplier)


def conversion(point: Unit, target: Unit) -> tuple[float, float] | None:
    """(factor, offset) from `point` to `target`; None if they measure different things."""
    if {point.symbol, target.symbol} == {"degC", "K"}:
        sign = 1 if point.symbol == "degC" else -1
        return point.factor / target.factor, sign * _CELSIUS_ZERO / target.factor
    if point.symbol in _TIME and target.symbol in _TIME:
        return point.factor * _TIME[point.symbol] / (target.factor * _TIME[target.symbol]), 0.0
    if point.symbol != target.symbol:
        return None
    return point.factor / target.factor, 0.0


def known() -> list[str]:
    """The symbols, for hints."""
    return [
        symbol for symbol in (*SI_UNITS, *_DERIVED, "kW", "kWh", "kV", "mA", "var", "varh", "kvar", "kvarh") if symbol
    ]
