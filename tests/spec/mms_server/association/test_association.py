"""One association in memory and virtual time: a client's octets in, the server's out."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mms_server.association.events import AssociateIndication, Closed, PeerResponse, Request
from mms_server.association.server_end import HANDSHAKE_S, Association, Selectors, ServerPhase
from mms_server.mms.initiate import Negotiated, Proposal, Refusal, ServerLimits, negotiate
from mms_server.mms.reject import Reason, encode
from mms_server.stack import ber
from mms_server.stack.cotp import Reassembly

OWN = ServerLimits(services=frozenset({1, 2, 4, 6, 12, 83}))
VECTORS = Path(__file__).parents[3] / "vectors" / "associate"
CR, CONNECT = (bytes.fromhex(line) for line in (VECTORS / "libiec61850.hex").read_text(encoding="ascii").split())
READ = bytes.fromhex("a1 15 a0 13 30 11 a0 0f a1 0d 1a 04 4c 44 30 31 1a 05 4c 4c 4e 30 24")


def tpkt(tpdu: bytes) -> bytes:
    return b"\x03\x00" + (len(tpdu) + 4).to_bytes(2, "big") + tpdu


def data(pdu: bytes) -> bytes:
    wrapped = ber.tlv(0x61, ber.tlv(0x30, b"\x02\x01\x03" + ber.tlv(0xA0, pdu)))
    return tpkt(b"\x02\xf0\x80\x01\x00\x01\x00" + wrapped)


def confirmed(invoke_id: int, service: int = 0xA4, body: bytes = READ) -> bytes:
    return ber.tlv(0xA0, ber.tlv(0x02, ber.integer(invoke_id)) + ber.tlv(service, body))


def opened(own: ServerLimits = OWN) -> Association:
    association = Association(own, 0.0)
    association.receive(CR + CONNECT, 0.0)
    (asked,) = association.events()
    assert isinstance(asked, AssociateIndication)
    assert association.accept() is not None
    association.octets_to_send()
    return association


def closed(association: Association) -> Closed:
    last = association.events()[-1]
    assert isinstance(last, Closed)
    assert association.closing
    assert association.next_deadline() is None
    return last


@pytest.mark.conformance("ASS-1")
def test_a_real_clients_association_request_is_understood_whole() -> None:
    association = Association(OWN, 0.0)
    association.receive(CR, 0.0)
    assert association.octets_to_send().hex() == "0300001611d00001000100c0010dc1020001c2020001"
    association.receive(CONNECT, 0.0)
    (asked,) = association.events()
    assert isinstance(asked, AssociateIndication)
    assert (asked.acse.calling_title, asked.acse.calling_qualifier, asked.acse.password) == ("1.1.1.999", 12, None)
    assert (asked.proposal.max_pdu, asked.proposal.calling, asked.proposal.nesting) == (65000, 5, 10)


@pytest.mark.conformance("ASS-5")
def test_one_octet_at_a_time_gives_the_same_answer() -> None:
    slow, fast = Association(OWN, 0.0), Association(OWN, 0.0)
    for association, chunks in ((fast, [CR + CONNECT]), (slow, [bytes((one,)) for one in CR + CONNECT])):
        for chunk in chunks:
            association.receive(chunk, 0.0)
        association.accept()
    assert slow.octets_to_send() == fast.octets_to_send()


@pytest.mark.conformance("ASS-5")
def test_a_message_in_many_pieces_is_one_request() -> None:
    association = opened()
    tsdu = data(confirmed(7))[7:]
    for piece in (tsdu[:1], tsdu[1:5], tsdu[5:-1]):
        association.receive(tpkt(b"\x02\xf0\x00" + piece), 1.0)
        assert association.events() == []
        assert association.next_deadline() == 61.0
    association.receive(tpkt(b"\x02\xf0\x80" + tsdu[-1:]), 1.0)
    assert association.events() == [Request(7, 0xA4, READ)]
    assert association.next_deadline() is None


def test_a_long_answer_is_cut_to_the_clients_tpdus() -> None:
    small = CR.replace(bytes.fromhex("c0010d"), bytes.fromhex("c0010a"))
    association = Association(OWN, 0.0)
    association.receive(small + CONNECT, 0.0)
    association.accept()
    association.octets_to_send()
    association.receive(data(confirmed(1)), 0.0)
    association.answer(ber.tlv(0xA1, bytes(5000)), 0.0)
    octets, lengths = association.octets_to_send(), []
    while octets:
        length = int.from_bytes(octets[2:4], "big")
        lengths.append(length - 4)
        assert (octets[6] == 0x80) == (len(octets) == length)
        octets = octets[length:]
    assert max(lengths) == 1024
    assert sum(lengths) - 3 * len(lengths) == 5000 + 4 + 4 + 4 + 3 + 4 + 4


@pytest.mark.conformance("ASS-1")
def test_conclude_is_answered_and_finish_ends_the_association_orderly() -> None:
    association = opened()
    association.receive(data(bytes.fromhex("8b00")), 0.0)
    assert association.octets_to_send() == data(bytes.fromhex("8c00"))
    association.receive(tpkt(bytes.fromhex("02f0800911c10f610d300b020101a006620480020000")), 0.0)
    assert association.octets_to_send()[7] == 0x0A
    assert closed(association) == Closed("released", orderly=True)


@pytest.mark.conformance("ASS-2")
def test_an_abort_ends_it_at_once() -> None:
    association = opened()
    association.receive(tpkt(bytes.fromhex("02f0801903110103")), 0.0)
    assert closed(association) == Closed("aborted by the peer", orderly=True)


@pytest.mark.conformance("ASS-N1")
def test_a_refused_client_gets_reject_permanent_and_the_diagnostic() -> None:
    association = Association(OWN, 0.0)
    association.receive(CR + CONNECT, 0.0)
    association.events()
    association.refuse()
    assert bytes.fromhex("a203020101a305a10302010d") in association.octets_to_send()
    assert closed(association).reason == "refused: authentication failed"


@pytest.mark.conformance("ASS-N2")
def test_a_wrong_selector_is_refused_only_where_one_is_demanded() -> None:
    strict = Association(OWN, 0.0, Selectors(transport=b"\x00\x02"))
    strict.receive(CR, 0.0)
    assert strict.octets_to_send()[5] == 0x80
    assert closed(strict).reason == "another T-selector was called"
    fitting = Association(OWN, 0.0, Selectors(b"\x00\x01", b"\x00\x01", b"\x00\x00\x00\x01"))
    fitting.receive(CR + CONNECT, 0.0)
    assert fitting.phase is ServerPhase.ASKED


CALLED = {"transport": b"\x00\x01", "session": b"\x00\x01", "presentation": b"\x00\x00\x00\x01"}
OTHERS = {"transport": "another T-selector was called", "session": "another S- or P-selector was called",
          "presentation": "another S- or P-selector was called"}  # fmt: skip


def calling(layer: str, selector: bytes) -> bytes:
    """The octets of a client that calls `selector` at that layer, which is as long as the one of the vector."""
    tag = {"transport": b"\xc2", "session": b"\x34", "presentation": b"\x82"}[layer]
    written = tag + bytes((len(selector),))
    octets = CR + CONNECT
    assert octets.count(written + CALLED[layer]) == 1
    return octets.replace(written + CALLED[layer], written + selector)


@pytest.mark.parametrize("layer", CALLED)
def test_each_selector_that_is_demanded_has_to_be_called_whatever_the_others_are(layer: str) -> None:
    called = CALLED[layer]
    for demanded in (called[:-1] + b"\x02", called + b"\x00", called[:-1], b""):
        for selectors in ({layer: demanded}, CALLED | {layer: demanded}):
            strict = Association(OWN, 0.0, Selectors(**selectors))
            strict.receive(CR, 0.0)
            strict.receive(CONNECT, 0.0)
            assert closed(strict).reason == OTHERS[layer]
    fitting = Association(OWN, 0.0, Selectors(**{layer: called}))
    fitting.receive(CR + CONNECT, 0.0)
    assert fitting.phase is ServerPhase.ASKED


@pytest.mark.conformance("ASS-N2")
@pytest.mark.parametrize("layer", CALLED)
def test_where_no_selector_is_demanded_any_will_do(layer: str) -> None:
    other = bytes(0xFF - one for one in CALLED[layer])
    association = Association(OWN, 0.0)
    association.receive(calling(layer, other), 0.0)
    assert association.phase is ServerPhase.ASKED
    assert association.accept() is not None
    association.octets_to_send()
    association.receive(data(confirmed(1)), 0.0)
    assert [event for event in association.events() if isinstance(event, Request)] == [Request(1, 0xA4, READ)]


@pytest.mark.parametrize("max_pdu", [1000, 65_000])
def test_a_pdu_that_is_longer_than_agreed_is_rejected_whole_and_the_next_one_is_answered(max_pdu: int) -> None:
    association = opened(ServerLimits(max_pdu=max_pdu, services=OWN.services))

    def request(octets: int) -> bytes:
        pdu = confirmed(7, body=bytes(octets))
        return confirmed(7, body=bytes(2 * octets - len(pdu)))

    for octets in (max_pdu, max_pdu + 1, max_pdu + 100, max_pdu):
        pdu = request(octets)
        assert len(pdu) == octets
        association.receive(data(pdu), 0.0)
        taken, rejected = association.events(), association.octets_to_send()
        if octets > max_pdu:
            assert (taken, rejected) == ([], data(encode(Reason.INVALID_PDU)))
        else:
            assert ([type(one) for one in taken], rejected) == ([Request], b"")


@pytest.mark.parametrize("piece", [b"", b"\x01"])
def test_a_tsdu_of_too_many_pieces_ends_the_association(piece: bytes) -> None:
    more, last = tpkt(b"\x02\xf0\x00" + piece), tpkt(b"\x02\xf0\x80" + piece)
    association = opened()
    association.receive(more * Reassembly.PIECES, 1.0)
    assert not association.closing
    association.receive(last, 1.0)
    assert "2048 pieces" in closed(association).reason
    connecting = Association(OWN, 0.0)
    connecting.receive(CR + more * Reassembly.PIECES, 1.0)
    assert not connecting.closing
    connecting.receive(more, 1.0)
    assert "2048 pieces" in closed(connecting).reason


def test_a_tsdu_of_as_many_pieces_as_there_may_be_is_one_request_and_so_is_the_next() -> None:
    association = opened()
    body = READ + bytes(Reassembly.PIECES)
    tsdu = data(confirmed(7, body=body))[7:]
    size = -(-len(tsdu) // Reassembly.PIECES)
    pieces = [tsdu[at : at + size] for at in range(0, len(tsdu), size)]
    for _ in range(2):
        empty = [b""] * (Reassembly.PIECES - len(pieces))
        *first, last = [*empty, *pieces]
        association.receive(b"".join(tpkt(b"\x02\xf0\x00" + one) for one in first), 1.0)
        association.receive(tpkt(b"\x02\xf0\x80" + last), 1.0)
        assert association.events() == [Request(7, 0xA4, body)]


def test_a_handshake_that_does_not_come_to_an_end_is_closed_in_time() -> None:
    association = Association(OWN, 100.0)
    association.receive(CR, 105.0)
    assert association.next_deadline() == 100.0 + HANDSHAKE_S
    association.expire(109.9)
    assert not association.closing
    association.expire(110.0)
    assert closed(association).reason == "handshake not finished in time"


REJECTED = [
    ("ae00", None, Reason.UNKNOWN_PDU_TYPE, "a tag that no PDU has"),
    ("a003020105", 5, Reason.INVALID_PDU, "no service"),
    ("a0080201fb a403800100", None, Reason.INVALID_PDU, "a negative invokeID"),
    ("a00c0206010000000000a4028000", None, Reason.INVALID_PDU, "an invokeID over 32 bits"),
    ("a00a020105 3000 a403800100", 5, Reason.UNRECOGNIZED_MODIFIER, "a modifier"),
    ("a00a020105 a403800100 0500", 5, Reason.INVALID_PDU, "octets behind the service"),
    ("a0ff", None, Reason.INVALID_PDU, "a length that is none"),
]


@pytest.mark.conformance("ASS-N6")
@pytest.mark.parametrize(("pdu", "invoke_id", "reason", "why"), REJECTED)
def test_what_is_no_request_is_rejected_and_the_association_goes_on(
    pdu: str, invoke_id: int | None, reason: Reason, why: str
) -> None:
    association = opened()
    association.receive(data(bytes.fromhex(pdu)), 0.0)
    assert association.octets_to_send() == data(encode(reason, invoke_id)), why
    association.receive(data(confirmed(9)), 0.0)
    assert association.events() == [Request(9, 0xA4, READ)]


@pytest.mark.conformance("ASS-N6")
def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    association = opened()
    association.receive(data(bytes.fromhex("a105020101a400")), 0.0)
    assert (association.events(), association.octets_to_send()) == ([], b"")


@pytest.mark.conformance("ASS-N8")
def test_requests_beyond_the_agreed_number_wait_in_order_and_none_is_lost() -> None:
    association = opened()
    association.receive(b"".join(data(confirmed(number)) for number in range(200)), 0.0)
    assert association.full
    seen: list[int] = []
    events = association.events()
    assert len(events) == 5
    while events:
        event = events.pop(0)
        assert isinstance(event, Request)
        seen.append(event.invoke_id)
        association.answer(ber.tlv(0xA1, ber.tlv(0x02, ber.unsigned(event.invoke_id))), 0.0)
        events += association.events()
    assert seen == list(range(200))
    assert not association.full


def test_a_pdu_longer_than_agreed_is_never_sent() -> None:
    association = opened()
    with pytest.raises(ValueError, match=r"^PDU of 65001 octets, agreed are 65000$"):
        association.send(bytes(65001))


NEGOTIATIONS = [
    (65000, 5, 1, Negotiated(65000, 5, 5, 10, frozenset({0}), OWN.services)),
    (None, 1, 1, Negotiated(65000, 1, 5, 10, frozenset({0}), OWN.services)),
    (512, 200, 2, Negotiated(512, 5, 5, 10, frozenset({0}), OWN.services)),
    (511, 5, 1, Refusal.MAX_SEGMENT_INSUFFICIENT),
    (-1, 5, 1, Refusal.MAX_SEGMENT_INSUFFICIENT),
    (1 << 40, 0, 1, Refusal.MAX_SERVICES_CALLING_INSUFFICIENT),
    (65000, 5, 0, Refusal.VERSION_INCOMPATIBLE),
]


@pytest.mark.conformance("ASS-4")
@pytest.mark.parametrize(("max_pdu", "calling", "version", "agreed"), NEGOTIATIONS)
def test_what_is_agreed_is_the_minimum_of_both_sides(
    max_pdu: int | None, calling: int, version: int, agreed: Negotiated | Refusal
) -> None:
    proposal = Proposal(max_pdu, calling, 5, None, version, frozenset({0, 9}), frozenset())
    assert negotiate(proposal, OWN) == agreed


@pytest.mark.conformance("ASS-4")
@pytest.mark.parametrize(
    ("called", "nesting", "agreed"),
    [(5, 10, (5, 10)), (6, 11, (5, 10)), (200, 200, (5, 10)), (4, 3, (4, 3)), (1, 0, (1, 0)), (0, None, (0, 10)),
     (-1, 10, Refusal.MAX_SERVICES_CALLED_INSUFFICIENT), (5, -1, Refusal.NESTING_INSUFFICIENT)],
)  # fmt: skip
def test_what_the_server_may_ask_and_how_deep_data_nest_is_the_minimum_too(
    called: int, nesting: int | None, agreed: tuple[int, int] | Refusal
) -> None:
    found = negotiate(Proposal(65000, 3, called, nesting, 1, frozenset({0}), frozenset()), OWN)
    assert agreed == ((found.called, found.nesting) if isinstance(found, Negotiated) else found)
    if isinstance(found, Negotiated):
        assert found.calling == 3


@given(st.binary(max_size=300))
def test_no_octets_before_the_association_raise(octets: bytes) -> None:
    association = Association(OWN, 0.0)
    association.receive(octets, 0.0)
    association.receive(CR, 0.0)
    association.events()


@settings(max_examples=300)
@given(st.integers(0, len(CONNECT) - 1), st.integers(0, 255), st.integers(0, len(CONNECT)))
def test_a_changed_or_cut_association_request_is_accepted_or_closed(at: int, octet: int, cut: int) -> None:
    association = Association(OWN, 0.0)
    association.receive(CR, 0.0)
    changed = bytearray(CONNECT)
    changed[at] = octet
    association.receive(bytes(changed)[: cut or None], 0.0)
    for event in association.events():
        assert isinstance(event, AssociateIndication | Closed)
        if isinstance(event, AssociateIndication):
            association.accept()


@settings(max_examples=300)
@given(st.binary(max_size=80), st.booleans())
def test_whatever_comes_as_data_is_answered_rejected_or_ends_the_association(octets: bytes, framed: bool) -> None:
    association = opened()
    association.receive(data(octets) if framed else tpkt(b"\x02\xf0\x80" + octets), 0.0)
    for event in association.events():
        assert isinstance(event, Request | Closed)


def test_indefinite_lengths_around_data_are_understood() -> None:
    association = opened()
    inner = ber.tlv(0xA0, confirmed(3))
    ppdu = b"\x61\x80\x30\x80\x02\x01\x03" + inner + b"\0\0\0\0"
    association.receive(tpkt(b"\x02\xf0\x80\x01\x00\x01\x00" + ppdu), 0.0)
    assert association.events() == [Request(3, 0xA4, READ)]


@pytest.mark.conformance("FT-4")
def test_an_answer_to_our_request_is_an_event_and_any_other_is_dropped() -> None:
    association = opened()
    unasked = data(bytes.fromhex("a106 020101 9f4a00"))
    association.receive(unasked, 1.0)
    assert association.events() == []
    association.ask(bytes.fromhex("9f4a0101"))
    assert association.octets_to_send().endswith(bytes.fromhex("a007 020101 9f4a0101"))
    association.receive(data(bytes.fromhex("a106 020102 9f4a00")), 1.0)
    association.receive(data(bytes.fromhex("a102 0201")), 1.0)
    assert association.events() == []
    association.receive(unasked + unasked, 1.0)
    assert association.events() == [PeerResponse(0x9F4A)]
    assert association.octets_to_send() == b""


@pytest.mark.conformance("FT-4")
@pytest.mark.parametrize("no", ["a20c 800101 a207 a005 8b0107 8000", "a406 800101 810101"])
def test_an_error_or_a_reject_says_no_to_our_request_and_a_late_answer_is_dropped(no: str) -> None:
    association = opened()
    association.ask(bytes.fromhex("9f490101"))
    association.receive(data(bytes.fromhex(no)), 1.0)
    assert association.events() == [PeerResponse(None)]
    association.ask(bytes.fromhex("9f490101"))
    association.ask(bytes.fromhex("9f490101"))
    association.receive(data(bytes.fromhex("a106 020102 9f4a00")), 1.0)
    assert association.events() == []
