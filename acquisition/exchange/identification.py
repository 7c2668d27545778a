"""Identification of a device by a register that its profile names (pure): a wrong profile is a fault, not wrong numbers.

    unknown ── identify register read ──► as the profile says: polled       otherwise: offline, read again later

The register is read before any other of a device, and again whenever it comes back: it may have been exchanged.
"""

import re

from acquisition.decoding import scaling
from acquisition.decoding.scaling import Reading
from mapping.plan import Identify, PointPlan


def mismatch(identify: Identify, raw: tuple[int, ...]) -> str | None:
    """Reason why `raw`, the identify register, is not of this profile's device; None if it is."""
    point = PointPlan(-1, "identify", "", identify.register, polled=True, stale_after_ms=0, every_ms=0)
    shown = scaling.reading(point, identify.register, raw)
    if _fits(identify, shown):
        return None
    wanted = f"{identify.equals!r}" if identify.match is None else f"a match of `{identify.match}`"
    return f"it is another device: {place(identify)} is {_text(shown)}, the profile says {wanted}"


def place(identify: Identify) -> str:
    """The identify register as the profile writes it."""
    register = identify.register
    return f"{register.table} {register.address} {register.type}"


def _fits(identify: Identify, shown: Reading) -> bool:
    if shown.value is None:
        return False
    if identify.match is not None:
        return re.fullmatch(identify.match, str(shown.value)) is not None
    return shown.value == identify.equals


def _text(shown: Reading) -> str:
    return shown.reason if shown.value is None else repr(shown.value)
