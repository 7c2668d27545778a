"""A device that answers nothing but reads as planned: it is not asked otherwise any more, and loses no more than an exchange."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from acquisition.drivers.device_side import Fault, RegisterRange
from tests.support.channel_scenes import line_of, meter
from tests.support.virtual_line import VirtualLine


@dataclass
class _SilentToOtherCounts(Fault):
    """A device that says nothing to a read of another size than `count`."""

    count: int = 10

    @property
    def selective(self) -> bool:
        return True

    def meets(self, asked: Sequence[RegisterRange]) -> bool:
        return any(one.last - one.first + 1 != self.count for one in asked)


def _line(protocol: str) -> VirtualLine:
    line = line_of(protocol, [meter(1, (0, 10)), meter(2, (0, 10))], seed=3)
    line.devices[1].fault = _SilentToOtherCounts("silent")
    return line


def _first_good(line: VirtualLine, since: float) -> float:
    return next(one.at - since for one, reading in line.good(since) if reading.point == 10_000)


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii"])
def test_its_first_value_comes_behind_one_time_out_and_it_is_never_offline(protocol: str) -> None:
    line = _line(protocol)
    began = line.time.now
    line.run(20.0)
    assert _first_good(line, began) < 1.0
    assert [text for text in line.log if "offline" in text] == []
    assert line.wrong() == []
    asked = [octets for at, octets in line.sent if at > began + 5.0]
    line.run(20.0)
    assert line.line.counters.timeouts == 3  # of reads that only show that the line is in step
    assert len(asked) > 100


def test_a_lost_response_costs_it_no_more_than_that_exchange() -> None:
    line = _line("modbus-rtu")
    line.run(10.0)
    sound, line.devices[1].fault = line.devices[1].fault, Fault("silent")
    line.run(0.35)
    line.devices[1].fault = sound
    since = line.time.now
    line.run(10.0)
    assert _first_good(line, since) < 1.0
    assert [text for text in line.log if "offline" in text] == []
