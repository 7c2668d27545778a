"""An exchange to readings: values with a scale of their own, and where a block may be cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.decoding import point_readings
from acquisition.decoding.scaling import Reading
from bus import quality
from mapping.plan import DevicePlan, PointPlan, PollSettings, Register, RegisterBlock, ScaleFrom


def point(number: int, register: Register, **more: object) -> PointPlan:
    return PointPlan(number, f"m.p{number}", "W", register, True, 3000, 1000, **more)  # type: ignore[arg-type]


def inverter(*, power: bool = True, scale: float = 1.0) -> tuple[DevicePlan, RegisterBlock]:
    """Watts at 40083 and their scale behind them, as in SunSpec's model 103."""
    points = (
        point(0, Register("holding", 40083, "int16", 1), scale_from=ScaleFrom(1, power), together=0),
        point(1, Register("holding", 40084, "int16", 1), together=0, scale=scale),
        point(2, Register("holding", 40085, "uint16", 1)),
    )
    block = RegisterBlock("holding", 40083, 3, 1000, (0, 1, 2))
    return DevicePlan("m", 1, None, PollSettings(), points, (block,)), block


def read(words: dict[int, int], **more: float | bool) -> Reading:
    device, block = inverter(**more)  # type: ignore[arg-type]
    found = point_readings.from_registers(point_readings.located(device, block), words)
    return next(one.reading for one in found if one.point == 0)


def test_a_power_of_ten_in_another_register_is_the_scale() -> None:
    found = read({40083: 1234, 40084: 0xFFFF, 40085: 0})
    assert found.value == pytest.approx(123.4)
    assert found.quality == quality.GOOD
    assert read({40083: 1234, 40084: 2, 40085: 0}) == Reading(123400.0, quality.GOOD)


def test_a_factor_in_another_register_is_the_scale() -> None:
    ratio = read({40083: 10, 40084: 400, 40085: 0}, power=False, scale=0.1)
    assert ratio.value == pytest.approx(400.0)
    assert ratio.quality == quality.GOOD


NO_SCALE = [(0x8000, True, "its scale is not known: 10^-32768"), (11, True, "its scale is not known: 10^11"),
            (0, False, "its scale is not known: 0 is no factor")]  # fmt: skip


@pytest.mark.conformance("GW-6")
@pytest.mark.parametrize(("word", "power", "reason"), NO_SCALE)
def test_without_a_scale_there_is_no_value(word: int, power: bool, reason: str) -> None:
    assert read({40083: 10, 40084: word, 40085: 0}, power=power) == Reading(None, quality.INVALID, reason)


def test_a_value_whose_scale_was_not_read_along_is_no_value() -> None:
    assert read({40083: 10}) == Reading(None, quality.INVALID, "its scale is not known: it was not read along")


def test_a_block_is_cut_nowhere_within_what_belongs_together() -> None:
    device, block = inverter()
    assert point_readings.borders(point_readings.located(device, block), block) == [40085, 40086]


def test_a_gap_is_cut_at_both_of_its_ends() -> None:
    points = (point(0, Register("holding", 2, "uint16", 1)), point(1, Register("holding", 8, "uint32", 2)))
    block = RegisterBlock("holding", 2, 8, 1000, (0, 1))
    device = DevicePlan("m", 1, None, PollSettings(), points, (block,))
    located = point_readings.located(device, block)
    assert (point_readings.borders(located, block), point_readings.places(located, block)) == ([3, 10], [3, 8, 10])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=20))
def test_no_border_tears_a_value_or_a_group(drawn: list[tuple[int, int, int]]) -> None:
    points = tuple(
        point(number, Register("holding", address, "string", count), together=100 + group if group else None)
        for number, (address, count, group) in enumerate(drawn)
    )
    block = RegisterBlock("holding", 0, 64, 1000, tuple(range(len(points))))
    device = DevicePlan("m", 1, None, PollSettings(), points, (block,))
    located = point_readings.located(device, block)
    for border in (*point_readings.borders(located, block), *point_readings.places(located, block)):
        for one, register in located:
            group = [address for address, _, other in drawn if one.together == 100 + other] or [register.address]
            ends = [a + c for a, c, other in drawn if one.together == 100 + other] or [
                register.address + register.count
            ]
            assert not min(group) < border < max(ends)
