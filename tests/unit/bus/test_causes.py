"""The table of causes is what the code does, and what the page says."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from acquisition.decoding import failure_quality, point_readings, scaling
from acquisition.decoding.derived_points import DerivedPoints
from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.line import DOUBTED, INCONSISTENT
from bus import quality
from mapping.plan import Counter, PointPlan, Register, Reply, ScaleFrom
from tests import quality_causes as causes

PAGE = Path(__file__).parents[3] / "docs" / "quality.md"


def test_the_page_shows_the_table() -> None:
    assert causes.table() in PAGE.read_text(encoding="utf-8")


def read(kind: str, words: list[int], **more: object) -> Reading:
    register = Register("holding", 0, kind, len(words))  # type: ignore[arg-type]
    return scaling.reading(PointPlan(0, "m.p", "V", register, True, 3000, 1000, **more), register, words)  # type: ignore[arg-type]


def weighed() -> Reading:
    scale = Reply("SI", "(?P<state>.) (?P<value>.+)", "value", (("state", "S"),))
    found = scaling.text_reading(PointPlan(0, "m.p", "kg", scale, True, 3000, 1000), scale, "D 5")
    assert found is not None
    return found


def unscaled() -> Reading:
    register = Register("holding", 0, "int16", 1)
    point = PointPlan(0, "m.p", "V", register, True, 3000, 1000, scale_from=ScaleFrom(1, True))
    return point_readings.from_registers([point_readings.PointRegister(point, register)], {0: 5})[0].reading


def counted() -> Reading:
    register = Register("holding", 0, "uint16", 1)
    derived = DerivedPoints([PointPlan(0, "m.p", "Wh", register, True, 3000, 1000, counter=Counter())])
    derived.follow([PointReading(0, Reading(9, quality.GOOD))], 0)
    return derived.follow([PointReading(0, Reading(5, quality.GOOD))], 0)[0].reading


def simulated() -> Reading:
    return DerivedPoints([], [0]).follow([PointReading(0, Reading(5, quality.GOOD))], 0)[0].reading


MADE: dict[str, Callable[[], Reading]] = {
    "nobody answered in any try": lambda: failure_quality.no_answer([0], "no answer within 500 ms")[0].reading,
    "another response may have been taken for its own": lambda: failure_quality.no_answer([0], DOUBTED)[0].reading,
    "another device or master answers under its address": lambda: (
        failure_quality.inconsistent([0], INCONSISTENT)[0].reading
    ),
    "any other exception": lambda: failure_quality.refused([0], 2)[0].reading,
    "`absent`: no measurement": lambda: read("uint16", [0xFFFF], absent=(0xFFFF,)),
    "NaN": lambda: read("float32", [0x7FC0, 0]),
    "registers that are no value of their type": lambda: read("bcd16", [0x00AF]),
    "a raw value that `enum` does not name": lambda: read("uint16", [7], enum=((0, "off"),)),
    "a scale that is not known": unscaled,
    "an instrument's answer fails `good_if`": weighed,
    "below `min` or above `max` of the point": lambda: read("uint16", [7], maximum=5.0),
    "infinite": lambda: read("float32", [0x7F80, 0]),
    "a counter that was reset: this reading only": counted,
    "a line of `protocol: simulated`": simulated,
}


@pytest.mark.parametrize("cause", MADE)
def test_a_cause_has_the_quality_and_the_words_of_its_row(cause: str) -> None:
    row = next(one for one in causes.CAUSES if one.cause == cause)
    made = MADE[cause]()
    assert made.quality == row.quality
    assert made.reason.startswith(row.reason)
    assert (made.value is not None) == (row.value == causes.CAME)
    assert not isinstance(made.value, float) or math.isfinite(made.value)


def test_a_simulated_value_is_good_and_says_that_it_is_none_of_a_process() -> None:
    assert simulated() == Reading(5, quality.Quality(quality.GOOD | quality.TEST))
    assert quality.describe(simulated().quality) == "good (test)"
