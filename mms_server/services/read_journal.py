"""ReadJournal: entries of a log, by time or after an entry, page by page (ISO 9506-2; IEC 61850-8-1, QueryLogByTime, ...After).

BF41 { A0 { name }, [A1 { 80 start time | 81 entry }], [A2 { 80 end time | 81 number }], [A5 { 80 time 81 entry before }] }
  ->   BF41 { A0 { 30 { 80 entryID, A1 { 30 }, A2 { 80 time, A2 { A1 { 30 { 80 tag, A1 { data } } ... } } } } ... }, 81 more }

Each member is two variables: its reference with its Data, and ReasonCode.
"""

from typing import Final, NamedTuple

from mms_server.acsi.log_control.logs import LogEntry, LogJournal
from mms_server.mms import names
from mms_server.mms.data import BinaryTime, BitString
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_FRAME_OCTETS: Final = 32
_TIME: Final = BinaryTime()
_REASON: Final = BitString(6)


class _Range(NamedTuple):
    """The range of a request; None for what it does not give."""

    start_ns: int | None = None
    first_id: int | None = None
    stop_ns: int | None = None
    number: int | None = None
    after_id: int | None = None


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """One page of entries."""
    tag, start, position = ber.header(body, 0, len(body))
    if tag != 0xA0:
        raise ArgumentError(f"tag {tag:02x}, expected the name of a journal")
    name = names.decode(body, start, position)
    found = None if name.domain is None else context.behaviour.logs.find(name.domain, name.item)
    asked = _range(body, position)
    if found is None:
        return ServiceError.ACCESS_NON_EXISTENT
    room = context.room - _FRAME_OCTETS
    taken: list[bytes] = []
    more = False
    for entry in _chosen(found, asked):
        encoded = _encoded(entry)
        room -= len(encoded)
        if room < 0 or len(taken) == asked.number:
            more = room < 0
            break
        taken.append(encoded)
    if more and not taken:
        return ServiceError.RESOURCE_OTHER
    return ber.tlv(0xBF41, ber.tlv(0xA0, b"".join(taken)) + (b"\x81\x01\x01" if more else b"\x81\x01\x00"))


def _chosen(found: LogJournal, asked: _Range) -> list[LogEntry]:
    entries = found.entries if asked.after_id is None else found.after(asked.after_id)
    if asked.first_id is not None:
        entries = [entry for entry in entries if entry.entry_id >= asked.first_id]
    inside = set(found.between(asked.start_ns, asked.stop_ns)) if asked.start_ns or asked.stop_ns else None
    return entries if inside is None else [entry for entry in entries if entry in inside]


def _encoded(entry: LogEntry) -> bytes:
    variables = b"".join(
        _variable(reference, data) + _variable(b"ReasonCode", _REASON.encode(reason))
        for reference, data, reason in entry.rows
    )
    time = ber.tlv(0x80, _TIME.encode(entry.time_ns)[2:])
    content = ber.tlv(0xA2, time + ber.tlv(0xA2, ber.tlv(0xA1, variables)))
    return ber.tlv(0x30, ber.tlv(0x80, entry.entry_id.to_bytes(8, "big")) + b"\xa1\x02\x30\x00" + content)


def _variable(tag: bytes, data: bytes) -> bytes:
    return ber.tlv(0x30, ber.tlv(0x80, tag) + ber.tlv(0xA1, data))


def _range(body: bytes, position: int) -> _Range:
    asked = _Range()
    while position < len(body):
        tag, start, position = ber.header(body, position, len(body))
        if tag == 0xA4:
            continue  # which variables: all of them are sent
        kind, first, after = ber.header(body, start, position)
        match tag, kind:
            case 0xA1, 0x80:
                asked = asked._replace(start_ns=_time(body[first:after]))
            case 0xA1, 0x81:
                asked = asked._replace(first_id=_entry(body[first:after]))
            case 0xA2, 0x80:
                asked = asked._replace(stop_ns=_time(body[first:after]))
            case 0xA2, 0x81:
                asked = asked._replace(number=ber.decode_unsigned(body, first, after))
            case 0xA5, 0x80:
                kind, first, after = ber.header(body, after, position)
                if kind != 0x81:
                    raise ArgumentError("no entry to start after")
                asked = asked._replace(after_id=_entry(body[first:after]))
            case _:
                raise ArgumentError(f"tag {tag:02x} with {kind:02x}, expected the range of entries")
    return asked


def _time(octets: bytes) -> int:
    value = _TIME.decode(0x8C, octets)
    if isinstance(value, DataAccessError):
        raise ArgumentError("a time that is none")
    return value


def _entry(octets: bytes) -> int:
    if len(octets) > 8:
        raise ArgumentError(f"an EntryID of {len(octets)} octets, expected 8")
    return int.from_bytes(octets, "big")


SERVICE: Final = Service("readJournal", 0xBF41, 65, answer)
