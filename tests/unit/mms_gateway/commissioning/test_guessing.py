"""Which way to read an address comes first."""

import struct

import pytest

from mms_gateway.commissioning.explain.explaining import register_words
from mms_gateway.commissioning.guess.guessing import ExpectedValue, Guess, guesses
from mms_gateway.commissioning.guess.plausibility import plausibility


def words(octets: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(octets) // 2}H", octets)


def best(first: tuple[int, ...], second: tuple[int, ...], expected: ExpectedValue | None = None) -> Guess:
    return guesses("holding", 100, first, second, expected)[0]


FIRST, SECOND = 230.4, 230.9


@pytest.mark.parametrize(
    ("order", "turned"),
    [("abcd", lambda one: one), ("cdab", lambda one: one[::-1])],
)
def test_a_float_shows_a_voltage_in_one_order_only(order: str, turned: object) -> None:
    both = [turned(words(struct.pack(">f", one))) for one in (FIRST, SECOND)]  # type: ignore[operator]
    found = best(*both)
    text = "holding 100 float32" + ("" if order == "abcd" else f" {order}")
    assert (register_words(found.register), found.scale, round(found.score, 2)) == (text, 1.0, 1.0)


def test_a_whole_number_shows_a_voltage_in_tenths() -> None:
    found = best((2304,), (2309,))
    assert (register_words(found.register), found.scale, found.first, found.second) == (
        "holding 100 int16",
        0.1,
        2304.0,
        2309.0,
    )


def test_what_leaps_between_two_reads_is_less_likely_than_what_moves() -> None:
    steady, leaping = best((2304,), (2309,)), best((2304,), (500,))
    assert steady.score > 2 * leaping.score


@pytest.mark.parametrize(
    ("text", "raw", "register", "scale"),
    [
        ("49.98Hz", (4998,), "holding 100 int16", 0.01),
        ("1200 kWh", (0, 12000), "holding 100 int32", 0.1),
        ("21.5 degC", (0x2150,), "holding 100 bcd16", 0.01),
    ],
)
def test_what_the_display_shows_decides(text: str, raw: tuple[int, ...], register: str, scale: float) -> None:
    found = best(raw, raw, ExpectedValue.parse(text))
    assert (register_words(found.register), found.scale) == (register, scale)


def test_no_row_of_what_makes_no_sense_is_left() -> None:
    assert guesses("input", 0, (0x7FC0, 0x0000), (0x7FC0, 0x0000), ExpectedValue(230, "V")) == []


@pytest.mark.parametrize("text", ["V", "0V", "1..2V", "230 Volts", ""])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is compared
        ExpectedValue.parse(text)
    assert str(raised.value) == f"`{text}` is no quantity, expected one as 230V or 49.98 Hz"


@pytest.mark.parametrize(
    ("value", "unit", "fraction", "score"),
    [
        (230.0, "V", False, 1.0),
        (0.23, "kV", False, 1.0),
        (-230.0, "V", False, 0.0),
        (20_000.0, "V", False, 0.4),
        (1e-38, "V", False, 0.0),
        (50.0, "Hz", False, 1.0),
        (50.0, "V", False, 0.4),
        (7.0, "Hz", False, 0.0),
        (0.95, "", True, 1.0),
        (95.0, "", True, 0.0),
        (-3.0, "kW", False, 1.0),
        (float("nan"), "W", False, 0.0),
        (0.0, "W", False, 0.2),
        (1e20, "", False, 0.0),
    ],
)
def test_how_plausible_a_number_is_depends_on_its_unit(value: float, unit: str, fraction: bool, score: float) -> None:
    assert plausibility(value, unit, fraction=fraction) == score
