"""Readout of a meter: the line with a code, and the reading of its value (pure).

    1-0:1.8.0*255(000123.45*kWh)        medium and channel, C.D.E, period of billing, value and its unit

A code is found by what it says: `1.8.0` is found with any medium and channel, and without a period, or with the present
one (255). A value comes in the unit of the point, if the meter names one that can be converted.
"""

import re
from typing import Final

import msgspec

from acquisition.decoding import scaling
from acquisition.decoding.scaling import Reading
from bus import quality
from mapping import units
from mapping.plan import Obis, PointPlan, Reply

PRESENT: Final = "255"
_CODE: Final = (
    r"(?:(?P<channel>[0-9]{1,3}-[0-9]{1,3}):)?(?P<code>[0-9A-Z]{1,3}(?:\.[0-9A-Z]{1,3}){1,2})"
    r"(?:[*&](?P<period>[0-9]{1,3}))?"
)
_WANTED: Final = re.compile(_CODE)
_SET: Final = re.compile(r"(?<![0-9A-Z.:*&-])" + _CODE + r"\((?P<value>[^()*\r\n]*)(?:\*(?P<unit>[^()\r\n]*))?\)")
_WHOLE: Final = Reply("", "(?P<value>.*)", "value")


def reading(point: PointPlan, source: Obis, readout: str) -> Reading:
    """Reading of `point` from the line with the code of `source`."""
    line = _found(source.code, readout)
    if line is None:
        return Reading(None, quality.INVALID, f"the readout has no {source.code}")
    text, unit = line.group("value"), line.group("unit") or ""
    if not text:
        return Reading(None, quality.INVALID, scaling.ABSENT)
    converted = _in_unit_of(point, unit)
    if converted is None:
        return Reading(None, quality.INVALID, f"`{source.code}` comes in {unit}, expected {point.unit}")
    found = scaling.text_reading(converted, _WHOLE, text)
    assert found is not None  # noqa: S101 - any text is a whole one
    return found


def _found(wanted: str, readout: str) -> re.Match[str] | None:
    asked = _WANTED.fullmatch(wanted)
    return next((one for one in _SET.finditer(readout) if asked is not None and _is(asked, one)), None)


def _is(asked: re.Match[str], line: re.Match[str]) -> bool:
    channels = asked.group("channel"), line.group("channel")
    periods = asked.group("period") or PRESENT, line.group("period") or PRESENT
    return (
        asked.group("code") == line.group("code")
        and (None in channels or channels[0] == channels[1])
        and periods[0] == periods[1]
    )


def _in_unit_of(point: PointPlan, unit: str) -> PointPlan | None:
    """`point` for raw values in `unit`; None if they cannot be had in the point's own."""
    if not unit or not point.unit or unit == point.unit:
        return point
    own, wanted = units.parse(unit), units.parse(point.unit)
    found = None if own is None or wanted is None else units.conversion(own, wanted)
    if found is None:
        return None
    factor, offset = found
    return msgspec.structs.replace(point, scale=point.scale * factor, offset=point.offset + point.scale * offset)
