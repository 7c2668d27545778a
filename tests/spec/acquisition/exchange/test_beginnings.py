"""Beginnings of a line: each is followed by a window of silence, and by reads that no earlier question looks like."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.beginnings import HOLD_S
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.lags import RecordedLag
from acquisition.polling.path_failover import OwedRequest
from acquisition.simulate.faults.line_faults import Delay, Duplicate, ResetAfterRequest, SecondMaster
from mapping.plan import DevicePlan, LinePlan
from tests.support.channel_scenes import line_of, meter
from tests.support.scenes_of_lines import CLOSING, ONE, TWO, UNITS
from tests.support.virtual_line import VirtualLine

WITHOUT_IDS: Final = ("modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii")
LAGGED: Final = ChannelRecord({1: (RecordedLag(0.4, 3600.0),)})
MASTER: Final = ChannelRecord(other_master=True)
FOREIGN: Final = SecondMaster(unit=1, read="holding 100-109", every="300ms")


def requests(line: VirtualLine, since: float) -> list[tuple[float, tuple[int, ...]]]:
    """The reads that were sent since then in RTU frames: when, and unit, address and count."""
    return [
        (at, (octets[0], int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:6], "big")))
        for at, octets in line.sent
        if at >= since
    ]


def first_after(line: VirtualLine, since: float) -> float:
    """Seconds from `since` to the first request after it."""
    return next(at for at, _ in line.sent if at > since) - since


def restarted(protocol: str, devices: Sequence[DevicePlan], record: ChannelRecord | None = None) -> float:
    """Seconds from a restart to the first request."""
    line = line_of(protocol, devices, 1)
    line.run(1.0)
    line.restart(record)
    began = line.time.now
    line.run(3.0)
    return first_after(line, began)


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_an_os_process_begins_with_a_silence_and_the_lag_of_the_one_before_makes_it_longer(protocol: str) -> None:
    assert restarted(protocol, TWO) == pytest.approx(HOLD_S, abs=0.005)
    assert restarted(protocol, TWO, LAGGED) == pytest.approx(0.8, abs=0.005)
    assert restarted(protocol, TWO, MASTER) == pytest.approx(HOLD_LIMIT_S, abs=0.005)


def test_where_transaction_ids_name_the_device_it_begins_at_once_and_behind_a_gateway_with_a_silence() -> None:
    assert restarted("modbus-tcp", TWO, LAGGED) < 0.01
    assert restarted("modbus-tcp", UNITS) == pytest.approx(HOLD_S, abs=0.005)
    assert restarted("modbus-tcp", UNITS, LAGGED) == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("lag_ms", [40, 900])
def test_the_record_of_a_line_has_its_lag_so_that_the_next_os_process_begins_with_it(lag_ms: int) -> None:
    line = line_of("modbus-rtu-over-tcp", TWO, 1)
    line.run(1.0)
    line.channel.begin(Duplicate(ms=lag_ms), line.time.now)
    line.run(5.0)
    record = line.line.record()
    assert record.lags[1][0].seconds == pytest.approx(lag_ms / 1000, abs=0.1)
    line.restart(record)
    began = line.time.now
    line.run(5.0)
    assert first_after(line, began) >= max(HOLD_S, min(2 * lag_ms / 1000, HOLD_LIMIT_S))
    assert line.wrong(began) == []


def test_lags_that_are_new_are_told_to_the_worker_at_once_and_the_same_ones_no_more() -> None:
    told: list[tuple[float, ChannelRecord]] = []
    line = line_of("modbus-rtu", ONE, 1)
    line.line._record_changed = lambda name, record: told.append((line.time.now, record))
    line.run(1.0)
    assert told == []
    line.channel.begin(Duplicate(ms=40), line.time.now)
    line.run(10.0)
    assert 1 <= len(told) <= 3
    assert told[0][0] < 1001.5


def test_the_signatures_of_another_master_that_is_known_are_avoided_from_the_first_read_on() -> None:
    for seed in range(20):
        line = line_of("modbus-rtu", TWO, seed)
        line.channel.begin(FOREIGN, line.time.now)
        line.restart(MASTER)
        line.run(4.0)
        assert line.good() != []
        assert line.wrong() == [], seed
        assert {request[2] for _, request in requests(line, 0.0)}.isdisjoint({10}), seed


def test_the_record_has_another_master_once_it_was_heard_and_keeps_it_when_it_is_gone() -> None:
    line = line_of("modbus-rtu", TWO, 1)
    line.run(1.0)
    assert not line.line.record().other_master
    line.channel.begin(FOREIGN, line.time.now)
    line.run(10.0)
    line.channel.end(line.time.now)
    for _ in range(2):
        line.restart(line.line.record())
        line.run(3.0)
        assert line.line.state().conditions == ()
        assert line.line.record().other_master


@pytest.mark.parametrize(("protocol", "waits"), [("modbus-rtu-over-tcp", True), ("modbus-tcp", False)])
def test_a_new_connection_is_a_beginning_unless_ids_name_each_request(protocol: str, waits: bool) -> None:
    line = line_of(protocol, TWO, 1)
    line.run(1.0)
    for _ in range(3):
        line._port.end()
        line._port._ended = "connection closed by the device"
        ended = line.time.now
        line.run(2.0)
        assert (first_after(line, ended) >= HOLD_S) is waits


def test_the_next_connection_of_close_after_is_a_beginning_only_if_something_is_owed() -> None:
    line = line_of("modbus-rtu-over-tcp", CLOSING, 1)
    line.run(2.0)
    times = [at for at, _ in line.sent]
    assert times[0] >= 1000.0 + HOLD_S  # the first one
    assert max(after - before for before, after in pairwise(times)) < HOLD_S
    line.channel.begin(ResetAfterRequest(ms=10, share=1.0), line.time.now)
    line.run(0.03)
    line.channel.end(line.time.now)
    cut = [at for at, _ in line.sent][-1]
    line.run(3.0)
    assert first_after(line, cut) >= HOLD_S
    assert line.wrong() == []


def test_behind_something_owed_the_next_connection_of_close_after_asks_a_read_whose_value_nobody_uses() -> None:
    line = line_of("modbus-rtu-over-tcp", [meter(1, (0, 10), (20, 12), close_after=True)], 1)
    line.run(2.0)
    assert 1 not in {request[2] for _, request in requests(line, 1001.0)}
    line.channel.begin(ResetAfterRequest(ms=10, share=1.0), line.time.now)
    line.run(0.03)
    line.channel.end(line.time.now)
    ended = line.time.now
    line.run(1.0)
    assert 1 in {request[2] for _, request in requests(line, ended)}


def by_two_paths(owed: bool) -> tuple[VirtualLine, float]:
    """A line that polls unit 2, and becomes the path to unit 1; there the question at 0 is `owed` on the other path."""
    first, other = meter(1, (0, 10), (20, 10)), meter(2, (0, 12))
    plan = LinePlan("bench", "modbus-rtu", {"port": "", "baudrate": 19200}, (other,), (first,))
    line = VirtualLine(plan, by_protocol()["modbus-rtu"])
    line.run(2.0)
    assert {request[0] for _, request in requests(line, 0.0)} == {2}
    began = line.time.now
    line.line.resume("m1")
    line.line.expect("m1", [OwedRequest(Read(7, "holding", 0, 10), began, began + 60.0)] if owed else [])
    line.run(3.0)
    return line, began


def test_a_second_path_begins_with_a_silence_and_owes_the_responses_of_the_first_one() -> None:
    line, began = by_two_paths(owed=True)
    sent = requests(line, began)
    before = next(place for place, (_, request) in enumerate(sent) if request[0] == 1)
    assert sent[before][0] - (sent[before - 1][0] if before else began) >= HOLD_S
    assert all(request[2] != 10 for _, request in sent if request[:2] == (1, 20))
    assert any(request[1:] == (20, 11) or request[1:] == (20, 12) for _, request in sent)


@pytest.mark.parametrize("owed", [True, False])
def test_what_the_first_path_is_owed_keeps_its_size_from_other_questions_on_the_second_one(owed: bool) -> None:
    other, first = meter(2, (0, 12)), meter(1, (0, 10))
    plan = LinePlan("bench", "modbus-rtu", {"port": "", "baudrate": 19200}, (other,), (first,))
    line = VirtualLine(plan, by_protocol()["modbus-rtu"])
    line.run(2.0)
    began = line.time.now
    line.line.resume("m1")
    line.line.expect("m1", [OwedRequest(Read(7, "holding", 40, 10), began, began + 60.0)] if owed else [])
    line.run(3.0)
    sizes = [request[2] for _, request in requests(line, began) if request[:2] == (1, 0)]
    assert len(sizes) > 20
    assert (10 not in sizes) is owed


def test_a_second_path_that_is_owed_nothing_begins_with_the_silence_and_reads_as_planned() -> None:
    line, began = by_two_paths(owed=False)
    sent = [request for _, request in requests(line, began) if request[0] == 1]
    assert sent[0][1:] in ((0, 1), (20, 1))  # a read whose value nobody uses: a held response would show
    assert sent[1][1:] in ((0, 10), (20, 10))
    assert {request[1] for request in sent[1:]} == {0, 20}


def test_what_a_line_is_owed_is_told_to_the_other_path() -> None:
    line = line_of("modbus-rtu-over-tcp", ONE, 1)
    line.run(1.0)
    assert line.line.owed("m1") == []
    line.channel.begin(Delay(ms=20_000), line.time.now)
    line.run(2.0)
    owed = line.line.owed("m1")
    assert {one.request.unit for one in owed} == {1}
    assert {one.request.address for one in owed} == {0}
    assert all(one.asked_at < line.time.now < one.until for one in owed)


def test_behind_a_gateway_a_connection_that_ended_with_a_question_under_way_hands_it_to_the_next_one() -> None:
    line = line_of("modbus-tcp", UNITS, 1)
    line.run(1.0)
    line.channel.begin(ResetAfterRequest(ms=1, share=1.0), line.time.now)
    line.run(0.2)
    assert line.line.owed("m1") + line.line.owed("m2") != []
    straight = line_of("modbus-tcp", TWO, 1)
    straight.run(1.0)
    straight.channel.begin(ResetAfterRequest(ms=1, share=1.0), straight.time.now)
    straight.run(0.2)
    assert straight.line.owed("m1") == []
