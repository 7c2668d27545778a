"""Controls of each common data class, through a client: the value of the action, and the status that follows it."""

from collections.abc import Iterator
from typing import Any

import pytest

from mapping.model import LogicalNodeType
from mms_server import IedServer
from tests.support import models
from tests.support.client import Client
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, unsigned

LD = "DEMOLD0"
TIME = b"\x91\x08" + bytes(8)
CLASSES: dict[str, tuple[bytes, str, object]] = {
    "SPC": (boolean(True), "stVal", True),
    "DPC": (boolean(True), "stVal", 2),
    "INC": (integer(-70_000), "stVal", -70_000),
    "ENC": (integer(3), "stVal", 3),
    "BSC": (bits("10"), "valWTr.posVal", 1),
    "ISC": (integer(-5), "valWTr.posVal", -5),
    "APC": (structure(single(12.5)), "mxVal.f", 12.5),
    "BAC": (bits("01"), "mxVal.f", -1.0),
}
DIRECT, SBO_ENHANCED = 1, 4


def described(ctl_model: int) -> Any:
    node = LogicalNodeType("GGIO", "GGIO", tuple(models.of_class(cdc, ctl_model) for cdc in CLASSES))
    return models.server(models.lln0(data_sets=(), reports=()), models.node(node))


@pytest.fixture(params=[DIRECT, SBO_ENHANCED])
def server(request: pytest.FixtureRequest) -> Iterator[IedServer]:
    made = IedServer(described(request.param))
    made.simulate_process()
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


def oper(value: bytes, number: int = 9, check: str = "00") -> bytes:
    return structure(value, structure(integer(2), octets(b"me")), unsigned(number), TIME, boolean(False), bits(check))


@pytest.mark.conformance("CT-1", "CT-4", "DON-1", "SBE-1")
@pytest.mark.parametrize("cdc", CLASSES)
def test_a_control_of_each_class_drives_its_status_and_shows_its_origin(server: IedServer, cdc: str) -> None:
    value, shown, wanted = CLASSES[cdc]
    client = Client(server.port or 0)
    client.associate()
    enhanced = server.get_value(f"LD0/GGIO1.{cdc}.ctlModel") == SBO_ENHANCED
    if enhanced:
        assert client.write(LD, (f"GGIO1$CO${cdc}$SBOw", oper(value))) == ["success"]
        assert server.get_value(f"LD0/GGIO1.{cdc}.stSeld") is True
    assert client.write(LD, (f"GGIO1$CO${cdc}$Oper", oper(value))) == ["success"]
    if enhanced:
        assert f"GGIO1$CO${cdc}$Oper".encode() in client.tsdu()  # CommandTermination
    client.close()
    assert server.get_value(f"LD0/GGIO1.{cdc}.{shown}") == wanted
    assert server.get_value(f"LD0/GGIO1.{cdc}.origin") == {"orCat": 2, "orIdent": b"me"}
    assert [server.get_value(f"LD0/GGIO1.{cdc}.{name}") for name in ("ctlNum", "stSeld", "q")] == [9, False, 0]


@pytest.mark.conformance("CT-15")
@pytest.mark.parametrize("cdc", CLASSES)
def test_a_value_of_another_class_is_type_inconsistent(cdc: str) -> None:
    server = IedServer(described(DIRECT))
    server.start(port=0, host="127.0.0.1")
    client = Client(server.port or 0)
    client.associate()
    others = {one: value for one, (value, _, _) in CLASSES.items() if value[0] != CLASSES[cdc][0][0]}
    for value in others.values():
        assert client.write(LD, (f"GGIO1$CO${cdc}$Oper", oper(value))) == [7]
    assert server.get_value(f"LD0/GGIO1.{cdc}.ctlNum") == 0
    client.close()
    server.stop()
