"""Schema number of the state folder: looked for before anything in the folder is opened, written once it is open. Shell.

    state.json     {"schema": 1, "version": "0.1.0"}    the folder as a whole: JSON files and audit log have no number
    NAME.sqlite    PRAGMA user_version                  one store, wherever it is copied to

A folder without a number is one of version 0.1.0 and counts as number 1 (D60). There is no minor number: data that older
versions can read does not raise it (D103). A number above SCHEMA is a newer program's: the folder is refused, and nothing
in it has been written, renamed or made, since the number is found by reading octets (D102).
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

from bus.version import version as our_version

SCHEMA: Final = 1
FIRST: Final = 1  # of a folder or a store without a number
FILE: Final = "state.json"
STORES: Final = "*.sqlite"

GO_BACK: Final = (
    "start the newer version again, put back a copy of the folder from before the update, "
    "or name another one with `--state-dir DIR`"
)

_MAGIC: Final = b"SQLite format 3\x00"
_USER_VERSION: Final = slice(60, 64)  # of the first page, which begins with the file's header
_HEADER_OCTETS: Final = 100
_WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_WAL_HEADER_OCTETS: Final = 32
_FRAME_HEADER_OCTETS: Final = 24
_FIRST_PAGE: Final = (1).to_bytes(4, "big")
_NO_COMMIT: Final = bytes(4)


class NewerStateError(OSError):
    """State of a newer program. `message` says where and which number, `hint` what helps."""

    def __init__(self, where: str, number: int, version: str | None = None, hint: str = GO_BACK) -> None:
        by = f", written by mms-gateway {version}" if version else ""
        self.message = (
            f"{where} has schema number {number}{by}: this is mms-gateway {our_version()}, which knows up to {SCHEMA}"
        )
        self.hint = hint
        super().__init__(f"{self.message} ({self.hint})")


def check(folder: Path) -> None:
    """Look at the folder's number and at that of each store in it, without touching them.

    Not within an OS process that has one of the stores open: closing a file drops its locks on it (fcntl). Raises
    NewerStateError, and OSError for what cannot be read.
    """
    _check_folder(folder)
    for path in sorted(folder.glob(STORES)):
        _check_file(path)


def check_store(path: Path) -> None:
    """Look at the number of the store at `path`, and at that of the folder around it. As `check`."""
    _check_folder(path.parent)
    _check_file(path)


def note(folder: Path) -> None:
    """Give the folder this program's number. A disk that takes nothing leaves it without: the stores have theirs."""
    fresh = folder / f"{FILE}.{os.getpid()}.new"
    with contextlib.suppress(OSError):
        number, _ = _recorded(folder)
        if number is not None and number >= SCHEMA:
            return
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(json.dumps({"schema": SCHEMA, "version": our_version()}) + "\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(folder / FILE)
        finally:
            fresh.unlink(missing_ok=True)


def number_of(path: Path) -> int:
    """The number of the store at `path`, with that of its WAL; FIRST for one without, and for what is no database.

    It is read from the octets: SQLite itself would make files beside a store that was not closed.
    """
    header = _beginning(path, 0, _HEADER_OCTETS)
    number = int.from_bytes(header[_USER_VERSION], "big") if header.startswith(_MAGIC) else FIRST
    return max(FIRST, number, _of_wal(path.with_name(path.name + "-wal")))


# ---------------------------------------------------------------------- the folder


def _check_folder(folder: Path) -> None:
    number, version = _recorded(folder)
    if number is not None and number > SCHEMA:
        raise NewerStateError(str(folder / FILE), number, version)


def _recorded(folder: Path) -> tuple[int | None, str | None]:
    """The number in state.json and the version that wrote it; None where there is none, or it cannot be understood."""
    try:
        found: Any = json.loads((folder / FILE).read_bytes())
    except (FileNotFoundError, ValueError):  # damaged: the stores have their numbers
        return None, None
    if not isinstance(found, dict) or type(found.get("schema")) is not int:
        return None, None
    version = found.get("version")
    return found["schema"], version if isinstance(version, str) else None


# ---------------------------------------------------------------------- one store


def _check_file(path: Path) -> None:
    number = number_of(path)
    if number > SCHEMA:
        raise NewerStateError(str(path), number)


def _beginning(path: Path, start: int, octets: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(octets)
    except FileNotFoundError:
        return b""


def _of_wal(path: Path) -> int:
    """The number in the newest first page that a transaction in the WAL has committed; FIRST if none has one.

    https://www.sqlite.org/fileformat2.html#the_write_ahead_log: frames that belong to this WAL carry its salts, and the last
    one of a transaction says how large the database is after it.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_WAL_HEADER_OCTETS)
            if len(header) < _WAL_HEADER_OCTETS or header[:4] not in _WAL_MAGIC:
                return FIRST
            step, salts = _FRAME_HEADER_OCTETS + int.from_bytes(header[8:12], "big"), header[16:24]
            committed = written = FIRST
            while True:
                frame = file.read(step)
                if len(frame) < step or frame[8:16] != salts:
                    return committed
                if frame[:4] == _FIRST_PAGE:
                    written = int.from_bytes(frame[_FRAME_HEADER_OCTETS:][_USER_VERSION], "big")
                if frame[4:8] != _NO_COMMIT:
                    committed = written
    except FileNotFoundError:
        return FIRST
