"""Whose clock stamps an exchange."""

import pytest

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.decoding.timestamps import clocks_of, stamp
from bus import quality
from bus.quality import Stamp, TimeQuality
from mapping.plan import DevicePlan, PointPlan, PollSettings, Register, RegisterType

GATEWAY = Stamp(5_000, 1_710_684_400_000_000_000, 0x8A)
FREE = TimeQuality.CLOCK_NOT_SYNCHRONIZED


def recorder(kind: RegisterType = "time:iec870", scale: float = 1.0) -> dict[int, PointPlan]:
    clock = PointPlan(3, "r.time", "s", Register("holding", 0, kind, 4), True, 3000, 1000, scale=scale)
    event = PointPlan(4, "r.event", "", Register("holding", 4, "uint16", 1), True, 3000, 1000)
    return clocks_of([DevicePlan("r", 1, None, PollSettings(), (clock, event), (), clock=3)])


def read(number: int, value: float | None, judged: int = quality.GOOD) -> PointReading:
    return PointReading(number, Reading(value, quality.Quality(judged)))


def test_a_devices_own_clock_stamps_what_was_read_with_it() -> None:
    found = stamp([read(4, 7), read(3, 1_710_684_309.25)], recorder(), GATEWAY)
    assert found == Stamp(5_000, 1_710_684_309_250_000_000, FREE | 9)


RESOLUTIONS: list[tuple[RegisterType, float, int]] = [
    ("time:unix32", 1.0, 0),
    ("time:unix64", 0.001, 9),
    ("time:unix64", 60.0, TimeQuality.UNSPECIFIED),
]


@pytest.mark.parametrize(("kind", "scale", "bits"), RESOLUTIONS)
def test_a_stamp_is_no_finer_than_its_register_counts(kind: RegisterType, scale: float, bits: int) -> None:
    assert stamp([read(3, 1_710_684_309.0)], recorder(kind, scale), GATEWAY).time_quality == FREE | bits


@pytest.mark.parametrize(
    "exchange", [[read(4, 7)], [read(3, None, quality.INVALID)], [read(3, 9.0, quality.IMPLAUSIBLE), read(4, 7)], []]
)
def test_without_the_devices_time_it_is_the_gateways(exchange: list[PointReading]) -> None:
    assert stamp(exchange, recorder(), GATEWAY) == GATEWAY
    assert stamp(exchange, {}, GATEWAY) == GATEWAY
