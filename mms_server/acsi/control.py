"""Control: who may operate what, and what is told of it (IEC 61850-7-2, control class model; 61850-8-1 for its services).

                 select                      operate                    done, or the deadline
    UNSELECTED ──────────► READY ──────────────────────► EXECUTING ──────────────────────────► UNSELECTED or READY
        ▲                    │ cancel, time-out, other parameters, the client is gone                 (operate-many)
        └────────────────────┘
    direct models go from UNSELECTED to EXECUTING; an Oper with operTm goes through WAITING, where Cancel ends it;
    what may not be operated now (mode, authority, origin) is deselected, unless it is operated many times

    asked            refused while ...        Write answers   AddCause
    select           selected                 2               object-already-selected
    select, operate  another of its group is  3               1-of-n-control
    operate          not selected             3               object-not-selected
                     selected by another      2               locked-by-other-client
                     executing                2               command-already-in-execution
                     other than selected      3, deselected   inconsistent-parameters

A refusal is a LastApplError before the negative answer. With normal security the answer to Oper waits for the end of the
operation; with enhanced security it waits for its start, and CommandTermination brings the end. `stVal` is never set here:
it changes when the process says so. Whatever was asked, however it ended, leaves one Audit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from bus.quality import Now, UtcTime
from mapping.model import FC
from mms_server.acsi.audit import Audit
from mms_server.acsi.clients import Client
from mms_server.acsi.control_objects import (
    DIRECT_ENHANCED,
    SBO_ENHANCED,
    SBO_NORMAL,
    STATUS_ONLY,
    ControlAction,
    ControlObject,
    control_objects,
)
from mms_server.acsi.tracking import Tracking
from mms_server.mms import add_cause
from mms_server.mms.add_cause import AddCause
from mms_server.mms.data import Kind, Scalar, VisibleString
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel

NEVER: Final = 1 << 63
SERVICES: Final = ("SBO", "SBOw", "Oper", "Cancel")
OR_CAT_LIMIT: Final = 8
OR_IDENT_LIMIT: Final = 64
REMOTE: Final = (3, 6)
STATION: Final = (2, 5)
ON, BLOCKED, TEST, TEST_BLOCKED, OFF = 1, 2, 3, 4, 5
_DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
_UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE
_TEXT: Final = VisibleString(129)


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


_SELECTED: Final = Refused(_UNAVAILABLE, AddCause.OBJECT_ALREADY_SELECTED)
_NOT_SELECTED: Final = Refused(_DENIED, AddCause.OBJECT_NOT_SELECTED)
_RUNNING: Final = Refused(_UNAVAILABLE, AddCause.COMMAND_ALREADY_IN_EXECUTION)
_LOCKED: Final = Refused(_UNAVAILABLE, AddCause.LOCKED_BY_OTHER_CLIENT)
_OTHERS: Final = Refused(_DENIED, AddCause.INCONSISTENT_PARAMETERS)

STEP: Final[dict[bool, dict[Phase, dict[Ask, Phase | Refused]]]] = {
    True: {  # select before operate
        Phase.UNSELECTED: {Ask.SELECT: Phase.READY, Ask.OPERATE: _NOT_SELECTED, Ask.CANCEL: Phase.UNSELECTED},
        Phase.READY: {Ask.SELECT: _SELECTED, Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.WAITING: {Ask.SELECT: _RUNNING, Ask.OPERATE: _RUNNING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.EXECUTING: {Ask.SELECT: _RUNNING, Ask.OPERATE: _RUNNING, Ask.CANCEL: _RUNNING},
    },
    False: {  # direct
        Phase.UNSELECTED: {Ask.SELECT: Refused(_DENIED), Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.READY: {Ask.SELECT: Refused(_DENIED), Ask.OPERATE: Phase.EXECUTING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.WAITING: {Ask.SELECT: Refused(_DENIED), Ask.OPERATE: _RUNNING, Ask.CANCEL: Phase.UNSELECTED},
        Phase.EXECUTING: {Ask.SELECT: Refused(_DENIED), Ask.OPERATE: _RUNNING, Ask.CANCEL: _RUNNING},
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

    `note` is what the process adds to the audit.
    """

    target: ControlObject
    action: ControlAction
    client: Client
    oper: bytes
    enhanced: bool
    ended: bool = False
    since_ns: int = 0
    note: str = ""


Post = Callable[[Client, list[bytes]], None]
Commit = Callable[[list[tuple[int, object]], Now], object]


class Control:
    """All controllable objects of a server. `post` queues what is told later, `commit` takes what changes in the model."""

    def __init__(self, model: DataModel, post: Post, commit: Commit, tracking: Tracking | None = None) -> None:
        self._post = post
        self._commit = commit
        self._tracking = tracking
        self._objects = list(control_objects(model))
        self._states: dict[ControlObject, State] = {}
        self._by_slot: dict[int, tuple[ControlObject, str]] = {
            slot: (one, name) for one in self._objects for name, slot in one.slots.items() if name in SERVICES
        }
        self._rivals: dict[ControlObject, tuple[ControlObject, ...]] = {}
        self.due: list[Operation] = []  # what has waited for its time
        self.audits: list[Audit] = []  # that nobody has written down yet
        self.selections_wait = False  # for a verdict, see `selected`
        self.selectors = {slot for slot, (_, name) in self._by_slot.items() if name == "SBO"}
        self.origins: Mapping[int, Kind] = {slot: kind for one in self._objects for slot, kind in one.origins()}

    def find(self, slot: int) -> tuple[ControlObject, str] | None:
        """The object and the service whose variable is at `slot`."""
        return self._by_slot.get(slot)

    def objects(self) -> list[ControlObject]:
        """Every controllable object."""
        return self._objects

    def state(self, one: ControlObject) -> State:
        """Where an object stands."""
        return self._states.get(one, State())

    def one_of(self, objects: Sequence[ControlObject]) -> None:
        """Let no two of `objects` be selected or operated at a time (1-of-n control). Each is in one such group at most."""
        for one in objects:
            self._rivals[one] = tuple(other for other in objects if other is not one)

    def ungroup(self) -> None:
        """Let every object be selected and operated beside all others."""
        self._rivals.clear()

    # ------------------------------------------------------------------ what clients ask

    def select(self, client: Client, slot: int, now: Now) -> bytes | Selection:
        """The Data that a Read of SBO gives: the object's own reference, or an empty string if it is not to be had."""
        one, _ = self._by_slot[slot]
        refused = self._unselectable(one, client)
        waiting = self._hold(one, client, None, now) if refused is None else None
        if waiting is not None:
            return waiting
        self._note(one, "SBO", one.selecting(), refused, now)
        if one.ctl_model == SBO_NORMAL:
            self._audit(one, "SBO", client, one.selecting(), refused)
        return self.sbo(one if refused is None else None)

    def _unselectable(self, one: ControlObject, client: Client) -> Refused | None:
        """Why a Read of SBO does not select `one`."""
        if one.ctl_model != SBO_NORMAL:
            return Refused(_DENIED)
        step = self.state(one).after(Ask.SELECT, client, True)
        if isinstance(step, Refused):
            return step
        cause = self._hierarchy(one, None)
        if cause is None and one.beh() in (BLOCKED, OFF):
            cause = AddCause.BLOCKED_BY_MODE
        if cause is None and self._rival(one):
            cause = AddCause.ONE_OF_N_CONTROL
        return None if cause is None else Refused(_DENIED, cause)

    @staticmethod
    def sbo(one: ControlObject | None) -> bytes:
        """The Data of SBO once `one` is selected; None: it is not."""
        return _TEXT.encode("" if one is None else one.sbo_text[:129])

    def asked(
        self, client: Client, slot: int, pairs: list[tuple[int, Scalar]], octets: bytes, now: Now
    ) -> Refused | Selection | Operation | None:
        """What a Write to SBOw, Oper or Cancel comes to: done (None), refused, or what a verdict is needed for."""
        one, service = self._by_slot[slot]
        action = one.action(service, pairs)
        model = one.ctl_model
        answer: Refused | Selection | Operation | None
        if model == STATUS_ONLY or service == "SBO" or (service == "SBOw" and model != SBO_ENHANCED):
            answer = Refused(_DENIED)
        else:
            answer = {"SBOw": self._select, "Oper": self._operate, "Cancel": self._cancel}[service](
                one, client, action, octets, now
            )
        if isinstance(answer, Refused):
            self._say(one, service, client, action, answer)
        elif service != "Cancel":
            self._commit(list(pairs), now)
        if not isinstance(answer, Selection | Operation):
            self._note(one, service, action, answer, now)
        if isinstance(answer, Refused) or (answer is None and self.state(one).phase is not Phase.WAITING):
            self._audit(one, service, client, action, answer)
        return answer

    def unread(self, client: Client, slot: int, error: DataAccessError, now: Now) -> None:
        """A Write to SBOw, Oper or Cancel whose Data mean nothing was refused with `error`."""
        one, service = self._by_slot[slot]
        self._note(one, service, None, Refused(error), now)
        self._audit(one, service, client, None, Refused(error))

    def _select(
        self, one: ControlObject, client: Client, action: ControlAction, _: bytes, now: Now
    ) -> Refused | Selection | None:
        step = self.state(one).after(Ask.SELECT, client, True)
        if isinstance(step, Refused):
            return step
        return self._not_allowed(one, action, AddCause.SELECT_FAILED) or self._hold(one, client, action, now)

    def selected(self, selection: Selection, verdict: bool | AddCause, now: Now) -> Refused | None:
        """What has been said of a selection, or an Oper for later, that waited; why it is none, or None."""
        one, action, service = selection.target, selection.action, selection.service
        mine = self.state(one).asked is selection  # and has not ended meanwhile
        if mine and verdict is True:
            self._states[one] = replace(self.state(one), until_ns=selection.until_ns, asked=None)
            if service != "Oper":
                self._show(one, now, stSeld=True)
                self._audit(one, service, selection.client, action, None, selection, now)
            self._note(one, service, action, None, now)
            return None
        if mine:
            self._free(one, now)
        bad = AddCause.BLOCKED_BY_PROCESS if service == "Oper" else AddCause.SELECT_FAILED
        refused = Refused(_DENIED, verdict if isinstance(verdict, AddCause) else bad)
        if service != "SBO":
            self._say(one, service, selection.client, action, refused)
        self._note(one, service, action, refused, now)
        self._audit(one, service, selection.client, action, refused, selection, now)
        return refused

    def _operate(
        self, one: ControlObject, client: Client, action: ControlAction, octets: bytes, now: Now
    ) -> Refused | Selection | Operation | None:
        state, model = self.state(one), one.ctl_model
        step = state.after(Ask.OPERATE, client, model in (SBO_NORMAL, SBO_ENHANCED))
        if isinstance(step, Refused):
            return step
        if model == SBO_ENHANCED and state.action is not None and not action.agrees(state.action):
            self._free(one, now)
            return _OTHERS
        refused = self._not_allowed(one, action, AddCause.INCONSISTENT_PARAMETERS)
        if refused is not None:
            if not one.operate_many:
                self._free(one, now)
            return refused
        if action.at is not None and action.at.ns > now.utc_ns:
            return self._later(one, client, action, octets, action.at.ns - now.utc_ns, now)
        self._states[one] = State(Phase.EXECUTING, client, NEVER, action)
        self._show(one, now, opRcvd=True)
        enhanced = model in (DIRECT_ENHANCED, SBO_ENHANCED)
        return Operation(one, action, client, octets, enhanced, since_ns=now.monotonic_ns)

    def _later(
        self, one: ControlObject, client: Client, action: ControlAction, octets: bytes, wait_ns: int, now: Now
    ) -> Refused | Selection | None:
        """Keep an Oper until its time has come; it is judged now, where there is somebody to judge, and again then."""
        if not one.model.server.services.time_activated:
            return Refused(_DENIED, AddCause.NOT_SUPPORTED)
        until = now.monotonic_ns + wait_ns
        judged = Selection(one, action, client, "Oper", until, now.monotonic_ns) if self.selections_wait else None
        self._states[one] = State(
            Phase.WAITING, client, until if judged is None else NEVER, action, octets, judged, now.monotonic_ns
        )
        return judged

    def _cancel(self, one: ControlObject, client: Client, action: ControlAction, _: bytes, now: Now) -> Refused | None:
        state = self.state(one)
        step = state.after(Ask.CANCEL, client, one.ctl_model in (SBO_NORMAL, SBO_ENHANCED))
        if isinstance(step, Refused):
            return step
        if state.phase is Phase.READY:
            if state.action is not None and not action.agrees(state.action, checks=False):
                return _OTHERS
            self._free(one, now)
        elif state.phase is Phase.WAITING:
            self._drop(one, state, AddCause.ABORTION_BY_CANCEL, now)
        return None

    def _not_allowed(self, one: ControlObject, action: ControlAction, bad_origin: AddCause) -> Refused | None:
        """Why `action` is refused whatever the process says: its origin, the switching authority, the mode."""
        if not 0 <= action.or_cat <= OR_CAT_LIMIT or len(action.or_ident) > OR_IDENT_LIMIT or not one.knows(action):
            return Refused(_DENIED, bad_origin)
        cause = self._hierarchy(one, action)
        if cause is None:
            cause = _mode(one.beh(), action.test)
        if cause is None and self._rival(one):
            cause = AddCause.ONE_OF_N_CONTROL
        return None if cause is None else Refused(_DENIED, cause)

    def _rival(self, one: ControlObject) -> bool:
        return any(other in self._states for other in self._rivals.get(one, ()))

    def _hierarchy(self, one: ControlObject, action: ControlAction | None) -> AddCause | None:
        who = 3 if action is None else action.or_cat
        local = one.flag(b"Loc") and who in (*REMOTE, *STATION)
        station = one.flag(b"LocSta") and who in REMOTE
        return AddCause.BLOCKED_BY_SWITCHING_HIERARCHY if local or station else None

    # ------------------------------------------------------------------ what becomes of an operation

    def started(self, operation: Operation, verdict: bool | AddCause, now: Now) -> Refused | None:
        """The process has taken the operation (with enhanced security), done it (with normal), or refused it."""
        refused = self._begin(operation, verdict, now)
        self._note(operation.target, "Oper", operation.action, refused, now)
        return refused

    def _begin(self, operation: Operation, verdict: bool | AddCause, now: Now) -> Refused | None:
        one, action = operation.target, operation.action
        if verdict is True:
            done: list[tuple[int, object]] = []
            for name, value in (
                ("ctlNum", action.ctl_num),
                ("origin.orCat", action.or_cat),
                ("origin.orIdent", action.or_ident),
            ):
                slot = one.shown(name.replace(".", "$"))
                if slot is not None:
                    done.append((slot, value))
            self._commit(done, now)
            self._show(one, now, opOk=True)
            if not operation.enhanced:
                self.ended(operation, True, now)
            return None
        cause = verdict if isinstance(verdict, AddCause) else AddCause.BLOCKED_BY_PROCESS
        self._after(operation, now)
        refused = Refused(_DENIED, cause)
        self._say(one, "Oper", operation.client, action, refused)
        self._audit(one, "Oper", operation.client, action, refused, operation, now)
        return refused

    def ended(self, operation: Operation, verdict: bool | AddCause, now: Now) -> None:
        """The operation has come to its end; with enhanced security its client is told. A second end is none."""
        if operation.ended:
            return
        one, client = operation.target, operation.client
        held = self.state(one).owner is client
        self._after(operation, now)
        cause = None if verdict is True else verdict if isinstance(verdict, AddCause) else AddCause.UNKNOWN
        refused = None if cause is None else Refused(_DENIED, cause)
        self._audit(one, "Oper", client, operation.action, refused, operation, now)
        if not operation.enhanced or not held:
            return
        error = None if cause is None else _error(one, "Oper", operation.action, cause)
        if self._tracking is not None:
            self._tracking.terminated(one, operation.action, cause, now)
        pdu = add_cause.termination(one.placed.domain.name, one.variable("Oper"), operation.oper, error)
        if len(pdu) <= client.max_pdu:
            self._post(client, [pdu])

    def _after(self, operation: Operation, now: Now) -> None:
        operation.ended = True
        one = operation.target
        self._show(one, now, opRcvd=False, opOk=False)
        state = self.state(one)
        if state.action is not operation.action:
            return  # its client has gone meanwhile
        if one.ctl_model in (SBO_NORMAL, SBO_ENHANCED) and one.operate_many and state.owner is not None:
            selected = operation.action if one.ctl_model == SBO_ENHANCED else None
            self._hold(one, state.owner, selected, now, again=True)
        else:
            self._free(one, now)

    # ------------------------------------------------------------------ selections

    def _hold(
        self, one: ControlObject, client: Client, action: ControlAction | None, now: Now, *, again: bool = False
    ) -> Selection | None:
        """Select `one`; what it waits for, if it does. `again`: it was selected, and goes on so."""
        until = now.monotonic_ns + one.select_ms * 1_000_000
        waiting = None
        if self.selections_wait and not again:
            service = "SBO" if action is None else "SBOw"
            waiting = Selection(one, action or one.selecting(), client, service, until, now.monotonic_ns)
        self._states[one] = State(Phase.READY, client, until, action, asked=waiting)
        if waiting is None:
            self._show(one, now, stSeld=True)
        return waiting

    def _free(self, one: ControlObject, now: Now) -> None:
        if self._states.pop(one, None) is not None:
            self._show(one, now, stSeld=False)

    def _drop(self, one: ControlObject, state: State, why: AddCause, now: Now) -> None:
        """End a selection, or an Oper that waits for its time and now is never done."""
        self._free(one, now)
        if state.phase is Phase.WAITING and state.asked is None and state.owner is not None:
            self._audit(one, "Oper", state.owner, state.action, Refused(_DENIED, why), state, now)

    def next_deadline_ns(self) -> int:
        """When the next selection ends by itself."""
        return min((state.until_ns for state in self._states.values()), default=NEVER)

    def deadline(self, now: Now) -> None:
        """Let time pass: selections end, and what waited for its time is due."""
        for one, state in list(self._states.items()):
            if state.until_ns > now.monotonic_ns:
                continue
            if state.phase is Phase.WAITING and state.owner is not None and state.action is not None:
                self._states[one] = replace(state, phase=Phase.EXECUTING, until_ns=NEVER)
                self._show(one, now, opRcvd=True)
                enhanced = one.ctl_model in (DIRECT_ENHANCED, SBO_ENHANCED)
                operation = Operation(one, state.action, state.owner, state.oper, enhanced, since_ns=state.since_ns)
                refused = self._not_allowed(one, state.action, AddCause.INCONSISTENT_PARAMETERS)
                if refused is None:
                    self.due.append(operation)
                else:
                    self.ended(operation, refused.cause or AddCause.UNKNOWN, now)
            else:
                self._free(one, now)

    def fired(self, operation: Operation, verdict: bool | AddCause, now: Now) -> bool:
        """What waited for its time has begun, or not; True if its end is still to come. There is no answer to refuse."""
        if verdict is not True:
            self.ended(operation, verdict, now)
            return False
        self._begin(operation, True, now)
        return operation.enhanced

    def closed(self, client: Client, now: Now) -> None:
        """`client` is gone: its selections end; what is being carried out goes on, and nobody is told."""
        for one, state in list(self._states.items()):
            if state.owner is client:
                if state.phase is Phase.EXECUTING:
                    self._states[one] = replace(state, owner=None)
                else:
                    self._drop(one, state, AddCause.ABORTION_BY_COMMUNICATION_LOSS, now)

    # ------------------------------------------------------------------ what is shown and told

    def _show(self, one: ControlObject, now: Now, **flags: bool) -> None:
        pairs: list[tuple[int, object]] = []
        for name, value in flags.items():
            slot = one.shown(name) if name == "stSeld" else one.slot(FC.OR, name)
            if slot is not None:
                pairs.append((slot, value))
        stamp = one.slot(FC.OR, "tOpOk")
        if flags.get("opOk") and stamp is not None:
            pairs.append((stamp, UtcTime(now.utc_ns, now.time_quality)))
        if pairs:
            self._commit(pairs, now)

    def _note(
        self, one: ControlObject, service: str, action: ControlAction | None, refused: Refused | None, now: Now
    ) -> None:
        """Track what was answered, where the model tracks services."""
        if self._tracking is not None:
            error, cause = (None, None) if refused is None else (refused.error, refused.cause)
            self._tracking.control(one, service, action, error, cause, now)

    def _audit(
        self,
        one: ControlObject,
        service: str,
        client: Client,
        action: ControlAction | None,
        refused: Refused | None,
        since: Operation | Selection | State | None = None,
        now: Now | None = None,
    ) -> None:
        """Leave the audit of a command that has come to its end; without `since` that was at once."""
        result = None if refused is None else refused.error if refused.cause is None else refused.cause
        text = "done" if result is None else result.name.lower().replace("_", "-")
        ms = 0 if since is None or now is None else (now.monotonic_ns - since.since_ns) // 1_000_000
        if isinstance(since, Operation | Selection) and since.note:
            text = since.note
        self.audits.append(Audit(client, one.reference, service, action, result, text, ms))

    def _say(self, one: ControlObject, service: str, client: Client, action: ControlAction, refused: Refused) -> None:
        if refused.cause is not None:
            client.before_answer.append(add_cause.refusal(_error(one, service, action, refused.cause)))


def _error(one: ControlObject, service: str, action: ControlAction, cause: AddCause) -> bytes:
    ident = action.or_ident[:OR_IDENT_LIMIT]
    return add_cause.last_appl_error(one.item(service).decode(), action.or_cat, ident, action.ctl_num, cause)


def _mode(beh: int, test: bool) -> AddCause | None:
    """Whether Beh lets a command through: on takes real ones, test takes test ones, the others none."""
    passes = (beh == ON and not test) or (beh in (TEST, TEST_BLOCKED) and test)
    return None if passes else AddCause.BLOCKED_BY_MODE
