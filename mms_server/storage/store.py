"""The store: values and entries that must survive a power cut, in SQLite (WAL, synchronous FULL), on its own thread. Shell.

Operations come in order and go in order; those that gather while a transaction is flushed make the next one. `load` reads
everything once, before anything is served. A `mirror` gets each transaction, and decides when its operations count as
stored.
"""

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mms_server.acsi import data_sets, set_data_values, setting_groups
from mms_server.acsi.log_control import logs
from mms_server.acsi.persistence import File, Operation, Place, StoredState
from mms_server.acsi.reporting import entry_creation
from mms_server.storage.tables import STATE, carry_out, file_of, opened, piece

CLEAN: Final = b"clean"

RESETTABLE: Final = {
    "values": (set_data_values.KIND, setting_groups.KIND, setting_groups.ACTIVE),
    "data-sets": (data_sets.KIND,),
    "reports": (entry_creation.KIND, entry_creation.SIGNATURE),
    "logs": (logs.KIND,),
}

ENTRIES: Final = {"reports": f"NOT LIKE '{logs.PREFIX}%'", "logs": f"LIKE '{logs.PREFIX}%'"}

log = logging.getLogger("mms.store")

Job = tuple[list[Operation], int]
StoredUpTo = Callable[[int], None]


class Mirror(Protocol):
    """Receiver of a copy of the store. All is called on the store's own thread."""

    def committed(self, operations: list[Operation], ticket: int, stored: StoredUpTo) -> None:
        """A transaction is done; `stored(ticket)` is to be called once it counts."""

    def copied(self, stream: int, operations: list[Operation], place: Place | None) -> None:
        """A piece that `copy` asked for; `place` is where the next one begins, None if there is none."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A piece that is asked for."""

    stream: int
    place: Place | None


class Store:
    """The store of one IED, `NAME.sqlite` in the state folder. A damaged one is put aside, with a warning."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open it, or make it. Raises OSError if the folder cannot hold it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = file_of(folder, name)
        self._mirror: Mirror | None = None
        self._jobs: queue.SimpleQueue[Job | _Copy | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._gap = False  # something was not written
        self._closed = False
        try:
            self._database = opened(self.path)
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
            return opened(self.path)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: {error}") from error

    # ------------------------------------------------------------------ before serving

    def load(self) -> StoredState:
        """Everything that is kept. From now on, until `close`, the store counts as left in disorder."""
        found = StoredState({}, {})
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
        """Remove the rows that are kept as `what`, one of RESETTABLE, while nothing is served; their number.

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

    def start(self, stored: StoredUpTo, mirror: Mirror | None = None) -> None:
        """Begin to write; `stored(ticket)` is called on the store's own thread. After `close`, it opens again.

        A `mirror` is told of each transaction, and says when it counts as stored.
        """
        self._mirror = mirror
        if self._closed:
            self._database, self._closed = self._fresh(), False
            self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, 'ended', ?)", (STATE, b"running"))
        self._thread = threading.Thread(target=self._run, args=(stored,), name=f"store-{self.path.stem}", daemon=True)
        self._thread.start()

    def write(self, operations: list[Operation], ticket: int) -> None:
        """Carry out `operations`, in order; `stored` tells when."""
        self._jobs.put((operations, ticket))

    def copy(self, stream: int, place: Place | None) -> None:
        """Give the mirror the next piece of the store, from `place` on, behind the operations that wait to be written."""
        self._jobs.put(_Copy(stream, place))

    def close(self) -> None:
        """Write the operations that wait, mark the store as ended in order, and close it."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        with contextlib.suppress(sqlite3.DatabaseError):  # a full disk: the next start will know that it was
            if not self._gap:
                self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, 'ended', ?)", (STATE, CLEAN))
        self._database.close()
        self._closed = True

    def _run(self, stored: StoredUpTo) -> None:
        ended = False
        while not ended:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            ended = None in jobs
            found = [job for job in jobs if isinstance(job, tuple)]
            if found:
                operations = [operation for part, _ in found for operation in part]
                self._transaction(operations)
                if self._mirror is None:
                    stored(found[-1][1])
                else:
                    self._mirror.committed(operations, found[-1][1], stored)
            for job in jobs:
                if isinstance(job, _Copy) and self._mirror is not None:
                    self._give(job, self._mirror)

    def _give(self, asked: _Copy, mirror: Mirror) -> None:
        try:
            mirror.copied(asked.stream, *piece(self._database, asked.place))
        except sqlite3.DatabaseError as error:
            log.error("%s cannot be read for the standby: %s", self.path, error)

    def _transaction(self, operations: list[Operation]) -> None:
        """One flush for all of `operations`. If the disk does not take them, service goes on without."""
        database = self._database
        try:
            database.execute("BEGIN")
            for operation in operations:
                carry_out(database, operation)
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
