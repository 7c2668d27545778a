"""Read fast path: a Read seen before gets the same answer as without it, or none from it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mms_server.association.read_fast_path import (
    FRAMES_LIMIT,
    KEPT_LIMIT,
    LONGEST,
    MANY,
    OCTETS_LIMIT,
    SHORTEST,
    ReadFastPath,
    Room,
)
from mms_server.engine import Engine, Waiting
from mms_server.model.datasets import DataSet, PlacedMember
from mms_server.model.tree import DataModel
from mms_server.stack import ber, cotp, presentation, session
from tests.support import models
from tests.support.client import request
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, name, read_request, tlv, variable

CONTEXT = 3
ROOM = Room.of(8192, 65_000)
ITEMS = ["MMXU1$MX$TotW", "MMXU1$MX$TotW$mag$f", "MMXU1$MX$TotW$q", "MMXU1$ST$Beh$stVal", "GGIO1$ST"]


def served() -> tuple[Engine, EngineClient, ReadFastPath]:
    model = DataModel(models.server(models.node(models.MMXU), models.node(models.GGIO)))
    client = EngineClient(Engine(model, IDENTITY))
    return client.engine, client, ReadFastPath(model, CONTEXT)


def the_long_way(engine: Engine, client: EngineClient, packet: bytes, room: Room = ROOM) -> bytes:
    """The packets that answer `packet`, layer by layer."""
    _, start, end = presentation.take(packet, 11)
    _, start, _ = ber.header(packet, start, end)
    _, start, after = ber.header(packet, start, end)
    _, body, _ = ber.header(packet, after, end)
    invoke_id = int.from_bytes(packet[start:after], "big")
    answer = engine.request(client.client, invoke_id, 0xA4, packet[body:], CLOCK.now())
    assert answer is not None
    assert not isinstance(answer, Waiting)
    return cotp.segments(session.DATA + presentation.wrap(CONTEXT, answer), room.tpdu)


def long(tag: int, contents: bytes, octets: int) -> bytes:
    """`contents` under `tag`, their length in so many octets."""
    return bytes((tag, 0x80 | octets)) + len(contents).to_bytes(octets, "big") + contents


def id_at(packet: bytes) -> int:
    """The offset of the invokeID in `packet`."""
    _, start, end = presentation.take(packet, 11)
    _, start, _ = ber.header(packet, start, end)
    return ber.header(packet, start, end)[1]


def packet_of(invoke_id: int, *items: str) -> bytes:
    """A Read of `items`, with an invokeID of as many octets as it needs."""
    plain = request(0xA4, read_request(*(variable("DEMOLD0", item) for item in items)), 1)
    octets = invoke_id.to_bytes(invoke_id.bit_length() // 8 + 1, "big")
    pdu_at = plain.index(b"\x02\x01\x01", 18)
    pdu = tlv(0xA0, tlv(0x02, octets) + plain[pdu_at + 3 :])
    tsdu = session.DATA + tlv(0x61, tlv(0x30, b"\x02\x01\x03" + tlv(0xA0, pdu)))
    return cotp.segments(tsdu, 1 << 16)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(ITEMS), min_size=1, max_size=MANY + 2),
    st.integers(0, 0x7FFFFFFF),
    st.integers(0, 0x7FFFFFFF),
    st.sampled_from([1.5, -2.0, 1e9]),
)
def test_what_is_known_is_answered_as_if_it_were_not(items: list[str], first: int, second: int, value: float) -> None:
    engine, client, fast_path = served()
    for invoke_id in (first, second, first):
        packet = packet_of(invoke_id, *items)
        expected = the_long_way(engine, client, packet)
        assert fast_path.answer(packet, ROOM) in (None, expected)
        assert fast_path.learn(packet)
        assert fast_path.answer(packet, ROOM) == expected
        engine.commit([(engine.model.find("LD0/MMXU1.TotW.mag.f"), value)], CLOCK.now())
        assert fast_path.answer(packet, ROOM) == the_long_way(engine, client, packet)


def test_an_answer_of_many_values_in_several_tpdus_is_kept_until_one_changes() -> None:
    engine, client, fast_path = served()
    room = Room.of(128, 65_000)
    packet = packet_of(7, *ITEMS[:3] * 4)
    the_long_way(engine, client, packet, room)
    assert fast_path.learn(packet)
    first = fast_path.answer(packet, room)
    assert first == the_long_way(engine, client, packet, room)
    assert first is not None
    assert b"\x02\xf0\x00" in first
    engine.commit([(engine.model.find("LD0/MMXU1.TotW.mag.f"), 77.0)], CLOCK.now())
    changed = fast_path.answer(packet, room)
    assert changed == the_long_way(engine, client, packet, room)
    assert changed != first
    assert fast_path.answer(packet, Room.of(256, 65_000)) == the_long_way(engine, client, packet, Room.of(256, 65_000))


def test_an_answer_that_does_not_fit_goes_the_long_way() -> None:
    engine, client, fast_path = served()
    for items in (ITEMS[4:], ITEMS[4:] * MANY):
        packet = packet_of(1, *items)
        the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
        whole = fast_path.answer(packet, ROOM)
        assert whole is not None
        assert len(whole) > len(packet) + 16
        assert fast_path.answer(packet, Room.of(8192, len(packet))) is None


@pytest.mark.parametrize("octets", ["ff", "80", "0001", "00000001"])
def test_an_invoke_id_that_is_negative_or_longer_than_need_be_goes_the_long_way(octets: str) -> None:
    engine, client, fast_path = served()
    usual = packet_of(int("7f" * (len(octets) // 2), 16), ITEMS[0])
    the_long_way(engine, client, usual)
    assert fast_path.learn(usual)
    assert fast_path.answer(usual, ROOM) is not None
    at = id_at(usual)
    odd = usual[:at] + bytes.fromhex(octets) + usual[at + len(octets) // 2 :]
    assert len(odd) == len(usual)
    assert fast_path.answer(odd, ROOM) is None


def test_an_invoke_id_whose_length_is_no_single_octet_is_not_learned() -> None:
    engine, client, fast_path = served()
    usual = packet_of(5, ITEMS[0])
    the_long_way(engine, client, usual)
    assert fast_path.learn(usual)
    pdu = tlv(
        0xA0, b"\x02\x82\x01\x01" + bytes(256) + b"\x05" + usual[id_at(usual) + 1 :]
    )  # 257 octets, of which 01 is the last
    odd = cotp.segments(session.DATA + tlv(0x61, tlv(0x30, b"\x02\x01\x03" + tlv(0xA0, pdu))), 1 << 16)
    assert not fast_path.learn(odd)


def test_a_packet_of_any_length_is_looked_for_at_the_place_of_its_own_length() -> None:
    engine, client, fast_path = served()
    packets = [packet_of(1, *ITEMS[:count]) for count in (1, 2, 3, 4, 5)]
    assert len({id_at(packet) for packet in packets}) > 1
    for packet in packets:
        the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
    for packet in packets:  # by turns: none displaces the others
        assert fast_path.answer(packet, ROOM) == the_long_way(engine, client, packet)
    assert all(
        fast_path.answer(packet[:end], ROOM) is None for packet in packets for end in range(SHORTEST, len(packet))
    )


def test_a_request_longer_than_its_client_may_send_goes_the_long_way() -> None:
    engine, client, fast_path = served()
    packet = packet_of(1, *ITEMS[1:2] * 15)  # the answer is much shorter
    the_long_way(engine, client, packet)
    assert fast_path.learn(packet)
    assert fast_path.answer(packet, ROOM) is not None
    assert fast_path.answer(packet, Room.of(8192, len(packet) - 1)) is None


def test_a_request_is_known_by_the_place_of_its_own_invoke_id_only() -> None:
    engine, client, fast_path = served()
    packet = packet_of(1, ITEMS[0])
    the_long_way(engine, client, packet)
    assert fast_path.learn(packet)
    at, elsewhere = id_at(packet), packet.index(b"\x01\x03\xa0") + 1  # behind the length of the context's id
    without = packet[:at] + packet[at + 1 :]
    forged = without[:elsewhere] + b"\x07" + without[elsewhere:]
    fast_path._places = dict.fromkeys(fast_path._places, elsewhere)  # as if another had written its lengths so
    assert fast_path.answer(forged, ROOM) is None


def test_who_writes_lengths_longer_than_they_need_be_displaces_nobody() -> None:
    engine, client, fast_path = served()
    plain = packet_of(1, "x" * 40)
    inside = long(0x30, b"\x02\x01\x03" + tlv(0xA0, tlv(0xA0, plain[id_at(plain) - 2 :])), 1)
    odd = cotp.segments(session.DATA + long(0x61, inside, 1), 1 << 16)
    usual = packet_of(1, "x" * (40 + len(odd) - len(plain)))
    assert (len(odd), id_at(odd)) == (len(usual), id_at(usual) + 2)
    for packet in (odd, usual):
        the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
    for packet in (odd, usual):
        assert fast_path.answer(packet, ROOM) == the_long_way(engine, client, packet)


def test_what_is_no_read_in_one_packet_is_not_learned() -> None:
    engine, client, fast_path = served()
    packet = packet_of(1, ITEMS[0])
    assert not fast_path.learn(packet)  # nobody has asked yet: there is no plan
    the_long_way(engine, client, packet)
    with_specification = request(0xA4, b"\x80\x01\x01" + read_request(variable("DEMOLD0", ITEMS[0])))
    the_long_way(engine, client, with_specification)
    for octets in (
        packet[:-1],
        packet[:SHORTEST],
        packet[:5] + b"\xf0\x00" + packet[7:],  # more follows
        packet[:7] + b"\x01\x00\x01\x01" + packet[11:],
        packet.replace(b"\x02\x01\x03\xa0", b"\x02\x01\x05\xa0"),  # another presentation context
        packet.replace(b"\xa4", b"\xa6", 1),
        with_specification,
        request(0xA1, tlv(0xA0, b"\x80\x01\x09") + tlv(0xA1, b"\x80\x00")),
    ):
        assert not fast_path.learn(octets)
    assert fast_path.learn(packet)
    assert fast_path.learn(packet + packet)  # the first of what came together


def test_what_one_client_alone_sees_is_never_learned() -> None:
    engine, client, fast_path = served()
    member = PlacedMember(engine.model.find("LD0/MMXU1.TotW [MX]"), b"DEMOLD0", b"MMXU1$MX$TotW")
    client.client.data_sets[b"mine"] = DataSet(b"mine", (member,), deletable=True)
    packet = request(0xA4, tlv(0xA1, tlv(0xA1, tlv(0x82, b"mine"))))
    the_long_way(engine, client, packet)
    assert not fast_path.learn(packet)


def test_a_data_set_that_is_gone_is_read_no_more() -> None:
    engine, client, fast_path = served()
    made = name("DEMOLD0", "GGIO1$made")
    packet = request(0xA4, tlv(0xA1, tlv(0xA1, made)))
    for items in (["MMXU1$MX$TotW"], ITEMS[:3]):
        gone = the_long_way(engine, client, packet)
        assert client.define(made, *(variable("DEMOLD0", item) for item in items)) is None
        expected = the_long_way(engine, client, packet)
        assert expected != gone
        assert fast_path.learn(packet)
        assert fast_path.answer(packet, ROOM) == expected
        assert client.delete(made)["deleted"] == 1
        assert fast_path.answer(packet, ROOM) is None
        assert not fast_path.learn(packet)
        assert the_long_way(engine, client, packet) == gone


def test_what_a_client_makes_and_deletes_for_itself_costs_the_others_no_memory() -> None:
    engine, client, fast_path = served()
    packet = packet_of(1, ITEMS[0])
    the_long_way(engine, client, packet)
    assert fast_path.learn(packet)
    own = tlv(0x82, b"own")
    assert client.define(own, variable("DEMOLD0", ITEMS[0])) is None
    assert client.delete(own)["deleted"] == 1
    assert client.define(name("DEMOLD0", "GGIO1$made"), variable("DEMOLD0", ITEMS[0])) is None
    assert fast_path.answer(packet, ROOM) is not None


def test_when_data_sets_change_everything_is_asked_anew() -> None:
    engine, client, fast_path = served()
    packet = packet_of(1, ITEMS[0])
    the_long_way(engine, client, packet)
    assert fast_path.learn(packet)
    engine.model.plans.forget()
    assert fast_path.answer(packet, ROOM) is None
    assert not fast_path.learn(packet)
    the_long_way(engine, client, packet)
    assert fast_path.learn(packet)
    assert fast_path.answer(packet, ROOM) == the_long_way(engine, client, packet)


def test_a_read_costs_the_same_however_large_the_model_and_however_often_it_is_asked() -> None:
    for nodes in (1, 100):
        model = DataModel(models.server(*(models.node(models.MMXU, str(number)) for number in range(nodes))))
        engine = Engine(model, IDENTITY)
        client = EngineClient(engine)
        fast_path = ReadFastPath(model, CONTEXT)
        packet = packet_of(1, "MMXU0$MX$TotW")
        the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
        encoded, plans = model.cache.encodings, len(model.plans)
        for invoke_id in range(100):
            assert fast_path.answer(packet_of(invoke_id, "MMXU0$MX$TotW"), ROOM) is not None
        assert (model.cache.encodings, len(model.plans)) == (encoded, plans)


def test_requests_that_differ_each_time_do_not_fill_the_memory() -> None:
    engine, client, fast_path = served()
    for number in range(400):
        packet = packet_of(1, f"X{number:04d}" + "x" * (LONGEST - 200), ITEMS[0])
        the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
        assert fast_path.learn(packet)  # once more, and it takes no more room
        assert sum(map(len, fast_path._known)) == fast_path._octets <= OCTETS_LIMIT + LONGEST
    assert 100 < len(fast_path._known) < 400


def test_whole_answers_that_are_kept_do_not_fill_the_memory() -> None:
    engine, client, fast_path = served()
    packets = [packet_of(1, *["GGIO1"] * 200, *ITEMS[:1] * number) for number in range(1, 120)]
    for packet in packets:
        expected = the_long_way(engine, client, packet)
        assert fast_path.learn(packet)
        assert fast_path.answer(packet, ROOM) == expected
        assert sum(len(one.behind) for one in fast_path._known.values()) <= fast_path._kept <= KEPT_LIMIT + 65_000
    assert sum(len(the_long_way(engine, client, packet)) for packet in packets) > KEPT_LIMIT


def test_what_stands_around_answers_of_all_lengths_does_not_fill_the_memory() -> None:
    _, _, fast_path = served()
    for size in range(1, 3 * FRAMES_LIMIT):
        fast_path._framed(1, size)
        assert len(fast_path._frames) <= FRAMES_LIMIT


def test_one_request_in_all_its_forms_does_not_fill_the_memory() -> None:
    engine, client, fast_path = served()
    body = read_request(variable("DEMOLD0", "x" * (LONGEST - 150)))
    client.octets(0xA4, body)
    learned = 0
    for count, *forms in product((1, 2, 3, 4), *[(2, 3, 4)] * 5):
        octets = b"\x02" + bytes((count,)) + b"\x01" * count + long(0xA4, body, forms[0])
        octets = b"\x02\x01\x03" + long(0xA0, long(0xA0, octets, forms[1]), forms[2])
        octets = long(0x61, long(0x30, octets, forms[3]), forms[4])
        packet = cotp.segments(session.DATA + octets, 1 << 16)
        learned += len(packet)
        assert fast_path.learn(packet)
        assert sum(map(len, fast_path._known)) <= OCTETS_LIMIT + LONGEST
    assert learned > OCTETS_LIMIT
    assert engine.model.plans.generation == 0
