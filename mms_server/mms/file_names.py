"""FileName and FileAttributes as MMS writes them (ISO 9506-2 annex D).

FileName         { 19 part ... }                     one string, or one for each part of the path
FileAttributes   { 80 octets, 81 lastModified }
"""

from mms_server.mms.errors import ArgumentError
from mms_server.stack import ber

_PARTS_LIMIT = 32


def decode(buffer: bytes, start: int, end: int) -> list[bytes]:
    """The parts of the FileName that fills `buffer[start:end]`. Raises ArgumentError or WireError."""
    parts: list[bytes] = []
    while start < end:
        tag, first, after = ber.header(buffer, start, end)
        if tag not in (0x19, 0x1A) or len(parts) == _PARTS_LIMIT:
            raise ArgumentError(f"tag {tag:02x}, expected the part of a file name")
        parts.append(buffer[first:after])
        start = after
    return parts


def attributes(tag: int, octets: int, modified: bytes) -> bytes:
    """FileAttributes under `tag`."""
    return ber.tlv(tag, ber.tlv(0x80, ber.unsigned(octets)) + ber.tlv(0x81, modified))


def name(tag: int, parts: list[bytes]) -> bytes:
    """A FileName under `tag`."""
    return ber.tlv(tag, b"".join(ber.tlv(0x19, part) for part in parts))
