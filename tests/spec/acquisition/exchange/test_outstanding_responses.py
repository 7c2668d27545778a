"""Late responses: no request is sent whose response an outstanding one could be taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.drivers.base import Foreign, Read, Registers, Write
from acquisition.drivers.modbus import judge, octets_of_data
from acquisition.exchange.echo import Echo
from acquisition.exchange.identity.late_answers import (
    PENDING_S,
    PENDING_TIMEOUTS,
    LateResponses,
    Part,
    octets_of,
    safe_parts,
)
from acquisition.exchange.responses import next_tag
from mapping.plan import Table

TABLES = {1: "coil", 2: "discrete", 4: "input", 3: "holding"}
READ = Read(3, "input", 100, 10)
EDGES = list(range(101, 111))


def test_after_a_time_out_one_register_more_is_asked_for() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    parts = safe_parts(READ, EDGES, late, 1.0, limit=125)
    assert parts is not None
    assert [(part.read.count, part.start, part.count) for part in parts] == [(11, 100, 10)]


def test_a_device_that_refuses_more_is_asked_in_two_parts() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    refused = {Read(3, "input", start, 10 + more) for more in (1, 2) for start in (100, 100 - more)}
    parts = safe_parts(READ, EDGES, late, 1.0, limit=125, refused=refused)
    assert parts is not None
    assert [(part.read.address, part.read.count) for part in parts] == [(100, 9), (109, 1)]


def test_a_late_response_settles_what_was_outstanding_and_time_settles_the_others() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    late.expect(Read(3, "input", 0, 4), 0.0, 0.3)
    late.settle(Foreign(3, 4, 20), TABLES)
    assert not late.may_satisfy(READ, 0.1)
    assert late.may_satisfy(Read(3, "input", 50, 4), 0.1)
    assert not late.may_satisfy(Read(3, "input", 50, 4), PENDING_S + 0.1)


BITS = [(1, 1), (7, 1), (8, 1), (9, 2), (15, 2), (16, 2), (17, 3), (24, 3), (2000, 250)]


@pytest.mark.parametrize(("count", "octets"), BITS)
@pytest.mark.parametrize(("table", "function"), [("coil", 1), ("discrete", 2)])
def test_bits_come_eight_in_an_octet_and_their_late_response_settles_them(
    table: Table, function: int, count: int, octets: int
) -> None:
    read, pdu = Read(3, table, 100, count), bytes((function, octets)) + b"\x55" * octets
    assert (octets_of(read), octets_of_data(read)) == (octets, octets)
    assert judge(read, 3, pdu) == Registers(tuple((place + 1) % 2 for place in range(count)))
    late = LateResponses()
    late.expect(read, 0.0, 0.3)
    foreign = judge(Read(3, "holding", 0, 1), 3, pdu)
    assert isinstance(foreign, Foreign)
    assert late.may_satisfy(Read(3, table, 7, 8 * octets), 0.1)  # whatever is asked for with as many octets
    assert [late.settle(foreign, TABLES), late.settle(foreign, TABLES)] == [True, False]
    assert not late.may_satisfy(read, 0.1)


def test_a_response_of_another_unit_or_another_table_is_not_confused_with_it() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    assert not late.may_satisfy(Read(4, "input", 100, 10), 0.1)
    assert not late.may_satisfy(Read(3, "holding", 100, 10), 0.1)


@given(
    st.integers(1, 60),
    st.lists(st.integers(1, 62), max_size=30),
    st.sets(st.integers(1, 59), max_size=20),
    st.integers(10, 125),
)
def test_parts_cover_the_block_tear_nothing_and_are_never_confused_with_late_responses(
    count: int, pending: list[int], cuts: set[int], limit: int
) -> None:
    read = Read(1, "holding", 1000, min(count, limit))
    late = LateResponses()
    for size in pending:
        late.expect(Read(1, "holding", 0, size), 0.0, 0.3)
    end = read.address + read.count
    edges = sorted({1000 + cut for cut in cuts if cut < read.count} | {end})
    parts = safe_parts(read, edges, late, 1.0, limit=limit)
    if parts is None:
        return
    assert [part.start for part in parts] == [1000, *(part.start + part.count for part in parts[:-1])]
    assert parts[-1].start + parts[-1].count == end
    assert all(part.start + part.count in edges for part in parts)
    assert not any(late.may_satisfy(part.read, 1.0) for part in parts)
    assert all(part.read.count <= limit for part in parts)
    assert len({octets_of(part.read) for part in parts}) == len(parts)
    assert all(part.read.address <= part.start for part in parts)
    assert all(part.start + part.count <= part.read.address + part.read.count for part in parts)


def test_a_block_that_cannot_be_longer_behind_is_asked_for_from_before_it() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    refused = {Read(3, "input", 100, 11), Read(3, "input", 100, 12)}
    assert safe_parts(READ, [110], late, 1.0, limit=125, refused=refused) == [Part(Read(3, "input", 99, 11), 100, 10)]


def test_a_single_value_that_was_lost_many_times_can_still_be_asked_for() -> None:
    late = LateResponses()
    one = Read(1, "holding", 7, 1)
    for _ in range(7):
        parts = safe_parts(one, [8], late, 0.0, limit=125)
        assert parts is not None
        late.expect(parts[0].read, 0.0, 0.3)
    assert safe_parts(one, [8], late, 0.0, limit=125) is None


ON, OFF = Write(1, 5, 20, (1,)), Write(1, 5, 20, (0,))


def test_a_write_that_is_repeated_is_confirmed_by_whichever_confirmation_comes() -> None:
    late = LateResponses()
    late.expect(ON, 0.0, 0.3)
    late.overtake(ON)
    assert not late.settle_overtaken(ON, 1.0)


def test_once_another_value_was_written_a_late_confirmation_counts_no_more() -> None:
    late = LateResponses()
    late.expect(ON, 0.0, 0.3)
    late.overtake(OFF)
    assert not late.settle_overtaken(OFF, 1.0)
    late.overtake(ON)
    assert late.settle_overtaken(ON, 1.0)
    assert not late.settle_overtaken(ON, 1.0)


@pytest.mark.parametrize(("timeout_s", "pending_s"), [(0.3, PENDING_S), (2.0, 2.0 * PENDING_TIMEOUTS)])
def test_a_confirmation_counts_at_once_when_that_of_an_overtaken_write_can_come_no_more(
    timeout_s: float, pending_s: float
) -> None:
    late = LateResponses()
    for _ in range(2):
        late.expect(ON, 5.0, timeout_s)
    late.overtake(OFF)
    late.overtake(ON)
    assert late.settle_overtaken(ON, 5.0 + pending_s - 0.01)
    assert not late.settle_overtaken(ON, 5.0 + pending_s)
    assert not late.settle_overtaken(ON, 5.0 + pending_s + 100)


def test_a_read_and_an_exception_are_pending_as_long_and_no_longer() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    for now, pending in ((2.0 * PENDING_TIMEOUTS - 0.01, True), (2.0 * PENDING_TIMEOUTS, False)):
        assert (late.may_be_pending(3, "input", now), late.may_satisfy(READ, now)) == (pending, pending)


def test_the_confirmation_of_several_registers_does_not_show_their_values() -> None:
    late = LateResponses()
    late.expect(Write(1, 16, 7, (1, 2)), 0.0, 0.3)
    late.overtake(Write(1, 16, 7, (3, 4)))
    assert late.settle_overtaken(Write(1, 16, 7, (3, 4)), 1.0)


def test_while_an_answer_is_owed_an_exception_of_that_unit_is_in_doubt() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    assert late.may_be_pending(3, "input", 1.0)
    assert not late.may_be_pending(3, "holding", 1.0)
    assert not late.may_be_pending(4, "input", 1.0)
    assert not late.may_be_pending(3, "input", PENDING_S + 0.1)


def test_an_adapter_that_hears_itself_is_known_by_a_read() -> None:
    echo, frame = Echo(), b"\x01\x03\x00\x00\x00\x01\x84\x0a"
    echo.sent(frame, READ)
    buffer = bytearray(frame[:5])
    assert echo.strip(buffer, READ) == -1
    buffer += frame[5:] + b"answer"
    assert (echo.strip(buffer, READ), bytes(buffer), echo.known) == (8, b"answer", True)


def test_a_confirmation_is_no_echo_where_there_is_none_and_one_where_there_is() -> None:
    echo, frame, write = Echo(), b"\x01\x05\x00\x14\xff\x00\xcc\x3e", Write(1, 5, 20, (1,))
    echo.sent(frame, write)
    assert echo.strip(bytearray(frame), write) == 0
    echo.known = True
    echo.sent(frame, write)
    buffer = bytearray(frame)
    assert (echo.strip(buffer, write), bytes(buffer)) == (8, b"")


def test_an_adapter_that_hears_itself_no_more_is_known_by_a_read() -> None:
    echo = Echo(known=True)
    echo.sent(b"question", READ)
    assert echo.strip(bytearray(b"answer"), READ) == 0
    assert not echo.known


def test_no_wrong_bit_makes_one_transaction_id_of_a_recent_one() -> None:
    tag, recent = 1, [1]
    for _ in range(1000):
        tag = next_tag(tag)
        assert not any((tag ^ old).bit_count() == 1 for old in recent[-8:])
        recent.append(tag)
    assert len(set(recent)) == len(recent)
