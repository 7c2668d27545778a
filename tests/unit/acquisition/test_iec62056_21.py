"""A meter's readout: the conversation in its modes, and what its lines mean."""

import pytest

from acquisition.decoding import obis
from acquisition.decoding.scaling import Reading
from acquisition.drivers.base import Continue, Foreign, Question, Read, Text
from acquisition.drivers.registry import by_protocol
from bus import quality
from mapping.plan import Obis, PointPlan

SPEC = by_protocol()["iec62056-21"]
SIGN_ON = Question("/?!\r\n")
READOUT = b"\x021.8.0(001234.567*kWh)\r\n!\r\n\x03\x7a"
LINES = "1.8.0(001234.567*kWh)\r\n"


def identified(octets: bytes, **settings: str | int | bool) -> object:
    driver = SPEC.make({"baudrate": 300, **settings})
    driver.request(SIGN_ON, 0)
    return driver.take(SIGN_ON, 0, bytearray(octets))


@pytest.mark.parametrize(
    ("identification", "settings", "expected"),
    [
        (b"/ABB5\\@V9.20\r\n", {}, Continue(b"\x06050\r\n", 9600, 0.2)),
        (b"/ABB0 old\r\n", {}, Continue(b"\x06000\r\n", 300, 0.2)),
        (b"/LGz6\\2ZMD3\r\n", {}, Continue(b"\x06060\r\n", 19200, 0.2)),
        (b"/ABB5\\@V9.20\r\n", {"fixed_baudrate": True}, Continue(b"\x06000\r\n", None, 0.2)),
        (b"/ABB5 bus\r\n", {"fixed_baudrate": True, "baudrate": 4800}, Continue(b"\x06040\r\n", None, 0.2)),
        (b"/EMHC meter\r\n", {}, Continue(b"", 2400)),
        (b"/EMHC meter\r\n", {"fixed_baudrate": True}, Continue(b"", None)),
        (b"/EMH- meter\r\n", {}, Continue(b"", None)),
        (b"/?!\r\n/ABB5\\@V9.20\r\n", {}, Continue(b"\x06050\r\n", 9600, 0.2)),
        (b"\0\0/AB/ABB5\\@V9.20\r\n", {}, Continue(b"\x06050\r\n", 9600, 0.2)),
        (b"/ABB5 a name that is longer than any may be\r\n", {}, None),
        (b"/ABB5\\@V9.20\r", {}, None),
    ],
)
def test_what_the_meter_offers_is_acknowledged_in_its_mode(
    identification: bytes, settings: dict[str, str | int | bool], expected: object
) -> None:
    assert identified(identification, **settings) == expected


def test_the_readout_is_what_stands_between_its_signs_if_the_check_is_right() -> None:
    driver = SPEC.make()
    assert driver.request(SIGN_ON, 0) == b"/?!\r\n"
    buffer = bytearray(b"/ABB5\\@V9.20\r\n\x06050\r\n")
    assert isinstance(driver.take(SIGN_ON, 0, buffer), Continue)
    assert driver.take(SIGN_ON, 0, buffer) is None
    buffer += READOUT.replace(b"\x7a", b"\x7b")
    assert driver.take(SIGN_ON, 0, buffer) == Foreign(0, 0, None)
    buffer += READOUT
    assert driver.take(SIGN_ON, 0, buffer) == Text(LINES)
    assert not buffer


def test_a_new_sign_on_begins_a_new_conversation() -> None:
    driver = SPEC.make()
    driver.request(SIGN_ON, 0)
    assert isinstance(driver.take(SIGN_ON, 0, bytearray(b"/ABB5 x\r\n")), Continue)
    driver.request(SIGN_ON, 0)
    assert isinstance(driver.take(SIGN_ON, 0, bytearray(b"/ABB5 x\r\n")), Continue)


def test_where_the_port_has_eight_bits_the_parity_is_made_and_taken_away_here() -> None:
    driver = SPEC.make({"baudrate": 300, "data_bits": 8, "parity": "none"})
    assert driver.request(SIGN_ON, 0) == bytes.fromhex("af3f218d0a")
    even = bytes(octet | octet.bit_count() % 2 << 7 for octet in b"/ABB5 x\r\n" + READOUT)
    buffer = bytearray(even)
    assert driver.take(SIGN_ON, 0, buffer) == Continue(bytes.fromhex("063035308d0a"), 9600, 0.2)
    assert driver.take(SIGN_ON, 0, buffer) == Text(LINES)


def test_a_register_is_nothing_to_ask_a_meter_for() -> None:
    with pytest.raises(TypeError):
        SPEC.make().request(Read(1, "input", 0, 2), 0)


METER = (
    "F.F(00000000)\r\n0.0.0(00123456)\r\n0.9.1(120000)\r\n"
    "1-0:1.8.0*255(001234.567*kWh)\r\n1.8.0*01(001000.000*kWh)\r\n2.8.0(000000.5*MWh)\r\n"
    "1-1:3.8.0(12.5*kvarh)\r\n1.6.0(03.25*kW)(2401011200)32.7.0(230.1*V)\r\n13.7.0(0.95)\r\n21.7.0()\r\n"
)


def worth(code: str, unit: str = "", scale: float = 1.0) -> Reading:
    source = Obis("/?!\r\n", code)
    return obis.reading(PointPlan(1, "meter.x", unit, source, True, 3000, 1000, scale=scale), source, METER)


@pytest.mark.parametrize(
    ("code", "unit", "scale", "value"),
    [
        ("1.8.0", "kWh", 1, 1234.567),
        ("1.8.0", "Wh", 1, 1234567.0),
        ("1-0:1.8.0", "kWh", 1, 1234.567),
        ("1-0:1.8.0*255", "kWh", 40, 49382.68),
        ("1.8.0*01", "kWh", 1, 1000.0),
        ("2.8.0", "kWh", 1, 500.0),
        ("3.8.0", "VArh", 1, 12500.0),
        ("1.6.0", "W", 1, 3250.0),
        ("32.7.0", "V", 1, 230.1),
        ("13.7.0", "", 1, 0.95),
        ("13.7.0", "", 2, 1.9),
        ("0.0.0", "", 1, "00123456"),
        ("F.F", "", 1, "00000000"),
    ],
)
def test_the_line_with_the_code_gives_the_value_in_the_points_unit(
    code: str, unit: str, scale: float, value: float | str
) -> None:
    found = worth(code, unit, scale)
    assert (found.quality, found.reason) == (quality.GOOD, "")
    assert found.value == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("code", "unit", "reason"),
    [
        ("5.8.0", "kWh", "the readout has no 5.8.0"),
        ("8.0", "kWh", "the readout has no 8.0"),
        ("2-0:1.8.0", "kWh", "the readout has no 2-0:1.8.0"),
        ("1.8.0*02", "kWh", "the readout has no 1.8.0*02"),
        ("21.7.0", "W", "the device gives no measurement"),
        ("1.8.0", "V", "`1.8.0` comes in kWh, expected V"),
    ],
)
def test_a_line_that_is_missing_or_in_another_unit_is_invalid_and_says_so(code: str, unit: str, reason: str) -> None:
    assert worth(code, unit) == Reading(None, quality.INVALID, reason)
