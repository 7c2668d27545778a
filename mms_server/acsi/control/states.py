"""Where a controllable object stands, and what may be asked of it there: a total table (IEC 61850-7-2; pure).

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

Direct models go from UNSELECTED to EXECUTING; an Oper with operTm goes through WAITING, where Cancel ends it. What may not
be operated now (mode, authority, origin) is deselected, unless it is operated many times.
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


class Phase(Enum):
    """Where an object stands."""

    UNSELECTED = "unselected"
    READY = "ready"
    WAITING = "waits for its time"
    EXECUTING = "executing"


class Ask(Enum):
    """What a client asks of an object."""

    SELECT = "select"
    OPERATE = "operate"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Refused:
    """What the Write answers, and why; None as cause: nothing more is said."""

    error: DataAccessError
    cause: AddCause | None = None


_SELECTED: Final = Refused(UNAVAILABLE, AddCause.OBJECT_ALREADY_SELECTED)
_NOT_SELECTED: Final = Refused(DENIED, AddCause.OBJECT_NOT_SELECTED)
_RUNNING: Final = Refused(UNAVAILABLE, AddCause.COMMAND_ALREADY_IN_EXECUTION)
_LOCKED: Final = Refused(UNAVAILABLE, AddCause.LOCKED_BY_OTHER_CLIENT)
OTHER_PARAMETERS: Final = Refused(DENIED, AddCause.INCONSISTENT_PARAMETERS)

STEP: Final[dict[bool, dict[Phase, dict[Ask, Phase | Refused]]]] = {
    True: {  # select before operate
        Phase.UNSELECTED: {Ask.SELECT: Phase.READY, Ask.OPERATE: _NOT_SELECTED, Ask.CANCEL: Phase.UNSELECTED},
        Phase.READY: {Ask.SELECT: _SELECTED, Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.WAITING: {Ask.SELECT: _RUNNING, Ask.OPERATE: _RUNNING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.EXECUTING: {Ask.SELECT: _RUNNING, Ask.OPERATE: _RUNNING, Ask.CANCEL: _RUNNING},
    },
    False: {  # direct
        Phase.UNSELECTED: {Ask.SELECT: Refused(DENIED), Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.READY: {Ask.SELECT: Refused(DENIED), Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.WAITING: {Ask.SELECT: Refused(DENIED), Ask.OPERATE: _RUNNING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.EXECUTING: {Ask.SELECT: Refused(DENIED), Ask.OPERATE: _RUNNING, Ask.CANCEL: _RUNNING},
    },
}


@dataclass(frozen=True, slots=True)
class State:
    """One object's state: who holds it, until when (READY, WAITING), and what was selected or is being done."""

    phase: Phase = Phase.UNSELECTED
    owner: Client | None = None
    until_ns: int = NEVER
    action: ControlAction | None = None
    oper: bytes = b""  # of WAITING: the Data of what was written
    asked: "Selection | None" = None  # of READY and WAITING: not before the embedding program has said yes
    since_ns: int = 0  # of WAITING: when it was asked

    def after(self, ask: Ask, who: Client, select_first: bool) -> Phase | Refused:
        """The phase that `ask` of `who` leads to, or why it does not. Changes nothing."""
        if self.phase in (Phase.READY, Phase.WAITING) and self.owner is not who:
            return _SELECTED if ask is Ask.SELECT else _LOCKED
        if self.phase is Phase.READY and self.asked is not None and ask is Ask.OPERATE:
            return _NOT_SELECTED  # it is being judged, and may come to nothing
        return STEP[select_first][self.phase][ask]


@dataclass(eq=False, slots=True)
class Selection:
    """A selection, or an Oper for later, that waits for the embedding program; nobody else gets the object meanwhile.

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
