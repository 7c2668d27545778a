"""An exchange whose connection ends behind its request: the response may come in the next connection."""

import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.identity.read_variants import ReadLimits
from acquisition.exchange.link import Link
from acquisition.exchange.port_steps import LineTime, Open, Receive, Send
from acquisition.transport.errors import NoConnectionError
from mapping.plan import LinePlan
from tests.support.channel_scenes import meter

FIRST, SECOND = Read(1, "holding", 0, 10), Read(1, "holding", 20, 10)


@pytest.mark.parametrize(
    ("protocol", "count"), [("modbus-rtu-over-tcp", 11), ("modbus-tcp", 10)], ids=["without ids", "with ids"]
)
def test_after_a_connection_that_ended_behind_its_request_another_block_of_that_size_is_asked_for_otherwise(
    protocol: str, count: int
) -> None:
    device, time = meter(1, (0, 10), (20, 10)), LineTime(1000.0)
    plan = LinePlan("lan", protocol, {"host": "", "port": 502}, (device,))
    link = Link(plan, by_protocol()[protocol], time, lambda: 1.0)
    steps = link.exchange(FIRST, device)
    step = next(steps)
    assert step == Open()
    while not isinstance(step, Send):
        time.now = step.until if isinstance(step, Receive) else time.now
        step = steps.send(b"")
    step = steps.send(b"")
    assert isinstance(step, Receive)
    with pytest.raises(NoConnectionError, match=r"^connection reset$"):
        steps.throw(NoConnectionError("connection reset"))
    time.now += 1.0  # out of the window
    parts = link.safe.parts(SECOND, [30], ReadLimits())
    assert parts is not None
    assert [part.read.count for part in parts] == [count]
