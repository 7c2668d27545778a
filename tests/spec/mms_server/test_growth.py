"""Cost of operations: it must not grow with objects that they do not touch; counted, never timed."""

import asyncio
import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mapping.model import DataSet, DataSetMember, ReportControl
from mms_server.acsi.reporting.entry_creation import TIMERS_OF_A_BLOCK
from mms_server.association import connect_request
from mms_server.engine import Engine
from mms_server.model.cache import Cache
from mms_server.model.tree import DataModel
from mms_server.stack import presentation
from tests.support import models
from tests.support.client import CONNECT, request, with_password
from tests.support.engine_client import (
    CLOCK,
    IDENTITY,
    EngineClient,
    name,
    read_request,
    tlv,
    variable,
    write_body,
)
from tests.support.memory_server import MemoryServer, turns
from tests.support.wire_data import boolean, unsigned


class Counting(dict[int, Any]):
    """A dictionary that counts look-ups."""

    looked = 0

    def get(self, key: int, default: Any = None) -> Any:
        self.looked += 1
        return super().get(key, default)


def reporting_engine(nodes: int, blocks: int) -> tuple[Engine, Counting]:
    """An engine with so many LNs, where so many blocks without BufTm listen to one object of the first."""
    one = DataSet("measured", (DataSetMember("DEMOLD0", "MMXU0$MX$TotW"),))
    block_of_the_file = ReportControl("urcb", False, True, blocks, None, "measured", 1, 0, 0, 0b011001, 0b0111110110)
    lns = (models.node(models.MMXU, str(number)) for number in range(nodes))
    engine = Engine(DataModel(models.server(models.lln0(data_sets=[one], reports=[block_of_the_file]), *lns)), IDENTITY)
    for number in range(blocks):
        block = f"LLN0$RP$urcb{number + 1:02d}"
        assert EngineClient(engine).write("DEMOLD0", (f"{block}$RptEna", boolean(True))) == ["success"]
    listening = engine.behaviour.reporting._trigger_index
    index = Counting(listening.index)
    listening.index = index
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
    read: list[int] = []
    plainly = Cache.read

    def counted(cache: Cache, slot: int) -> bytes:
        read.append(slot)
        return plainly(cache, slot)

    monkeypatch.setattr(Cache, "read", counted)
    engine.commit([(engine.model.find("LD0/MMXU0.TotW.mag.f"), 6.0)], CLOCK.now())
    logged = engine.model.find("LD0/MMXU0.TotW [MX]")
    assert read == [logged, logged]  # once for the blocks, once for the log
    told = [engine.pull(client) for client in engine.clients]
    assert len(told) == 10
    assert all(len(one) == 1 for one in told)


def test_a_known_association_request_is_not_taken_apart_again_and_the_known_ones_are_bounded() -> None:
    tsdu = CONNECT[7:]
    assert connect_request.decode(tsdu) is connect_request.decode(bytes(tsdu))
    size_at = tsdu.index(bytes.fromhex("800300fde8")) + 3
    for number in range(2 * connect_request.REMEMBERED):
        other = tsdu[:size_at] + (1000 + number).to_bytes(2, "big") + tsdu[size_at + 2 :]
        assert connect_request.decode(other).proposal.max_pdu == 1000 + number
    assert len(connect_request._known) == connect_request.REMEMBERED
    assert tsdu not in connect_request._known  # the oldest made room


@pytest.mark.parametrize("mechanism", ["52030301", "52030302"])
def test_what_a_client_proves_itself_with_stays_in_no_memory(mechanism: str) -> None:
    plain = connect_request.decode(CONNECT[7:]).connect
    presentation.encode_accept(plain, b"aare")
    for word in (b"sesame", b"abracadabra"):
        tsdu = with_password(word)[7:].replace(bytes.fromhex("52030301"), bytes.fromhex(mechanism))
        asked = connect_request.decode(tsdu)
        assert asked.acse.authentication == word
        assert tsdu not in connect_request._known
        remembered = presentation._acceptance.cache_info().misses
        presentation.encode_accept(asked.connect, b"aare")
        assert presentation._acceptance.cache_info().misses == remembered  # without it they are all alike


@pytest.mark.parametrize("attribute", ["BufTm", "IntgPd"])
def test_windows_and_periods_that_have_ended_early_are_not_kept_until_their_time(attribute: str) -> None:
    one = DataSet("measured", (DataSetMember("DEMOLD0", "MMXU0$MX$TotW"),))
    block = ReportControl("urcb", False, True, 1, None, "measured", 1, 0, 0, 0b011011, 0b0111110110)
    model = models.server(models.lln0(data_sets=[one], reports=[block]), models.node(models.MMXU, "0"))
    client = EngineClient(Engine(DataModel(model), IDENTITY))
    engine, reporting = client.engine, client.engine.behaviour.reporting
    urcb = "LLN0$RP$urcb01"
    client.write("DEMOLD0", (f"{urcb}${attribute}", unsigned(1_000_000)))
    slot = engine.model.find("LD0/MMXU0.TotW.mag.f")
    for number in range(200):
        assert client.write("DEMOLD0", (f"{urcb}$RptEna", boolean(True))) == ["success"]
        engine.commit([(slot, float(2 * number + 1))], CLOCK.now())
        engine.commit([(slot, float(2 * number + 2))], CLOCK.now())
        if number < 199:
            client.write("DEMOLD0", (f"{urcb}$RptEna", boolean(False)))
        client.pdus()
        CLOCK.pass_ms(1, engine)
    assert len(reporting._timers) <= TIMERS_OF_A_BLOCK
    CLOCK.pass_ms(1_000_000, engine)
    assert len(client.reports()) == 1  # what is due still comes: the last window's, or the period's


def test_however_many_ways_there_are_to_ask_for_a_data_set_its_members_are_listed_once() -> None:
    client = EngineClient(DataModel(models.demo()))
    wanted = tlv(0xA1, tlv(0xA1, name("DEMOLD0", "LLN0$measured")))
    bodies = [b"\x80\x01" + bytes((number,)) + wanted for number in range(100)]
    for body in bodies:
        assert len(client.ask(0xA4, body)["results"]) == len(models.MEASURED.members)
    plans = client.engine.model.plans
    found = [plan.slots for plan in map(plans.get, bodies) if plan is not None]
    assert (len(found), len({id(slots) for slots in found})) == (100, 1)


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, Python's own included; a collection of garbage would call its callbacks here."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


async def what_it_costs(nodes: int, idle: int) -> dict[str, int]:
    """Calls of a server with so many LNs and so many clients that only listen to one of them."""
    one = DataSet("measured", (DataSetMember("DEMOLD0", "MMXU1$MX$TotW"),))
    block = ReportControl("urcb", False, True, idle, None, "measured", 1, 0, 0, 0b011001, 0b0111110110)
    lns = (models.node(models.MMXU, str(number)) for number in range(1, nodes + 1))
    model = models.server(models.lln0(data_sets=[one], reports=[block]), models.node(models.GGIO, "0"), *lns)
    serving = MemoryServer(Engine(DataModel(model), IDENTITY))
    pipe = await serving.associate()
    for number in range(1, idle + 1):
        await serving.associate()
        enabling = write_body("DEMOLD0", (f"LLN0$RP$urcb{number:02d}$RptEna", boolean(True)))
        await serving.send(number, request(0xA5, enabling))
        await turns()
    slot, found = serving.engine.model.find("LD0/GGIO0.Ind1.stVal"), {}
    last = max(f"MMXU{number}" for number in range(1, nodes + 1))
    scope = tlv(0xA0, b"\x80\x01\x00") + tlv(0xA1, tlv(0x81, b"DEMOLD0"))
    for what, service, body in (
        ("a value", 0xA4, read_request(variable("DEMOLD0", "GGIO0$ST$Ind1$stVal"))),
        ("another", 0xA4, read_request(variable("DEMOLD0", "GGIO0$ST$Ind1$q"))),
        ("an error", 0xA4, read_request(variable("DEMOLD0", "GGIO0$ST$Ind2"))),
        ("the last names", 0xA1, scope + tlv(0x82, last.encode())),
        ("a type", 0xA6, tlv(0xA0, name("DEMOLD0", last))),
    ):
        packet = request(service, body)
        for time in ("first", "second", "third"):
            found[f"{what}, {time} time"] = calls(lambda octets=packet: pipe.connection.data_received(octets))  # type: ignore[misc]
            await turns()
    for value in (True, False, True):
        found["a change"] = calls(lambda value=value: serving.engine.commit([(slot, value)], CLOCK.now()))  # type: ignore[misc]
        found["what follows from it"] = calls(serving.server._pump)
        await turns()
    for number in range(len(serving.pipes)):
        serving.pipes[number].connection.connection_lost(None)
    return found


def test_no_call_more_however_large_the_model_and_however_many_clients_do_nothing() -> None:
    small = asyncio.run(what_it_costs(1, 1))
    assert small["a value, third time"] < small["a value, first time"]
    assert small["a change"] > 0
    assert asyncio.run(what_it_costs(60, 1)) == small
    assert asyncio.run(what_it_costs(1, 50)) == small
