"""Registers to values and back: every type, every order, and what means nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.decoding import scaling
from bus import quality
from mapping.plan import Order, PointPlan, Register, RegisterType, Reply


def point(register: Register, **more: object) -> PointPlan:
    return PointPlan(0, "m.p", "V", register, True, 3000, 1000, **more)  # type: ignore[arg-type]


def value(kind: RegisterType, words: list[int], order: Order = "abcd", low: int = 0, high: int = 0) -> object:
    register = Register("holding", 0, kind, len(words), order, low, high)
    return scaling.reading(point(register), register, words).value


TYPES = [
    ("int16", [0xFFFF], "abcd", -1), ("uint16", [0xFFFF], "abcd", 65535), ("int16", [0x0100], "badc", 1),
    ("int32", [0xFFFF, 0xFFFE], "abcd", -2), ("int32", [0xFFFE, 0xFFFF], "cdab", -2),
    ("uint32", [0x0001, 0x0000], "abcd", 65536), ("uint32", [0x0000, 0x0001], "cdab", 65536),
    ("uint32", [0x0100, 0x0000], "badc", 65536), ("uint32", [0x0000, 0x0100], "dcba", 65536),
    ("int64", [0, 0, 1, 0], "abcd", 65536), ("uint64", [0, 1, 0, 0], "cdab", 65536),
    ("float32", [0x42F6, 0xE979], "abcd", pytest.approx(123.456)), ("float32", [0xE979, 0x42F6], "cdab", pytest.approx(123.456)),
    ("float64", [0x4009, 0x21FB, 0x5444, 0x2D18], "abcd", pytest.approx(math.pi)),
    ("bcd16", [0x1234], "abcd", 1234), ("bcd32", [0x1234, 0x5678], "abcd", 12345678),
    ("sbcd16", [0x0123], "abcd", 123), ("sbcd16", [0x8123], "abcd", -123), ("sbcd16", [0xF123], "abcd", -123),
    ("sbcd32", [0x8000, 0x0042], "abcd", -42), ("float16", [0x3C00], "abcd", 1.0), ("float16", [0xC000], "abcd", -2.0),
    ("time:unix32", [0x65F6, 0xF815], "abcd", 1_710_684_181), ("time:unix64", [0, 0, 0x65F6, 0xF815], "abcd", 1_710_684_181),
    ("mod10", [4567, 123, 0, 0], "abcd", 1234567), ("mod10", [0, 123, 4567], "cdab", 1234567),
    ("bool", [0x0002], "abcd", True), ("bool", [0], "abcd", False),
    ("string", [0x4142, 0x4300], "abcd", "ABC"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words", "order", "expected"), TYPES)
def test_a_type_in_an_order_is_its_value(kind: RegisterType, words: list[int], order: Order, expected: object) -> None:
    assert value(kind, words, order) == expected


def test_bits_count_from_the_least_significant_and_ranges_are_inclusive() -> None:
    assert value("bit", [0b1000], low=3) is True
    assert value("bits", [0b0110_0000], low=5, high=7) == 0b011


def test_the_golden_frame_of_an_sdm630_is_230_2_volts() -> None:
    assert value("float32", [0x4366, 0x3334]) == pytest.approx(230.2)


NOTHING = [
    ("float32", [0x7FC0, 0x0000], (), "not a number"),
    ("float32", [0xFFC0, 0x0000], ("nan",), scaling.ABSENT),
    ("uint16", [0xFFFF], (0xFFFF,), scaling.ABSENT),
    ("int32", [0x7FFF, 0xFFFF], (0x7FFFFFFF,), scaling.ABSENT),
    ("bcd16", [0x12AF], (), "bcd16 of 12af is no value"),
    ("mod10", [10000, 0, 0], (), "mod10 of 2710 0000 0000 is no value"),
    ("sbcd16", [0x7123], (), "sbcd16 of 7123 is no value"),
    ("time:unix32", [0xFFFF, 0xFFFF], (), "time:unix32 of ffff ffff is no value"),
    ("time:iec870", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], (), "time:iec870 of ffff ffff ffff ffff is no value"),
]


@pytest.mark.conformance("GW-6")
@pytest.mark.parametrize(("kind", "words", "absent", "reason"), NOTHING)
def test_what_means_nothing_is_invalid_and_never_a_zero(
    kind: RegisterType, words: list[int], absent: tuple[int | str, ...], reason: str
) -> None:
    register = Register("holding", 0, kind, len(words))
    reading = scaling.reading(point(register, absent=absent), register, words)
    assert (reading.value, reading.quality, reading.reason) == (None, quality.INVALID, reason)


def test_an_infinite_value_is_invalid_with_overflow() -> None:
    register = Register("holding", 0, "float32", 2)
    reading = scaling.reading(point(register), register, [0x7F80, 0])
    assert (reading.value, reading.quality) == (None, quality.INVALID | quality.OVERFLOW)


def whole(low: int, high: int) -> st.SearchStrategy[int | float]:
    return st.integers(low, high)


VALUES: dict[RegisterType, tuple[int, st.SearchStrategy[int | float]]] = {
    "int16": (1, whole(-(1 << 15), (1 << 15) - 1)), "uint16": (1, whole(0, 0xFFFF)),
    "int32": (2, whole(-(1 << 31), (1 << 31) - 1)), "uint32": (2, whole(0, 0xFFFFFFFF)),
    "int64": (4, whole(-(1 << 63), (1 << 63) - 1)), "uint64": (4, whole(0, (1 << 64) - 1)),
    "float16": (1, st.floats(width=16, allow_nan=False, allow_infinity=False)),
    "float32": (2, st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "float64": (4, st.floats(allow_nan=False, allow_infinity=False)),
    "bcd16": (1, whole(0, 9999)), "bcd32": (2, whole(0, 99_999_999)),
    "sbcd16": (1, whole(-999, 999)), "sbcd32": (2, whole(-9_999_999, 9_999_999)), "mod10": (3, whole(0, 10**12 - 1)),
    "time:unix32": (2, whole(0, 4_102_444_799)), "time:unix64": (4, whole(0, 4_102_444_799)),
    "time:iec870": (4, st.integers(946_684_800_000, 4_102_444_799_000).map(lambda ms: ms / 1000)),
}  # fmt: skip


@given(st.sampled_from(sorted(VALUES)), st.sampled_from(["abcd", "cdab", "badc", "dcba"]), st.data())
def test_what_is_written_is_what_is_read_back(kind: RegisterType, order: Order, data: st.DataObject) -> None:
    count, values = VALUES[kind]
    number = data.draw(values)
    register = Register("holding", 0, kind, count, order)
    words = scaling.registers_of(point(register), register, number)
    assert len(words) == count
    assert all(0 <= word <= 0xFFFF for word in words)
    assert scaling.reading(point(register), register, words).value == number


@given(st.integers(0, 15), st.integers(0, 15), st.sampled_from(["abcd", "badc"]), st.data())
def test_bits_are_put_where_they_are_read(first: int, second: int, order: Order, data: st.DataObject) -> None:
    low, high = sorted((first, second))
    number = data.draw(st.integers(0, (1 << high - low + 1) - 1))
    register = Register("holding", 0, "bits", 1, order, low, high)
    words = scaling.registers_of(point(register), register, number)
    assert scaling.reading(point(register), register, words).value == number


@given(st.sampled_from(sorted(VALUES)), st.sampled_from(["abcd", "cdab", "badc", "dcba"]), st.data())
def test_any_registers_are_a_value_or_invalid_and_never_an_error(
    kind: RegisterType, order: Order, data: st.DataObject
) -> None:
    count = VALUES[kind][0]
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count))
    register = Register("holding", 0, kind, count, order)
    found = scaling.reading(point(register), register, words)
    assert (found.value is None) == bool(found.reason)
    assert quality.is_good(found.quality) == (found.value is not None)


def test_a_clock_that_counts_milliseconds_shows_its_time() -> None:
    register = Register("holding", 0, "time:unix64", 4)
    clock = point(register, scale=0.001)
    words = [0, 0x018E, 0x4CBA, 0xF988]  # 1 710 684 305 800 ms
    assert scaling.registers_of(clock, register, 1_710_684_305.8) == tuple(words)
    assert scaling.reading(clock, register, words).value == pytest.approx(1_710_684_305.8)
    assert scaling.reading(clock, register, [0xFFFF] * 4).value is None  # a clock that was never set


def test_a_clock_is_not_set_to_what_is_no_time() -> None:
    register = Register("holding", 0, "time:unix32", 2)
    with pytest.raises(ValueError, match=r"^4102444800, expected seconds since 1970$"):
        scaling.registers_of(point(register), register, 4_102_444_800)


def test_a_power_meters_clock_is_read_as_its_manual_draws_it() -> None:
    # 2024-03-17 (a Sunday) 14:05:09.250
    words = [24, 3 << 8 | 7 << 5 | 17, 14 << 8 | 5, 9250]
    assert value("time:iec870", words) == 1_710_684_309.25
    assert value("time:iec870", [words[0], words[1], words[2] | 0x0080, words[3]]) is None  # it says itself: not set
    assert value("time:iec870", [24, 2 << 8 | 31, 0, 0]) is None


LIMITS = [(-1.0, "-1 V is below 0"), (501.0, "501 V is above 500"), (0.0, ""), (500.0, "")]


@pytest.mark.parametrize(("shown", "reason"), LIMITS)
def test_what_lies_beyond_the_limits_is_shown_and_not_believed(shown: float, reason: str) -> None:
    register = Register("holding", 0, "float32", 2)
    limited = point(register, minimum=0.0, maximum=500.0)
    found = scaling.reading(limited, register, scaling.registers_of(limited, register, shown))
    judged = quality.INVALID | quality.OUT_OF_RANGE if reason else quality.GOOD
    assert (found.value, found.quality, found.reason) == (shown, judged, reason)


MODE = Register("holding", 7, "bits", 1, low_bit=4, high_bit=6)


def test_an_enumeration_is_its_names_and_nothing_else() -> None:
    mode = point(MODE, enum=((0, "off"), (1, "charging"), (5, "fault")))
    assert scaling.reading(mode, MODE, [0x51]).value == "fault"
    unknown = scaling.reading(mode, MODE, [0x20])
    assert (unknown.value, unknown.quality, unknown.reason) == (
        None,
        quality.INVALID,
        "2 is none of off, charging, fault",
    )
    assert scaling.registers_of(mode, MODE, "charging") == (0x10,)
    with pytest.raises(ValueError, match=r"^'on', expected one of off, charging, fault$"):
        scaling.registers_of(mode, MODE, "on")


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("int16", 40000),
        ("uint16", -1),
        ("float32", 1e39),
        ("bcd16", 10000),
        ("bcd16", -1),
        ("sbcd16", 1000),
        ("float16", 1e6),
    ],
)
def test_what_no_register_holds_is_refused(kind: RegisterType, number: float) -> None:
    register = Register("holding", 0, kind, 2 if kind == "float32" else 1)
    with pytest.raises((ValueError, OverflowError)):
        scaling.registers_of(point(register), register, number)


SCALE = Reply("SI\r\n", "S (?P<state>[SD]) +(?P<value>-?[0-9.]+) kg", "value", (("state", "S"),))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("S S     100.00 kg", (100.0, quality.GOOD, "")),
        ("S D      99.50 kg", (99.5, quality.INVALID, "state is `D`")),
        ("S I", None),
        ("S S     100.00 kg and more", None),
    ],
)
def test_a_line_of_text_is_matched_whole_and_judged(line: str, expected: tuple[float, int, str] | None) -> None:
    weight = PointPlan(0, "s.w", "kg", SCALE, True, 3000, 1000)
    reading = scaling.text_reading(weight, SCALE, line)
    assert (reading and (reading.value, reading.quality, reading.reason)) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [("00123", "00123"), ("1.50", "1.50"), ("1234567890123456", 1234567890123456), ("0.95", 0.95), ("A7", "A7")],
)
def test_a_text_without_unit_loses_no_digit(text: str, shown: object) -> None:
    reply = Reply("ID\r\n", "(?P<value>.+)", "value")
    reading = scaling.text_reading(PointPlan(0, "s.id", "", reply, True, 3000, 1000), reply, text)
    assert reading is not None
    assert (reading.value, type(reading.value), reading.quality) == (shown, type(shown), quality.GOOD)


ABSENT_TEXTS = ("----", "OL", 999)


@pytest.mark.parametrize("unit", ["", "kg"])
@pytest.mark.parametrize("text", ["----", "OL", "999", "999.0"])
def test_a_text_that_means_no_measurement_is_no_value_with_a_unit_or_without(text: str, unit: str) -> None:
    reply = Reply("SI\r\n", "(?P<state>[SD]) (?P<value>.+)", "value", (("state", "S"),))
    given = PointPlan(0, "s.w", unit, reply, True, 3000, 1000, absent=ABSENT_TEXTS)
    for state in ("S", "D"):
        reading = scaling.text_reading(given, reply, f"{state} {text}")
        assert reading == scaling.Reading(None, quality.INVALID, scaling.ABSENT)


@pytest.mark.parametrize("text", ["-----", "ol", "OL1", "9990"])
def test_a_text_that_is_only_like_one_of_no_measurement_is_judged_as_any_other(text: str) -> None:
    reply = Reply("SI\r\n", "(?P<value>.+)", "value")
    shown = scaling.text_reading(PointPlan(0, "s.w", "", reply, True, 3000, 1000, absent=ABSENT_TEXTS), reply, text)
    assert shown is not None
    assert (str(shown.value), shown.quality) == (text, quality.GOOD)


@pytest.mark.parametrize("value", [1e300, -1e300, math.inf, math.nan])
def test_a_value_beyond_the_register_is_refused_and_not_written(value: float) -> None:
    register = Register("holding", 0, "float32", 2)
    with pytest.raises(ValueError, match=r"is beyond a float32|expected a finite number"):
        scaling.registers_of(PointPlan(0, "s.x", "", register, True, 3000, 1000), register, value)
