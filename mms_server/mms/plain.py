"""MMS Data as people read them, whatever type they were meant for: for log lines and exports.

83 true   84 "0110"   85, 86 -5   87 1.5   89 "0a0b" (hexadecimal)   8A, 90 "text"   8C, 91 "2026-01-31T12:00:00.000Z"
A1, A2 a list of what is inside
"""

import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from bus.quality import UtcTime
from mms_server.mms.data import BinaryTime
from mms_server.mms.errors import DataAccessError
from mms_server.stack import ber
from mms_server.stack.errors import WireError

Plain = bool | int | float | str | None | list["Plain"]
_DEPTH: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def plain(octets: bytes) -> Plain:
    """The value of one Data; None for octets that are none, or a float that is no number."""
    try:
        tag, start, end = ber.header(octets, 0, len(octets))
        return _value(tag, octets[start:end], 0)
    except (WireError, ValueError, UnicodeDecodeError, OverflowError, struct.error):
        return None


def utc_text(ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601, to the millisecond."""
    when = _EPOCH + timedelta(milliseconds=ns // 1_000_000)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _value(tag: int, contents: bytes, depth: int) -> Plain:
    match tag:
        case 0x83:
            return contents != b"\x00"
        case 0x84 if contents:
            bits = "".join(f"{octet:08b}" for octet in contents[1:])
            return bits[: len(bits) - contents[0]]
        case 0x85 | 0x86:
            return ber.decode_integer(contents, 0, len(contents))
        case 0x87:
            value = struct.unpack(">f" if len(contents) == 5 else ">d", contents[1:])[0]
            return float(f"{value:.7g}" if len(contents) == 5 else value) if math.isfinite(value) else None
        case 0x8A | 0x90:
            return contents.decode("utf-8")
        case 0x8C:
            return utc_text(_binary_time(contents))
        case 0x91:
            return utc_text(UtcTime.from_octets(contents).ns)
        case 0xA1 | 0xA2 if depth < _DEPTH:
            return _members(contents, depth)
        case _:
            return contents.hex()


def _members(contents: bytes, depth: int) -> list[Plain]:
    found: list[Plain] = []
    position = 0
    while position < len(contents):
        tag, start, position = ber.header(contents, position, len(contents))
        found.append(_value(tag, contents[start:position], depth + 1))
    return found


def _binary_time(contents: bytes) -> int:
    """Nanoseconds since 1970. Raises ValueError for milliseconds beyond a day."""
    read = BinaryTime().decode(0x8C, contents)
    if isinstance(read, DataAccessError):
        raise ValueError(f"binary time {contents.hex()}")
    return read
