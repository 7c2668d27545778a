"""Guard before pyasn1: bounds on hostile BER, and a copy with definite lengths (X.690 section 8).

Associations may use the indefinite form (80 ... 00 00); pyasn1 recurses as deep as its input does. So every association
message passes here first: limits on octets, depth and number of elements, and a copy in definite form.
"""

from typing import Final

from mms_server.stack import ber
from mms_server.stack.errors import WireError

OCTETS: Final = 16_384
DEPTH: Final = 24
ELEMENTS: Final = 2_000


def definite(octets: bytes, layer: str) -> bytes:
    """`octets`, one BER element, with definite lengths throughout.

    Raises WireError if it is no BER, is followed by something, or is beyond the limits on size, depth or number.
    """
    if len(octets) > OCTETS:
        raise WireError(layer, 0, f"{len(octets)} octets, expected at most {OCTETS}")
    walk = _Walk(octets, layer)
    copy, end = walk.element(0, len(octets), 0)
    if end != len(octets):
        raise WireError(layer, end, f"{len(octets) - end} octets behind the element")
    return copy


class _Walk:
    """One pass over one message; counts as it goes."""

    def __init__(self, octets: bytes, layer: str) -> None:
        self._octets = octets
        self._layer = layer
        self._elements = 0

    def element(self, position: int, end: int, depth: int) -> tuple[bytes, int]:
        """The definite copy of the element at `position`, and where the next one starts."""
        self._elements += 1
        if depth > DEPTH or self._elements > ELEMENTS:
            raise WireError(self._layer, position, f"over {DEPTH} levels or {ELEMENTS} elements")
        tag_end = self._tag_end(position, end)
        if tag_end < end and self._octets[tag_end] == 0x80:
            if not self._octets[position] & 0x20:
                raise WireError(self._layer, position, "a primitive element of indefinite length")
            contents, after = self._until_end_of_contents(tag_end + 1, end, depth)
        else:
            _, start, after = ber.header(self._octets, position, end)
            contents = self._contents(position, start, after, depth)
        return self._octets[position:tag_end] + ber.length(len(contents)) + contents, after

    def _tag_end(self, position: int, end: int) -> int:
        if position >= end:
            raise WireError(self._layer, position, "element cut off")
        return position + (2 if self._octets[position] & 0x1F == 0x1F else 1)

    def _contents(self, position: int, start: int, end: int, depth: int) -> bytes:
        if not self._octets[position] & 0x20:
            return self._octets[start:end]
        parts = []
        while start < end:
            part, start = self.element(start, end, depth + 1)
            parts.append(part)
        return b"".join(parts)

    def _until_end_of_contents(self, position: int, end: int, depth: int) -> tuple[bytes, int]:
        parts = []
        while self._octets[position : position + 2] != b"\x00\x00":
            part, position = self.element(position, end, depth + 1)
            parts.append(part)
        if position + 2 > end:
            raise WireError(self._layer, position, "end of contents cut off")
        return b"".join(parts), position + 2
