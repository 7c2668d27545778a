"""Names that look like one that is not there."""

import pytest

from mapping.located_yaml.validated import nearest

POINTS = ["voltage_l1", "voltage_l2", "voltage_l1_l2", "current_l1", "total_active_power", "total_reactive_power"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("voltage_1", "voltage_l1"),  # a letter too few
        ("voltagee_l2", "voltage_l2"),  # one too many
        ("cuurent_l1", "current_l1"),  # another one
        ("totla_active_power", "total_active_power"),  # two in the wrong order
        ("TOTAL_REACTIVE_POWER", "total_reactive_power"),  # capitals
        ("total-active-power", "total_active_power"),
    ],
)
def test_the_name_that_was_meant_is_the_first(name: str, first: str) -> None:
    assert nearest(name, POINTS)[0] == first


def test_there_are_as_many_as_are_asked_for_the_nearest_first() -> None:
    assert nearest("voltage_l3", POINTS, 2) == ["voltage_l1", "voltage_l2"]
    assert nearest("voltage_l3", POINTS, 1) == ["voltage_l1"]


def test_a_name_like_none_of_them_has_no_hint() -> None:
    assert nearest("frequency", POINTS) == []
    assert nearest("", POINTS) == []
    assert nearest("voltage_l1", []) == []


def test_more_than_half_of_the_letters_must_be_the_same() -> None:
    assert nearest("abcdef", ["abcxyz"]) == []  # half of them
    assert nearest("abcdef", ["abcdyz"]) == ["abcdyz"]  # two thirds
