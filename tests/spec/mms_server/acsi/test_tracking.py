"""Service tracking, in virtual time: each tracking object after a service, accepted or refused (IEC 61850-7-2)."""

from dataclasses import replace
from typing import Any

import pytest

from bus.quality import UtcTime
from mapping.model import (
    FC,
    AttributeType,
    BasicType,
    DataObjectType,
    DataSet,
    DataSetMember,
    EnumType,
    LogicalNodeType,
    ReportControl,
)
from mms_server.acsi.tracking.service_names import ServiceName, ServiceStatus, status_of
from mms_server.engine import Engine
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError, ServiceError
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, bare, name, tlv, variable
from tests.support.models import leaf, struct
from tests.support.scripted_process import ScriptedProcess
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, text, unsigned

LD = "DEMOLD0"
HERE = bytes((127, 0, 0, 1))
URCB, BRCB, LCB, SGCB, GOCB = "LLN0$RP$events01", "LLN0$BR$history01", "LLN0$LG$logged", "LLN0$SP$SGCB", "LLN0$GO$fast"
DIRECT, SBO, ENHANCED, SBO_ENHANCED = 1, 2, 3, 4
SENT = b"\x91\x08" + bytes.fromhex("6a00000080000000")
SENT_AT = UtcTime(0x6A000000 * 1_000_000_000 + 500_000_000, 0)
CTL_MODEL = EnumType("CtlModelKind", {str(number): number for number in range(5)})
POSITION = EnumType("Position", {"low": 1, "high": 2})
SPEED = EnumType("Speed", {"slow": 0, "fast": 1})
FLOAT, NUMBER = leaf("f", BasicType.FLOAT32), leaf("i", BasicType.INT32)

# ---------------------------------------------------------------------- a model with everything that is tracked


def sr(attribute: str, basic: BasicType, **more: Any) -> AttributeType:
    return leaf(attribute, basic, FC.SR, **more)


COMMON = (
    sr("objRef", BasicType.OBJ_REF, dupd=True), sr("serviceType", BasicType.ENUM), sr("errorCode", BasicType.ENUM),
    sr("originatorID", BasicType.OCTET_64), sr("t", BasicType.TIMESTAMP),
)  # fmt: skip
ORIGIN = (leaf("orCat", BasicType.ENUM), leaf("orIdent", BasicType.OCTET_64))
RCB_HEAD = (sr("rptID", BasicType.VIS_STRING_129), sr("rptEna", BasicType.BOOLEAN))
RCB_TAIL = (
    sr("datSet", BasicType.OBJ_REF), sr("confRev", BasicType.INT32U), sr("optFlds", BasicType.OPT_FLDS),
    sr("bufTm", BasicType.INT32U), sr("sqNum", BasicType.INT16U), sr("trgOps", BasicType.TRG_OPS),
    sr("intgPd", BasicType.INT32U), sr("gi", BasicType.BOOLEAN),
)  # fmt: skip


def of_control(name: str, ctl_val: AttributeType) -> DataObjectType:
    return models.data_object(
        name, "CTS", *COMMON, ctl_val, sr("operTm", BasicType.TIMESTAMP), struct("origin", FC.SR, *ORIGIN),
        sr("ctlNum", BasicType.INT8U), sr("T", BasicType.TIMESTAMP), sr("Test", BasicType.BOOLEAN),
        sr("Check", BasicType.CHECK), sr("respAddCause", BasicType.ENUM),
    )  # fmt: skip


LTRK = LogicalNodeType("LTRK", "LTRK", (
    models.status("Beh", BasicType.ENUM, models.BEHAVIOUR),
    of_control("SpcTrk", sr("ctlVal", BasicType.BOOLEAN)), of_control("DpcTrk", sr("ctlVal", BasicType.BOOLEAN)),
    of_control("IncTrk", sr("ctlVal", BasicType.INT32)), of_control("EncTrk1", sr("ctlVal", BasicType.ENUM, enum=SPEED)),
    of_control("EncTrk2", sr("ctlVal", BasicType.ENUM, enum=POSITION)),
    of_control("ApcFTrk", struct("ctlVal", FC.SR, FLOAT)), of_control("ApcIntTrk", struct("ctlVal", FC.SR, NUMBER)),
    of_control("BscTrk", sr("ctlVal", BasicType.TCMD)), of_control("IscTrk", sr("ctlVal", BasicType.INT8)),
    of_control("BacTrk", sr("ctlVal", BasicType.TCMD)),
    models.data_object("UrcbTrk", "UTS", *COMMON, *RCB_HEAD, sr("resv", BasicType.BOOLEAN), *RCB_TAIL),
    models.data_object(
        "BrcbTrk", "BTS", *COMMON, *RCB_HEAD, *RCB_TAIL, sr("purgeBuf", BasicType.BOOLEAN),
        sr("entryID", BasicType.ENTRY_ID), sr("timeOfEntry", BasicType.ENTRY_TIME), sr("resvTms", BasicType.INT16),
    ),
    models.data_object(
        "LocbTrk", "LTS", *COMMON, sr("logEna", BasicType.BOOLEAN), sr("logRef", BasicType.OBJ_REF),
        sr("datSet", BasicType.OBJ_REF), sr("oldEntrTm", BasicType.ENTRY_TIME), sr("newEntrTm", BasicType.ENTRY_TIME),
        sr("oldEnt", BasicType.ENTRY_ID), sr("newEnt", BasicType.ENTRY_ID), sr("trgOps", BasicType.TRG_OPS),
        sr("intgPd", BasicType.INT32U),
    ),
    models.data_object(
        "SgcbTrk", "STS", *COMMON, sr("numOfSG", BasicType.INT8U), sr("actSG", BasicType.INT8U),
        sr("editSG", BasicType.INT8U), sr("cnfEdit", BasicType.BOOLEAN), sr("lActTm", BasicType.TIMESTAMP),
    ),
    models.data_object(
        "GocbTrk", "GTS", *COMMON, sr("goEna", BasicType.BOOLEAN), sr("goID", BasicType.VIS_STRING_129),
        sr("datSet", BasicType.OBJ_REF), sr("confRev", BasicType.INT32U), sr("ndsCom", BasicType.BOOLEAN),
        sr("dstAddress", BasicType.PHY_COM_ADDR),
    ),
    models.data_object("MsvcbTrk", "MTS", *COMMON, sr("svEna", BasicType.BOOLEAN), sr("smpRate", BasicType.INT16U)),
    models.data_object("GenTrk", "CST", *COMMON),
))  # fmt: skip
SMALL = LogicalNodeType("Small", "LTRK", (
    models.data_object("SpcTrk", "CTS", sr("objRef", BasicType.VIS_STRING_32, dupd=True), sr("errorCode", BasicType.ENUM)),
    models.data_object("UrcbTrk", "UTS", sr("t", BasicType.TIMESTAMP, dupd=True), sr("sqNum", BasicType.BOOLEAN)),
))  # fmt: skip


def controllable(name: str, cdc: str, ctl_model: int, ctl_val: AttributeType, *, timed: bool = False) -> DataObjectType:
    at = (leaf("operTm", BasicType.TIMESTAMP),) if timed else ()
    asked = (ctl_val, *at, struct("origin", None, *ORIGIN), leaf("ctlNum", BasicType.INT8U))
    rest = (leaf("T", BasicType.TIMESTAMP), leaf("Test", BasicType.BOOLEAN))
    check = leaf("Check", BasicType.CHECK)
    return models.data_object(
        name, cdc, *models.status(name).members, struct("SBOw", FC.CO, *asked, *rest, check),
        struct("Oper", FC.CO, *asked, *rest, check), struct("Cancel", FC.CO, *asked, *rest),
        leaf("SBO", BasicType.VIS_STRING_129, FC.CO), leaf("sboTimeout", BasicType.INT32U, FC.CF, values={0: 5000}),
        leaf("ctlModel", BasicType.ENUM, FC.CF, enum=CTL_MODEL, values={0: ctl_model}),
    )  # fmt: skip


ON_OFF = leaf("ctlVal", BasicType.BOOLEAN)
CONTROLS = LogicalNodeType("CSWI", "CSWI", (
    models.status("Loc"),
    controllable("Direct", "SPC", DIRECT, ON_OFF), controllable("Timed", "SPC", ENHANCED, ON_OFF, timed=True),
    controllable("Sbo", "SPC", SBO, ON_OFF), controllable("Enhanced", "SPC", ENHANCED, ON_OFF),
    controllable("SboEnhanced", "DPC", SBO_ENHANCED, ON_OFF), controllable("None", "SPC", 0, ON_OFF),
    controllable("Inc", "INC", DIRECT, leaf("ctlVal", BasicType.INT32)),
    controllable("Enc", "ENC", DIRECT, leaf("ctlVal", BasicType.ENUM, enum=POSITION)),
    controllable("ApcF", "APC", DIRECT, struct("ctlVal", None, FLOAT)),
    controllable("ApcI", "APC", DIRECT, struct("ctlVal", None, NUMBER)),
    controllable("Bsc", "BSC", DIRECT, leaf("ctlVal", BasicType.TCMD)),
    controllable("Isc", "ISC", DIRECT, leaf("ctlVal", BasicType.INT8)),
    controllable("Bac", "BAC", DIRECT, leaf("ctlVal", BasicType.TCMD)),
))  # fmt: skip
TRACKED = DataSet("tracked", tuple(
    DataSetMember(LD, f"LTRK1$SR${one.name}") for one in LTRK.objects if "Trk" in one.name
))  # fmt: skip
WATCH = ReportControl("watch", False, False, 1, "watch", "tracked", 1, 0, 0, 0b000100, 0b0001010000)
EVENTS = (models.report("events", buffered=False), models.report("history", buffered=True))


class Bench:
    """An engine whose model tracks services by `ltrk`, its client, and another that watches them."""

    def __init__(self, ltrk: LogicalNodeType | None = LTRK) -> None:
        self.ltrk = ltrk
        nodes = [models.node(models.MMXU), models.node(CONTROLS)]
        sets = (models.MEASURED, TRACKED) if ltrk is LTRK else (models.MEASURED,)
        reports = (*EVENTS, WATCH) if ltrk is LTRK else EVENTS
        if ltrk is not None:
            nodes.append(models.node(ltrk))
        server = models.server(models.lln0(data_sets=sets, reports=reports), *nodes)
        self.process = ScriptedProcess()
        self.engine = Engine(DataModel(server), IDENTITY, process=self.process)
        self.client, self.other = EngineClient(self.engine), EngineClient(self.engine, address="[::1]:50001")

    def write(self, item: str, data: bytes, client: EngineClient | None = None) -> Any:
        (result,) = (client or self.client).write(LD, (item, data))
        return result

    def ask(self, name: str, value: bytes, *, service: str = "Oper", client: EngineClient | None = None,
            or_cat: int = 3, at: bytes = b"", test: bool = False) -> Any:  # fmt: skip
        """SBOw, Oper or Cancel, with ctlNum 7, both checks, and the time SENT."""
        origin = structure(integer(or_cat), octets(b"me"))
        check = b"" if service == "Cancel" else bits("11")
        data = structure(value, at, origin, unsigned(7), SENT, boolean(test), check)
        return self.write(f"CSWI1$CO${name}${service}", data, client)

    def select(self, name: str, client: EngineClient | None = None) -> str:
        (result,) = (client or self.client).read(LD, f"CSWI1$CO${name}$SBO")
        selected: str = bare(result["success"])
        return selected

    def tracked(self, name: str) -> dict[str, Any]:
        """The attributes of a tracking object; its `t` is the present."""
        value = self.engine.model.value(self.engine.model.find(f"LD0/LTRK1.{name}"))
        assert isinstance(value, dict)
        now = CLOCK.now()
        assert value.pop("t") == UtcTime(now.utc_ns, now.time_quality)
        return value

    def shown(self, name: str) -> tuple[str, ServiceName, ServiceStatus]:
        """The object, the service and its status."""
        value = self.tracked(name)
        return value["objRef"], ServiceName(value["serviceType"]), ServiceStatus(value["errorCode"])

    def caused(self, name: str = "SpcTrk") -> tuple[ServiceName, ServiceStatus, AddCause]:
        """The same of a control, with its AddCause."""
        _, service, status = self.shown(name)
        return service, status, AddCause(self.tracked(name)["respAddCause"])

    def watch(self) -> None:
        """Let the other client have reports of every tracking object."""
        assert self.write("LLN0$RP$watch$RptEna", boolean(True), self.other) == "success"
        self.other.reports()  # of just that

    def events(self) -> list[tuple[list[str], list[str]]]:
        """The reports since the last call: the tracking objects in each, and their reasons."""
        names = [member.item.split("$")[-1] for member in TRACKED.members]
        return [
            ([name for name, bit in zip(names, one.inclusion, strict=True) if bit == "1"], one.reasons)
            for one in self.other.reports()
        ]


@pytest.fixture
def bench() -> Bench:
    return Bench()


DUPD = "000100"
NO_ERROR, VIOLATION, LOCKED = (
    ServiceStatus.NO_ERROR,
    ServiceStatus.ACCESS_VIOLATION,
    ServiceStatus.INSTANCE_LOCKED_BY_OTHER_CLIENT,
)

# ---------------------------------------------------------------------- controls


@pytest.mark.conformance("TRK-1")
def test_an_operation_shows_all_that_was_asked_by_whom_and_that_it_was_accepted(bench: Bench) -> None:
    assert bench.ask("Direct", boolean(True)) == "success"
    assert bench.tracked("SpcTrk") == {
        "objRef": "DEMOLD0/CSWI1.Direct", "serviceType": ServiceName.OPERATE, "errorCode": NO_ERROR, "originatorID": b"me",
        "ctlVal": True, "operTm": UtcTime(0, 0), "origin": {"orCat": 3, "orIdent": b"me"}, "ctlNum": 7, "T": SENT_AT,
        "Test": False, "Check": 0b11, "respAddCause": AddCause.NONE,
    }  # fmt: skip


@pytest.mark.conformance("TRK-1")
@pytest.mark.parametrize(
    ("name", "data", "tracker", "value"),
    [
        ("Direct", boolean(True), "SpcTrk", True),
        ("Inc", integer(-4), "IncTrk", -4),
        ("Enc", integer(2), "EncTrk2", 2),
        ("ApcF", structure(single(1.5)), "ApcFTrk", {"f": 1.5}),
        ("ApcI", structure(integer(9)), "ApcIntTrk", {"i": 9}),
        ("Bsc", bits("10"), "BscTrk", 0b10),
        ("Isc", integer(3), "IscTrk", 3),
        ("Bac", bits("01"), "BacTrk", 0b01),
    ],
)
def test_a_control_shows_in_the_object_of_its_class_and_type(
    bench: Bench, name: str, data: bytes, tracker: str, value: object
) -> None:
    bench.watch()
    assert bench.ask(name, data) == "success"
    assert bench.shown(tracker) == (f"DEMOLD0/CSWI1.{name}", ServiceName.OPERATE, NO_ERROR)
    assert bench.tracked(tracker)["ctlVal"] == value
    assert bench.events() == [([tracker], [DUPD])]


@pytest.mark.conformance("TRK-1")
def test_a_refused_operation_shows_why(bench: Bench) -> None:
    assert bench.ask("Direct", boolean(True), or_cat=9) == 3
    assert bench.caused() == (ServiceName.OPERATE, VIOLATION, AddCause.INCONSISTENT_PARAMETERS)
    bench.process.verdict = AddCause.BLOCKED_BY_INTERLOCKING
    assert bench.ask("Direct", boolean(True)) == 3
    assert bench.caused() == (ServiceName.OPERATE, VIOLATION, AddCause.BLOCKED_BY_INTERLOCKING)
    assert bench.ask("None", boolean(True)) == 3
    assert bench.caused() == (ServiceName.OPERATE, VIOLATION, AddCause.UNKNOWN)


@pytest.mark.conformance("TRK-1", "SBN-3")
def test_an_operation_without_a_selection_shows_control_must_be_selected(bench: Bench) -> None:
    assert bench.ask("Sbo", boolean(True)) == 3
    assert bench.caused() == (
        ServiceName.OPERATE, ServiceStatus.CONTROL_MUST_BE_SELECTED, AddCause.OBJECT_NOT_SELECTED,
    )  # fmt: skip


@pytest.mark.conformance("TRK-1")
def test_data_that_mean_nothing_leave_nothing_of_the_service_before(bench: Bench) -> None:
    assert bench.ask("Direct", boolean(True)) == "success"
    assert bench.write("CSWI1$CO$Direct$Oper", structure(boolean(True))) == 7
    assert bench.tracked("SpcTrk") == {
        "objRef": "DEMOLD0/CSWI1.Direct", "serviceType": ServiceName.OPERATE,
        "errorCode": ServiceStatus.PARAMETER_VALUE_INCONSISTENT, "originatorID": b"", "ctlVal": False,
        "operTm": UtcTime(0, 0), "origin": {"orCat": 0, "orIdent": b""}, "ctlNum": 0, "T": UtcTime(0, 0),
        "Test": False, "Check": 0, "respAddCause": AddCause.UNKNOWN,
    }  # fmt: skip


@pytest.mark.conformance("TRK-1")
def test_a_select_by_a_read_is_tracked_accepted_and_refused(bench: Bench) -> None:
    bench.watch()
    assert bench.select("Sbo") == "DEMOLD0/CSWI1$CO$Sbo$SBO"
    assert bench.caused() == (ServiceName.SELECT, NO_ERROR, AddCause.NONE)
    assert bench.select("Sbo", bench.other) == ""
    assert bench.caused() == (ServiceName.SELECT, LOCKED, AddCause.OBJECT_ALREADY_SELECTED)
    assert bench.ask("Sbo", boolean(True), service="Cancel") == "success"
    assert bench.caused() == (ServiceName.CANCEL, NO_ERROR, AddCause.NONE)
    assert bench.select("Direct") == ""
    assert bench.caused() == (ServiceName.SELECT, VIOLATION, AddCause.UNKNOWN)
    bench.engine.commit([(bench.engine.model.find("LD0/CSWI1.Loc.stVal"), True)], CLOCK.now())
    assert bench.select("Sbo") == ""
    assert bench.caused() == (ServiceName.SELECT, VIOLATION, AddCause.BLOCKED_BY_SWITCHING_HIERARCHY)
    assert bench.events() == [(["SpcTrk"], [DUPD])] * 5


@pytest.mark.conformance("TRK-1")
def test_a_selection_on_which_the_program_decides_is_tracked_when_it_has(bench: Bench) -> None:
    verdicts: list[Any] = [AddCause.BLOCKED_BY_HEALTH, True, AddCause.BLOCKED_BY_PROCESS, True]

    bench.process.judge = lambda _: verdicts.pop(0)
    bench.watch()
    assert bench.ask("SboEnhanced", boolean(True), service="SBOw") == 3
    assert bench.caused("DpcTrk") == (ServiceName.SELECT_WITH_VALUE, VIOLATION, AddCause.BLOCKED_BY_HEALTH)
    assert bench.ask("SboEnhanced", boolean(True), service="SBOw") == "success"
    assert bench.caused("DpcTrk") == (ServiceName.SELECT_WITH_VALUE, NO_ERROR, AddCause.NONE)
    assert bench.select("Sbo") == ""
    assert bench.caused() == (ServiceName.SELECT, VIOLATION, AddCause.BLOCKED_BY_PROCESS)
    assert bench.select("Sbo") == "DEMOLD0/CSWI1$CO$Sbo$SBO"
    assert bench.caused() == (ServiceName.SELECT, NO_ERROR, AddCause.NONE)
    assert bench.events() == [(["DpcTrk"], [DUPD])] * 2 + [(["SpcTrk"], [DUPD])] * 2


@pytest.mark.conformance("TRK-1")
def test_a_command_termination_is_tracked_with_its_cause(bench: Bench) -> None:
    bench.watch()
    assert bench.ask("SboEnhanced", boolean(True), service="SBOw") == "success"
    assert bench.ask("SboEnhanced", boolean(True)) == "success"
    assert bench.caused("DpcTrk") == (ServiceName.OPERATE, NO_ERROR, AddCause.NONE)
    bench.engine.ended(bench.process.done[0], True, CLOCK.now())
    assert bench.caused("DpcTrk") == (ServiceName.COMMAND_TERMINATION, NO_ERROR, AddCause.NONE)
    assert bench.tracked("DpcTrk")["ctlVal"] is True
    assert bench.ask("Enhanced", boolean(True)) == "success"
    bench.engine.ended(bench.process.done[1], AddCause.TIME_LIMIT_OVER, CLOCK.now())
    failed = ServiceStatus.FAILED_DUE_TO_SERVER_CONSTRAINT
    assert bench.caused() == (ServiceName.COMMAND_TERMINATION, failed, AddCause.TIME_LIMIT_OVER)
    assert bench.events() == [(["DpcTrk"], [DUPD])] * 3 + [(["SpcTrk"], [DUPD])] * 2


@pytest.mark.conformance("TRK-1")
def test_a_client_that_has_gone_gets_no_termination_and_none_is_tracked(bench: Bench) -> None:
    assert bench.ask("Enhanced", boolean(True)) == "success"
    bench.client.close()
    bench.engine.ended(bench.process.done[0], True, CLOCK.now())
    assert bench.caused() == (ServiceName.OPERATE, NO_ERROR, AddCause.NONE)


@pytest.mark.conformance("TRK-1")
def test_a_time_activated_operation_is_tracked_when_it_is_asked_and_when_it_ends(bench: Bench) -> None:
    at = UtcTime(CLOCK.now().utc_ns // 10**9 * 10**9 + 3_000_000_000, 0)
    written = b"\x91\x08" + (at.ns // 10**9).to_bytes(4, "big") + bytes(4)
    bench.watch()
    assert bench.ask("Timed", boolean(True), at=written) == "success"
    assert bench.caused() == (ServiceName.TIME_ACTIVATED_OPERATE, NO_ERROR, AddCause.NONE)
    assert bench.tracked("SpcTrk")["operTm"] == at
    CLOCK.pass_ms(3_000, bench.engine)
    (operation,) = bench.engine.due()
    assert bench.engine.fired(operation, True, CLOCK.now())
    assert bench.events() == [(["SpcTrk"], [DUPD])]  # beginning is no service
    bench.engine.ended(operation, True, CLOCK.now())
    assert bench.caused() == (ServiceName.COMMAND_TERMINATION, NO_ERROR, AddCause.NONE)
    assert bench.events() == [(["SpcTrk"], [DUPD])]


@pytest.mark.conformance("TRK-1")
def test_equal_services_are_an_event_each(bench: Bench) -> None:
    bench.watch()
    for _ in range(3):
        assert bench.ask("Direct", boolean(True)) == "success"
    assert bench.events() == [(["SpcTrk"], [DUPD])] * 3


# ---------------------------------------------------------------------- control blocks


@pytest.mark.conformance("TRK-1")
def test_a_write_to_an_urcb_shows_the_block_as_it_is_then(bench: Bench) -> None:
    bench.watch()
    assert bench.write(f"{URCB}$RptEna", boolean(True)) == "success"
    assert bench.tracked("UrcbTrk") == {
        "objRef": "DEMOLD0/LLN0.events01", "serviceType": ServiceName.SET_URCB_VALUES, "errorCode": NO_ERROR,
        "originatorID": HERE, "rptID": "DEMOLD0/LLN0$RP$events01", "rptEna": True, "resv": True,
        "datSet": "DEMOLD0/LLN0.measured", "confRev": 7, "optFlds": 0b0111110110, "bufTm": 100, "sqNum": 0,
        "trgOps": 0b011001, "intgPd": 5000, "gi": False,
    }  # fmt: skip
    assert bench.events() == [(["UrcbTrk"], [DUPD])]


@pytest.mark.conformance("TRK-1")
@pytest.mark.parametrize(
    ("attribute", "data", "code", "status", "shown"),
    [
        ("BufTm", unsigned(20), "success", NO_ERROR, ("bufTm", 20)),
        ("SqNum", unsigned(9), 3, VIOLATION, ("sqNum", 9)),
        ("DatSet", text("DEMOLD0/LLN0$none"), 11, ServiceStatus.PARAMETER_VALUE_INAPPROPRIATE,
         ("datSet", "DEMOLD0/LLN0.none")),
        ("BufTm", boolean(True), 7, ServiceStatus.PARAMETER_VALUE_INCONSISTENT, ("bufTm", 100)),
        ("GI", boolean(True), 2, LOCKED, ("gi", True)),
    ],
)  # fmt: skip
def test_an_attribute_shows_what_was_asked_for_refused_or_not(
    bench: Bench, attribute: str, data: bytes, code: object, status: ServiceStatus, shown: tuple[str, object]
) -> None:
    for block, tracker, service in (
        (URCB, "UrcbTrk", ServiceName.SET_URCB_VALUES),
        (BRCB, "BrcbTrk", ServiceName.SET_BRCB_VALUES),
    ):
        assert bench.write(f"{block}${attribute}", data) == code
        assert bench.shown(tracker) == (f"DEMOLD0/LLN0.{block.split('$')[2]}", service, status)
        assert bench.tracked(tracker)[shown[0]] == shown[1]


@pytest.mark.conformance("TRK-1")
def test_each_attribute_of_a_brcb_has_its_place(bench: Bench) -> None:
    assert bench.write(f"{BRCB}$PurgeBuf", boolean(True)) == "success"
    assert bench.write(f"{BRCB}$ResvTms", integer(30)) == "success"
    shown = bench.tracked("BrcbTrk")
    assert (shown["resvTms"], shown["purgeBuf"], shown["entryID"], shown["timeOfEntry"]) == (30, False, bytes(8), 0)
    assert bench.write(f"{BRCB}$PurgeBuf", boolean(True)) == "success"
    assert bench.tracked("BrcbTrk")["purgeBuf"] is True
    assert bench.write(f"{BRCB}$BufTm", unsigned(1), bench.other) == 2
    assert bench.shown("BrcbTrk") == ("DEMOLD0/LLN0.history01", ServiceName.SET_BRCB_VALUES, LOCKED)
    assert bench.tracked("BrcbTrk")["originatorID"] == b"::1"
    assert bench.write(BRCB, structure()) == 3
    assert bench.shown("BrcbTrk") == ("DEMOLD0/LLN0.history01", ServiceName.SET_BRCB_VALUES, VIOLATION)


@pytest.mark.conformance("TRK-1")
def test_a_write_of_several_attributes_is_an_event_for_each(bench: Bench) -> None:
    bench.watch()
    results = bench.client.write(
        LD, (f"{URCB}$BufTm", unsigned(0)), (f"{URCB}$IntgPd", unsigned(0)), (f"{URCB}$RptEna", boolean(True))
    )
    assert results == ["success"] * 3
    assert bench.events() == [(["UrcbTrk"], [DUPD])] * 3


@pytest.mark.conformance("TRK-1")
def test_a_write_to_a_log_control_block_is_tracked(bench: Bench) -> None:
    bench.watch()
    assert bench.write(f"{LCB}$TrgOps", bits("010000")) == 2  # it is enabled
    assert bench.shown("LocbTrk") == ("DEMOLD0/LLN0.logged", ServiceName.SET_LCB_VALUES, LOCKED)
    assert bench.write(f"{LCB}$LogEna", boolean(False)) == "success"
    assert bench.tracked("LocbTrk") == {
        "objRef": "DEMOLD0/LLN0.logged", "serviceType": ServiceName.SET_LCB_VALUES, "errorCode": NO_ERROR,
        "originatorID": HERE, "logEna": False, "logRef": "DEMOLD0/LLN0.LD0", "datSet": "DEMOLD0/LLN0.measured",
        "oldEntrTm": 0, "newEntrTm": 0, "oldEnt": bytes(8), "newEnt": bytes(8), "trgOps": 0b010000, "intgPd": 0,
    }  # fmt: skip
    assert bench.events() == [(["LocbTrk"], [DUPD])] * 2


@pytest.mark.conformance("TRK-1")
def test_each_service_of_setting_groups_is_tracked(bench: Bench) -> None:
    bench.watch()
    sgcb = "DEMOLD0/LLN0.SGCB"
    assert bench.write(f"{SGCB}$ActSG", unsigned(1)) == "success"
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.SELECT_ACTIVE_SG, NO_ERROR)
    shown = bench.tracked("SgcbTrk")
    assert (shown["numOfSG"], shown["actSG"], shown["editSG"], shown["cnfEdit"]) == (3, 1, 0, False)
    assert shown["lActTm"].ns == CLOCK.now().utc_ns
    assert bench.write(f"{SGCB}$ActSG", unsigned(4)) == 11
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.SELECT_ACTIVE_SG, ServiceStatus.PARAMETER_VALUE_INAPPROPRIATE)
    assert bench.tracked("SgcbTrk")["actSG"] == 4
    assert bench.write(f"{SGCB}$EditSG", unsigned(2)) == "success"
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.SELECT_EDIT_SG, NO_ERROR)
    assert bench.write(f"{SGCB}$EditSG", unsigned(2), bench.other) == 2
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.SELECT_EDIT_SG, LOCKED)
    assert bench.write("LLN0$SE$StrVal$setMag$f", single(4.0)) == "success"
    assert bench.shown("GenTrk") == ("DEMOLD0/LLN0.StrVal.setMag.f", ServiceName.SET_EDIT_SG_VALUE, NO_ERROR)
    assert bench.write(f"{SGCB}$CnfEdit", boolean(True)) == "success"
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.CONFIRM_EDIT_SG_VALUES, NO_ERROR)
    assert bench.tracked("SgcbTrk")["cnfEdit"] is True
    assert bench.write(f"{SGCB}$CnfEdit", boolean(True)) == 3
    assert bench.shown("SgcbTrk") == (sgcb, ServiceName.CONFIRM_EDIT_SG_VALUES, VIOLATION)
    events = bench.events()
    assert bench.write(f"{SGCB}$NumOfSG", unsigned(2)) == 3  # no service of setting groups
    assert events == [(["SgcbTrk"], [DUPD])] * 4 + [(["GenTrk"], [DUPD])] + [(["SgcbTrk"], [DUPD])] * 2
    assert bench.events() == []


# ---------------------------------------------------------------------- GOOSE and sampled values


@pytest.mark.conformance("GO-1", "TRK-1")
def test_of_a_goose_control_block_only_go_ena_can_be_written_and_it_keeps_what_is_written(bench: Bench) -> None:
    bench.watch()
    for value in (True, False, True):
        assert bench.write(f"{GOCB}$GoEna", boolean(value)) == "success"
        assert bench.client.read(LD, f"{GOCB}$GoEna") == [{"success": {"boolean": value}}]
    assert bench.tracked("GocbTrk") == {
        "objRef": "DEMOLD0/LLN0.fast", "serviceType": ServiceName.SET_GOCB_VALUES, "errorCode": NO_ERROR,
        "originatorID": HERE, "goEna": True, "goID": "demo/fast", "datSet": "DEMOLD0/LLN0.measured", "confRev": 3,
        "ndsCom": False,
        "dstAddress": {"Addr": bytes.fromhex("010ccd010001"), "PRIORITY": 4, "VID": 0, "APPID": 1},
    }  # fmt: skip
    others = {
        "GoID": text("x"), "DatSet": text(""), "ConfRev": unsigned(1), "NdsCom": boolean(False),
        "DstAddress": structure(octets(bytes(6)), unsigned(4), unsigned(0), unsigned(0)),
        "DstAddress$Addr": octets(bytes(6)), "MinTime": unsigned(1), "MaxTime": unsigned(1), "FixedOffs": boolean(True),
    }  # fmt: skip
    for attribute, data in others.items():
        assert bench.write(f"{GOCB}${attribute}", data) == 3
        assert bench.shown("GocbTrk") == ("DEMOLD0/LLN0.fast", ServiceName.SET_GOCB_VALUES, VIOLATION)
    assert bench.write(GOCB, structure()) == 3
    assert bench.write(f"{GOCB}$GoEna", integer(1)) == 7
    assert bench.events() == [(["GocbTrk"], [DUPD])] * (3 + len(others) + 2)


@pytest.mark.conformance("GO-1")
@pytest.mark.parametrize("broken", [{"data_set": None}, {"data_set": "none"}, {"needs_commissioning": True}])
def test_a_goose_control_block_that_could_not_publish_is_not_enabled(broken: dict[str, Any]) -> None:
    client = EngineClient(DataModel(models.server(models.lln0(goose=broken), models.node(models.MMXU))))
    assert client.write(LD, (f"{GOCB}$GoEna", boolean(True))) == [2]
    assert client.write(LD, (f"{GOCB}$GoEna", boolean(False))) == ["success"]


@pytest.mark.conformance("TRK-1")
def test_a_sampled_value_control_block_is_tracked_as_refused(bench: Bench) -> None:
    assert bench.write("LLN0$MS$waves$SvEna", boolean(True)) == 3
    assert bench.tracked("MsvcbTrk") == {
        "objRef": "DEMOLD0/LLN0.waves", "serviceType": ServiceName.SET_MSVCB_VALUES, "errorCode": VIOLATION,
        "originatorID": HERE, "svEna": True, "smpRate": 80,
    }  # fmt: skip


# ---------------------------------------------------------------------- other services


@pytest.mark.conformance("TRK-1")
def test_writes_to_data_show_in_the_generic_object(bench: Bench) -> None:
    bench.watch()
    written = "MMXU1$DC$TotW$d"
    assert bench.write(written, text("new")) == "success"
    assert bench.tracked("GenTrk") == {
        "objRef": "DEMOLD0/MMXU1.TotW.d", "serviceType": ServiceName.SET_DATA_VALUES, "errorCode": NO_ERROR,
        "originatorID": HERE,
    }  # fmt: skip
    assert bench.write("MMXU1$MX$TotW$mag$f", single(1.0)) == 3
    assert bench.shown("GenTrk") == ("DEMOLD0/MMXU1.TotW.mag.f", ServiceName.SET_DATA_VALUES, VIOLATION)
    assert bench.write("MMXU1$DC$None$d", text("x")) == 10
    missing = ServiceStatus.INSTANCE_NOT_AVAILABLE
    assert bench.shown("GenTrk") == ("DEMOLD0/MMXU1.None.d", ServiceName.SET_DATA_VALUES, missing)
    assert bench.events() == [(["GenTrk"], [DUPD])] * 3


@pytest.mark.conformance("TRK-1")
def test_data_sets_made_written_and_deleted_show_in_the_generic_object(bench: Bench) -> None:
    bench.watch()
    mine, reference = name(LD, "LLN0$mine"), "DEMOLD0/LLN0.mine"
    assert bench.client.define(mine, variable(LD, "MMXU1$DC$TotW$d")) is None
    assert bench.shown("GenTrk") == (reference, ServiceName.CREATE_DATA_SET, NO_ERROR)
    assert bench.client.define(mine, variable(LD, "MMXU1$DC$TotW$d")) == {"error": {"error": {"definition": 5}}}
    assert bench.shown("GenTrk") == (reference, ServiceName.CREATE_DATA_SET, ServiceStatus.INSTANCE_IN_USE)
    assert bench.client.write_list(mine, text("new")) == ["success"]
    assert bench.shown("GenTrk") == (reference, ServiceName.SET_DATA_SET_VALUES, NO_ERROR)
    assert bench.client.write_list(mine, boolean(True)) == [7]
    inconsistent = ServiceStatus.PARAMETER_VALUE_INCONSISTENT
    assert bench.shown("GenTrk") == (reference, ServiceName.SET_DATA_SET_VALUES, inconsistent)
    assert bench.client.delete(mine, name(LD, "LLN0$measured"), name(LD, "LLN0$none")) == {"matched": 2, "deleted": 1}
    missing = ServiceStatus.INSTANCE_NOT_AVAILABLE
    assert bench.shown("GenTrk") == ("DEMOLD0/LLN0.none", ServiceName.DELETE_DATA_SET, missing)
    assert bench.client.write_list(mine, text("new")) == {"error": {"error": {"access": 2}}}
    assert bench.shown("GenTrk") == (reference, ServiceName.SET_DATA_SET_VALUES, missing)
    assert bench.events() == [(["GenTrk"], [DUPD])] * 8


@pytest.mark.conformance("TRK-1")
def test_a_data_set_of_the_association_is_tracked_by_its_own_name(bench: Bench) -> None:
    assert bench.client.define(tlv(0x82, b"own"), variable(LD, "MMXU1$DC$TotW$d")) is None
    assert bench.shown("GenTrk") == ("@own", ServiceName.CREATE_DATA_SET, NO_ERROR)


@pytest.mark.conformance("TRK-1")
def test_a_file_deleted_shows_in_the_generic_object(bench: Bench, tmp_path: Any) -> None:
    (tmp_path / "old.txt").write_text("x")
    bench.engine.behaviour.files.serve(tmp_path, delete=True, rename=False, obtain=False)
    body = tlv(0x19, b"old.txt")
    assert bench.client.octets(0xBF4C, body)[0] == 0xA1
    assert bench.shown("GenTrk") == ("old.txt", ServiceName.DELETE_FILE, NO_ERROR)
    assert bench.client.octets(0xBF4C, body)[0] == 0xA2
    assert bench.shown("GenTrk") == ("old.txt", ServiceName.DELETE_FILE, ServiceStatus.INSTANCE_NOT_AVAILABLE)


# ---------------------------------------------------------------------- the model decides


@pytest.mark.conformance("TRK-1")
def test_no_client_writes_a_tracking_object(bench: Bench) -> None:
    for item in ("LTRK1$SR$SpcTrk$ctlNum", "LTRK1$SR$GenTrk$objRef"):
        assert bench.write(item, unsigned(1)) == 3


@pytest.mark.conformance("TRK-1")
def test_a_model_without_tracking_objects_tracks_nothing_and_answers_as_ever() -> None:
    bench = Bench(None)
    assert bench.engine.behaviour.tracking is None
    assert bench.ask("Direct", boolean(True)) == "success"
    assert bench.ask("Sbo", boolean(True)) == 3
    assert bench.select("Sbo") == "DEMOLD0/CSWI1$CO$Sbo$SBO"
    assert bench.write(f"{URCB}$RptEna", boolean(True)) == "success"
    assert bench.write("MMXU1$DC$TotW$d", text("new")) == "success"


@pytest.mark.conformance("TRK-1")
def test_what_a_type_lacks_or_has_no_room_for_is_passed_over() -> None:
    bench = Bench(SMALL)
    assert bench.ask("Direct", boolean(True), or_cat=9) == 3
    assert bench.engine.model.value(bench.engine.model.find("LD0/LTRK1.SpcTrk")) == {
        "objRef": "DEMOLD0/CSWI1.Direct", "errorCode": VIOLATION,
    }  # fmt: skip
    assert bench.write(f"{URCB}$SqNum", unsigned(9)) == 3
    assert bench.tracked("UrcbTrk") == {"sqNum": False}
    assert bench.write(f"{BRCB}$BufTm", unsigned(9)) == "success"  # there is no object for BRCBs
    assert bench.ask("ApcF", structure(single(1.5))) == "success"  # nor for this control
    assert bench.write("MMXU1$DC$TotW$d", text("new")) == "success"  # nor a generic one


@pytest.mark.conformance("TRK-1")
def test_the_ltrk_of_the_own_ld_goes_before_the_first_of_the_server() -> None:
    logs = models.data_object("LocbTrk", "OTS", sr("objRef", BasicType.OBJ_REF))  # as some files call that class
    ltrk = LogicalNodeType("LTRK", "LTRK", (LTRK.objects[1], logs))  # SpcTrk
    first = models.server(models.lln0(), models.node(CONTROLS), models.node(ltrk))
    second = models.server(models.node(CONTROLS), models.node(ltrk), inst="LD1")
    third = models.server(models.node(CONTROLS), inst="LD2")
    client = EngineClient(DataModel(replace(first, devices=(*first.devices, *second.devices, *third.devices))))

    def shown() -> list[object]:
        find, value = client.engine.model.find, client.engine.model.value
        places = ("LD0/LTRK1.SpcTrk", "LD1/LTRK1.SpcTrk", "LD0/LTRK1.LocbTrk")
        return [value(find(f"{place}.objRef")) for place in places]

    origin = structure(integer(3), octets(b""))
    oper = structure(boolean(True), origin, unsigned(1), SENT, boolean(False), bits("00"))
    operated = [client.write(f"DEMO{ld}", ("CSWI1$CO$Direct$Oper", oper)) for ld in ("LD0", "LD1")]
    assert shown() == ["DEMOLD0/CSWI1.Direct", "DEMOLD1/CSWI1.Direct", ""]
    operated.append(client.write("DEMOLD2", ("CSWI1$CO$Direct$Oper", oper)))
    assert operated == [["success"]] * 3
    assert client.write(LD, (f"{LCB}$LogEna", boolean(False))) == ["success"]
    assert shown() == ["DEMOLD2/CSWI1.Direct", "DEMOLD1/CSWI1.Direct", "DEMOLD0/LLN0.logged"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, NO_ERROR),
        (DataAccessError.TEMPORARILY_UNAVAILABLE, LOCKED),
        (DataAccessError.OBJECT_ACCESS_DENIED, VIOLATION),
        (DataAccessError.OBJECT_VALUE_INVALID, ServiceStatus.PARAMETER_VALUE_INAPPROPRIATE),
        (DataAccessError.TYPE_INCONSISTENT, ServiceStatus.PARAMETER_VALUE_INCONSISTENT),
        (DataAccessError.OBJECT_ATTRIBUTE_INCONSISTENT, ServiceStatus.PARAMETER_VALUE_INCONSISTENT),
        (DataAccessError.OBJECT_NON_EXISTENT, ServiceStatus.INSTANCE_NOT_AVAILABLE),
        (DataAccessError.HARDWARE_FAULT, ServiceStatus.FAILED_DUE_TO_SERVER_CONSTRAINT),
        (ServiceError.CAPABILITY_UNAVAILABLE, ServiceStatus.FAILED_DUE_TO_SERVER_CONSTRAINT),
        (ServiceError.ACCESS_UNSUPPORTED, ServiceStatus.CLASS_NOT_SUPPORTED),
    ],
)
@pytest.mark.conformance("TRK-1")
def test_an_error_of_mms_shows_as_that_of_acsi(
    error: DataAccessError | ServiceError | None, status: ServiceStatus
) -> None:
    assert status_of(error) is status
