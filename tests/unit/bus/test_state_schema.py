"""Schema numbers: found in a folder, in a store and in its WAL, without touching them."""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from bus.state_schema import FILE, FIRST, SCHEMA, NewerStateError, check, check_store, note, number_of
from bus.version import version
from tests.support.state import kept, number_folder, number_store, snapshot

NEWER = SCHEMA + 1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return kept("run", tmp_path) / "CAB.sqlite"


@pytest.mark.parametrize("name", ["run", "serve", "killed"])
def test_a_folder_of_the_first_version_has_the_first_number(tmp_path: Path, name: str) -> None:
    folder = kept(name, tmp_path)
    before = snapshot(folder)
    check(folder)
    assert number_of(folder / "CAB.sqlite") == FIRST
    assert snapshot(folder) == before


def test_what_is_not_there_or_is_no_database_has_the_first_number(tmp_path: Path) -> None:
    check(tmp_path / "nowhere")
    check_store(tmp_path / "nowhere" / "CAB.sqlite")
    for octets in (b"", b"SQLite format 3\x00", b"no database at all, but long enough for one" * 4):
        (tmp_path / "CAB.sqlite").write_bytes(octets)
        (tmp_path / "CAB.sqlite-wal").write_bytes(octets)
        assert number_of(tmp_path / "CAB.sqlite") == FIRST


def test_a_newer_store_is_refused_untouched(store: Path) -> None:
    number_store(store, NEWER)
    before = snapshot(store.parent)
    for look, path in ((check, store.parent), (check_store, store)):
        with pytest.raises(NewerStateError) as refused:
            look(path)
        assert refused.value.message == (
            f"{store} has schema number {NEWER}: this is mms-gateway {version()}, which knows up to {SCHEMA}"
        )
    assert snapshot(store.parent) == before


def test_a_newer_folder_is_refused_with_the_version_that_wrote_it(store: Path) -> None:
    number_folder(store.parent, NEWER, "9.8.7")
    with pytest.raises(NewerStateError, match=rf"schema number {NEWER}, written by mms-gateway 9\.8\.7: this is"):
        check_store(store)


def left_behind(store: Path, folder: Path, *statements: str) -> Path:
    """A copy of `store` and of its WAL as a kill leaves them, after `statements`."""
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as database:
        database.execute("PRAGMA wal_autocheckpoint=0")
        for statement in statements:
            database.execute(statement)
        folder.mkdir()
        for path in (store, store.with_name(store.name + "-wal")):
            shutil.copy(path, folder)
    return folder / store.name


def test_a_number_that_is_only_in_the_wal_counts(store: Path, tmp_path: Path) -> None:
    killed = left_behind(store, tmp_path / "killed", f"PRAGMA user_version={NEWER}")
    assert killed.read_bytes()[60:64] == bytes(4)
    assert number_of(killed) == NEWER
    with pytest.raises(NewerStateError):
        check(killed.parent)


@pytest.mark.parametrize("at", [4, 8], ids=["not committed", "of an earlier WAL"])
def test_a_number_in_a_frame_that_does_not_count_does_not_count(store: Path, tmp_path: Path, at: int) -> None:
    killed = left_behind(store, tmp_path / "killed", f"PRAGMA user_version={NEWER}")
    path = killed.with_name("CAB.sqlite-wal")
    wal = bytearray(path.read_bytes())
    assert len(wal) == 32 + 24 + 4096  # one frame, with the first page
    wal[32 + at : 32 + at + 4] = bytes(4)
    path.write_bytes(wal)
    assert number_of(killed) == FIRST


def test_the_folder_is_given_its_number_once(tmp_path: Path) -> None:
    note(tmp_path)
    assert json.loads((tmp_path / FILE).read_text()) == {"schema": SCHEMA, "version": version()}
    before = snapshot(tmp_path)
    note(tmp_path)
    assert snapshot(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_newer_number_is_never_replaced_and_a_damaged_one_is(tmp_path: Path) -> None:
    number_folder(tmp_path, NEWER)
    before = snapshot(tmp_path)
    note(tmp_path)
    assert snapshot(tmp_path) == before
    for damaged in ("", "{", "[]", '{"schema": "new"}', '{"schema": true}'):
        (tmp_path / FILE).write_text(damaged)
        check(tmp_path)
        note(tmp_path)
        assert json.loads((tmp_path / FILE).read_text())["schema"] == SCHEMA


def test_a_folder_that_takes_nothing_stays_without_number(tmp_path: Path) -> None:
    note(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
