"""TPKT: one packet with its length in front, on TCP (RFC 1006 section 6).

octet  0    1    2      3      4
     | 03 | 00 |   length    | TPDU ...          length counts the header too
"""

from typing import Final

from mms_server.stack.errors import WireError

HEADER_OCTETS: Final = 4
SHORTEST: Final = 7  # the header and the three octets of an empty DT
LONGEST: Final = 0xFFFF


def packet_octets(buffer: bytes | bytearray, position: int, limit: int = LONGEST) -> int:
    """The octets of the packet at `position`, its header included; at least four octets are there.

    Raises WireError for a header that no peer could mean, so at most `limit` octets are ever awaited.
    """
    if buffer[position] != 3:
        raise WireError("tpkt", 0, f"version {buffer[position]}, expected 3")
    octets = buffer[position + 2] << 8 | buffer[position + 3]
    if not SHORTEST <= octets <= limit:
        raise WireError("tpkt", 2, f"length {octets}, expected {SHORTEST}..{limit}")
    return octets


def wrap(tpdu: bytes) -> bytes:
    """`tpdu` as one packet."""
    return b"\x03\x00" + (len(tpdu) + HEADER_OCTETS).to_bytes(2, "big") + tpdu
