"""Exceptions on a line in doubt: they show unit and function only, so one that may be late is taken for no other."""

from acquisition.drivers.base import ExceptionResponse, Read, Write
from acquisition.drivers.device_side import Fault, RegisterRange
from acquisition.drivers.modbus_rtu import crc
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.late_answers import LateResponses
from acquisition.exchange.responses import Responses
from acquisition.simulate.faults.line_faults import Duplicate
from bus import quality
from tests.support.channel_scenes import line_of, meter

READ, OTHER, WRITE = Read(1, "holding", 0, 2), Read(1, "holding", 20, 3), Write(1, 6, 7, (1,))
REFUSED = Fault("exception", code=2, registers=RegisterRange("holding", 20, 29))

REFUSED_POINT = 10_020  # the first one


def frame(*octets: int) -> bytes:
    return bytes(octets) + crc(bytes(octets))


DATA = frame(1, 3, 4, 0, 7, 0, 8)
DATA_OF_OTHER = frame(1, 3, 6, 0, 7, 0, 8, 0, 9)
EXCEPTION = frame(1, 0x83, 4)


def line() -> Responses:
    spec = by_protocol()["modbus-rtu"]
    counters = Counters()
    return Responses(spec, spec.make({}), counters, Attribution(spec, counters, 0))


def ask(responses: Responses, request: Read | Write, now: float, octets: bytes) -> object:
    """The response to `request` in `octets`, which come 10 ms after it."""
    responses.sent(request, responses.encode(request), now)
    responses.receive(octets)
    found = responses.next(request, now + 0.01)
    if found is not None:
        responses.attribution.answered(request, found, now + 0.01, 0.3)  # type: ignore[arg-type]
    return found


def test_data_behind_an_exception_show_that_it_was_another_reads_and_are_no_strangers() -> None:
    responses = line()
    assert ask(responses, READ, 1.0, EXCEPTION) == ExceptionResponse(4)
    responses.unexpected(1.05, DATA)
    assert [one.name for one in responses.attribution.faults.conditions.all(1.05)] == ["surplus-frames"]
    assert not responses.attribution.asked.is_contested(READ, 1.06)
    responses.unexpected(1.06, DATA_OF_OTHER)  # nobody has asked for these
    assert responses.attribution.asked.is_contested(OTHER, 1.07)


def test_data_that_follow_an_exception_later_than_a_second_are_a_strangers() -> None:
    responses = line()
    assert ask(responses, READ, 1.0, EXCEPTION) == ExceptionResponse(4)
    assert not responses.attribution.late.is_owed(READ, 1.02)
    assert not responses.attribution.late.is_owed(READ, 2.2)
    responses.unexpected(2.2, DATA)
    assert responses.attribution.asked.is_contested(READ, 2.3)


def test_an_exception_settles_the_only_debt_of_its_unit_and_function_and_no_other() -> None:
    late = LateResponses()
    late.expect(READ, 1.0, 3.0)
    late.expect(OTHER, 1.3, 3.3)
    late.expect(WRITE, 1.6, 3.6)
    assert late.settle_refused(READ, 2.0) is None
    assert late.settle_request(OTHER, 2.0) is not None
    found = late.settle_refused(READ, 2.0)
    assert found is not None
    assert found.asked_at == 1.0
    assert not late.is_owed(READ, 2.0)


def test_where_every_exception_comes_twice_the_block_beside_a_refused_one_stays_good() -> None:
    polled = line_of("modbus-rtu", (meter(1, (0, 10), (20, 10)),), 1)
    polled.devices[1].fault = REFUSED
    polled.channel.begin(Duplicate(ms=40), polled.time.now)
    polled.run(5.0)
    began = polled.time.now
    polled.run(20.0)
    beside = [
        quality.is_good(reading.reading.quality)
        for one in polled.published
        for reading in one.read
        if one.at > began and reading.point < REFUSED_POINT
    ]
    assert len(beside) > 500
    assert all(beside)
    last = {reading.point: reading.reading.reason for one in polled.published for reading in one.read}
    assert {reason for point, reason in last.items() if point >= REFUSED_POINT} == {
        "exception 2 (illegal data address)"
    }
    assert polled.wrong() == []
