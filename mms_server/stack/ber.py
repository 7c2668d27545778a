"""BER as MMS uses it: a cursor over octets (X.690 section 8), for what runs thousands of times a second.

    identifier      length                        contents
    | A0 |          | 1E |                        ...          one octet each in nearly all of MMS
    | BF 4D |       | 82 01 10 |                  ...          tags above 30, contents above 127 octets

A tag is one integer: the identifier octet, or for tags above 30 `leading << 8 | number` (BF 4D is 0xBF4D). Lengths are
definite and at most four octets long; indefinite ones occur only in the association, which pyasn1 decodes.
"""

from typing import Final

from mms_server.stack.errors import FaultAnswer, WireError

INTEGER_OCTETS: Final = 17  # INT128 and the leading 00 of an unsigned one
_ONE_OCTET: Final = tuple(bytes((number,)) for number in range(256))


def header(buffer: bytes, position: int, end: int) -> tuple[int, int, int]:
    """The tag at `position`, and where its contents start and end; all within `end`.

    Raises WireError for a header that is cut off, indefinite, or whose contents go past `end`.
    """
    if position + 2 > end:
        raise _fault(position, "header cut off")
    tag = buffer[position]
    position += 1
    if tag & 0x1F == 0x1F:
        number = buffer[position]
        if number < 0x1F or number & 0x80:
            raise _fault(position, f"tag number octet {number:02x}, expected 1f..7f")
        tag = tag << 8 | number
        position += 1
        if position >= end:
            raise _fault(position, "header cut off")
    length = buffer[position]
    position += 1
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or position + octets > end:
            raise _fault(position - 1, f"length octet {length:02x}, expected a definite length that fits")
        length = int.from_bytes(buffer[position : position + octets], "big")
        position += octets
    if position + length > end:
        raise _fault(position, f"length {length}, expected at most {end - position}")
    return tag, position, position + length


def elements(buffer: bytes, position: int, end: int, within: frozenset[int] = frozenset()) -> list[tuple[int, int]]:
    """Start and end of each of the elements in `buffer[position:end]`.

    Raises WireError for a broken one, also inside elements whose tag is in `within`, however deep.
    """
    found: list[tuple[int, int]] = []
    ends = [end]
    while ends:
        if position == ends[-1]:
            ends.pop()
            continue
        tag, start, after = header(buffer, position, ends[-1])
        if len(ends) == 1:
            found.append((position, after))
        if tag in within:
            ends.append(after)
        position = start if tag in within else after
    return found


def length(number: int) -> bytes:
    """The length octets for contents of `number` octets."""
    if number < 0x80:
        return _ONE_OCTET[number]
    if number < 0x100:
        return bytes((0x81, number))
    if number < 0x10000:
        return bytes((0x82, number >> 8, number & 0xFF))
    return b"\x84" + number.to_bytes(4, "big")


def tlv(tag: int, contents: bytes) -> bytes:
    """`contents` under `tag`."""
    identifier = _ONE_OCTET[tag] if tag < 0x100 else tag.to_bytes(2, "big")
    return identifier + length(len(contents)) + contents


def integer(value: int) -> bytes:
    """The contents of an INTEGER: the shortest two's complement."""
    return value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)


def unsigned(value: int) -> bytes:
    """The contents of an unsigned: as an INTEGER, so 200 is 00 C8. `value` is not negative."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def decode_integer(buffer: bytes, start: int, end: int) -> int:
    """The INTEGER whose contents are `buffer[start:end]`. Raises WireError if empty or over 17 octets."""
    if not 1 <= end - start <= INTEGER_OCTETS:
        raise _fault(start, f"integer of {end - start} octets, expected 1..{INTEGER_OCTETS}")
    return int.from_bytes(buffer[start:end], "big", signed=True)


def decode_unsigned(buffer: bytes, start: int, end: int) -> int:
    """The INTEGER in `buffer[start:end]` where none below zero is meant. Raises WireError for a negative one."""
    value = decode_integer(buffer, start, end)
    if value < 0:
        raise _fault(start, f"integer {value}, expected one that is not negative")
    return value


def _fault(offset: int, reason: str) -> WireError:
    return WireError("ber", offset, reason, FaultAnswer.REJECT)
