"""Audit events: each change that a client made, as one JSON object on a line of the audit log (pure).

    {"time": "2026-01-31T12:00:00.250Z", "event": "operate", "client": "10.20.0.7:50122", "association": 3,
     "object": "DEMOIO/GGIO1.SPCSO1", "value": true, "orCat": 3, "orIdent": "", "ctlNum": 1, "test": false,
     "result": "ok", "ms": 31}

The events of a Write are taken from its request and its answer, item by item; report control blocks are left out, as every
client writes them all the time.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mms_server.acsi.clients import Client
from mms_server.acsi.control.command_record import CommandRecord
from mms_server.acsi.file_transfer.files import name_of
from mms_server.mms import access, file_names
from mms_server.mms.access import Variable
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import ArgumentError, DataAccessError
from mms_server.mms.names import ObjectName
from mms_server.mms.plain import Plain, plain, utc_text
from mms_server.stack import ber
from mms_server.stack.errors import WireError

WRITE, DELETE, RENAME, OBTAIN = 0xA5, 0xBF4C, 0xBF4B, 0xBF2E
AUDITED: Final = frozenset({WRITE, DELETE, RENAME, OBTAIN})
COMMANDS: Final = {"Oper": "operate", "SBO": "select", "SBOw": "select", "Cancel": "cancel"}
TEXT_LIMIT: Final = 256  # of a name or a value: nobody turns the log over with a few long ones
_FILES: Final = {DELETE: "file-delete", RENAME: "file-rename", OBTAIN: "file-obtain"}
_LEFT_OUT: Final = ("RP", "BR", "CO")

AuditEvent = dict[str, Any]


def line(event: str, client: Client, utc_ns: int, event_fields: AuditEvent) -> str:
    """One line of the log, without its end."""
    who = {"time": utc_text(utc_ns), "event": event, "client": client.address, "association": client.association}
    return json.dumps(who | event_fields, separators=(", ", ": "))


def commanded(audit: CommandRecord) -> AuditEvent:
    """The audit event of a command that has ended."""
    event_fields: AuditEvent = {"object": audit.reference}
    action = audit.action
    if action is not None:
        event_fields |= {
            "value": action.value, "orCat": action.or_cat, "orIdent": action.or_ident.hex(), "ctlNum": action.ctl_num,
            "test": action.test,
        }  # fmt: skip
    return event_fields | {"result": "ok" if audit.refused is None else result(audit.refused), "ms": audit.ms}


def short(value: Plain) -> Plain:
    """`value`, or the beginning of its text where that is long."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return value if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "…"


def result(verdict: object) -> str:
    """A verdict in words: ok, an AddCause, an error, or refused."""
    if isinstance(verdict, AddCause | DataAccessError):
        return verdict.name.lower().replace("_", "-")
    return "ok" if verdict is True else "refused"


def events_of(service: int, body: bytes, pdu: bytes) -> list[tuple[str, AuditEvent]]:
    """The names and fields of the audit events of a request that `pdu` has answered.

    A request that was rejected, or refused as a whole, changed nothing: no event. Commands have their CommandRecord instead.
    """
    try:
        if service == WRITE:
            return list(_written(body, pdu))
        named = _file_names(service, body)
    except (WireError, ArgumentError):
        return []
    return [(_FILES[service], named | {"result": "ok" if pdu[:1] == b"\xa1" else "refused"})]


def _file_names(service: int, body: bytes) -> AuditEvent:
    if service == DELETE:
        return {"file": short(name_of(file_names.decode(body, 0, len(body))))}
    _, start, end = ber.header(body, 0, len(body))
    _, second, last = ber.header(body, end, len(body))
    to = short(name_of(file_names.decode(body, second, last)))
    return (
        {"file": to} if service == OBTAIN else {"file": short(name_of(file_names.decode(body, start, end))), "to": to}
    )


def _written(body: bytes, pdu: bytes) -> Iterator[tuple[str, AuditEvent]]:
    _, _, position = ber.header(body, 0, len(body))
    wanted = access.decode(body, 0, position)
    _, start, end = ber.header(body, position, len(body))
    parts = ber.elements(body, start, end)
    for index, ((first, last), verdict) in enumerate(zip(parts, _results(pdu), strict=False)):
        found = _event(wanted, index, plain(body[first:last]), verdict)
        if found is not None:
            yield found


def _results(pdu: bytes) -> Iterator[object]:
    """The result of each item in a Write's answer, True or its error; none if it is no response."""
    tag, start, end = ber.header(pdu, 0, len(pdu))
    if tag != 0xA1:
        return
    _, _, start = ber.header(pdu, start, end)
    _, start, end = ber.header(pdu, start, end)
    for first, _ in ber.elements(pdu, start, end):
        yield True if pdu[first] == 0x81 else DataAccessError(pdu[first + 2])


def _event(
    wanted: Sequence[Variable] | ObjectName, index: int, value: Plain, verdict: object
) -> tuple[str, AuditEvent] | None:
    if isinstance(wanted, ObjectName):
        return "write", {"object": short(f"{_text(wanted)}[{index}]"), "value": short(value), "result": result(verdict)}
    name = wanted[index].name
    if name is None or name.domain is None:
        return None
    domain, item = name.domain.decode("ascii", "replace"), name.item.decode("ascii", "replace")
    ln, *rest = item.split("$")
    fc, path = (rest[0], rest[1:]) if rest else ("", [])
    if fc in _LEFT_OUT:
        return None
    event = "setting-group" if path[:1] == ["SGCB"] else "write"
    return event, {
        "object": short(f"{domain}/{'.'.join((ln, *path))} [{fc}]"),
        "value": short(value),
        "result": result(verdict),
    }


def _text(name: ObjectName) -> str:
    domain = "" if name.domain is None else name.domain.decode("ascii", "replace") + "/"
    return domain + name.item.decode("ascii", "replace")
