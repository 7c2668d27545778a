"""The store on a database that does not take what is written: what a later start knows of it."""

import sqlite3
from pathlib import Path

import pytest

from mms_server.acsi.persistence import File, Put
from mms_server.storage.store import Store


class Kept:
    """A store, and another connection to its database that can take a table away, as a full disk takes room."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, "IED")
        self.found = self.store.load()
        self.path = self.store.path
        self.entries = [one.entry_id for one in self.found.entries.get("block", [])]

    def run(self, *numbers: int) -> None:
        """Write these entries and a value, each by itself, and close."""
        self.store.start(lambda _ticket: None)
        for number in numbers:
            self.store.write([File("block", number, number, b"x"), Put("kind", str(number), b"v")], number)
        self.store.close()

    def hide(self, *, back: bool = False) -> None:
        names = ("away", "entries") if back else ("entries", "away")
        with sqlite3.connect(self.path) as database:
            database.execute(f"ALTER TABLE {names[0]} RENAME TO {names[1]}")


def test_a_store_that_lost_something_says_so_to_the_next_start_and_to_that_one_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Kept(tmp_path).run(1)
    failing = Kept(tmp_path)
    assert (failing.found.clean, failing.entries) == (True, [1])
    failing.hide()
    failing.run(2, 3)
    failing.hide(back=True)
    assert len([one for one in caplog.messages if "cannot be written" in one]) == 1
    after = Kept(tmp_path)
    assert (after.found.clean, after.entries, set(after.found.values["kind"])) == (False, [1], {"1"})
    after.run(4)
    last = Kept(tmp_path)
    assert (last.found.clean, last.entries) == (True, [1, 4])
    last.store.close()


def test_what_can_be_written_again_is_and_the_gap_before_it_is_not_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, tickets = Kept(tmp_path), list[int]()
    kept.hide()
    kept.store.start(tickets.append)
    kept.store.write([File("block", 1, 1, b"x")], 1)
    while tickets != [1]:  # service goes on without
        pass
    kept.hide(back=True)
    kept.store.write([File("block", 2, 2, b"x")], 2)
    kept.store.close()
    assert tickets == [1, 2]
    assert [one for one in caplog.messages if one.endswith("can be written again")] == [
        f"{kept.path} can be written again"
    ]
    after = Kept(tmp_path)
    assert (after.found.clean, after.entries) == (False, [2])
    after.store.close()
