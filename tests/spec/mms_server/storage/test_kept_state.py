"""State folders that released versions have left: the present code finds in them all that they kept."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acquisition.polling import refused_registers
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from bus.quality import UtcTime
from bus.state_schema import FILE, SCHEMA, NewerStateError
from bus.version import version
from mapping.block_planning import turnaround
from mapping.block_planning.turnaround import Turnaround
from mapping.diagnostics import Diagnostics
from mapping.scl.access_points import server as read_server
from mapping.scl.reader import read
from mms_server import IedServer
from mms_server.acsi.clients import Client
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from mms_server.storage.audit_log import AuditLog
from mms_server.storage.store import Store
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, Report, bare, name, tlv, values
from tests.support.state import SITE, VECTORS, VERSION, kept, number_folder, number_of_store, number_store, snapshot
from tests.support.wire_data import boolean, octets, unsigned

LD, BRCB, LCB = "CABLD0", "LLN0$BR$brcbEvents01", "LLN0$LG$logEvents"
JOURNAL = tlv(0xA0, name(LD, "LLN0$LD0"))


@dataclass(frozen=True)
class Kept:
    """The contents of one folder: EntryIDs behind `base`, and for each its time and the member's value."""

    setting: int
    activated: str
    base: int
    buffered: tuple[tuple[int, float | bool], ...]
    second: tuple[int, ...]
    logged: tuple[int, ...]
    next_id: int
    clean: bool = True


RUN = Kept(
    setting=750,
    activated="6b0d89ef4ee2e73f",
    base=1883294285529350144,
    buffered=((5, 1100.0), (8, 1200.0), (11, 1300.0), (14, 1400.0), (17, 1500.0), (20, True)),
    second=(1, 3, 6, 9, 12, 15, 18),
    logged=(2, 4, 7, 10, 13, 16, 19),
    next_id=0x1A22CE2CB0810000,
)
SERVE = Kept(
    setting=750,
    activated="6b0d8a152901933f",
    base=1883294327217586176,
    buffered=((2, -0.6418544), (5, -0.6794311), (8, True), (11, -0.7152986), (14, False)),
    second=(0, 3, 6, 9, 12, 15),
    logged=(1, 4, 7, 10, 13, 16),
    next_id=0x1A22CE3665510000,
)
KILLED = Kept(
    setting=900,
    activated=SERVE.activated,
    base=SERVE.base,
    buffered=(*SERVE.buffered, (65538, True)),
    second=(*SERVE.second, 65536),
    logged=(*SERVE.logged, 65537),
    next_id=0x1A22CE3665520000,
    clean=False,
)
FOLDERS = {"run": RUN, "serve": SERVE, "killed": KILLED}


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a kept state folder, under its own name."""
    return kept(request.param, tmp_path)


class Opened:
    """An engine of the model of the kept folders, with the contents of the store in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.kept = FOLDERS[folder.name]
        self.store = Store(folder, "CAB")
        self.stored = self.store.load()
        found = Diagnostics()
        described = read_server(read(SITE / "cabinet.icd", found), None, None, found)
        self.engine = Engine(DataModel(described), IDENTITY, self.stored)
        self.engine.start(CLOCK.now())
        self.client = EngineClient(self.engine)

    def show(self, item: str) -> Any:
        (value,) = values(self.client.read(LD, item))
        return value

    def put(self, item: str, data: bytes) -> None:
        assert self.client.write(LD, (item, data)) == ["success"]

    def reports(self) -> list[Report]:
        """The reports that the client gets when it enables the block; what they made necessary counts as stored."""
        self.put(f"{BRCB}$RptEna", boolean(True))
        self.engine.stored(self.engine.persistence.take()[1])
        return self.client.reports()


@pytest.fixture
def opened(folder: Path) -> Iterator[Opened]:
    found = Opened(folder)
    yield found
    found.store.close()


def number(value: bytes) -> float:
    """A FLOAT32 as the oracle shows it: its format octet and its four octets."""
    (found,) = struct.unpack(">f", value[1:])
    return float(found)


def test_the_engine_has_no_problem_with_it(opened: Opened) -> None:
    assert opened.engine.problems == []
    assert (opened.stored.next_id, opened.stored.clean) == (opened.kept.next_id, opened.kept.clean)


def test_values_that_clients_wrote_are_there(opened: Opened) -> None:
    assert opened.show("GAPC1$SP$OpDlTmms$setVal") == opened.kept.setting
    assert opened.show("MMXU1$CF$TotVAr$db") == 500
    assert number(opened.show("MMXU1$CF$TotVAr$rangeC$hLim$f")) == 1234.5
    assert opened.show("LLN0$DC$NamPlt$d") == "commissioned"


def test_setting_groups_are_as_they_were_edited_and_the_active_one_is_active(opened: Opened) -> None:
    assert opened.show("LLN0$SP$SGCB$ActSG") == 2
    assert opened.engine.model.cache.values[opened.engine.model.find("LD0/LLN0.SGCB.LActTm")] == UtcTime.from_octets(
        bytes.fromhex(opened.kept.activated)
    )
    assert number(opened.show("GAPC1$SG$StrVal$setMag$f")) == 12500.0
    groups = []
    for group in (1, 2, 3):
        opened.put("LLN0$SP$SGCB$EditSG", unsigned(group))
        groups.append(number(opened.show("GAPC1$SE$StrVal$setMag$f")))
    assert groups == [8000.0, 12500.0, 20000.0]


def test_the_data_set_that_a_client_made_has_its_members_and_can_be_deleted(opened: Opened) -> None:
    assert opened.client.names(2, LD) == ["LLN0$Events", "LLN0$kept"]
    answer = opened.client.ask(0xAC, name(LD, "LLN0$kept"))
    assert answer["deletable"]
    assert [one["specification"]["name"]["domain"]["item"] for one in answer["variables"]] == [
        "MMXU1$MX$TotW$mag$f",
        "GGIO1$ST$SPCSO1",
    ]


def test_buffered_reports_come_with_their_entry_ids_and_values(opened: Opened) -> None:
    attributes = [opened.show(f"{BRCB}${one}") for one in ("RptID", "OptFlds", "TrgOps", "BufTm", "DatSet")]
    assert attributes == ["cabinet", "0111111110", "010001", 20, "CABLD0/LLN0$Events"]
    reports = opened.reports()
    assert [int.from_bytes(one.entry_id or b"", "big") - opened.kept.base for one in reports] == [
        entry for entry, _ in opened.kept.buffered
    ]
    assert [_value(one) for one in reports] == pytest.approx([value for _, value in opened.kept.buffered])
    assert {one.rpt_id for one in reports} == {"cabinet"}
    assert not any(one.overflow for one in reports)


def _value(report: Report) -> float | bool:
    (value,) = report.values
    return number(value[1][0]) if report.inclusion == "10" else bool(value[0])


def test_a_client_goes_on_behind_the_entry_that_it_had(opened: Opened) -> None:
    third = opened.kept.base + opened.kept.buffered[2][0]
    opened.put(f"{BRCB}$EntryID", octets(third.to_bytes(8, "big")))
    reports = opened.reports()
    assert [int.from_bytes(one.entry_id or b"", "big") - opened.kept.base for one in reports] == [
        entry for entry, _ in opened.kept.buffered[3:]
    ]


def test_a_purge_leaves_nothing_in_the_buffer_and_new_entries_go_above(opened: Opened) -> None:
    opened.put(f"{BRCB}$PurgeBuf", boolean(True))
    assert opened.reports() == []
    opened.engine.commit([(opened.engine.model.find("LD0/MMXU1.TotW.mag.f"), 42.0)], CLOCK.now())
    CLOCK.pass_ms(50, opened.engine)
    opened.engine.stored(opened.engine.persistence.take()[1])
    (report,) = opened.client.reports()
    assert int.from_bytes(report.entry_id or b"", "big") >= opened.kept.next_id
    assert bool(report.overflow) is not opened.kept.clean  # nobody knows the events between the kill and the start


def test_the_instance_that_no_client_had_kept_its_entries(opened: Opened) -> None:
    found = opened.stored.entries[f"{LD}/LLN0$BR$brcbEvents02"]
    assert [one.entry_id - opened.kept.base for one in found] == list(opened.kept.second)
    newest = opened.show("LLN0$BR$brcbEvents02$EntryID")
    assert int.from_bytes(newest, "big") == found[-1].entry_id


def test_the_log_has_its_entries_and_its_block_its_triggers(opened: Opened) -> None:
    assert (opened.show(f"{LCB}$LogEna"), opened.show(f"{LCB}$TrgOps")) == (True, "011000")
    entries = opened.client.ask(0xBF41, JOURNAL)["entries"]
    assert [int.from_bytes(one["entry_id"], "big") - opened.kept.base for one in entries] == list(opened.kept.logged)
    tags = {one["content"]["data"]["variables"][0]["tag"] for one in entries}
    assert tags == {"CABLD0/MMXU1$MX$TotW", "CABLD0/GGIO1$ST$SPCSO1"}
    logged = [bare(one["content"]["data"]["variables"][0]["value"]) for one in entries]
    if opened.kept is RUN:
        assert [number(value[1][0]) for value in logged[:6]] == [1000.0, 1100.0, 1200.0, 1300.0, 1400.0, 1500.0]
    assert logged[-1][0] is True or opened.kept is SERVE


def test_the_audit_log_goes_on_behind_its_lines(folder: Path) -> None:
    path = folder / "audit" / "CAB" / "audit.jsonl"
    before = path.read_text(encoding="utf-8")
    events = [json.loads(line) for line in before.splitlines()]
    (operated, *_) = [one for one in events if one["event"] == "operate"]
    assert (operated["object"], operated["value"], operated["orIdent"]) == (
        "CABLD0/GGIO1.SPCSO1", True, b"control room".hex(),
    )  # fmt: skip
    assert [one["result"] for one in events if one["event"] == "setting-group"] == ["ok"] * 3
    (refused,) = [one for one in events if one.get("result", "ok") != "ok"]
    assert (refused["object"], refused["result"]) == ("CABLD0/GAPC1.StrVal.setMag.f [SG]", "object-access-denied")
    AuditLog(folder, "CAB").add("associated", Client(1, "127.0.0.1:50000", 65_000), {})
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert json.loads(after.removeprefix(before))["event"] == "associated"


def test_refused_registers_and_turnarounds_are_known() -> None:
    folder = VECTORS / VERSION / "run"
    lacks = tuple(RefusedRange("holding", address, 2, 2) for address in (40, 42, 44))
    known = {"meter1": DeviceRefusals(7, None, lacks, "simulated meter1 1.0")}
    assert refused_registers.load(refused_registers.file_of(folder, "rs485-1")) == known
    assert turnaround.of_site(folder) == ({"meter1": Turnaround(7, 10)}, [])
    assert "meter1           holding 40..41" in refused_registers.report(folder)


# ---------------------------------------------------------------------- schema numbers


def test_what_is_opened_has_the_present_number_from_then_on(folder: Path) -> None:
    Store(folder, "CAB").close()
    assert number_of_store(folder / "CAB.sqlite") == SCHEMA
    assert json.loads((folder / FILE).read_text(encoding="utf-8")) == {"schema": SCHEMA, "version": version()}


@pytest.mark.parametrize("numbered", ["folder", "store"])
def test_the_library_refuses_state_of_a_newer_program_untouched(folder: Path, numbered: str) -> None:
    if numbered == "folder":
        number_folder(folder, SCHEMA + 1)
    else:
        number_store(folder / "CAB.sqlite", SCHEMA + 1)
    before = snapshot(folder)
    with pytest.raises(NewerStateError, match=rf"has schema number {SCHEMA + 1}.*--state-dir DIR"):
        IedServer.from_scl(SITE / "cabinet.icd", state_dir=folder)
    assert snapshot(folder) == before
