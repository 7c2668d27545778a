"""A line that is never silent for a window, since others talk on it or it is noisy: it is polled on all the same."""

from itertools import pairwise

import pytest

from acquisition.simulate.faults.line_faults import LineFault, Noise, SecondMaster, Shared
from tests.support.channel_scenes import line_of, meter

BUSY = SecondMaster(unit=1, read="holding 100-101", every="60ms")
OTHERS = Shared(unit=1, read="holding 100-101", every="50ms")
TWO = meter(1, (0, 10), (20, 10))
ONE_SIZE = meter(1, (0, 2), (20, 2), (40, 2), max_gap=0)


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [
        ("modbus-rtu", BUSY),
        ("modbus-rtu", Noise(every="20ms")),
        ("modbus-rtu-over-tcp", OTHERS),
        ("modbus-rtu-over-tcp", Noise(every="30ms")),
    ],
)
def test_a_line_that_is_never_silent_is_polled_from_its_start_and_after_it_was_opened_again(
    protocol: str, fault: LineFault
) -> None:
    line = line_of(protocol, (TWO,), 1)
    line.channel.begin(fault, line.time.now)
    for _ in range(2):
        began = line.time.now
        line.run(5.0)
        assert (line.wrong(began), line.line.counters.babble) == ([], 0)
        assert min(one.at for one, _ in line.good(began)) - began < 2.5
        line.restart()


def test_where_only_silence_tells_blocks_apart_a_line_that_is_never_silent_still_polls_each_of_them() -> None:
    line = line_of("modbus-rtu", (ONE_SIZE,), 1)
    line.channel.begin(Noise(every="20ms"), line.time.now)
    line.run(30.0)
    for point in (10_000, 10_020, 10_040):
        times = [one.at for one, reading in line.good() if reading.point == point]
        assert max(later - earlier for earlier, later in pairwise(times)) < 10.0
    assert line.wrong() == []
