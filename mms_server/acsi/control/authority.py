"""Checks of a command before the process is asked: origin, switching authority, mode (IEC 61850-7-2, control; pure)."""

from typing import Final

from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.mms.add_cause import AddCause

OR_CAT_LIMIT: Final = 8
OR_IDENT_LIMIT: Final = 64
REMOTE: Final = (3, 6)
STATION: Final = (2, 5)
ON, BLOCKED, TEST, TEST_BLOCKED, OFF = 1, 2, 3, 4, 5


def knows_origin(one: ControlObject, action: ControlAction) -> bool:
    """True if the origin of `action` is one that may command `one`."""
    return 0 <= action.or_cat <= OR_CAT_LIMIT and len(action.or_ident) <= OR_IDENT_LIMIT and one.knows(action)


def selectable(one: ControlObject) -> AddCause | None:
    """The AddCause that refuses a Read of SBO, which carries no origin; None if it may select `one`."""
    return _hierarchy(one, 3) or (AddCause.BLOCKED_BY_MODE if one.beh() in (BLOCKED, OFF) else None)


def operable(one: ControlObject, action: ControlAction) -> AddCause | None:
    """The AddCause that refuses `action`; None if it may be carried out."""
    return _hierarchy(one, action.or_cat) or _mode(one.beh(), action.test)


def _hierarchy(one: ControlObject, or_cat: int) -> AddCause | None:
    local = one.flag(b"Loc") and or_cat in (*REMOTE, *STATION)
    station = one.flag(b"LocSta") and or_cat in REMOTE
    return AddCause.BLOCKED_BY_SWITCHING_HIERARCHY if local or station else None


def _mode(beh: int, test: bool) -> AddCause | None:
    """The check of Beh: on lets real commands through, test those with the test flag, the other modes none."""
    passes = (beh == ON and not test) or (beh in (TEST, TEST_BLOCKED) and test)
    return None if passes else AddCause.BLOCKED_BY_MODE
