"""Control class: select, operate and cancel of controllable objects (IEC 61850-7-2, control; 61850-8-1, its services).

    Write ─► `states`: may it be asked now? ─► `authority`: may it be done at all? ─► the process ─► `responses`

A refusal is a LastApplError before the negative answer. With normal security the answer to Oper waits for the end of the
operation; with enhanced security it waits for its start, and CommandTermination brings the end. `stVal` is never set here:
it changes when the process says so. Mod alone is carried out here, with all that follows from it. Each command leaves one
CommandRecord, also if it was refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from bus.quality import Stamp
from mms_server.acsi.access_callbacks import Call, Verdict
from mms_server.acsi.behaviour import NEVER, Behaviour
from mms_server.acsi.clients import Client
from mms_server.acsi.control import authority, mode
from mms_server.acsi.control.process import Process
from mms_server.acsi.control.responses import ControlResponses, Post
from mms_server.acsi.control.selection import (
    DENIED,
    OTHER_PARAMETERS,
    ControlRefusal,
    ControlService,
    ControlState,
    ObjectState,
    Operation,
    Selection,
)
from mms_server.acsi.controllable_objects import (
    DIRECT_ENHANCED,
    SBO_ENHANCED,
    SBO_NORMAL,
    STATUS_ONLY,
    ControlAction,
    ControlObject,
    control_objects,
)
from mms_server.acsi.tracking.tracking import Tracking
from mms_server.mms.add_cause import AddCause
from mms_server.mms.data import Kind, Scalar, VisibleString
from mms_server.mms.errors import DataAccessError
from mms_server.model.cache import Commit
from mms_server.model.tree import DataModel

SERVICES: Final = ("SBO", "SBOw", "Oper", "Cancel")
_TEXT: Final = VisibleString(129)


class Control(Behaviour):
    """The controllable objects of a server. `post` queues CommandTermination, `commit` takes new values of the model."""

    def __init__(
        self, model: DataModel, post: Post, commit: Commit, process: Process, tracking: Tracking | None
    ) -> None:
        self._commit = commit
        self._process = process
        self.responses = ControlResponses(post, commit, tracking)
        self._objects = list(control_objects(model))
        self._states: dict[ControlObject, ObjectState] = {}
        self._by_slot: dict[int, tuple[ControlObject, str]] = {
            slot: (one, name) for one in self._objects for name, slot in one.slots.items() if name in SERVICES
        }
        self._rivals: dict[ControlObject, tuple[ControlObject, ...]] = {}
        self.due: list[Operation] = []  # what has waited for its time
        self.selectors = {slot for slot, (_, name) in self._by_slot.items() if name == "SBO"}
        self.origins: Mapping[int, Kind] = {slot: kind for one in self._objects for slot, kind in one.origins()}

    def find(self, slot: int) -> tuple[ControlObject, str] | None:
        """The object and the service whose variable is at `slot`."""
        return self._by_slot.get(slot)

    def objects(self) -> list[ControlObject]:
        """Every controllable object."""
        return self._objects

    def state(self, one: ControlObject) -> ObjectState:
        """The state of an object."""
        return self._states.get(one, ObjectState())

    def one_of(self, objects: Sequence[ControlObject]) -> None:
        """Let no two of `objects` be selected or operated at a time (1-of-n control). Each is in one such group at most."""
        for one in objects:
            self._rivals[one] = tuple(other for other in objects if other is not one)

    def ungroup(self) -> None:
        """Let every object be selected and operated beside all others."""
        self._rivals.clear()

    # ------------------------------------------------------------------ what clients ask

    def select(self, client: Client, slot: int, now: Stamp) -> bytes | Selection:
        """The Data that a Read of SBO gives: the object's own reference if it is selected, else an empty string.

        A Selection where a check is to decide first.
        """
        one, _ = self._by_slot[slot]
        refused = self._unselectable(one, client)
        waiting = self._hold(one, client, None, now) if refused is None else None
        if waiting is not None:
            return waiting
        self.responses.track(one, "SBO", one.selecting(), refused, now)
        if one.ctl_model == SBO_NORMAL:
            self.responses.record(one, "SBO", client, one.selecting(), refused)
        return self.sbo(one if refused is None else None)

    def _unselectable(self, one: ControlObject, client: Client) -> ControlRefusal | None:
        """The refusal of a Read of SBO; None if it selects `one`."""
        if one.ctl_model != SBO_NORMAL:
            return ControlRefusal(DENIED)
        step = self.state(one).after(ControlService.SELECT, client, True)
        if isinstance(step, ControlRefusal):
            return step
        cause = authority.selectable(one)
        if cause is None and self._rival(one):
            cause = AddCause.ONE_OF_N_CONTROL
        return None if cause is None else ControlRefusal(DENIED, cause)

    @staticmethod
    def sbo(one: ControlObject | None) -> bytes:
        """The Data of SBO: of the selected object `one`, or the empty string for None."""
        return _TEXT.encode("" if one is None else one.sbo_text[:129])

    def write(
        self, client: Client, slot: int, pairs: list[tuple[int, Scalar]], octets: bytes, now: Stamp
    ) -> ControlRefusal | Selection | Operation | None:
        """The outcome of a Write to SBOw, Oper or Cancel: done (None), refused, or an operation that needs a verdict."""
        one, service = self._by_slot[slot]
        action = one.action(service, pairs)
        model = one.ctl_model
        answer: ControlRefusal | Selection | Operation | None
        if model == STATUS_ONLY or service == "SBO" or (service == "SBOw" and model != SBO_ENHANCED):
            answer = ControlRefusal(DENIED)
        else:
            answer = {"SBOw": self._select, "Oper": self._operate, "Cancel": self._cancel}[service](
                one, client, action, octets, now
            )
        if isinstance(answer, ControlRefusal):
            self.responses.last_appl_error(one, service, client, action, answer)
        elif service != "Cancel":
            self._commit(list(pairs), now)
        if not isinstance(answer, Selection | Operation):
            self.responses.track(one, service, action, answer, now)
        if isinstance(answer, ControlRefusal) or (answer is None and self.state(one).state is not ControlState.WAITING):
            self.responses.record(one, service, client, action, answer)
        return answer

    def write_undecoded(self, client: Client, slot: int, error: DataAccessError, now: Stamp) -> None:
        """Record a Write to SBOw, Oper or Cancel whose Data could not be decoded, refused with `error`."""
        one, service = self._by_slot[slot]
        self.responses.track(one, service, None, ControlRefusal(error), now)
        self.responses.record(one, service, client, None, ControlRefusal(error))

    def _select(
        self, one: ControlObject, client: Client, action: ControlAction, _: bytes, now: Stamp
    ) -> ControlRefusal | Selection | None:
        step = self.state(one).after(ControlService.SELECT, client, True)
        if isinstance(step, ControlRefusal):
            return step
        return self._not_allowed(one, action, AddCause.SELECT_FAILED) or self._hold(one, client, action, now)

    # ------------------------------------------------------------------ what the process is asked, and says

    def question(self, asked: Selection | Operation) -> Call | None:
        """The question to the process that decides on `asked`; None: nobody is asked, and the verdict is True."""
        if isinstance(asked, Operation) and not self._own(asked.target):
            return Call(self._process.begin, (asked,))
        return Call(self._process.check, (asked,)) if self._process.checks(asked.target) else None

    def judged(self, asked: Selection | Operation, verdict: Verdict, now: Stamp) -> ControlRefusal | None:
        """Take the verdict on a selection or an operation; why it is refused, or None."""
        said = verdict if isinstance(verdict, AddCause) else verdict is True
        return self.selected(asked, said, now) if isinstance(asked, Selection) else self.started(asked, said, now)

    def _own(self, one: ControlObject) -> bool:
        """True for what is carried out here: Mod, unless the process does."""
        return one.is_mode and not self._process.sets_mode(one)

    def selected(self, selection: Selection, verdict: bool | AddCause, now: Stamp) -> ControlRefusal | None:
        """Apply the verdict on a selection, or on an Oper with a time, that waited for it; the refusal, or None."""
        one, action, service = selection.target, selection.action, selection.service
        mine = self.state(one).pending is selection  # and has not ended meanwhile
        if mine and verdict is True:
            self._states[one] = replace(self.state(one), until_ns=selection.until_ns, pending=None)
            if service != "Oper":
                self.responses.show(one, now, stSeld=True)
                self.responses.record(one, service, selection.client, action, None, selection, now)
            self.responses.track(one, service, action, None, now)
            return None
        if mine:
            self._free(one, now)
        bad = AddCause.BLOCKED_BY_PROCESS if service == "Oper" else AddCause.SELECT_FAILED
        refused = ControlRefusal(DENIED, verdict if isinstance(verdict, AddCause) else bad)
        if service != "SBO":
            self.responses.last_appl_error(one, service, selection.client, action, refused)
        self.responses.track(one, service, action, refused, now)
        self.responses.record(one, service, selection.client, action, refused, selection, now)
        return refused

    def _operate(
        self, one: ControlObject, client: Client, action: ControlAction, octets: bytes, now: Stamp
    ) -> ControlRefusal | Selection | Operation | None:
        state, model = self.state(one), one.ctl_model
        step = state.after(ControlService.OPERATE, client, model in (SBO_NORMAL, SBO_ENHANCED))
        if isinstance(step, ControlRefusal):
            return step
        if model == SBO_ENHANCED and state.action is not None and not action.agrees(state.action):
            self._free(one, now)
            return OTHER_PARAMETERS
        refused = self._not_allowed(one, action, AddCause.INCONSISTENT_PARAMETERS)
        if refused is not None:
            if not one.operate_many:
                self._free(one, now)
            return refused
        if action.at is not None and action.at.ns > now.utc_ns:
            return self._later(one, client, action, octets, action.at.ns - now.utc_ns, now)
        self._states[one] = ObjectState(ControlState.EXECUTING, client, NEVER, action)
        enhanced = model in (DIRECT_ENHANCED, SBO_ENHANCED)
        operation = Operation(one, action, client, octets, enhanced, since_ns=now.monotonic_ns)
        self.responses.begun(operation, now)
        return operation

    def _later(
        self, one: ControlObject, client: Client, action: ControlAction, octets: bytes, wait_ns: int, now: Stamp
    ) -> ControlRefusal | Selection | None:
        """Keep an Oper with operTm until its time; it is checked now, where there is a check, and again at that time."""
        if not one.model.server.services.time_activated:
            return ControlRefusal(DENIED, AddCause.NOT_SUPPORTED)
        until = now.monotonic_ns + wait_ns
        judged = Selection(one, action, client, "Oper", until, now.monotonic_ns) if self._process.checks(one) else None
        self._states[one] = ObjectState(
            ControlState.WAITING, client, until if judged is None else NEVER, action, octets, judged, now.monotonic_ns
        )
        return judged

    def _cancel(
        self, one: ControlObject, client: Client, action: ControlAction, _: bytes, now: Stamp
    ) -> ControlRefusal | None:
        state = self.state(one)
        step = state.after(ControlService.CANCEL, client, one.ctl_model in (SBO_NORMAL, SBO_ENHANCED))
        if isinstance(step, ControlRefusal):
            return step
        if state.state is ControlState.READY:
            if state.action is not None and not action.agrees(state.action, checks=False):
                return OTHER_PARAMETERS
            self._free(one, now)
        elif state.state is ControlState.WAITING:
            self._drop(one, state, AddCause.ABORTION_BY_CANCEL, now)
        return None

    def _not_allowed(self, one: ControlObject, action: ControlAction, bad_origin: AddCause) -> ControlRefusal | None:
        """The refusal of `action` by its origin, the authority, 1-of-n control, the mode or a wrong Mod; None if it may be."""
        if not authority.knows_origin(one, action):
            return ControlRefusal(DENIED, bad_origin)
        cause = authority.operable(one, action)
        if cause is None and self._rival(one):
            cause = AddCause.ONE_OF_N_CONTROL
        if cause is None and self._own(one):
            cause = mode.objection(action)
        return None if cause is None else ControlRefusal(DENIED, cause)

    def _rival(self, one: ControlObject) -> bool:
        return any(other in self._states for other in self._rivals.get(one, ()))

    # ------------------------------------------------------------------ what becomes of an operation

    def started(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> ControlRefusal | None:
        """Apply the verdict of the process: operation taken (enhanced security), done (normal), or refused."""
        refused = self._begin(operation, verdict, now)
        self.responses.track(operation.target, "Oper", operation.action, refused, now)
        self._end_own(operation, now)
        return refused

    def _begin(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> ControlRefusal | None:
        one, action = operation.target, operation.action
        if verdict is True:
            if self._own(one):
                self._commit(mode.changed(one, action, now), now)
            self.responses.show(one, now, opOk=True)
            if not operation.enhanced:
                self.ended(operation, True, now)
            return None
        cause = verdict if isinstance(verdict, AddCause) else AddCause.BLOCKED_BY_PROCESS
        self.responses.refused(operation, now)
        self._after(operation, now)
        refused = ControlRefusal(DENIED, cause)
        self.responses.last_appl_error(one, "Oper", operation.client, action, refused)
        self.responses.record(one, "Oper", operation.client, action, refused, operation, now)
        return refused

    def _end_own(self, operation: Operation, now: Stamp) -> None:
        """End an operation with enhanced security that nobody else ends: it is done already."""
        if operation.enhanced and self._own(operation.target):
            self.ended(operation, True, now)

    def ended(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> None:
        """End an operation; with enhanced security its client gets CommandTermination. A second end changes nothing."""
        if operation.ended:
            return
        one, client = operation.target, operation.client
        held = self.state(one).owner is client
        self._after(operation, now)
        cause = None if verdict is True else verdict if isinstance(verdict, AddCause) else AddCause.UNKNOWN
        refused = None if cause is None else ControlRefusal(DENIED, cause)
        self.responses.record(one, "Oper", client, operation.action, refused, operation, now)
        if operation.enhanced and held:
            self.responses.terminated(operation, cause, now)

    def _after(self, operation: Operation, now: Stamp) -> None:
        operation.ended = True
        one = operation.target
        self.responses.show(one, now, opRcvd=False, opOk=False)
        state = self.state(one)
        if one.ctl_model in (SBO_NORMAL, SBO_ENHANCED) and one.operate_many and state.owner is not None:
            selected = operation.action if one.ctl_model == SBO_ENHANCED else None
            self._hold(one, state.owner, selected, now, again=True)
        else:
            self._free(one, now)

    # ------------------------------------------------------------------ selections

    def _hold(
        self, one: ControlObject, client: Client, action: ControlAction | None, now: Stamp, *, again: bool = False
    ) -> Selection | None:
        """Select `one`; the Selection if a check is to decide first. `again`: it was selected and stays selected."""
        until = now.monotonic_ns + one.select_ms * 1_000_000
        waiting = None
        if not again and self._process.checks(one):
            service = "SBO" if action is None else "SBOw"
            waiting = Selection(one, action or one.selecting(), client, service, until, now.monotonic_ns)
        self._states[one] = ObjectState(ControlState.READY, client, until, action, pending=waiting)
        if waiting is None:
            self.responses.show(one, now, stSeld=True)
        return waiting

    def _free(self, one: ControlObject, now: Stamp) -> None:
        if self._states.pop(one, None) is not None:
            self.responses.show(one, now, stSeld=False)

    def _drop(self, one: ControlObject, state: ObjectState, why: AddCause, now: Stamp) -> None:
        """End a selection, or an Oper that waits for its time and will not be carried out."""
        self._free(one, now)
        if state.state is ControlState.WAITING and state.pending is None and state.owner is not None:
            self.responses.record(one, "Oper", state.owner, state.action, ControlRefusal(DENIED, why), state, now)

    def next_deadline_ns(self) -> int:
        """The monotonic time at which the next selection ends, or the next operation is due."""
        return min((state.until_ns for state in self._states.values()), default=NEVER)

    def deadline(self, now: Stamp) -> None:
        """Let time pass: selections end, and time-activated operations are due."""
        for one, state in list(self._states.items()):
            if state.until_ns > now.monotonic_ns:
                continue
            if state.state is ControlState.WAITING and state.owner is not None and state.action is not None:
                self._states[one] = replace(state, state=ControlState.EXECUTING, until_ns=NEVER)
                enhanced = one.ctl_model in (DIRECT_ENHANCED, SBO_ENHANCED)
                operation = Operation(one, state.action, state.owner, state.oper, enhanced, since_ns=state.since_ns)
                refused = self._not_allowed(one, state.action, AddCause.INCONSISTENT_PARAMETERS)
                if refused is None:
                    self.responses.begun(operation, now)
                    self.due.append(operation)
                else:
                    self.ended(operation, refused.cause or AddCause.UNKNOWN, now)
            else:
                self._free(one, now)

    def fired(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> bool:
        """Apply the verdict on a time-activated operation that was due; True if its end is still to come.

        Its Write has been answered already, so there is no answer to refuse.
        """
        if verdict is not True:
            self.responses.refused(operation, now)
            self.ended(operation, verdict, now)
            return False
        self._begin(operation, True, now)
        self._end_own(operation, now)
        return operation.enhanced and not operation.ended

    def closed(self, client: Client, now: Stamp) -> None:
        """`client` is gone: its selections end; operations in execution go on, without CommandTermination."""
        for one, state in list(self._states.items()):
            if state.owner is client:
                if state.state is ControlState.EXECUTING:
                    self._states[one] = replace(state, owner=None)
                else:
                    self._drop(one, state, AddCause.ABORTION_BY_COMMUNICATION_LOSS, now)
