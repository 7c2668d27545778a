"""Mod, which the server carries out itself: no process stands behind it (IEC 61850-7-4, Mod and Beh).

Oper(Mod) ──► 1..5 ──► Mod.stVal, q, t ──► Beh of the LN, or of all LNs of the LD, with what follows from it
"""

from typing import Final

from bus.quality import Stamp, UtcTime
from mapping.model import FC
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.mms.add_cause import AddCause

ON, OFF = 1, 5
_GOOD: Final = 0


def objection(action: ControlAction) -> AddCause | None:
    """The AddCause that refuses the new Mod; None if it can be set, or if `action` has no value (a select)."""
    if action.select and action.value is None:
        return None
    value = action.value
    known = isinstance(value, int) and not isinstance(value, bool) and ON <= value <= OFF
    return None if known else AddCause.INCONSISTENT_PARAMETERS


def changed(target: ControlObject, action: ControlAction, now: Stamp) -> list[tuple[int, object]]:
    """The leaves of Mod once `action` is carried out."""
    shown = {"stVal": action.value, "q": _GOOD, "t": UtcTime(now.utc_ns, now.time_quality)}
    slots = [(target.slot(FC.ST, name), value) for name, value in shown.items()]
    return [(slot, value) for slot, value in slots if slot is not None]
