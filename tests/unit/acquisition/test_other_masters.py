"""Requests of another master among received octets: told by length and check sum, and their responses taken for none of ours."""

import pytest

from acquisition.drivers.base import Foreign, ForeignRequest, Read, Registers, Write
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import signature_of
from acquisition.exchange.identity.other_masters import REQUESTS_KEPT, WAIT_LIMIT_S, OtherMasters
from acquisition.exchange.responses import Responses

OURS = Read(3, "holding", 100, 2)
THEIRS = Read(3, "holding", 200, 2)
LARGER = Read(3, "holding", 200, 5)
BITS = Read(5, "coil", 0x310, 20)  # 0501031000143c00 is this request, and a response with three octets of bits
WITHOUT_IDS = ("modbus-rtu", "modbus-ascii")


class Listening:
    """Responses of one line that hear other masters: whole frames, made by a driver of their own."""

    def __init__(self, protocol: str = "modbus-rtu") -> None:
        self.counters = Counters()
        self.spec = by_protocol()[protocol]
        self.driver = self.spec.make({})
        self.devices = self.spec.devices({}, {})
        self.attribution = Attribution(self.spec, self.counters, 0)
        self.responses = Responses(self.spec, self.spec.make({}), self.counters, self.attribution)

    def send(self, request: Read, now: float) -> bytes:
        octets = self.responses.encode(request)
        self.responses.sent(request, octets, now)
        return octets

    def request(self, request: Read | Write) -> bytes:
        return self.driver.request(request, 0)

    def names(self) -> list[str]:
        return [one.name for one in self.attribution.faults.conditions.all(2.0)]


def response(protocol: str, unit: int, *values: int) -> bytes:
    data = b"".join(value.to_bytes(2, "big") for value in values)
    pdu = bytes((unit, 3, len(data))) + data
    if protocol == "modbus-ascii":
        return b":" + (pdu + bytes((-sum(pdu) & 0xFF,))).hex().upper().encode() + b"\r\n"
    from acquisition.drivers.modbus_rtu import crc

    return pdu + crc(pdu)


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
@pytest.mark.parametrize(
    ("request_", "octets"),
    [
        (THEIRS, 4),
        (Read(9, "input", 0x1000, 125), 250),
        (Read(3, "coil", 7, 9), 2),
        (Read(3, "discrete", 0, 2000), 250),
        (Write(3, 16, 7, (1, 2, 3)), None),
        (Write(3, 15, 7, (1, 0, 1)), None),
    ],
)
def test_a_request_is_told_from_a_response(protocol: str, request_: Read | Write, octets: int | None) -> None:
    driver = by_protocol()[protocol].make({})
    buffer = bytearray(driver.request(request_, 0))
    found = driver.take(OURS, 0, buffer)
    assert isinstance(found, ForeignRequest)
    assert (found.unit, found.octets_of_data) == (request_.unit, octets)
    assert not buffer


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_a_request_that_comes_octet_by_octet_behind_noise_is_found_with_the_response_behind_it(protocol: str) -> None:
    driver, buffer, found = by_protocol()[protocol].make({}), bytearray(), []
    for octet in b"\xff\x00" + driver.request(THEIRS, 0) + response(protocol, 3, 7, 8):
        buffer.append(octet)
        while (one := driver.take(OURS, 0, buffer)) is not None:
            found.append(one)
    assert found == [ForeignRequest(3, 3, 4), Registers((7, 8))]


def test_frames_that_may_be_a_request_or_a_response_count_for_neither() -> None:
    line = Listening()
    assert line.request(BITS) == bytes.fromhex("0501031000143c00")
    line.send(OURS, 1.0)
    for octets in (line.request(BITS), line.request(Write(3, 6, 7, (1,))), line.request(Write(3, 5, 7, (1,)))):
        line.responses.unexpected(1.1, octets)
    assert line.names() == []
    assert not line.attribution.asked.is_contested(THEIRS, 1.2)
    assert line.counters.foreign == 3
    assert line.driver.take(BITS, 0, bytearray(line.request(BITS))) == Registers(
        tuple(int(bit) for octet in (0x10, 0x00, 0x14) for bit in f"{octet:08b}"[::-1])[:20]
    )
    assert line.driver.take(OURS, 0, bytearray(line.request(BITS))) == Foreign(5, 1, 3, may_ask=True)


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_one_request_that_is_not_ours_names_the_other_master_and_ours_look_different_from_then_on(
    protocol: str,
) -> None:
    line = Listening(protocol)
    line.send(OURS, 1.0)
    line.responses.unexpected(1.1, line.request(THEIRS))
    assert line.names() == ["second-master"]
    assert line.attribution.asked.is_contested(OURS, 1.2)
    assert not line.attribution.asked.is_contested(Read(3, "holding", 100, 3), 1.2)


def test_a_request_for_bits_contests_the_three_octets_that_may_be_a_request_too() -> None:
    line = Listening()
    line.send(OURS, 1.0)
    line.responses.unexpected(1.1, line.request(Read(3, "coil", 0, 8)))
    assert line.attribution.asked.is_contested(Read(3, "coil", 40, 24), 1.2)
    assert not line.attribution.asked.is_contested(Read(3, "coil", 40, 16), 1.2)


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_while_another_master_awaits_a_response_that_looks_like_ours_none_is_believed(protocol: str) -> None:
    line = Listening(protocol)
    line.send(OURS, 1.0)
    line.responses.receive(line.request(THEIRS) + response(protocol, 3, 70, 80) + response(protocol, 3, 7, 8))
    assert line.responses.next(OURS, 1.05) is None
    line.send(OURS, 2.0)  # the second case: the next exchange is believed
    line.responses.receive(response(protocol, 3, 7, 8))
    assert line.responses.next(OURS, 2.01) == Registers((7, 8))


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_a_request_that_was_heard_before_ours_and_is_not_answered_yet_makes_ours_prove_nothing(protocol: str) -> None:
    line = Listening(protocol)
    line.send(OURS, 1.0)
    line.responses.unexpected(1.5, line.request(THEIRS))
    line.send(OURS, 1.51)
    line.responses.receive(response(protocol, 3, 70, 80))
    assert line.responses.next(OURS, 1.52) is None


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_a_response_of_another_size_is_ours_whatever_another_master_has_asked(protocol: str) -> None:
    line = Listening(protocol)
    line.send(OURS, 1.0)
    line.responses.receive(line.request(LARGER) + response(protocol, 3, *range(5)) + response(protocol, 3, 7, 8))
    assert line.responses.next(OURS, 1.05) == Registers((7, 8))
    assert line.names() == ["second-master"]


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_the_response_to_another_master_is_none_of_a_second_device_and_takes_nothing_back(protocol: str) -> None:
    line = Listening(protocol)
    line.send(OURS, 1.0)
    line.responses.receive(response(protocol, 3, 7, 8))
    assert line.responses.next(OURS, 1.01) == Registers((7, 8))
    line.responses.unexpected(1.1, line.request(THEIRS))
    line.responses.unexpected(1.12, response(protocol, 3, 70, 80))
    assert line.attribution.doubts.taken_back() == []
    assert not line.attribution.doubts.is_inconsistent(3, 1.13, 0.06)
    assert line.names() == ["second-master"]


@pytest.mark.parametrize("protocol", WITHOUT_IDS)
def test_our_own_request_that_comes_back_late_is_no_other_master(protocol: str) -> None:
    line = Listening(protocol)
    first = line.send(OURS, 1.0)
    line.responses.timed_out(OURS, 1.3, 0.3)
    line.send(Read(3, "holding", 100, 3), 1.4)
    line.responses.receive(first)
    assert line.responses.next(Read(3, "holding", 100, 3), 1.5) is None
    assert line.names() == []
    assert line.counters.echoes == 1


def test_a_line_waits_for_the_response_to_another_master_a_window_at_most_and_however_many_ask() -> None:
    others = OtherMasters()
    signature = signature_of(THEIRS)
    assert others.until(1.0) == 1.0
    others.asked(signature, 1.0, 0.06)
    assert others.until(1.01) == pytest.approx(1.06)
    assert others.until(1.07) == 1.07
    for _ in range(3 * REQUESTS_KEPT):
        others.asked(signature, 2.0, 60.0)
    assert others.until(2.0) == pytest.approx(2.0 + WAIT_LIMIT_S)
    assert sum(others.answered(signature, 2.1) for _ in range(3 * REQUESTS_KEPT)) == REQUESTS_KEPT
    assert others.until(2.1) == 2.1
