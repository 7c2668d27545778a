"""Our client against our server, two ends in memory and virtual time: the same stack from both sides."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from bus.quality import FAILURE, INVALID, Quality, UtcTime
from mapping.model import FC, BasicType, DataObjectType, DataSet, DataSetMember, EnumType, LogicalNodeType
from mms_server.client.client import MmsClient
from mms_server.client.controls import Operated, Origin
from mms_server.client.errors import MmsError
from mms_server.engine import Engine
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient
from tests.support.memory_wire import MemoryWire, connected
from tests.support.scripted_process import ScriptedProcess

CTL_MODEL = EnumType("CtlModelKind", {str(number): number for number in range(5)})


def controllable(name: str, ctl_model: int, *ctl_val: Any) -> DataObjectType:
    """A control of that model; `ctl_val` is a boolean if nothing else is given."""
    origin = models.struct(
        "origin", None, models.leaf("orCat", BasicType.INT8), models.leaf("orIdent", BasicType.OCTET_64)
    )
    members = [
        *(ctl_val or [models.leaf("ctlVal", BasicType.BOOLEAN)]), origin, models.leaf("ctlNum", BasicType.INT8U),
        models.leaf("T", BasicType.TIMESTAMP), models.leaf("Test", BasicType.BOOLEAN),
        models.leaf("Check", BasicType.CHECK),
    ]  # fmt: skip
    return models.data_object(
        name, "SPC", *models.status(name).members, models.struct("SBOw", FC.CO, *members),
        models.struct("Oper", FC.CO, *members), models.leaf("SBO", BasicType.VIS_STRING_129, FC.CO),
        models.leaf("ctlModel", BasicType.ENUM, FC.CF, enum=CTL_MODEL, values={0: ctl_model}),
    )  # fmt: skip


NAMES = ("None", "Direct", "Sbo", "Enhanced", "SboEnhanced")
ANALOGUE = models.struct("ctlVal", None, models.leaf("i", BasicType.INT32), models.leaf("f", BasicType.FLOAT32))
CSWI = LogicalNodeType(
    "CSWI", "CSWI", (*(controllable(name, number) for number, name in enumerate(NAMES)),
                     controllable("Analogue", 1, ANALOGUE)),
)  # fmt: skip


class Bench:
    """An engine, its client, and the operations that the process got."""

    def __init__(self) -> None:
        nodes = (models.lln0(), models.node(models.MMXU, "1", {"TotW.mag.f": 42.5}), models.node(models.GGIO, "1"))
        self.process = ScriptedProcess()
        self.engine = Engine(DataModel(models.server(*nodes, models.node(CSWI))), IDENTITY, process=self.process)
        self.engine.start(CLOCK.now())
        self.mms, self.wire = connected(self.engine)

    def set(self, **values: Any) -> None:
        """One commit; `MMXU1_TotW_q=0` is `LD0/MMXU1.TotW.q`."""
        find = self.engine.model.find
        pairs = [(find(f"LD0/{name.replace('_', '.')}"), value) for name, value in values.items()]
        self.engine.commit(pairs, CLOCK.now())


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.mms.close()


@pytest.fixture
def mms(bench: Bench) -> MmsClient:
    return bench.mms


# ---------------------------------------------------------------------- coming and going


def test_an_association_is_released_in_order_and_the_wire_let_go(bench: Bench) -> None:
    bench.mms.read("LD0/MMXU1.TotW.mag.f")
    assert len(bench.engine.clients) == 1
    bench.mms.close()
    assert (bench.wire.closed, bench.wire.association.closing) == (True, True)
    assert list(bench.engine.clients) == []
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.TotW\.mag\.f: released$"):
        bench.mms.read("LD0/MMXU1.TotW.mag.f")


def test_a_password_is_what_lets_a_client_in() -> None:
    engine = Bench().engine
    connected(engine, "secret")[0].close()
    with pytest.raises(MmsError, match=r"^memory: refused: authentication failed$"):
        MmsClient(MemoryWire(engine, "secret"), "memory", password="wrong")
    with pytest.raises(MmsError, match=r"^memory: refused: authentication failed$"):
        MmsClient(MemoryWire(engine, "secret"), "memory")


# ---------------------------------------------------------------------- reading


def test_a_leaf_is_its_value_under_the_inst_and_under_the_full_name(mms: MmsClient) -> None:
    assert mms.read("LD0/MMXU1.TotW.mag.f") == 42.5
    assert mms.read("DEMOLD0/MMXU1.TotW.mag.f [MX]") == 42.5


def test_a_data_object_is_its_process_data_by_names(bench: Bench) -> None:
    at = UtcTime(1_700_000_000_000_000_000)
    bench.set(MMXU1_TotW_q=INVALID | FAILURE, MMXU1_TotW_t=at)
    assert bench.mms.read("LD0/MMXU1.TotW") == {"mag": {"f": 42.5}, "q": Quality(INVALID | FAILURE), "t": at}


def test_what_has_no_process_data_is_all_that_can_be_read_without_effect(mms: MmsClient) -> None:
    assert mms.read("LD0/MMXU1.TotW.units") == {"SIUnit": 1, "multiplier": 0}
    assert mms.read("LD0/LLN0.StrVal") == {"setMag": {"f": 2.5}}  # SG, and not SE
    assert mms.read("LD0/CSWI1.Sbo") == {"stVal": False, "q": 0, "t": UtcTime(0, 0)}
    urcb = mms.read("LD0/LLN0.events01")
    assert isinstance(urcb, dict)
    assert (urcb["RptEna"], urcb["DatSet"], urcb["ConfRev"]) == (False, "DEMOLD0/LLN0$measured", 7)


def test_a_functional_constraint_chooses(mms: MmsClient) -> None:
    assert mms.read("LD0/CSWI1.Sbo [CF]") == {"ctlModel": 2}
    assert mms.read("LD0/CSWI1.Sbo.SBO [CO]") == "DEMOLD0/CSWI1$CO$Sbo$SBO"


def test_a_logical_node_is_a_dict_by_functional_constraint(mms: MmsClient) -> None:
    whole = mms.read("LD0/MMXU1")
    assert isinstance(whole, dict)
    assert set(whole) == {"MX", "CF", "DC"}
    assert mms.read("LD0/MMXU1 [MX]") == whole["MX"]


def test_elements_of_arrays_are_read_by_their_number(bench: Bench) -> None:
    bench.engine.commit([(bench.engine.model.find("LD0/MMXU1.HA.phsAHar(2).cVal.mag.f"), 3.5)], CLOCK.now())
    assert bench.mms.read("LD0/MMXU1.HA.phsAHar(2).cVal.mag.f") == 3.5
    whole = bench.mms.read("LD0/MMXU1.HA.phsAHar")
    assert isinstance(whole, list)
    assert bench.mms.read("LD0/MMXU1.HA.phsAHar(2)") == whole[2]
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.HA\.phsAHar\(4\): no such element$"):
        bench.mms.read("LD0/MMXU1.HA.phsAHar(4)")


def test_every_basic_type_comes_as_a_value_of_python(mms: MmsClient) -> None:
    whole = mms.read("LD0/GGIO1.All")
    assert isinstance(whole, dict)
    kinds = {name: type(value) for name, value in whole.items()}
    assert kinds == {
        basic.value: _python(basic.value) for basic in BasicType if basic is not BasicType.STRUCT
    }  # fmt: skip


def _python(name: str) -> type:
    if name.startswith(("VisString", "Unicode", "ObjRef", "Currency")):
        return str
    if name.startswith(("Octet", "EntryID")):
        return bytes
    return {"PhyComAddr": dict, "BOOLEAN": bool, "FLOAT32": float, "FLOAT64": float, "Timestamp": UtcTime}.get(
        name, int
    )


def test_a_nan_is_read_as_one(bench: Bench) -> None:
    bench.set(MMXU1_TotW_mag_f=math.nan)
    value = bench.mms.read("LD0/MMXU1.TotW.mag.f")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("LD0/MMXU1.TotV", "LD0/MMXU1.TotV: no such name; near it: LD0/MMXU1.TotW"),
        ("LD0/MMXU7", "LD0/MMXU7: no such name; near it: LD0/MMXU1"),
        ("LD0/MMXU1.TotW.unit", "LD0/MMXU1.TotW.unit: no such name; near it: LD0/MMXU1.TotW.units"),
        ("LD0/MMXU1.Tot.mag.f", "LD0/MMXU1.Tot.mag.f: no such name; near it: LD0/MMXU1.TotW"),
        ("LD0/MMXU1.TotW [ST]", "LD0/MMXU1.TotW [ST]: not under that functional constraint"),
        ("LD9/MMXU1.TotW", "LD9: no logical device of that name; there are DEMOLD0"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_what_is_near(mms: MmsClient, reference: str, text: str) -> None:
    with pytest.raises(MmsError) as caught:
        mms.read(reference)
    assert str(caught.value) == text


def test_names_that_do_not_fit_one_pdu_come_page_by_page() -> None:
    mms, _ = connected(Bench().engine, max_pdu=512)
    assert mms.read("LD0/GGIO1.Ind1.stVal") is False
    with pytest.raises(MmsError, match=r"^DEMOLD0/GGIO1\$ST\$All: resource-other$"):
        mms.read("LD0/GGIO1.All")


# ---------------------------------------------------------------------- waiting


def test_wait_returns_as_soon_as_the_value_is_there(bench: Bench) -> None:
    before = CLOCK.ns
    bench.wire.elsewhere = lambda: bench.set(MMXU1_TotW_mag_f=229.7)
    assert bench.mms.wait("LD0/MMXU1.TotW.mag.f", 229.7) == pytest.approx(229.7)
    assert CLOCK.ns - before == 50_000_000
    assert bench.mms.wait("LD0/MMXU1.TotW.mag.f", pytest.approx(230, abs=1)) == pytest.approx(229.7)


def test_wait_says_what_was_there_instead_and_how_good_it_was(bench: Bench) -> None:
    bench.set(MMXU1_TotW_q=INVALID | FAILURE, MMXU1_TotW_t=UtcTime(1_700_000_000_500_000_000))
    before = CLOCK.ns
    with pytest.raises(AssertionError) as caught:
        bench.mms.wait("LD0/MMXU1.TotW.mag.f", 7.0, within=0.3)
    assert CLOCK.ns - before == 300_000_000
    assert str(caught.value) == (
        "LD0/MMXU1.TotW.mag.f is 42.5, invalid (failure), since 2023-11-14T22:13:20.500+00:00, after 0.3 s, expected 7.0"
    )
    with pytest.raises(AssertionError, match=r"^LD0/CSWI1\.Sbo\.ctlModel is 2 after 0 s, expected 1$"):
        bench.mms.wait("LD0/CSWI1.Sbo.ctlModel", 1, within=0)


# ---------------------------------------------------------------------- writing


def test_a_value_is_written_for_its_type_and_a_refusal_says_why(bench: Bench) -> None:
    bench.engine.behaviour.permissions.open_fcs.add(FC.CF)
    bench.mms.write("LD0/MMXU1.TotW.db", 5)
    assert bench.mms.read("LD0/MMXU1.TotW.db") == 5
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.TotW\.mag\.f: object-access-denied$") as caught:
        bench.mms.write("LD0/MMXU1.TotW.mag.f", 5.0)
    assert caught.value.error is DataAccessError.OBJECT_ACCESS_DENIED
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.TotW\.db: -1, expected 0\.\.4294967295$"):
        bench.mms.write("LD0/MMXU1.TotW.db", -1)
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.TotW\.mag: \{'f': 1\.0, 'g': 2\}, expected a dict of f$"):
        bench.mms.write("LD0/MMXU1.TotW.mag", {"f": 1.0, "g": 2})


def test_what_is_several_variables_or_part_of_an_array_is_not_written(mms: MmsClient) -> None:
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.HA\.phsAHar\(1\): not one variable to write"):
        mms.write("LD0/MMXU1.HA.phsAHar(1)", {})


# ---------------------------------------------------------------------- controls


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_control_is_done_as_its_model_asks(bench: Bench, name: str) -> None:
    assert bench.mms.operate(f"LD0/CSWI1.{name}", True, origin=Origin(2, b"bench")) == Operated(ok=True)
    (operation,) = bench.process.done
    action = operation.action
    assert (action.reference, action.value, action.or_cat, action.or_ident, action.test) == (
        f"DEMOLD0/CSWI1.{name}", True, 2, b"bench", False,
    )  # fmt: skip
    assert (action.interlock_check, action.synchro_check) == (True, True)
    assert bench.mms.operate(f"LD0/CSWI1.{name}", False, interlock=False)
    assert (bench.process.done[1].action.interlock_check, bench.process.done[1].action.synchro_check) == (False, True)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_refused_control_is_false_and_says_why(bench: Bench, name: str) -> None:
    bench.process.verdict = AddCause.BLOCKED_BY_INTERLOCKING
    done = bench.mms.operate(f"LD0/CSWI1.{name}", True)
    assert not done
    assert done == Operated(False, AddCause.BLOCKED_BY_INTERLOCKING, "operate: object-access-denied")


@pytest.mark.parametrize("name", ["Enhanced", "SboEnhanced"])
def test_a_control_that_began_and_did_not_succeed_is_told_by_its_termination(bench: Bench, name: str) -> None:
    bench.wire.verdict = AddCause.TIME_LIMIT_OVER
    assert bench.mms.operate(f"LD0/CSWI1.{name}", True) == Operated(False, AddCause.TIME_LIMIT_OVER, "terminated")


def test_a_select_that_fails_is_where_a_control_ends(bench: Bench) -> None:
    other, _ = connected(bench.engine)
    for name, expected in (
        ("Sbo", Operated(False, None, "select: refused")),
        ("SboEnhanced", Operated(False, AddCause.OBJECT_ALREADY_SELECTED, "select: temporarily-unavailable")),
    ):
        holder = EngineClient(bench.engine)
        if name == "Sbo":
            holder.read("DEMOLD0", "CSWI1$CO$Sbo$SBO")
        else:
            bench.process.judge = lambda _: True
            _selected(other, name)
        assert bench.mms.operate(f"LD0/CSWI1.{name}", True) == expected
    assert bench.process.done == []


def _selected(mms: MmsClient, name: str) -> None:
    parameters = mms.read(f"LD0/CSWI1.{name}.SBOw [CO]")
    assert isinstance(parameters, dict)
    mms.write(f"LD0/CSWI1.{name}.SBOw [CO]", parameters | {"T": UtcTime(1)})


def test_a_number_is_the_f_of_an_analogue_value(bench: Bench) -> None:
    assert bench.mms.operate("LD0/CSWI1.Analogue", 2.5)
    assert bench.process.done[0].action.value == {"i": 0, "f": 2.5}
    with pytest.raises(MmsError, match=r"^LD0/CSWI1\.Direct: float 2\.5, expected a boolean$"):
        bench.mms.operate("LD0/CSWI1.Direct", 2.5)


def test_status_only_refuses_and_what_is_no_control_is_an_error(bench: Bench) -> None:
    assert bench.mms.operate("LD0/CSWI1.None", True).error == "operate: object-access-denied"
    with pytest.raises(MmsError, match=r"^LD0/MMXU1\.TotW \[CO\]: not under that functional constraint$"):
        bench.mms.operate("LD0/MMXU1.TotW", True)


# ---------------------------------------------------------------------- reports

IND1 = "LD0/GGIO1 [ST]"
TOTW, TOTW_F, HARMONIC = "LD0/MMXU1.TotW", "LD0/MMXU1.TotW.mag.f", "LD0/MMXU1.HA.phsAHar(2).cVal.mag"


def test_a_report_tells_its_members_by_reference_with_values_and_reasons(bench: Bench) -> None:
    with bench.mms.reports("LD0/LLN0.events") as reports:
        bench.set(MMXU1_TotW_mag_f=5.0, MMXU1_TotW_q=INVALID)
        report = reports.next()
    time = UtcTime(0, 0)
    assert report.values == {TOTW: {"mag": {"f": 5.0}, "q": INVALID, "t": time}, TOTW_F: 5.0}
    assert report.reasons == {TOTW: ("data-change", "quality-change"), TOTW_F: ("data-change",)}
    assert (report.rpt_id, report.sq_num, report.entry_id) == ("DEMOLD0/LLN0$RP$events01", 0, None)
    assert report.time is not None


def test_reports_asked_for_have_everything(bench: Bench) -> None:
    with bench.mms.reports("DEMOLD0/LLN0.events", interrogate=True) as reports:
        report = reports.next()
    assert list(report.values) == [f"DEMO{one}" for one in (TOTW, TOTW_F, HARMONIC, "LD0/GGIO1")]
    assert set(report.reasons.values()) == {("general-interrogation",)}
    assert report.values["DEMO" + HARMONIC] == {"f": 0.0}


def test_reports_of_each_period_come_one_after_another(bench: Bench) -> None:
    reports = bench.mms.reports("LD0/LLN0.events", integrity_ms=1000)
    kinds = []
    for report in reports:
        kinds.append(set(report.reasons.values()))
        if len(kinds) == 3:
            reports.close()
    assert kinds == [{("integrity",)}] * 3


def test_no_report_is_told_with_how_long_was_waited(bench: Bench) -> None:
    with (
        bench.mms.reports("LD0/LLN0.events01") as reports,
        pytest.raises(AssertionError, match=r"^no report of LD0/LLN0\.events01 within 1\.5 s$"),
    ):
        reports.next(within=1.5)


def test_reports_are_waited_for_by_what_they_say(bench: Bench) -> None:
    with bench.mms.reports("LD0/LLN0.events") as reports:
        bench.set(MMXU1_TotW_mag_f=1.0)
        CLOCK.pass_ms(200, bench.engine)
        bench.set(MMXU1_TotW_mag_f=2.1)
        report = reports.wait("LD0/MMXU1.TotW.mag.f", 2.1)
        assert (report.sq_num, report.get("LD0/MMXU1.TotW.q"), report.get("LD0/MMXU2.TotW.q")) == (1, 0, None)
        bench.set(MMXU1_TotW_mag_f=3.0)
        with pytest.raises(AssertionError) as caught:
            reports.wait("LD0/MMXU1.TotW.mag.f", 4.0)
    assert str(caught.value) == ("reports of LD0/LLN0.events say 3.0 for LD0/MMXU1.TotW.mag.f within 2 s, expected 4.0")


def test_the_first_free_instance_is_taken_and_given_back(bench: Bench) -> None:
    other, _ = connected(bench.engine)
    with bench.mms.reports("LD0/LLN0.events") as first, other.reports("LD0/LLN0.events") as second:
        bench.set(MMXU1_TotW_mag_f=6.0)
        assert (first.next().rpt_id[-2:], second.next().rpt_id[-2:]) == ("01", "02")
        with pytest.raises(MmsError) as caught:
            bench.mms.reports("LD0/LLN0.events")
    assert str(caught.value) == "LD0/LLN0.events: none is free of LLN0$RP$events01, LLN0$RP$events02: in use"
    bench.mms.reports("LD0/LLN0.events01").close()


def test_a_buffered_block_tells_what_happened_before_only_if_asked(bench: Bench) -> None:
    bench.set(MMXU1_TotW_mag_f=7.0)
    CLOCK.pass_ms(200, bench.engine)
    with bench.mms.reports("LD0/LLN0.history", backlog=True) as reports:
        kept = reports.next()
    assert kept.values[TOTW_F] == 7.0
    assert kept.entry_id is not None
    bench.set(MMXU1_TotW_mag_f=8.0)
    CLOCK.pass_ms(200, bench.engine)
    with bench.mms.reports("LD0/LLN0.history") as reports:
        bench.set(MMXU1_TotW_mag_f=9.0)
        assert reports.next().values[TOTW_F] == 9.0


def test_a_report_in_segments_comes_whole() -> None:
    numbers = [1, 2, 3, 4]
    members = tuple(DataSetMember("DEMOLD0", f"MMXU{number}$MX") for number in numbers)
    lln0 = models.lln0(data_sets=(DataSet("measured", members),))
    nodes = [models.node(models.MMXU, str(number)) for number in numbers]
    mms, _ = connected(Engine(DataModel(models.server(lln0, *nodes)), IDENTITY), max_pdu=700)
    with mms.reports("LD0/LLN0.events", interrogate=True) as reports:
        first = reports.next()
    assert list(first.values) == [f"LD0/MMXU{number}" for number in numbers]
    assert set(first.reasons.values()) == {("general-interrogation",)}


def test_a_block_that_is_not_there_is_told_with_what_is_near(mms: MmsClient) -> None:
    with pytest.raises(MmsError, match=r"^LD0/LLN0\.event: no such report control block; near it: events02, events01$"):
        mms.reports("LD0/LLN0.event")
