"""Outputs of a control: opRcvd, opOk and tOpOk, LastApplError, CommandTermination, command record, tracking (pure)."""

from collections.abc import Callable

from bus.quality import Stamp, UtcTime
from mapping.model import FC
from mms_server.acsi.clients import Client
from mms_server.acsi.control.authority import OR_IDENT_LIMIT
from mms_server.acsi.control.command_record import CommandRecord
from mms_server.acsi.control.selection import ControlRefusal, ObjectState, Operation, Selection
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.acsi.tracking.tracking import Tracking
from mms_server.mms import add_cause
from mms_server.mms.add_cause import AddCause
from mms_server.model.cache import Commit, SlotValue

Post = Callable[[Client, list[bytes]], None]


class ControlResponses:
    """The outputs of all controls. `post` queues CommandTermination, `commit` takes new values; `records` wait for the log."""

    def __init__(self, post: Post, commit: Commit, tracking: Tracking | None) -> None:
        self.records: list[CommandRecord] = []
        self._post = post
        self._commit = commit
        self._tracking = tracking

    def begun(self, operation: Operation, now: Stamp) -> None:
        """Show ctlNum, origin and opRcvd of an operation that goes to the process, before the status that it brings."""
        one, action = operation.target, operation.action
        pairs: list[SlotValue] = []
        for name, value in (
            ("ctlNum", action.ctl_num),
            ("origin$orCat", action.or_cat),
            ("origin$orIdent", action.or_ident),
        ):
            slot = one.shown(name)
            if slot is not None:
                pairs.append((slot, value))
        operation.before = tuple((slot, one.model.cache.values[slot]) for slot, _ in pairs)
        self._commit(pairs, now)
        self.show(one, now, opRcvd=True)

    def refused(self, operation: Operation, now: Stamp) -> None:
        """Restore the ctlNum and origin of the command before, since the process has refused this one."""
        self._commit(list(operation.before), now)

    def terminated(self, operation: Operation, cause: AddCause | None, now: Stamp) -> None:
        """Send CommandTermination for an operation with enhanced security: positive without `cause`, else negative."""
        one, client = operation.target, operation.client
        error = None if cause is None else _error(one, "Oper", operation.action, cause)
        if self._tracking is not None:
            self._tracking.terminated(one, operation.action, cause, now)
        pdu = add_cause.termination(one.placed.domain.name, one.variable("Oper"), operation.oper, error)
        if len(pdu) <= client.max_pdu:
            self._post(client, [pdu])

    def show(self, one: ControlObject, now: Stamp, **flags: bool) -> None:
        """Set those of the flags that the object has; tOpOk is set with opOk."""
        pairs: list[SlotValue] = []
        for name, value in flags.items():
            slot = one.shown(name) if name == "stSeld" else one.slot(FC.OR, name)
            if slot is not None:
                pairs.append((slot, value))
        stamp = one.slot(FC.OR, "tOpOk")
        if flags.get("opOk") and stamp is not None:
            pairs.append((stamp, UtcTime(now.utc_ns, now.time_quality)))
        if pairs:
            self._commit(pairs, now)

    def track(
        self, one: ControlObject, service: str, action: ControlAction | None, refused: ControlRefusal | None, now: Stamp
    ) -> None:
        """Track the answer, where the model has service tracking."""
        if self._tracking is not None:
            error, cause = (None, None) if refused is None else (refused.error, refused.cause)
            self._tracking.control(one, service, action, error, cause, now)

    def record(
        self,
        one: ControlObject,
        service: str,
        client: Client,
        action: ControlAction | None,
        refused: ControlRefusal | None,
        since: Operation | Selection | ObjectState | None = None,
        now: Stamp | None = None,
    ) -> None:
        """Leave the record of a command that has ended; without `since` it ended at once."""
        result = None if refused is None else refused.error if refused.cause is None else refused.cause
        text = "done" if result is None else result.name.lower().replace("_", "-")
        ms = 0 if since is None or now is None else (now.monotonic_ns - since.since_ns) // 1_000_000
        if isinstance(since, Operation | Selection) and since.note:
            text = since.note
        self.records.append(CommandRecord(client, one.reference, service, action, result, text, ms))

    def last_appl_error(
        self, one: ControlObject, service: str, client: Client, action: ControlAction, refused: ControlRefusal
    ) -> None:
        """Put a LastApplError before the answer that refuses."""
        if refused.cause is not None:
            client.before_answer.append(add_cause.refusal(_error(one, service, action, refused.cause)))


def _error(one: ControlObject, service: str, action: ControlAction, cause: AddCause) -> bytes:
    ident = action.or_ident[:OR_IDENT_LIMIT]
    return add_cause.last_appl_error(one.item(service).decode(), action.or_cat, ident, action.ctl_num, cause)
