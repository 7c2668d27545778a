"""What an operation costs must not grow with what it does not touch: counted, never timed."""

import pytest

from mapping.model import DataSet, DataSetMember, ReportControl
from mms_server import asking
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.client import CONNECT
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient
from tests.support.wire_data import boolean


class Counting(dict[int, object]):
    """A dictionary that counts look-ups."""

    looked = 0

    def get(self, key: int, default: object = None) -> object:  # type: ignore[override]
        self.looked += 1
        return super().get(key, default)


def reporting_engine(nodes: int, blocks: int) -> tuple[Engine, Counting]:
    """An engine with so many LNs, where so many blocks without BufTm listen to one object of the first."""
    one = DataSet("measured", (DataSetMember("DEMOLD0", "MMXU0$MX$TotW"),))
    listening = ReportControl("urcb", False, True, blocks, None, "measured", 1, 0, 0, 0b011001, 0b0111110110)
    lns = (models.node(models.MMXU, str(number)) for number in range(nodes))
    engine = Engine(DataModel(models.server(models.lln0(data_sets=[one], reports=[listening]), *lns)), IDENTITY)
    for number in range(blocks):
        block = f"LLN0$RP$urcb{number + 1:02d}"
        assert EngineClient(engine).write("DEMOLD0", (f"{block}$RptEna", boolean(True))) == ["success"]
    listening = engine.behaviour.reporting._listening
    index = Counting(listening.index)
    listening.index = index  # type: ignore[assignment]
    return engine, index


@pytest.mark.parametrize(("nodes", "blocks"), [(1, 1), (50, 1), (50, 10)])
def test_a_change_looks_up_its_own_leaf_and_nothing_else(nodes: int, blocks: int) -> None:
    engine, index = reporting_engine(nodes, blocks)
    slot = engine.model.find("LD0/MMXU0.TotW.mag.f")
    before = engine.model.cache.encodings
    engine.commit([(slot, 5.0)], CLOCK.now())
    assert index.looked == 1  # whoever listens to one data set is found at once
    shown = {"value": 1, "SqNum": blocks, "the log's newest and oldest entry": 4}
    assert engine.model.cache.encodings - before == sum(shown.values())


def test_a_change_that_nobody_listens_to_asks_no_block() -> None:
    engine, index = reporting_engine(50, 10)
    for client in engine.clients:
        engine.pull(client)
    engine.commit([(engine.model.find("LD0/MMXU40.TotW.mag.f"), 5.0)], CLOCK.now())
    assert index.looked == 1
    assert engine.receivers() == []


def test_blocks_that_tell_the_same_share_what_was_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = reporting_engine(2, 10)
    for client in engine.clients:
        engine.pull(client)
    reads = 0
    read = engine.model.cache._encode

    def counted(slot: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(slot)

    engine.model.cache.commit([(engine.model.find("LD0/MMXU0.TotW.mag.f"), 1.0)])
    cache = engine.model.cache
    monkeypatch.setattr(type(cache), "_encode", lambda _self, slot: counted(slot))
    engine.commit([(engine.model.find("LD0/MMXU0.TotW.mag.f"), 6.0)], CLOCK.now())
    assert reads == 1
    told = [engine.pull(client) for client in engine.clients]
    assert len(told) == 10
    assert all(len(one) == 1 for one in told)


def test_a_known_association_request_is_the_same_object_and_one_with_a_password_is_not_kept() -> None:
    tsdu = CONNECT[7:]
    assert asking.decode(tsdu) is asking.decode(tsdu)
    for number in range(3 * asking.REMEMBERED):
        assert asking.decode(tsdu).proposal == asking.decode(bytes(tsdu)).proposal
        assert len(asking._known) <= asking.REMEMBERED, number
