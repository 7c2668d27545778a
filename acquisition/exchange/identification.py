"""Whether a device is what its profile says (pure): a wrong profile is a fault, not wrong numbers.

    not known ── identify register read ──► as the profile says: polled       otherwise: offline, asked again later

What a device is, is asked before anything else of it, and again whenever it comes back: it may have been exchanged.
"""

import re

from acquisition.decoding import scaling
from acquisition.decoding.scaling import Reading
from mapping.plan import Identify, PointPlan


def objection(identify: Identify, raw: tuple[int, ...]) -> str | None:
    """Why `raw`, what the identify register showed, is not this profile's device; None if it is."""
    point = PointPlan(-1, "identify", "", identify.register, polled=True, stale_after_ms=0, every_ms=0)
    shown = scaling.reading(point, identify.register, raw)
    if _fits(identify, shown):
        return None
    wanted = f"{identify.equals!r}" if identify.match is None else f"a match of `{identify.match}`"
    return f"it is another device: {place(identify)} is {_told(shown)}, the profile says {wanted}"


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


def _told(shown: Reading) -> str:
    return shown.reason if shown.value is None else repr(shown.value)
