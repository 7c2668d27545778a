"""Which profile fits what a device answers."""

import struct

from acquisition.drivers.base import ExceptionResponse, Found, Read, Registers
from mapping.plan import DevicePlan, Identify, LinePlan, PointPlan, Register
from mms_gateway.commissioning.scan.matching import Match, match, ranked, wanted
from mms_gateway.commissioning.scan.scanning import FoundUnit, parse_units, snippet
from tests.support.field import device, point, register


def quantity(number: int, name: str, unit: str, address: int) -> PointPlan:
    return PointPlan(number, f"p.{name}", unit, Register("input", address, "float32", 2), True, 3000, 1000)


METER = device("meter", 1, [quantity(0, "voltage_l1", "V", 0), quantity(1, "frequency", "Hz", 70)], [])
VOLTAGE, FREQUENCY = wanted(METER, 9)


def shows(value: float) -> Registers:
    return Registers(struct.unpack(">2H", struct.pack(">f", value)))


def fits(profile: DevicePlan, answers: dict[Read, Found | None], said: str = "") -> Match | None:
    return match(profile, 9, answers, said)


def test_a_profile_is_tried_with_the_points_that_tell_most() -> None:
    assert [Read(9, "input", 0, 2), Read(9, "input", 70, 2)] == [VOLTAGE, FREQUENCY]


def test_plausible_values_fit_and_others_do_not() -> None:
    assert fits(METER, {VOLTAGE: shows(231), FREQUENCY: shows(50)}) == Match("meter", 1.0, points=2)
    assert fits(METER, {VOLTAGE: shows(1e-20), FREQUENCY: shows(-4e6)}) is None


def test_a_register_that_is_refused_or_silent_rules_the_profile_out() -> None:
    assert fits(METER, {VOLTAGE: shows(231), FREQUENCY: ExceptionResponse(2)}) is None
    assert fits(METER, {VOLTAGE: shows(231), FREQUENCY: None}) is None


def test_an_identify_register_alone_decides() -> None:
    proof = Identify(register("holding", 5), equals=17)
    profile = device("known", 1, [point(0, "known.x", register("holding", 0))], [], proof)
    (read,) = wanted(profile, 9)
    assert read == Read(9, "holding", 5, 1)
    assert fits(profile, {read: Registers((17,))}) == Match("known", 1.0, proven=True)
    assert fits(profile, {read: Registers((18,))}) is None


def test_of_two_that_fit_alike_the_named_one_goes_first_and_a_proven_one_before_all() -> None:
    small, named = Match("sdm120", 1.0, points=9), Match("sdm630", 0.98, named=1, points=5)
    large, proven = Match("big", 1.0, points=40), Match("p", 1.0, proven=True)
    assert ranked([small, large, named, proven]) == [proven, named, large, small]


def test_the_snippet_is_ready_to_paste_and_says_what_is_not_sure() -> None:
    line = LinePlan("rs485-1", "modbus-rtu", {}, ())
    found = [
        FoundUnit(1, "holding 0", "", (Match("a", 0.9), Match("b", 0.8))),
        FoundUnit(2, "holding 0", "", (Match("c", 1.0, proven=True), Match("d", 0.8))),
        FoundUnit(7, "exception 2", "", ()),
    ]
    assert snippet(line, found) == (
        "devices:\n"
        "  unit1: {line: rs485-1, unit: 1, profile: a}  # or b\n"
        "  unit2: {line: rs485-1, unit: 2, profile: c}\n"
        "  unit7: {line: rs485-1, unit: 7}  # no profile fits: `mms-gateway guess`"
    )


def test_units_are_written_as_ranges_and_lists() -> None:
    assert parse_units("1-3,7") == [1, 2, 3, 7]
