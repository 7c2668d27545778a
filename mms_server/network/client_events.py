"""Events of clients: each goes to the log, to the audit log and to the embedding program (shell)."""

import hashlib
import logging
from collections.abc import Callable, Iterable

from mms_server.acsi import audit_events
from mms_server.acsi.audit_events import AuditEvent
from mms_server.acsi.clients import Client
from mms_server.acsi.control.command_record import CommandRecord
from mms_server.acsi.reporting.dispatch import Notice
from mms_server.storage.audit_log import AuditLog

log = logging.getLogger("mms.association")
commands = logging.getLogger("mms.command")

Listener = Callable[[Client, bool], None]
NoticeListener = Callable[[Client | None, str, str], None]


class ClientEvents:
    """The events of one server's clients. `audit` takes one line each, where there is one."""

    def __init__(
        self, audit: AuditLog | None, on_connection: Listener | None, on_notice: NoticeListener | None
    ) -> None:
        self._audit = audit
        self._on_connection = on_connection
        self._on_notice = on_notice

    def audited(self, event: str, client: Client, event_fields: AuditEvent) -> None:
        """Put one line into the audit log."""
        if self._audit is not None:
            self._audit.add(event, client, event_fields)

    def answered(self, client: Client, service: int, body: bytes, pdu: bytes) -> None:
        """A request of a service in AUDITED was answered with `pdu`."""
        if self._audit is not None:
            for event, event_fields in audit_events.events_of(service, body, pdu):
                self._audit.add(event, client, event_fields)

    def associated(self, client: Client) -> None:
        """`client` has associated."""
        shown = {} if client.certificate is None else {"certificate": hashlib.sha256(client.certificate).hexdigest()}
        self.audited("associated", client, shown)
        if self._on_connection is not None:
            self._on_connection(client, True)

    def ended(self, client: Client, reason: str) -> None:
        """The association of `client` ends; `left` follows once the engine has released its reservations."""
        self.audited("ended", client, {"reason": reason})

    def left(self, client: Client) -> None:
        """`client` is gone."""
        if self._on_connection is not None:
            self._on_connection(client, False)

    def commanded(self, records: Iterable[CommandRecord]) -> None:
        """Commands have come to their end."""
        for one in records:
            commands.info("%s", one, extra=one.fields())
            self.audited(audit_events.COMMANDS[one.service], one.client, audit_events.commanded(one))

    def noticed(self, notices: Iterable[Notice]) -> None:
        """Something has happened to report control blocks."""
        for who, block, event in notices:
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s: %s", block, event, extra=_subject(who))
            if self._on_notice is not None:
                self._on_notice(who, block, event)


def _subject(client: Client | None) -> dict[str, object]:
    return {"peer": "-"} if client is None else {"assoc": client.association, "peer": client.address}
