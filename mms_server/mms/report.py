"""InformationReport as IEC 61850-8-1 uses it: one variable list called RPT, whose values tell each other apart by order.

A3 { A0 { A1 { 80 "RPT" }, A0 { RptID OptFlds [SqNum] [TimeOfEntry] [DatSet] [BufOvfl] [EntryID] [ConfRev]
                                [SubSeqNum MoreSegmentsFollow] inclusion [references ...] values ... [reasons ...] } } }

OptFlds inside the report says what is in this report. A report that is longer than the client takes is cut into
segments: same SqNum and TimeOfEntry, SubSeqNum from 0, each with the inclusion bits of its own members.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

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
_REASONS: Final = tuple(_REASON.encode(reason) for reason in range(64))
_TIME: Final = BinaryTime()
_STRING: Final = VisibleString(255)
_NAME: Final = bytes.fromhex("a1058003525054")
_ENVELOPE_OCTETS: Final = len(_NAME) + 3 * 5  # the tags and lengths around the list, at their longest
_SEGMENT_OCTETS: Final = 8 + 3  # SubSeqNum and MoreSegmentsFollow, at their longest


@dataclass(slots=True)
class Body:
    """The body of a report: its members (ascending) with six bits of ReasonCode each, and the Data of each.

    Blocks with the same members and reasons share one body; the octets joined for one serve the others.
    """

    members: tuple[tuple[int, int], ...]
    data: tuple[bytes, ...]
    _joined: dict[int, bytes] = field(default_factory=dict, compare=False)

    def joined(self, flags: int, of: "Members") -> bytes:
        """Inclusion bits, references, values and reasons, as `flags` say. A body is of one data set."""
        wanted = flags & (REFERENCES | REASON)
        octets = self._joined.get(wanted)
        if octets is None:
            octets = self._joined[wanted] = self._join(wanted, of)
        return octets

    def _join(self, flags: int, of: "Members") -> bytes:
        parts = [of.inclusion([member for member, _ in self.members])]
        if flags & REFERENCES:
            references = of.references()
            parts += [references[member] for member, _ in self.members]
        parts += self.data
        if flags & REASON:
            parts += [_REASONS[reason] for _, reason in self.members]
        return b"".join(parts)

    def cut(self, start: int, end: int) -> "Body":
        """Some of its members, by their places in it."""
        return Body(self.members[start:end], self.data[start:end])


class Members:
    """The members of a data set as reports have them; `references` are their texts."""

    def __init__(self, references: Sequence[str]) -> None:
        self._texts = references
        self._encoded: list[bytes] = []

    def __len__(self) -> int:
        return len(self._texts)

    def references(self) -> Sequence[bytes]:
        """The reference of each, encoded; once, when the first client wants them."""
        if not self._encoded:
            self._encoded = [_STRING.encode(one) for one in self._texts]
        return self._encoded

    def inclusion(self, included: Sequence[int]) -> bytes:
        """The inclusion bit string, also of more members than one length octet counts."""
        count = len(self._texts)
        unused = -count % 8
        octets = bytearray((count + unused) // 8)
        if len(included) == count:
            octets[:] = b"\xff" * len(octets)
            if unused:
                octets[-1] = 0xFF << unused & 0xFF
        else:
            for member in included:
                octets[member >> 3] |= 0x80 >> (member & 7)
        return ber.tlv(0x84, bytes((unused,)) + octets)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields before the members. `opt_flds` as the block has them; `entry_id` None for an URCB."""

    rpt_id: str
    opt_flds: int
    sq_num: int
    time_ns: int
    data_set: str
    conf_rev: int
    members: Members  # of the whole data set
    entry_id: bytes | None = None
    overflow: bool = False


def encode(header: Header, body: Body, limit: int) -> list[bytes]:
    """The PDUs of one report, each of at most `limit` octets; none if a member alone is longer than that."""
    whole = _pdu(header, body, None)
    if len(whole) <= limit:
        return [whole]
    cut = _cut(header, body, limit)
    last = len(cut) - 1
    return [_pdu(header, part, (number, number < last)) for number, part in enumerate(cut)]


def _cut(header: Header, body: Body, limit: int) -> list[Body]:
    room = limit - _ENVELOPE_OCTETS - len(_head(header, SEGMENTATION)) - _SEGMENT_OCTETS - _inclusion_octets(header)
    segments: list[Body] = []
    start, left = 0, room
    for place, ((member, _), data) in enumerate(zip(body.members, body.data, strict=True)):
        octets = _octets_of(header, member, data)
        if octets > room:
            return []
        if octets > left:
            segments.append(body.cut(start, place))
            start, left = place, room
        left -= octets
    return [*segments, body.cut(start, len(body.members))]


def fits(header: Header, body: Body, limit: int) -> bool:
    """True if each member, were it alone, can be sent in a PDU of `limit` octets."""
    return len(_pdu(header, body, None)) <= limit or bool(_cut(header, body, limit))


def _octets_of(header: Header, member: int, data: bytes) -> int:
    octets = len(data)
    if header.opt_flds & REFERENCES:
        octets += len(header.members.references()[member])
    return octets + len(_REASONS[0]) if header.opt_flds & REASON else octets


def _inclusion_octets(header: Header) -> int:
    return -(-len(header.members) // 8) + 6


def _pdu(header: Header, body: Body, segment: tuple[int, bool] | None) -> bytes:
    parts = _head(header, 0 if segment is None else SEGMENTATION)
    if segment is not None:
        parts += ber.tlv(0x86, ber.unsigned(segment[0])) + (b"\x83\x01\x01" if segment[1] else b"\x83\x01\x00")
    listed = ber.tlv(0xA0, parts + body.joined(header.opt_flds, header.members))
    return ber.tlv(0xA3, ber.tlv(0xA0, _NAME + listed))


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
