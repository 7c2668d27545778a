"""Computed points and counters: what an exchange makes of them, in the worker's own time."""

from itertools import permutations

import pytest

from acquisition.decoding.derived_points import DerivedPoints
from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from bus import quality
from bus.quality import Quality
from mapping.plan import Computed, Counter, PointPlan, Register

S = 1_000_000_000


def plain(number: int, name: str, **more: object) -> PointPlan:
    return PointPlan(number, f"m.{name}", "V", Register("holding", number, "uint16", 1), True, 3000, 1000, **more)  # type: ignore[arg-type]


def computed(number: int, text: str, *inputs: tuple[str, int], **more: object) -> PointPlan:
    source = Computed(text, "m", tuple((f"m.{name}", other) for name, other in inputs))
    return PointPlan(number, f"m.c{number}", "W", source, True, 3000, 1000, **more)  # type: ignore[arg-type]


VOLTAGE, CURRENT = plain(0, "voltage"), plain(1, "current")
POWER = computed(2, "voltage * current", ("voltage", 0), ("current", 1))


def good(number: int, value: float | bool) -> PointReading:
    return PointReading(number, Reading(value, quality.GOOD))


def test_a_computed_point_follows_each_exchange_that_brings_one_of_its_inputs() -> None:
    derived = DerivedPoints([VOLTAGE, CURRENT, POWER])
    first = derived.follow([good(0, 230)], 0)
    assert first[1] == PointReading(2, Reading(None, quality.NOT_YET, "`m.current`: not read yet"))
    assert derived.follow([good(1, 10)], S) == [good(1, 10), good(2, 2300)]
    assert derived.follow([good(7, 1)], S) == [good(7, 1)]


def test_a_computed_point_is_as_good_as_its_worst_input() -> None:
    derived = DerivedPoints([VOLTAGE, CURRENT, POWER])
    derived.follow([good(0, 230)], 0)
    gone = PointReading(1, Reading(None, quality.NO_ANSWER, "no answer within 500 ms"))
    shown = derived.follow([gone], S)[1].reading
    assert shown == Reading(None, quality.NO_ANSWER, "`m.current`: no answer within 500 ms")
    doubtful = PointReading(1, Reading(10, quality.RESET, "fell"))
    assert derived.follow([doubtful], S)[1].reading == Reading(2300, quality.RESET, "`m.current`: fell")


BEYOND = Reading(400, quality.IMPLAUSIBLE, "above")
FELL = Reading(10, quality.RESET, "fell")
OVER = Reading(7, Quality(quality.QUESTIONABLE | quality.OVERFLOW), "over")
SIMULATED = Reading(2, quality.SIMULATED)
SOUND = Reading(3, quality.GOOD)


@pytest.mark.parametrize("inputs", list(permutations((BEYOND, FELL, SOUND))))
def test_one_invalid_input_is_enough_wherever_it_stands_among_the_others(inputs: tuple[Reading, ...]) -> None:
    shown = _sum_of(inputs)
    assert (shown.value, quality.describe(shown.quality)) == (None, "invalid (outOfRange, inconsistent)")
    assert set(shown.reason.split("; ")) == {f"`m.i{inputs.index(BEYOND)}`: above", f"`m.i{inputs.index(FELL)}`: fell"}


@pytest.mark.parametrize("inputs", list(permutations((FELL, OVER, SIMULATED, SOUND))))
def test_of_questionable_inputs_every_detail_is_told(inputs: tuple[Reading, ...]) -> None:
    shown = _sum_of(inputs)
    assert (shown.value, quality.describe(shown.quality)) == (22, "questionable (overflow, inconsistent, test)")


def _sum_of(inputs: tuple[Reading, ...]) -> Reading:
    """A computed point that adds `inputs`, which come in one exchange."""
    numbers = range(len(inputs))
    total = computed(9, " + ".join(f"i{one}" for one in numbers), *((f"i{one}", one) for one in numbers))
    derived = DerivedPoints([*(plain(one, f"i{one}") for one in numbers), total])
    return derived.follow([PointReading(one, reading) for one, reading in enumerate(inputs)], 0)[-1].reading


def test_a_computed_point_is_no_fresher_than_its_oldest_input() -> None:
    derived = DerivedPoints([VOLTAGE, CURRENT, POWER])
    derived.follow([good(0, 230)], 0)
    assert derived.follow([good(1, 10)], 3 * S)[1] == good(2, 2300)
    stale = derived.follow([good(1, 10)], 4 * S)[1].reading
    assert stale == Reading(None, quality.STALE, "`m.voltage`: not refreshed for 4 s")


NOTHING = [
    ("voltage / current", 0.0, "division by zero"),
    ("sqrt(current)", -1.0, "the square root of -1"),
    ("voltage * current", 1e308, "beyond any number"),
]


@pytest.mark.conformance("GW-6")
@pytest.mark.parametrize(("text", "current", "reason"), NOTHING)
def test_what_cannot_be_computed_is_invalid(text: str, current: float, reason: str) -> None:
    derived = DerivedPoints([VOLTAGE, CURRENT, computed(2, text, ("voltage", 0), ("current", 1))])
    found = derived.follow([good(0, 230.0), good(1, current)], 0)
    assert found[2] == PointReading(2, Reading(None, quality.INVALID, reason))


def test_points_computed_from_computed_ones_come_behind_them_in_one_publication() -> None:
    twice = computed(3, "c4 * 2", ("c4", 4))
    derived = DerivedPoints([twice, VOLTAGE, CURRENT, computed(4, "voltage + current", ("voltage", 0), ("current", 1))])
    assert derived.follow([good(0, 1), good(1, 2)], 0)[2:] == [good(4, 3), good(3, 6)]


def test_the_limits_of_a_computed_point_are_its_own() -> None:
    derived = DerivedPoints(
        [VOLTAGE, CURRENT, computed(2, "voltage * current", ("voltage", 0), ("current", 1), maximum=2000.0)]
    )
    found = derived.follow([good(0, 230), good(1, 10)], 0)[2].reading
    assert found == Reading(2300, quality.IMPLAUSIBLE, "2300 W is above 2000")


def test_the_four_quadrant_power_factor_of_a_schneider_is_an_expression() -> None:
    text = "2 - raw if raw > 1 else -2 - raw if raw < -1 else raw"
    derived = DerivedPoints([plain(0, "raw"), computed(1, text, ("raw", 0))])
    shown = [derived.follow([good(0, raw)], 0)[1].reading.value for raw in (0.9, 1.2, -1.2, -0.9)]
    assert shown == pytest.approx([0.9, 0.8, -0.8, -0.9])


def test_a_counter_that_rolls_over_goes_on_and_one_that_falls_is_questionable_once() -> None:
    derived = DerivedPoints([plain(0, "energy", counter=Counter(1000.0))])
    shown = [derived.follow([good(0, value)], 0)[0].reading for value in (990, 995, 5, 300, 20, 21)]
    assert [one.quality for one in shown] == [*[quality.GOOD] * 4, quality.RESET, quality.GOOD]
    assert (shown[4].value, shown[4].reason) == (20, "the counter fell from 300 to 20: a reset")


FALLS = [(900, 100, True), (995, 5, True), (999, 0, True), (899, 5, False), (995, 101, False), (995, 500, False),
         (999, 998, False), (300, 20, False)]  # fmt: skip


@pytest.mark.parametrize(("last", "then", "rolled"), FALLS)
def test_a_counter_rolls_over_from_its_last_tenth_to_its_first_and_any_other_fall_is_a_reset(
    last: float, then: float, rolled: bool
) -> None:
    derived = DerivedPoints([plain(0, "energy", counter=Counter(1000.0))])
    for _ in range(2):  # the second fall is judged as the first was
        derived.follow([good(0, last)], 0)
        assert derived.follow([good(0, then)], 0)[0].reading.quality == (quality.GOOD if rolled else quality.RESET)


def test_a_counter_that_never_rolls_over_can_only_be_reset() -> None:
    derived = DerivedPoints([plain(0, "energy", counter=Counter())])
    derived.follow([good(0, 65535)], 0)
    assert derived.follow([good(0, 0)], 0)[0].reading.quality == quality.QUESTIONABLE | quality.INCONSISTENT
