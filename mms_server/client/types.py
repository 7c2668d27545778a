"""Types as a server describes them, and Data by them: Python values out of octets, and octets out of values.

TypeDescription   A1 array { 81 count, A2 { type } }    A2 structure { A1 { 30 { 80 name, A1 { type } } ... } }    else a leaf

A Data says by its tags what it is, so the type gives only names when it is read; a value that is written is checked and
encoded for its type. Bit strings are integers, the first bit the most significant; one of 13 bits is a Quality.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bus.quality import QUALITY_BITS, Quality, UtcTime
from mms_server.client.errors import MmsError
from mms_server.mms import data
from mms_server.mms.data import ARRAY, STRUCTURE, BinaryTime, Kind
from mms_server.mms.errors import DataAccessError
from mms_server.stack import ber
from mms_server.stack.errors import WireError

Value = bool | int | float | str | bytes | UtcTime | list["Value"] | dict[str, "Value"]
DEPTH: Final = 16
LARGEST: Final = 65_535
_EXPONENT_OF_DOUBLE: Final = 11


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a wire type."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Array:
    """`count` elements of one type."""

    count: int
    element: "Type"


@dataclass(frozen=True, slots=True)
class Structure:
    """Named members, in their order."""

    members: dict[str, "Type"]


Type = Leaf | Array | Structure


def parts(octets: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and end of contents of each element in `octets[start:end]`. Raises WireError."""
    while start < end:
        tag, first, after = ber.header(octets, start, end)
        yield tag, first, after
        start = after


def part(octets: bytes, start: int, end: int, tag: int) -> tuple[int, int]:
    """Start and end of the contents of the first element with `tag`. Raises WireError if there is none."""
    for found, first, after in parts(octets, start, end):
        if found == tag:
            return first, after
    raise _fault(start, f"no element {tag:02x}")


def decode_type(octets: bytes, start: int, end: int, depth: int = 0) -> Type:
    """The type whose description fills `octets[start:end]`. Raises WireError for one that cannot be."""
    tag, first, after = ber.header(octets, start, end)
    if depth > DEPTH or after != end:
        raise _fault(start, f"a type deeper than {DEPTH}, or octets behind it")
    if tag == ARRAY:
        count = part(octets, first, end, 0x81)
        element = part(octets, first, end, 0xA2)
        return Array(_size(ber.decode_unsigned(octets, *count)), decode_type(octets, *element, depth + 1))
    if tag == STRUCTURE:
        members = {}
        for _, inside, over in parts(octets, *part(octets, first, end, 0xA1)):
            name = octets[slice(*part(octets, inside, over, 0x80))].decode("latin-1")
            members[name] = decode_type(octets, *part(octets, inside, over, 0xA1), depth + 1)
        return Structure(members)
    return Leaf(_kind(octets, tag, first, end))


def _kind(octets: bytes, tag: int, start: int, end: int) -> Kind:
    match tag:
        case 0x83:
            return data.Boolean()
        case 0x91:
            return data.UtcTimestamp()
        case 0x8C:
            return BinaryTime()
        case 0xA7:
            *_, (_, first, after) = parts(octets, start, end)
            double = ber.decode_integer(octets, first, after) == _EXPONENT_OF_DOUBLE
            return data.Float64() if double else data.Float32()
    size = _size(ber.decode_integer(octets, start, end))
    match tag:
        case 0x84:
            return data.BitString(abs(size), varying=size < 0)
        case 0x85:
            return data.Integer(size)
        case 0x86:
            return data.Unsigned(size)
        case 0x89:
            return data.OctetString(abs(size), fixed=size > 0)
        case 0x8A:
            return data.VisibleString(abs(size))
        case 0x90:
            return data.MmsString(abs(size))
    raise _fault(start, f"type {tag:02x}, expected one that IEC 61850 uses")


def _size(number: int) -> int:
    """`number` as the size of a type. Raises WireError for one that nothing here has."""
    if abs(number) > LARGEST:
        raise _fault(0, f"a type of size {number}, expected at most {LARGEST}")
    return number


def decode(octets: bytes, kind: Type | None = None, depth: int = 0) -> Value:
    """The value of one Data; a structure is a dict by the names of `kind`, a list where there is no type for it.

    Raises WireError for no Data, and for a structure of another number of members.
    """
    tag, start, end = ber.header(octets, 0, len(octets))
    if depth > DEPTH or end != len(octets):
        raise _fault(0, f"data deeper than {DEPTH}, or octets behind it")
    if tag == ARRAY:
        element = kind.element if isinstance(kind, Array) else None
        return [decode(one, element, depth + 1) for one in elements(octets, start, end)]
    if tag != STRUCTURE:
        return _scalar(tag, octets[start:end])
    found = elements(octets, start, end)
    if not isinstance(kind, Structure):
        return [decode(one, None, depth + 1) for one in found]
    if len(found) != len(kind.members):
        raise _fault(0, f"a structure of {len(found)}, expected {len(kind.members)} members")
    return {name: decode(one, kind.members[name], depth + 1) for name, one in zip(kind.members, found, strict=True)}


def elements(octets: bytes, start: int, end: int) -> list[bytes]:
    """Each element in `octets[start:end]`, whole. Raises WireError."""
    found = []
    for _, _, after in parts(octets, start, end):
        found.append(octets[start:after])
        start = after
    return found


def _scalar(tag: int, contents: bytes) -> Value:
    size = len(contents)
    match tag:
        case 0x83 if size == 1:
            return contents[0] != 0
        case 0x84 if size and contents[0] < 8:
            bits = int.from_bytes(contents[1:], "big") >> contents[0]
            return Quality(bits) if (size - 1) * 8 - contents[0] == QUALITY_BITS else bits
        case 0x85 | 0x86:
            return ber.decode_integer(contents, 0, size)
        case 0x87 if size in (5, 9):
            return float(struct.unpack(">f" if size == 5 else ">d", contents[1:])[0])
        case 0x89:
            return contents
        case 0x8A:
            return contents.decode("latin-1")
        case 0x90:
            return contents.decode("utf-8", "replace")
        case 0x91 if size == 8:
            return UtcTime.from_octets(contents)
        case 0x8C if not isinstance(ns := BinaryTime().decode(tag, contents), DataAccessError):
            return ns
    raise _fault(0, f"data {tag:02x} of {size} octets, expected one that IEC 61850 uses")


def encode(kind: Type, value: object) -> bytes:
    """The Data of `value` for its type. Raises TypeError or ValueError, which name what does not fit."""
    if isinstance(kind, Leaf):
        return kind.kind.encode(kind.kind.check(value))
    if isinstance(kind, Array):
        if not isinstance(value, Sequence) or len(value) != kind.count:
            raise ValueError(f"{value!r}, expected a list of {kind.count}")
        return ber.tlv(ARRAY, b"".join(encode(kind.element, one) for one in value))
    if not isinstance(value, Mapping) or set(value) != set(kind.members):
        raise ValueError(f"{value!r}, expected a dict of {', '.join(kind.members)}")
    return ber.tlv(STRUCTURE, b"".join(encode(member, value[name]) for name, member in kind.members.items()))


def zero(kind: Type) -> Value:
    """The zero value of a type: false, 0, an empty string, the start of 1970; an array has no element."""
    if isinstance(kind, Structure):
        return {name: zero(member) for name, member in kind.members.items()}
    if isinstance(kind, Array):
        return []
    match kind.kind:
        case data.Boolean():
            return False
        case data.Float32() | data.Float64():
            return 0.0
        case data.OctetString(octets, fixed):
            return bytes(octets if fixed else 0)
        case data.VisibleString() | data.MmsString():
            return ""
        case data.UtcTimestamp():
            return UtcTime(0, 0)
        case _:
            return 0


def encode_for(subject: str, kind: Type, value: object) -> bytes:
    """The Data of `value`; MmsError about `subject` if its type cannot hold it."""
    try:
        return encode(kind, value)
    except (TypeError, ValueError) as error:
        raise MmsError(subject, str(error)) from error


def same(seen: Value, wanted: object) -> bool:
    """True if `seen` equals `wanted`; a float is wanted as near as a FLOAT32 can hold it."""
    if seen == wanted:
        return True
    return isinstance(wanted, float) and isinstance(seen, float) and data.Float32().check(wanted) == seen


def inside(value: Value, tail: Iterable[str | int]) -> Value:
    """The part of `value` at `tail`: members by name, elements by number. Raises LookupError where there is none."""
    for step in tail:
        match value, step:
            case list(), int():
                value = value[step]
            case dict(), str():
                value = value[step]
            case _:
                raise LookupError(step)
    return value


def _fault(offset: int, reason: str) -> WireError:
    return WireError("mms", offset, reason)
