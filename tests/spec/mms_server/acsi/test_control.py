"""Control, in virtual time: every model, every refusal, and the reports of its end (IEC 61850-7-2, control class model)."""

from typing import Any

import pytest

from bus.quality import UtcTime
from mapping.model import FC, BasicType, EnumType, LogicalNodeType
from mms_server.acsi.clients import Client
from mms_server.acsi.control.control import Control
from mms_server.acsi.control.process import Process
from mms_server.acsi.control.selection import STEP, ControlService, ControlState, Operation, Selection
from mms_server.acsi.controllable_objects import ControlObject
from mms_server.engine import Engine, Waiting
from mms_server.mms.add_cause import AddCause
from mms_server.model.tree import DataModel
from tests.support import mms_oracle, models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, bare, read_request, variable, write_body
from tests.support.scripted_process import ScriptedProcess
from tests.support.wire_data import bits, boolean, integer, octets, structure, unsigned

LD = "DEMOLD0"
CTL_MODEL = EnumType("CtlModelKind", {name: number for number, name in enumerate(["0", "1", "2", "3", "4"])})
SBO_CLASS = EnumType("SboClassKind", {"operate-once": 0, "operate-many": 1})
DIRECT, SBO, ENHANCED, SBO_ENHANCED = 1, 2, 3, 4
TIME = b"\x91\x08" + bytes(8)
IDLE = Client(1, "127.0.0.1:1", 65_000)
LEAVES = (1, 3, 4, 5, 6, 7, 8)  # of SBOw and Oper: all but origin itself


ORIGINATOR = EnumType("OriginatorCategoryKind", {str(number): number for number in range(7)})


def controllable(name: str, ctl_model: int, *, many: bool = False, value: BasicType = BasicType.BOOLEAN) -> Any:
    """An SPC with everything that a control can have."""
    category = models.leaf("orCat", BasicType.INT8)
    if name.startswith("Limited"):
        category = models.leaf("orCat", BasicType.ENUM, enum=ORIGINATOR)
    origin = models.struct("origin", None, category, models.leaf("orIdent", BasicType.OCTET_64))
    timed = (models.leaf("operTm", BasicType.TIMESTAMP),) if name.startswith("Timed") else ()
    ordinals = [models.BEHAVIOUR] if value is BasicType.ENUM else []
    common = (
        models.leaf("ctlVal", value, enum=ordinals[0] if ordinals else None),
        *timed,
        origin,
        models.leaf("ctlNum", BasicType.INT8U),
    )
    rest = (models.leaf("T", BasicType.TIMESTAMP), models.leaf("Test", BasicType.BOOLEAN))
    check = models.leaf("Check", BasicType.CHECK)
    shown = models.struct(
        "origin", FC.ST, models.leaf("orCat", BasicType.INT8), models.leaf("orIdent", BasicType.OCTET_64)
    )
    return models.data_object(
        name, "SPC", *models.status(name, value, *ordinals).members, shown,
        models.leaf("ctlNum", BasicType.INT8U, FC.ST), models.leaf("stSeld", BasicType.BOOLEAN, FC.ST, dchg=True),
        models.leaf("opRcvd", BasicType.BOOLEAN, FC.OR), models.leaf("opOk", BasicType.BOOLEAN, FC.OR),
        models.leaf("tOpOk", BasicType.TIMESTAMP, FC.OR),
        models.struct("SBOw", FC.CO, *common, *rest, check), models.struct("Oper", FC.CO, *common, *rest, check),
        models.struct("Cancel", FC.CO, *common, *rest), models.leaf("SBO", BasicType.VIS_STRING_129, FC.CO),
        models.leaf("ctlModel", BasicType.ENUM, FC.CF, enum=CTL_MODEL, values={0: ctl_model}),
        models.leaf("sboTimeout", BasicType.INT32U, FC.CF, values={0: 5000}),
        models.leaf("sboClass", BasicType.ENUM, FC.CF, enum=SBO_CLASS, values={0: int(many)}),
    )  # fmt: skip


XCBR = LogicalNodeType(
    "CSWI",
    "CSWI",
    (
        models.status("Beh", BasicType.ENUM, models.BEHAVIOUR), models.status("Loc"), models.status("LocSta"),
        controllable("None", 0), controllable("Direct", DIRECT), controllable("Sbo", SBO),
        controllable("Enhanced", ENHANCED), controllable("SboEnhanced", SBO_ENHANCED),
        controllable("Many", SBO_ENHANCED, many=True), controllable("TimedDirect", DIRECT),
        controllable("TimedEnhanced", ENHANCED), controllable("Limited", ENHANCED),
        controllable("LimitedSbo", SBO_ENHANCED), controllable("ManySbo", SBO, many=True),
        models.data_object("Bank", "WYE", controllable("Step", DIRECT)),
    ),
)  # fmt: skip


class Bench:
    """An engine with one object of each control model, whose process says `verdict`."""

    def __init__(self) -> None:
        self.process = ScriptedProcess()
        self.engine = Engine(DataModel(models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO),
                                                     models.node(XCBR))), IDENTITY, process=self.process)  # fmt: skip
        self.judged: list[Selection | Operation] = []
        self.client, self.other = EngineClient(self.engine), EngineClient(self.engine, address="127.0.0.1:50001")

    def oper(self, name: str, *, service: str = "Oper", client: EngineClient | None = None, value: bool = True,
             or_cat: int = 3, num: int = 1, test: bool = False, check: str | None = "00", time: bytes = TIME,
             at: bytes = TIME) -> Any:  # fmt: skip
        octets = self.written(name, service, value, or_cat, num, test, check, time, at)
        (result,) = (client or self.client).write(LD, (f"CSWI1$CO${name}${service}", octets))
        return result

    def begin(self, name: str, service: str = "Oper") -> Waiting:
        """A request of the client that waits for its verdict."""
        octets = self.written(name, service, True, 3, 1, False, "00", TIME, TIME)
        body = write_body(LD, (f"CSWI1$CO${name}${service}", octets))
        waiting = self.engine.request(self.client.client, 1, 0xA5, body, CLOCK.now())
        assert isinstance(waiting, Waiting)
        return waiting

    def judge(self, verdict: Any) -> None:
        """Check every selection, with `verdict`."""

        def check(asked: Selection | Operation) -> Any:
            self.judged.append(asked)
            return verdict

        self.process.judge = check

    @staticmethod
    def written(name: str, service: str, value: bool, or_cat: int, num: int, test: bool, check: str | None,
                time: bytes, at: bytes) -> bytes:  # fmt: skip
        """The Data of SBOw, Oper or Cancel."""
        timed = [at] if name.startswith("Timed") else []
        members = [
            boolean(value),
            *timed,
            structure(integer(or_cat), octets(b"me")),
            unsigned(num),
            time,
            boolean(test),
        ]
        if service != "Cancel" and check is not None:
            members.append(bits(check))
        return structure(*members)

    def select(self, name: str, client: EngineClient | None = None) -> str:
        (result,) = (client or self.client).read(LD, f"CSWI1$CO${name}$SBO")
        return str(result["success"]["visible_string"])

    def status(self, name: str, attribute: str, fc: str = "ST") -> Any:
        (result,) = self.client.read(LD, f"CSWI1${fc}${name}${attribute}")
        return bare(result["success"])

    def cause(self, client: EngineClient | None = None) -> tuple[str, AddCause]:
        """The variable and the AddCause of the last LastApplError."""
        content = mms_oracle.decode((client or self.client).told.pop())["unconfirmed"]["report"]
        assert content["variables"] == {"list": [{"specification": {"name": {"vmd": "LastApplError"}}}]}
        obj, error, origin, num, cause = bare(content["results"][0]["success"])
        assert (error, origin[1]) == (1, b"me")
        assert num == 1
        return obj, AddCause(cause)

    def terminations(self) -> list[tuple[str, AddCause | None]]:
        """The CommandTerminations that wait for the client: the variable, and the AddCause of a negative one."""
        found = []
        for pdu in self.client.pdus():
            content = mms_oracle.decode(pdu)["unconfirmed"]["report"]
            names = [one["specification"]["name"] for one in content["variables"]["list"]]
            values = [bare(one["success"]) for one in content["results"]]
            cause = AddCause(values[0][4]) if len(names) == 2 else None
            found.append((names[-1]["domain"]["item"], cause))
        return found

    def end(self, verdict: Any = True) -> None:
        """The process has come to the end of every operation."""
        for operation in self.engine.begun():
            self.engine.ended(operation, verdict, CLOCK.now())

    def set(self, name: str, value: Any) -> None:
        self.engine.commit([(self.engine.model.find(f"LD0/CSWI1.{name}"), value)], CLOCK.now())


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---------------------------------------------------------------------- the four models


@pytest.mark.conformance("DON-1", "CT-4")
def test_a_direct_control_is_done_when_it_is_answered(bench: Bench) -> None:
    assert bench.oper("Direct") == "success"
    (operation,) = bench.process.done
    assert (operation.action.reference, operation.action.value) == ("DEMOLD0/CSWI1.Direct", True)
    assert (bench.status("Direct", "ctlNum"), bench.status("Direct", "origin")) == (1, [3, b"me"])
    assert bench.status("Direct", "stVal") is False  # the process says so, nobody else
    assert bench.status("Direct", "tOpOk", "OR") != bytes(8)
    assert bench.oper("Direct") == "success"


@pytest.mark.conformance("CT-4")
@pytest.mark.parametrize("name", ["Direct", "Enhanced", "TimedDirect"])
def test_whose_command_it_was_stands_there_when_the_status_comes(bench: Bench, name: str) -> None:
    def named() -> list[Any]:
        model = bench.engine.model
        return [model.value(model.find(f"LD0/CSWI1.{name}.{leaf}")) for leaf in ("ctlNum", "origin.orCat")]

    assert bench.oper(name, num=7) == "success"
    bench.end()
    seen = []

    def process(operation: Operation) -> Any:
        bench.set(f"{name}.stVal", True)
        seen.append(named())
        return bench.process.verdict

    bench.process.begins = process
    assert bench.oper(name, num=8, or_cat=2) == "success"
    bench.end()
    assert seen == [[8, 2]]
    bench.process.verdict = AddCause.BLOCKED_BY_PROCESS
    assert bench.oper(name, num=1) == 3
    assert bench.oper(name, num=1, test=True) == 3  # by the mode
    assert named() == [8, 2]


@pytest.mark.conformance("CT-4")
def test_a_control_that_has_waited_is_named_when_it_is_done_and_not_before(bench: Bench) -> None:
    for verdict, shown in ((True, 7), (False, 7)):
        assert bench.oper("TimedEnhanced", at=in_ms(1000), num=7 if verdict else 8) == "success"
        assert bench.status("TimedEnhanced", "ctlNum") == (0 if verdict else 7)
        CLOCK.pass_ms(1100, bench.engine)
        (operation,) = bench.engine.due()
        assert bench.status("TimedEnhanced", "ctlNum") == (7 if verdict else 8)
        assert bench.engine.fired(operation, verdict, CLOCK.now()) is verdict
        bench.engine.ended(operation, verdict, CLOCK.now())
        assert bench.status("TimedEnhanced", "ctlNum") == shown


@pytest.mark.conformance("SBN-3", "SBE-2")
@pytest.mark.parametrize(("verdict", "answer"), [(True, "success"), (False, 3)])
def test_a_selection_that_is_being_judged_is_not_operated_in_the_same_write(
    bench: Bench, verdict: bool, answer: Any
) -> None:
    bench.judge(verdict)
    written = [
        (f"CSWI1$CO$SboEnhanced${service}", bench.written("SboEnhanced", service, True, 3, 1, False, "00", TIME, TIME))
        for service in ("SBOw", "Oper")
    ]
    assert bench.client.write(LD, *written) == [answer, 3]
    assert bench.process.done == []
    assert bench.status("SboEnhanced", "stSeld") is verdict
    assert bench.oper("SboEnhanced") == answer


@pytest.mark.conformance("CT-6")
def test_what_is_so_already_may_be_commanded_again(bench: Bench) -> None:
    bench.set("Direct.stVal", True)
    assert bench.oper("Direct", value=True) == "success"
    assert len(bench.process.done) == 1


@pytest.mark.conformance("DON-2", "DOE-2", "CT-14")
@pytest.mark.parametrize("name", ["Direct", "Enhanced"])
@pytest.mark.parametrize("verdict", [False, AddCause.BLOCKED_BY_INTERLOCKING])
def test_what_the_process_refuses_is_denied_with_its_cause(bench: Bench, name: str, verdict: Any) -> None:
    bench.process.verdict = verdict
    assert bench.oper(name) == 3
    assert bench.cause() == (f"DEMOLD0/CSWI1$CO${name}$Oper", verdict or AddCause.BLOCKED_BY_PROCESS)
    assert bench.terminations() == []
    bench.process.verdict = True
    assert bench.oper(name) == "success"


@pytest.mark.conformance("DOE-1", "DOE-3", "DOE-4")
@pytest.mark.parametrize("verdict", [True, AddCause.TIME_LIMIT_OVER, AddCause.INVALID_POSITION])
def test_with_enhanced_security_the_end_is_told_by_command_termination(bench: Bench, verdict: Any) -> None:
    assert bench.oper("Enhanced") == "success"
    assert bench.terminations() == []
    bench.end(verdict)
    assert bench.terminations() == [("CSWI1$CO$Enhanced$Oper", None if verdict is True else verdict)]
    bench.end(verdict)
    assert bench.terminations() == []


@pytest.mark.conformance("DOE-5", "CT-9", "CT-11")
def test_while_it_is_executed_nobody_operates_or_cancels_it(bench: Bench) -> None:
    assert bench.oper("Enhanced") == "success"
    assert bench.oper("Enhanced") == 2
    assert bench.cause()[1] is AddCause.COMMAND_ALREADY_IN_EXECUTION
    assert bench.oper("Enhanced", client=bench.other) == 2
    assert bench.cause(bench.other)[1] is AddCause.COMMAND_ALREADY_IN_EXECUTION
    assert bench.oper("Enhanced", service="Cancel") == 2
    assert bench.cause() == ("DEMOLD0/CSWI1$CO$Enhanced$Cancel", AddCause.COMMAND_ALREADY_IN_EXECUTION)
    bench.end()
    assert bench.oper("Enhanced") == "success"


@pytest.mark.conformance("SBN-1", "CT-1", "CT-5")
def test_select_then_operate_once(bench: Bench) -> None:
    assert bench.select("Sbo") == "DEMOLD0/CSWI1$CO$Sbo$SBO"
    assert bench.status("Sbo", "stSeld") is True
    assert bench.oper("Sbo") == "success"
    assert bench.status("Sbo", "stSeld") is False
    assert bench.oper("Sbo") == 3
    assert bench.cause()[1] is AddCause.OBJECT_NOT_SELECTED


@pytest.mark.conformance("SBN-2", "SBN-5", "SBN-6")
def test_a_selected_object_is_locked_for_every_other_client(bench: Bench) -> None:
    assert bench.select("Sbo")
    assert bench.select("Sbo", bench.other) == ""
    assert bench.select("Sbo") == ""
    assert bench.oper("Sbo", client=bench.other) == 2
    assert bench.cause(bench.other)[1] is AddCause.LOCKED_BY_OTHER_CLIENT
    assert bench.oper("Sbo", service="Cancel", client=bench.other) == 2
    assert bench.select("SboEnhanced") == ""
    assert bench.oper("Sbo", service="SBOw") == 3
    assert bench.select("Direct") == ""


@pytest.mark.conformance("SBN-3", "SBN-4", "SBE-6")
def test_a_selection_ends_by_itself(bench: Bench) -> None:
    assert bench.select("Sbo")
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    CLOCK.pass_ms(4999, bench.engine)
    assert bench.status("Sbo", "stSeld") is True
    CLOCK.pass_ms(1, bench.engine)
    assert bench.status("Sbo", "stSeld") is False
    for name in ("Sbo", "SboEnhanced"):
        assert bench.oper(name) == 3
        assert bench.cause()[1] is AddCause.OBJECT_NOT_SELECTED


@pytest.mark.conformance("SBN-7", "CT-3")
def test_a_selection_may_be_given_back(bench: Bench) -> None:
    assert bench.oper("Sbo", service="Cancel") == "success"
    assert bench.select("Sbo")
    assert bench.oper("Sbo", service="Cancel") == "success"
    assert bench.select("Sbo", bench.other)
    for name in ("SboEnhanced", "Many"):
        assert bench.oper(name, service="SBOw") == "success"
    for name in ("Many", "SboEnhanced"):
        assert bench.oper(name, service="Cancel") == "success"


@pytest.mark.conformance("SBE-1", "SBE-5")
@pytest.mark.parametrize("verdict", [True, AddCause.ABORTION_BY_COMMUNICATION_LOSS])
def test_select_with_value_operate_and_its_end(bench: Bench, verdict: Any) -> None:
    assert bench.oper("SboEnhanced", service="SBOw", check="11") == "success"
    assert bench.oper("SboEnhanced", check="11", time=b"\x91\x08" + b"\x01" * 8) == "success"
    bench.end(verdict)
    assert bench.terminations() == [("CSWI1$CO$SboEnhanced$Oper", None if verdict is True else verdict)]
    assert bench.status("SboEnhanced", "stSeld") is False
    assert bench.oper("SboEnhanced") == 3


@pytest.mark.conformance("CT-5")
def test_operate_many_keeps_its_selection(bench: Bench) -> None:
    assert bench.oper("Many", service="SBOw") == "success"
    for _ in range(3):
        assert bench.oper("Many") == "success"
        bench.end()
    CLOCK.pass_ms(5000, bench.engine)
    assert bench.oper("Many") == 3


@pytest.mark.conformance("SBE-3")
def test_a_second_selection_is_refused_whoever_asks(bench: Bench) -> None:
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    for client in (bench.client, bench.other):
        assert bench.oper("SboEnhanced", service="SBOw", client=client) == 2
        assert bench.cause(client)[1] is AddCause.OBJECT_ALREADY_SELECTED


@pytest.mark.conformance("SBE-4", "SBE-8")
@pytest.mark.parametrize("other", [{"value": False}, {"or_cat": 2}, {"check": "01"}, {"test": True}])
def test_operating_other_than_selected_is_refused_and_deselects(bench: Bench, other: dict[str, Any]) -> None:
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    assert bench.oper("SboEnhanced", **other) == 3
    assert bench.cause()[1] is AddCause.INCONSISTENT_PARAMETERS
    assert bench.status("SboEnhanced", "stSeld") is False
    assert bench.process.done == []


@pytest.mark.conformance("SBE-9")
def test_a_cancel_other_than_selected_is_refused(bench: Bench) -> None:
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    assert bench.oper("SboEnhanced", service="Cancel", value=False) == 3
    assert bench.oper("SboEnhanced", service="Cancel", time=b"\x91\x08" + b"\x02" * 8) == "success"


@pytest.mark.conformance("SBE-7")
def test_selections_end_with_their_association_and_operations_go_on_untold(bench: Bench) -> None:
    assert bench.select("Sbo")
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    assert bench.oper("SboEnhanced") == "success"
    bench.client.close()
    assert bench.select("Sbo", bench.other)
    assert bench.oper("SboEnhanced", service="SBOw", client=bench.other) == 2
    bench.end()
    assert bench.other.pdus() == []
    assert bench.oper("SboEnhanced", service="SBOw", client=bench.other) == "success"


@pytest.mark.parametrize("name", ["SboEnhanced", "Many"])
@pytest.mark.parametrize("gone", [True, False])
def test_an_operation_that_has_ended_takes_nothing_from_whoever_has_the_object_since(
    bench: Bench, name: str, gone: bool
) -> None:
    assert [bench.oper(name, service=service) for service in ("SBOw", "Oper")] == ["success", "success"]
    (first,) = bench.engine.begun()
    if gone:
        bench.client.close()
    assert bench.oper(name, service="SBOw", client=bench.other) == 2  # it goes on
    bench.engine.ended(first, True, CLOCK.now())
    if name == "Many" and not gone:
        assert bench.oper(name, service="Cancel") == "success"

    def ends_again() -> None:
        for verdict in (True, AddCause.TIME_LIMIT_OVER):
            bench.engine.ended(first, verdict, CLOCK.now())

    assert bench.oper(name, service="SBOw", client=bench.other) == "success"
    ends_again()
    assert bench.engine.model.value(bench.engine.model.find(f"LD0/CSWI1.{name}.stSeld")) is True
    assert bench.oper(name, client=bench.other) == "success"
    ends_again()
    assert bench.oper(name, client=bench.other) == 2  # the second one is being carried out
    bench.end()
    assert len(bench.other.pdus()) == 1
    assert bench.oper(name, service="SBOw", client=bench.other) == ("success" if name == "SboEnhanced" else 2)


@pytest.mark.conformance("SBE-7")
@pytest.mark.parametrize("name", ["Direct", "Enhanced", "SboEnhanced"])
def test_a_client_that_goes_while_its_operation_begins_locks_nobody_out(bench: Bench, name: str) -> None:
    if name == "SboEnhanced":
        assert bench.oper(name, service="SBOw") == "success"
    waiting = bench.begin(name)
    bench.client.close()
    if name == "Direct":
        assert bench.oper(name, client=bench.other) == 2  # it goes on
    assert bench.engine.finish(waiting, [True], CLOCK.now()) is None
    bench.end()
    if name == "SboEnhanced":
        assert bench.oper(name, service="SBOw", client=bench.other) == "success"
    assert bench.oper(name, client=bench.other) == "success"


@pytest.mark.conformance("SBE-2", "SBN-2")
def test_a_selection_is_judged_before_it_is_one(bench: Bench) -> None:
    bench.judge(AddCause.BLOCKED_BY_INTERLOCKING)
    assert bench.oper("SboEnhanced", service="SBOw") == 3
    assert bench.cause() == ("DEMOLD0/CSWI1$CO$SboEnhanced$SBOw", AddCause.BLOCKED_BY_INTERLOCKING)
    assert bench.select("Sbo") == ""
    assert [bench.status(name, "stSeld") for name in ("Sbo", "SboEnhanced")] == [False, False]
    bench.judge(False)
    assert bench.oper("SboEnhanced", service="SBOw") == 3
    assert bench.cause()[1] is AddCause.SELECT_FAILED
    bench.judge(True)
    assert bench.oper("SboEnhanced", service="SBOw") == "success"
    assert bench.select("Sbo") == "DEMOLD0/CSWI1$CO$Sbo$SBO"
    assert [bench.status(name, "stSeld") for name in ("Sbo", "SboEnhanced")] == [True, True]
    assert [(one.action.value, one.action.select) for one in bench.judged[-2:]] == [(True, True), (None, True)]
    assert bench.oper("SboEnhanced") == "success"


@pytest.mark.conformance("SBE-2")
def test_a_selection_that_is_being_judged_is_nobody_elses_and_ends_with_its_client(bench: Bench) -> None:
    bench.judge(True)
    waiting = bench.begin("SboEnhanced", service="SBOw")
    assert bench.oper("SboEnhanced", service="SBOw", client=bench.other) == 2
    bench.client.close()
    assert bench.engine.finish(waiting, [True], CLOCK.now()) is None
    assert bench.oper("SboEnhanced", service="SBOw", client=bench.other) == "success"


@pytest.mark.conformance("CT-16")
def test_of_a_group_only_one_is_selected_or_operated_at_a_time(bench: Bench) -> None:
    control = bench.engine.behaviour.control
    control.one_of(
        [one for one in control.objects() if one.reference.rpartition(".")[2] in ("Sbo", "SboEnhanced", "Enhanced")]
    )
    assert bench.oper("Enhanced") == "success"
    assert bench.oper("SboEnhanced", service="SBOw", client=bench.other) == 3
    assert bench.cause(bench.other)[1] is AddCause.ONE_OF_N_CONTROL
    assert bench.select("Sbo", bench.other) == ""
    assert bench.oper("Direct") == "success"  # no member
    bench.end()
    assert bench.select("Sbo", bench.other)
    assert bench.oper("Enhanced") == 3
    assert bench.cause()[1] is AddCause.ONE_OF_N_CONTROL
    assert bench.oper("Sbo", client=bench.other) == "success"
    assert bench.oper("Enhanced") == "success"


# ---------------------------------------------------------------------- refusals of every model


@pytest.mark.conformance("CT-12")
def test_a_status_only_object_takes_nothing(bench: Bench) -> None:
    assert [bench.oper("None", service=service) for service in ("Oper", "SBOw", "Cancel")] == [3, 3, 3]
    assert bench.select("None") == ""
    assert bench.client.told == []


@pytest.mark.conformance("CT-13")
def test_another_control_model_holds_at_once(bench: Bench) -> None:
    assert bench.client.write(LD, ("CSWI1$CF$Direct$ctlModel", integer(SBO))) == ["success"]
    assert bench.oper("Direct") == 3
    assert bench.cause()[1] is AddCause.OBJECT_NOT_SELECTED


@pytest.mark.conformance("CT-8")
@pytest.mark.parametrize(("or_cat", "answer"), [(0, "success"), (8, "success"), (9, 3), (-1, 3)])
def test_an_origin_that_the_standard_does_not_know_is_refused(bench: Bench, or_cat: int, answer: Any) -> None:
    assert bench.oper("Direct", or_cat=or_cat) == answer
    if answer == 3:
        assert bench.cause()[1] is AddCause.INCONSISTENT_PARAMETERS
        assert bench.oper("SboEnhanced", service="SBOw", or_cat=or_cat) == 3
        assert bench.cause()[1] is AddCause.SELECT_FAILED


@pytest.mark.conformance("CT-8")
@pytest.mark.parametrize(("or_cat", "answer"), [(0, "success"), (6, "success"), (7, 3), (8, 3), (9, 3), (300, 3)])
def test_an_origin_that_the_files_enumeration_lacks_is_refused(bench: Bench, or_cat: int, answer: Any) -> None:
    assert bench.oper("Limited", or_cat=or_cat) == answer
    if answer == 3:
        assert bench.cause() == ("DEMOLD0/CSWI1$CO$Limited$Oper", AddCause.INCONSISTENT_PARAMETERS)
        assert bench.oper("LimitedSbo", service="SBOw", or_cat=or_cat) == 3
        assert bench.cause() == ("DEMOLD0/CSWI1$CO$LimitedSbo$SBOw", AddCause.SELECT_FAILED)


@pytest.mark.conformance("CT-10")
@pytest.mark.parametrize(
    ("switch", "or_cat", "answer"),
    [("Loc", 3, 3), ("Loc", 2, 3), ("Loc", 1, "success"), ("LocSta", 3, 3), ("LocSta", 2, "success"), ("LocSta", 6, 3)],
)
def test_who_has_no_authority_is_refused(bench: Bench, switch: str, or_cat: int, answer: Any) -> None:
    bench.set(f"{switch}.stVal", True)
    assert bench.oper("Direct", or_cat=or_cat) == answer
    if answer == 3:
        assert bench.cause()[1] is AddCause.BLOCKED_BY_SWITCHING_HIERARCHY


@pytest.mark.conformance("CT-2", "SRV-10")
@pytest.mark.parametrize(
    ("beh", "test", "answer"),
    [
        (1, False, "success"),
        (1, True, 3),
        (2, False, 3),
        (3, True, "success"),
        (3, False, 3),
        (4, True, "success"),
        (5, True, 3),
    ],
)
def test_the_mode_decides_which_commands_pass(bench: Bench, beh: int, test: bool, answer: Any) -> None:
    bench.set("Beh.stVal", beh)
    assert bench.oper("Direct", test=test) == answer
    if answer == 3:
        assert bench.cause()[1] is AddCause.BLOCKED_BY_MODE


@pytest.mark.conformance("CT-2", "SBN-3")
def test_what_may_not_be_operated_now_is_deselected_unless_it_is_operated_many_times(bench: Bench) -> None:
    for name in ("SboEnhanced", "Many"):
        assert bench.oper(name, service="SBOw") == "success"
    bench.set("Beh.stVal", 2)
    assert [bench.oper(name) for name in ("SboEnhanced", "Many")] == [3, 3]
    assert [bench.cause()[1] for _ in range(2)] == [AddCause.BLOCKED_BY_MODE] * 2
    assert [bench.status(name, "stSeld") for name in ("SboEnhanced", "Many")] == [False, True]


@pytest.mark.conformance("CT-5", "SBN-7")
def test_a_selection_with_normal_security_is_given_back_whatever_was_operated_before(bench: Bench) -> None:
    assert bench.select("ManySbo")
    assert bench.oper("ManySbo", value=True, num=1) == "success"
    assert bench.oper("ManySbo", value=False, num=2) == "success"
    assert bench.oper("ManySbo", service="Cancel", value=True, num=3) == "success"
    assert bench.status("ManySbo", "stSeld") is False


@pytest.mark.conformance("CT-1")
def test_every_state_is_shown_when_it_comes() -> None:
    shown: list[tuple[str, Any]] = []
    model = DataModel(models.server(models.lln0(data_sets=(), reports=()), models.node(XCBR)))

    def commit(pairs: list[tuple[int, object]], _now: Any) -> None:
        for slot, value in pairs:
            reference = model.plain_reference(slot).partition("SboEnhanced.")[2]
            if reference in ("stSeld", "opRcvd", "opOk", "tOpOk"):
                shown.append((reference, value))
        model.cache.commit(pairs)

    control = Control(model, lambda _client, _pdus: None, commit, Process(), None)
    client, now = IDLE, CLOCK.now()
    slots = {name: model.slot(LD.encode(), f"CSWI1$CO$SboEnhanced${name}".encode()) for name in ("SBOw", "Oper")}
    pairs: dict[str, list[tuple[int, Any]]] = {
        name: [(slot + at, model.cache.values[slot + at]) for at in LEAVES] for name, slot in slots.items()
    }
    assert control.write(client, slots["SBOw"], pairs["SBOw"], b"", now) is None
    assert shown == [("stSeld", True)]
    operation = control.write(client, slots["Oper"], pairs["Oper"], b"", now)
    assert isinstance(operation, Operation)
    assert shown[1:] == [("opRcvd", True)]
    assert control.started(operation, True, now) is None
    assert shown[2:] == [("opOk", True), ("tOpOk", UtcTime(now.utc_ns, now.time_quality))]
    control.ended(operation, True, now)
    assert shown[4:] == [("opRcvd", False), ("opOk", False), ("stSeld", False)]


@pytest.mark.conformance("CT-1")
def test_a_control_inside_another_object_is_one_like_any_other(bench: Bench) -> None:
    octets_of_it = Bench.written("Bank", "Oper", True, 3, 1, False, "00", TIME, TIME)
    assert bench.client.write(LD, ("CSWI1$CO$Bank$Step$Oper", octets_of_it)) == ["success"]
    assert bench.process.done[0].action.reference == "DEMOLD0/CSWI1.Bank.Step"
    assert bench.status("Bank", "Step$ctlNum") == 1


# ---------------------------------------------------------------------- Mod


class OwnMode(ScriptedProcess):
    """A process that carries Mod out itself."""

    def sets_mode(self, _mode: ControlObject) -> bool:
        return True


def with_mode(ctl_model: int, process: ScriptedProcess) -> tuple[Engine, EngineClient]:
    """An engine whose CSWI1.Mod has that control model."""
    beh = models.status("Beh", BasicType.ENUM, models.BEHAVIOUR)
    ln = LogicalNodeType("CSWI", "CSWI", (controllable("Mod", ctl_model, value=BasicType.ENUM), beh))
    engine = Engine(DataModel(models.server(models.lln0(), models.node(ln))), IDENTITY, process=process)
    return engine, EngineClient(engine)


def mode_of(client: EngineClient) -> list[Any]:
    """Mod.stVal and the Beh that follows from it."""
    return [bare(one["success"]) for one in client.read(LD, "CSWI1$ST$Mod$stVal", "CSWI1$ST$Beh$stVal")]


def set_mode(client: EngineClient, mode: int, service: str = "Oper") -> Any:
    octets_of_it = structure(
        integer(mode), structure(integer(3), octets(b"me")), unsigned(1), TIME, boolean(False), bits("00")
    )
    (result,) = client.write(LD, (f"CSWI1$CO$Mod${service}", octets_of_it))
    return result


@pytest.mark.conformance("CT-1")
@pytest.mark.parametrize("ctl_model", [DIRECT, ENHANCED, SBO_ENHANCED])
def test_the_engine_itself_carries_mod_out_and_asks_no_process(ctl_model: int) -> None:
    process = ScriptedProcess()
    process.verdict = AddCause.BLOCKED_BY_PROCESS
    engine, client = with_mode(ctl_model, process)
    before = mode_of(client)
    for mode in (5, 3):
        if ctl_model == SBO_ENHANCED:
            assert set_mode(client, mode, "SBOw") == "success"
        assert mode_of(client) == before
        assert set_mode(client, mode) == "success"
        assert mode_of(client) == [mode, mode]
        assert len(client.pdus()) == (ctl_model != DIRECT)  # CommandTermination
        before = [mode, mode]
    assert (process.done, engine.begun(), engine.due()) == ([], [], [])
    assert [(one.service, one.refused) for one in engine.audits() if one.service == "Oper"] == [("Oper", None)] * 2


@pytest.mark.conformance("CT-1")
@pytest.mark.parametrize("mode", [0, 6, -1])
@pytest.mark.parametrize(("ctl_model", "service"), [(DIRECT, "Oper"), (ENHANCED, "Oper"), (SBO_ENHANCED, "SBOw")])
def test_a_mode_that_there_is_none_of_is_refused_at_once(ctl_model: int, service: str, mode: int) -> None:
    _, client = with_mode(ctl_model, ScriptedProcess())
    before = mode_of(client)
    assert set_mode(client, mode, service) != "success"
    assert mode_of(client) == before
    assert client.pdus() == []


@pytest.mark.conformance("CT-1")
def test_an_interlock_of_the_program_is_asked_before_mod_changes() -> None:
    process = ScriptedProcess()
    process.judge = lambda _: AddCause.BLOCKED_BY_INTERLOCKING
    _, client = with_mode(DIRECT, process)
    before = mode_of(client)
    assert (set_mode(client, 5), mode_of(client)) == (3, before)
    process.judge = lambda _: True
    assert (set_mode(client, 5), mode_of(client)) == ("success", [5, 5])


@pytest.mark.conformance("CT-1")
@pytest.mark.parametrize("ctl_model", [DIRECT, ENHANCED])
def test_a_process_that_sets_the_mode_itself_is_asked_like_for_any_other_object(ctl_model: int) -> None:
    process = OwnMode()
    engine, client = with_mode(ctl_model, process)
    before = mode_of(client)
    assert (set_mode(client, 5), mode_of(client)) == ("success", before)
    assert len(process.done) == 1
    assert engine.begun() == (process.done if ctl_model == ENHANCED else [])


# ---------------------------------------------------------------------- what is written down


def audits(bench: Bench) -> list[tuple[str, str, str, int]]:
    """Service, object, result and milliseconds of each command that has ended."""
    return [
        (one.service, one.reference.rpartition(".")[2], str(one.fields()["result"]), one.ms)
        for one in bench.engine.audits()
    ]


def test_every_command_leaves_one_audit_whoever_refused_it(bench: Bench) -> None:
    bench.oper("Direct")
    bench.oper("None")
    bench.oper("Sbo")
    bench.select("Sbo")
    bench.select("Sbo", bench.other)
    bench.oper("Sbo", client=bench.other)
    bench.oper("Sbo", service="Cancel")
    bench.oper("Direct", check=None)
    bench.select("Direct")  # nothing that could be selected
    assert audits(bench) == [
        ("Oper", "Direct", "ok", 0), ("Oper", "None", "object_access_denied", 0),
        ("Oper", "Sbo", "object_not_selected", 0), ("SBO", "Sbo", "ok", 0), ("SBO", "Sbo", "object_already_selected", 0),
        ("Oper", "Sbo", "locked_by_other_client", 0), ("Cancel", "Sbo", "ok", 0),
        ("Oper", "Direct", "type_inconsistent", 0),
    ]  # fmt: skip


def test_an_operation_is_audited_at_its_end_with_its_time_and_what_the_process_says(bench: Bench) -> None:
    bench.oper("SboEnhanced", service="SBOw", num=7)
    bench.oper("SboEnhanced", num=7)
    assert audits(bench) == [("SBOw", "SboEnhanced", "ok", 0)]
    CLOCK.pass_ms(1500, bench.engine)
    bench.process.done[0].note = "the spring is not charged"
    bench.end(AddCause.BLOCKED_BY_PROCESS)
    (audit,) = bench.engine.audits()
    assert str(audit) == "DEMOLD0/CSWI1.SboEnhanced = True: the spring is not charged"
    assert audit.fields() == {
        "assoc": bench.client.client.association, "peer": bench.client.client.address, "service": "Oper",
        "orCat": 3, "orIdent": "6d65", "ctlNum": 7, "test": False,
        "result": "blocked_by_process", "ms": 1500,
    }  # fmt: skip
    bench.process.verdict = AddCause.BLOCKED_BY_INTERLOCKING
    bench.oper("Enhanced")
    assert audits(bench) == [("Oper", "Enhanced", "blocked_by_interlocking", 0)]


def test_an_operation_for_later_is_audited_when_it_is_done_or_never_will_be(bench: Bench) -> None:
    bench.oper("TimedDirect", at=in_ms(5000))
    CLOCK.pass_ms(2000, bench.engine)
    assert audits(bench) == []
    bench.oper("TimedDirect", service="Cancel")
    assert audits(bench) == [("Oper", "TimedDirect", "abortion_by_cancel", 2000), ("Cancel", "TimedDirect", "ok", 0)]
    bench.oper("TimedDirect", at=in_ms(5000))
    CLOCK.pass_ms(5100, bench.engine)
    (operation,) = bench.engine.due()
    bench.engine.fired(operation, True, CLOCK.now())
    assert audits(bench) == [("Oper", "TimedDirect", "ok", 5100)]
    bench.oper("TimedDirect", at=in_ms(5000))
    bench.client.close()
    assert audits(bench) == [("Oper", "TimedDirect", "abortion_by_communication_loss", 0)]


@pytest.mark.conformance("CT-15")
def test_a_structure_that_is_none_is_type_inconsistent_and_a_component_is_denied(bench: Bench) -> None:
    assert bench.oper("Direct", check=None) == 7
    assert bench.client.write(LD, ("CSWI1$CO$Direct$Oper", boolean(True))) == [7]
    assert bench.client.write(LD, ("CSWI1$CO$Direct$Oper$ctlVal", boolean(True))) == [3]
    assert bench.client.write(LD, ("CSWI1$CO$Direct", structure())) == [3]
    assert bench.process.done == []


@pytest.mark.conformance("CT-15")
def test_a_write_with_a_broken_value_begins_nothing_that_would_never_end(bench: Bench) -> None:
    sound = bench.written("Direct", "Oper", True, 3, 1, False, "00", TIME, TIME)
    cut_off = bytes.fromhex("a20383057f")  # a structure whose member is longer than itself
    pairs = [("CSWI1$CO$Direct$Oper", sound), ("CSWI1$CO$Enhanced$Oper", cut_off)]
    assert bench.client.ask(0xA5, write_body(LD, *pairs)) == {"reject": {"pdu_error": 1}}
    assert bench.process.done == []
    assert bench.oper("Direct") == "success"


@pytest.mark.conformance("CT-8")
def test_an_origin_identifier_has_at_most_64_octets(bench: Bench) -> None:
    def with_ident(size: int, variable: str) -> tuple[Any, Any]:
        origin = structure(integer(3), octets(bytes(size)))
        members = [boolean(True), origin, unsigned(1), TIME, boolean(False), bits("00")]
        (answer,) = bench.client.write(LD, (f"CSWI1$CO${variable}", structure(*members)))
        if not bench.client.told:
            return answer, None
        content = mms_oracle.decode(bench.client.told.pop())["unconfirmed"]["report"]
        error = bare(content["results"][0]["success"])
        assert error[2] == [3, bytes(64)]
        return answer, AddCause(error[4])

    assert with_ident(64, "Direct$Oper") == ("success", None)
    assert with_ident(65, "Direct$Oper") == (3, AddCause.INCONSISTENT_PARAMETERS)
    assert with_ident(65, "SboEnhanced$SBOw") == (3, AddCause.SELECT_FAILED)


def test_only_a_read_of_sbo_itself_selects(bench: Bench) -> None:
    for item in ("CSWI1$CO", "CSWI1$CO$Sbo", "CSWI1"):
        bench.client.read(LD, item)
    assert bench.status("Sbo", "stSeld") is False
    request = read_request(variable(LD, "CSWI1$CO$Sbo$SBO"), variable(LD, "CSWI1$CO$Direct$SBO"))
    results = bench.client.ask(0xA4, request)["results"]
    assert [bare(one["success"]) for one in results] == ["DEMOLD0/CSWI1$CO$Sbo$SBO", ""]
    assert [bare(one["success"]) for one in bench.other.ask(0xA4, request)["results"]] == ["", ""]


def test_the_last_operation_can_be_read(bench: Bench) -> None:
    bench.oper("Direct", num=1)
    (result,) = bench.client.read(LD, "CSWI1$CO$Direct$Oper")
    assert bare(result["success"])[:3] == [True, [3, b"me"], 1]


def test_the_table_of_states_is_total() -> None:
    assert {(first, state, ask) for first, rows in STEP.items() for state, row in rows.items() for ask in row} == {
        (first, state, ask) for first in (True, False) for state in ControlState for ask in ControlService
    }


def in_ms(milliseconds: int) -> bytes:
    return b"\x91\x08" + UtcTime(CLOCK.now().utc_ns + milliseconds * 1_000_000).octets()


@pytest.mark.conformance("DON-3")
@pytest.mark.parametrize("name", ["TimedDirect", "TimedEnhanced"])
def test_a_control_with_a_time_is_done_at_its_time(bench: Bench, name: str) -> None:
    assert bench.oper(name, at=in_ms(5000)) == "success"
    assert bench.process.done == []
    assert bench.oper(name) == 2
    assert bench.cause()[1] is AddCause.COMMAND_ALREADY_IN_EXECUTION
    CLOCK.pass_ms(4990, bench.engine)
    assert bench.engine.due() == []
    CLOCK.pass_ms(20, bench.engine)
    (operation,) = bench.engine.due()
    assert bench.engine.fired(operation, True, CLOCK.now()) is (name == "TimedEnhanced")
    if name == "TimedEnhanced":
        bench.engine.ended(operation, True, CLOCK.now())
        assert bench.terminations() == [("CSWI1$CO$TimedEnhanced$Oper", None)]
    assert bench.oper(name) == "success"


@pytest.mark.conformance("DON-3")
def test_a_control_that_waits_may_be_cancelled_by_its_own_client_and_ends_with_it(bench: Bench) -> None:
    assert bench.oper("TimedDirect", at=in_ms(5000)) == "success"
    assert bench.oper("TimedDirect", service="Cancel", client=bench.other) == 2
    assert bench.oper("TimedDirect", service="Cancel") == "success"
    assert bench.oper("TimedDirect", at=in_ms(5000)) == "success"
    bench.client.close()
    CLOCK.pass_ms(6000, bench.engine)
    assert bench.engine.due() == []


@pytest.mark.conformance("DON-3")
def test_a_control_with_a_time_is_judged_when_it_is_asked_for_too(bench: Bench) -> None:
    bench.judge(AddCause.BLOCKED_BY_INTERLOCKING)
    assert bench.oper("TimedDirect", at=in_ms(5000)) == 3
    assert bench.cause() == ("DEMOLD0/CSWI1$CO$TimedDirect$Oper", AddCause.BLOCKED_BY_INTERLOCKING)
    bench.judge(True)
    assert bench.oper("TimedDirect", at=in_ms(5000)) == "success"
    assert bench.status("TimedDirect", "stSeld") is False
    CLOCK.pass_ms(5100, bench.engine)
    assert len(bench.engine.due()) == 1


@pytest.mark.conformance("DON-3")
def test_a_time_that_has_passed_means_now(bench: Bench) -> None:
    assert bench.oper("TimedDirect", at=in_ms(-5000)) == "success"
    assert len(bench.process.done) == 1


@pytest.mark.conformance("DON-3")
def test_what_has_waited_is_judged_again_when_its_time_has_come(bench: Bench) -> None:
    assert bench.oper("TimedEnhanced", at=in_ms(1000)) == "success"
    bench.set("Beh.stVal", 5)
    CLOCK.pass_ms(1100, bench.engine)
    assert bench.engine.due() == []
    assert bench.terminations() == [("CSWI1$CO$TimedEnhanced$Oper", AddCause.BLOCKED_BY_MODE)]
