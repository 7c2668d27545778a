"""The client's end of one association: octets in, events and octets out. It knows no socket and reads no clock.

                   CC: sends CONNECT (CP (AARQ (Initiate)))     ACCEPT: Opened
    TRANSPORT ───────────────────────────────► ASKING ────────────────────────► OPEN ── Answer, Unconfirmed
        │ made: sends CR                         │ refused                       │ release(): sends FINISH
        └────────── any fault, the peer's end ───┴──────────► CLOSED ◄── DISCONNECT ── RELEASING

The codecs are those of `server_end`. Time limits are the owner's: it calls `abort` when it does not want to wait longer.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mms_server.mms import initiate
from mms_server.mms.initiate import LARGEST_PDU, OWN_PARAMETERS, Negotiated
from mms_server.stack import acse, ber, cotp, presentation, session, tpkt
from mms_server.stack.cotp import Reassembly
from mms_server.stack.errors import WireError

ACSE_CONTEXT: Final = 1
MMS_CONTEXT: Final = 3
CONTEXTS: Final = ((ACSE_CONTEXT, presentation.ACSE_SYNTAX), (MMS_CONTEXT, presentation.MMS_SYNTAX))
OVERHEAD_OCTETS: Final = 1024  # session, presentation and ACSE around the largest PDU
T_SELECTOR: Final = b"\x00\x01"
S_SELECTOR: Final = b"\x00\x01"
P_SELECTOR: Final = b"\x00\x00\x00\x01"
# status, getNameList, identify, read, write, getVariableAccessAttributes, getNamedVariableListAttributes,
# informationReport, conclude
_SERVICES: Final = frozenset({0, 1, 2, 4, 5, 6, 12, 79, 83})
PROPOSED: Final = Negotiated(LARGEST_PDU, 1, 5, 10, OWN_PARAMETERS, _SERVICES)
_AUTHENTICATION: Final = "authentication failed"


class ClientPhase(Enum):
    """The phases of an association, seen from the client's end."""

    TRANSPORT = "waits for CC"
    ASKING = "waits for the answer to its AARQ"
    OPEN = "open"
    RELEASING = "waits for DISCONNECT"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Opened:
    """The server has accepted the association, with the parameters `negotiated`."""

    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a confirmed request: `kind` is the tag of its PDU (A1 response, A2 error, A4 reject).

    `contents` are those of the PDU; those of a response and an error begin behind the invokeID. `invoke_id` is None for a
    reject that names no request.
    """

    invoke_id: int | None
    kind: int
    contents: bytes


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The contents of an unconfirmed PDU: an InformationReport, for one."""

    contents: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of the association, and its reason for the log."""

    reason: str


Event = Opened | Answer | Unconfirmed | Closed

RESPONSE: Final = 0xA1
ERROR: Final = 0xA2
REJECT: Final = 0xA4
_UNCONFIRMED: Final = 0xA3


class ClientAssociation:
    """The client's end of one association. See the module for its phases; the CR waits to be sent from the start."""

    def __init__(self, password: bytes | None = None) -> None:
        self.phase = ClientPhase.TRANSPORT
        self.negotiated = PROPOSED
        self._password = password
        self._buffer = bytearray()
        self._fragments = Reassembly(PROPOSED.max_pdu + OVERHEAD_OCTETS)
        self._tpdu_octets = 1 << cotp.LARGEST_TPDU
        self._events: list[Event] = []
        self._out = [cotp.encode_request(T_SELECTOR, T_SELECTOR)]

    # ------------------------------------------------------------------ the owner's side

    def octets_to_send(self) -> bytes:
        """All octets that wait to be written, joined; they are removed."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    def events(self) -> list[Event]:
        """The events since the last call, in order."""
        events, self._events = self._events, []
        return events

    def receive(self, octets: bytes) -> None:
        """Take octets of the server, none if it has closed the connection; they become `events`."""
        if self.phase is ClientPhase.CLOSED:
            return
        if not octets:
            self._close("the server closed the connection")
            return
        self._buffer += octets
        try:
            self._packets()
        except WireError as fault:
            self._close(str(fault))

    def request(self, invoke_id: int, service: int, body: bytes) -> None:
        """Queue one confirmed request. Raises ValueError if it is longer than agreed, or the association is not open."""
        if self.phase is not ClientPhase.OPEN:
            raise ValueError(f"no request while the association {self.phase.value}")
        pdu = ber.tlv(0xA0, ber.tlv(0x02, ber.unsigned(invoke_id)) + ber.tlv(service, body))
        if len(pdu) > self.negotiated.max_pdu:
            raise ValueError(f"a request of {len(pdu)} octets, agreed are {self.negotiated.max_pdu}")
        self._send_tsdu(session.DATA + presentation.wrap(MMS_CONTEXT, pdu))

    def release(self) -> None:
        """Ask for an orderly end; `Closed` comes with the server's answer."""
        if self.phase is ClientPhase.OPEN:
            self._send_tsdu(session.encode(session.FINISH, b"", presentation.wrap(ACSE_CONTEXT, acse.RLRQ)))
            self.phase = ClientPhase.RELEASING

    def abort(self, reason: str) -> None:
        """Abort the association from our side, with an abort to the server."""
        if self.phase in (ClientPhase.OPEN, ClientPhase.RELEASING):
            abort = presentation.wrap(ACSE_CONTEXT, acse.encode_abort(by_provider=False))
            self._send_tsdu(session.encode_abort(abort))
        self._close(reason)

    # ------------------------------------------------------------------ up the layers

    def _packets(self) -> None:
        while self.phase is not ClientPhase.CLOSED and len(self._buffer) >= tpkt.HEADER_OCTETS:
            length = tpkt.packet_octets(self._buffer, 0)
            if len(self._buffer) < length:
                return
            tpdu = bytes(self._buffer[tpkt.HEADER_OCTETS : length])
            del self._buffer[:length]
            self._tpdu(tpdu)

    def _tpdu(self, tpdu: bytes) -> None:
        if tpdu[1] & 0xF0 in (cotp.Tpdu.DR, cotp.Tpdu.ER):
            self._close("disconnected by the server")
        elif self.phase is ClientPhase.TRANSPORT:
            self._tpdu_octets = 1 << cotp.decode_confirm(tpdu)
            self._send_tsdu(self._connect())
            self.phase = ClientPhase.ASKING
        elif tpdu[0] != 2 or tpdu[1] != cotp.Tpdu.DT:
            raise WireError("cotp", 1, f"TPDU {tpdu[1]:02x}, expected DT")
        else:
            tsdu = self._fragments.add(tpdu[cotp.DT_OCTETS :], tpdu[2] & 0x80 != 0)
            if tsdu is not None:
                self._tsdu(tsdu)

    def _connect(self) -> bytes:
        aarq = acse.encode_associate(MMS_CONTEXT, initiate.encode_request(PROPOSED), self._password)
        cp = presentation.encode_connect(P_SELECTOR, P_SELECTOR, CONTEXTS, aarq)
        return session.encode_connect(S_SELECTOR, S_SELECTOR, cp)

    def _tsdu(self, tsdu: bytes) -> None:
        start = session.data_offset(tsdu)
        if start is None:
            self._spdu(session.decode(tsdu))
        elif self.phase is ClientPhase.ASKING:
            raise WireError("session", 0, "data before the association stands")
        else:
            context, first, end = presentation.take(tsdu, start)
            if context != MMS_CONTEXT:
                raise WireError("presentation", 0, f"context {context}, expected {MMS_CONTEXT}")
            self._pdu(tsdu, first, end)

    def _spdu(self, spdu: session.Spdu) -> None:
        match spdu.identifier, self.phase:
            case session.ACCEPT, ClientPhase.ASKING:
                self._answered(acse.decode_answer(presentation.decode_accept(spdu.user_data)))
            case session.REFUSE, ClientPhase.ASKING:
                self._close("refused by the server's session layer")
            case session.DISCONNECT, ClientPhase.RELEASING:
                self._close("released")
            case session.ABORT, _:
                self._close("aborted by the server")
            case _:
                raise WireError("session", 0, f"SPDU {spdu.identifier:02x} while the association {self.phase.value}")

    def _answered(self, answer: acse.AssociateAnswer) -> None:
        if not answer.accepted or answer.mms is None:
            known = answer.diagnostic == acse.AUTHENTICATION_FAILURE
            self._close(f"refused: {_AUTHENTICATION if known else f'diagnostic {answer.diagnostic}'}")
            return
        self.negotiated = initiate.decode_response(answer.mms, PROPOSED)
        self.phase = ClientPhase.OPEN
        self._events.append(Opened(self.negotiated))

    def _pdu(self, octets: bytes, start: int, end: int) -> None:
        kind, first, last = ber.header(octets, start, end)
        if last != end:
            raise WireError("mms", last - start, "octets behind the PDU")
        if kind == _UNCONFIRMED:
            self._events.append(Unconfirmed(octets[first:end]))
        elif kind in (RESPONSE, ERROR):
            tag, number, after = ber.header(octets, first, end)
            if tag != (0x02 if kind == RESPONSE else 0x80):
                raise WireError("mms", first - start, f"tag {tag:02x}, expected the invokeID")
            self._events.append(Answer(ber.decode_unsigned(octets, number, after), kind, octets[after:end]))
        elif kind == REJECT:
            tag, number, after = ber.header(octets, first, end)
            known = ber.decode_unsigned(octets, number, after) if tag == 0x80 else None
            self._events.append(Answer(known, kind, octets[first:end]))
        else:
            raise WireError("mms", 0, f"PDU {kind:02x}, expected an answer or a report")

    # ------------------------------------------------------------------ down the layers

    def _send_tsdu(self, tsdu: bytes) -> None:
        self._out.append(cotp.segments(tsdu, self._tpdu_octets))

    def _close(self, reason: str) -> None:
        if self.phase is not ClientPhase.CLOSED:
            self.phase = ClientPhase.CLOSED
            self._buffer.clear()
            self._events.append(Closed(reason))
