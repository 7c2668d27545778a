"""The two tables of a store and the operations on them, the same on the gateway that serves and on its standby. Shell."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bus import state_schema
from mms_server.acsi.persistence import Drop, File, Operation, Place, Put, weight

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
  block TEXT, entry_id INTEGER, time_ns INTEGER, content BLOB, PRIMARY KEY (block, entry_id)
) WITHOUT ROWID;
"""
STATE: Final = "state"
PIECE_OCTETS: Final = 1024 * 1024


def opened(path: Path, synchronous: str = "FULL", schema: int = state_schema.SCHEMA) -> sqlite3.Connection:
    """The database at `path`, made if it is not there; from now on its schema number is `schema`.

    Raises sqlite3.DatabaseError for a damaged one, and NewerStateError, with nothing touched, for one of a newer program.
    """
    state_schema.check_store(path)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA synchronous={synchronous}")
        database.executescript(SCHEMA)
        (verdict,) = database.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except sqlite3.DatabaseError:
        database.close()
        raise
    _give_number(database, schema)
    state_schema.note(path.parent)
    return database


def _give_number(database: sqlite3.Connection, schema: int) -> None:
    """Write the number, unless it stands there. A raised SCHEMA needs its conversion here, in one transaction with it."""
    (number,) = database.execute("PRAGMA user_version").fetchone()
    if number < schema:
        with contextlib.suppress(sqlite3.OperationalError):  # a full disk: without one it counts as the first
            database.execute(f"PRAGMA user_version={schema}")


def file_of(folder: Path, name: str) -> Path:
    """The path of the store of the IED `name`."""
    return folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)}.sqlite"


def carry_out(database: sqlite3.Connection, operation: Operation) -> None:
    """Do `operation`, within a transaction of the caller. Done twice it changes nothing more."""
    execute = database.execute
    match operation:
        case Put(kind, key, None):
            execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))
        case Put(kind, key, value):
            execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (kind, key, value))
        case File(block, entry_id, time_ns, content):
            execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (block, entry_id, time_ns, content))
        case Drop(block, entry_id):
            execute("DELETE FROM entries WHERE block = ? AND entry_id <= ?", (block, entry_id))


def piece(database: sqlite3.Connection, place: Place | None) -> tuple[list[Operation], Place | None]:
    """The rows behind `place` as operations, about a mebibyte of them, and where the next piece begins.

    All rows in the order of table and key; None is their beginning, and as the second part says that it is the end.
    """
    found: list[Operation] = []
    octets = 0
    for operation, at in _rows_behind(database, place):
        found.append(operation)
        octets += weight(operation)
        if octets >= PIECE_OCTETS:
            return found, at
    return found, None


def _rows_behind(database: sqlite3.Connection, place: Place | None) -> Iterator[tuple[Operation, Place]]:
    table, *key = place or ("kept", "", "")
    if table == "kept":
        for kind, name, value in database.execute(
            "SELECT kind, key, value FROM kept WHERE (kind, key) > (?, ?) ORDER BY kind, key", key
        ):
            yield Put(kind, name, value), ("kept", kind, name)
        key = ["", 0]
    for row in database.execute(
        "SELECT block, entry_id, time_ns, content FROM entries WHERE (block, entry_id) > (?, ?) ORDER BY block, entry_id",
        key,
    ):
        yield File(*row), ("entries", row[0], row[1])
