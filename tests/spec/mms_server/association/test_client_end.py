"""The client's end of an association against hostile and dumb servers: a fault is a reason, and nothing waits for ever."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.quality import Stamp
from mms_server.association import server_end
from mms_server.association.client_end import (
    PROPOSED,
    Answer,
    ClientAssociation,
    ClientPhase,
    Closed,
    Event,
    Opened,
    Unconfirmed,
)
from mms_server.association.events import AssociateIndication
from mms_server.association.server_end import Association
from mms_server.client.client import MmsClient
from mms_server.client.errors import MmsError
from mms_server.client.session import Session
from mms_server.mms import initiate
from mms_server.mms.initiate import ServerLimits
from mms_server.stack import acse, ber, cotp, presentation, session, tpkt

CC = bytes.fromhex("0300001611d00001000100c0010dc2020001c1020001")
READ = 0xA4


def server(max_pdu: int = 65_000) -> Association:
    return Association(ServerLimits(services=frozenset({1, 4}), max_pdu=max_pdu), 0.0)


def answers(association: Association, octets: bytes, seen: list[AssociateIndication] | None = None) -> bytes:
    """The octets that the server sends for `octets`; it accepts every association. `seen` gets the requests to associate."""
    association.receive(octets, 0.0)
    asked = [event for event in association.events() if isinstance(event, AssociateIndication)]
    if asked:
        association.accept()
    if seen is not None:
        seen += asked
    return association.octets_to_send()


def opened(max_pdu: int = 65_000) -> ClientAssociation:
    client, other = ClientAssociation(), server(max_pdu)
    while client.phase is not ClientPhase.OPEN:
        client.receive(answers(other, client.octets_to_send()))
    assert [type(event) for event in client.events()] == [Opened]
    return client


def data(pdu: bytes) -> bytes:
    return cotp.segments(session.DATA + presentation.wrap(3, pdu), 1 << 13)


def response(invoke_id: int, element: bytes) -> bytes:
    return data(ber.tlv(0xA1, ber.tlv(0x02, ber.unsigned(invoke_id)) + element))


def closed(client: ClientAssociation) -> str:
    *_, last = client.events()
    assert isinstance(last, Closed)
    assert client.phase is ClientPhase.CLOSED
    return last.reason


# ---------------------------------------------------------------------- what comes in order


def test_an_association_opens_whatever_the_pieces_it_comes_in() -> None:
    client, other, seen = ClientAssociation(b"secret"), server(1000), list[AssociateIndication]()
    while client.phase is not ClientPhase.OPEN:
        for octet in answers(other, client.octets_to_send(), seen):
            client.receive(bytes((octet,)))
    (event,) = client.events()
    assert isinstance(event, Opened)
    assert event.negotiated.max_pdu == 1000
    assert [one.acse.password for one in seen] == [b"secret"]


def test_answers_and_reports_are_told_apart() -> None:
    client = opened()
    client.receive(
        response(7, b"\xa4\x00")
        + data(ber.tlv(0xA2, ber.tlv(0x80, b"\x08") + b"\xa2\x05\xa0\x03\x87\x01\x02"))
        + data(bytes.fromhex("a406800109810101"))
        + data(bytes.fromhex("a403850101"))
        + data(ber.tlv(0xA3, b"\xa0\x00"))
    )
    expected: list[Event] = [
        Answer(7, 0xA1, b"\xa4\x00"),
        Answer(8, 0xA2, b"\xa2\x05\xa0\x03\x87\x01\x02"),
        Answer(9, 0xA4, bytes.fromhex("800109810101")),
        Answer(None, 0xA4, bytes.fromhex("850101")),
        Unconfirmed(b"\xa0\x00"),
    ]
    assert client.events() == expected


def test_no_request_is_longer_than_agreed_nor_leaves_before_the_association_stands() -> None:
    with pytest.raises(ValueError, match=r"^no request while the association waits for CC$"):
        ClientAssociation().request(1, READ, b"")
    with pytest.raises(ValueError, match=r"^a request of 1011 octets, agreed are 1000$"):
        opened(1000).request(1, READ, bytes(1000))


# ---------------------------------------------------------------------- what does not


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "the server closed the connection"),
        (b"HTTP/1.1 400 Bad Request", "tpkt: version 72, expected 3, at octet 0"),
        (bytes.fromhex("03000006ffff"), "tpkt: length 6, expected 7..65535, at octet 2"),
        (bytes.fromhex("0300000b06800001000102"), "disconnected by the server"),
        (bytes.fromhex("0300000702f080"), "cotp: no CC in answer to the CR, at octet 0"),
        (CC.replace(b"\xc0\x01\x0d", b"\xc0\x01\x0e"), "cotp: TPDU size 0e, expected 07..0d, at octet 7"),
        (CC + data(b"\xa1\x00"), "session: data before the association stands, at octet 0"),
        (CC + tpkt.wrap(b"\x02\xf0\x80\x0c\x00"), "refused by the server's session layer"),
        (CC + tpkt.wrap(b"\x02\xf0\x80\x0e\x00"), "presentation: element cut off, at octet 0"),
    ],
)
def test_what_is_no_answer_to_a_connect_ends_it_with_the_reason(octets: bytes, reason: str) -> None:
    client = ClientAssociation()
    client.receive(octets)
    assert closed(client) == reason


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (data(b"\xa1\x03\x80\x01\x01"), "mms: tag 80, expected the invokeID, at octet 2"),
        (data(b"\xa0\x03\x02\x01\x01"), "mms: PDU a0, expected an answer or a report, at octet 0"),
        (data(b"\xa1\x7f\x02\x01\x01"), "ber: length 127, expected at most 3, at octet 15"),
        (tpkt.wrap(b"\x02\xf0\x80\x19\x00"), "aborted by the server"),
        (tpkt.wrap(b"\x02\xf0\x80\x0a\x00"), "session: SPDU 0a while the association open, at octet 0"),
        (tpkt.wrap(b"\x02\xe0\x80\x19\x00"), "cotp: TPDU e0, expected DT, at octet 1"),
    ],
)
def test_what_means_nothing_on_an_open_association_ends_it(octets: bytes, reason: str) -> None:
    client = opened()
    client.receive(octets)
    assert closed(client) == reason


@settings(max_examples=300)
@given(st.binary(max_size=200), st.booleans())
def test_no_octets_of_a_server_raise(octets: bytes, framed: bool) -> None:
    for client in (ClientAssociation(), opened()):
        client.receive(tpkt.wrap(b"\x02\xf0\x80" + octets) if framed else octets)
        client.events()


@settings(max_examples=300)
@given(st.binary(max_size=120))
def test_no_unconfirmed_pdu_brings_more_than_an_error(octets: bytes) -> None:
    with pytest.raises(MmsError):
        Script(lambda _: data(ber.tlv(0xA3, octets))).session().ask("x", READ, b"")


class Script:
    """A wire to a server that associates in order, and then answers each request as a test has it."""

    def __init__(self, said: Callable[[int], bytes]) -> None:
        self._server = server()
        self._said = said
        self._asked = 0
        self._ns = 0
        self._ready: list[bytes] = []
        self.closed = False

    def session(self) -> Session:
        return Session(self, "script")

    def now(self) -> Stamp:
        return Stamp(self._ns, 0)

    def send(self, octets: bytes) -> None:
        if self._server.phase is not server_end.ServerPhase.OPEN:
            self._ready.append(answers(self._server, octets))
        else:
            self._asked += 1
            self._ready.append(self._said(self._asked))

    def receive(self, until_ns: int) -> bytes | None:
        if self._ready and self._ready[0]:
            return self._ready.pop(0)
        self._ready.clear()
        self._ns = until_ns
        return None

    def close(self) -> None:
        self.closed = True


def test_a_server_that_says_nothing_is_given_up_after_the_time_limit() -> None:
    wire = Script(lambda _: b"")
    one = wire.session()
    with pytest.raises(MmsError, match=r"^script: no answer to LD0 within 10 s$"):
        one.ask("LD0", READ, b"")
    assert wire.closed
    with pytest.raises(MmsError, match=r"^LD0: no answer to LD0 within 10 s$"):
        one.ask("LD0", READ, b"")
    one.close()


def test_a_server_that_never_associates_is_given_up_after_the_time_limit() -> None:
    class Silent(Script):
        def send(self, octets: bytes) -> None:
            del octets

    with pytest.raises(MmsError, match=r"^script: no association within 3 s$"):
        MmsClient(Silent(lambda _: b""), "script", timeout_s=3)


def test_an_answer_to_another_request_is_not_taken_for_ours() -> None:
    wire = Script(lambda number: response(99, b"\xa4\x01\x00") + response(number, b"\xa4\x01\x07"))
    assert wire.session().ask("x", READ, b"") == b"\x07"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (response(1, b"\xa5\x00"), "x: answered by another service (a500)"),
        (data(bytes.fromhex("a406800101810101")), "x: rejected (800101810101)"),
        (data(bytes.fromhex("a20a800101a205a003870163")), "x: refused (a205a003870163)"),
        (data(bytes.fromhex("a20a800101a205a003870103")), "x: access-denied"),
        (data(bytes.fromhex("a203800101")), "x: mms: no element a2, at octet 0"),
    ],
)
def test_a_no_is_told_in_words_and_what_is_unknown_in_octets(said: bytes, text: str) -> None:
    with pytest.raises(MmsError) as caught:
        Script(lambda _: said).session().ask("x", READ, b"")
    assert str(caught.value) == text


def test_name_lists_that_go_round_in_circles_are_left() -> None:
    page = b"\xa1\x09" + ber.tlv(0xA0, ber.tlv(0x1A, b"LD0")) + b"\x81\x01\x01"
    page = ber.tlv(0xA1, page[2:])
    with pytest.raises(MmsError, match=r"^the logical devices: more names follow, it says, and none comes$"):
        MmsClient(Script(lambda number: response(number, page)), "script").read("LD0/MMXU1.TotW")


def test_the_answer_of_a_strangers_server_is_understood() -> None:
    octets = bytes.fromhex(  # open61850 0.9.12, which says its protocol version
        "614a80020780a107060528ca220203a203020100a305a103020100be2f282d020103a028a926800300fde881010182010583010aa416800101"
        "810305f100820c036e08000000000000000110"
    )
    answer = acse.decode_answer(octets)
    assert (answer.accepted, answer.diagnostic) == (True, 0)
    assert answer.mms is not None
    assert initiate.decode_response(answer.mms, PROPOSED).services == {1, 2, 4, 5, 6, 12, 79, 83}
