"""An exchange whose connection ends behind its request: the response may come in the next connection."""

import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.identity.read_variants import ReadLimits
from acquisition.exchange.link import Link
from acquisition.exchange.port_steps import Close, LineTime, Open, Receive, Send
from acquisition.transport.errors import NoConnectionError
from mapping.plan import LinePlan
from tests.support.channel_scenes import meter

FIRST, SECOND = Read(1, "holding", 0, 10), Read(1, "holding", 20, 10)
TOGETHER = [FIRST, Read(1, "holding", 40, 12)]


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


@pytest.mark.parametrize("cut_in", [Send, Receive], ids=["in the second request", "behind the requests"])
@pytest.mark.parametrize(("suspected", "count"), [(True, 11), (False, 10)], ids=["a gateway", "a device"])
def test_reads_that_were_outstanding_together_are_outstanding_in_the_next_connection_if_a_gateway_may_answer(
    cut_in: type[Send] | type[Receive], suspected: bool, count: int
) -> None:
    device, time = meter(1, (0, 10), (20, 10), (40, 12), pipeline=2), LineTime(1000.0)
    plan = LinePlan("lan", "modbus-tcp", {"host": "", "port": 502}, (device,))
    link = Link(plan, by_protocol()["modbus-tcp"], time, lambda: 1.0)
    if suspected:
        link._attribution.gateway.timed_out(time.now)
    steps = link.exchanges(TOGETHER, device, lambda _response: None)
    step, sent = next(steps), 0
    while not (sent and isinstance(step, cut_in)):
        sent += isinstance(step, Send)
        time.now = step.until if isinstance(step, Receive) else time.now
        step = steps.send(b"")
    with pytest.raises(NoConnectionError, match=r"^connection reset$"):
        steps.throw(NoConnectionError("connection reset"))
    time.now += 1.0  # out of the window
    parts = link.safe.parts(SECOND, [30], ReadLimits())
    assert parts is not None
    assert [part.read.count for part in parts] == [count]


@pytest.mark.parametrize("served", [True, False])
def test_a_read_between_two_proofs_is_no_more_than_deferred_by_the_end_of_a_connection_that_has_served(
    served: bool,
) -> None:
    device, time = meter(1, (0, 10), (20, 10)), LineTime(1000.0)
    plan = LinePlan("lan", "modbus-rtu-over-tcp", {"host": "", "port": 502}, (device,))
    link = Link(plan, by_protocol()["modbus-rtu-over-tcp"], time, lambda: 1.0)
    link._connection.is_open, link._connection.served = True, served
    steps = link.ask_before(Read(1, "holding", 20, 3), SECOND, device)
    step = next(steps)
    while not isinstance(step, Send):
        time.now = step.until if isinstance(step, Receive) else time.now
        step = steps.send(b"")
    if not served:
        with pytest.raises(NoConnectionError, match=r"^closed$"):
            steps.throw(NoConnectionError("closed"))
        return
    assert steps.throw(NoConnectionError("closed")) == Close()
    with pytest.raises(StopIteration) as ended:
        steps.send(b"")
    assert (ended.value.value, link.was_cut) == (None, True)
