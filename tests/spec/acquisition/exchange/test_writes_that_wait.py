"""A write that looks like an earlier one waits for silence, and its deadline counts until it is sent."""

import pytest

from acquisition.drivers.base import Write
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.lags import RecordedLag
from acquisition.writes.tasks import Task
from bus.messages import Command, CommandResult, Outcome
from tests.support.channel_scenes import line_of, meter
from tests.support.virtual_line import VirtualLine


def _write(line: VirtualLine, number: int, within_s: float, results: list[CommandResult]) -> None:
    device = next(iter(line.devices.values())).plan
    until_ns = round((line.time.now + within_s) * 1e9)
    command = Command("test", number, "r", device.points[0].number, 1, "boot", until_ns, until_ns)
    line.line.enqueue(Task(command, device, device.points[0], Write(1, 6, 0, (1,)), None), results.append)


@pytest.mark.parametrize(
    ("within_s", "expires", "sent"),
    [(0.5, True, 1), (3.0, False, 2)],
    ids=["its deadline passes meanwhile", "its deadline is later"],
)
def test_a_second_write_that_looks_like_the_first_is_not_sent_after_its_deadline(
    *, within_s: float, expires: bool, sent: int
) -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 10))], seed=3)
    line.restart(ChannelRecord({1: (RecordedLag(0.9, 3600.0),)}))
    line.run(5.0)
    results: list[CommandResult] = []
    _write(line, 1, 2.0, results)
    line.run(0.2)
    _write(line, 2, within_s, results)
    line.run(5.0)
    assert len(results) == 2
    assert (results[1].outcome is Outcome.EXPIRED) == expires
    assert len([octets for _, octets in line.sent if octets[1] == 6]) == sent
