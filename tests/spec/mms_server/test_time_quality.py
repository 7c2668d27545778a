"""Time quality that clients read: of the host's clock, and of times from the embedding program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import UNKNOWN, ClockState
from bus.quality import UtcTime
from bus.system_clock import SystemClock
from mms_server import IedServer

DEMO = Path(__file__).parents[3] / "hw_configs" / "demo" / "demo.icd"
STAMP = "MAIN/MMXU1.TotW.t"


class Host:
    """A host whose clock a test disciplines; each moment is a second later than the last."""

    def __init__(self) -> None:
        self.state = ClockState(synchronized=True, error_ns=500_000)
        self._ns: Iterator[int] = iter(range(0, 1 << 62, 1_000_000_000))

    def clock(self) -> SystemClock:
        return SystemClock(read=lambda: self.state, monotonic_ns=lambda: next(self._ns))


@pytest.mark.conformance("TM-1", "TM-2", "TM-N1")
def test_a_time_without_a_quality_gets_that_of_the_hosts_clock() -> None:
    host = Host()
    server = IedServer.from_scl(DEMO)
    server._mms.clock = host.clock()
    for state, octet in (
        (host.state, 0x8A),
        (UNKNOWN, 0x3F),
        (ClockState(True, True, 500_000), 0xCA),
        (host.state, 0x8A),
    ):
        host.state = state
        server.update({STAMP: 1_700_000_000.5})
        assert server.get_value(STAMP) == UtcTime(1_700_000_000_500_000_000, octet)


def test_a_program_with_a_clock_of_its_own_says_how_good_it_is() -> None:
    server = IedServer.from_scl(DEMO)
    server.update({STAMP: UtcTime(1_700_000_000_000_000_000, 0x92)})
    assert server.get_value(STAMP) == UtcTime(1_700_000_000_000_000_000, 0x92)


@pytest.mark.conformance("TM-N1")
def test_each_change_of_the_clock_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    server = IedServer.from_scl(DEMO)
    clock = server._mms.clock
    clock._read, clock._monotonic_ns = (lambda: host.state), host.clock()._monotonic_ns
    good = host.state
    with caplog.at_level("INFO", "mms.clock"):
        for state in (good, good, UNKNOWN, UNKNOWN, good, ClockState(True, True, 500_000)):
            host.state = state
            server.update({STAMP: 0.0})
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "the clock is synchronized, off by 0.5 ms at most"),
        ("WARNING", "the clock is not synchronized: time stamps say so"),
        ("INFO", "the clock is synchronized, off by 0.5 ms at most"),
        ("WARNING", "the clock fails: time stamps say clockFailure"),
    ]
