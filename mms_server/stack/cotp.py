"""COTP class 0: connection between two T-selectors, and messages in segments (X.224, profiled by RFC 1006).

    CR  | LI | E0 | 00 00 | SRC-REF | class | parameters     C0 TPDU size as a power of two
    CC  | LI | D0 | DST-REF | SRC-REF | class | parameters     C1 calling, C2 called T-selector
    DT  | 02 | F0 | EOT .......... | user data                 without EOT (80) more follows
    DR  | LI | 80 | DST-REF | SRC-REF | reason

The TPDU size binds each DT (its header counts); a message (TSDU) may be as long as MMS negotiates. DST-REF of a CC or
DR is the reference that the peer gave itself in its CR.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from mms_server.stack import tpkt
from mms_server.stack.errors import WireError

DT_OCTETS: Final = 3
LARGEST_TPDU: Final = 13  # 8192 octets
SMALLEST_TPDU: Final = 7  # 128 octets
SELECTOR_LIMIT: Final = 32
OWN_REFERENCE: Final = 1
_LAST: Final = b"\x02\xf0\x80"
_MORE: Final = b"\x02\xf0\x00"


class Tpdu(IntEnum):
    """The TPDU codes of class 0, high nibble of the second octet."""

    CR = 0xE0
    CC = 0xD0
    DT = 0xF0
    DR = 0x80
    ER = 0x70


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A CR: the peer's reference, the TPDU size it offers as a power of two, the T-selectors (None where absent)."""

    source_reference: int
    tpdu_size: int
    calling: bytes | None
    called: bytes | None


def decode_connect(tpdu: bytes) -> ConnectRequest:
    """The CR in `tpdu`. Raises WireError for anything else, and for lengths that do not fit."""
    if len(tpdu) < 7 or tpdu[1] & 0xF0 != Tpdu.CR:
        raise WireError("cotp", 0, "no CR before the connection stands")
    if tpdu[0] + 1 > len(tpdu) or tpdu[0] < 6:
        raise WireError("cotp", 0, f"length indicator {tpdu[0]}, expected 6..{len(tpdu) - 1}")
    return _connect_request(tpdu[: tpdu[0] + 1])


@lru_cache(maxsize=64)  # clients associate again and again with the same octets, 256 at most
def _connect_request(tpdu: bytes) -> ConnectRequest:
    parameters = _parameters(tpdu, 7, len(tpdu))
    size = parameters.get(0xC0, bytes((LARGEST_TPDU,)))
    if len(size) != 1 or not SMALLEST_TPDU <= size[0] <= 16:
        raise WireError("cotp", 7, f"TPDU size {size.hex()}, expected 07..0d")
    return ConnectRequest(
        int.from_bytes(tpdu[4:6], "big"),
        min(size[0], LARGEST_TPDU),
        _selector(parameters, 0xC1),
        _selector(parameters, 0xC2),
    )


def encode_request(calling: bytes, called: bytes, tpdu_size: int = LARGEST_TPDU) -> bytes:
    """The CR of a client that offers TPDUs of `1 << tpdu_size` octets, as one TPKT."""
    parameters = bytes((0xC0, 1, tpdu_size))
    for code, selector in ((0xC1, calling), (0xC2, called)):
        parameters += bytes((code, len(selector))) + selector
    fixed = bytes((Tpdu.CR,)) + _reference(0) + _reference(OWN_REFERENCE) + b"\x00"
    return tpkt.wrap(bytes((len(fixed) + len(parameters),)) + fixed + parameters)


def decode_confirm(tpdu: bytes, offered: int = LARGEST_TPDU) -> int:
    """The TPDU size, as a power of two, that the CC in `tpdu` settles: at most what was `offered`.

    Raises WireError for anything else than a CC.
    """
    if len(tpdu) < 7 or tpdu[1] & 0xF0 != Tpdu.CC:
        raise WireError("cotp", 0, "no CC in answer to the CR")
    if not 6 <= tpdu[0] < len(tpdu):
        raise WireError("cotp", 0, f"length indicator {tpdu[0]}, expected 6..{len(tpdu) - 1}")
    size = _parameters(tpdu, 7, tpdu[0] + 1).get(0xC0, bytes((SMALLEST_TPDU,)))
    if len(size) != 1 or not SMALLEST_TPDU <= size[0] <= offered:
        raise WireError("cotp", 7, f"TPDU size {size.hex()}, expected 07..{offered:02x}")
    return size[0]


def _parameters(tpdu: bytes, position: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while position < end:
        if position + 2 > end or position + 2 + tpdu[position + 1] > end:
            raise WireError("cotp", position, "parameter cut off")
        found[tpdu[position]] = tpdu[position + 2 : position + 2 + tpdu[position + 1]]
        position += 2 + tpdu[position + 1]
    return found


def _selector(parameters: dict[int, bytes], code: int) -> bytes | None:
    selector = parameters.get(code)
    if selector is not None and len(selector) > SELECTOR_LIMIT:
        raise WireError("cotp", 7, f"T-selector of {len(selector)} octets, expected at most {SELECTOR_LIMIT}")
    return selector


@lru_cache(maxsize=64)
def encode_confirm(request: ConnectRequest) -> bytes:
    """The CC that accepts `request`, as one TPKT."""
    parameters = bytes((0xC0, 1, request.tpdu_size))
    for code, selector in ((0xC1, request.calling), (0xC2, request.called)):
        if selector is not None:
            parameters += bytes((code, len(selector))) + selector
    fixed = bytes((Tpdu.CC,)) + _reference(request.source_reference) + _reference(OWN_REFERENCE) + b"\x00"
    return tpkt.wrap(bytes((len(fixed) + len(parameters),)) + fixed + parameters)


def encode_disconnect(request: ConnectRequest, reason: int = 0) -> bytes:
    """The DR that refuses or ends what `request` asked for, as one TPKT. Reason 0: none given (X.224 section 13.5)."""
    return tpkt.wrap(
        bytes((6, Tpdu.DR)) + _reference(request.source_reference) + _reference(OWN_REFERENCE) + bytes((reason,))
    )


def _reference(number: int) -> bytes:
    return number.to_bytes(2, "big")


def segments(tsdu: bytes, tpdu_size: int) -> bytes:
    """`tsdu` as TPKTs with one DT each, joined; `tpdu_size` in octets counts the DT's header."""
    room = tpdu_size - DT_OCTETS
    if len(tsdu) <= room:
        return tpkt.wrap(_LAST + tsdu)
    pieces = [tsdu[start : start + room] for start in range(0, len(tsdu), room)]
    return b"".join([*(tpkt.wrap(_MORE + piece) for piece in pieces[:-1]), tpkt.wrap(_LAST + pieces[-1])])


class Reassembly:
    """The pieces of one TSDU until the last has come; bounded in octets and in number."""

    __slots__ = ("_limit_octets", "_octets", "_pieces")

    PIECES: Final = 2048

    def __init__(self, limit_octets: int) -> None:
        self._limit_octets = limit_octets
        self._pieces: list[bytes] = []
        self._octets = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: bytes, last: bool) -> bytes | None:
        """The whole TSDU if `piece` was its last, None while more follows. Raises WireError beyond the limits."""
        self._pieces.append(piece)
        self._octets += len(piece)
        if self._octets > self._limit_octets or len(self._pieces) > self.PIECES:
            raise WireError("cotp", 0, f"TSDU of over {self._limit_octets} octets or {self.PIECES} pieces")
        if not last:
            return None
        tsdu = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._octets = [], 0
        return tsdu
