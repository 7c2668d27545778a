"""Quality and UtcTime: the wire forms that clients see, and the rules by which two qualities become one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import quality
from bus.quality import UtcTime

WIRE = [
    (quality.GOOD, "0000"),
    (quality.INVALID, "4000"),
    (quality.QUESTIONABLE, "c000"),
    (quality.INVALID | quality.OLD_DATA, "4100"),
    (quality.NO_ANSWER, "4300"),
    (quality.REFUSED, "4200"),
    (quality.TEST, "0010"),
    (quality.OPERATOR_BLOCKED, "0008"),
]


@pytest.mark.parametrize(("value", "octets"), WIRE)
def test_a_quality_shifted_by_its_padding_is_the_bit_string_of_the_standard(value: int, octets: str) -> None:
    assert (value << 3).to_bytes(2, "big").hex() == octets


def test_the_worst_of_two_keeps_the_worse_validity_and_both_details() -> None:
    assert quality.worst(quality.QUESTIONABLE | quality.INACCURATE, quality.NO_ANSWER) == (
        quality.INVALID | quality.INACCURATE | quality.FAILURE | quality.OLD_DATA
    )


def test_invalid_is_worse_than_questionable_though_its_bits_are_smaller() -> None:
    assert quality.validity(quality.worst(quality.QUESTIONABLE, quality.INVALID)) is quality.Validity.INVALID


@given(st.integers(0, 0x1FFF), st.integers(0, 0x1FFF))
def test_nothing_good_comes_of_a_bad_quality(first: int, second: int) -> None:
    both = quality.worst(first, second)
    assert both == quality.worst(second, first)
    assert quality.is_good(both) == (quality.is_good(first) and quality.is_good(second))


def test_a_quality_is_described_by_its_validity_and_its_details() -> None:
    assert quality.describe(quality.GOOD) == "good"
    assert quality.describe(quality.NO_ANSWER) == "invalid (failure, oldData)"


def fraction_of(ms: int) -> int:
    return int.from_bytes(UtcTime(1_700_000_000_000_000_000 + ms * 1_000_000).octets()[4:7], "big")


def test_a_millisecond_survives_clients_that_truncate_and_clients_that_round() -> None:
    assert [fraction_of(ms) * 1000 >> 24 for ms in range(1000)] == list(range(1000))
    assert [(fraction_of(ms) * 1000 + (1 << 23)) >> 24 for ms in range(1000)] == list(range(1000))


@given(st.integers(0, (1 << 32) * 1_000_000_000 - 1), st.integers(0, 255))
def test_a_time_comes_back_from_its_octets_within_the_fraction(ns: int, time_quality: int) -> None:
    back = UtcTime.from_octets(UtcTime(ns, time_quality).octets())
    assert abs(back.ns - ns) <= 60
    assert back.quality == time_quality


def test_a_time_is_taken_in_each_form_that_users_give() -> None:
    expected = 1_700_000_000_250_000_000
    assert UtcTime.of(1_700_000_000.25).ns == expected
    assert UtcTime.of(datetime.fromtimestamp(1_700_000_000.25, UTC)).ns == expected
    assert UtcTime.of(UtcTime(expected)) == UtcTime(expected)


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a datetime without a time zone, expected an aware one$"):
        UtcTime.of(datetime(2026, 1, 1))  # noqa: DTZ001 - the fault under test


def test_octets_of_another_length_are_no_time() -> None:
    with pytest.raises(ValueError, match=r"^UtcTime of 7 octets, expected 8$"):
        UtcTime.from_octets(bytes(7))
