"""Registers of a fault, as a user writes them (pure)."""

import re
from typing import Final

from acquisition.drivers.device_side import RegisterRange
from mapping.plan import Table

_RANGE: Final = re.compile(r"(coil|discrete|input|holding) ([0-9]{1,5})(?:-([0-9]{1,5}))?")


def register_range(text: str) -> RegisterRange:
    """The registers or bits of `holding 100-101` or `coil 7`. Raises ValueError."""
    match = _RANGE.fullmatch(text)
    if match is not None:
        table: Table = match.group(1)  # type: ignore[assignment]  # one of the four: the expression says so
        first, last = int(match.group(2)), int(match.group(3) or match.group(2))
        if first <= last <= 0xFFFF:
            return RegisterRange(table, first, last)
    raise ValueError(f"`{text}` names no registers, expected them as `holding 100-101` or `coil 7`")
