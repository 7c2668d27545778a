"""Val: the values of each basic type in SCL (IEC 61850-6, Val), in all spellings that files in the wild have."""

import re
from datetime import UTC, datetime
from typing import Final

from mapping.model import STRING_LIMITS, AttributeType, BasicType, EnumType, Scalar

_RANGES: Final = {
    BasicType.INT8: (-(1 << 7), 1 << 7),
    BasicType.INT16: (-(1 << 15), 1 << 15),
    BasicType.INT24: (-(1 << 23), 1 << 23),
    BasicType.INT32: (-(1 << 31), 1 << 31),
    BasicType.INT64: (-(1 << 63), 1 << 63),
    BasicType.INT128: (-(1 << 127), 1 << 127),
    BasicType.INT8U: (0, 1 << 8),
    BasicType.INT16U: (0, 1 << 16),
    BasicType.INT24U: (0, 1 << 24),
    BasicType.INT32U: (0, 1 << 32),
}
_BITS: Final = {
    BasicType.DBPOS: 2,
    BasicType.TCMD: 2,
    BasicType.CHECK: 2,
    BasicType.QUALITY: 13,
    BasicType.TRG_OPS: 6,
    BasicType.OPT_FLDS: 10,
    BasicType.SV_OPT_FLDS: 5,
    BasicType.LOG_OPT_FLDS: 1,
}
_CODED: Final = {
    BasicType.DBPOS: {
        "intermediate-state": 0, "intermediate": 0, "off": 1, "on": 2, "bad-state": 3, "bad": 3,
    },
    BasicType.TCMD: {"stop": 0, "lower": 1, "higher": 2, "reserved": 3},
}  # fmt: skip
_HEX: Final = re.compile(r"([0-9A-Fa-f]{2})+")


def value_of(attribute: AttributeType, text: str) -> Scalar | None:
    """The value that `text` means for `attribute`; None for an empty one that is no string: it says nothing.

    Raises ValueError that says what was expected.
    """
    basic = attribute.basic
    if basic in STRING_LIMITS and basic is not BasicType.OCTET_64:
        return _string(text, STRING_LIMITS[basic])
    plain = text.strip()
    if not plain:
        return None
    if basic is BasicType.ENUM:
        return _ordinal(attribute.enum, plain)
    if basic is BasicType.BOOLEAN:
        return _boolean(plain)
    if basic in _RANGES:
        return _integer(plain, *_RANGES[basic])
    if basic in (BasicType.FLOAT32, BasicType.FLOAT64):
        return _float(plain)
    if basic in _BITS:
        return _bits(basic, plain)
    if basic in (BasicType.TIMESTAMP, BasicType.ENTRY_TIME):
        return _time(plain)
    if basic in (BasicType.OCTET_64, BasicType.ENTRY_ID):
        return _octets(plain, 8 if basic is BasicType.ENTRY_ID else 64, exact=basic is BasicType.ENTRY_ID)
    raise ValueError(f"a value for a {basic.value}, which has none")


def _string(text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueError(f"{len(text)} characters, expected at most {limit}")
    return text


def _ordinal(enum: EnumType | None, text: str) -> int:
    ordinals = enum.ordinals if enum else {}
    if text in ordinals:
        return ordinals[text]
    stripped = {name.strip(): ordinal for name, ordinal in ordinals.items()}
    if text in stripped:
        return stripped[text]
    try:
        ordinal = int(text)
    except ValueError:
        raise ValueError(f"`{text}` is no literal of {enum.id if enum else 'an unknown enumeration'}") from None
    if enum and ordinal not in ordinals.values():
        raise ValueError(f"{ordinal} is no ordinal of {enum.id}")
    return ordinal


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise ValueError(f"`{text}`, expected true or false")


def _integer(text: str, low: int, beyond: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"`{text}`, expected an integer") from None
    if not low <= value < beyond:
        raise ValueError(f"{value}, expected {low}..{beyond - 1}")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`{text}`, expected a number") from None


def _bits(basic: BasicType, text: str) -> int:
    coded = _CODED.get(basic, {})
    if text.lower() in coded:
        return coded[text.lower()]
    size = _BITS[basic]
    if len(text) == size and not text.strip("01"):
        return int(text, 2)
    if text.isdecimal() and int(text) < 1 << size:
        return int(text)
    raise ValueError(f"`{text}`, expected {' '.join(coded) or f'{size} bits'}")


def _time(text: str) -> int:
    if text == "0":
        return 0
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}`, expected a time as 2026-01-31T12:00:00Z") from None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000) * 1_000_000


def _octets(text: str, limit: int, *, exact: bool) -> bytes:
    octets = bytes.fromhex(text) if _HEX.fullmatch(text) else text.encode("utf-8")
    if len(octets) > limit or (exact and len(octets) != limit):
        raise ValueError(f"{len(octets)} octets, expected {'' if exact else 'at most '}{limit}")
    return octets
