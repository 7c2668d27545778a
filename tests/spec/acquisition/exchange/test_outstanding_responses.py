"""Late responses: no request is sent whose response an outstanding one could be taken for."""

import pytest

from acquisition.drivers.base import Foreign, Read, Registers, Write
from acquisition.drivers.modbus import judge, octets_of_data
from acquisition.exchange.attribution.transaction_ids import next_tag
from acquisition.exchange.echo import Echo
from acquisition.exchange.identity.asked_reads import AskedReads, octets_of
from acquisition.exchange.identity.late_answers import LATE_LIMIT, SOFT_S, LateResponses
from acquisition.exchange.identity.read_variants import Part, ReadChoice, ReadLimits, variants
from mapping.plan import Table

TABLES = {1: "coil", 2: "discrete", 4: "input", 3: "holding"}
READ = Read(3, "input", 100, 10)
EDGES = list(range(101, 111))


ANOTHER = Read(3, "input", 50, 10)


def chosen(
    late: LateResponses, read: Read, edges: list[int], now: float, *, refused: frozenset[Read] = frozenset()
) -> list[Part] | None:
    """The parts of `read` on a line that has asked nothing else lately."""
    return ReadChoice(late, AskedReads(), lambda: 1.0).parts(read, edges, ReadLimits(125, refused), now)


def test_after_a_time_out_one_register_more_is_asked_for_though_the_same_read_could_be_repeated() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    assert not late.may_satisfy(READ, 1.0)  # whichever try is answered, it is the value
    assert chosen(late, READ, EDGES, 1.0) == [Part(Read(3, "input", 100, 11), 100, 10)]
    assert chosen(late, READ, EDGES, 2.0 + SOFT_S - 0.1) == [Part(Read(3, "input", 100, 11), 100, 10)]
    assert not late.is_owed(READ, 2.0)  # it forbids nothing any more, and is used last
    assert chosen(late, READ, EDGES, 2.0 + SOFT_S) == [Part(READ, 100, 10)]


def test_a_device_that_refuses_more_is_asked_in_two_parts() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    refused = frozenset(Read(3, "input", start, 10 + more) for more in (1, 2) for start in (100, 100 - more))
    parts = chosen(late, READ, EDGES, 1.0, refused=refused)
    assert parts == [Part(Read(3, "input", 100, 9), 100, 9), Part(Read(3, "input", 109, 1), 109, 1)]


def test_where_two_longer_reads_are_refused_none_reaches_further_on_that_side() -> None:
    alone = Read(3, "input", 100, 2)
    refused = {Read(3, "input", 100, 3), Read(3, "input", 100, 6), Read(3, "input", 99, 3)}
    longer = [part.read for (part,) in variants(alone, [102], ReadLimits(refused=refused)) if part.longer]
    assert [one.count for one in longer if one.address == 100] == [4, 5]
    assert [one.count for one in longer if one.address < 100] == [4, *range(5, 13)]  # a single one may be half a value


def test_a_missing_response_blocks_its_signature_for_other_questions_and_not_for_its_own() -> None:
    late = LateResponses()
    late.expect(ANOTHER, 0.0, 2.0)
    assert (late.may_satisfy(READ, 1.0), late.may_satisfy(ANOTHER, 1.0)) == (True, False)
    assert (late.owed_alike(READ, 1.0), late.owed_alike(ANOTHER, 1.0)) == (None, 0.0)
    assert (late.may_satisfy(READ, 2.0), late.owed_alike(ANOTHER, 2.0)) == (False, None)


def test_a_late_response_settles_what_was_outstanding_and_time_settles_the_others() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    late.expect(Read(3, "input", 0, 4), 0.0, 2.0)
    late.settle(Foreign(3, 4, 20), TABLES, 0.0)
    assert not late.may_satisfy(ANOTHER, 0.1)
    assert late.may_satisfy(Read(3, "input", 50, 4), 0.1)
    assert not late.may_satisfy(Read(3, "input", 50, 4), 2.0)


def test_the_next_answer_of_its_unit_ends_a_missing_response_on_a_channel_that_is_first_in_first_out() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 60.0)
    late.answered(Read(4, "input", 0, 3), 1.0, 1.0, in_order=True)
    assert late.may_satisfy(ANOTHER, 1.0)  # of another unit
    late.answered(Read(3, "input", 0, 3), 1.0, 1.0, in_order=False)
    assert late.may_satisfy(ANOTHER, 1.0)  # by two paths
    late.answered(Read(3, "input", 0, 3), 1.0, 1.0, in_order=True)
    assert not late.may_satisfy(ANOTHER, 1.0)


def test_after_two_time_outs_in_a_row_no_answer_ends_a_missing_response() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 60.0)
    late.expect(Read(3, "input", 0, 4), 1.0, 60.0)
    late.answered(Read(3, "input", 0, 3), 1.0, 1.0, in_order=True)
    assert late.may_satisfy(ANOTHER, 2.0)
    assert late.may_satisfy(Read(3, "input", 50, 4), 2.0)
    assert not late.may_satisfy(ANOTHER, 60.0)


def test_an_answer_between_two_time_outs_parts_them() -> None:
    late = LateResponses()
    for asked_at in (0.0, 2.0):
        late.expect(READ, asked_at, 60.0)
        late.answered(Read(3, "input", 0, 3), 1.0, 1.0, in_order=True)
    assert not late.may_satisfy(ANOTHER, 3.0)


def test_the_time_outs_of_two_units_are_not_in_a_row() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 60.0)
    late.expect(Read(4, "input", 100, 10), 1.0, 60.0)
    late.answered(Read(3, "input", 0, 3), 1.0, 1.0, in_order=True)
    assert not late.may_satisfy(ANOTHER, 2.0)


def test_behind_a_gateway_a_missing_response_of_one_unit_is_avoided_by_the_others() -> None:
    straight, gateway = LateResponses(), LateResponses(any_unit=True)
    for late in (straight, gateway):
        late.expect(READ, 0.0, 60.0)
    read = Read(4, "input", 100, 10)
    assert (straight.is_owed(read, 1.0), gateway.is_owed(read, 1.0)) == (False, True)
    assert (gateway.may_satisfy(read, 1.0), gateway.may_satisfy_of_others(read, 1.0)) == (False, True)
    gateway.settle(Foreign(4, 4, 20), TABLES, 0.0)
    assert not gateway.is_owed(read, 1.0)


def test_of_more_missing_responses_than_are_kept_the_oldest_is_forgotten() -> None:
    late = LateResponses()
    late.expect(Read(3, "input", 0, 1), 0.0, 60.0)
    for _ in range(LATE_LIMIT - 1):
        late.expect(READ, 1.0, 60.0)
    assert late.may_satisfy(Read(3, "input", 50, 1), 2.0)
    late.expect(READ, 1.0, 60.0)
    assert not late.may_satisfy(Read(3, "input", 50, 1), 2.0)
    assert late.may_satisfy(ANOTHER, 2.0)


BITS = [(1, 1), (7, 1), (8, 1), (9, 2), (15, 2), (16, 2), (17, 3), (24, 3), (2000, 250)]


@pytest.mark.parametrize(("count", "octets"), BITS)
@pytest.mark.parametrize(("table", "function"), [("coil", 1), ("discrete", 2)])
def test_bits_come_eight_in_an_octet_and_their_late_response_settles_them(
    table: Table, function: int, count: int, octets: int
) -> None:
    read, pdu = Read(3, table, 100, count), bytes((function, octets)) + b"\x55" * octets
    assert (octets_of(read), octets_of_data(read)) == (octets, octets)
    assert judge(read, 3, pdu) == Registers(tuple((place + 1) % 2 for place in range(count)))
    late, another = LateResponses(), Read(3, table, 7, 8 * octets)
    late.expect(read, 0.0, 2.0)
    foreign = judge(Read(3, "holding", 0, 1), 3, pdu)
    assert isinstance(foreign, Foreign)
    assert late.may_satisfy(another, 0.1)  # whatever is asked for with as many octets
    settled = late.settle(foreign, TABLES, 0.0)
    assert settled is not None
    assert (settled.question, settled.asked_at) == ((3, table, 100), 0.0)
    assert late.settle(foreign, TABLES, 0.0) is None
    assert not late.may_satisfy(another, 0.1)


def test_a_response_of_another_unit_or_another_table_is_not_confused_with_it() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 0.3)
    assert not late.may_satisfy(Read(4, "input", 100, 10), 0.1)
    assert not late.may_satisfy(Read(3, "holding", 100, 10), 0.1)


def test_a_block_that_cannot_be_longer_behind_is_asked_for_from_before_it() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    refused = frozenset({Read(3, "input", 100, 11), Read(3, "input", 100, 12)})
    assert chosen(late, READ, [110], 1.0, refused=refused) == [Part(Read(3, "input", 99, 11), 100, 10)]


ONE = Read(1, "holding", 7, 1)


def test_a_single_value_that_was_lost_many_times_is_asked_for_in_ever_other_sizes_and_then_as_planned() -> None:
    late, counts = LateResponses(), []
    for _ in range(12):
        parts = chosen(late, ONE, [8], 0.0)
        assert parts is not None
        counts.append(parts[0].read.count)
        late.expect(parts[0].read, 0.0, 2.0)
    assert counts == [*range(1, 12), 1]


def test_a_single_value_cannot_be_asked_for_while_other_questions_owe_all_its_sizes() -> None:
    late = LateResponses()
    for count in range(1, 12):
        late.expect(Read(1, "holding", 50, count), 0.0, 2.0)
        assert (chosen(late, ONE, [8], 1.0) is None) is (count == 11)
    assert chosen(late, ONE, [8], 2.0) == [Part(ONE, 7, 1)]


ON, OFF = Write(1, 5, 20, (1,)), Write(1, 5, 20, (0,))


def test_a_write_that_is_repeated_is_confirmed_by_whichever_confirmation_comes() -> None:
    late = LateResponses()
    late.expect(ON, 0.0, 2.0)
    late.overtake(ON)
    assert not late.settle_overtaken(ON, 1.0)


def test_once_another_value_was_written_a_late_confirmation_counts_no_more() -> None:
    late = LateResponses()
    late.expect(ON, 0.0, 2.0)
    late.overtake(OFF)
    assert not late.settle_overtaken(OFF, 1.0)
    late.overtake(ON)
    assert late.settle_overtaken(ON, 1.0)
    assert not late.settle_overtaken(ON, 1.0)


def test_a_confirmation_counts_at_once_when_that_of_an_overtaken_write_can_come_no_more() -> None:
    late = LateResponses()
    for _ in range(2):
        late.expect(ON, 5.0, 7.0)
    late.overtake(OFF)
    late.overtake(ON)
    assert late.settle_overtaken(ON, 6.99)
    assert not late.settle_overtaken(ON, 7.0)
    assert not late.settle_overtaken(ON, 107.0)


def test_the_answer_to_a_read_settles_no_confirmation() -> None:
    late = LateResponses()
    late.expect(ON, 0.0, 2.0)
    late.answered(Read(1, "input", 0, 3), 1.0, 1.0, in_order=True)
    late.overtake(OFF)
    assert late.settle_overtaken(ON, 1.0)


def test_a_read_and_an_exception_are_pending_as_long_and_no_longer() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 8.0)
    for now, pending in ((7.99, True), (8.0, False)):
        assert (late.may_be_pending(3, "input", now), late.may_satisfy(ANOTHER, now)) == (pending, pending)


def test_the_confirmation_of_several_registers_does_not_show_their_values() -> None:
    late = LateResponses()
    late.expect(Write(1, 16, 7, (1, 2)), 0.0, 2.0)
    late.overtake(Write(1, 16, 7, (3, 4)))
    assert late.settle_overtaken(Write(1, 16, 7, (3, 4)), 1.0)


def test_while_an_answer_is_owed_an_exception_of_that_unit_is_in_doubt() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    assert late.may_be_pending(3, "input", 1.0)
    assert not late.may_be_pending(3, "holding", 1.0)
    assert not late.may_be_pending(4, "input", 1.0)
    assert not late.may_be_pending(3, "input", 2.0)


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


def test_an_answer_that_looks_like_the_missing_one_leaves_it_missing_since_when_the_answered_request_was_sent() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 60.0)
    late.answered(READ, 1.0, 1.1, in_order=True)  # which of the two was answered?
    assert late.owed_alike(READ, 2.0) == 1.0
    assert late.may_satisfy(ANOTHER, 2.0)
    late.answered(ANOTHER, 3.0, 3.1, in_order=True)
    assert late.may_satisfy(ANOTHER, 4.0)
    late.answered(Read(3, "input", 100, 11), 5.0, 5.1, in_order=True)
    assert not late.may_satisfy(ANOTHER, 6.0)


def test_a_response_that_a_later_answer_has_ended_is_told_from_a_stranger_and_blocks_nothing() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 60.0)
    late.answered(Read(3, "input", 0, 3), 1.0, 1.1, in_order=True)
    assert (late.is_owed(READ, 2.0), late.may_still_satisfy(READ, 2.0)) == (False, False)
    assert late.settle(Foreign(3, 4, 20), TABLES, 2.0, known=True) is None  # one that came before comes again
    found = late.settle(Foreign(3, 4, 20), TABLES, 2.0)
    assert found is not None
    assert found.asked_at == 0.0
    assert late.settle(Foreign(3, 4, 20), TABLES, 2.0) is None


def test_one_that_the_clock_has_ended_is_in_the_way_of_other_questions_until_a_proof() -> None:
    late = LateResponses()
    late.expect(READ, 0.0, 2.0)
    assert late.may_still_satisfy_another(ANOTHER, 3.0)
    assert not late.may_still_satisfy_another(READ, 3.0)
    late.answered(Read(3, "input", 0, 3), 3.0, 3.1, in_order=False)
    assert late.may_still_satisfy_another(ANOTHER, 3.2)
    late.proved(Read(3, "input", 0, 1), 3.3)
    assert not late.may_still_satisfy_another(ANOTHER, 3.4)


def test_of_several_tries_that_are_missing_an_answer_is_the_first_ones_and_the_others_move_up() -> None:
    late = LateResponses()
    for asked_at in (0.0, 1.0):
        late.expect(READ, asked_at, 60.0)
    for answered_at, oldest in ((2.0, 1.0), (3.0, 2.0), (4.0, 3.0)):
        late.answered(READ, answered_at, answered_at + 0.1, in_order=True)
        assert late.owed_alike(READ, 5.0) == oldest
