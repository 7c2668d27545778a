"""A line as one word."""

import pytest

from mapping.plan import LinePlan
from mms_gateway.commissioning.line_url import parse_line

SERIAL: dict[str, str | int | float | bool] = {
    "port": "/dev/ttyUSB0",
    "baudrate": 19200,
    "data_bits": 8,
    "parity": "even",
    "stop_bits": 1,
}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("modbus-tcp://10.0.0.5:1502", LinePlan("line", "modbus-tcp", {"host": "10.0.0.5", "port": 1502}, ())),
        ("modbus-tcp://10.0.0.5", LinePlan("line", "modbus-tcp", {"host": "10.0.0.5", "port": 502}, ())),
        ("modbus-tcp://[::1]:502", LinePlan("line", "modbus-tcp", {"host": "::1", "port": 502}, ())),
        ("modbus-rtu:/dev/ttyUSB0?baudrate=19200&parity=even", LinePlan("line", "modbus-rtu", SERIAL, ())),
        ("modbus-rtu:///dev/ttyUSB0?baudrate=19200&parity=even", LinePlan("line", "modbus-rtu", SERIAL, ())),
    ],
)
def test_a_line_has_the_keys_of_its_protocol(text: str, line: LinePlan) -> None:
    found = parse_line(text)
    assert (found.name, found.protocol, found.devices) == (line.name, line.protocol, ())
    assert found.settings.items() >= line.settings.items()


def test_a_switch_of_a_line_is_true_or_false() -> None:
    assert parse_line("adam-ascii:/dev/ttyUSB0?checksum=true").settings["checksum"] is True
    with pytest.raises(ValueError, match=r"checksum: expected true or false"):
        parse_line("adam-ascii:/dev/ttyUSB0?checksum=on")


EXAMPLES = "`modbus-tcp://192.168.1.20:502` or `modbus-rtu:/dev/ttyUSB0?baudrate=9600&parity=even`"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("modbus-rtu:/dev/x?speed=9600", "`modbus-rtu:/dev/x?speed=9600`: speed: unknown key"),
        ("modbus-tcp:", "`modbus-tcp:`: host: missing"),
        (
            "modbus-rtu:/dev/x?parity=mark",
            "`modbus-rtu:/dev/x?parity=mark`: parity: expected `none`, `even` or `odd`",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_an_example(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is compared
        parse_line(text)
    assert str(raised.value) == f"{reason}, as in {EXAMPLES}"


def test_a_protocol_that_is_none_is_said_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"^`/dev/ttyUSB0` names no protocol, expected one of .*modbus-rtu, "):
        parse_line("/dev/ttyUSB0")
