"""The session layer, as far as MMS needs it: connect, accept, finish, abort, and four octets before all data (X.225).

    SPDU | SI | LI | parameters        SI  0D CONNECT  0E ACCEPT  09 FINISH  0A DISCONNECT  0C REFUSE  19 ABORT
                                       PI  05 connect/accept item {13 options, 16 version}  14 requirements
                                           33 calling, 34 called/responding S-selector  C1 user data, C2 extended
    data | 01 00 | 01 00 | PPDU        GIVE TOKENS, then DATA TRANSFER, neither with parameters

A length above 254 is FF and two octets.
"""

from dataclasses import dataclass
from typing import Final

from mms_server.stack.errors import WireError

CONNECT: Final = 0x0D
ACCEPT: Final = 0x0E
FINISH: Final = 0x09
DISCONNECT: Final = 0x0A
REFUSE: Final = 0x0C
ABORT: Final = 0x19
DATA: Final = b"\x01\x00\x01\x00"
SELECTOR_LIMIT: Final = 16
_DUPLEX: Final = b"\x14\x02\x00\x02"


@dataclass(frozen=True, slots=True)
class Spdu:
    """One SPDU: its identifier, its parameters by PI (those inside PGI 05 too), its user data."""

    identifier: int
    parameters: dict[int, bytes]
    user_data: bytes

    def selector(self, pi: int) -> bytes | None:
        """The S-selector under `pi`, None where absent. Raises WireError if over 16 octets."""
        selector = self.parameters.get(pi)
        if selector is not None and len(selector) > SELECTOR_LIMIT:
            raise WireError("session", 0, f"S-selector of {len(selector)} octets, expected at most {SELECTOR_LIMIT}")
        return selector


def decode(spdu: bytes) -> Spdu:
    """The SPDU whose octets are `spdu`, one that is not data. Raises WireError if cut off or with octets behind it."""
    if len(spdu) < 2:
        raise WireError("session", 0, "SPDU cut off")
    start, end = _length(spdu, 1, len(spdu))
    if end != len(spdu):
        raise WireError("session", end, f"{len(spdu) - end} octets behind the SPDU")
    parameters = _parameters(spdu, start, end)
    if 0x05 in parameters:
        parameters |= _parameters(parameters[0x05], 0, len(parameters[0x05]))
    return Spdu(spdu[0], parameters, parameters.get(0xC1, parameters.get(0xC2, b"")))


def data_offset(tsdu: bytes) -> int | None:
    """The offset of the PPDU in `tsdu` if it is data, None if it is another SPDU.

    Raises WireError for a GIVE TOKENS that no DATA TRANSFER follows.
    """
    if tsdu.startswith(DATA):
        return 4
    if not tsdu or tsdu[0] != 0x01:
        return None
    _, end = _length(tsdu, 1, len(tsdu))
    if end >= len(tsdu) or tsdu[end] != 0x01:
        raise WireError("session", end, "GIVE TOKENS without DATA TRANSFER")
    return _length(tsdu, end + 1, len(tsdu))[1]


def _length(octets: bytes, position: int, limit: int) -> tuple[int, int]:
    if position >= limit:
        raise WireError("session", position, "length cut off")
    length = octets[position]
    position += 1
    if length == 0xFF:
        if position + 2 > limit:
            raise WireError("session", position, "length cut off")
        length = int.from_bytes(octets[position : position + 2], "big")
        position += 2
    if position + length > limit:
        raise WireError("session", position, f"length {length}, expected at most {limit - position}")
    return position, position + length


def _parameters(octets: bytes, position: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while position < end:
        start, after = _length(octets, position + 1, end)
        found[octets[position]] = octets[start:after]
        position = after
    return found


def encode(identifier: int, parameters: bytes, user_data: bytes) -> bytes:
    """An SPDU with `user_data` in PI C1."""
    body = parameters + b"\xc1" + _length_octets(len(user_data)) + user_data if user_data else parameters
    return bytes((identifier,)) + _length_octets(len(body)) + body


def encode_connect(calling: bytes, called: bytes, user_data: bytes) -> bytes:
    """The CONNECT of a client: version 2, duplex, no options, its S-selector and the server's."""
    selectors = bytes((0x33, len(calling))) + calling + bytes((0x34, len(called))) + called
    return encode(CONNECT, b"\x05\x06\x13\x01\x00\x16\x01\x02" + _DUPLEX + selectors, user_data)


def encode_accept(connect: Spdu, user_data: bytes) -> bytes:
    """The ACCEPT for `connect`: its options, version 2, duplex, the called selector as the responding one."""
    options = connect.parameters.get(0x13, b"\x00")[:1] or b"\x00"
    item = b"\x05\x06\x13\x01" + options + b"\x16\x01\x02"
    called = connect.parameters.get(0x34)
    responding = b"" if called is None else bytes((0x34, len(called))) + called
    return encode(ACCEPT, item + _DUPLEX + responding, user_data)


def encode_abort(user_data: bytes) -> bytes:
    """An ABORT by the user that asks to release the transport connection (PI 11 = 0B)."""
    return encode(ABORT, b"\x11\x01\x0b", user_data)


def _length_octets(length: int) -> bytes:
    return bytes((length,)) if length < 0xFF else b"\xff" + length.to_bytes(2, "big")
