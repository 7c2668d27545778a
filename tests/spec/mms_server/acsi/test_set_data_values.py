"""Write: the attributes that a client may change, the errors of the others, the values that are stored (SetDataValues)."""

from collections.abc import Callable
from typing import Any

import pytest

from mapping.model import FC, BasicType, LogicalNode, LogicalNodeType, Override
from mms_server.acsi.persistence import Put, StoredState
from mms_server.engine import Engine
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, index, name, select, tlv, variable
from tests.support.scripted_process import ScriptedProcess
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, text, unsigned

LD = "DEMOLD0"
SETPOINT = models.data_object(
    "Limit",
    "ASG",
    models.struct("setMag", FC.SP, models.leaf("f", BasicType.FLOAT32)),
    models.struct("minVal", FC.CF, models.leaf("f", BasicType.FLOAT32, values={0: -10.0})),
    models.struct("maxVal", FC.CF, models.leaf("f", BasicType.FLOAT32)),
)
LOCKED = models.data_object(
    "Fixed",
    "ING",
    models.leaf("setVal", BasicType.INT32, FC.SP, val_kind="RO"),
    models.leaf("d", BasicType.VIS_STRING_255, FC.DC),
)
PARTLY = models.data_object(
    "Part",
    "ORG",
    models.struct(
        "setVal", FC.SP,
        models.leaf("first", BasicType.INT32, values={0: 1}),
        models.struct("in", None, models.leaf("free", BasicType.INT32), models.leaf("fixed", BasicType.INT32, val_kind="RO")),
    ),
    models.leaf("more", BasicType.INT32, FC.SP),
)  # fmt: skip
ORDINAL = models.data_object("Kind", "ENG", models.leaf("setVal", BasicType.ENUM, FC.SP, enum=models.BEHAVIOUR))
GAPC = LogicalNodeType("GAPC", "GAPC", (SETPOINT, LOCKED, PARTLY, ORDINAL, models.measured_value("TotW")))


def engine(stored: StoredState | None = None, **values: Any) -> Engine:
    gapc = models.node(GAPC)
    server = models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO), gapc)
    return Engine(DataModel(server), IDENTITY, stored, **values)


@pytest.fixture
def client() -> EngineClient:
    return EngineClient(engine())


@pytest.mark.conformance("SRV-6")
def test_what_is_written_is_read_back(client: EngineClient) -> None:
    pairs = [
        ("GAPC1$SP$Limit$setMag$f", single(7.5)),
        ("GAPC1$DC$Fixed$d", text("a feeder")),
        ("GAPC1$CF$TotW$db", unsigned(500)),
        ("GAPC1$SP$Kind$setVal", integer(3)),
    ]
    assert client.write(LD, *pairs) == ["success"] * 4
    model = client.engine.model
    assert [model.value(model.slot(LD.encode(), item.encode())) for item, _ in pairs] == [7.5, "a feeder", 500, 3]


def test_a_structure_is_written_whole_or_not_at_all(client: EngineClient) -> None:
    assert client.write(LD, ("GAPC1$CF$TotW$units", structure(integer(38), integer(3)))) == ["success"]
    short = structure(integer(29))
    long = structure(integer(29), integer(0), integer(0))
    for wrong in (short, long, integer(29), structure(integer(29), text("x"))):
        assert client.write(LD, ("GAPC1$CF$TotW$units", wrong)) == [7]
    model = client.engine.model
    assert model.value(model.find("LD0/GAPC1.TotW.units")) == {"SIUnit": 38, "multiplier": 3}


INNER = structure(integer(8), integer(9))
ROUND_A_LOCKED_LEAF = [
    ("GAPC1$SP$Part$setVal$in$fixed", integer(9)),
    ("GAPC1$SP$Part$setVal$in", INNER),
    ("GAPC1$SP$Part$setVal", structure(integer(7), INNER)),
    ("GAPC1$SP$Part", structure(structure(integer(7), INNER), integer(6))),
    ("GAPC1$SP$Fixed", structure(integer(5))),
]


@pytest.mark.parametrize(("item", "data"), ROUND_A_LOCKED_LEAF, ids=[item for item, _ in ROUND_A_LOCKED_LEAF])
def test_no_structure_round_a_locked_leaf_is_written_by_its_name_or_as_a_member_of_a_data_set(
    client: EngineClient, item: str, data: bytes
) -> None:
    model = client.engine.model
    locked = ("Part.setVal", "Part.more", "Fixed.setVal")

    def shown() -> list[object]:
        return [model.value(model.find(f"LD0/GAPC1.{one}")) for one in locked]

    before = shown()
    assert client.write(LD, ("GAPC1$SP$Part$more", integer(2)), (item, data)) == ["success", 3]
    data_set = name(LD, "LLN0$mine")
    assert client.define(data_set, variable(LD, "GAPC1$SP$Part$more"), variable(LD, item)) is None
    assert client.write_list(data_set, integer(0), data) == ["success", 3]
    assert client.write(LD, ("GAPC1$SP$Part$more", integer(0))) == ["success"]
    assert shown() == before


def test_what_stands_beside_a_locked_leaf_is_written(client: EngineClient) -> None:
    pairs = [("GAPC1$SP$Part$setVal$first", integer(3)), ("GAPC1$SP$Part$setVal$in$free", integer(4))]
    assert client.write(LD, *pairs) == ["success", "success"]
    model = client.engine.model
    shown = [model.value(model.find(f"LD0/GAPC1.Part.setVal.{one}")) for one in ("first", "in.free", "in.fixed")]
    assert shown == [3, 4, 0]


@pytest.mark.conformance("SRV-7", "SRV-N1d")
def test_a_list_with_one_bad_item_is_answered_per_item_and_the_others_are_written(client: EngineClient) -> None:
    assert client.write(
        LD,
        ("GAPC1$SP$Limit$setMag$f", single(1)),
        ("GAPC1$SP$Limit$setMag$x", single(1)),
        ("GAPC1", single(1)),
        ("NONE1$SP$Limit", single(1)),
        ("GAPC1$SP$Limit$setMag$f", single(2)),
    ) == ["success", 10, 5, 10, "success"]
    assert client.write("NOLD", ("GAPC1$SP$Limit$setMag$f", single(1))) == [10]
    model = client.engine.model
    assert model.value(model.find("LD0/GAPC1.Limit.setMag.f")) == 2


@pytest.mark.conformance("SRV-N2")
def test_an_ordinal_that_the_enumeration_lacks_is_refused_and_not_stored(client: EngineClient) -> None:
    assert client.write(LD, ("GAPC1$SP$Kind$setVal", integer(9))) == [11]
    assert client.read(LD, "GAPC1$SP$Kind$setVal") == [{"success": {"integer": 1}}]


@pytest.mark.conformance("SRV-N3")
@pytest.mark.parametrize(
    ("item", "data", "code"),
    [
        ("GAPC1$SP$Limit$setMag$f", integer(1), 7),
        ("GAPC1$SP$Limit$setMag$f", b"\x87\x05\x08\x7f\xc0\x00\x00", 11),  # NaN
        ("GAPC1$SP$Limit$setMag$f", b"\x87\x04\x08\x7f\xc0\x00", 7),
        ("GAPC1$DC$Fixed$d", text("x" * 256), 7),
        ("GAPC1$DC$Fixed$d", text("\xe9"), 11),
        ("GAPC1$CF$TotW$db", integer(-1), 11),
        ("GAPC1$CF$TotW$db", unsigned(1 << 32), 11),
        ("GAPC1$CF$TotW$db", tlv(0x86, b""), 7),
        ("GAPC1$CF$TotW$db", boolean(True), 7),
    ],
)
def test_data_of_another_type_or_beyond_it_are_refused(client: EngineClient, item: str, data: bytes, code: int) -> None:
    assert client.write(LD, (item, data)) == [code]


@pytest.mark.conformance("SRV-N4")
@pytest.mark.parametrize(
    ("item", "data", "code"),
    [
        ("GAPC1$MX$TotW$mag$f", single(1), 3),
        ("LLN0$ST$Mod$stVal", integer(1), 3),
        ("GGIO1$ST$All$INT8", integer(1), 3),
        ("LLN0$SG$StrVal$setMag$f", single(1), 3),
        ("LLN0$SE$StrVal$setMag$f", single(1), 2),
        ("GAPC1$SP$Fixed$setVal", integer(1), 3),
        ("GAPC1$SP", structure(), 3),
        ("LLN0$GO$fast$ConfRev", unsigned(4), 3),
        ("LLN0$BR$history01", structure(), 3),
    ],
)
def test_what_is_no_clients_to_write_is_denied(client: EngineClient, item: str, data: bytes, code: int) -> None:
    assert client.write(LD, (item, data)) == [code]


def test_limits_that_the_file_sets_bind_and_those_it_does_not_bind_nothing(client: EngineClient) -> None:
    item = "GAPC1$SP$Limit$setMag$f"
    assert client.write(LD, (item, single(-10)), (item, single(-10.5)), (item, single(1e30))) == [
        "success",
        11,
        "success",
    ]
    assert client.write(LD, ("GAPC1$CF$Limit$maxVal$f", single(20))) == ["success"]
    assert client.write(LD, (item, single(20)), (item, single(20.5))) == ["success", 11]


def test_an_instance_may_lock_what_its_type_leaves_open() -> None:
    locked = LogicalNode(
        "GAPC1", "GAPC", "1", "", GAPC, {"Kind.setVal": Override({}, "RO"), "Fixed.setVal": Override({}, "Set")}
    )
    client = EngineClient(Engine(DataModel(models.server(models.lln0(), locked, models.node(models.MMXU),
                                                          models.node(models.GGIO))), IDENTITY))  # fmt: skip
    assert client.write(LD, ("GAPC1$SP$Kind$setVal", integer(3)), ("GAPC1$SP$Fixed$setVal", integer(3))) == [
        3,
        "success",
    ]


@pytest.mark.conformance("DS-5", "DS-N9")
def test_a_data_set_is_written_member_by_member(client: EngineClient) -> None:
    members = ("GAPC1$SP$Limit$setMag$f", "GAPC1$MX$TotW$mag$f", "GAPC1$DC$Fixed$d")
    mine = name(LD, "LLN0$mine")
    assert client.define(mine, *(variable(LD, item) for item in members)) is None
    assert client.write_list(mine, single(5), single(6), text("x")) == ["success", 3, "success"]
    for wrong in ((single(5), single(6)), (single(5), single(6), text("y"), text("z"))):
        assert client.write_list(mine, *wrong) == {"reject": {"confirmed_request": 4}}
    model = client.engine.model
    assert model.value(model.find("LD0/GAPC1.Fixed.d")) == "x"


def test_an_element_of_an_array_is_reached_by_alternate_access(client: EngineClient) -> None:
    specification = tlv(0xA0, variable(LD, "MMXU1$MX$HA$phsAHar", select(index(1), tlv(0x81, b"q"))))
    assert client.ask(0xA5, specification + tlv(0xA0, bits("0" * 13))) == [{"failure": 3}]
    specification = tlv(0xA0, variable(LD, "MMXU1$MX$HA$phsAHar", index(9)))
    assert client.ask(0xA5, specification + tlv(0xA0, bits("0" * 13))) == [{"failure": 10}]


@pytest.mark.conformance("SRV-N5")
@pytest.mark.parametrize(
    ("verdict", "result"),
    [
        (True, "success"),
        (False, 3),
        (DataAccessError.HARDWARE_FAULT, 1),
        (DataAccessError.TEMPORARILY_UNAVAILABLE, 2),
        ("yes", 3),
    ],
)
def test_the_embedding_program_grants_or_refuses(client: EngineClient, verdict: Any, result: Any) -> None:
    guards = client.engine.behaviour.permissions.writes
    slot = client.engine.model.find("LD0/GAPC1.Limit.setMag.f")
    guards.add(slot, lambda *_: verdict)
    assert client.write(LD, ("GAPC1$SP$Limit$setMag$f", single(4)), ("GAPC1$DC$Fixed$d", text("x"))) == [
        result,
        "success",
    ]
    assert client.engine.model.value(slot) == (4 if result == "success" else 0)
    assert client.asked == [(client.client, "DEMOLD0/GAPC1.Limit.setMag.f", 4.0)]


def test_the_nearest_callback_is_asked_and_one_inside_a_structure_too(client: EngineClient) -> None:
    model, guards = client.engine.model, client.engine.behaviour.permissions.writes
    asked: list[str] = []

    def named(label: str) -> Callable[..., bool]:
        def allow(*_: object) -> bool:
            asked.append(label)
            return True

        return allow

    guards.add(FC.CF, named("fc"))
    guards.add(model.find("LD0/GAPC1"), named("ln"))
    guards.add(model.find("LD0/GAPC1.TotW.units.multiplier"), named("leaf"))
    assert client.write(LD, ("GAPC1$CF$TotW$units", structure(integer(38), integer(3)))) == ["success"]
    assert client.write(LD, ("GAPC1$CF$TotW$units$multiplier", integer(0))) == ["success"]
    assert client.write(LD, ("MMXU1$CF$TotW$db", unsigned(3))) == ["success"]
    assert asked == ["ln", "leaf", "leaf", "fc"]
    assert client.asked[1][1:] == ("DEMOLD0/GAPC1.TotW.units.multiplier", 3)


@pytest.mark.conformance("SRV-6")
def test_a_setting_that_stands_in_a_register_is_written_once_the_process_has_it() -> None:
    process = ScriptedProcess()
    client = EngineClient(engine(process=process))
    slots = [client.engine.model.find(f"LD0/GAPC1.{path}") for path in ("Limit.setMag.f", "Kind.setVal")]
    process.registers = set(slots)
    process.written_as = DataAccessError.HARDWARE_FAULT
    setting, ordinal = ("GAPC1$SP$Limit$setMag", structure(single(7.5))), ("GAPC1$SP$Kind$setVal", integer(3))
    assert client.write(LD, setting, ("GAPC1$DC$Fixed$d", text("x"))) == [1, "success"]
    assert client.engine.model.value(slots[0]) == 0
    process.written_as = True
    assert client.write(LD, setting, ordinal) == ["success", "success"]
    assert [client.engine.model.value(one) for one in slots] == [7.5, 3]
    assert process.written == [[(slots[0], 7.5, 0.0)], [(slots[0], 7.5, 0.0)], [(slots[1], 3, 1)]]


def test_what_the_policy_closes_a_callback_opens(client: EngineClient) -> None:
    permissions = client.engine.behaviour.permissions
    permissions.open_fcs.discard(FC.DC)
    assert client.write(LD, ("GAPC1$DC$Fixed$d", text("x"))) == [3]
    permissions.writes.add(client.engine.model.find("LD0/GAPC1.Fixed.d"), lambda *_: True)
    assert client.write(LD, ("GAPC1$DC$Fixed$d", text("x"))) == ["success"]


def test_a_reader_may_be_refused_and_a_structure_hides_what_he_may_not_see(client: EngineClient) -> None:
    model = client.engine.model
    client.engine.commit([(model.find("LD0/GAPC1.TotW.mag.f"), 42.0)], CLOCK.now())
    whole = client.read(LD, "GAPC1$MX", "GAPC1$MX$TotW$q")
    client.engine.behaviour.permissions.reads.add(model.find("LD0/GAPC1.TotW.mag"), lambda *_: False)
    assert client.read(LD, "GAPC1$MX$TotW$mag$f", "GAPC1$MX$TotW$mag") == [{"failure": 3}] * 2
    hidden = client.read(LD, "GAPC1$MX", "GAPC1$MX$TotW$q")
    assert hidden[1] == whole[1]
    shown = [result["success"]["structure"][0]["structure"][0]["structure"][0] for result in (whole[0], hidden[0])]
    assert [one["floating_point"][1:].hex() for one in shown] == ["42280000", "00000000"]


def test_settings_and_configuration_are_kept_and_come_back() -> None:
    first = EngineClient(engine(StoredState({}, {})))
    pairs = [("GAPC1$SP$Limit$setMag$f", single(7.5)), ("GAPC1$DC$Fixed$d", text("a feeder"))]
    assert first.write(LD, *pairs) == ["success"] * 2
    operations, _ = first.engine.persistence.take()
    kept = {one.key: one.value for one in operations if isinstance(one, Put) and one.kind == "value" and one.value}
    assert list(kept) == ["DEMOLD0/GAPC1$SP$Limit$setMag$f", "DEMOLD0/GAPC1$DC$Fixed$d"]
    kept["DEMOLD0/GONE1$SP$x"] = b"\x83\x01\x01"
    kept["DEMOLD0/GAPC1$CF$TotW$db"] = b"\x83\x01\x01"
    again = engine(StoredState({"value": kept}, {}))
    assert again.model.value(again.model.find("LD0/GAPC1.Limit.setMag.f")) == 7.5
    assert again.model.value(again.model.find("LD0/GAPC1.Fixed.d")) == "a feeder"
    assert again.problems == [
        f"the value written to {key} is left out: the model has no such attribute any more"
        for key in ("DEMOLD0/GONE1$SP$x", "DEMOLD0/GAPC1$CF$TotW$db")
    ]


def test_octets_of_a_fixed_length_and_bits_of_a_varying_one(client: EngineClient) -> None:
    block = "LLN0$RP$events01"
    assert client.write(LD, (f"{block}$OptFlds", bits("01"))) == ["success"]
    assert client.read(LD, f"{block}$OptFlds") == [{"success": {"bit_string": "0100000000"}}]
    assert client.write(LD, (f"{block}$TrgOps", bits("0110011111"))) == ["success"]
    assert client.read(LD, f"{block}$TrgOps") == [{"success": {"bit_string": "011001"}}]
    assert client.write(LD, (f"{block}$TrgOps", bits(""))) == ["success"]
    assert client.write(LD, ("LLN0$BR$history01$EntryID", octets(b"short"))) == [11]
