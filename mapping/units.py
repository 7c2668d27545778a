"""Units: what `kW` is to an attribute whose `units` say W and 10^6 (IEC 61850-7-3, SIUnit and multiplier).

A conversion is a factor and an offset, so that target = point * factor + offset.
"""

from dataclasses import dataclass
from typing import Final

SI_UNITS: Final[dict[str, int]] = {
    "": 1, "m": 2, "kg": 3, "s": 4, "A": 5, "K": 6, "deg": 9, "rad": 10, "degC": 23, "F": 25, "C": 26, "S": 27, "H": 28,
    "V": 29, "ohm": 30, "J": 31, "N": 32, "Hz": 33, "lx": 34, "lm": 35, "Wb": 36, "T": 37, "W": 38, "Pa": 39, "m2": 41,
    "m3": 42, "m/s": 43, "m3/s": 45, "1/s": 53, "W/m2": 55, "VA": 61, "VAr": 63, "Vs": 66, "VAh": 71, "Wh": 72, "VArh": 73,
    "dB": 79, "h": 84, "min": 85,
}  # fmt: skip
"""Ordinal of each unit that points may have, by its plain symbol."""

_ALIASES: Final = {
    "var": "VAr", "varh": "VArh", "%": "%", "°C": "degC", "Ohm": "ohm", "Ω": "ohm", "°": "deg", "1": "", "rpm": "rpm",
    "g": "g", "bar": "bar", "l": "l", "l/s": "l/s", "m3/h": "m3/h",
}  # fmt: skip
_DERIVED: Final = {
    "%": ("", 1.0), "g": ("kg", 1e-3), "bar": ("Pa", 1e5), "l": ("m3", 1e-3), "l/s": ("m3/s", 1e-3),
    "m3/h": ("m3/s", 1 / 3600), "rpm": ("1/s", 1 / 60), "t": ("kg", 1e3),
}  # fmt: skip
_PREFIXES: Final = {"G": 1e9, "M": 1e6, "k": 1e3, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_ORDINALS: Final = {ordinal: symbol for symbol, ordinal in SI_UNITS.items()}
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
    if text in _DERIVED:
        symbol, factor = _DERIVED[text]
        return Unit(symbol, factor)
    plain = _ALIASES.get(text, text)
    if plain in SI_UNITS:
        return Unit(plain)
    base = _ALIASES.get(text[1:], text[1:])
    if text[:1] not in _PREFIXES or base not in SI_UNITS or base in ("", "kg", "min", "h"):
        return None
    return Unit(base, _PREFIXES[text[:1]])


def of_ordinals(si_unit: int, multiplier: int) -> Unit | None:
    """The unit that an object's `units` say; None for an ordinal that no point can have."""
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
