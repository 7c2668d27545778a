"""`serve --simulate-process`: a double point travels, measurands move, setpoints stay."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from mapping.model import FC, AttributeType, BasicType, DataObjectType, EnumType, LogicalNodeType
from mms_gateway.runtime.serve import _Movement
from mms_server import IedServer
from mms_server.mms.add_cause import AddCause
from tests.support import models
from tests.support.client import Client as Peer
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, unsigned

CTL_MODEL = EnumType("CtlModelKind", {str(number): number for number in range(5)})
ANALOGUE = models.leaf("f", BasicType.FLOAT32)
TIME = b"\x91\x08" + bytes(8)


def controlled(
    cdc: str, ctl_val: AttributeType, *status: AttributeType, fc: FC = FC.ST, model: int = 1, name: str = "",
    oper_timeout_ms: int = 0,
) -> DataObjectType:  # fmt: skip
    """An object of that CDC, called as it unless it has a name, with what a control needs."""
    origin = models.struct(
        "origin", None, models.leaf("orCat", BasicType.INT8), models.leaf("orIdent", BasicType.OCTET_64)
    )
    oper = models.struct(
        "Oper", FC.CO, ctl_val, origin, models.leaf("ctlNum", BasicType.INT8U), models.leaf("T", BasicType.TIMESTAMP),
        models.leaf("Test", BasicType.BOOLEAN), models.leaf("Check", BasicType.CHECK),
    )  # fmt: skip
    how = models.leaf("ctlModel", BasicType.ENUM, FC.CF, enum=CTL_MODEL, values={0: model})
    limit = models.leaf("operTimeout", BasicType.INT32U, FC.CF, values={0: oper_timeout_ms})
    return models.data_object(name or cdc, cdc, *status, *models.quality_and_time(fc), oper, how, limit)


def ctl_val(basic: BasicType, **more: Any) -> AttributeType:
    return models.leaf("ctlVal", basic, **more)


def st_val(basic: BasicType, **more: Any) -> AttributeType:
    return models.leaf("stVal", basic, FC.ST, dchg=True, **more)


MX_VAL = models.struct("mxVal", FC.MX, ANALOGUE)
GAPC = LogicalNodeType(
    "GAPC",
    "GAPC",
    (
        controlled("DPC", ctl_val(BasicType.BOOLEAN), st_val(BasicType.DBPOS), model=3),
        controlled(
            "DPC", ctl_val(BasicType.BOOLEAN), st_val(BasicType.DBPOS), model=3, name="Hasty", oper_timeout_ms=50
        ),
        controlled("APC", models.struct("ctlVal", None, ANALOGUE), MX_VAL, fc=FC.MX),
        models.measured_value("AnIn"),
    ),
)


@pytest.fixture
def server() -> Iterator[IedServer]:
    made = IedServer(
        models.server(models.lln0(), models.node(models.MMXU), models.node(models.GGIO), models.node(GAPC))
    )
    made.simulate_process()
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


@pytest.fixture
def peer(server: IedServer) -> Iterator[Peer]:
    assert server.port is not None
    one = Peer(server.port)
    assert one.associate()[0] == 0x0E
    yield one
    one.close()


def operate(peer: Peer, name: str, value: bytes, *, test: bool = False) -> Any:
    oper = structure(value, structure(integer(3), octets(b"")), unsigned(1), TIME, boolean(test), bits("00"))
    return peer.write("DEMOLD0", (f"GAPC1$CO${name}$Oper", oper))


def test_a_double_point_travels_and_arrives_before_its_termination(server: IedServer, peer: Peer) -> None:
    seen: list[object] = []
    server.update({"LD0/GAPC1.DPC.stVal": 1})
    assert operate(peer, "DPC", boolean(True)) == ["success"]
    while seen[-1:] != [2]:
        shown = server.get_value("LD0/GAPC1.DPC.stVal")
        seen += [shown] if seen[-1:] != [shown] else []
    assert seen in ([0, 2], [1, 0, 2])
    assert b"GAPC1$CO$DPC$Oper" in peer.tsdu()


@pytest.mark.conformance("DOE-3")
def test_what_travels_arrives_though_the_client_has_been_told_that_its_time_was_over(
    server: IedServer, peer: Peer
) -> None:
    assert operate(peer, "Hasty", boolean(True)) == ["success"]
    assert b"LastApplError" in peer.tsdu()
    assert server.get_value("LD0/GAPC1.Hasty.stVal") == 0
    assert operate(peer, "Hasty", boolean(False)) == ["success"]  # and turns round on its way
    assert b"LastApplError" in peer.tsdu()
    seen: list[object] = []
    until = time.monotonic() + 5
    while seen[-1:] != [1] and time.monotonic() < until:
        seen.append(server.get_value("LD0/GAPC1.Hasty.stVal"))
        time.sleep(0.02)
    assert set(seen) == {0, 1}


def test_an_interlock_of_the_program_holds_for_the_simulated_process_too(server: IedServer, peer: Peer) -> None:
    verdicts: list[bool | AddCause] = [AddCause.BLOCKED_BY_INTERLOCKING, True]
    server.on_check("LD0/GAPC1.APC", lambda *_: verdicts.pop(0))
    server.update({"LD0/GAPC1.APC.mxVal.f": 1.0})
    assert operate(peer, "APC", structure(single(7.5))) == [3]
    assert server.get_value("LD0/GAPC1.APC.mxVal.f") == 1.0
    assert operate(peer, "APC", structure(single(7.5))) == ["success"]
    assert server.get_value("LD0/GAPC1.APC.mxVal.f") == 7.5


def test_measurands_move_slowly_and_setpoints_stay(server: IedServer) -> None:
    server.update({"LD0/GAPC1.APC.mxVal.f": 42.0, "LD0/GAPC1.AnIn.mag.f": 100.0})
    movement, seen = _Movement(server), []
    for second in range(3):
        movement.step(1_790_000_000.0 + second)
        seen.append(server.get_value("LD0/GAPC1.AnIn.mag.f"))
    assert len(set(seen)) == 3
    assert all(abs(float(str(value)) - 100.0) <= 5.0 for value in seen)
    assert server.get_value("LD0/GAPC1.AnIn.t") != 0
    assert server.get_value("LD0/GAPC1.APC.mxVal.f") == 42.0
