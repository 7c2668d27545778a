"""Units: conversion from a point's to its object's."""

import pytest

from mapping import units
from mapping.units import Unit

CONVERSIONS = [
    ("kW", 38, 0, 2.5, 2500.0),
    ("W", 38, 6, 2_500_000.0, 2.5),
    ("kWh", 72, 3, 7.0, 7.0),
    ("kvar", 63, 0, 1.0, 1000.0),
    ("mA", 5, 0, 20.0, 0.02),
    ("degC", 6, 0, 20.0, 293.15),
    ("K", 23, 0, 273.15, 0.0),
    ("%", 1, 0, 42.0, 42.0),
    ("bar", 39, 3, 1.0, 100.0),
    ("mbar", 39, 0, 1013.0, 101_300.0),
    ("hPa", 39, 0, 1013.0, 101_300.0),
    ("l/s", 82, 0, 3.0, 3.0),
    ("m3/h", 45, 0, 3600.0, 1.0),
    ("min", 4, 0, 2.0, 120.0),
    ("", 65, 0, 0.9, 0.9),
    ("rpm", 53, 0, 120.0, 2.0),
]


@pytest.mark.parametrize(("text", "si_unit", "multiplier", "value", "wanted"), CONVERSIONS)
def test_a_value_keeps_its_size_from_unit_to_unit(
    text: str, si_unit: int, multiplier: int, value: float, wanted: float
) -> None:
    point, target = units.parse(text), units.of_ordinals(si_unit, multiplier)
    assert point is not None
    assert target is not None
    converted = units.conversion(point, target)
    assert converted is not None
    assert value * converted[0] + converted[1] == pytest.approx(wanted)


@pytest.mark.parametrize(("text", "si_unit"), [("W", 61), ("V", 5), ("degC", 38), ("Wh", 38), ("", 38)])
def test_what_measures_different_things_does_not_convert(text: str, si_unit: int) -> None:
    point, target = units.parse(text), units.of_ordinals(si_unit, 0)
    assert point is not None
    assert target is not None
    assert units.conversion(point, target) is None


@pytest.mark.parametrize("text", ["Watt", "kkW", "kg/h", "mmin", "k%", "kW/h", "k"])
def test_a_unit_that_nobody_knows_is_none(text: str) -> None:
    assert units.parse(text) is None


def test_a_prefix_is_a_factor() -> None:
    assert units.parse("kvarh") == Unit("VArh", 1000.0)
    assert units.parse("µA") == units.parse("uA") == Unit("A", 1e-6)
