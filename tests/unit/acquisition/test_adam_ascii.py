"""ADAM modules: the manual's own examples, both ways."""

import math
import re
import struct

import pytest

from acquisition.drivers.adam_ascii import resync
from acquisition.drivers.base import (
    Ask,
    Confirmed,
    ExceptionResponse,
    Foreign,
    Found,
    Identification,
    Question,
    Read,
    Registers,
    Text,
    Write,
)
from acquisition.drivers.registry import by_protocol

SPEC = by_protocol()["adam-ascii"]
CHANNEL = Read(0x12, "input", 0, 2)


def float_words(number: float) -> tuple[int, int]:
    high, low = struct.unpack(">2H", struct.pack(">f", number))
    return high, low


def answered(ask: Ask, octets: bytes, *, checksum: bool = False) -> Found | None:
    return SPEC.make({"checksum": checksum}).take(ask, 0, bytearray(octets))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("ask", "command"),
    [
        (CHANNEL, b"#120\r"),
        (Read(1, "input", 11, 2), b"#01B\r"),
        (Read(0x33, "discrete", 0, 16), b"$336\r"),
        (Read(0x33, "coil", 3, 1), b"$336\r"),
        (Read(2, "holding", 2, 2), b"$026C2\r"),
        (Write(0x14, 5, 2, (1,)), b"#141201\r"),
        (Write(0x14, 5, 2, (0,)), b"#141200\r"),
        (Write(2, 16, 2, float_words(7.456)), b"#02C2+07.456\r"),
        (Write(2, 16, 0, float_words(-5.0)), b"#02C0-05.000\r"),
        (Write(2, 16, 0, float_words(99.9999)), b"#02C0+100.00\r"),
        (Write(2, 16, 0, float_words(1e6)), b"#02C0+1000000\r"),
    ],
)
def test_a_read_and_a_write_are_the_commands_of_the_manual(ask: Ask, command: bytes) -> None:
    assert SPEC.make().request(ask, 0) == command


@pytest.mark.parametrize(
    ("ask", "octets", "expected"),
    [
        (CHANNEL, b">+1.4567\r", Registers(float_words(1.4567))),
        (CHANNEL, b">-05.123\r", Registers(float_words(-5.123))),
        (CHANNEL, b"?12\r", ExceptionResponse(2)),
        (CHANNEL, b"?13\r", Foreign(0, 0, None)),
        (CHANNEL, b">+1.456\r", Foreign(0, 0, None)),
        (CHANNEL, b">+1.45678\r", Foreign(0, 0, None)),
        (CHANNEL, b">7FFF\r", Foreign(0, 0, None)),
        (CHANNEL, b">+1.4567+2.0000\r", Foreign(0, 0, None)),
        (CHANNEL, b">\r", Foreign(0, 0, None)),
        (CHANNEL, b"!112200\r", Foreign(0, 0, None)),
        (Read(0x33, "discrete", 0, 8), b"!112200\r", Registers((0, 1, 0, 0, 0, 1, 0, 0))),
        (Read(0x33, "coil", 0, 8), b"!112200\r", Registers((1, 0, 0, 0, 1, 0, 0, 0))),
        (Read(3, "discrete", 8, 8), b"!BEDE00\r", Registers((0, 1, 1, 1, 1, 1, 0, 1))),
        (Read(3, "discrete", 0, 8), b"!11220\r", Foreign(0, 0, None)),
        (Read(2, "holding", 2, 2), b"!02+07.456\r", Registers(float_words(7.456))),
        (Read(0x0A, "holding", 0, 2), b"!0A03.000\r", Registers(float_words(3.0))),
        (Read(2, "holding", 2, 2), b"!03+07.456\r", Foreign(0, 0, None)),
        (Write(2, 5, 2, (1,)), b">\r", Confirmed()),
        (Write(2, 5, 2, (1,)), b"?02\r", ExceptionResponse(3)),
        (Write(2, 16, 2, float_words(7.0)), b">\r", Confirmed()),
        (Write(2, 16, 2, float_words(7.0)), b"!02\r", Confirmed()),
        (Write(2, 16, 2, float_words(7.0)), b"!03\r", Foreign(0, 0, None)),
    ],
)
def test_an_answer_is_taken_for_what_the_manual_says(ask: Ask, octets: bytes, expected: Found) -> None:
    assert answered(ask, octets) == expected


@pytest.mark.parametrize("text", [b">+9999\r", b">-0000\r", b">-9999\r"])
def test_a_sensor_beyond_its_range_is_no_number(text: bytes) -> None:
    found = answered(CHANNEL, text)
    assert isinstance(found, Registers)
    (number,) = struct.unpack(">f", struct.pack(">2H", *found.values))
    assert math.isnan(number)


def test_with_checksum_both_directions_have_it_and_a_wrong_one_is_no_answer() -> None:
    assert SPEC.make({"checksum": True}).request(Read(5, "input", 0, 2), 0) == b"#050B8\r"
    ask = Read(7, "input", 0, 2)
    assert answered(ask, b">+3.56719D\r", checksum=True) == Registers(float_words(3.5671))
    assert answered(ask, b">+3.56719C\r", checksum=True) is None
    assert answered(ask, b">+3.5671\r", checksum=True) is None
    assert answered(ask, b">+3.5671\r") == Registers(float_words(3.5671))
    assert answered(ask, b">+3.56719D\r") == Foreign(0, 0, None)


def test_the_configuration_of_a_module_is_told_from_every_other_answer() -> None:
    asked = resync(0x1A)
    driver = SPEC.make()
    assert driver.request(Question(asked.request), 0) == b"$1A2\r"
    assert driver.take(Question(asked.request), 0, bytearray(b"!1A080600\r")) == Text("!1A080600")
    assert re.fullmatch(asked.pattern, "!1A080600")
    for answer in (">+05.123", "!112200", "!1A+07.000", "?1A", ">", "!1A", "!1B080600"):
        assert driver.take(Question(asked.request), 0, bytearray(answer.encode() + b"\r")) == Text(answer)
        assert not re.fullmatch(asked.pattern, answer)
    for read in (Read(0x1A, "input", 0, 2), Read(0x1A, "holding", 0, 2), Read(0x1A, "discrete", 0, 1)):
        assert isinstance(driver.take(read, 0, bytearray(b"!1A080600\r")), Foreign)


def test_a_line_of_modules_takes_no_identification() -> None:
    with pytest.raises(TypeError):
        SPEC.make().request(Identification(1, 43), 0)
