"""Files: listed, fetched in pieces, and nothing outside their folder (IEC 61850-7-2 file transfer, ISO 9506-2 annex D)."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, tlv

OPEN, READ, CLOSE, RENAME, DELETE, DIRECTORY = 0xBF48, 0x9F49, 0x9F4A, 0xBF4B, 0xBF4C, 0xBF4D
CANARY = "what nobody may see"
NON_EXISTENT = {"error": {"error": {"file": 7}}}


def part(text: str) -> bytes:
    return tlv(0x19, text.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "files"
    (inside / "COMTRADE" / "2026").mkdir(parents=True)
    (inside / "empty").mkdir()
    (inside / "log.txt").write_bytes(bytes(range(256)) * 20)
    (inside / "COMTRADE" / "one.cfg").write_text("one")
    (inside / "COMTRADE" / "2026" / "two.dat").write_text("two")
    os.utime(inside / "log.txt", (1_790_000_000, 1_790_000_000))
    (tmp_path / "secret").write_text(CANARY)
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "way-out").symlink_to(tmp_path)
    return inside


NO_FOLDERS: Mapping[str, Path] = MappingProxyType({})


def client_of(
    folder: Path | None, max_pdu: int = 4096, *, writable: bool = False, own: Mapping[str, Path] = NO_FOLDERS
) -> EngineClient:
    engine = Engine(DataModel(models.demo()), IDENTITY, own_folders=own)
    if folder is not None:
        engine.behaviour.files.serve(folder, delete=writable, rename=writable, obtain=False)
    return EngineClient(engine, max_pdu)


def listing(client: EngineClient, name: str = "", after: str = "") -> Any:
    body = (tlv(0xA0, part(name)) if name else b"") + (tlv(0xA1, part(after)) if after else b"")
    return client.ask(DIRECTORY, body)


def names(answer: Any) -> list[str]:
    return ["/".join(one["name"]) for one in answer["entries"]]


def opened(client: EngineClient, name: str, position: int = 0) -> Any:
    return client.ask(OPEN, tlv(0xA0, part(name)) + tlv(0x81, position.to_bytes(4, "big")))


@pytest.mark.conformance("FT-1")
def test_a_directory_lists_the_files_below_it_with_size_and_time(folder: Path) -> None:
    answer = listing(client_of(folder))
    assert names(answer) == ["COMTRADE/2026/two.dat", "COMTRADE/one.cfg", "log.txt"]
    assert answer["entries"][2]["attributes"] == {"octets": 5120, "modified": "20260921141320.000Z"}
    assert names(listing(client_of(folder), "COMTRADE")) == ["COMTRADE/2026/two.dat", "COMTRADE/one.cfg"]
    assert names(listing(client_of(folder), "/COMTRADE/one.cfg")) == ["COMTRADE/one.cfg"]
    assert names(listing(client_of(folder), "empty")) == []


@pytest.mark.conformance("FT-1")
def test_a_long_directory_comes_in_pages(folder: Path) -> None:
    for number in range(200):
        (folder / f"event{number:03d}.txt").write_text("x")
    client, found, after = client_of(folder, 512), list[str](), ""
    while True:
        page = listing(client, after=after)
        found += names(page)
        after = found[-1]
        if not page["more_follows"]:
            break
    assert len(found) == len(set(found)) == 203
    assert found == sorted(found)


@pytest.mark.conformance("FT-2")
@pytest.mark.parametrize("max_pdu", [512, 4096, 65_000])
def test_a_file_is_fetched_in_pieces_and_several_at_once(folder: Path, max_pdu: int) -> None:
    client = client_of(folder, max_pdu)
    whole = (folder / "log.txt").read_bytes()
    first, second = opened(client, "log.txt")["number"], opened(client, "log.txt", 5000)["number"]
    assert first != second
    got = b""
    while True:
        piece = client.ask(READ, bytes((first,)))
        got += piece["data"]
        if not piece["more_follows"]:
            break
    assert got == whole
    assert client.ask(READ, bytes((second,)))["data"] == whole[5000 : 5000 + max_pdu]
    assert client.ask(CLOSE, bytes((first,))) is None
    assert client.ask(READ, bytes((first,))) == {"error": {"error": {"file": 0}}}
    client.close()


@pytest.mark.conformance("FT-N1")
@pytest.mark.parametrize(
    "name",
    ["none", "../secret", "COMTRADE/../../secret", "/etc/passwd", "..\\secret", "link", "way-out/secret", "a\0b", "x" * 300,
     "COMTRADE", "", "."],
)  # fmt: skip
def test_what_is_absent_or_outside_is_absent(folder: Path, name: str) -> None:
    client = client_of(folder, writable=True)
    assert opened(client, name) == NON_EXISTENT
    assert client.ask(DELETE, part(name)) == NON_EXISTENT
    assert client.ask(RENAME, tlv(0xA0, part(name)) + tlv(0xA1, part("y"))) == NON_EXISTENT
    assert (folder.parent / "secret").read_text() == CANARY
    if name not in ("", ".", "COMTRADE"):
        assert listing(client, name) == NON_EXISTENT


def test_a_rename_leads_nowhere_outside(folder: Path) -> None:
    client = client_of(folder, writable=True)
    for target in ("../out", "/tmp/../../out", "way-out/out", "a\\b"):
        assert client.ask(RENAME, tlv(0xA0, part("log.txt")) + tlv(0xA1, part(target))) == NON_EXISTENT
    assert (folder / "log.txt").exists()


@pytest.mark.conformance("FT-3")
def test_files_are_deleted_and_renamed_where_that_is_switched_on(folder: Path) -> None:
    readonly = client_of(folder)
    assert readonly.ask(DELETE, part("log.txt")) == {"error": {"error": {"file": 6}}}
    rename = tlv(0xA0, part("log.txt")) + tlv(0xA1, part("new/name.txt"))
    assert readonly.ask(RENAME, rename) == {"error": {"error": {"file": 6}}}
    client = client_of(folder, writable=True)
    assert client.ask(RENAME, tlv(0xA0, part("log.txt")) + tlv(0xA1, part("COMTRADE/one.cfg"))) == {
        "error": {"error": {"file": 8}}
    }
    assert client.ask(RENAME, rename) is None
    assert client.ask(DELETE, part("new") + part("name.txt")) is None
    assert names(listing(client)) == ["COMTRADE/2026/two.dat", "COMTRADE/one.cfg"]


OWN_NAMES = ["audit/audit.jsonl", "/audit/new.txt", "audit//x", "audit", "events/new.txt", "/events/x/y", "events"]


@pytest.mark.parametrize("own", OWN_NAMES)
def test_no_file_is_renamed_into_the_servers_own_folders_or_out_of_them(folder: Path, own: str) -> None:
    elsewhere = folder.parent / "state"
    elsewhere.mkdir()
    (elsewhere / "audit.jsonl").write_text("who did what")
    client = client_of(folder, writable=True, own={"audit": elsewhere})
    denied = {"error": {"error": {"file": 6}}}
    assert client.ask(RENAME, tlv(0xA0, part("log.txt")) + tlv(0xA1, part(own))) == denied
    assert client.ask(RENAME, tlv(0xA0, part("log.txt")) + tlv(0xA1, part(own) + part("x"))) == denied
    out = client.ask(RENAME, tlv(0xA0, part(own)) + tlv(0xA1, part("mine.txt")))
    assert out == (denied if own == "audit/audit.jsonl" else NON_EXISTENT)
    assert [one.name for one in elsewhere.iterdir()] == ["audit.jsonl"]
    assert (elsewhere / "audit.jsonl").read_text() == "who did what"
    assert sorted(one.name for one in folder.iterdir()) == ["COMTRADE", "empty", "link", "log.txt", "way-out"]


@pytest.mark.conformance("FT-N2")
def test_a_number_that_was_never_given_and_a_position_past_the_end(folder: Path) -> None:
    client = client_of(folder)
    assert client.ask(READ, b"\x63") == {"error": {"error": {"file": 0}}}
    assert client.ask(CLOSE, b"\x63") == {"error": {"error": {"file": 0}}}
    assert opened(client, "log.txt", 5121) == {"error": {"error": {"file": 5}}}


@pytest.mark.conformance("FT-N3")
def test_open_files_are_few_and_go_with_their_client_or_by_themselves(folder: Path) -> None:
    client = client_of(folder)
    numbers = [opened(client, "log.txt")["number"] for _ in range(8)]
    assert opened(client, "log.txt") == {"error": {"error": {"resource": 0}}}
    CLOCK.pass_ms(300_001)
    assert "number" in opened(client, "log.txt")
    assert client.ask(READ, bytes((numbers[0],))) == {"error": {"error": {"file": 0}}}
    other = EngineClient(client.engine)
    assert client.ask(READ, bytes((numbers[0] + 8,)))["data"]
    assert other.ask(READ, bytes((numbers[0] + 8,))) == {"error": {"error": {"file": 0}}}
    client.close()


@pytest.mark.conformance("CNF-4")
def test_without_a_folder_there_are_no_file_services() -> None:
    client = client_of(None)
    assert listing(client) == {"reject": {"confirmed_request": 1}}
    assert not client.engine.supported() & {72, 73, 74, 75, 76, 77}


@pytest.mark.conformance("ASS-N7")
@pytest.mark.parametrize("tag", [OPEN, RENAME, DIRECTORY, READ, CLOSE])
@pytest.mark.parametrize("body", [b"\xa0", b"\xa0\x05x", b"\x81\x01\x00", b"\xa0\x02\x04\x00\x81\x01\x00"])
def test_arguments_that_mean_nothing_are_rejected_or_refused(folder: Path, tag: int, body: bytes) -> None:
    answer = client_of(folder).ask(tag, body)
    assert set(answer) <= {"reject", "error"}
