"""Registers to engineering values and back, with a quality for those that mean nothing.

raw registers ── `register_types` ──► number ── absent? ──► number * factor * scale + offset ── plausible? ──► value, quality
└── enum ──► name
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.decoding import device_clocks, register_types
from bus import quality
from bus.messages import Value
from bus.quality import Quality
from mapping.plan import PointPlan, Register, Reply

ABSENT: Final = "the device gives no measurement"
POWERS: Final = range(-10, 11)  # of ten, that a scale factor may be; 0x8000 of SunSpec is none


@dataclass(frozen=True, slots=True)
class Reading:
    """A point's value in its unit, its quality, and for people why it is not good. `value` None: nothing to show."""

    value: Value
    quality: Quality
    reason: str = ""


def _bad(reason: str, value: Value = None) -> Reading:
    return Reading(value, quality.INVALID, reason)


def reading(point: PointPlan, register: Register, raw: Sequence[int], factor: float = 1.0) -> Reading:
    """Reading of `point` from `raw`, the registers (or the one bit) of `register`."""
    if register.table in ("coil", "discrete"):
        found: int | float | bool | str | None = bool(raw[0])
    else:
        found = register_types.decoded(register, raw)
    if found is None:
        return _no_value(register, raw)
    if point.enum and not isinstance(found, str | float):
        return _named(point, found)
    if isinstance(found, bool | str):
        return Reading(found, quality.GOOD)
    if math.isnan(found):
        return _bad(ABSENT if "nan" in point.absent else "not a number")
    if found in point.absent:
        return _bad(ABSENT)
    if register.type.startswith("time:") and not device_clocks.is_time(found * point.scale + point.offset):
        return _no_value(register, raw)
    return _scaled(point, found, factor)


def _no_value(register: Register, raw: Sequence[int]) -> Reading:
    return _bad(f"{register.type} of {' '.join(f'{one:04x}' for one in raw)} is no value")


def factor_of(point: PointPlan, scale: Reading) -> float | str:
    """The factor that `scale`, the reading of the point that holds it, means for `point`; a text why there is none."""
    assert point.scale_from is not None  # noqa: S101 - asked by the caller
    if isinstance(scale.value, bool | str | None) or not quality.is_good(scale.quality):
        return scale.reason or f"`{scale.value}` is no number"
    if not point.scale_from.power:
        return scale.value or "0 is no factor"
    return float(10.0**scale.value) if scale.value in POWERS else f"10^{scale.value:g}"


def scaled_reading(point: PointPlan, register: Register, raw: Sequence[int], scale: Reading | None) -> Reading:
    """Reading of a point whose scale another point holds; `scale` is that one's reading in the same exchange."""
    factor = "it was not read along" if scale is None else factor_of(point, scale)
    if isinstance(factor, str):
        return _bad(f"its scale is not known: {factor}")
    return reading(point, register, raw, factor)


def _named(point: PointPlan, raw: int) -> Reading:
    if raw in point.absent:
        return _bad(ABSENT)
    name = dict(point.enum).get(raw)
    if name is None:
        return _bad(f"{int(raw)} is none of {', '.join(one for _, one in point.enum)}")
    return Reading(name, quality.GOOD)


def _scaled(point: PointPlan, number: float, factor: float = 1.0) -> Reading:
    if point.scale == 1 and point.offset == 0 and factor == 1:
        value: int | float = number
    else:
        value = number * factor * point.scale + point.offset
    if math.isinf(value):
        return Reading(None, Quality(quality.INVALID | quality.OVERFLOW), "beyond any number")
    return plausible(point, value)


def plausible(point: PointPlan, value: float) -> Reading:
    """The reading of `value`, in the point's unit: not good beyond the limits that its profile believes in."""
    if point.minimum is not None and value < point.minimum:
        return Reading(value, quality.IMPLAUSIBLE, f"{value:g} {point.unit}".rstrip() + f" is below {point.minimum:g}")
    if point.maximum is not None and value > point.maximum:
        return Reading(value, quality.IMPLAUSIBLE, f"{value:g} {point.unit}".rstrip() + f" is above {point.maximum:g}")
    return Reading(value, quality.GOOD)


def text_reading(point: PointPlan, reply: Reply, line: str) -> Reading | None:
    """Reading of `point` from `line`; None if the point's expression does not fit the whole of it."""
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


def registers_of(point: PointPlan, register: Register, value: Value, factor: float = 1.0) -> tuple[int, ...]:
    """The registers, or the one bit, that hold `value` (in the point's unit). Raises ValueError if none can.

    `factor` is what the point's scale says now, where another register holds it.
    """
    if point.enum:
        value = _raw(point, value)
    if register.table == "coil" or register.type in ("bool", "bit"):
        if not isinstance(value, bool | int) or value not in (0, 1):
            raise ValueError(f"{value!r}, expected true or false")
        return register_types.encoded(register, int(value)) if register.type == "bit" else (int(value),)
    if isinstance(value, bool | str) or value is None:
        raise ValueError(f"{value!r}, expected a number")
    if not math.isfinite(value):
        raise ValueError(f"{value}, expected a finite number")
    if register.type.startswith("time:") and not device_clocks.is_time(value):
        raise ValueError(f"{value}, expected seconds since 1970")
    as_it_is = (point.scale, point.offset, factor) == (1, 0, 1)
    number = value if as_it_is else (value - point.offset) / (point.scale * factor)
    return register_types.encoded(register, number)


def _raw(point: PointPlan, value: Value) -> int:
    raw = next((one for one, name in point.enum if name == value), None)
    if raw is None:
        raise ValueError(f"{value!r}, expected one of {', '.join(name for _, name in point.enum)}")
    return raw
