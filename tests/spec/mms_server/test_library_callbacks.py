"""Callbacks of an embedding program, over real sockets: writes, reads, report control blocks, restarts."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mms_gateway.cli import main
from mms_server import AddCause, ControlAction, DataAccessError, IedServer
from mms_server import Client as ServerClient
from tests.support import mms_oracle
from tests.support.client import Client, mms
from tests.support.engine_client import bare, read_request, variable, write_body
from tests.support.running import ROOT, until
from tests.support.wire_data import bits, boolean, integer, octets, structure, text, unsigned

DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"
LD, NAME = "DEMOMAIN", "LLN0$DC$NamPlt$d"
URCB, BRCB = "LLN0$RP$urcbMeasurements01", "LLN0$BR$brcbEnergies01"
POWER = "MAIN/MMXU1.TotW.mag.f"


@pytest.fixture
def server() -> Iterator[IedServer]:
    made = IedServer.from_scl(DEMO)
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


def peer_of(server: IedServer) -> Client:
    peer = Client(server.port or 0)
    assert peer.associate()[0] == 0x0E
    return peer


@pytest.mark.conformance("SRV-N4")
def test_the_library_opens_what_it_is_told_to_and_no_more(server: IedServer) -> None:
    peer = peer_of(server)
    assert peer.write(LD, (NAME, text("x"))) == [3]
    server.allow_writes(fc="DC")
    assert peer.write(LD, (NAME, text("x"))) == ["success"]
    server.deny_writes("DC")
    assert peer.write(LD, (NAME, text("y"))) == [3]
    with pytest.raises(ValueError, match=r"^ST is never written by clients$"):
        server.allow_writes("ST")
    peer.close()


def test_a_write_callback_learns_who_asks_for_what_and_decides(server: IedServer) -> None:
    asked: list[tuple[str, str, Any]] = []
    verdicts: list[Any] = [True, False, DataAccessError.HARDWARE_FAULT]

    def decide(client: ServerClient, reference: str, value: Any) -> Any:
        asked.append((client.host, reference, value))
        return verdicts.pop(0)

    server.on_write("MAIN/LLN0.NamPlt.d", decide)
    peer = peer_of(server)
    assert [peer.write(LD, (NAME, text(one))) for one in "abc"] == [["success"], [3], [1]]
    assert asked == [("127.0.0.1", "DEMOMAIN/LLN0.NamPlt.d", one) for one in "abc"]
    assert server.get_value("MAIN/LLN0.NamPlt.d") == "a"
    peer.close()


@pytest.mark.parametrize("where", ["MAIN/LLN0", "DC"])
def test_an_async_callback_may_wait_and_only_its_client_waits_with_it(server: IedServer, where: str) -> None:
    entered, go = threading.Event(), threading.Event()

    async def decide(_client: ServerClient, _reference: str, _value: Any) -> bool:
        entered.set()
        return await asyncio.to_thread(go.wait, 5)

    server.on_write(where, decide)
    slow, quick = peer_of(server), peer_of(server)
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(slow.write(LD, (NAME, text("late")))))
    waiting.start()
    assert entered.wait(5)
    assert quick.ask(0xA4, read_request(variable(LD, NAME)))
    assert answers == []
    go.set()
    waiting.join(5)
    assert (answers, server.get_value("MAIN/LLN0.NamPlt.d")) == ([["success"]], "late")
    slow.close()
    quick.close()


def test_a_plain_callback_that_blocks_keeps_nobody_else_waiting(server: IedServer) -> None:
    go = threading.Event()
    server.on_write("DC", lambda *_: go.wait(5))
    slow, quick = peer_of(server), peer_of(server)
    waiting = threading.Thread(target=lambda: slow.write(LD, (NAME, text("late"))))
    waiting.start()
    started = time.monotonic()
    assert quick.ask(0xA4, read_request(variable(LD, NAME)))
    assert time.monotonic() - started < 2
    go.set()
    waiting.join(5)
    slow.close()
    quick.close()


def test_a_callback_that_fails_says_no_and_its_fault_is_logged(
    server: IedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> bool:
        raise RuntimeError("no such valve")

    server.on_write("DC", broken)
    peer = peer_of(server)
    assert peer.write(LD, (NAME, text("x"))) == [3]
    assert "no such valve" in caplog.text
    peer.close()


@pytest.mark.conformance("SBE-7")
def test_a_client_that_goes_while_its_control_is_carried_out_locks_nobody_out(server: IedServer) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(_client: ServerClient, _reference: str, _action: Any) -> bool:
        begun.set()
        ended.set() if go_on.wait(10) else None
        return True

    server.on_control("IO/GGIO1.SPCSO1", slow)
    oper = structure(boolean(True), structure(integer(3), octets(b"")), unsigned(1), b"\x91\x08" + bytes(8),
                     boolean(False), bits("00"))  # fmt: skip
    hasty, next_one = peer_of(server), peer_of(server)
    hasty.post(0xA5, write_body("DEMOIO", ("GGIO1$CO$SPCSO1$Oper", oper)))
    assert begun.wait(10)
    hasty.close()
    assert next_one.write("DEMOIO", ("GGIO1$CO$SPCSO1$Oper", oper)) == [2]
    go_on.set()
    assert ended.wait(10)
    until(lambda: next_one.write("DEMOIO", ("GGIO1$CO$SPCSO1$Oper", oper)) == ["success"], 10)
    next_one.close()


def test_requests_behind_one_that_waits_keep_their_order(server: IedServer) -> None:
    server.on_write("DC", lambda *_: True)
    peer = peer_of(server)
    for number in range(20):
        assert peer.write(LD, (NAME, text(str(number))), (NAME, text("last"))) == ["success"] * 2
    assert server.get_value("MAIN/LLN0.NamPlt.d") == "last"
    peer.close()


def test_a_read_callback_hides_what_a_client_may_not_see(server: IedServer) -> None:
    server.on_read("MAIN/MMXU1.TotW", lambda client, _reference: client.host != "127.0.0.1")
    peer = peer_of(server)
    assert peer.ask(0xA4, read_request(variable(LD, "MMXU1$MX$TotW"))).endswith(b"\xa1\x03\x80\x01\x03")
    assert not peer.ask(0xA4, read_request(variable(LD, "MMXU1$MX$TotVAr"))).endswith(b"\x80\x01\x03")
    peer.close()


def test_a_read_callback_hides_what_its_client_has_asked_for_many_times_before(server: IedServer) -> None:
    peer = peer_of(server)
    wanted = read_request(variable(LD, "MMXU1$MX$TotW"))
    for _ in range(3):
        assert not peer.ask(0xA4, wanted).endswith(b"\x80\x01\x03")
    server.on_read("MAIN/MMXU1.TotW", lambda *_: False)
    assert peer.ask(0xA4, wanted).endswith(b"\xa1\x03\x80\x01\x03")
    peer.close()


def controlled(number: int, *, check: str = "00", value: bool = True) -> tuple[str, bytes]:
    """An Oper of the IO's relay `number`."""
    stamp = b"\x91\x08" + bytes(8)
    origin = structure(integer(3), octets(b"me"))
    oper = structure(boolean(value), origin, unsigned(1), stamp, boolean(False), bits(check))
    return f"GGIO1$CO$SPCSO{number}$Oper", oper


def told(peer: Client) -> tuple[int, int]:
    """Error and AddCause of the LastApplError that came before the last answer, or comes now."""
    pdu = peer.early.pop(0) if peer.early else mms(peer.tsdu())
    content = mms_oracle.decode(pdu)["unconfirmed"]["report"]
    _, error, _, _, cause = bare(content["results"][0]["success"])
    return error, cause


@pytest.mark.conformance("CT-7")
@pytest.mark.parametrize(
    ("bit", "cause"), [("01", AddCause.BLOCKED_BY_INTERLOCKING), ("10", AddCause.BLOCKED_BY_SYNCHROCHECK)]
)
def test_a_check_that_fails_denies_what_asks_for_it_and_lets_pass_what_does_not(
    server: IedServer, bit: str, cause: AddCause
) -> None:
    def checked(_client: ServerClient, _reference: str, action: ControlAction) -> bool | AddCause:
        if action.interlock_check:
            return AddCause.BLOCKED_BY_INTERLOCKING
        return AddCause.BLOCKED_BY_SYNCHROCHECK if action.synchro_check else True

    done: list[object] = []
    server.on_check("IO/GGIO1.SPCSO1", checked)

    def carry_out(_client: ServerClient, _reference: str, action: ControlAction) -> bool:
        done.append(action.value)
        return True

    server.on_control("IO/GGIO1.SPCSO1", carry_out)
    peer = peer_of(server)
    assert peer.write("DEMOIO", controlled(1, check=bit)) == [3]
    assert (told(peer), done) == ((1, cause), [])
    assert peer.write("DEMOIO", controlled(1, check="00")) == ["success"]
    assert done == [True]
    peer.close()


@pytest.mark.conformance("DOE-3")
def test_an_end_that_does_not_come_within_opertimeout_is_a_negative_termination(server: IedServer) -> None:
    async def endless(_client: ServerClient, _reference: str, _action: ControlAction) -> bool:
        await asyncio.Event().wait()
        return True

    server.on_control("IO/GGIO1.SPCSO3", endless)
    server.update({"IO/GGIO1.SPCSO3.operTimeout": 50})
    peer = peer_of(server)
    assert peer.write("DEMOIO", controlled(3)) == ["success"]
    assert told(peer) == (2, AddCause.TIME_LIMIT_OVER)
    peer.close()


def test_commands_are_written_down_once_each(server: IedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="mms.command")
    server.on_check("IO/GGIO1.SPCSO1", lambda _client, _reference, action: action.value is True)
    peer = peer_of(server)
    assert peer.write("DEMOIO", controlled(1)) == ["success"]
    assert peer.write("DEMOIO", controlled(1, value=False)) == [3]
    assert peer.write("DEMOIO", controlled(2)) == [3]
    peer.close()
    until(lambda: len(caplog.records) == 3, 5)
    assert [(one.message, one.__dict__["result"], one.__dict__["ctlNum"]) for one in caplog.records] == [
        ("DEMOIO/GGIO1.SPCSO1 = True: done", "ok", 1),
        ("DEMOIO/GGIO1.SPCSO1 = False: blocked-by-process", "blocked_by_process", 1),
        ("DEMOIO/GGIO1.SPCSO2 = True: object-not-selected", "object_not_selected", 1),
    ]


def test_a_listener_is_told_what_becomes_of_report_control_blocks(server: IedServer) -> None:
    told: list[tuple[bool, str, str]] = []
    done = threading.Event()

    def listen(client: ServerClient | None, block: str, event: str) -> None:
        told.append((client is not None, block, event))
        if event == "released":
            done.set()

    server.on_report_control(listen)
    peer = peer_of(server)
    pairs = [(f"{URCB}$RptEna", boolean(True)), (f"{URCB}$GI", boolean(True)), (f"{URCB}$RptEna", boolean(False))]
    assert peer.write(LD, *pairs) == ["success"] * 3
    assert done.wait(5)
    name = "DEMOMAIN/LLN0$RP$urcbMeasurements01"
    assert told == [(True, name, event) for event in ("reserved", "enabled", "gi", "disabled", "released")]
    peer.close()


def test_updates_from_many_threads_are_all_reported_in_the_order_of_their_commits(server: IedServer) -> None:
    peer = peer_of(server)
    pairs = [(f"{BRCB}$BufTm", unsigned(0)), (f"{BRCB}$TrgOps", bits("010000")), (f"{BRCB}$RptEna", boolean(True))]
    assert peer.write(LD, *pairs) == ["success"] * 3
    counter = server.handle("MAIN/MMTR1.DmdWh.actVal")
    lock, number = threading.Lock(), iter(range(1, 401))

    def feed() -> None:
        while True:
            with lock:
                value = next(number, None)
                if value is None:
                    return
                server.update({counter: value})

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    found: list[int] = []
    while len(found) < 400:
        report = peer.report()
        assert report is not None
        found.append(report.values[0][0])
    assert found == list(range(1, 401))
    for thread in threads:
        thread.join()
    peer.close()


@pytest.mark.conformance("RP-15")
def test_one_update_is_one_report(server: IedServer) -> None:
    peer = peer_of(server)
    pairs = [(f"{URCB}$BufTm", unsigned(0)), (f"{URCB}$RptEna", boolean(True))]
    assert peer.write(LD, *pairs) == ["success"] * 2
    server.update({POWER: 1.0, "MAIN/MMXU1.TotVAr.mag.f": 2.0, "MAIN/MMXU1.TotW.q": 0b01 << 11})
    server.update({POWER: 3.0}, quiet=True)
    server.update({POWER: 3.0}, force=True)
    first, second = peer.report(), peer.report()
    assert first is not None
    assert second is not None
    assert (first.inclusion[:2], second.inclusion[:2]) == ("11", "10")
    peer.close()


@pytest.mark.conformance("BR-15", "DS-6", "SRV-6")
def test_what_clients_leave_behind_is_there_after_a_restart(tmp_path: Path) -> None:
    server = IedServer.from_scl(DEMO, state_dir=tmp_path / "state")
    server.allow_writes("DC")
    server.start(port=0, host="127.0.0.1")
    peer = peer_of(server)
    assert peer.write(LD, (NAME, text("kept")), (f"{BRCB}$BufTm", unsigned(0))) == ["success"] * 2
    server.update({"MAIN/MMTR1.DmdWh.actVal": 1})
    peer.close()
    server.stop()
    again = IedServer.from_scl(DEMO, state_dir=tmp_path / "state")
    assert again.get_value("MAIN/LLN0.NamPlt.d") == "kept"
    again.start(port=0, host="127.0.0.1")
    peer = peer_of(again)
    assert peer.write(LD, (f"{BRCB}$EntryID", octets(bytes(8))), (f"{BRCB}$RptEna", boolean(True))) == ["success"] * 2
    report = peer.report()
    assert report is not None
    assert (report.values[0][0], report.overflow) == (1, False)
    peer.close()
    again.stop()
    again.start(port=0, host="127.0.0.1")  # the same object, once more
    peer_of(again).close()
    again.stop()


def test_what_was_left_behind_can_be_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = IedServer.from_scl(DEMO, state_dir=tmp_path)
    server.allow_writes("DC")
    server.start(port=0, host="127.0.0.1")
    peer = peer_of(server)
    assert peer.write(LD, (NAME, text("kept")), (f"{BRCB}$BufTm", unsigned(0))) == ["success"] * 2
    server.update({"MAIN/MMTR1.DmdWh.actVal": 1})
    peer.close()
    server.stop()
    assert main(["reset", str(tmp_path), "--what", "values"]) == 0
    assert capsys.readouterr().out == "DEMO: 1 values forgotten\n"
    assert IedServer.from_scl(DEMO, state_dir=tmp_path).get_value("MAIN/LLN0.NamPlt.d") != "kept"
    assert main(["reset", str(tmp_path), "--ied", "NONE"]) == 2
    assert main(["reset", str(tmp_path)]) == 0
    assert "0 values, 0 data-sets, " in capsys.readouterr().out


def test_a_damaged_store_is_put_aside_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "DEMO.sqlite").write_bytes(b"this is no database" * 500)
    server = IedServer.from_scl(DEMO, state_dir=tmp_path)
    assert (tmp_path / "DEMO.damaged").exists()
    assert "kept as DEMO.damaged, a new one begins" in caplog.text
    server.start(port=0, host="127.0.0.1")
    peer_of(server).close()
    server.stop()


def test_a_state_folder_that_cannot_be_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"(?i)exist|not a directory"):
        IedServer.from_scl(DEMO, state_dir=tmp_path / "file")
