"""InformationReport as IEC 61850-8-1 uses it: one variable list called RPT, whose values tell each other apart by order.

A3 { A0 { A1 { 80 "RPT" }, A0 { RptID OptFlds [SqNum] [TimeOfEntry] [DatSet] [BufOvfl] [EntryID] [ConfRev]
                                [SubSeqNum MoreSegmentsFollow] inclusion [references ...] values ... [reasons ...] } } }

OptFlds inside the report says what is in this report. A report that is longer than the client takes is cut into
segments: same SqNum and TimeOfEntry, SubSeqNum from 0, each with the inclusion bits of its own members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mms_server.mms.data import BinaryTime, BitString, VisibleString
from mms_server.stack import ber

SEQUENCE: Final = 0x100  # of the ten bits, the first the most significant
TIME: Final = 0x080
REASON: Final = 0x040
DATA_SET: Final = 0x020
REFERENCES: Final = 0x010
OVERFLOW: Final = 0x008
ENTRY_ID: Final = 0x004
CONF_REV: Final = 0x002
SEGMENTATION: Final = 0x001

_OPT_FLDS: Final = BitString(10)
_REASON: Final = BitString(6)
_TIME: Final = BinaryTime()
_STRING: Final = VisibleString(255)
_NAME: Final = bytes.fromhex("a1058003525054")
_ENVELOPE_OCTETS: Final = len(_NAME) + 3 * 5  # the tags and lengths around the list, at their longest
_SEGMENT_OCTETS: Final = 8 + 3  # SubSeqNum and MoreSegmentsFollow, at their longest


class Included(NamedTuple):
    """One member in a report: which it is, why (six bits of ReasonCode), its reference and its Data."""

    member: int
    reason: int
    reference: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the members. `opt_flds` as the block has them; `entry_id` None for an URCB."""

    rpt_id: str
    opt_flds: int
    sq_num: int
    time_ns: int
    data_set: str
    conf_rev: int
    members: int  # of the whole data set
    entry_id: bytes | None = None
    overflow: bool = False


def encode(header: Header, included: Sequence[Included], limit: int) -> list[bytes]:
    """The PDUs of one report, each of at most `limit` octets; none if a member alone is longer than that."""
    whole = _pdu(header, included, None)
    if len(whole) <= limit:
        return [whole]
    cut = _cut(header, included, limit)
    last = len(cut) - 1
    return [_pdu(header, part, (number, number < last)) for number, part in enumerate(cut)]


def _cut(header: Header, included: Sequence[Included], limit: int) -> list[Sequence[Included]]:
    room = limit - _ENVELOPE_OCTETS - len(_head(header, SEGMENTATION)) - _SEGMENT_OCTETS - _inclusion_octets(header)
    segments: list[Sequence[Included]] = []
    taken: list[Included] = []
    left = room
    for one in included:
        octets = _octets_of(header, one)
        if octets > room:
            return []
        if octets > left:
            segments.append(taken)
            taken, left = [], room
        taken.append(one)
        left -= octets
    return [*segments, taken]


def fits(header: Header, included: Sequence[Included], limit: int) -> bool:
    """True if each member, were it alone, can be sent in a PDU of `limit` octets."""
    return len(_pdu(header, included, None)) <= limit or bool(_cut(header, included, limit))


def _octets_of(header: Header, one: Included) -> int:
    octets = len(one.data)
    if header.opt_flds & REFERENCES:
        octets += len(one.reference) + 4
    return octets + 4 if header.opt_flds & REASON else octets


def _inclusion_octets(header: Header) -> int:
    return -(-header.members // 8) + 6


def _pdu(header: Header, included: Sequence[Included], segment: tuple[int, bool] | None) -> bytes:
    parts = [_head(header, 0 if segment is None else SEGMENTATION)]
    if segment is not None:
        parts.append(ber.tlv(0x86, ber.unsigned(segment[0])) + (b"\x83\x01\x01" if segment[1] else b"\x83\x01\x00"))
    bits = 0
    for one in included:
        bits |= 1 << header.members - 1 - one.member
    parts.append(inclusion(header.members, bits))
    if header.opt_flds & REFERENCES:
        parts += [_STRING.encode(one.reference) for one in included]
    parts += [one.data for one in included]
    if header.opt_flds & REASON:
        parts += [_REASON.encode(one.reason) for one in included]
    return ber.tlv(0xA3, ber.tlv(0xA0, _NAME + ber.tlv(0xA0, b"".join(parts))))


def inclusion(members: int, bits: int) -> bytes:
    """The inclusion bit string, also of more members than one length octet counts."""
    unused = -members % 8
    return ber.tlv(0x84, bytes((unused,)) + (bits << unused).to_bytes((members + unused) // 8, "big"))


def _head(header: Header, segmented: int) -> bytes:
    kept = SEQUENCE | TIME | REASON | DATA_SET | REFERENCES | CONF_REV
    if header.entry_id is not None:
        kept |= OVERFLOW | ENTRY_ID
    flags = header.opt_flds & kept | segmented
    parts = [_STRING.encode(header.rpt_id), _OPT_FLDS.encode(flags)]
    if flags & SEQUENCE:
        parts.append(ber.tlv(0x86, ber.unsigned(header.sq_num)))
    if flags & TIME:
        parts.append(_TIME.encode(header.time_ns))
    if flags & DATA_SET:
        parts.append(_STRING.encode(header.data_set))
    if flags & OVERFLOW:
        parts.append(b"\x83\x01\x01" if header.overflow else b"\x83\x01\x00")
    if flags & ENTRY_ID and header.entry_id is not None:
        parts.append(ber.tlv(0x89, header.entry_id))
    if flags & CONF_REV:
        parts.append(ber.tlv(0x86, ber.unsigned(header.conf_rev)))
    return b"".join(parts)
