"""Received octets of a line, without a port and without a clock: what they answer, and what is counted."""

from collections.abc import Sequence

import pytest

from acquisition.drivers.base import Confirmed, ExceptionResponse, Read, Registers, Write
from acquisition.drivers.modbus_rtu import crc
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.counters import Counters
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.responses import Responses, next_tag

READ = Read(3, "holding", 100, 2)
ON, OFF = Write(3, 6, 7, (1,)), Write(3, 6, 7, (0,))


def frame(*octets: int) -> bytes:
    return bytes(octets) + crc(bytes(octets))


def registers(unit: int, *values: int) -> bytes:
    return frame(unit, 3, 2 * len(values), *(octet for value in values for octet in value.to_bytes(2, "big")))


def confirmation(write: Write) -> bytes:
    return frame(write.unit, write.function, 0, write.address, 0, write.values[0])


class Bench:
    """Responses of one line, its counters, and requests that leave at once."""

    def __init__(self, protocol: str = "modbus-rtu") -> None:
        self.counters = Counters()
        spec = by_protocol()[protocol]
        self.responses = Responses(spec, spec.make({}), self.counters, 0)

    def send(self, request: Read | Write) -> bytes:
        octets = self.responses.encode(request)
        self.responses.sent(request, octets)
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
    assert bench.responses.late.may_satisfy(READ, 0.4) is pending
    assert {name: count for name, count in bench.counted().items() if name != "discarded_octets"} == counted


def test_octets_that_no_request_waits_for_are_a_late_response_once_and_doubled_after_that() -> None:
    bench = Bench()
    bench.responses.unexpected(registers(3, 7, 8))  # before the first request nothing can be said of them
    bench.send(READ)
    bench.responses.timed_out(READ, 0.3, 0.3)
    bench.responses.unexpected(registers(3, 7, 8))
    assert not bench.responses.late.may_satisfy(READ, 0.4)
    bench.responses.unexpected(registers(3, 7, 8))
    assert bench.counted() == {"requests": 1, "timeouts": 1, "late": 1, "doubled": 1, "discarded_octets": 9}


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
        tags.append(bench.responses.sent(read, bench.responses.encode(read)))
        reads.add(tags[-1], place, read, 1.0 + place, 2.0 + place)
    assert tags == [next_tag(0), next_tag(next_tag(0))]

    def tcp(tag: int, values: Sequence[int]) -> bytes:
        pdu = bytes((3, 3, 2 * len(values))) + b"".join(value.to_bytes(2, "big") for value in values)
        return tag.to_bytes(2, "big") + bytes(2) + len(pdu).to_bytes(2, "big") + pdu

    bench.responses.receive(tcp(0x1234, (9,)) + tcp(tags[1], (5,)) + tcp(tags[0], (7, 8))[:-1])
    assert bench.responses.next_of(reads) == ReadResponse(1, Registers((5,)), 2.0)
    assert bench.responses.next_of(reads) is None
    assert (reads.deadline, reads.give_up()) == (2.0, ReadResponse(0, None, 1.0))
    assert bench.counted() == {"requests": 2, "foreign": 1}
