"""The engine: requests, values and deadlines in; PDUs out. It knows every client and no connection.

    request   A0 { 02 invokeID, service }   ->   A1 { 02 invokeID, service }    positive
                                                 A2 { 80 invokeID, A2 error }   ServiceError
                                                 A4 { 80 invokeID, 8x reason }  Reject
                                                 Waiting                        for verdicts of the embedding program
                                                 None                           the answer comes by itself, see `answers`

Every request gets exactly one answer, none longer than its client accepts. Reports wait in `pull` until the client's
connection takes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from bus.quality import Stamp
from mms_server.acsi.access_callbacks import Call, Deferred, Permissions, Verdict
from mms_server.acsi.behaviours import Behaviours
from mms_server.acsi.clients import Client
from mms_server.acsi.control.command_record import CommandRecord
from mms_server.acsi.control.process import Process
from mms_server.acsi.control.selection import Operation
from mms_server.acsi.persistence import Operation as StoreOperation
from mms_server.acsi.persistence import StoredState
from mms_server.acsi.reporting.dispatch import Notice
from mms_server.acsi.reporting.entry_buffer import BufferLimits
from mms_server.acsi.set_data_values import OPEN_TO_CLIENTS
from mms_server.mms import reject
from mms_server.mms.add_cause import AddCause
from mms_server.mms.data import Scalar
from mms_server.mms.errors import ArgumentError, ServiceError, ServiceFailure
from mms_server.mms.reject import Reason
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel
from mms_server.services import registry
from mms_server.services.base import Context, Identity, Later, Service
from mms_server.stack import ber
from mms_server.stack.errors import WireError

ENVELOPE_OCTETS: Final = 16  # around a service's element: tags, lengths, the longest invokeID
CONCLUDE_BIT: Final = 83  # answered by the association
REPORT_BIT: Final = 79  # sent without being asked
_READING: Final = frozenset({0x80, 0x82, 0xA1, 0xA4, 0xA6, 0xAC, 0xBF41, 0xBF48, 0x9F49, 0x9F4A, 0xBF4D})
"""Services that change nothing but by a commit, as a select by Read does."""
_NO_TIME: Final = Stamp(0, 0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for the verdicts of `calls`; give them, in order, to `Engine.finish`."""

    client: Client
    invoke_id: int
    deferred: Deferred
    context: Context

    @property
    def calls(self) -> Sequence[Call]:
        """The callbacks of the embedding program that decide on the request."""
        return self.deferred.calls


@dataclass(frozen=True, slots=True)
class ObtainFileResult:
    """The end of an ObtainFile: the PDU that answers it, the file's name, and its result: `ok` or the error."""

    pdu: bytes
    name: str
    result: str


class Outgoing(NamedTuple):
    """The output of the engine since the last call, and the time of its next deadline."""

    kept: list[StoreOperation]  # for the store, as one transaction
    ticket: int  # give it to `stored` when the store has them
    receivers: list[Client]  # for whom `pull`, `asks` or `answers` have something
    notices: list[Notice]
    audits: list[CommandRecord]
    due: list[Operation]  # whose time has come; `fired` takes how they began
    deadline_ns: int


class Engine:
    """One server's behaviour towards all its clients.

    `stored` is the content of the store, None where there is none. `process` carries out the controls of clients; without one
    every control succeeds. `permissions` are those of clients, by default all that a client may ever write; `buffers` limit
    the entries of buffered blocks. `own_folders` are the server's own files, which clients may fetch.
    """

    def __init__(
        self,
        model: DataModel,
        identity: Identity,
        stored: StoredState | None = None,
        *,
        process: Process | None = None,
        permissions: Permissions | None = None,
        buffers: BufferLimits | None = None,
        own_folders: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self.model = model
        self.behaviour = Behaviours(
            model,
            stored,
            self.commit,
            process or Process(),
            permissions or Permissions.of(model, OPEN_TO_CLIENTS),
            buffers,
            own_folders,
        )
        self.persistence = self.behaviour.persistence
        self.problems = [problem for one in self.behaviour.walked for problem in one.problems]
        self.dirty = False  # the shell must flush persistence, reports and audit, and re-arm its timer (`outgoing`)
        self._substitution = self.behaviour.substitution
        self._measured_values = self.behaviour.measured_values
        self._begun: list[Operation] = []
        self._identity = identity
        self._services = registry.by_tag()
        self._contexts: dict[Client, Context] = {}

    def supported(self) -> frozenset[int]:
        """The bits of ServiceSupportOptions for the services that are served."""
        there = (service.bit for service in self._services.values() if self._offers(service))
        return frozenset({CONCLUDE_BIT, REPORT_BIT, *there})

    def _offers(self, service: Service) -> bool:
        files = self.behaviour.files
        return (not service.needs_files or files.folder is not None) and (not service.needs_obtain or files.may_obtain)

    @property
    def clients(self) -> tuple[Client, ...]:
        """The clients that are associated."""
        return tuple(self._contexts)

    # ------------------------------------------------------------------ clients

    def opened(self, client: Client) -> None:
        """A client has associated."""
        room = client.max_pdu - ENVELOPE_OCTETS
        self._contexts[client] = Context(
            self.model, self.behaviour, self._identity, client, room, self.commit, _NO_TIME
        )

    def closed(self, client: Client, now: Stamp) -> None:
        """A client has gone, in whatever way; its reservations, selections and enabled blocks are released."""
        self.dirty = True
        if self._contexts.pop(client, None) is not None:
            self._release(client, now)

    def _release(self, client: Client, now: Stamp) -> None:
        for one in self.behaviour.releasing:
            one.closed(client, now)

    def request(self, client: Client, invoke_id: int, tag: int, body: bytes, now: Stamp) -> bytes | Waiting | None:
        """The PDU that answers one confirmed request, or the verdicts it waits for; None: `answers` gives it later."""
        service = self._services.get(tag)
        if service is None or not self._offers(service):
            return reject.encode(Reason.UNRECOGNIZED_SERVICE, invoke_id)
        if tag not in _READING:
            self.dirty = True
        context = self._contexts[client]
        context.now, context.invoke_id = now, invoke_id
        try:
            element = service.answer(context, body)
        except ArgumentError:
            return reject.encode(Reason.INVALID_ARGUMENT, invoke_id)
        except WireError:
            return reject.encode(Reason.INVALID_PDU if body else Reason.INVALID_ARGUMENT, invoke_id)
        self.dirty = self.dirty or bool(self.behaviour.control.responses.records)
        if isinstance(element, Deferred):
            return Waiting(client, invoke_id, element, context)
        return None if isinstance(element, Later) else _pdu(client, invoke_id, element)

    def finish(self, waiting: Waiting, verdicts: Sequence[Verdict], now: Stamp) -> bytes | None:
        """The answer to a request that waited; None if its client has gone meanwhile; it is carried out all the same."""
        self.dirty = True
        waiting.context.now = now
        pdu = _pdu(waiting.client, waiting.invoke_id, waiting.deferred.finish(verdicts))
        operations = [
            argument for call in waiting.calls for argument in call.arguments if isinstance(argument, Operation)
        ]
        self._begun += [one for one in operations if one.enhanced and not one.ended]
        if waiting.client in self._contexts:
            return pdu
        self._release(waiting.client, now)  # the request may have selected or reserved something
        return None

    def begun(self) -> list[Operation]:
        """The operations with enhanced security that have begun since the last call; give their end to `ended`."""
        begun, self._begun = self._begun, []
        return begun

    def due(self) -> list[Operation]:
        """The operations whose time has come since the last call; give the verdict on their begin to `fired`."""
        control = self.behaviour.control
        due, control.due = control.due, []
        return due

    def question(self, operation: Operation) -> Call | None:
        """The call of the process that begins an operation which is `due`; None: its verdict is True."""
        return self.behaviour.control.question(operation)

    def ending(self, operation: Operation) -> Call:
        """The call of the process that ends an operation which has `begun`; `ended` takes its verdict."""
        return Call(self.behaviour.process.complete, (operation,))

    def fired(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> bool:
        """A time-activated operation has begun, or not; True if its end is still to come."""
        self.dirty = True
        return self.behaviour.control.fired(operation, verdict, now)

    def ended(self, operation: Operation, verdict: bool | AddCause, now: Stamp) -> None:
        """An operation has ended: True if it succeeded, False or an AddCause if not."""
        self.dirty = True
        self.behaviour.control.ended(operation, verdict, now)

    # ------------------------------------------------------------------ values

    def commit(
        self, pairs: Iterable[tuple[int, object]], now: Stamp, *, quiet: bool = False, force: bool = False
    ) -> Changes:
        """Take new values, all or none; reports follow unless `quiet`. `force`: equal values are events as well.

        Raises TypeError or ValueError for a value that does not fit its leaf.
        """
        self.dirty = True
        changes = self._taken(self._measured_values.judged(pairs, now), force=force)
        if not quiet:
            for one in self.behaviour.listening:
                one.changed(changes, now)
        return changes

    def process(self, slot: int) -> Scalar:
        """The process value of the leaf at `slot`, substituted or not."""
        return self._substitution.process(slot)

    def field_feeds(self, held: Iterable[int]) -> None:
        """All values are the field's; the leaves `held` are held back already, by a deadband that is not the model's."""
        self._measured_values.field_feeds(held)

    def _taken(self, pairs: Iterable[tuple[int, object]], *, force: bool) -> Changes:
        """Commit `pairs` as they are shown, and what follows from them."""
        cache = self.model.cache
        if not self._substitution.has_overrides():
            return cache.commit(pairs, force=force)
        listed = list(pairs)
        changes = cache.commit(self._substitution.applied(listed), force=force)
        following = self._substitution.follow([slot for slot, _ in listed])
        while following:
            more = cache.commit(following)
            for mine, theirs in zip(changes, more, strict=True):
                mine += theirs
            following = self._substitution.follow([slot for slot, _ in following])
        return changes

    # ------------------------------------------------------------------ output

    def mark_dirty(self) -> None:
        """Set the dirty flag: the shell calls `outgoing` once more, even if nothing changes."""
        self.dirty = True

    def outgoing(self) -> Outgoing:
        """All that waits to be stored, sent and audited. Clears `dirty`; the shell calls it again once that is set."""
        self.dirty = False
        kept, ticket = self.persistence.take()
        return Outgoing(
            kept, ticket, self.receivers(), self.notices(), self.audits(), self.due(), self.next_deadline_ns()
        )

    def receivers(self) -> list[Client]:
        """The clients for which reports, requests or late answers wait."""
        return [*self.behaviour.dispatch.receivers(), *self.behaviour.set_file.receivers()]

    def pull(self, client: Client) -> list[bytes]:
        """The PDUs for `client`, none longer than it accepts, as many as one turn may send."""
        return self.behaviour.dispatch.pull(client)

    def asks(self, client: Client) -> list[bytes]:
        """The service elements of our requests to `client`, to be sent one after the other; see `answered`."""
        return self.behaviour.set_file.asks(client)

    def answered(self, client: Client, tag: int | None, body: bytes, now: Stamp) -> None:
        """The answer of `client` to our request: the service `tag` and its contents; None if the client refused."""
        self.dirty = True
        self.behaviour.set_file.answered(client, tag, body, now)

    def answers(self, client: Client) -> list[ObtainFileResult]:
        """The late answers to requests of `client`, those for which `request` gave None."""
        return [
            ObtainFileResult(
                _pdu(client, number, outcome),
                name,
                "ok" if isinstance(outcome, bytes) else outcome.name.lower().replace("_", "-"),
            )
            for number, name, outcome in self.behaviour.set_file.answers(client)
        ]

    def stored(self, ticket: int) -> None:
        """The store has everything up to `ticket`."""
        self.dirty = True
        self.persistence.stored(ticket)
        self.behaviour.dispatch.stored()

    def audits(self) -> list[CommandRecord]:
        """The commands that have come to their end since the last call."""
        responses = self.behaviour.control.responses
        audits, responses.records = responses.records, []
        return audits

    def notices(self) -> list[Notice]:
        """The events of report control blocks since the last call: client, block, event."""
        dispatch = self.behaviour.dispatch
        notices, dispatch.notices = dispatch.notices, []
        return notices

    # ------------------------------------------------------------------ time

    def start(self, now: Stamp) -> None:
        """The server begins: periods run from now on."""
        for one in self.behaviour.walked:
            one.start(now)

    def deadline(self, now: Stamp) -> None:
        """Let every behaviour that has a deadline act on the time `now`."""
        for one in self.behaviour.timed:
            one.deadline(now)

    def next_deadline_ns(self) -> int:
        """The time at which `deadline` is to be called, on the monotonic clock."""
        return min([one.next_deadline_ns() for one in self.behaviour.timed])


def _pdu(client: Client, invoke_id: int, element: bytes | ServiceError | ServiceFailure) -> bytes:
    if not isinstance(element, bytes):
        return element.pdu(invoke_id)
    pdu = ber.tlv(0xA1, ber.tlv(0x02, ber.unsigned(invoke_id)) + element)
    return pdu if len(pdu) <= client.max_pdu else ServiceError.RESOURCE_OTHER.pdu(invoke_id)


__all__ = ["Client", "Engine", "Waiting"]
