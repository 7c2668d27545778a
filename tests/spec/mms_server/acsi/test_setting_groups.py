"""Setting groups: activated, edited by one client at a time, confirmed, dropped, kept (IEC 61850-7-2, SGCB)."""

from typing import Any

import pytest

from mapping.model import Services
from mms_server.acsi.persistence import Put, StoredState
from mms_server.engine import Engine, Waiting
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, bare, write_body
from tests.support.scripted_process import ScriptedProcess
from tests.support.wire_data import boolean, single, unsigned

LD = "DEMOLD0"
SGCB, SG, SE = "LLN0$SP$SGCB", "LLN0$SG$StrVal$setMag$f", "LLN0$SE$StrVal$setMag$f"


def engine_of(stored: StoredState | None = None, **services: Any) -> Engine:
    server = models.server(
        models.lln0(), models.node(models.MMXU), models.node(models.GGIO), services=Services(**services)
    )
    return Engine(DataModel(server), IDENTITY, stored, process=ScriptedProcess())


class Bench:
    """Three groups: 1.5, 2.5 and, for which the file says nothing, the first; the second is active."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.client, self.other = EngineClient(engine), EngineClient(engine, address="127.0.0.1:50001")
        assert isinstance(engine.behaviour.process, ScriptedProcess)
        self.process = engine.behaviour.process
        self.slot = engine.model.slot(LD.encode(), SG.encode())

    def in_a_register(self) -> ScriptedProcess:
        """The process, once the setting stands in one of its registers."""
        self.process.registers = {self.slot}
        return self.process

    def put(self, name: str, data: bytes, client: EngineClient | None = None) -> Any:
        (result,) = (client or self.client).write(LD, (f"{SGCB}${name}", data))
        return result

    def set(self, value: float, client: EngineClient | None = None) -> Any:
        (result,) = (client or self.client).write(LD, (SE, single(value)))
        return result

    def read(self, item: str) -> Any:
        (result,) = self.other.read(LD, item)
        return bare(result["success"])

    def value(self, item: str) -> float:
        import struct

        return float(struct.unpack(">f", self.read(item)[1:])[0])


@pytest.fixture
def bench() -> Bench:
    return Bench(engine_of(sg_resv_tms=True))


@pytest.mark.conformance("SG-1", "SG-2")
def test_a_group_is_active_once_its_registers_are_written(bench: Bench) -> None:
    field = bench.in_a_register()
    assert bench.put("ActSG", unsigned(1)) == "success"
    assert (field.written, bench.value(SG)) == ([[(bench.slot, 1.5, 2.5)]], 1.5)
    field.written_as = DataAccessError.HARDWARE_FAULT
    assert bench.put("ActSG", unsigned(2)) == 1
    assert (bench.read(f"{SGCB}$ActSG"), bench.value(SG)) == (1, 1.5)
    assert [bench.put("EditSG", unsigned(1)), bench.set(7.5), bench.put("CnfEdit", boolean(True))] == [
        "success",
        "success",
        1,
    ]
    assert (field.written[-1], bench.value(SG)) == ([(bench.slot, 7.5, 1.5)], 1.5)
    field.written_as = True
    assert bench.put("CnfEdit", boolean(True)) == "success"
    assert bench.value(SG) == 7.5
    assert [bench.put("EditSG", unsigned(3)), bench.set(9.5), bench.put("CnfEdit", boolean(True))] == ["success"] * 3
    assert (len(field.written), bench.value(SG)) == (4, 7.5)  # the group that was edited is not active
    assert [bench.put("ActSG", unsigned(4)), bench.put("CnfEdit", boolean(True))] == [11, 3]
    assert len(field.written) == 4


def begun(bench: Bench, name: str, data: bytes, client: EngineClient | None = None) -> Waiting:
    """A Write to the SGCB that waits for the field."""
    asking = (client or bench.client).client
    waiting = bench.engine.request(asking, 1, 0xA5, write_body(LD, (f"{SGCB}${name}", data)), CLOCK.now())
    assert isinstance(waiting, Waiting)
    return waiting


@pytest.mark.conformance("SG-2", "SG-3")
@pytest.mark.parametrize("end", ["close", "time"])
def test_what_the_field_has_taken_is_in_force_although_its_editor_is_gone(bench: Bench, end: str) -> None:
    bench.in_a_register()
    bench.put("EditSG", unsigned(2))
    bench.set(9.5)
    waiting = begun(bench, "CnfEdit", boolean(True))
    if end == "close":
        bench.client.close()
    else:
        CLOCK.pass_ms(300_000, bench.engine)
    bench.engine.finish(waiting, [True], CLOCK.now())
    assert (bench.value(SG), bench.read(f"{SGCB}$EditSG"), bench.read(f"{SGCB}$ResvTms")) == (9.5, 0, 0)


@pytest.mark.conformance("SG-3")
@pytest.mark.parametrize("end", ["close", "time"])
def test_an_edit_that_the_field_refuses_is_dropped_after_all(bench: Bench, end: str) -> None:
    bench.in_a_register()
    bench.put("EditSG", unsigned(2))
    bench.set(9.5)
    waiting = begun(bench, "CnfEdit", boolean(True))
    if end == "close":
        bench.client.close()
    bench.engine.finish(waiting, [DataAccessError.HARDWARE_FAULT], CLOCK.now())
    if end == "time":
        assert bench.read(f"{SGCB}$EditSG") == 2
        CLOCK.pass_ms(300_000, bench.engine)
    assert (bench.value(SG), bench.read(f"{SGCB}$EditSG"), bench.read(f"{SGCB}$ResvTms")) == (2.5, 0, 0)


@pytest.mark.conformance("SG-1", "SG-2")
def test_nothing_else_becomes_active_while_the_field_takes_a_group(bench: Bench) -> None:
    field = bench.in_a_register()
    bench.put("EditSG", unsigned(1), bench.other)
    bench.set(7.5, bench.other)
    waiting = begun(bench, "ActSG", unsigned(1))
    assert [
        bench.put("ActSG", unsigned(3), bench.other), bench.put("CnfEdit", boolean(True), bench.other),
    ] == [2, 2]  # fmt: skip
    bench.engine.finish(waiting, [True], CLOCK.now())
    assert (bench.read(f"{SGCB}$ActSG"), bench.value(SG), field.written) == (1, 1.5, [])
    assert bench.put("CnfEdit", boolean(True), bench.other) == "success"
    assert (bench.value(SG), field.written) == (7.5, [[(bench.slot, 7.5, 1.5)]])


@pytest.mark.conformance("SG-2")
def test_one_write_does_not_edit_what_it_confirms(bench: Bench) -> None:
    field = bench.in_a_register()
    bench.put("EditSG", unsigned(2))
    bench.set(9.5)
    asked = [("EditSG", unsigned(1)), ("CnfEdit", boolean(True)), ("ActSG", unsigned(3))]
    assert bench.client.write(
        LD, *((f"{SGCB}${name}", data) for name, data in asked), (SE, single(4.5))
    ) == [2, "success", 2, 2]  # fmt: skip
    assert (bench.value(SG), field.written) == (9.5, [[(bench.slot, 9.5, 2.5)]])


@pytest.mark.conformance("SG-2", "SRV-7")
@pytest.mark.parametrize(("group", "in_force"), [(1, 2.5), (2, 9.5)], ids=["another group", "the active group"])
@pytest.mark.parametrize("field", [False, True], ids=["kept here", "in a register"])
def test_what_one_write_edits_and_then_confirms_is_confirmed(
    bench: Bench, group: int, in_force: float, field: bool
) -> None:
    registers = bench.in_a_register() if field else None
    bench.put("EditSG", unsigned(group))
    confirm = (f"{SGCB}$CnfEdit", boolean(True))
    assert bench.client.write(LD, (SE, single(9.5)), confirm) == ["success", "success"]
    assert bench.value(SG) == in_force
    if registers is not None:
        assert registers.written == ([[(bench.slot, 9.5, 2.5)]] if group == 2 else [])
    bench.put("EditSG", unsigned(group))
    assert bench.value(SE) == 9.5


@pytest.mark.conformance("SG-1")
def test_another_group_becomes_active_with_its_values(bench: Bench) -> None:
    assert (bench.read(f"{SGCB}$NumOfSG"), bench.read(f"{SGCB}$ActSG"), bench.value(SG)) == (3, 2, 2.5)
    assert bench.put("ActSG", unsigned(1)) == "success"
    assert (bench.read(f"{SGCB}$ActSG"), bench.value(SG)) == (1, 1.5)
    assert bench.read(f"{SGCB}$LActTm") != bytes(8)


@pytest.mark.conformance("SG-2")
def test_a_group_is_edited_and_confirmed(bench: Bench) -> None:
    assert bench.put("EditSG", unsigned(2)) == "success"
    assert bench.value(SE) == 2.5
    assert bench.set(9.5) == "success"
    assert (bench.value(SE), bench.value(SG)) == (9.5, 2.5)
    assert bench.put("CnfEdit", boolean(True)) == "success"
    assert (bench.value(SG), bench.read(f"{SGCB}$EditSG"), bench.read(f"{SGCB}$CnfEdit")) == (9.5, 0, False)
    bench.put("EditSG", unsigned(1))
    bench.set(7.5)
    bench.put("CnfEdit", boolean(True))
    assert bench.value(SG) == 9.5
    bench.put("ActSG", unsigned(1))
    assert bench.value(SG) == 7.5


@pytest.mark.conformance("SG-3")
@pytest.mark.parametrize("end", ["zero", "close", "time"])
def test_an_edit_that_is_not_confirmed_is_dropped(bench: Bench, end: str) -> None:
    assert bench.put("EditSG", unsigned(2)) == "success"
    assert bench.read(f"{SGCB}$ResvTms") == 300
    bench.set(9.5)
    if end == "zero":
        assert bench.put("EditSG", unsigned(0)) == "success"
    elif end == "close":
        bench.client.close()
    else:
        CLOCK.pass_ms(300_000, bench.engine)
    assert (bench.read(f"{SGCB}$EditSG"), bench.read(f"{SGCB}$ResvTms")) == (0, 0)
    assert bench.put("EditSG", unsigned(2), bench.other) == "success"
    assert bench.value(SE) == 2.5


@pytest.mark.conformance("SG-N1")
def test_groups_that_are_not_there(bench: Bench) -> None:
    assert [bench.put("ActSG", unsigned(number)) for number in (0, 4)] == [11, 11]
    assert bench.put("EditSG", unsigned(4)) == 11
    assert bench.put("EditSG", unsigned(0)) == "success"


@pytest.mark.conformance("SG-N2", "SG-N3", "SG-N4")
def test_one_client_edits_at_a_time(bench: Bench) -> None:
    assert bench.set(1.0) == 2
    assert bench.put("CnfEdit", boolean(True)) == 3
    assert bench.put("EditSG", unsigned(1)) == "success"
    assert bench.put("EditSG", unsigned(2), bench.other) == 2
    assert bench.set(1.0, bench.other) == 2
    assert bench.put("CnfEdit", boolean(True), bench.other) == 3
    assert bench.put("CnfEdit", boolean(False)) == 11


@pytest.mark.conformance("SG-N5")
def test_what_is_active_is_not_written_and_the_rest_of_the_block_is_the_servers(bench: Bench) -> None:
    assert bench.client.write(LD, (SG, single(1.0))) == [3]
    assert [bench.put(name, unsigned(1)) for name in ("NumOfSG", "ResvTms")] == [3, 3]
    assert bench.put("ActSG", boolean(True)) == 7


@pytest.mark.conformance("CNF-4")
def test_a_server_without_editing_activates_only() -> None:
    bench = Bench(engine_of(declared=True, sg_edit=False))
    assert bench.put("ActSG", unsigned(1)) == "success"
    assert bench.put("EditSG", unsigned(1)) == 9


@pytest.mark.conformance("SG-1")
def test_groups_survive_a_restart() -> None:
    bench = Bench(engine_of(StoredState({}, {})))
    bench.put("EditSG", unsigned(3))
    bench.set(33.0)
    bench.put("CnfEdit", boolean(True))
    bench.put("ActSG", unsigned(3))
    operations, _ = bench.engine.persistence.take()
    kept: dict[str, dict[str, bytes]] = {}
    for one in operations:
        if isinstance(one, Put) and one.value is not None:
            kept.setdefault(one.kind, {})[one.key] = one.value
    assert {"setting", "setting group"} <= set(kept)
    again = Bench(engine_of(StoredState(kept, {})))
    assert (again.read(f"{SGCB}$ActSG"), again.value(SG)) == (3, 33.0)
    assert again.read(f"{SGCB}$LActTm") == bench.read(f"{SGCB}$LActTm") != bytes(8)
    again.put("ActSG", unsigned(2))
    assert again.value(SG) == 2.5


@pytest.mark.parametrize("active", [1, 2, 3])
def test_a_first_start_with_a_store_that_has_nothing_yet_has_the_group_that_the_file_says(active: int) -> None:
    server = models.server(models.lln0(active_group=active), models.node(models.MMXU), models.node(models.GGIO))
    for stored in (None, StoredState({}, {})):
        bench = Bench(Engine(DataModel(server), IDENTITY, stored, process=ScriptedProcess()))
        assert (bench.read(f"{SGCB}$ActSG"), bench.value(SG)) == (active, {1: 1.5, 2: 2.5, 3: 1.5}[active])
