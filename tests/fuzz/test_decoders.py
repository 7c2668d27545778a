"""Every decoder that strangers' octets reach: it returns or raises WireError, and nothing else. Those that broke one are kept."""

import os
import random
from pathlib import Path

import pytest

from mms_server.association.server_end import Association
from mms_server.engine import Engine
from mms_server.mms.initiate import ServerLimits
from mms_server.model.tree import DataModel
from mms_server.services import registry
from tests.fuzz.mutation import mutated
from tests.fuzz.test_hostile_peers import REQUESTS
from tests.support import models
from tests.support.client import CONNECT, CR
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, name, read_request, tlv, variable
from tests.support.wire_data import bits, boolean, octets, structure, text, unsigned

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5000"))
SEED = int(os.environ.get("FUZZ_SEED", "9506"))
KEPT = Path(__file__).parents[1] / "regressions"
LD, URCB, BRCB = "DEMOLD0", "LLN0$RP$events01", "LLN0$BR$history01"


def writes(*pairs: tuple[str, bytes]) -> bytes:
    named = tlv(0xA0, b"".join(variable(LD, item) for item, _ in pairs))
    return named + tlv(0xA0, b"".join(data for _, data in pairs))


SEEDS = [
    (0xA4, read_request(variable(LD, "MMXU1$MX"), variable(LD, "GGIO1$ST$All"))),
    (0xA5, writes((f"{URCB}$RptEna", boolean(True)), (f"{URCB}$GI", boolean(True)))),
    (0xA5, writes((f"{URCB}$RptEna", boolean(False)), (f"{URCB}$OptFlds", bits("1111111111")), (f"{URCB}$RptID", text("")))),
    (0xA5, writes((f"{BRCB}$RptEna", boolean(True)), (f"{BRCB}$EntryID", octets(bytes(8))), (f"{BRCB}$BufTm", unsigned(9)))),
    (0xA5, writes(("MMXU1$CF$TotW$units", structure(b"\x85\x01\x05", b"\x85\x01\x00")))),
    (0xA5, tlv(0xA1, name(LD, "LLN0$measured")) + tlv(0xA0, boolean(True) * 4)),
    (0xAB, name(LD, "LLN0$mine") + tlv(0xA0, variable(LD, "MMXU1$MX$TotW"))),
    (0xAB, tlv(0x82, b"own") + tlv(0xA0, variable(LD, "MMXU1$MX$TotW$q"))),
    (0xAD, tlv(0xA1, name(LD, "LLN0$mine") + tlv(0x82, b"own"))),
    *((tag, body) for tag, body in REQUESTS if tag < 0x100),
]  # fmt: skip


def test_no_request_makes_the_engine_raise_and_each_has_one_answer_that_fits() -> None:
    chance = random.Random(SEED)
    engine = Engine(DataModel(models.demo()), IDENTITY)
    engine.start(CLOCK.now())
    clients = [EngineClient(engine, max_pdu=size) for size in (512, 4096)]
    tags = sorted(registry.by_tag())
    power = engine.model.find("LD0/MMXU1.TotW.mag.f")
    for number in range(EXAMPLES):
        client = chance.choice(clients)
        tag, body = chance.choice(SEEDS)
        if chance.random() < 0.1:
            tag = chance.choice(tags)
        sent = mutated(body, chance) if chance.random() < 0.9 else body
        answer = engine.request(client.client, number, tag, sent, CLOCK.now())
        assert isinstance(answer, bytes)
        assert 0 < len(answer) <= client.client.max_pdu, (hex(tag), sent.hex())
        if number % 50 == 0:
            CLOCK.pass_ms(chance.randrange(2000), engine)
            engine.commit([(power, float(number))], CLOCK.now())
            for one in clients:
                assert all(len(pdu) <= one.client.max_pdu for pdu in engine.pull(one.client))
        if number % 700 == 0:
            client.close()
            clients[clients.index(client)] = EngineClient(engine, max_pdu=client.client.max_pdu)


def test_no_octets_make_an_association_raise() -> None:
    chance = random.Random(SEED + 1)
    own = ServerLimits(services=frozenset({1, 4}))
    for _ in range(EXAMPLES // 10):
        association = Association(own, 0.0)
        stream = CR + CONNECT
        broken = mutated(CONNECT[4:], chance)
        stream = CR + b"\x03\x00" + (len(broken) + 4 & 0xFFFF).to_bytes(2, "big") + broken
        for at in range(0, len(stream), chance.choice([1, 7, 4096])):
            association.receive(stream[at : at + 4096], 0.0)
            association.events()
            association.octets_to_send()


@pytest.mark.parametrize("path", sorted((KEPT / "associations").glob("*.hex")), ids=lambda path: path.stem)
def test_what_broke_an_association_once_does_not_again(path: Path) -> None:
    association = Association(ServerLimits(services=frozenset({1, 4})), 0.0)
    tpdu = bytes.fromhex(path.read_text(encoding="ascii"))
    association.receive(CR + b"\x03\x00" + (len(tpdu) + 4).to_bytes(2, "big") + tpdu, 0.0)
    assert association.closing


@pytest.mark.parametrize("path", sorted((KEPT / "requests").glob("*.hex")), ids=lambda path: path.stem)
def test_what_broke_a_service_once_does_not_again(path: Path) -> None:
    tag, _, body = path.read_text(encoding="ascii").strip().partition(" ")
    client = EngineClient(DataModel(models.demo()))
    assert client.octets(int(tag, 16), bytes.fromhex(body))[0] in (0xA1, 0xA2, 0xA4)
