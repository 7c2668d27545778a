import math
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.quality import UtcTime
from mms_server.mms import data
from mms_server.mms.data import Kind
from tests.support import mms_oracle

NS_2024 = 1_704_067_200_000_000_000

ON_THE_WIRE = [
    (data.Boolean(), True, "830101"),
    (data.Boolean(), False, "830100"),
    (data.Integer(8), -128, "850180"),
    (data.Integer(32), 128, "85020080"),
    (data.Integer(64), -(1 << 63), "85088000000000000000"),
    (data.Integer(128), (1 << 127) - 1, "85107fffffffffffffffffffffffffffffff"),
    (data.Unsigned(8), 200, "860200c8"),
    (data.Unsigned(32), 0xFFFFFFFF, "860500ffffffff"),
    (data.Float32(), 4.5, "87050840900000"),
    (data.Float32(), math.nan, "8705087fc00000"),
    (data.Float32(), -math.inf, "870508ff800000"),
    (data.Float64(), 4.5, "87090b4012000000000000"),
    (data.BitString(13, varying=True), 0b0100000100000, "8403034100"),  # invalid, oldData
    (data.BitString(13, varying=True), 0b0000000000010, "8403030010"),  # test
    (data.BitString(2), 0b01, "84020640"),  # Dbpos off
    (data.BitString(6, varying=True), 0b011111, "8402027c"),  # all TrgOps
    (data.BitString(10, varying=True), 0b0111110000, "8403067c00"),  # OptFlds
    (data.OctetString(64), b"\x01\x02", "89020102"),
    (data.OctetString(8, fixed=True), bytes(8), "89080000000000000000"),
    (data.VisibleString(255), "", "8a00"),
    (data.VisibleString(255), "abc", "8a03616263"),
    (data.MmsString(255), "Ω", "9002cea9"),
    (data.UtcTimestamp(), UtcTime(NS_2024, 0x0A), "9108659200800000000a"),
    (data.BinaryTime(), NS_2024 + 1_000_000, "8c06000000013912"),
    (data.BinaryTime(), 0, "8c06000000000000"),
]


@pytest.mark.parametrize(("kind", "value", "octets"), ON_THE_WIRE)
def test_a_value_stands_on_the_wire_as_the_standard_has_it(kind: Kind, value: data.Scalar, octets: str) -> None:
    assert kind.encode(kind.check(value)).hex() == octets


DESCRIBED = [
    (data.Boolean(), "8300"),
    (data.Integer(8), "850108"),
    (data.Integer(128), "85020080"),
    (data.Unsigned(24), "860118"),
    (data.Float32(), "a706020120020108"),
    (data.Float64(), "a70602014002010b"),
    (data.BitString(2), "840102"),
    (data.BitString(13, varying=True), "8401f3"),
    (data.OctetString(64), "8901c0"),
    (data.OctetString(8, fixed=True), "890108"),
    (data.VisibleString(255), "8a02ff01"),
    (data.VisibleString(129), "8a02ff7f"),
    (data.MmsString(255), "9002ff01"),
    (data.UtcTimestamp(), "9100"),
    (data.BinaryTime(), "8c0101"),
]


@pytest.mark.parametrize(("kind", "octets"), DESCRIBED)
def test_a_type_is_described_with_its_size_negative_for_at_most(kind: Kind, octets: str) -> None:
    assert kind.description.hex() == octets


REFUSED = [
    (data.Boolean(), 2, TypeError, "int 2, expected a boolean"),
    (data.Boolean(), "true", TypeError, "str 'true', expected a boolean"),
    (data.Integer(8), 128, ValueError, "128, expected -128..127"),
    (data.Integer(8), 1.0, TypeError, "float 1.0, expected an integer"),
    (data.Integer(8), True, TypeError, "bool True, expected an integer"),
    (data.Unsigned(16), -1, ValueError, "-1, expected 0..65535"),
    (data.Float32(), "4", TypeError, "str '4', expected a number"),
    (data.Float32(), False, TypeError, "bool False, expected a number"),
    (data.BitString(2), 4, ValueError, "0x4, expected at most 2 bits"),
    (data.OctetString(2), b"abc", ValueError, "3 octets, expected at most 2"),
    (data.OctetString(8, fixed=True), b"abc", ValueError, "3 octets, expected 8"),
    (data.OctetString(2), "ab", TypeError, "str 'ab', expected bytes"),
    (data.VisibleString(3), "abcd", ValueError, "4 characters, expected at most 3"),
    (data.VisibleString(3), b"a", TypeError, "bytes b'a', expected a string"),
    (data.UtcTimestamp(), "now", TypeError, "str 'now', expected seconds since 1970, a datetime or a UtcTime"),
    (data.UtcTimestamp(), datetime(2024, 1, 1), ValueError, "a datetime without a time zone, expected an aware one"),  # noqa: DTZ001
    (data.BinaryTime(), 1.5, TypeError, "float 1.5, expected nanoseconds since 1970"),
]


@pytest.mark.parametrize(("kind", "value", "error", "text"), REFUSED)
def test_a_value_that_does_not_fit_is_refused_in_words(
    kind: Kind, value: object, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as refused:
        kind.check(value)
    assert str(refused.value) == text


def test_a_float32_is_the_nearest_single_and_past_its_range_infinite() -> None:
    kind = data.Float32()
    assert kind.check(0.1) == 0.10000000149011612
    assert kind.check(-1e300) == -math.inf
    assert kind.check(7) == 7.0


def test_a_lone_surrogate_is_no_unicode_string() -> None:
    with pytest.raises(ValueError, match=r"^half of a surrogate pair, expected characters$"):
        data.MmsString(255).check("\ud800")


def test_a_time_may_be_seconds_or_a_datetime() -> None:
    kind = data.UtcTimestamp()
    assert kind.check(1_704_067_200.5).ns == NS_2024 + 500_000_000
    assert kind.check(datetime(2024, 1, 1, tzinfo=UTC)).ns == NS_2024


def oracle(octets: bytes) -> object:
    value = mms_oracle.decoded(octets, mms_oracle.DATA)
    ((_, plain),) = mms_oracle.native(value).items()
    return plain


@given(st.sampled_from([8, 16, 24, 32, 64, 128]), st.data())
def test_any_integer_in_range_comes_back(bits: int, draw: st.DataObject) -> None:
    limit = 1 << bits - 1
    value = draw.draw(st.integers(-limit, limit - 1))
    assert oracle(data.Integer(bits).encode(value)) == value
    assert oracle(data.Unsigned(bits).encode(value + limit)) == value + limit


@given(st.integers(1, 40), st.data())
def test_any_bit_string_comes_back_bit_for_bit(bits: int, draw: st.DataObject) -> None:
    value = draw.draw(st.integers(0, (1 << bits) - 1))
    assert oracle(data.BitString(bits).encode(value)) == f"{value:0{bits}b}"


@given(st.text(max_size=255).filter(lambda text: not any("\ud800" <= sign <= "\udfff" for sign in text)))
def test_any_text_comes_back_and_what_ascii_lacks_is_a_question_mark(text: str) -> None:
    unicode, visible = data.MmsString(255), data.VisibleString(255)
    assert oracle(unicode.encode(unicode.check(text))) == text
    assert oracle(visible.encode(visible.check(text))) == text.encode("ascii", "replace").decode()


@given(st.floats(width=32, allow_nan=False))
def test_any_single_comes_back_after_its_exponent_width(value: float) -> None:
    octets = oracle(data.Float32().encode(value))
    assert octets == b"\x08" + struct.pack(">f", value)
