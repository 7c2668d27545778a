"""The audit log and the event export: one line an event, rotated, read-only for clients, fetched by them."""

import json
import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mms_server import IedServer
from mms_server.acsi import audit_events
from mms_server.acsi.clients import Client
from mms_server.acsi.log_control import export
from mms_server.engine import Engine
from mms_server.mms.plain import plain
from mms_server.model.tree import DataModel
from mms_server.storage.audit_log import FILES, AuditLog
from tests.support import mms_oracle, models
from tests.support.client import Client as Peer
from tests.support.client import mms
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, tlv, write_body
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, text, unsigned

DEMO = Path(__file__).parents[4] / "hw_configs" / "demo" / "demo.icd"
WHO = Client(7, "10.20.0.7:50122", 65_000)
TIME = b"\x91\x08" + bytes(8)
OPEN, READ, DELETE, DIRECTORY = 0xBF48, 0x9F49, 0xBF4C, 0xBF4D


def oper(value: bytes, number: int) -> bytes:
    return structure(value, structure(integer(3), octets(b"op")), unsigned(number), TIME, boolean(False), bits("00"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IedServer]:
    made = IedServer.from_scl(DEMO, state_dir=tmp_path / "state")
    (tmp_path / "files").mkdir()
    made.serve_files(tmp_path / "files", delete=True, rename=True)
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


def associated(server: IedServer) -> Peer:
    assert server.port is not None
    peer = Peer(server.port)
    assert peer.associate()[0] == 0x0E
    return peer


def lines(folder: Path) -> list[dict[str, Any]]:
    """The audit log without the fields that differ from run to run."""
    read = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    return [{key: value for key, value in one.items() if key not in ("time", "client", "ms")} for one in read]


@pytest.mark.conformance("GW-audit")
def test_every_deed_of_a_client_is_one_line(server: IedServer, tmp_path: Path) -> None:
    peer = associated(server)
    assert peer.write("DEMOIO", ("GGIO1$CO$SPCSO1$Oper", oper(boolean(True), 7))) == ["success"]
    assert peer.write("DEMOIO", ("GGIO1$CO$SPCSO2$Oper", oper(boolean(True), 8))) == [3]
    assert peer.write("DEMOIO", ("CSWI1$CO$Pos$SBOw", oper(boolean(True), 9))) == ["success"]
    assert peer.write("DEMOIO", ("CSWI1$CO$Pos$Oper", oper(boolean(True), 9))) == ["success"]
    peer.early.append(mms(peer.tsdu()))  # its CommandTermination
    assert peer.write("DEMOIO", ("LLN0$ST$Mod$stVal", integer(5))) == [3]
    assert peer.write("DEMOMAIN", ("LLN0$RP$urcbMeasurements01$RptEna", boolean(True))) == ["success"]
    peer.ask(DELETE, tlv(0x19, b"none"))
    server.stop()
    peer.close()
    common = {"association": 1}
    who = {"orCat": 3, "orIdent": "6f70"}
    breaker = common | {"object": "DEMOIO/CSWI1.Pos", "value": True} | who | {"ctlNum": 9, "test": False}
    assert lines(tmp_path / "state" / "audit" / "DEMO") == [
        {"event": "associated"} | common,
        {"event": "operate", "object": "DEMOIO/GGIO1.SPCSO1", "value": True, "ctlNum": 7, "test": False, "result": "ok"}
        | common
        | who,
        {"event": "operate", "object": "DEMOIO/GGIO1.SPCSO2", "value": True, "ctlNum": 8, "test": False}
        | {"result": "object-not-selected"}
        | common
        | who,
        {"event": "select", "result": "ok"} | breaker,
        {"event": "operate", "result": "ok"} | breaker,
        {"event": "write", "object": "DEMOIO/LLN0.Mod.stVal [ST]", "value": 5, "result": "object-access-denied"}
        | common,
        {"event": "file-delete", "file": "none", "result": "refused"} | common,
        {"event": "ended", "reason": "the server stops"} | common,
    ]


def test_a_refused_login_is_told(tmp_path: Path) -> None:
    server = IedServer.from_scl(DEMO, state_dir=tmp_path)
    server.authenticate(password="right")
    server.start(port=0, host="127.0.0.1")
    assert server.port is not None
    peer = Peer(server.port)
    peer.associate(b"wrong")
    peer.close()
    server.stop()
    (line,) = lines(tmp_path / "audit" / "DEMO")
    assert line == {"event": "refused", "association": 1, "reason": "authentication failed"}


def test_groups_and_data_sets_are_told_item_by_item() -> None:
    client = EngineClient(Engine(DataModel(models.demo()), IDENTITY))
    told: list[tuple[str, dict[str, Any]]] = []
    bodies = [
        write_body("DEMOLD0", ("LLN0$SP$SGCB$ActSG", unsigned(3)), ("LLN0$SP$SGCB$ActSG", unsigned(9))),
        write_body("DEMOLD0", ("MMXU1$CF$TotW$db", unsigned(9)), ("MMXU1$MX$TotW$mag$f", single(1.5))),
    ]
    for body in bodies:
        told += audit_events.events_of(0xA5, body, client.octets(0xA5, body))
    assert told == [
        ("setting-group", {"object": "DEMOLD0/LLN0.SGCB.ActSG [SP]", "value": 3, "result": "ok"}),
        ("setting-group", {"object": "DEMOLD0/LLN0.SGCB.ActSG [SP]", "value": 9, "result": "object-value-invalid"}),
        ("write", {"object": "DEMOLD0/MMXU1.TotW.db [CF]", "value": 9, "result": "ok"}),
        ("write", {"object": "DEMOLD0/MMXU1.TotW.mag.f [MX]", "value": 1.5, "result": "object-access-denied"}),
    ]


@pytest.mark.parametrize("body", [b"", b"\xa0", b"\xa0\x03\x30\x01\x00\xa0\x00", b"\xa1\x05\xa1\x03\x1a\x01x"])
def test_a_request_that_was_rejected_did_nothing(body: bytes) -> None:
    for service in audit_events.AUDITED:
        told = audit_events.events_of(service, body, bytes.fromhex("a406800101810101"))
        assert all(deed["result"] == "refused" for _, deed in told)


@given(st.binary(max_size=60))
@example(b"\x84\x00")
@example(b"\x8c\x06\xff\xff\xff\xff\x00\x00")
@example(b"\xa2\x80" * 20)
def test_whatever_octets_a_client_writes_have_a_plain_form(octets_: bytes) -> None:
    json.dumps(plain(octets_))
    for tag in (0x84, 0x87, 0x8A, 0x8C, 0x91, 0xA2):
        json.dumps(plain(tlv(tag, octets_)))


@given(st.sampled_from(sorted(audit_events.AUDITED)), st.binary(max_size=60), st.binary(max_size=20))
def test_whatever_a_client_asks_is_told_or_left_out(service: int, body: bytes, data: bytes) -> None:
    client = EngineClient(Engine(DataModel(models.demo()), IDENTITY))
    for one in (body, write_body("DEMOLD0", ("GGIO1$CO$SPCSO1$Oper", tlv(0xA2, data))) + body):
        for event, deed in audit_events.events_of(service, one, client.octets(service, one)):
            audit_events.line(event, WHO, 0, deed)


def test_long_values_and_names_are_cut() -> None:
    body = write_body("DEMOLD0", ("LLN0$DC$" + "x" * 5000, text("y" * 5000)))
    ((_, deed),) = audit_events.events_of(0xA5, body, bytes.fromhex("a108020101a50380010a"))
    assert (len(deed["object"]), len(deed["value"])) == (audit_events.TEXT_LIMIT + 1, audit_events.TEXT_LIMIT + 1)


def test_the_log_is_turned_over_and_keeps_eight_files(tmp_path: Path) -> None:
    written = AuditLog(tmp_path, "A/B", file_octets=400)
    for number in range(40):
        written.add("write", WHO, {"value": number})
    found = sorted(path.name for path in (tmp_path / "audit" / "A_B").iterdir())
    assert found == [*(f"audit.{number}.jsonl" for number in range(1, FILES)), "audit.jsonl"]
    texts = [(written.folder / name).read_text() for name in [*reversed(found[:-1]), "audit.jsonl"]]
    values = [json.loads(line)["value"] for text in texts for line in text.splitlines()]
    assert values == list(range(values[0], 40))
    assert all(len(text) <= 400 for text in texts)


def test_a_full_disk_is_told_once_and_so_is_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written = AuditLog(tmp_path, "A")
    path = written.folder / "audit.jsonl"
    path.symlink_to("/dev/full")
    with caplog.at_level(logging.INFO, "mms.audit"):
        for number in range(3):
            written.add("write", WHO, {"value": number})
        path.unlink()
        for number in range(3, 5):
            written.add("write", WHO, {"value": number})
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} cannot be written ([Errno 28] No space left on device): the service goes on without",
        f"{path} can be written again",
    ]
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [3, 4]


@pytest.mark.conformance("GW-audit")
def test_clients_fetch_the_log_and_the_export_and_change_neither(server: IedServer, tmp_path: Path) -> None:
    (tmp_path / "files" / "audit").mkdir()
    (tmp_path / "files" / "audit" / "hidden.txt").write_text("hidden by the server's own")
    (tmp_path / "files" / "own.txt").write_text("own")
    server.update({"IO/GGIO1.SPCSO1.stVal": True})
    peer = associated(server)
    listed = decoded(peer, DIRECTORY, b"")["file_directory"]["entries"]
    sizes = {"/".join(one["name"]): one["attributes"]["octets"] for one in listed}
    assert list(sizes) == ["audit/audit.jsonl", "events/DEMOIO_IO.csv", "own.txt"]
    for name, octets_ in sizes.items():
        assert len(fetched(peer, name)) == octets_
    assert json.loads(fetched(peer, "audit/audit.jsonl"))["event"] == "associated"
    exported = fetched(peer, "events/DEMOIO_IO.csv").decode().splitlines()
    assert exported[0] == "time,entry,reference,reason,value"
    assert exported[1].split(",")[2:4] == ["DEMOIO/GGIO1$ST$SPCSO1", "data-change"]
    for name in ("audit/audit.jsonl", "events/DEMOIO_IO.csv"):
        assert decoded(peer, DELETE, tlv(0x19, name.encode())) in ({"file": 6}, {"file": 7})
    assert fetched(peer, "events/DEMOIO_IO.csv").decode().splitlines() == exported
    peer.close()


def decoded(peer: Peer, service: int, body: bytes) -> Any:
    """The server's answer, without the envelope."""
    pdu = mms_oracle.decode(mms(peer.ask(service, body)))
    return pdu["response"]["service"] if "response" in pdu else pdu["error"]["reason"]["error"]


def fetched(peer: Peer, name: str) -> bytes:
    number = decoded(peer, OPEN, tlv(0xA0, tlv(0x19, name.encode())) + b"\x81\x01\x00")["file_open"]["number"]
    content = bytearray()
    while True:
        piece = decoded(peer, READ, bytes((number,)))["file_read"]
        content += piece["data"]
        if not piece["more_follows"]:
            return bytes(content)


def test_an_export_has_the_newest_entries_and_is_made_when_the_log_has_changed() -> None:
    engine = Engine(DataModel(models.demo()), IDENTITY)
    engine.start(CLOCK.now())
    logs = engine.behaviour.logs
    (empty,) = logs.exported()
    assert (empty.name, empty.content) == ("events/DEMOLD0_LD0.csv", b"time,entry,reference,reason,value\r\n")
    for number in range(export.ENTRIES + 5):
        engine.commit([(engine.model.find("LD0/MMXU1.TotW.mag.f"), float(number))], CLOCK.now())
    (whole,) = logs.exported()
    assert logs.exported() == [whole]
    assert logs.exported()[0] is whole
    rows = whole.content.decode().splitlines()[1:]
    assert len(rows) == 2 * export.ENTRIES
    assert rows[0].split(",", 4)[2:] == [
        "DEMOLD0/MMXU1$MX$TotW", "data-change", '"[[5.0],""0000000000000"",""1970-01-01T00:00:00.000Z""]"',
    ]  # fmt: skip
    assert rows[1].split(",", 4)[2:] == ["DEMOLD0/MMXU1$MX$TotW$mag$f", "data-change", "5.0"]


@contextmanager
def room_for(octets: int) -> Iterator[None]:
    """No file of this process may be longer than that; a write beyond it is cut there, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_line_for_which_there_is_no_room_is_left_out_whole(tmp_path: Path, room: int) -> None:
    written = AuditLog(tmp_path, "IED")
    path = written.folder / "audit.jsonl"
    for number in range(3):
        written.add("write", WHO, {"value": number})
        whole = path.read_bytes()
        for _ in range(2):
            with room_for(len(whole) + room):
                written.add("write", WHO, {"value": "left out"})
            assert path.read_bytes() == whole
    assert [one["value"] for one in lines(written.folder)] == [0, 1, 2]
