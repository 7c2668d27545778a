"""The store: what must survive a power cut, in SQLite (WAL, synchronous FULL), written by a thread of its own. Shell.

Operations come in order and go in order; whatever has gathered while the last transaction was being flushed makes the
next one. `load` reads everything once, before anything is served.
"""

import contextlib
import logging
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from mms_server.acsi import created_datasets, logs, reporting, settings, writing
from mms_server.acsi.journal import Drop, File, Operation, Put, Stored

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
  block TEXT, entry_id INTEGER, time_ns INTEGER, content BLOB, PRIMARY KEY (block, entry_id)
) WITHOUT ROWID;
"""
STATE: Final = "state"
CLEAN: Final = b"clean"

RESETTABLE: Final = {
    "values": (writing.KIND, settings.KIND, settings.ACTIVE),
    "data-sets": (created_datasets.KIND,),
    "reports": (reporting.KIND, reporting.SIGNATURE),
    "logs": (logs.KIND,),
}

ENTRIES: Final = {"reports": f"NOT LIKE '{logs.PREFIX}%'", "logs": f"LIKE '{logs.PREFIX}%'"}

log = logging.getLogger("mms.store")

Job = tuple[list[Operation], int]


class Store:
    """The store of one IED, `NAME.sqlite` in the state folder. A damaged one is put aside, with a warning."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open it, or make it. Raises OSError if the folder cannot hold it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)}.sqlite"
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._gap = False  # something was not written
        self._closed = False
        try:
            self._database = self._opened()
        except sqlite3.DatabaseError as error:
            if not self.path.exists():
                raise OSError(f"{self.path}: {error}") from error
            aside = self.path.with_suffix(".damaged")
            self.path.replace(aside)
            for rest in ("-wal", "-shm"):
                self.path.with_name(self.path.name + rest).unlink(missing_ok=True)
            log.warning("%s is damaged (%s): kept as %s, a new one begins", self.path, error, aside.name)
            self._database = self._fresh()

    def _fresh(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.executescript(SCHEMA)
            (verdict,) = database.execute("PRAGMA quick_check").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    # ------------------------------------------------------------------ before serving

    def load(self) -> Stored:
        """Everything that is kept. From now on, until `close`, the store counts as left in disorder."""
        found = Stored({}, {})
        for kind, key, value in self._database.execute("SELECT kind, key, value FROM kept"):
            found.values.setdefault(kind, {})[key] = value
        rows = self._database.execute("SELECT block, entry_id, time_ns, content FROM entries ORDER BY block, entry_id")
        last = 0
        for block, entry_id, time_ns, content in rows:
            found.entries.setdefault(block, []).append(File(block, entry_id, time_ns, content))
            last = max(last, entry_id)
        state = found.values.pop(STATE, {})
        found.next_id = max(int.from_bytes(state.get("next_id", b""), "big"), last + 1 if last else 0)
        found.clean = state.get("ended") == CLEAN or not state
        self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, 'ended', ?)", (STATE, b"running"))
        return found

    def forget(self, what: str) -> int:
        """Remove what is kept as `what`, one of RESETTABLE, while nothing is served; how many rows that were.

        Raises OSError if the disk does not take it.
        """
        try:
            gone = sum(
                self._database.execute("DELETE FROM kept WHERE kind = ?", (kind,)).rowcount for kind in RESETTABLE[what]
            )
            if what in ENTRIES:
                gone += self._database.execute(f"DELETE FROM entries WHERE block {ENTRIES[what]}").rowcount  # noqa: S608
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: {error}") from error
        return gone

    # ------------------------------------------------------------------ while serving

    def start(self, stored: Callable[[int], None]) -> None:
        """Begin to write; `stored(ticket)` is called on the store's own thread. After `close`, it opens again."""
        if self._closed:
            self._database, self._closed = self._fresh(), False
            self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, 'ended', ?)", (STATE, b"running"))
        self._thread = threading.Thread(target=self._run, args=(stored,), name=f"store-{self.path.stem}", daemon=True)
        self._thread.start()

    def write(self, operations: list[Operation], ticket: int) -> None:
        """Carry out `operations`, in order; `stored` tells when."""
        self._jobs.put((operations, ticket))

    def close(self) -> None:
        """Write what waits, say that all is in order, and close."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        with contextlib.suppress(sqlite3.DatabaseError):  # a full disk: the next start will know that it was
            if not self._gap:
                self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, 'ended', ?)", (STATE, CLEAN))
        self._database.close()
        self._closed = True

    def _run(self, stored: Callable[[int], None]) -> None:
        ended = False
        while not ended:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            ended = None in jobs
            found = [job for job in jobs if job is not None]
            if found:
                self._transaction(operation for operations, _ in found for operation in operations)
                stored(found[-1][1])

    def _transaction(self, operations: Iterable[Operation]) -> None:
        """One flush for all of `operations`. If the disk does not take them, service goes on without."""
        database = self._database
        try:
            database.execute("BEGIN")
            for operation in operations:
                self._carry_out(operation)
            database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            if not self._failing:
                log.error("%s cannot be written (%s): reports go on, and would not survive a restart", self.path, error)
            self._failing = self._gap = True
            return
        if self._failing:
            log.warning("%s can be written again", self.path)
            self._failing = False

    def _carry_out(self, operation: Operation) -> None:
        execute = self._database.execute
        match operation:
            case Put(kind, key, None):
                execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))
            case Put(kind, key, value):
                execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (kind, key, value))
            case File(block, entry_id, time_ns, content):
                execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (block, entry_id, time_ns, content))
            case Drop(block, entry_id):
                execute("DELETE FROM entries WHERE block = ? AND entry_id <= ?", (block, entry_id))
