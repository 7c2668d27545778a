"""Registers to engineering values and back, with a quality for what means nothing (contract: types and orders).

    raw registers ── order ──► octets ── type ──► number ── absent? ──► number * scale + offset, in the point's unit

A word order is said of four octets: `abcd` as sent, `cdab` words swapped (for 64 bits the least significant word comes
first), `badc` octets swapped in each word, `dcba` both.
"""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bus import quality
from bus.messages import Value
from bus.quality import Quality
from mapping.plan import PointPlan, Register, Reply

_FORMATS: Final = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
ABSENT: Final = "the device gives no measurement"


@dataclass(frozen=True, slots=True)
class Reading:
    """A point's value in its unit, its quality, and for people why it is not good. `value` None: nothing to show."""

    value: Value
    quality: Quality
    reason: str = ""


def _bad(reason: str, value: Value = None) -> Reading:
    return Reading(value, quality.INVALID, reason)


def reading(point: PointPlan, register: Register, raw: Sequence[int]) -> Reading:
    """What `raw`, the registers (or the one bit) of `register`, mean for `point`."""
    if register.table in ("coil", "discrete"):
        return Reading(bool(raw[0]), quality.GOOD)
    number = _decoded(register, raw)
    if number is None:
        return _bad(f"{register.type} of {' '.join(f'{one:04x}' for one in raw)} is no value")
    if isinstance(number, bool | str):
        return Reading(number, quality.GOOD)
    if math.isnan(number):
        return _bad(ABSENT if "nan" in point.absent else "not a number")
    if number in point.absent:
        return _bad(ABSENT)
    return _scaled(point, number)


def _scaled(point: PointPlan, number: float) -> Reading:
    if point.scale == 1 and point.offset == 0:
        value: int | float = number
    else:
        value = number * point.scale + point.offset
    if math.isinf(value):
        return Reading(None, Quality(quality.INVALID | quality.OVERFLOW), "beyond any number")
    return Reading(value, quality.GOOD)


def _decoded(register: Register, raw: Sequence[int]) -> int | float | bool | str | None:
    kind = register.type
    if kind == "mod10":
        return _mod10(raw, register.order)
    octets = _octets(raw, register.order)
    if kind == "bool":
        return any(octets)
    if kind == "string":
        return _text(octets)
    if kind in ("bit", "bits"):
        value = int.from_bytes(octets, "big") >> register.low_bit
        return bool(value & 1) if kind == "bit" else value & ((1 << register.high_bit - register.low_bit + 1) - 1)
    if kind in ("bcd16", "bcd32"):
        return int(octets.hex()) if octets.hex().isdecimal() else None
    number: int | float = struct.unpack(_FORMATS[kind], octets)[0]
    return number


def _octets(raw: Sequence[int], order: str) -> bytes:
    words = reversed(raw) if order in ("cdab", "dcba") else raw
    byte_order = "little" if order in ("badc", "dcba") else "big"
    return b"".join(word.to_bytes(2, byte_order) for word in words)  # type: ignore[arg-type]


def _mod10(raw: Sequence[int], order: str) -> int | None:
    """R1 + R2 * 10^4 + ..., the lowest address least significant (`cdab`: most)."""
    words = list(reversed(raw)) if order in ("cdab", "dcba") else list(raw)
    if any(word > 9999 for word in words):
        return None
    total = 0
    for word in reversed(words):
        total = total * 10_000 + word
    return total


def _text(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("ascii", "replace").rstrip()


def text_reading(point: PointPlan, reply: Reply, line: str) -> Reading | None:
    """What `line` means for `point`; None if the point's expression does not fit the whole of it."""
    match = re.fullmatch(reply.pattern, line)
    if match is None:
        return None
    text = match.group(reply.group) or ""
    number = _number(text)
    if text in point.absent or (number is not None and (math.isnan(number) or number in point.absent)):
        return _bad(ABSENT)
    if (point.unit, point.scale, point.offset) == ("", 1, 0) and str(number) != text:
        good = Reading(text, quality.GOOD)  # `00123` or `1.50`: a serial number or a version loses no digit
    elif number is None:
        return _bad(f"`{text}` is no number")
    else:
        good = _scaled(point, number)
    wrong = [f"{name} is `{match.group(name)}`" for name, wanted in reply.good_if if match.group(name) != wanted]
    return Reading(good.value, quality.INVALID, ", ".join(wrong)) if wrong else good


def _number(text: str) -> int | float | None:
    plain = text.replace(" ", "")
    try:
        return int(plain) if plain.isdecimal() else float(plain) if "_" not in plain else None
    except ValueError:
        return None


def registers_of(point: PointPlan, register: Register, value: Value) -> tuple[int, ...]:
    """The registers, or the one bit, that hold `value` (in the point's unit). Raises ValueError if none can."""
    if register.table == "coil" or register.type in ("bool", "bit"):
        if not isinstance(value, bool | int) or value not in (0, 1):
            raise ValueError(f"{value!r}, expected true or false")
        return (int(value),)
    if isinstance(value, bool | str) or value is None:
        raise ValueError(f"{value!r}, expected a number")
    if not math.isfinite(value):
        raise ValueError(f"{value}, expected a finite number")
    number = (value - point.offset) / point.scale if (point.scale, point.offset) != (1, 0) else value
    return _words(_encoded(register, number), register.order)


def bit_on_the_wire(register: Register) -> int:
    """The place, 0 the least significant, that the bit of a `bit` register has in the word as it is sent."""
    return register.low_bit ^ 8 if register.order in ("badc", "dcba") else register.low_bit


def _encoded(register: Register, number: float) -> bytes:
    kind = register.type
    if kind in ("float32", "float64"):
        try:
            return struct.pack(_FORMATS[kind], number)
        except OverflowError:
            raise ValueError(f"{number} is beyond a {kind}") from None
    whole = round(number)
    if kind in ("bcd16", "bcd32"):
        digits = 2 * 2 * register.count
        if not 0 <= whole < 10**digits:
            raise ValueError(f"{whole} does not fit a {kind}")
        return bytes.fromhex(f"{whole:0{digits}d}")
    if kind not in _FORMATS:
        raise ValueError(f"a {kind} cannot be written")
    try:
        return struct.pack(_FORMATS[kind], whole)
    except struct.error:
        raise ValueError(f"{whole} does not fit a {kind}") from None


def _words(octets: bytes, order: str) -> tuple[int, ...]:
    byte_order = "little" if order in ("badc", "dcba") else "big"
    words = [int.from_bytes(octets[at : at + 2], byte_order) for at in range(0, len(octets), 2)]  # type: ignore[arg-type]
    return tuple(reversed(words)) if order in ("cdab", "dcba") else tuple(words)
