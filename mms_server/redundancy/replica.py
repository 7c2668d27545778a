"""The standby's copy of one IED's store: what the active gateway has written, in the same order. Part of the shell.

    Begin ──► NAME.copy, empty ──Rows──► ... ──Rows, last──► NAME.sqlite, and on from there

Until a copy is complete the one before it stays. Transactions do not wait for the disk: two PCs do not fail at once, and
rows that a power cut of this one loses come again with the next stream.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from bus import state_schema
from mms_server.acsi.persistence import Put
from mms_server.redundancy.messages import Ack, Begin, Rows
from mms_server.redundancy.replication import operation_of
from mms_server.storage.tables import STATE, carry_out, file_of, opened

NEXT_ID: Final = "next_id"


class Replica:
    """The copy of one IED's store in `folder`. Raises OSError where the disk does not take it."""

    def __init__(self, folder: Path, ied: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.complete = False  # it has all that the active one had when it last spoke
        self._path = file_of(folder, ied)
        self._copy = self._path.with_suffix(".copy")
        self._ied = ied
        self._database: sqlite3.Connection | None = None
        self._stream = 0
        self._number = 0
        self._schema = state_schema.FIRST

    def begin(self, message: Begin) -> Ack:
        """Start a new copy beside the present one. Raises NewerStateError for a stream of a newer program: no copy starts."""
        self.close()
        if message.schema > state_schema.SCHEMA:
            where = f"the store of {self._ied} that the other gateway sends"
            raise state_schema.NewerStateError(where, message.schema, hint="both gateways need the same version")
        self._schema = message.schema
        _remove(self._copy)
        self._database = self._opened(self._copy)
        self._stream, self._number = message.stream, 0
        return Ack(self._ied, self._stream, 0)

    def take(self, message: Rows) -> Ack | None:
        """Carry out the operations of `message`; None for one that does not fit: the stream has to begin anew."""
        if self._database is None or message.stream != self._stream or message.number > self._number + 1:
            self.close()
            return None
        if message.number == self._number + 1:
            self._carry_out(self._database, message)
            self._number = message.number
            if message.last:
                self._put_in_place(self._database)
        return Ack(self._ied, self._stream, self._number)

    def _carry_out(self, database: sqlite3.Connection, message: Rows) -> None:
        try:
            database.execute("BEGIN")
            for one in message.operations:
                carry_out(database, operation_of(one))
            database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self.close()
            raise OSError(f"{self._path}: {error}") from error

    def _put_in_place(self, database: sqlite3.Connection) -> None:
        database.close()
        _remove(self._path)
        self._copy.replace(self._path)
        self._database = self._opened(self._path)
        self.complete = True

    def _opened(self, path: Path) -> sqlite3.Connection:
        try:
            return opened(path, synchronous="NORMAL", schema=self._schema)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{path}: {error}") from error

    def close(self) -> None:
        """Stop following: a complete copy stays, an incomplete one is removed."""
        if self._database is not None:
            self._database.close()
            self._database = None
            _remove(self._copy)
        self.complete = False


def begin_above(folder: Path, ied: str, utc_ns: int) -> None:
    """Raise the next EntryID of `ied` above all that the other gateway can have given.

    They begin with the milliseconds of UTC, and 2^20 of them fit each. Raises OSError.
    """
    path = file_of(folder, ied)
    if not path.exists():
        return  # the first one will be of its time
    above = (utc_ns // 1_000_000) << 20
    try:
        with contextlib.closing(opened(path)) as database:
            row = database.execute("SELECT value FROM kept WHERE kind = ? AND key = ?", (STATE, NEXT_ID)).fetchone()
            known = 0 if row is None else int.from_bytes(row[0], "big")
            carry_out(database, Put(STATE, NEXT_ID, max(known, above).to_bytes(8, "big")))
    except sqlite3.DatabaseError as error:
        raise OSError(f"{path}: {error}") from error


def _remove(path: Path) -> None:
    """Remove a database with what SQLite has beside it."""
    for rest in ("", "-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
