"""Raw registers to a raw number and back, by type and order (pure); `scaling` turns that into the unit of a point.

A word order is said of four octets: `abcd` as sent, `cdab` words swapped (for 64 bits the least significant word comes
first), `badc` octets swapped in each word, `dcba` both.

Signed BCD has its sign in the highest digit: 0 is plus, 8 or F minus, so that sbcd16 holds -999..999. A written minus is 8,
which those that look at the highest bit alone and those that know F read alike.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final

from acquisition.decoding import device_clocks
from mapping.plan import Register

_FORMATS: Final = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float16": ">e", "float32": ">f", "float64": ">d",
}  # fmt: skip
_MOD10: Final = 10_000


def decoded(register: Register, raw: Sequence[int]) -> int | float | bool | str | None:
    """Value in `raw`; None if it is none of the register's type. A float may be NaN or infinite."""
    kind = register.type
    if kind == "mod10":
        return _mod10(raw, register.order)
    octets = _octets(raw, register.order)
    if kind == "bool":
        return any(octets)
    if kind == "string":
        return octets.partition(b"\0")[0].decode("ascii", "replace").rstrip()
    if kind in ("bit", "bits"):
        value = int.from_bytes(octets, "big") >> register.low_bit
        return bool(value & 1) if kind == "bit" else value & ((1 << register.high_bit - register.low_bit + 1) - 1)
    if kind.startswith("time:"):
        return device_clocks.counted(
            kind, [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
        )
    if kind in ("bcd16", "bcd32"):
        return int(octets.hex()) if octets.hex().isdecimal() else None
    if kind in ("sbcd16", "sbcd32"):
        return _signed(octets.hex())
    number: int | float = struct.unpack(_FORMATS[kind], octets)[0]
    return number


def encoded(register: Register, number: float) -> tuple[int, ...]:
    """The registers that hold the raw `number`. Raises ValueError if none of that type can."""
    kind = register.type
    if not math.isfinite(number):
        raise ValueError(f"{number}, expected a finite number")
    if kind in ("bit", "bits"):
        return (_bits(register, round(number)),)
    if kind == "mod10":
        return _mod10_words(register, round(number))
    if kind.startswith("time:"):
        octets = b"".join(word.to_bytes(2, "big") for word in device_clocks.words_of(kind, number))
    else:
        octets = _number_octets(register, number)
    return _words(octets, register.order)


def encoded_text(register: Register, text: str) -> tuple[int, ...]:
    """The registers that hold `text`, cut to their length and filled up with NUL."""
    octets = text.encode("ascii", "replace")[: 2 * register.count].ljust(2 * register.count, b"\0")
    return _words(octets, register.order)


def bit_on_the_wire(register: Register) -> int:
    """The place, 0 the least significant, that the bit of a `bit` register has in the word as it is sent."""
    return register.low_bit ^ 8 if register.order in ("badc", "dcba") else register.low_bit


# ---------------------------------------------------------------------- words


def _octets(raw: Sequence[int], order: str) -> bytes:
    words = reversed(raw) if order in ("cdab", "dcba") else raw
    byte_order = "little" if order in ("badc", "dcba") else "big"
    return b"".join(word.to_bytes(2, byte_order) for word in words)  # type: ignore[arg-type]


def _words(octets: bytes, order: str) -> tuple[int, ...]:
    byte_order = "little" if order in ("badc", "dcba") else "big"
    words = [int.from_bytes(octets[at : at + 2], byte_order) for at in range(0, len(octets), 2)]  # type: ignore[arg-type]
    return tuple(reversed(words)) if order in ("cdab", "dcba") else tuple(words)


# ---------------------------------------------------------------------- types


def _signed(digits: str) -> int | None:
    if digits[0] not in "08f" or not digits[1:].isdecimal():
        return None
    return int(digits[1:]) if digits[0] == "0" else -int(digits[1:])


def _mod10(raw: Sequence[int], order: str) -> int | None:
    """R1 + R2 * 10^4 + ..., the lowest address least significant (`cdab`: most)."""
    words = list(reversed(raw)) if order in ("cdab", "dcba") else list(raw)
    if any(word >= _MOD10 for word in words):
        return None
    total = 0
    for word in reversed(words):
        total = total * _MOD10 + word
    return total


def _mod10_words(register: Register, whole: int) -> tuple[int, ...]:
    if not 0 <= whole < _MOD10**register.count:
        raise ValueError(f"{whole} does not fit a mod10")
    words = tuple(whole // _MOD10**place % _MOD10 for place in range(register.count))
    return tuple(reversed(words)) if register.order in ("cdab", "dcba") else words


def _bits(register: Register, whole: int) -> int:
    """The word with the bits in their place, as it is sent, and all others 0."""
    if not 0 <= whole < 1 << register.high_bit - register.low_bit + 1:
        raise ValueError(f"{whole} does not fit bits {register.low_bit} to {register.high_bit}")
    return _words((whole << register.low_bit).to_bytes(2, "big"), register.order)[0]


def _number_octets(register: Register, number: float) -> bytes:
    kind = register.type
    if kind.startswith("float"):
        try:
            return struct.pack(_FORMATS[kind], number)
        except OverflowError:
            raise ValueError(f"{number} is beyond a {kind}") from None
    whole, digits = round(number), 4 * register.count
    if kind in ("bcd16", "bcd32") and 0 <= whole < 10**digits:
        return bytes.fromhex(f"{whole:0{digits}d}")
    if kind in ("sbcd16", "sbcd32") and abs(whole) < 10 ** (digits - 1):
        return bytes.fromhex(f"{'8' if whole < 0 else '0'}{abs(whole):0{digits - 1}d}")
    if kind in _FORMATS:
        try:
            return struct.pack(_FORMATS[kind], whole)
        except struct.error:
            raise ValueError(f"{whole} does not fit a {kind}") from None
    raise ValueError(f"{whole} does not fit a {kind}" if "bcd" in kind else f"a {kind} cannot be written")
