"""Read fast path: a Read identical to an earlier one (but for its invokeID) is answered without decoding (pure).

Clients repeat their Reads, and only the invokeID differs. The octets of a packet without its invokeID are the key:

    03 00 LEN | 02 F0 80 | 01 00 01 00 | 61 30 ... A0 LEN { 02 n | id | A4 ... }
    └────────────────── before ──────────────────────────┘        └─ behind ─┘    (before + behind) -> plan

The same octets around an invokeID of the same length are the same request, so the plan that the stack compiled the first
time is valid: the slots to join. If a plan has many slots, the whole answer is cached until a value changes.
The length of a packet gives the position of the invokeID, since the headers before it grow with the packet; packets with
lengths in a longer form than necessary are distinguished by the first of them (the octet behind 61).
Only a whole Read in one packet is learned, if its plan is the same for every client. Every other packet, and every
doubtful one, is decoded by the association.
"""

from typing import Final, NamedTuple

from mms_server.model.read_plans import ReadPlan
from mms_server.model.tree import DataModel
from mms_server.stack import ber, cotp, presentation, session
from mms_server.stack.errors import WireError

READ: Final = 0xA4
OCTETS_LIMIT: Final = 2_000_000
KEPT_LIMIT: Final = 4_000_000
LONGEST: Final = 8_192
FRAMES_LIMIT: Final = 4_096
SHORTEST: Final = 30  # octets: no Read is shorter
MANY: Final = 8  # parts, from which on the whole answer is kept
_ID_OCTETS: Final = 4  # a longer invokeID is one that most never use
_FIRST_LENGTH: Final = 12  # where the first length in BER stands
_START: Final = b"\x03\x00"  # of a TPKT, before its length
_DATA: Final = b"\x02\xf0\x80" + session.DATA
_ONE_TPDU: Final = 1 << 16


class Room(NamedTuple):
    """Size limits of one client, in octets: of a TPDU, of a PDU, and of results that fit into both."""

    tpdu: int
    pdu: int
    results: int

    @classmethod
    def of(cls, tpdu: int, pdu: int) -> "Room":
        """The limits of a client with TPDUs of `tpdu` octets and PDUs of `pdu` octets."""
        return cls(tpdu, pdu, min(tpdu - _OVERHEAD, pdu - _ENVELOPE))


_OVERHEAD: Final = 48  # octets: all headers of all layers around results that fit one TPDU
_ENVELOPE: Final = 16  # octets: of the PDU alone


class _LearnedRead:
    """One learned request: its plan and, if the plan has many slots, the last answer, valid until a value changes."""

    __slots__ = ("at", "before", "behind", "count", "pdu_octets", "plan", "tpdu", "version")

    def __init__(self, plan: ReadPlan, at: int) -> None:
        self.plan = plan
        self.at = at  # where its invokeID stands
        self.version = -1  # of the values in the answer
        self.count = self.tpdu = self.pdu_octets = 0
        self.before = self.behind = b""


class ReadFastPath:
    """The learned Reads of one model, for all clients whose presentation context of MMS is `context`."""

    def __init__(self, model: DataModel, context: int) -> None:
        self._cache = model.cache
        self._plans = model.plans
        self._context = context
        self._generation = model.plans.generation
        self._known: dict[bytes, _LearnedRead] = {}
        self._places: dict[int, int] = {}  # of the invokeID, by the length of a packet and its first length in BER
        self._octets = 0
        self._kept = 0  # octets of whole answers
        self._frames: dict[tuple[int, int], tuple[bytes, bytes]] = {}  # by the octets of invokeID and results

    def answer(self, packet: bytes, room: Room) -> bytes | None:
        """The packets that answer `packet`, of at least SHORTEST octets; None if it was not learned or has to be decoded."""
        at = self._places.get(len(packet) << 8 | packet[_FIRST_LENGTH])
        if at is None or len(packet) > room.pdu:
            return None
        count = packet[at - 1]
        known = self._known.get(packet[:at] + packet[at + count :])
        if known is None or known.at != at or self._generation != self._plans.generation:
            return None
        first = packet[at]
        if first >= 0x80 or (not first and count > 1 and packet[at + 1] < 0x80):
            return None  # negative, or longer than it need be
        if len(known.plan.slots) >= MANY:
            return self._whole(known, packet[at : at + count], room)
        results = known.plan.results(self._cache, room.results)
        if results is None:
            return None
        size = len(results)
        frame = self._frames.get((count, size)) or self._framed(count, size)
        return frame[0] + packet[at : at + count] + frame[1] + results

    def _whole(self, known: _LearnedRead, invoke_id: bytes, room: Room) -> bytes | None:
        count = len(invoke_id)
        if (known.version, known.count, known.tpdu) != (self._cache.version, count, room.tpdu):
            results = known.plan.results(self._cache, room.pdu)
            if results is None:
                return None
            self._keep(known, results, count, room.tpdu)
        return None if known.pdu_octets > room.pdu else known.before + invoke_id + known.behind

    def _keep(self, known: _LearnedRead, results: bytes, count: int, tpdu: int) -> None:
        self._kept -= len(known.behind)
        if self._kept + len(results) > KEPT_LIMIT:
            self._forget()
        known.version, known.count, known.tpdu = self._cache.version, count, tpdu
        known.before, known.behind, known.pdu_octets = self._around(count, results, tpdu)
        self._kept += len(known.behind)

    def _forget(self) -> None:
        self._known.clear()
        self._places.clear()
        self._octets = self._kept = 0
        self._generation = self._plans.generation

    def learn(self, octets: bytes) -> bool:
        """Learn the packet at the front of `octets` if it is a Read with a plan; False if it is anything else."""
        end = int.from_bytes(octets[2:4], "big")
        if not SHORTEST <= end <= min(len(octets), LONGEST):
            return False
        packet = octets if end == len(octets) else octets[:end]
        at, body = self._taken_apart(packet)
        plan = self._plans.get(body)
        if plan is None or plan.specification:
            return False
        if self._generation != self._plans.generation or self._octets > OCTETS_LIMIT:
            self._forget()
        key = packet[:at] + packet[at + packet[at - 1] :]
        if key not in self._known:
            self._known[key] = _LearnedRead(plan, at)
            self._octets += len(key)
        self._places[len(packet) << 8 | packet[_FIRST_LENGTH]] = at
        return True

    def _taken_apart(self, packet: bytes) -> tuple[int, bytes]:
        """The position of the invokeID of the Read in `packet`, and its body; no body if it is anything else."""
        if not packet.startswith(_START) or not packet.startswith(_DATA, len(_START) + 2):
            return 0, b""
        end = len(packet)
        try:
            context, start, _ = presentation.take(packet, len(_START) + 2 + len(_DATA))
            pdu, start, pdu_end = ber.header(packet, start, end)
            tag, at, after = ber.header(packet, start, end)
            service, start, read_end = ber.header(packet, after, end)
        except WireError:
            return 0, b""
        usual = (context, pdu, pdu_end, tag, service, read_end) == (self._context, 0xA0, end, 0x02, READ, end)
        count = after - at
        return (at, packet[start:]) if usual and packet[at - 1] == count <= _ID_OCTETS else (0, b"")

    def _framed(self, count: int, size: int) -> tuple[bytes, bytes]:
        """The octets before and behind an invokeID of `count` octets, in an answer with `size` octets of results."""
        if len(self._frames) >= FRAMES_LIMIT:
            self._frames.clear()
        before, behind, _ = self._around(count, bytes(size), _ONE_TPDU)
        frame = self._frames[count, size] = (before, behind[: len(behind) - size])
        return frame

    def _around(self, count: int, results: bytes, tpdu: int) -> tuple[bytes, bytes, int]:
        """An answer in TPDUs of `tpdu` octets: those before and behind an invokeID of `count` octets, and the PDU's length."""
        element = ber.tlv(READ, ber.tlv(0xA1, results))
        pdu = ber.tlv(0xA1, ber.tlv(0x02, bytes(count)) + element)
        tsdu = session.DATA + presentation.wrap(self._context, pdu)
        whole = cotp.segments(tsdu, tpdu)
        at = len(_START) + 2 + cotp.DT_OCTETS + len(tsdu) - len(element) - count
        return whole[:at], whole[at + count :], len(pdu)
