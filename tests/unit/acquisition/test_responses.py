"""Received octets of a line, without a port and without a clock: what they answer, and what is counted."""

from collections.abc import Sequence

import pytest

from acquisition.drivers.base import Ask, Confirmed, ExceptionResponse, Question, Read, Registers, Text, Write
from acquisition.drivers.modbus_rtu import crc
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.attribution.surplus_responses import SECOND_WITHIN_S
from acquisition.exchange.attribution.transaction_ids import TAGS_LIMIT, next_tag
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import SIGNATURES_LIMIT, WINDOW_S
from acquisition.exchange.identity.late_answers import WIRE_S, WIRE_TIMEOUTS
from acquisition.exchange.identity.late_text import TEXT
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.responses import Responses
from mapping.plan import Behind, LinePath

READ = Read(3, "holding", 100, 2)
ANOTHER = Read(3, "holding", 200, 2)
ON, OFF = Write(3, 6, 7, (1,)), Write(3, 6, 7, (0,))


def frame(*octets: int) -> bytes:
    return bytes(octets) + crc(bytes(octets))


def registers(unit: int, *values: int) -> bytes:
    return frame(unit, 3, 2 * len(values), *(octet for value in values for octet in value.to_bytes(2, "big")))


def confirmation(write: Write) -> bytes:
    return frame(write.unit, write.function, 0, write.address, 0, write.values[0])


class Bench:
    """Responses of one line, its counters, and requests that leave at once."""

    def __init__(self, protocol: str = "modbus-rtu", path: LinePath | None = None) -> None:
        self.counters = Counters()
        spec = by_protocol()[protocol]
        self.attribution = Attribution(spec, self.counters, 0, path=path)
        self.responses = Responses(spec, spec.make({}), self.counters, self.attribution)

    def send(self, request: Ask, now: float = 0.0) -> bytes:
        octets = self.responses.encode(request)
        self.responses.sent(request, octets, now)
        return octets

    def counted(self) -> dict[str, int]:
        """Counters that are not 0."""
        return {name.removeprefix("."): count for name, count in self.counters.as_dict("").items() if count}


def test_a_response_is_found_once_it_is_whole_however_its_octets_come() -> None:
    bench = Bench()
    bench.send(READ)
    octets = registers(3, 7, 8)
    for octet in octets[:-1]:
        bench.responses.receive(bytes((octet,)))
        assert bench.responses.next(READ, 0.0) is None
    bench.responses.receive(octets[-1:])
    assert bench.responses.next(READ, 0.0) == Registers((7, 8))
    assert bench.responses.next(READ, 0.0) is None
    assert bench.counted() == {"requests": 1}


def test_units_that_answer_something_else_are_counted_and_the_response_behind_them_is_found() -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.receive(registers(4, 7, 8) + registers(3, 1) + frame(3, 0x83, 6))
    assert bench.responses.next(READ, 0.0) == ExceptionResponse(6)
    assert bench.counted() == {"requests": 1, "foreign": 2}


def test_an_echo_is_removed_before_the_response_and_counted() -> None:
    bench = Bench()
    sent = bench.send(READ)
    bench.responses.receive(sent[:5])
    assert bench.responses.next(READ, 0.0) is None
    bench.responses.receive(sent[5:] + registers(3, 7, 8))
    assert bench.responses.next(READ, 0.0) == Registers((7, 8))
    assert bench.counted() == {"requests": 1, "echoes": 1}


@pytest.mark.parametrize(
    ("received", "pending", "counted"),
    [
        (b"", True, {"requests": 1, "timeouts": 1}),
        (registers(3, 7, 8)[:4], True, {"requests": 1, "timeouts": 1, "garbled": 1}),
        (registers(3, 7, 8)[:-1] + b"\x00", False, {"requests": 1, "timeouts": 1, "garbled": 1}),
        (registers(9, 7, 8), True, {"requests": 1, "timeouts": 1, "foreign": 1}),
    ],
    ids=["nothing", "a part of it", "a wrong check sum", "another unit's"],
)
def test_after_a_time_out_a_response_is_outstanding_unless_it_has_come_unsound(
    received: bytes, pending: bool, counted: dict[str, int]
) -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.receive(received)
    assert bench.responses.next(READ, 0.3) is None
    bench.responses.timed_out(READ, 0.3, 0.3)
    assert bench.attribution.late.may_satisfy(ANOTHER, 0.4) is pending
    assert {name: count for name, count in bench.counted().items() if name != "discarded_octets"} == counted


def test_octets_before_the_first_request_are_nothing_that_can_be_named() -> None:
    bench = Bench()
    bench.responses.unexpected(0.0, registers(3, 7, 8))
    assert bench.counted() == {}


def test_octets_that_no_request_waits_for_are_a_late_response_once() -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    bench.responses.unexpected(0.4, registers(3, 7, 8))
    assert not bench.attribution.late.may_satisfy(ANOTHER, 0.4)
    assert bench.counted() == {"requests": 1, "timeouts": 1, "late": 1}


def test_a_late_response_that_comes_again_is_doubled() -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    for now in (0.4, 0.5):
        bench.responses.unexpected(now, registers(3, 7, 8))
    assert bench.counted() == {"requests": 1, "timeouts": 1, "late": 1, "doubled": 1}


def answered(bench: Bench, read: Read, values: Sequence[int], now: float) -> None:
    """`read` is sent and gets `values` at once."""
    bench.send(read, now)
    bench.responses.receive(registers(read.unit, *values))
    assert bench.responses.next(read, now) == Registers(tuple(values))
    bench.attribution.answered(read, Registers(tuple(values)), now, 0.3)


def test_a_response_that_has_come_before_is_doubled_and_widens_the_window_of_its_unit() -> None:
    bench = Bench()
    answered(bench, READ, (7, 8), 0.0)
    bench.responses.unexpected(0.2, registers(3, 7, 8))
    assert bench.counted() == {"requests": 1, "doubled": 1}
    assert (bench.attribution.asked.window(3, 0.2), bench.attribution.asked.window(4, 0.2)) == (0.4, 0.06)


def test_a_response_with_data_that_has_not_come_before_is_foreign_and_contests_its_signature() -> None:
    bench = Bench()
    answered(bench, READ, (7, 8), 0.0)
    bench.responses.unexpected(0.2, registers(3, 7, 9))
    assert bench.counted() == {"requests": 1, "foreign": 1}
    assert bench.attribution.asked.is_contested(ANOTHER, 0.2)
    assert bench.attribution.doubts.taken_back() == []  # it was not accepted as readings yet


def test_half_a_minute_later_a_response_that_has_come_before_is_told_from_no_stranger() -> None:
    bench = Bench()
    answered(bench, READ, (7, 8), 0.0)
    bench.responses.unexpected(SECOND_WITHIN_S, registers(3, 7, 8))
    assert bench.counted() == {"requests": 1, "foreign": 1}


@pytest.mark.parametrize(
    ("timeout_s", "missing_s"), [(0.3, WIRE_S), (0.5, WIRE_S), (2.0, WIRE_TIMEOUTS * 2.0)], ids=["0.3", "0.5", "2"]
)
def test_on_a_wire_a_response_is_missing_for_two_seconds_or_four_time_outs(timeout_s: float, missing_s: float) -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.timed_out(READ, 10.0, timeout_s)
    assert bench.attribution.late.may_satisfy(ANOTHER, 10.0 + missing_s - 0.01)
    assert not bench.attribution.late.may_satisfy(ANOTHER, 10.0 + missing_s)


@pytest.mark.parametrize(
    ("protocol", "missing_s"), [("modbus-rtu-over-tcp", 60.0), ("modbus-tcp", WIRE_S), ("modbus-udp", WIRE_S)]
)
def test_on_a_network_a_response_is_missing_for_a_minute_and_behind_an_id_as_on_a_wire(
    protocol: str, missing_s: float
) -> None:
    bench = Bench(protocol)
    bench.send(READ)
    bench.responses.timed_out(READ, 10.0, 0.3)
    assert bench.attribution.late.may_satisfy(ANOTHER, 10.0 + missing_s - 0.01)
    assert not bench.attribution.late.may_satisfy(ANOTHER, 10.0 + missing_s)


def test_on_a_network_a_response_is_missing_for_two_lags_of_its_unit_if_those_are_longer() -> None:
    bench = Bench("modbus-rtu-over-tcp")
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    bench.responses.unexpected(50.0, registers(3, 7, 8))
    bench.send(READ, 51.0)
    bench.responses.timed_out(READ, 51.3, 0.3)
    assert bench.attribution.late.may_satisfy(ANOTHER, 51.3 + 2 * 50.0 - 0.01)
    assert not bench.attribution.late.may_satisfy(ANOTHER, 51.3 + 2 * 50.0)


@pytest.mark.parametrize(("late_s", "missing_s"), [(0.59, WIRE_S), (0.61, 60.0)], ids=["no", "yes"])
def test_a_wire_that_has_answered_later_than_two_time_outs_is_a_network(late_s: float, missing_s: float) -> None:
    bench = Bench()
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    bench.responses.unexpected(late_s, registers(3, 7, 8))
    bench.send(READ, 1.0)
    bench.responses.timed_out(READ, 1.3, 0.3)
    assert bench.attribution.late.may_satisfy(ANOTHER, 1.3 + missing_s - 0.01)
    assert not bench.attribution.late.may_satisfy(ANOTHER, 1.3 + missing_s)


@pytest.mark.parametrize(
    ("protocol", "lagged", "pending"),
    [("modbus-rtu", False, False), ("modbus-rtu", True, True), ("modbus-rtu-over-tcp", False, True)],
    ids=["wire", "wire that has lagged", "network"],
)
def test_the_next_answer_ends_a_missing_response_on_a_wire_whose_unit_was_never_late(
    protocol: str, lagged: bool, pending: bool
) -> None:
    bench = Bench(protocol)
    if lagged:
        bench.send(READ)
        bench.responses.timed_out(READ, 0.3, 0.3)
        bench.responses.unexpected(0.4, registers(3, 5, 6))
        answered(bench, Read(3, "holding", 0, 1), (1,), 0.9)
    bench.send(READ, 1.0)
    bench.responses.timed_out(READ, 1.3, 0.3)
    answered(bench, Read(3, "holding", 0, 3), (1, 2, 3), 1.4)
    assert bench.attribution.late.may_satisfy(ANOTHER, 1.5) is pending


def test_a_response_that_was_cut_off_with_its_connection_is_missing_in_the_next_one() -> None:
    bench = Bench("modbus-rtu-over-tcp")
    bench.send(READ)
    bench.attribution.cut_short(READ, 0.1, 0.3)
    bench.responses.reset()
    assert bench.attribution.late.may_satisfy(ANOTHER, 0.2)
    tcp = Bench("modbus-tcp")
    tcp.send(READ)
    tcp.attribution.cut_short(READ, 0.1, 0.3)
    assert not tcp.attribution.late.may_satisfy(ANOTHER, 0.2)  # its id belongs to the connection


@pytest.mark.parametrize(("behind", "alike"), [(None, False), ("device", False), ("gateway", True)])
def test_the_responses_of_two_units_look_alike_behind_a_gateway_with_ids(behind: Behind | None, alike: bool) -> None:
    spec = by_protocol()["modbus-tcp"]
    tcp = Attribution(spec, Counters(), 0, behind=behind)
    tcp.sent(READ, b"", 0.0)
    assert tcp.asked.looks_alike(Read(4, "holding", 0, 2), 0.01) is alike
    rtu = Attribution(by_protocol()["modbus-rtu"], Counters(), 0, behind=behind)
    rtu.sent(READ, b"", 0.0)
    assert not rtu.asked.looks_alike(Read(4, "holding", 0, 2), 0.01)


def test_the_oldest_request_that_an_answer_may_belong_to_is_the_first_of_its_tries_within_the_window() -> None:
    bench = Bench("modbus-rtu-over-tcp")
    for now in (0.0, 1.0):
        bench.send(READ, now)
        bench.responses.timed_out(READ, now + 0.3, 0.3)
    assert bench.attribution.ages.oldest(READ, 1.9) == 0.0  # it may be as late as on a wire
    assert bench.attribution.ages.oldest(READ, 2.1) == 1.0  # later than that nothing has ever come
    assert bench.attribution.ages.oldest(READ, 3.1) == 3.1
    bench.attribution.asked.lagged(3, 1.1, 3.1)
    assert bench.attribution.ages.oldest(READ, 3.1) == 1.0
    bench.attribution.asked.lagged(3, 1.6, 3.1)
    assert bench.attribution.ages.oldest(READ, 3.1) == 0.0
    assert bench.attribution.ages.oldest(ANOTHER, 3.1) == 3.1


def test_frames_of_many_signatures_are_forgotten_and_begun_anew() -> None:
    bench = Bench()
    bench.attribution.asked.lagged(3, 0.0, 0.0)
    for unit in range(1, 34):
        for count in range(1, 126):
            answered(bench, Read(unit, "holding", 0, count), [7] * count, 0.0)
    assert len(bench.attribution.frames._responses) <= SIGNATURES_LIMIT + 1


def test_of_more_ids_without_a_response_than_are_kept_the_oldest_is_forgotten() -> None:
    bench = Bench("modbus-tcp")
    for _ in range(TAGS_LIMIT + 1):
        bench.send(READ)
        bench.responses.timed_out(READ, 0.3, 0.3)
    assert len(bench.attribution.ids._missing) == TAGS_LIMIT


def test_the_first_confirmation_after_an_overtaken_write_proves_nothing_and_the_second_does() -> None:
    bench = Bench()
    for write in (ON, OFF):
        bench.send(write)
        bench.responses.timed_out(write, 0.0, 0.3)
    bench.send(ON)
    bench.responses.receive(confirmation(ON))
    assert bench.responses.next(ON, 0.5) is None
    bench.responses.receive(confirmation(ON))
    assert bench.responses.next(ON, 0.5) == Confirmed()
    assert bench.counters.late == 1


def test_responses_of_several_outstanding_reads_are_matched_by_their_tags() -> None:
    bench = Bench("modbus-tcp")
    reads, tags = OutstandingReads(), []
    for place, read in enumerate((READ, Read(3, "holding", 200, 1))):
        tags.append(bench.responses.sent(read, bench.responses.encode(read), 1.0))
        reads.add(tags[-1], place, read, 1.0 + place, 2.0 + place)
    assert tags == [next_tag(0), next_tag(next_tag(0))]

    def tcp(tag: int, values: Sequence[int]) -> bytes:
        pdu = bytes((3, 3, 2 * len(values))) + b"".join(value.to_bytes(2, "big") for value in values)
        return tag.to_bytes(2, "big") + bytes(2) + len(pdu).to_bytes(2, "big") + pdu

    bench.responses.receive(tcp(0x1234, (9,)) + tcp(tags[1], (5,)) + tcp(tags[0], (7, 8))[:-1])
    assert bench.responses.next_of(reads, 1.5) == ReadResponse(1, Registers((5,)), 2.0, tags[1])
    assert bench.responses.next_of(reads, 1.5) is None
    assert (reads.deadline, reads.give_up()) == (2.0, ReadResponse(0, None, 1.0, tags[0]))
    assert bench.counted() == {"requests": 2, "foreign": 1}


TEXT_A, TEXT_B = Question("MEAS:VOLT?"), Question("MEAS:CURR?")


@pytest.mark.parametrize("protocol", ["serial-ascii", "tcp-ascii"])
def test_a_line_of_text_that_was_cut_off_with_its_connection_is_missing_in_the_next_one(protocol: str) -> None:
    bench = Bench(protocol)
    bench.send(TEXT_A, 10.0)
    bench.attribution.cut_short(TEXT_A, 10.1, 0.3)
    bench.responses.reset()
    assert (bench.attribution.text.late.may_ask(TEXT_A, 10.2), bench.attribution.text.late.may_ask(TEXT_B, 10.2)) == (
        True,
        False,
    )
    assert bench.attribution.ages.oldest(TEXT_A, 10.9) == 10.0  # the line of the first try may come
    assert bench.attribution.ages.oldest(TEXT_A, 12.5) == 12.5


def test_a_surplus_line_puts_every_device_of_its_line_in_doubt_since_it_names_none() -> None:
    bench = Bench("adam-ascii")
    first, second = Read(1, "input", 0, 2), Read(2, "input", 0, 2)
    assert {bench.attribution.text.unit_of(one) for one in (first, second, TEXT_A)} == {TEXT}
    for read in (first, second):
        bench.attribution.doubts.rests(read, bench.attribution.text.unit_of(read), 1.0, proven=False)
    bench.attribution.doubts.surplus(TEXT, 1.1)
    assert bench.attribution.doubts.taken_back() == [first, second]


def test_a_line_is_owed_a_response_until_the_clock_has_ended_what_was_missing() -> None:
    bench = Bench("modbus-tcp")
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    assert (bench.attribution.is_owed(1.0), bench.attribution.is_owed(0.3 + WIRE_S)) == (True, False)


def test_several_reads_are_outstanding_at_once_until_something_but_a_time_out_tells_of_a_gateway() -> None:
    bench = Bench("modbus-tcp")
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    assert (bench.attribution.gateway.names_request(0.4), bench.attribution.gateway.is_certain) == (False, False)
    bench.attribution.gateway.shown(0.6)
    assert bench.attribution.gateway.is_certain


def refused(unit: int, function: int, code: int) -> bytes:
    return frame(unit, function | 0x80, code)


def doubt(second: Ask, later_s: float) -> Bench:
    """A line on which READ was refused at 1.0, and `second` is under way from `later_s` on; an exception has come to it."""
    bench = Bench()
    bench.send(READ, 0.99)
    bench.responses.receive(refused(3, 3, 4))
    assert bench.responses.next(READ, 1.0) == ExceptionResponse(4)
    bench.attribution.answered(READ, ExceptionResponse(4), 1.0, 0.3)
    bench.send(second, 1.0 + later_s)
    bench.responses.receive(refused(3, second.function if isinstance(second, Write) else 3, 4))
    return bench


def test_an_exception_soon_after_one_of_its_unit_and_function_proves_nothing_and_the_response_behind_it_does() -> None:
    bench = doubt(ANOTHER, 0.02)
    assert bench.responses.next(ANOTHER, 1.03) is None
    assert bench.attribution.exceptions.doubted == ExceptionResponse(4)
    bench.responses.receive(registers(3, 7, 8))
    found = bench.responses.next(ANOTHER, 1.05)
    assert found == Registers((7, 8))
    bench.attribution.answered(ANOTHER, found, 1.05, 0.3)
    assert [one.name for one in bench.attribution.faults.conditions.all(1.1)] == ["surplus-frames"]
    assert bench.counted()["doubled"] == 1


def test_an_exception_that_proves_nothing_is_waited_behind_for_a_window_and_leaves_the_response_owed() -> None:
    bench = doubt(ANOTHER, 0.02)
    assert bench.responses.next(ANOTHER, 1.03) is None
    assert bench.attribution.exceptions.doubted_until == pytest.approx(1.03 + WINDOW_S)
    bench.attribution.answered(ANOTHER, ExceptionResponse(4), 1.09, 0.3)
    assert bench.attribution.exceptions.doubted is not None
    bench.responses.unexpected(1.1, registers(3, 7, 8))
    assert [one.name for one in bench.attribution.faults.conditions.all(1.2)] == ["surplus-frames"]


@pytest.mark.parametrize(
    ("second", "later_s"), [(ANOTHER, 0.2), (Read(4, "holding", 0, 2), 0.02), (Write(3, 6, 7, (1,)), 0.02)]
)
def test_an_exception_a_window_later_or_of_another_unit_or_function_is_certain(second: Ask, later_s: float) -> None:
    bench = doubt(second, later_s)
    if isinstance(second, Read) and second.unit == 4:
        bench.responses.receive(refused(4, 3, 4))
    assert bench.responses.next(second, 1.0 + later_s + 0.01) == ExceptionResponse(4)
    assert bench.attribution.exceptions.doubted is None


@pytest.mark.parametrize(("missing", "ends"), [((READ,), True), ((READ, Read(3, "holding", 200, 3)), False)])
def test_an_exception_that_nobody_waits_for_ends_the_only_response_missing_of_its_function_and_none_of_two(
    missing: Sequence[Read], ends: bool
) -> None:
    bench = Bench()
    for place, read in enumerate(missing):
        bench.send(read, float(place))
        bench.responses.timed_out(read, place + 0.3, 0.3)
    bench.responses.unexpected(1.4, refused(3, 3, 4))
    assert [bench.attribution.late.is_owed(read, 1.5) for read in missing] == [not ends] * len(missing)


def test_the_second_of_two_writes_refused_at_once_may_be_confirmed_still() -> None:
    bench = Bench()
    bench.send(ON, 0.99)
    bench.responses.receive(refused(3, 6, 4))
    assert bench.responses.next(ON, 1.0) == ExceptionResponse(4)
    bench.attribution.answered(ON, ExceptionResponse(4), 1.0, 0.3)
    another = Write(3, 6, 8, (1,))
    bench.send(another, 1.02)
    bench.responses.receive(refused(3, 6, 4) + confirmation(another))
    assert bench.responses.next(another, 1.03) == Confirmed()


@pytest.mark.parametrize(
    ("protocol", "path", "lasts_s"),
    [
        ("modbus-rtu", None, 2.0),
        ("modbus-rtu", "network", 60.0),
        ("modbus-rtu-over-tcp", None, 60.0),
        ("modbus-rtu-over-tcp", "wire", 2.0),
        ("modbus-tcp", None, 2.0),
        ("modbus-tcp", "network", 60.0),
    ],
)
def test_the_path_of_a_line_says_how_long_a_missing_response_may_come(
    protocol: str, path: LinePath | None, lasts_s: float
) -> None:
    bench = Bench(protocol, path)
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    assert bench.attribution.late.is_owed(READ, 0.3 + lasts_s - 0.01)
    assert not bench.attribution.late.is_owed(READ, 0.3 + lasts_s + 0.01)


@pytest.mark.parametrize(("path", "learns"), [(None, True), ("wire", False)])
def test_a_wire_that_the_site_names_becomes_no_network_by_a_response_that_is_very_late(
    path: LinePath | None, learns: bool
) -> None:
    bench = Bench("modbus-rtu", path)
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    bench.responses.unexpected(1.0, registers(3, 1, 2))
    bench.send(ANOTHER, 1.0)
    bench.responses.timed_out(ANOTHER, 1.3, 0.3)
    assert bench.attribution.late.is_owed(ANOTHER, 30.0) is learns


def test_a_missing_line_of_text_is_waited_for_on_a_network_for_60_seconds() -> None:
    cases: tuple[tuple[LinePath | None, float], ...] = ((None, 2.4), ("network", 60.0))
    for path, lasts_s in cases:
        bench = Bench("serial-ascii", path)
        question = Question("A?\r\n")
        bench.send(question)
        bench.responses.timed_out(question, 0.3, 0.3)
        other = Question("B?\r\n")
        assert not bench.attribution.text.late.may_ask(other, lasts_s - 0.01)
        assert bench.attribution.text.late.may_ask(other, lasts_s + 0.01)


@pytest.mark.parametrize(("contradicted", "inconsistent"), [(2, False), (3, True)])
def test_a_line_of_text_is_inconsistent_for_a_window_once_three_answers_in_a_row_were_contradicted(
    contradicted: int, inconsistent: bool
) -> None:
    bench, question, at = Bench("serial-ascii"), Question("A?\r\n"), 0.0
    for place in range(contradicted):
        at = float(place + 1)
        bench.send(question, at)
        bench.responses.receive(b"230.1\r\n")
        found = bench.responses.next(question, at + 0.01)
        assert found == Text("230.1")
        bench.attribution.answered(question, found, at + 0.01, 0.3)
        bench.responses.unexpected(at + 0.05, b"11.7\r\n")
    assert bench.attribution.is_inconsistent(7, at + 0.06) is inconsistent  # a line names no unit
    assert not bench.attribution.is_inconsistent(7, at + 0.05 + 2 * 0.05 + 0.01)


@pytest.mark.parametrize(
    ("pdu", "gateway", "owed"),
    [
        (bytes((0x83, 2)), False, False),
        (bytes((0x83, 10)), True, True),
        (bytes((0x83, 11)), True, True),
        (bytes((3, 2, 0, 7)), True, False),  # of another size, under the id of the request
        (bytes((3, 4, 0, 7, 0, 8)), False, False),
    ],
    ids=["exception 2", "exception 10", "exception 11", "another size", "the response"],
)
def test_what_only_a_gateway_answers_shows_one_and_an_exception_of_it_leaves_the_response_owed(
    pdu: bytes, gateway: bool, owed: bool
) -> None:
    bench = Bench("modbus-tcp")
    asked = bench.send(READ)
    bench.responses.receive(asked[:4] + bytes((0, 1 + len(pdu), READ.unit)) + pdu)
    found = bench.responses.next(READ, 0.01)
    if isinstance(found, Registers | ExceptionResponse):
        bench.attribution.answered(READ, found, 0.01, 0.3)
    assert bench.attribution.gateway.is_certain is gateway
    assert bench.attribution.gateway.names_request(0.02) is not gateway
    assert bench.attribution.late.is_owed(READ, 0.02) is owed


@pytest.mark.parametrize(
    ("protocol", "request_", "octets"),
    [("modbus-rtu", READ, registers(3, 7, 8)), ("serial-ascii", Question("A?\r\n"), b"230.1\r\n")],
    ids=["registers", "text"],
)
@pytest.mark.parametrize(("again_at", "oldest"), [(1.03, 1.0), (1.2, 1.2)], ids=["not silent", "silent for a window"])
def test_an_answer_may_belong_to_the_same_question_before_unless_the_line_was_silent_in_between(
    protocol: str, request_: Ask, octets: bytes, again_at: float, oldest: float
) -> None:
    bench = Bench(protocol)
    bench.send(request_, 1.0)
    bench.responses.receive(octets)
    found = bench.responses.next(request_, 1.01)
    assert isinstance(found, Registers | Text)
    bench.attribution.answered(request_, found, 1.01, 0.3)
    assert bench.attribution.ages.oldest(request_, again_at) == oldest


@pytest.mark.parametrize(("came_s", "age_s"), [(0.01, 10.0), (0.2, 0.0)], ids=["held", "merely late"])
def test_where_responses_are_held_a_request_without_its_own_is_as_old_as_the_first_one_that_is_missing(
    came_s: float, age_s: float
) -> None:
    bench = Bench("modbus-rtu-over-tcp")
    bench.send(READ, 14.8)
    bench.responses.timed_out(READ, 15.0, 0.2)
    longer = Read(3, "holding", 200, 3)
    bench.send(longer, 15.0)
    bench.responses.receive(registers(3, 7, 8))  # behind the next request
    assert bench.responses.next(longer, 15.0 + came_s) is None
    bench.responses.timed_out(longer, 15.2, 0.2)
    assert bench.counters.late == 1
    assert bench.attribution.ages.oldest(longer, 25.0) == 25.0 - age_s
    assert bench.attribution.ages.oldest(longer, 80.0) == 80.0  # the clock has ended it
