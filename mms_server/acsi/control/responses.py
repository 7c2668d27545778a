"""What is shown and told of a command: its flags, LastApplError, CommandTermination, the audit, the tracking (pure)."""

from collections.abc import Callable

from bus.quality import Stamp, UtcTime
from mapping.model import FC
from mms_server.acsi.clients import Client
from mms_server.acsi.control.authority import OR_IDENT_LIMIT
from mms_server.acsi.control.command_record import Audit
from mms_server.acsi.control.states import Operation, Refused, Selection, State
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.acsi.tracking.tracking import Tracking
from mms_server.mms import add_cause
from mms_server.mms.add_cause import AddCause

Post = Callable[[Client, list[bytes]], None]
Commit = Callable[[list[tuple[int, object]], Stamp], object]


class Telling:
    """`post` queues what is told later, `commit` takes what changes in the model; `audits` are to be written down."""

    def __init__(self, post: Post, commit: Commit, tracking: Tracking | None) -> None:
        self.audits: list[Audit] = []
        self._post = post
        self._commit = commit
        self._tracking = tracking

    def begun(self, operation: Operation, now: Stamp) -> None:
        """It goes to the process: its ctlNum and origin stand there when the status comes that it brings."""
        one, action = operation.target, operation.action
        pairs: list[tuple[int, object]] = []
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
        """The process has not taken it: ctlNum and origin are those of the command before."""
        self._commit(list(operation.before), now)

    def terminated(self, operation: Operation, cause: AddCause | None, now: Stamp) -> None:
        """Tell the client of an operation with enhanced security how it has ended; None: well."""
        one, client = operation.target, operation.client
        error = None if cause is None else _error(one, "Oper", operation.action, cause)
        if self._tracking is not None:
            self._tracking.terminated(one, operation.action, cause, now)
        pdu = add_cause.termination(one.placed.domain.name, one.variable("Oper"), operation.oper, error)
        if len(pdu) <= client.max_pdu:
            self._post(client, [pdu])

    def show(self, one: ControlObject, now: Stamp, **flags: bool) -> None:
        """Give the flags of the object that it has their values; with opOk goes tOpOk."""
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

    def note(
        self, one: ControlObject, service: str, action: ControlAction | None, refused: Refused | None, now: Stamp
    ) -> None:
        """Track what was answered, where the model tracks services."""
        if self._tracking is not None:
            error, cause = (None, None) if refused is None else (refused.error, refused.cause)
            self._tracking.control(one, service, action, error, cause, now)

    def audit(
        self,
        one: ControlObject,
        service: str,
        client: Client,
        action: ControlAction | None,
        refused: Refused | None,
        since: Operation | Selection | State | None = None,
        now: Stamp | None = None,
    ) -> None:
        """Leave the audit of a command that has come to its end; without `since` that was at once."""
        result = None if refused is None else refused.error if refused.cause is None else refused.cause
        text = "done" if result is None else result.name.lower().replace("_", "-")
        ms = 0 if since is None or now is None else (now.monotonic_ns - since.since_ns) // 1_000_000
        if isinstance(since, Operation | Selection) and since.note:
            text = since.note
        self.audits.append(Audit(client, one.reference, service, action, result, text, ms))

    def say(self, one: ControlObject, service: str, client: Client, action: ControlAction, refused: Refused) -> None:
        """Put a LastApplError before the answer that refuses."""
        if refused.cause is not None:
            client.before_answer.append(add_cause.refusal(_error(one, service, action, refused.cause)))


def _error(one: ControlObject, service: str, action: ControlAction, cause: AddCause) -> bytes:
    ident = action.or_ident[:OR_IDENT_LIMIT]
    return add_cause.last_appl_error(one.item(service).decode(), action.or_cat, ident, action.ctl_num, cause)
