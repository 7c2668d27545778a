"""State machine of a controllable object, as a total table (IEC 61850-7-2, control; pure).

                 select                      operate                    done, or the deadline
    UNSELECTED ──────────► READY ──────────────────────► EXECUTING ──────────────────────────► UNSELECTED or READY
        ▲                    │ cancel, time-out, other parameters, the client is gone                 (operate-many)
        └────────────────────┘

    asked            refused while ...        Write answers   AddCause
    select           selected                 2               object-already-selected
    select, operate  another of its group is  3               1-of-n-control
    operate          not selected             3               object-not-selected
                     selected by another      2               locked-by-other-client
                     executing                2               command-already-in-execution
                     other than selected      3, deselected   inconsistent-parameters

Direct models go from UNSELECTED to EXECUTING; an Oper with operTm goes through WAITING, where Cancel ends it. If an Oper is
refused (mode, authority, origin), the object is deselected, unless it is operated many times.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mms_server.acsi.behaviour import NEVER
from mms_server.acsi.clients import Client
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError

DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE


class ControlState(Enum):
    """The states of a controllable object."""

    UNSELECTED = "unselected"
    READY = "ready"
    WAITING = "waits for its time"
    EXECUTING = "executing"


class ControlService(Enum):
    """The services of the control class that change the state."""

    SELECT = "select"
    OPERATE = "operate"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class ControlRefusal:
    """A refused control: the error that answers the Write, and the AddCause of LastApplError; None: without one."""

    error: DataAccessError
    cause: AddCause | None = None


_SELECTED: Final = ControlRefusal(UNAVAILABLE, AddCause.OBJECT_ALREADY_SELECTED)
_NOT_SELECTED: Final = ControlRefusal(DENIED, AddCause.OBJECT_NOT_SELECTED)
_RUNNING: Final = ControlRefusal(UNAVAILABLE, AddCause.COMMAND_ALREADY_IN_EXECUTION)
_LOCKED: Final = ControlRefusal(UNAVAILABLE, AddCause.LOCKED_BY_OTHER_CLIENT)
OTHER_PARAMETERS: Final = ControlRefusal(DENIED, AddCause.INCONSISTENT_PARAMETERS)

_SELECT, _OPERATE, _CANCEL = ControlService.SELECT, ControlService.OPERATE, ControlService.CANCEL
_UNSELECTED, _READY = ControlState.UNSELECTED, ControlState.READY
_WAITING, _EXECUTING = ControlState.WAITING, ControlState.EXECUTING
_UNSUITED: Final = ControlRefusal(DENIED)  # no select in a direct model

STEP: Final[dict[bool, dict[ControlState, dict[ControlService, ControlState | ControlRefusal]]]] = {
    True: {  # select before operate
        _UNSELECTED: {_SELECT: _READY, _OPERATE: _NOT_SELECTED, _CANCEL: _UNSELECTED},
        _READY: {_SELECT: _SELECTED, _OPERATE: _EXECUTING, _CANCEL: _UNSELECTED},
        _WAITING: {_SELECT: _RUNNING, _OPERATE: _RUNNING, _CANCEL: _UNSELECTED},
        _EXECUTING: {_SELECT: _RUNNING, _OPERATE: _RUNNING, _CANCEL: _RUNNING},
    },
    False: {  # direct
        _UNSELECTED: {_SELECT: _UNSUITED, _OPERATE: _EXECUTING, _CANCEL: _UNSELECTED},
        _READY: {_SELECT: _UNSUITED, _OPERATE: _EXECUTING, _CANCEL: _UNSELECTED},
        _WAITING: {_SELECT: _UNSUITED, _OPERATE: _RUNNING, _CANCEL: _UNSELECTED},
        _EXECUTING: {_SELECT: _UNSUITED, _OPERATE: _RUNNING, _CANCEL: _RUNNING},
    },
}


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object's state: its owner, its end by time (READY, WAITING), and the action selected or in execution."""

    state: ControlState = ControlState.UNSELECTED
    owner: Client | None = None
    until_ns: int = NEVER
    action: ControlAction | None = None
    oper: bytes = b""  # of WAITING: the Data of what was written
    pending: "Selection | None" = None  # of READY and WAITING: not before the embedding program has said yes
    since_ns: int = 0  # of WAITING: when it was asked

    def after(self, service: ControlService, who: Client, select_first: bool) -> ControlState | ControlRefusal:
        """The state that `service` of `who` leads to, or the refusal. Changes nothing."""
        if self.state in (ControlState.READY, ControlState.WAITING) and self.owner is not who:
            return _SELECTED if service is ControlService.SELECT else _LOCKED
        if self.state is ControlState.READY and self.pending is not None and service is ControlService.OPERATE:
            return _NOT_SELECTED  # it is being judged, and may come to nothing
        return STEP[select_first][self.state][service]


@dataclass(eq=False, slots=True)
class Selection:
    """A selection, or an Oper with operTm, that waits for the embedding program; the object is locked meanwhile.

    `until_ns`: when it ends by itself, or is due. `note` is what the embedding program adds to the audit.
    """

    target: ControlObject
    action: ControlAction
    client: Client
    service: str = "SBOw"
    until_ns: int = NEVER
    since_ns: int = 0
    note: str = ""


@dataclass(eq=False, slots=True)
class Operation:
    """One operation on its way to the process; `oper` are the Data of what was written.

    `note` is what the process adds to the audit; `before` are the leaves of ctlNum and origin as they were.
    """

    target: ControlObject
    action: ControlAction
    client: Client
    oper: bytes
    enhanced: bool
    ended: bool = False
    since_ns: int = 0
    note: str = ""
    before: tuple[tuple[int, object], ...] = ()
