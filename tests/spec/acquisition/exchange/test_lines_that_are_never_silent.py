"""A line that is never silent for a window, since others talk on it or it is noisy: it is polled on all the same."""

from itertools import pairwise

import pytest

from acquisition.drivers.base import Found, Read
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.link import Link
from acquisition.exchange.port_steps import LineTime, Receive, Steps
from acquisition.simulate.faults.line_faults import LineFault, Noise, SecondMaster, Shared
from mapping.plan import LinePlan
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


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii"])
def test_an_exchange_ends_though_octets_are_there_at_every_look(protocol: str) -> None:
    time = LineTime(1000.0)
    plan = LinePlan("bench", protocol, {"host": "", "port": 502} if "tcp" in protocol else {"port": ""}, (TWO,))
    link = Link(plan, by_protocol()[protocol], time, lambda: 1.0)
    assert _flooded(link.exchange(Read(1, "holding", 0, 10), TWO), time, 10.0) is None
    assert link.counters.babble == 1


def _flooded(steps: Steps[Found | None], time: LineTime, seconds: float) -> Found | None:
    """The result of `steps` if there is an octet every 0.1 ms. Raises TimeoutError if there is none within `seconds`."""
    step, until = next(steps), time.now + seconds
    while time.now < until:
        time.now = time.came_at = time.now + 1e-4
        try:
            step = steps.send(b"\x07" if isinstance(step, Receive) else b"")
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
    raise TimeoutError
