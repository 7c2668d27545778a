"""Unit conversion from a point to a data object, by `units`, `sVC` and `pulsQty` (IEC 61850-7-3) and the row's own scale.

attribute = ((point * unit factor + unit offset) * row's scale - sVC.offset) / sVC.scaleFactor / pulsQty
"""

import re
from dataclasses import dataclass
from typing import Final

from mapping import units
from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.passes.draft import DraftPoint, Target
from mapping.passes.value_attributes import DataObject, Leaf
from mapping.plan import Deadband
from mapping.units import Unit

_DEADBAND: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*(\S*)")
_SCALED: Final = {
    "mag": "sVC",
    "instMag": "sVC",
    "mxVal": "sVC",
    "setMag": "sVC",
    "cVal": "magSVC",
    "instCVal": "magSVC",
}


class BindingError(ValueError):
    """A row that cannot be bound: type, unit or value does not fit. It becomes one diagnostic at the row's place."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Conversion:
    """attribute = point * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0

    def times(self, factor: float) -> "Conversion":
        """This, and its result times `factor`."""
        return Conversion(self.scale * factor, self.offset * factor)

    def plus(self, summand: float) -> "Conversion":
        """This, and `summand` added to its result."""
        return Conversion(self.scale, self.offset + summand)


def conversion(target: Target, point: DraftPoint, leaf: Leaf) -> Conversion:
    """The conversion from the numbers of `point` to those of `leaf`. Raises BindingError if their units do not fit.

    Only the value of the data object is in its unit; any other attribute takes the numbers as they are.
    """
    thing = target.object
    own = unit_of(point)
    found = Conversion()
    is_value = any(one.path == leaf.path for one in thing.value_leaves())
    if is_value:
        found = _to_object(thing, point, own)
    found = found.times(float(target.row.scale) * (-1.0 if target.negate else 1.0))
    if is_value and leaf.path[-1] == "i":
        found = _scaled(thing, leaf, found)
    pulses = thing.configured("pulsQty") if is_value and thing.type.cdc == "BCR" else None
    return found.times(1 / pulses) if isinstance(pulses, int | float) and pulses else found


def unit_of(point: DraftPoint) -> Unit:
    """The unit of a point. Raises BindingError if nobody knows it."""
    own = units.parse(point.plan.unit)
    if own is None:
        hint = did_you_mean(nearest(point.plan.unit, units.known()))
        raise BindingError("unknown-unit", f"`{point.plan.name}` has the unknown unit `{point.plan.unit}`", hint)
    return own


def _to_object(thing: DataObject, point: DraftPoint, own: Unit) -> Conversion:
    si_unit, multiplier = thing.configured("units.SIUnit"), thing.configured("units.multiplier")
    power = multiplier if isinstance(multiplier, int) else 0
    if not isinstance(si_unit, int):
        return Conversion(own.factor / 10.0**power)
    if not point.plan.unit:
        return Conversion()
    wanted = units.of_ordinals(si_unit, power)
    converted = None if wanted is None else units.conversion(own, wanted)
    if converted is None:
        there = f"SIUnit {si_unit}" if wanted is None else (wanted.symbol or "no unit")
        there = f"10^{power} {there}" if power else there
        raise BindingError(
            "unit-mismatch", f"`{point.plan.name}` is in {point.plan.unit}, `{thing.reference}` in {there}"
        )
    return Conversion(*converted)


def _scaled(thing: DataObject, leaf: Leaf, found: Conversion) -> Conversion:
    """An integer value, i = (f - offset) / scaleFactor (IEC 61850-7-3, ScaledValueConfig)."""
    config = _SCALED.get(leaf.path[len(thing.path)], "")
    factor, offset = thing.configured(f"{config}.scaleFactor"), thing.configured(f"{config}.offset")
    if isinstance(offset, int | float):
        found = found.plus(-offset)
    return found.times(1 / factor) if isinstance(factor, int | float) and factor else found


def deadband(text: str, point: DraftPoint, found: Conversion) -> Deadband:
    """The deadband that `50 W` or `0.5 %` means, in the attribute's unit. Raises BindingError."""
    match = _DEADBAND.fullmatch(text.strip())
    if match is None:
        raise BindingError("bad-value", f"`{text}` is no deadband, expected one as `50 W` or `0.5 %`")
    value, unit_text = float(match.group(1)), match.group(2)
    if unit_text == "%" and point.plan.unit != "%":
        return Deadband(value, percent=True)
    factor = 1.0
    if unit_text:
        unit, own = units.parse(unit_text), unit_of(point)
        converted = None if unit is None else units.conversion(unit, own)
        if converted is None:
            there = point.plan.unit or "no unit"
            message = f"`{unit_text}` does not measure what `{point.plan.name}` does ({there})"
            raise BindingError("unit-mismatch", message)
        factor = converted[0]
    return Deadband(value * factor * abs(found.scale))
