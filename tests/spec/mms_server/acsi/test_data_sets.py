"""Data sets made by clients: in a domain, of one association, within limits, and never pulled away from under a report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mapping.model import Services
from mms_server.acsi.persistence import Put, StoredState
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from mms_server.storage.store import Store
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, component, index, name, select, tlv, variable
from tests.support.wire_data import bits, boolean, text

LD = "DEMOLD0"
LISTS = 2
MINE = name(LD, "LLN0$mine")
OWN = tlv(0x82, b"own")
TOTW, MOD = variable(LD, "MMXU1$MX$TotW$mag$f"), variable(LD, "LLN0$ST$Mod$stVal")
NON_EXISTENT = {"error": {"error": {"access": 2}}}


def definition(code: int) -> Any:
    return {"error": {"error": {"definition": code}}}


@pytest.fixture
def engine() -> Engine:
    return Engine(DataModel(models.demo()), IDENTITY)


@pytest.fixture
def client(engine: Engine) -> EngineClient:
    return EngineClient(engine)


def members(client: EngineClient, named: bytes) -> Any:
    return client.ask(0xAC, named)


def in_order(answer: Any) -> list[str]:
    return [one["specification"]["name"]["domain"]["item"] for one in answer["variables"]]


@pytest.mark.conformance("DS-1")
def test_a_configured_data_set_keeps_the_files_order_and_cannot_be_deleted(client: EngineClient) -> None:
    configured = members(client, name(LD, "LLN0$measured"))
    assert configured["deletable"] is False
    assert in_order(configured)[:2] == ["MMXU1$MX$TotW", "MMXU1$MX$TotW$mag$f"]


@pytest.mark.conformance("DS-2", "DS-4")
def test_a_persistent_data_set_is_everybodys_and_can_be_made_anew_in_another_order(engine: Engine) -> None:
    client, other = EngineClient(engine), EngineClient(engine)
    assert client.define(MINE, TOTW, MOD) is None
    assert "LLN0$mine" in other.names(LISTS, LD)
    client.close()
    answer = members(other, MINE)
    assert (answer["deletable"], in_order(answer)) == (True, ["MMXU1$MX$TotW$mag$f", "LLN0$ST$Mod$stVal"])
    before = other.ask(0xA4, tlv(0xA1, tlv(0xA1, MINE)))["results"]
    assert other.delete(MINE) == {"matched": 1, "deleted": 1}
    assert other.define(MINE, MOD, TOTW) is None
    assert other.ask(0xA4, tlv(0xA1, tlv(0xA1, MINE)))["results"] == before[::-1]


@pytest.mark.conformance("DS-3")
def test_an_associations_own_data_set_is_seen_by_nobody_else_and_goes_with_it(engine: Engine) -> None:
    client, other = EngineClient(engine), EngineClient(engine)
    assert client.define(OWN, TOTW) is None
    listed = tlv(0xA0, tlv(0x80, b"\x02")) + tlv(0xA1, tlv(0x82, b""))
    assert (client.ask(0xA1, listed)["names"], other.ask(0xA1, listed)["names"]) == (["own"], [])
    request = tlv(0xA1, tlv(0xA1, OWN))
    assert len(client.ask(0xA4, request)["results"]) == 1
    assert other.ask(0xA4, request) == NON_EXISTENT
    assert other.define(OWN, MOD, TOTW) is None
    assert len(other.ask(0xA4, request)["results"]) == 2
    assert len(client.ask(0xA4, request)["results"]) == 1
    client.close()
    back = EngineClient(engine)
    assert members(back, OWN) == NON_EXISTENT


def test_a_member_may_be_a_component_of_an_element(client: EngineClient) -> None:
    inside = variable(LD, "MMXU1$MX$HA$phsAHar", select(index(2), component("cVal")))
    assert client.define(MINE, inside, variable(LD, "MMXU1$MX$HA$phsAHar", index(1))) is None
    (first, _) = members(client, MINE)["variables"]
    assert first["access"] == [{"select": {"chosen": {"index": 2}, "within": [{"component": "cVal"}]}}]
    client.engine.commit([(client.engine.model.find("LD0/MMXU1.HA.phsAHar(2).cVal.mag.f"), 5.0)], CLOCK.now())
    (value, _) = client.ask(0xA4, tlv(0xA1, tlv(0xA1, MINE)))["results"]
    assert value["success"]["structure"][0]["structure"][0]["floating_point"][1:].hex() == "40a00000"


@pytest.mark.conformance("DS-N1", "DS-N6", "DS-N7")
def test_what_is_not_there_or_not_theirs_is_not_deleted(client: EngineClient) -> None:
    assert members(client, name(LD, "LLN0$none")) == NON_EXISTENT
    assert client.delete(name(LD, "LLN0$none"), name("NOLD", "LLN0$x")) == {"matched": 0, "deleted": 0}
    assert client.delete(name(LD, "LLN0$measured")) == {"matched": 1, "deleted": 0}


@pytest.mark.conformance("ASS-N7")
def test_a_deletion_of_nothing_means_nothing(client: EngineClient) -> None:
    for body in (b"", tlv(0xA1, b""), tlv(0x80, b"\x00")):
        assert client.ask(0xAD, body) == {"reject": {"confirmed_request": 4}}


@pytest.mark.conformance("DS-N2", "DS-N5")
def test_a_data_set_is_made_whole_or_not_at_all(client: EngineClient) -> None:
    assert client.define(name(LD, "LLN0$measured"), TOTW) == definition(5)
    for unknown in (variable(LD, "MMXU1$MX$None"), variable("NOLD", "MMXU1$MX$TotW"), variable(LD, "MMXU1")):
        assert client.define(MINE, TOTW, unknown) == definition(1)
    assert members(client, MINE) == NON_EXISTENT
    assert client.define(name("NOLD", "LLN0$mine"), TOTW) == NON_EXISTENT
    assert client.define(name(LD, "NONE1$mine"), TOTW) == NON_EXISTENT
    for bad in (
        name(LD, "LLN0"),
        name(LD, "LLN0$"),
        name(LD, "LLN0$a$b"),
        name(LD, f"LLN0${'x' * 33}"),
        tlv(0x82, b""),
    ):
        assert client.define(bad, TOTW) == definition(0)


@pytest.mark.conformance("DS-N3", "DS-N4", "CNF-4")
def test_services_say_how_many_there_may_be_and_how_large() -> None:
    services = Services(declared=True, dyn_data_set_max=2, dyn_data_set_max_attributes=2)
    server = models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO), services=services)
    client = EngineClient(DataModel(server))
    assert client.define(MINE, TOTW, MOD, TOTW) == definition(0)
    assert client.define(MINE, TOTW, MOD) is None
    assert client.define(name(LD, "LLN0$second"), TOTW) is None
    assert client.define(name(LD, "LLN0$third"), TOTW) == {"error": {"error": {"resource": 4}}}
    assert client.define(OWN, TOTW) is None
    assert client.delete(MINE) == {"matched": 1, "deleted": 1}
    assert client.define(name(LD, "LLN0$third"), TOTW) is None
    assert client.define(MINE) == {"reject": {"confirmed_request": 4}}


def test_a_server_that_does_not_declare_it_makes_none() -> None:
    services = Services(declared=True, dyn_data_set=False)
    server = models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO), services=services)
    assert EngineClient(DataModel(server)).define(MINE, TOTW) == {"error": {"error": {"access": 1}}}


@pytest.mark.conformance("DS-N8")
def test_a_data_set_that_a_report_refers_to_stays(client: EngineClient) -> None:
    assert client.define(MINE, TOTW) is None
    assert client.write(LD, ("LLN0$BR$history01$DatSet", text("DEMOLD0/LLN0$mine"))) == ["success"]
    gone = name(LD, "LLN0$gone")
    assert client.define(gone, TOTW) is None
    assert client.delete(gone, MINE) == {"error": {"error": {"service": 5}, "specific": {"delete_list": 1}}}
    assert client.write(LD, ("LLN0$BR$history01$DatSet", text(""))) == ["success"]
    assert client.delete(MINE) == {"matched": 1, "deleted": 1}


@pytest.mark.conformance("DS-N10")
def test_a_report_never_keeps_a_data_set_whose_owner_has_gone(engine: Engine) -> None:
    client, other = EngineClient(engine), EngineClient(engine)
    assert client.define(OWN, TOTW) is None
    block = "LLN0$RP$events01"
    assert client.write(LD, (f"{block}$DatSet", text("@own")), (f"{block}$RptEna", boolean(True))) == ["success"] * 2
    client.close()
    assert other.read(LD, f"{block}$DatSet") == [{"success": {"visible_string": ""}}]
    assert other.write(LD, (f"{block}$RptEna", boolean(True))) == [2]
    engine.commit([(engine.model.find("LD0/MMXU1.TotW.mag.f"), 5.0)], CLOCK.now())
    assert other.write(LD, (f"{block}$DatSet", text("@own"))) == [11]
    assert other.write(LD, ("LLN0$BR$history01$DatSet", text("@own"))) == [11]


@pytest.mark.conformance("DS-6")
def test_a_persistent_data_set_survives_a_restart_and_one_without_its_members_does_not() -> None:
    model = DataModel(models.demo())
    client = EngineClient(Engine(model, IDENTITY, StoredState({}, {})))
    inside = variable(LD, "MMXU1$MX$HA$phsAHar", select(index(2), component("cVal")))
    assert client.define(MINE, TOTW, inside) is None
    assert client.define(name(LD, "LLN0$gone"), variable(LD, "MMXU2$MX$TotW")) is None
    operations, _ = client.engine.persistence.take()
    kept = {one.key: one.value for one in operations if isinstance(one, Put) and one.kind == "data set" and one.value}
    smaller = models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO))
    engine = Engine(DataModel(smaller), IDENTITY, StoredState({"data set": kept}, {}))
    back = EngineClient(engine)
    assert members(back, MINE) == members(client, MINE)
    assert engine.problems == ["data set DEMOLD0/LLN0$gone is left out: the model does not have what it was made of"]
    assert back.write(LD, ("LLN0$RP$events01$DatSet", text("DEMOLD0/LLN0$mine"))) == ["success"]


@pytest.mark.conformance("DS-6")
def test_what_was_deleted_or_made_anew_before_a_restart_is_so_after_it(tmp_path: Path) -> None:
    second = name(LD, "LLN0$second")

    def opened() -> tuple[Store, EngineClient]:
        store = Store(tmp_path, "DEMO")
        return store, EngineClient(Engine(DataModel(models.demo()), IDENTITY, store.load()))

    def restarted(act: Callable[[EngineClient], object]) -> list[list[str]]:
        """The members of the two data sets, if it is there, that the start after `act` finds."""
        store, client = opened()
        act(client)
        store.start(lambda _ticket: None)
        store.write(*client.engine.persistence.take())
        store.close()
        store, client = opened()
        store.close()
        return [in_order(members(client, one)) for one in (MINE, second) if members(client, one) != NON_EXISTENT]

    totw, mod = "MMXU1$MX$TotW$mag$f", "LLN0$ST$Mod$stVal"
    both = restarted(lambda client: [client.define(MINE, TOTW, MOD), client.define(second, MOD)])
    assert both == [[totw, mod], [mod]]
    assert restarted(lambda client: client.delete(MINE)) == [[mod]]
    assert restarted(lambda client: client.define(MINE, MOD, TOTW)) == [[mod, totw], [mod]]
    assert restarted(lambda client: [client.delete(MINE), client.define(MINE, TOTW)]) == [[totw], [mod]]
    assert restarted(lambda client: client.delete(MINE, second)) == []


def test_all_of_an_association_or_of_a_domain_can_be_deleted_at_once(client: EngineClient) -> None:
    assert client.define(OWN, TOTW) is None
    assert client.define(MINE, TOTW) is None
    assert client.ask(0xAD, tlv(0x80, b"\x01")) == {"matched": 1, "deleted": 1}
    assert client.ask(0xAD, tlv(0x80, b"\x02") + tlv(0x82, LD.encode())) == {"matched": 1, "deleted": 1}
    assert client.ask(0xAD, tlv(0x80, b"\x02") + tlv(0x82, b"NOLD")) == NON_EXISTENT
    assert client.ask(0xAD, tlv(0x80, b"\x03")) == {"error": {"error": {"access": 1}}}


def test_bits_are_written_as_clients_write_them() -> None:
    assert bits("0110") == b"\x84\x02\x04\x60"
