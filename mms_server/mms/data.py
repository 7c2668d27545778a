"""MMS Data and its types: one object a wire type, which checks, encodes and describes values (ISO 9506-2, Data).

    83 boolean   84 bit string   85 integer   86 unsigned   87 floating point   89 octet string   8A visible string
    8C binary time   90 MMS string   91 UTC time   A1 array   A2 structure

A type is described by the same tag numbers; a negative size means "at most". Bit strings are integers here, the first
bit of the string the most significant. A client's Data is decoded for the type of its leaf: another tag, or more than the
type holds, is type-inconsistent; a value that the type has no use for is object-value-invalid.
"""

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from bus.quality import UtcTime
from mms_server.mms.errors import DataAccessError
from mms_server.stack import ber

ARRAY: Final = 0xA1
STRUCTURE: Final = 0xA2
Scalar = bool | int | float | str | bytes | UtcTime

_DAY_MS: Final = 86_400_000
_DAYS_TO_1984: Final = 5_113
_FLOAT32: Final = struct.Struct(">BBBf").pack
_FLOAT64: Final = struct.Struct(">BBBd").pack
_SINGLE: Final = struct.Struct(">f").unpack_from
_LARGEST_SINGLE: Final = 3.4028234663852886e38
_latest: tuple[UtcTime, bytes] = (UtcTime(0, 0), b"\x91\x08" + bytes(8))
NAN32: Final = bytes.fromhex("8705087fc00000")
NAN64: Final = bytes.fromhex("87090b7ff8000000000000")


_INCONSISTENT: Final = DataAccessError.TYPE_INCONSISTENT
_INVALID: Final = DataAccessError.OBJECT_VALUE_INVALID


class Kind(Protocol):
    """One wire type of a leaf."""

    @property
    def description(self) -> bytes:
        """Its TypeDescription."""

    def check(self, value: object) -> Scalar:
        """`value` as the cache keeps it. Raises TypeError for another type, ValueError beyond the range."""

    def encode(self, value: Scalar) -> bytes:
        """The Data of a checked value."""

    @property
    def fixed_octets(self) -> int:
        """The octets that every value of it takes on the wire; 0 if that depends on the value."""

    def taken(self, value: object) -> tuple[Scalar, bytes]:
        """`value` as the cache keeps it, and its Data: `check` and `encode` in one. Raises as `check` does."""

    def decode(self, tag: int, contents: bytes) -> Scalar | DataAccessError:
        """The value of a client's Data of this `tag`, or the error."""


class _Plain:
    """Base of most kinds."""

    __slots__ = ()

    @property
    def fixed_octets(self) -> int:
        """Depends on the value."""
        return 0

    def taken(self: Kind, value: object) -> tuple[Scalar, bytes]:
        """Checked, then encoded."""
        checked = self.check(value)
        return checked, self.encode(checked)


def _refused(value: object, expected: str) -> TypeError:
    return TypeError(f"{type(value).__name__} {value!r}, expected {expected}")


@dataclass(frozen=True, slots=True)
class Boolean(_Plain):
    """BOOLEAN; true is sent as 01, since some devices misread FF."""

    description: bytes = b"\x83\x00"

    @property
    def fixed_octets(self) -> int:
        """Tag, length, one octet."""
        return 3

    def check(self, value: object) -> bool:
        """True or False; 0 and 1 are taken as such."""
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise _refused(value, "a boolean")

    def encode(self, value: Scalar) -> bytes:
        """`83 01 xx`."""
        return b"\x83\x01\x01" if value else b"\x83\x01\x00"

    def decode(self, tag: int, contents: bytes) -> bool | DataAccessError:
        """Any octet but zero is true."""
        return contents[0] != 0 if tag == 0x83 and len(contents) == 1 else _INCONSISTENT


@dataclass(frozen=True, slots=True)
class Integer(_Plain):
    """INTEGER of `bits` bits, signed; also enumerations."""

    bits: int

    @property
    def description(self) -> bytes:
        """`85 01 bits`; 128 needs the sign octet."""
        return ber.tlv(0x85, ber.unsigned(self.bits))

    @property
    def fixed_octets(self) -> int:
        """Three for 8 bits, which always have one octet of contents; otherwise by the value."""
        return 3 if self.bits == 8 else 0

    def check(self, value: object) -> int:
        """An int in range."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(value, "an integer")
        if not self.holds(value):
            limit = 1 << self.bits - 1
            raise ValueError(f"{value}, expected {-limit}..{limit - 1}")
        return int(value)

    def holds(self, value: int) -> bool:
        """True if `value` is in range."""
        return -1 << self.bits - 1 <= value < 1 << self.bits - 1

    def encode(self, value: Scalar) -> bytes:
        """`85 len value`."""
        return ber.tlv(0x85, ber.integer(int(value)))  # type: ignore[arg-type]

    def decode(self, tag: int, contents: bytes) -> int | DataAccessError:
        """An integer in range; some clients send an enumeration as unsigned."""
        value = _decoded_integer(tag, contents)
        if value is None:
            return _INCONSISTENT
        return value if self.holds(value) else _INVALID


@dataclass(frozen=True, slots=True)
class Enumeration(Integer):
    """An enumeration: an integer of which clients may write the file's ordinals only."""

    ordinals: frozenset[int] = frozenset()

    def decode(self, tag: int, contents: bytes) -> int | DataAccessError:
        """One of the ordinals."""
        value = Integer.decode(self, tag, contents)
        if isinstance(value, DataAccessError) or not self.ordinals or value in self.ordinals:
            return value
        return _INVALID


def _decoded_integer(tag: int, contents: bytes) -> int | None:
    if tag not in (0x85, 0x86) or not 1 <= len(contents) <= ber.INTEGER_OCTETS:
        return None
    return int.from_bytes(contents, "big", signed=True)


@dataclass(frozen=True, slots=True)
class Unsigned(_Plain):
    """Unsigned of `bits` bits; on the wire a positive INTEGER, so 200 needs a leading 00."""

    bits: int

    @property
    def description(self) -> bytes:
        """`86 01 bits`."""
        return ber.tlv(0x86, ber.unsigned(self.bits))

    def check(self, value: object) -> int:
        """An int in range."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(value, "an integer")
        if not 0 <= value < 1 << self.bits:
            raise ValueError(f"{value}, expected 0..{(1 << self.bits) - 1}")
        return int(value)

    def encode(self, value: Scalar) -> bytes:
        """`86 len value`."""
        return ber.tlv(0x86, ber.unsigned(int(value)))  # type: ignore[arg-type]

    def decode(self, tag: int, contents: bytes) -> int | DataAccessError:
        """An integer in range."""
        value = _decoded_integer(tag, contents)
        if value is None:
            return _INCONSISTENT
        return value if 0 <= value < 1 << self.bits else _INVALID


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(value, "a number")
    return float(value)


@dataclass(frozen=True, slots=True)
class Float32(_Plain):
    """FLOAT32: exponent width 8, IEEE 754 single. Every NaN is the same NaN, so that none is a change."""

    description: bytes = bytes.fromhex("a706020120020108")

    @property
    def fixed_octets(self) -> int:
        """Exponent width and a single."""
        return 7

    def check(self, value: object) -> float:
        """The nearest single; beyond its range the infinity of that sign."""
        number = _number(value)
        try:
            return float(struct.unpack(">f", struct.pack(">f", number))[0])
        except OverflowError:
            return math.copysign(math.inf, number)

    def taken(self, value: object) -> tuple[Scalar, bytes]:
        """The nearest single and its Data; the way of nearly all values from the field."""
        if value.__class__ is float and -_LARGEST_SINGLE <= value <= _LARGEST_SINGLE:
            octets = _FLOAT32(0x87, 5, 8, value)
            return _SINGLE(octets, 3)[0], octets
        return _Plain.taken(self, value)

    def encode(self, value: Scalar) -> bytes:
        """`87 05 08 xx xx xx xx`."""
        return NAN32 if value != value else _FLOAT32(0x87, 5, 8, value)

    def decode(self, tag: int, contents: bytes) -> float | DataAccessError:
        """A finite number: no client means anything else."""
        if tag != 0x87 or len(contents) != 5 or contents[0] != 8:
            return _INCONSISTENT
        number = float(struct.unpack(">f", contents[1:])[0])
        return number if math.isfinite(number) else _INVALID


@dataclass(frozen=True, slots=True)
class Float64(_Plain):
    """FLOAT64: exponent width 11, IEEE 754 double."""

    description: bytes = bytes.fromhex("a70602014002010b")

    @property
    def fixed_octets(self) -> int:
        """Exponent width and a double."""
        return 11

    def check(self, value: object) -> float:
        """Any number."""
        return _number(value)

    def encode(self, value: Scalar) -> bytes:
        """`87 09 0B` and eight octets."""
        return NAN64 if value != value else _FLOAT64(0x87, 9, 11, value)

    def decode(self, tag: int, contents: bytes) -> float | DataAccessError:
        """A finite number."""
        if tag != 0x87 or len(contents) != 9 or contents[0] != 11:
            return _INCONSISTENT
        number = float(struct.unpack(">d", contents[1:])[0])
        return number if math.isfinite(number) else _INVALID


@dataclass(frozen=True, slots=True)
class BitString(_Plain):
    """A bit string of `bits` bits, sent whole; `varying` ones are described as "at most" and clients may shorten them."""

    bits: int
    varying: bool = False

    @property
    def description(self) -> bytes:
        """`84 01 size`."""
        return ber.tlv(0x84, ber.integer(-self.bits if self.varying else self.bits))

    @property
    def fixed_octets(self) -> int:
        """Sent whole, also where it is described as varying."""
        return 3 - -self.bits // 8

    def check(self, value: object) -> int:
        """An int of that many bits."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(value, f"the {self.bits} bits as an integer")
        if not 0 <= value < 1 << self.bits:
            raise ValueError(f"{value:#x}, expected at most {self.bits} bits")
        return int(value)

    def encode(self, value: Scalar) -> bytes:
        """`84 len unused bits`."""
        octets = -(-self.bits // 8)
        unused = octets * 8 - self.bits
        return bytes((0x84, octets + 1, unused)) + (int(value) << unused).to_bytes(octets, "big")  # type: ignore[arg-type]

    def decode(self, tag: int, contents: bytes) -> int | DataAccessError:
        """The bits; a varying string may be shorter or longer, its missing bits are 0 and those too many ignored."""
        if tag != 0x84 or not contents or contents[0] > 7 or (len(contents) == 1 and contents[0]):
            return _INCONSISTENT
        sent = (len(contents) - 1) * 8 - contents[0]
        if sent != self.bits and not self.varying:
            return _INCONSISTENT
        value = int.from_bytes(contents[1:], "big") >> contents[0]
        return value >> sent - self.bits if sent > self.bits else value << self.bits - sent


@dataclass(frozen=True, slots=True)
class OctetString(_Plain):
    """An octet string of at most, or of `fixed` exactly, `octets` octets."""

    octets: int
    fixed: bool = False

    @property
    def description(self) -> bytes:
        """`89 len size`."""
        return ber.tlv(0x89, ber.integer(self.octets if self.fixed else -self.octets))

    @property
    def fixed_octets(self) -> int:
        """Header and octets of a fixed string; otherwise by the value."""
        return 2 + self.octets if self.fixed and self.octets < 0x80 else 0

    def check(self, value: object) -> bytes:
        """Bytes that fit."""
        if not isinstance(value, bytes | bytearray):
            raise _refused(value, "bytes")
        if len(value) > self.octets or (self.fixed and len(value) != self.octets):
            raise ValueError(f"{len(value)} octets, expected {'' if self.fixed else 'at most '}{self.octets}")
        return bytes(value)

    def encode(self, value: Scalar) -> bytes:
        """`89 len octets`."""
        return ber.tlv(0x89, value)  # type: ignore[arg-type]

    def decode(self, tag: int, contents: bytes) -> bytes | DataAccessError:
        """The octets."""
        if tag != 0x89 or (len(contents) > self.octets and not self.fixed):
            return _INCONSISTENT
        return _INVALID if self.fixed and len(contents) != self.octets else contents


@dataclass(frozen=True, slots=True)
class VisibleString(_Plain):
    """A visible string (ASCII) of at most `characters`."""

    characters: int

    @property
    def description(self) -> bytes:
        """`8A len -characters`."""
        return ber.tlv(0x8A, ber.integer(-self.characters))

    def check(self, value: object) -> str:
        """A string that fits; what ASCII lacks becomes `?`."""
        if not isinstance(value, str):
            raise _refused(value, "a string")
        if len(value) > self.characters:
            raise ValueError(f"{len(value)} characters, expected at most {self.characters}")
        return value.encode("ascii", "replace").decode("ascii")

    def encode(self, value: Scalar) -> bytes:
        """`8A len characters`."""
        return ber.tlv(0x8A, str(value).encode("ascii"))

    def decode(self, tag: int, contents: bytes) -> str | DataAccessError:
        """The string."""
        if tag != 0x8A or len(contents) > self.characters:
            return _INCONSISTENT
        return contents.decode("ascii") if contents.isascii() else _INVALID


@dataclass(frozen=True, slots=True)
class MmsString(_Plain):
    """A Unicode string (UTF-8) of at most `characters`."""

    characters: int

    @property
    def description(self) -> bytes:
        """`90 len -characters`."""
        return ber.tlv(0x90, ber.integer(-self.characters))

    def check(self, value: object) -> str:
        """A string that fits. Raises ValueError for lone surrogates too."""
        if not isinstance(value, str):
            raise _refused(value, "a string")
        if len(value) > self.characters:
            raise ValueError(f"{len(value)} characters, expected at most {self.characters}")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair, expected characters") from error
        return value

    def encode(self, value: Scalar) -> bytes:
        """`90 len UTF-8`."""
        return ber.tlv(0x90, str(value).encode("utf-8"))

    def decode(self, tag: int, contents: bytes) -> str | DataAccessError:
        """The string."""
        if tag != 0x90 or len(contents) > 4 * self.characters:
            return _INCONSISTENT
        try:
            text = contents.decode("utf-8")
        except UnicodeDecodeError:
            return _INVALID
        return text if len(text) <= self.characters else _INCONSISTENT


@dataclass(frozen=True, slots=True)
class UtcTimestamp(_Plain):
    """A UTC time of 8 octets."""

    description: bytes = b"\x91\x00"

    @property
    def fixed_octets(self) -> int:
        """Tag, length, eight octets."""
        return 10

    def check(self, value: object) -> UtcTime:
        """Seconds since 1970 as float, an aware datetime, or UtcTime."""
        if isinstance(value, UtcTime):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float | datetime):
            raise _refused(value, "seconds since 1970, a datetime or a UtcTime")
        return UtcTime.of(value)

    def taken(self, value: object) -> tuple[Scalar, bytes]:
        """The time and its Data; values that are measured together have one time, which is encoded once."""
        global _latest  # noqa: PLW0603 - a memory of one, replaced whole
        known, octets = _latest
        if value == known and value.__class__ is UtcTime:
            return known, octets
        checked = self.check(value)
        _latest = (checked, self.encode(checked))
        return _latest

    def encode(self, value: Scalar) -> bytes:
        """`91 08` and the octets of UtcTime."""
        return b"\x91\x08" + value.octets()  # type: ignore[union-attr]

    def decode(self, tag: int, contents: bytes) -> UtcTime | DataAccessError:
        """The time with its quality."""
        return UtcTime.from_octets(contents) if tag == 0x91 and len(contents) == 8 else _INCONSISTENT


@dataclass(frozen=True, slots=True)
class BinaryTime(_Plain):
    """A binary time of 6 octets: milliseconds since midnight, days since 1984-01-01; the value is ns since 1970."""

    description: bytes = b"\x8c\x01\x01"

    @property
    def fixed_octets(self) -> int:
        """Tag, length, six octets."""
        return 8

    def check(self, value: object) -> int:
        """Nanoseconds since 1970; what lies before 1984 becomes 1984-01-01."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(value, "nanoseconds since 1970")
        return int(value)

    def encode(self, value: Scalar) -> bytes:
        """`8C 06 ms days`."""
        days, ms = divmod(int(value) // 1_000_000 - _DAYS_TO_1984 * _DAY_MS, _DAY_MS)  # type: ignore[arg-type]
        if days < 0:
            days = ms = 0
        return b"\x8c\x06" + ms.to_bytes(4, "big") + (days & 0xFFFF).to_bytes(2, "big")

    def decode(self, tag: int, contents: bytes) -> int | DataAccessError:
        """Nanoseconds since 1970."""
        if tag != 0x8C or len(contents) != 6:
            return _INCONSISTENT
        ms, days = int.from_bytes(contents[:4], "big"), int.from_bytes(contents[4:], "big")
        return (ms + (days + _DAYS_TO_1984) * _DAY_MS) * 1_000_000 if ms < _DAY_MS else _INVALID


def array_description(count: int, element: bytes) -> bytes:
    """The TypeDescription of an array."""
    return ber.tlv(ARRAY, ber.tlv(0x81, ber.unsigned(count)) + ber.tlv(0xA2, element))


def structure_description(members: list[tuple[bytes, bytes]]) -> bytes:
    """The TypeDescription of a structure of named members, each with its own."""
    listed = [ber.tlv(0x30, ber.tlv(0x80, name) + ber.tlv(0xA1, kind)) for name, kind in members]
    return ber.tlv(STRUCTURE, ber.tlv(0xA1, b"".join(listed)))
