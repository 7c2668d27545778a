"""The server's end of one association, all layers: octets in, events and octets out. It knows no socket and no clock.

                 CR            CONNECT (CP (AARQ (Initiate)))           accept()
    TRANSPORT ──────► SESSION ────────────────────────────► ASKED ───────────────► OPEN ──┐ data: Request events
        │                │                                    │ refuse()            │     │ Conclude, FINISH
        └────────────────┴──────── any fault, time limit ─────┴──────────► CLOSED ◄─┴─────┘

The owner moves octets: it calls `receive`, takes `events`, answers with `send`, writes `octets_to_send`, and closes the
connection once `closing` is true and all is written. A fault in the octets never raises; it becomes the answer that the
standard gives the peer, and a `Closed` event.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mms_server.association.calls import OwnCall, PeerCalls
from mms_server.association.connect_request import AssociationRequest
from mms_server.association.connect_request import decode as decode_request
from mms_server.association.events import AssociateIndication, Closed, Event, Request
from mms_server.association.packet_buffer import PacketBuffer
from mms_server.mms import initiate, reject
from mms_server.mms.initiate import Negotiated, Refusal, ServerLimits
from mms_server.stack import acse, ber, cotp, presentation, session, tpkt
from mms_server.stack.cotp import Reassembly
from mms_server.stack.errors import FaultAnswer, WireError
from mms_server.stack.session import Spdu

HANDSHAKE_S: Final = 10.0
FRAGMENT_S: Final = 60.0
OVERHEAD_OCTETS: Final = 1024  # session, presentation and ACSE around the largest PDU
_CONCLUDE_RESPONSE: Final = b"\x8c\x00"
_INVOKE_ID_LIMIT: Final = 0xFFFFFFFF


class ServerPhase(Enum):
    """The phases of an association, seen from the server's end."""

    TRANSPORT = "waits for CR"
    SESSION = "waits for CONNECT"
    ASKED = "waits for the owner's accept or refuse"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Selectors:
    """The selectors that a client must call; None accepts any."""

    transport: bytes | None = None
    session: bytes | None = None
    presentation: bytes | None = None


class Association:
    """The server's end of one association. See the module for its phases and its owner's duties."""

    __slots__ = (
        "_association_request", "_calls", "_deadline", "_events", "_fragments", "_mms_context", "_out", "_own", "_own_call",
        "_packets", "_pdu_octets", "_selectors", "_tpdu_octets", "phase",
    )  # fmt: skip

    def __init__(self, own: ServerLimits, now: float, selectors: Selectors = Selectors()) -> None:
        self.phase = ServerPhase.TRANSPORT
        self._own = own
        self._selectors = selectors
        self._deadline: float | None = now + HANDSHAKE_S
        self._packets = PacketBuffer()
        self._fragments = Reassembly(own.max_pdu + OVERHEAD_OCTETS)
        self._association_request: AssociationRequest | None = None  # from ASKED on
        self._calls = PeerCalls()
        self._own_call = OwnCall()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._tpdu_octets = 1 << cotp.LARGEST_TPDU
        self._pdu_octets = own.max_pdu
        self._mms_context = 0

    # ------------------------------------------------------------------ the owner's side

    @property
    def closing(self) -> bool:
        """True once the connection is to be closed, as soon as `octets_to_send` is written."""
        return self.phase is ServerPhase.CLOSED

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets of the peer; they become `events`."""
        if self.phase is ServerPhase.CLOSED:
            return
        if self._packets.octets:
            joined = self._packets.joined(octets, full=self._calls.full)
            if joined is None:
                return
            octets = joined
        self._take(octets, now)

    @property
    def full(self) -> bool:
        """True while no more requests can wait: the owner stops reading until `answer` has made room."""
        return self._calls.full

    @property
    def idle(self) -> bool:
        """True while it is open, no request is unanswered, and no message is incomplete."""
        return self.phase is ServerPhase.OPEN and not (self._calls.open or self._packets.octets or self._fragments)

    @property
    def context(self) -> int:
        """The presentation context of MMS."""
        return self._mms_context

    @property
    def tpdu_octets(self) -> int:
        """The largest TPDU, in octets."""
        return self._tpdu_octets

    def _take(self, octets: bytes, now: float) -> None:
        try:
            self._each_packet(octets, now)
        except WireError as fault:
            self._fail(fault)

    def events(self) -> list[Event]:
        """The events since the last call, in order."""
        events, self._events = self._events, []
        return events

    def octets_to_send(self) -> bytes:
        """All octets that wait to be written, joined; they are removed."""
        if not self._out:
            return b""
        octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return octets

    def accept(self) -> Negotiated | None:
        """Accept the association. None if the proposal cannot work: the client has then been refused."""
        request = self._expected()
        agreed = initiate.negotiate(request.proposal, self._own)
        if isinstance(agreed, Refusal):
            self._answer_connect(request, acse.ACCEPTED, 0, initiate.encode_error(agreed))
            self._close(f"initiate refused: {agreed.name.lower().replace('_', ' ')}")
            return None
        self._answer_connect(request, acse.ACCEPTED, 0, initiate.encode_response(agreed))
        self.phase, self._deadline = ServerPhase.OPEN, None
        self._calls.agree(agreed.calling)
        self._pdu_octets = agreed.max_pdu
        return agreed

    def refuse(self, diagnostic: int = acse.AUTHENTICATION_FAILURE, reason: str = "authentication failed") -> None:
        """Refuse the association: reject-permanent with the service user's `diagnostic`."""
        self._answer_connect(self._expected(), acse.REJECTED_PERMANENT, diagnostic, None)
        self._close(f"refused: {reason}")

    def send(self, pdu: bytes) -> None:
        """Queue one MMS PDU. Raises ValueError if it is longer than agreed."""
        if len(pdu) > self._pdu_octets:
            raise ValueError(f"PDU of {len(pdu)} octets, agreed are {self._pdu_octets}")
        if self.phase is not ServerPhase.OPEN:
            return  # the peer has gone meanwhile; there is nobody to tell
        self._send_data(pdu)

    def answer(self, pdu: bytes, now: float) -> None:
        """Queue the answer to one Request; the next waiting request becomes an event."""
        self.send(pdu)
        was_full = self._calls.full
        request = self._calls.answered()
        if request is None:
            return
        self._events.append(request)
        if was_full and self._packets.octets:
            self._take(self._packets.taken(), now)

    def ask(self, element: bytes) -> None:
        """Send a confirmed request of ours with the service `element`; its answer becomes a PeerResponse event.

        One at a time: an answer to an earlier request is dropped from now on. Raises ValueError for one that is too long.
        """
        self.send(self._own_call.pdu(element))

    def next_deadline(self) -> float | None:
        """The time at which `expire` is to be called, in the `now` of the owner; None for never."""
        return self._deadline

    def expire(self, now: float) -> None:
        """Let time pass: an unfinished handshake or fragment ends the association."""
        if self._deadline is not None and now >= self._deadline:
            self._close(
                "no whole message in time" if self.phase is ServerPhase.OPEN else "handshake not finished in time"
            )

    def abort(self, reason: str) -> None:
        """Abort the association from our side, with an abort to the peer."""
        if self.phase is ServerPhase.OPEN:
            abort = presentation.wrap(self._acse_context(), acse.encode_abort(by_provider=True))
            self._send_tsdu(session.encode_abort(abort))
        self._close(reason)

    # ------------------------------------------------------------------ packets and TPDUs

    def _each_packet(self, octets: bytes, now: float) -> None:
        position, end, needed = 0, len(octets), tpkt.HEADER_OCTETS
        while end - position >= tpkt.HEADER_OCTETS:
            length = tpkt.packet_octets(octets, position)
            if length > end - position:
                needed = length
                break
            self._tpdu(octets, position + tpkt.HEADER_OCTETS, position + length, now)
            if self.phase is ServerPhase.CLOSED:
                return
            position += length
            if self._calls.full:
                break
        if position < end:
            self._packets.keep(octets[position:], needed)

    def _tpdu(self, octets: bytes, start: int, end: int, now: float) -> None:
        if octets[start] == 2 and octets[start + 1] == cotp.Tpdu.DT:
            self._data(octets[start + cotp.DT_OCTETS : end], octets[start + 2] & 0x80 != 0, now)
        elif self.phase is ServerPhase.TRANSPORT:
            self._connection(cotp.decode_connect(octets[start:end]))
        elif octets[start + 1] & 0xF0 in (cotp.Tpdu.DR, cotp.Tpdu.ER):
            self._close("disconnected by the peer", orderly=True)
        else:
            raise WireError("cotp", 1, f"TPDU {octets[start + 1]:02x}, expected DT")

    def _connection(self, request: cotp.ConnectRequest) -> None:
        wanted = self._selectors.transport
        if wanted is not None and request.called != wanted:
            self._out.append(cotp.encode_disconnect(request, reason=2))
            self._close("another T-selector was called")
            return
        self._tpdu_octets = 1 << request.tpdu_size
        self._out.append(cotp.encode_confirm(request))
        self.phase = ServerPhase.SESSION

    def _data(self, piece: bytes, last: bool, now: float) -> None:
        if self.phase is ServerPhase.TRANSPORT:
            raise WireError("cotp", 0, "DT before the connection stands")
        if not last or self._fragments:
            whole = self._fragments.add(piece, last)
            if self.phase is ServerPhase.OPEN:
                self._deadline = now + FRAGMENT_S if whole is None else None
            if whole is None:
                return
            piece = whole
        if self.phase is ServerPhase.OPEN:
            self._open_tsdu(piece)
        elif self.phase is ServerPhase.SESSION:
            self._connect_tsdu(piece)
        else:
            raise WireError("session", 0, "data while the association is being decided")

    # ------------------------------------------------------------------ coming and going

    def _connect_tsdu(self, tsdu: bytes) -> None:
        request = decode_request(tsdu)
        self._association_request, self._mms_context = request, request.mms_context
        if not self._selectors_fit(request):
            self._close("another S- or P-selector was called")
            return
        self.phase = ServerPhase.ASKED
        if request.acse.application != acse.MMS_APPLICATION:
            self.refuse(acse.APPLICATION_CONTEXT_UNKNOWN, f"application context {request.acse.application}")
        else:
            self._events.append(AssociateIndication(request.acse, request.proposal))

    def _selectors_fit(self, request: AssociationRequest) -> bool:
        request.spdu.selector(0x33)
        pairs = (
            (self._selectors.session, request.spdu.selector(0x34)),
            (self._selectors.presentation, request.connect.called),
        )
        return all(wanted is None or wanted == called for wanted, called in pairs)

    def _expected(self) -> AssociationRequest:
        if self.phase is not ServerPhase.ASKED or self._association_request is None:
            raise RuntimeError(f"nothing to accept or refuse: the association {self.phase.value}")
        return self._association_request

    def _answer_connect(self, request: AssociationRequest, result: int, diagnostic: int, mms: bytes | None) -> None:
        aare = acse.encode_answer(result, diagnostic, self._mms_context, mms)
        self._send_tsdu(session.encode_accept(request.spdu, presentation.encode_accept(request.connect, aare)))

    def _acse_context(self) -> int:
        assert self._association_request is not None  # noqa: S101 - OPEN implies it
        return self._association_request.acse_context

    def _leave(self, spdu: Spdu) -> None:
        if spdu.identifier == session.FINISH:
            release = presentation.wrap(self._acse_context(), acse.RLRE)
            self._send_tsdu(session.encode(session.DISCONNECT, b"", release))
            self._close("released", orderly=True)
        elif spdu.identifier == session.ABORT:
            self._close("aborted by the peer", orderly=True)
        else:
            raise WireError("session", 0, f"SPDU {spdu.identifier:02x}, expected data, FINISH or ABORT")

    def _fail(self, fault: WireError) -> None:
        if fault.answer is FaultAnswer.CLOSE or self.phase is not ServerPhase.OPEN:
            self._close(str(fault))
        else:
            self.abort(str(fault))

    def _close(self, reason: str, *, orderly: bool = False) -> None:
        if self.phase is not ServerPhase.CLOSED:
            self.phase, self._deadline = ServerPhase.CLOSED, None
            self._packets.clear()
            self._calls.clear()
            self._events.append(Closed(reason, orderly))

    # ------------------------------------------------------------------ MMS

    def _open_tsdu(self, tsdu: bytes) -> None:
        start = session.data_offset(tsdu)
        if start is None:
            self._leave(session.decode(tsdu))
            return
        try:
            context, start, end = presentation.take(tsdu, start)
        except WireError:  # not the form that everybody sends; the rare forms of BER get a second look
            context, tsdu = presentation.unwrap(tsdu[start:])
            start, end = 0, len(tsdu)
        if context == self._mms_context:
            self._mms(tsdu, start, end)
        elif context == self._acse_context():
            self._close("aborted or released by the peer", orderly=True)
        else:
            raise WireError("presentation", 0, f"context {context}, expected {self._mms_context}", FaultAnswer.ABORT)

    def _mms(self, octets: bytes, start: int, end: int) -> None:
        if end - start > self._pdu_octets:
            self._send_data(reject.encode(reject.Reason.INVALID_PDU))
            return
        try:
            tag, inner, inner_end = ber.header(octets, start, end)
            if inner_end != end:
                raise WireError("mms", inner_end - start, "octets behind the PDU")
        except WireError:
            self._send_data(reject.encode(reject.Reason.INVALID_PDU))
            return
        if tag == 0xA0:
            self._confirmed(octets, inner, end)
        elif tag == 0x8B:
            self._send_data(_CONCLUDE_RESPONSE)
        elif tag in (0xA1, 0xA2, 0xA4):
            self._answered(tag, octets, inner, end)
        elif tag in (0xA3, 0x86, 0xA6, 0xA7, 0x8C, 0xAD):
            return  # reports, cancel's answers: dropped, as the standard has it
        else:
            self._send_data(reject.encode(reject.Reason.UNKNOWN_PDU_TYPE))

    def _confirmed(self, octets: bytes, start: int, end: int) -> None:
        invoke_id = None
        try:
            tag, first, after = ber.header(octets, start, end)
            if tag != 0x02:
                raise WireError("mms", 0, f"tag {tag:02x}, expected the invokeID")
            number = ber.decode_unsigned(octets, first, after)
            if number > _INVOKE_ID_LIMIT:
                raise WireError("mms", 0, f"invokeID {number}, expected at most {_INVOKE_ID_LIMIT}")
            invoke_id = number
            service, first, after = ber.header(octets, after, end)
        except WireError:
            self._send_data(reject.encode(reject.Reason.INVALID_PDU, invoke_id))
            return
        if service == 0x30:
            self._send_data(reject.encode(reject.Reason.UNRECOGNIZED_MODIFIER, invoke_id))
        elif after != end and octets[after : after + 2] != b"\xbf\x4f":
            self._send_data(reject.encode(reject.Reason.INVALID_PDU, invoke_id))
        else:
            self._requested(Request(invoke_id, service, octets[first:after]))

    def _answered(self, tag: int, octets: bytes, start: int, end: int) -> None:
        answer = self._own_call.answer(tag, octets, start, end)
        if answer is not None:
            self._events.append(answer)

    def _requested(self, request: Request) -> None:
        if self._calls.taken(request):
            self._events.append(request)

    # ------------------------------------------------------------------ down the layers

    def _send_data(self, pdu: bytes) -> None:
        self._send_tsdu(session.DATA + presentation.wrap(self._mms_context, pdu))

    def _send_tsdu(self, tsdu: bytes) -> None:
        self._out.append(cotp.segments(tsdu, self._tpdu_octets))
