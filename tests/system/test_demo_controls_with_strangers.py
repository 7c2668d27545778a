"""Strangers' clients at the running demo: controls, setting groups, files and logs, from the wire to the field and back."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mms_server.mms.add_cause import AddCause
from tests.support import strangers
from tests.support.libiec61850 import LibIec61850
from tests.support.running import Gateway, running, until

pytestmark = pytest.mark.system
BREAKER, CHANGER, MODE = "DEMOIO/CSWI1.Pos", "DEMOIO/YLTC1.TapChg", "DEMOIO/LLN0.Mod"
RELAYS = [f"DEMOIO/GGIO1.SPCSO{number}" for number in range(6)]
HIGHER, LOWER = 2, 1
STEP = {"bits": 2}
POSITIVE = 0  # of a CommandTermination


@pytest.fixture(scope="module")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("x"), "demo", "--mms-port", "0", "--http-port", "0") as one:
        until(lambda: one.simulator(get="io1")["values"]["position"] == 1, 10)
        yield one


@pytest.fixture(scope="module")
def first(demo_site: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibIec61850]:
    yield from client_of(demo_site, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(demo_site: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibIec61850]:
    yield from client_of(demo_site, tmp_path_factory.mktemp("second"))


def client_of(gateway: Gateway, folder: Path) -> Iterator[LibIec61850]:
    client = LibIec61850(folder)
    assert client.ask("connect", gateway.mms_port) == 0
    for reference in (*RELAYS[1:], BREAKER, CHANGER, MODE):
        client.ask("control", reference)
    yield client
    client.ask("close")
    client.end()


def field(gateway: Gateway, name: str, device: str = "io1") -> Any:
    return gateway.simulator(get=device)["values"][name]


def operated(client: LibIec61850, reference: str, value: Any, *form: Any) -> Any:
    """Select, operate, and the end, as the object's control model has it: True, or the AddCause why not."""
    model = client.ask("control", reference)
    if model in (2, 4):
        selected = client.ask("select", reference, *([value, *form] if model == 4 else []))
        if selected is not True:
            return selected
    done = client.ask("operate", reference, value, *form)
    if done is not True or model < 3:
        return done
    return client.ask("terminated", reference, 5) == POSITIVE


@pytest.mark.conformance("DON-1", "SBN-1", "DOE-1", "SBE-1", "GW-5")
def test_libiec61850_operates_every_control_model_and_the_coil_follows(demo_site: Gateway, first: LibIec61850) -> None:
    for number in (1, 2, 3, 4):
        for value in (True, False):
            assert operated(first, RELAYS[number], value) is True
            assert field(demo_site, f"relay{number}") is value
            assert first.ask("read", f"{RELAYS[number]}.stVal", "ST") is value


@pytest.mark.conformance("CT-12")
def test_what_is_status_only_takes_no_command(first: LibIec61850) -> None:
    assert first.ask("control", RELAYS[5]) == 0
    assert first.ask("operate", RELAYS[5], True) is not True
    assert first.ask("read", f"{RELAYS[5]}.stVal", "ST") is False


def test_a_breaker_travels_through_intermediate_and_its_termination_comes_when_it_has_arrived(
    demo_site: Gateway, first: LibIec61850, second: LibIec61850
) -> None:
    for value, arrived in ((True, 2), (False, 1)):
        assert first.ask("select", BREAKER, value) is True
        assert first.ask("operate", BREAKER, value) is True
        assert field(demo_site, "position") == 0
        until(lambda: second.ask("position", f"{BREAKER}.stVal") == 0, 2)
        assert first.ask("terminated", BREAKER, 5) == POSITIVE
        assert second.ask("position", f"{BREAKER}.stVal") == arrived
        assert field(demo_site, "breaker") is value


@pytest.mark.conformance("CT-11", "SBN-6", "SBN-7")
def test_a_selected_object_is_locked_for_others_until_it_is_cancelled(first: LibIec61850, second: LibIec61850) -> None:
    for number in (2, 4):
        value = [True] if number == 4 else []
        assert first.ask("select", RELAYS[number], *value) is True
        assert second.ask("select", RELAYS[number], *value) is not True
        assert second.ask("operate", RELAYS[number], True) == AddCause.LOCKED_BY_OTHER_CLIENT
        assert first.ask("cancel", RELAYS[number]) is True
        assert second.ask("select", RELAYS[number], *value) is True
        assert second.ask("cancel", RELAYS[number]) is True
        assert first.ask("operate", RELAYS[number], True) == AddCause.OBJECT_NOT_SELECTED


@pytest.mark.conformance("CT-7")
def test_a_refused_command_says_why(demo_site: Gateway, first: LibIec61850) -> None:
    assert operated(first, RELAYS[4], True) is True
    until(lambda: first.ask("select", BREAKER, True) == AddCause.BLOCKED_BY_INTERLOCKING, 5)
    assert field(demo_site, "breaker") is False
    assert operated(first, RELAYS[4], False) is True


def test_a_tap_changer_steps_up_and_down(demo_site: Gateway, first: LibIec61850) -> None:
    before = field(demo_site, "tap_position")
    for command, after in ((HIGHER, before + 1), (HIGHER, before + 2), (LOWER, before + 1)):
        assert operated(first, CHANGER, command, STEP) is True
        assert first.ask("read", f"{CHANGER}.valWTr", "ST") == [after, False]
        until(lambda: field(demo_site, "tap_higher") is field(demo_site, "tap_lower") is False, 5)


@pytest.mark.conformance("SRV-10")
def test_the_mode_blocks_commands_and_the_gateway_itself_sets_it(demo_site: Gateway, first: LibIec61850) -> None:
    assert operated(first, MODE, 5) is True
    assert first.ask("read", "DEMOIO/GGIO1.Beh.stVal", "ST") == 5
    assert first.ask("operate", RELAYS[1], True) == AddCause.BLOCKED_BY_MODE
    assert operated(first, MODE, 1) is True
    assert operated(first, RELAYS[1], True) is True
    assert field(demo_site, "relay1") is True


@pytest.mark.conformance("SG-1", "SG-2")
def test_setting_groups_are_activated_and_edited_and_the_meter_has_the_active_one(demo_site: Gateway) -> None:
    mms, groups = strangers.module("open61850.mms"), strangers.module("open61850.mms.sgcb")
    data = strangers.module("open61850.data")
    window = mms.ObjectName("MSTA1$SG$EvTmms$setVal", "DEMOFEED1")
    edited = mms.ObjectName("MSTA1$SE$EvTmms$setVal", "DEMOFEED1")
    with mms.MmsClient.connect("127.0.0.1", demo_site.mms_port) as client:
        for group, minutes in ((2, 30), (3, 60), (1, 15)):
            groups.select_active_sg(client, "DEMOFEED1", group)
            assert client.read(window).value == 60_000 * minutes
            assert field(demo_site, "demand_period", "feeder1") == minutes
        groups.select_edit_sg(client, "DEMOFEED1", 1)
        client.write(edited, data.IntData(20 * 60_000))
        assert field(demo_site, "demand_period", "feeder1") == 15
        groups.confirm_edit_sg_values(client, "DEMOFEED1")
        assert client.read(window).value == 20 * 60_000
        assert field(demo_site, "demand_period", "feeder1") == 20
        shown = groups.read_sgcb(client, "DEMOFEED1")
        assert (shown.num_of_sg, shown.act_sg, shown.edit_sg) == (3, 1, 0)


@pytest.mark.conformance("GW-audit", "FT-2")
def test_the_audit_log_is_fetched_after_a_control(first: LibIec61850, second: LibIec61850, tmp_path: Path) -> None:
    assert first.ask("select", RELAYS[2]) is True
    assert second.ask("operate", RELAYS[2], True) == AddCause.LOCKED_BY_OTHER_CLIENT
    assert first.ask("cancel", RELAYS[2]) is True
    assert operated(first, BREAKER, True) is operated(first, BREAKER, False) is True
    assert operated(first, MODE, 5) is True
    assert first.ask("operate", RELAYS[1], True) == AddCause.BLOCKED_BY_MODE
    assert operated(first, MODE, 1) is operated(first, RELAYS[4], True) is True
    until(lambda: first.ask("select", BREAKER, True) == AddCause.BLOCKED_BY_INTERLOCKING, 5)
    assert operated(first, RELAYS[4], False) is operated(first, RELAYS[3], True) is True
    listed = second.ask("files", "/")
    assert list(listed) == ["audit/audit.jsonl", "events/DEMOIO_IO.csv", "readme.txt"]
    assert second.ask("fetch", "audit/audit.jsonl", str(tmp_path / "audit")) == [True, 0]
    assert second.ask("fetch", "events/DEMOIO_IO.csv", str(tmp_path / "events")) == [True, 0]
    assert (tmp_path / "audit").stat().st_size == listed["audit/audit.jsonl"]
    told = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    last = [one for one in told if one["event"] == "operate"][-1]
    assert {key: last[key] for key in ("object", "value", "result")} == {
        "object": RELAYS[3], "value": True, "result": "ok",
    }  # fmt: skip
    assert {"associated", "operate", "select", "cancel"} <= {one["event"] for one in told}
    refused = {one["result"] for one in told if one["event"] in ("operate", "select")}
    assert {"blocked-by-mode", "blocked-by-interlocking", "locked-by-other-client"} <= refused
    positions = [line for line in (tmp_path / "events").read_text().splitlines() if "CSWI1$ST$Pos" in line]
    assert any('""00""' in line for line in positions)
    assert second.ask("fetch", "../site.yaml", str(tmp_path / "x"))[0] is False


@pytest.mark.conformance("LOG-1", "LOG-2")
def test_a_rust_client_asks_the_log_for_what_the_breaker_did(demo_site: Gateway, first: LibIec61850) -> None:
    stranger = strangers.module("iec61850")
    began_ms = int(time.time() * 1000) - 1
    assert operated(first, BREAKER, True) is True

    async def asked() -> list[Any]:
        connection = await stranger.IedConnection.connect(f"127.0.0.1:{demo_site.mms_port}")
        entries, _ = await connection.query_journal_by_time("DEMOIO/LLN0$IO", began_ms, began_ms + 60_000)
        later, _ = await connection.query_journal_after_entry("DEMOIO/LLN0$IO", entries[0].time_ms, entries[0].entry_id)
        await connection.disconnect()
        assert [one.entry_id for one in later[: len(entries) - 1]] == [one.entry_id for one in entries[1:]]
        return list(entries)

    entries = asyncio.run(asked())
    names = {variable.data_ref for entry in entries for variable in entry.variables}
    assert "DEMOIO/CSWI1$ST$Pos" in names
    assert operated(first, BREAKER, False) is True
