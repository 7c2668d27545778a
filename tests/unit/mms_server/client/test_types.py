"""Data and types as the client reads them: tables of octets, and round trips with the server's own kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.quality import Quality, UtcTime
from mms_server.client.types import Array, Leaf, Structure, Type, Value, decode, decode_type, encode, same, zero
from mms_server.mms import data
from mms_server.mms.data import array_description, structure_description
from mms_server.stack.errors import WireError

KINDS = [
    data.Boolean(), data.BitString(2), data.BitString(13), data.BitString(6, varying=True), data.Integer(8), data.Integer(128),
    data.Unsigned(32), data.Float32(), data.Float64(), data.OctetString(64), data.OctetString(8, fixed=True),
    data.VisibleString(255), data.MmsString(255), data.UtcTimestamp(), data.BinaryTime(),
]  # fmt: skip


def described(octets: bytes) -> Type:
    return decode_type(octets, 0, len(octets))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_type_that_the_server_describes_is_read_as_the_same(kind: data.Kind) -> None:
    assert described(kind.description) == Leaf(kind)
    value = zero(Leaf(kind))
    assert decode(encode(Leaf(kind), value)) == (441_763_200_000_000_000 if kind == data.BinaryTime() else value)


def test_structures_and_arrays_are_read_with_their_names() -> None:
    member = structure_description([(b"f", data.Float32().description)])
    whole = structure_description([(b"mag", member), (b"q", data.BitString(13, varying=True).description)])
    kind = Structure({"mag": Structure({"f": Leaf(data.Float32())}), "q": Leaf(data.BitString(13, varying=True))})
    assert described(array_description(4, whole)) == Array(4, kind)
    octets = encode(kind, {"mag": {"f": 1.5}, "q": 0x800})
    assert decode(octets, kind) == {"mag": {"f": 1.5}, "q": Quality(0x800)}
    assert decode(octets) == [[1.5], 0x800]


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("8301ff", True),
        ("84020640", 0b01),
        ("8403030800", 0b0000100000000),
        ("850202bc", 700),
        ("860200c8", 200),
        ("8501ff", -1),
        ("8705083fc00000", 1.5),
        ("87090b3ff8000000000000", 1.5),
        ("8a03414243", "ABC"),
        ("9002c3a9", "é"),
        ("8900", b""),
        ("9108656f5d0080000000", UtcTime(1_701_797_120_500_000_000, 0)),
        ("8c060000000000ff", 463_795_200_000_000_000),
        ("a206830100850105", [False, 5]),
    ],
)
def test_data_are_values_of_python(octets: str, value: Value) -> None:
    assert decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("830200ff", "data 83 of 2 octets, expected one that IEC 61850 uses"),
        ("8400", "data 84 of 0 octets, expected one that IEC 61850 uses"),
        ("84020900", "data 84 of 2 octets, expected one that IEC 61850 uses"),
        ("8704083fc000", "data 87 of 4 octets, expected one that IEC 61850 uses"),
        ("8c0400000000", "data 8c of 4 octets, expected one that IEC 61850 uses"),
        ("8c0605265c000000", "data 8c of 6 octets, expected one that IEC 61850 uses"),
        ("83010000", "data deeper than 16, or octets behind it"),
        ("a2028500", "integer of 0 octets, expected 1..17"),
    ],
)
def test_what_is_no_data_is_refused_with_the_reason(octets: str, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(bytes.fromhex(octets))
    assert caught.value.reason == reason


def test_data_and_types_are_read_to_a_depth_and_a_size() -> None:
    nested, kind = b"\x83\x01\x00", b"\x83\x00"
    for _ in range(20):
        nested = b"\xa2" + len(nested).to_bytes(1, "big") + nested
        kind = array_description(1, kind)
    with pytest.raises(WireError, match=r"^mms: data deeper than 16"):
        decode(nested)
    with pytest.raises(WireError, match=r"^mms: a type deeper than 16"):
        described(kind)
    with pytest.raises(WireError, match=r"^mms: a type of size 16777216, expected at most 65535"):
        described(bytes.fromhex("890401000000"))


def test_a_structure_of_another_number_of_members_is_refused() -> None:
    with pytest.raises(WireError, match=r"^mms: a structure of 2, expected 1 members"):
        decode(bytes.fromhex("a206830100850105"), Structure({"one": Leaf(data.Boolean())}))


@given(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.binary(max_size=64),
    st.text(st.characters(max_codepoint=126), max_size=9),
)
def test_what_is_encoded_is_what_is_read(number: int, octets: bytes, text: str) -> None:
    kind = Structure({"n": Leaf(data.Integer(32)), "o": Leaf(data.OctetString(64)), "t": Leaf(data.VisibleString(9))})
    value = {"n": number, "o": octets, "t": text}
    assert decode(encode(kind, value), kind) == value


def test_a_float_is_the_same_as_the_single_that_is_nearest() -> None:
    assert same(229.69999694824219, 229.7)
    assert not same(229.6, 229.7)
    assert same(1e300, 1e300)
    assert same({"f": 1.0}, {"f": 1.0})
    assert same(True, True)
    assert not same("x", 1.0)
