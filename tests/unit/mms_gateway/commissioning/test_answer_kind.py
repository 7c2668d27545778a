"""Kinds of an answer, from the octets behind a request."""

import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.modbus_rtu import crc
from acquisition.drivers.registry import by_protocol
from mms_gateway.commissioning.answer_kind import AnswerKind, answer_kind

ASK = Read(3, "holding", 0, 1)
DRIVER = by_protocol()["modbus-rtu"].make()
SENT = DRIVER.request(ASK, 1)


def frame(unit: int, pdu: str) -> bytes:
    octets = bytes((unit,)) + bytes.fromhex(pdu)
    return octets + crc(octets)


@pytest.mark.parametrize(
    ("received", "found"),
    [
        (frame(3, "03020007"), AnswerKind(3, "answers", echo=False)),
        (SENT + frame(3, "03020007"), AnswerKind(3, "answers", echo=True)),
        (frame(3, "8302"), AnswerKind(3, "answers, exception 2 (illegal data address)", echo=False)),
        (frame(5, "03020007"), AnswerKind(5, "unit 5 answers", echo=False)),
        (
            frame(3, "830b"),
            AnswerKind(
                None,
                "a gateway says that nobody is behind it: exception 11 (gateway target did not respond)",
                echo=False,
            ),
        ),
        (b"", AnswerKind(None, "no answer", echo=False)),
        (SENT, AnswerKind(None, "no answer", echo=True)),
        (b"\xff\x00\x55", AnswerKind(None, "3 octets that are no answer", echo=False)),
    ],
)
def test_an_answer_an_echo_another_unit_and_noise_are_told_apart(received: bytes, found: AnswerKind) -> None:
    assert answer_kind(by_protocol()["modbus-rtu"].make(), ASK, 1, SENT, received) == found
