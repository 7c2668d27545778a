"""Files that clients may list and fetch, in one folder and nowhere else (IEC 61850-7-2, file transfer; ISO 9506-2 annex D).

A name is a path below the folder, `/` between its parts. Whatever leads out of it - `..`, an absolute path, a backslash, a
link - is answered as if it were absent, so that nothing is told of what is outside. Files are read in ranges, when they
are asked for: an open file costs its handle and no more.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from mms_server.acsi.clients import Client
from mms_server.mms.errors import ServiceError

OPEN_LIMIT: Final = 8  # of one client
IDLE_NS: Final = 300_000_000_000  # an open file that nobody reads is closed
NAME_OCTETS: Final = 255
LISTED_LIMIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file as a client sees it: its name below the folder, octets, and when it was changed last."""

    name: str
    octets: int
    modified: datetime

    @property
    def generalized(self) -> bytes:
        """`modified` as GeneralizedTime."""
        return self.modified.strftime("%Y%m%d%H%M%S.%f")[:-3].encode("ascii") + b"Z"


@dataclass(slots=True)
class OpenFile:
    """A file that a client reads: how far, and when it did last."""

    file: BinaryIO
    octets: int
    position: int
    used_ns: int


@dataclass(slots=True)
class Files:
    """The files of one server. `folder` None: there are none, and the services are not there."""

    folder: Path | None = None
    may_delete: bool = False
    may_rename: bool = False
    _open: dict[Client, dict[int, OpenFile]] = field(default_factory=dict)
    _next: int = 1

    # ------------------------------------------------------------------ names

    def path_of(self, name: str) -> Path | None:
        """Where the file `name` is, or would be; None if the name leads out of the folder, or is none."""
        if self.folder is None or len(name.encode("utf-8", "replace")) > NAME_OCTETS:
            return None
        parts = [part for part in name.split("/") if part]
        if any(part in (".", "..") or "\\" in part or "\0" in part for part in parts):
            return None
        root = self.folder.resolve()
        path = root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError):
            return None
        return path if inside else None

    def entry(self, path: Path, name: str) -> FileEntry | None:
        """What is told of the file at `path`; None if it is no plain file."""
        try:
            known = path.stat()
        except OSError:
            return None
        if not path.is_file():
            return None
        return FileEntry(name, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC))

    def listed(self, name: str) -> list[FileEntry] | ServiceError:
        """The files below the folder `name` (empty: all), or the file of that name, in the order of their names."""
        top = self.path_of(name)
        if top is None or self.folder is None:
            return ServiceError.FILE_NON_EXISTENT
        root = self.folder.resolve()
        if top.is_file():
            own = self.entry(top, str(top.relative_to(root)))
            return ServiceError.FILE_NON_EXISTENT if own is None else [own]
        if not top.is_dir():
            return ServiceError.FILE_NON_EXISTENT
        return sorted(self._below(top, root), key=lambda one: one.name)

    def _below(self, top: Path, root: Path) -> Iterator[FileEntry]:
        count = 0
        for folder, folders, names in os.walk(top, followlinks=False):
            folders.sort()
            for name in names:
                path = Path(folder, name)
                relative = path.relative_to(root).as_posix()
                found = self.entry(path, relative) if self.path_of(relative) is not None else None
                if found is not None:
                    count += 1
                    if count > LISTED_LIMIT:
                        return
                    yield found

    # ------------------------------------------------------------------ reading

    def open(self, client: Client, name: str, position: int, now_ns: int) -> tuple[int, FileEntry] | ServiceError:
        """The number of the open file, and what is told of it."""
        handles = self._open.setdefault(client, {})
        self._close_idle(handles, now_ns)
        if len(handles) >= OPEN_LIMIT:
            return ServiceError.RESOURCE_OTHER
        path = self.path_of(name)
        entry = None if path is None else self.entry(path, name)
        if path is None or entry is None:
            return ServiceError.FILE_NON_EXISTENT
        if position > entry.octets:
            return ServiceError.FILE_POSITION_INVALID
        try:
            file = path.open("rb")
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED
        number, self._next = self._next, self._next % 0x7FFFFFFF + 1
        handles[number] = OpenFile(file, entry.octets, position, now_ns)
        return number, entry

    def read(self, client: Client, number: int, octets: int, now_ns: int) -> tuple[bytes, bool] | ServiceError:
        """The next `octets` of an open file, and whether there are more."""
        handle = self._open.get(client, {}).get(number)
        if handle is None:
            return ServiceError.FILE_OTHER
        handle.used_ns = now_ns
        try:
            handle.file.seek(handle.position)
            data = handle.file.read(octets)
        except OSError:
            return ServiceError.FILE_OTHER
        handle.position += len(data)
        return data, len(data) == octets and handle.position < handle.octets

    def close(self, client: Client, number: int) -> ServiceError | None:
        """Close an open file; why not, or None."""
        handle = self._open.get(client, {}).pop(number, None)
        if handle is None:
            return ServiceError.FILE_OTHER
        handle.file.close()
        return None

    def closed(self, client: Client) -> None:
        """`client` is gone: so are its open files."""
        for handle in self._open.pop(client, {}).values():
            handle.file.close()

    def _close_idle(self, handles: dict[int, OpenFile], now_ns: int) -> None:
        for number, handle in list(handles.items()):
            if now_ns - handle.used_ns > IDLE_NS:
                handle.file.close()
                del handles[number]

    # ------------------------------------------------------------------ changing

    def delete(self, name: str) -> ServiceError | None:
        """Delete a file; why not, or None."""
        path = self.path_of(name)
        if path is None or not path.is_file():
            return ServiceError.FILE_NON_EXISTENT
        if not self.may_delete:
            return ServiceError.FILE_ACCESS_DENIED
        try:
            path.unlink()
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED
        return None

    def rename(self, name: str, new_name: str) -> ServiceError | None:
        """Rename a file within the folder; why not, or None."""
        path, new_path = self.path_of(name), self.path_of(new_name)
        if path is None or not path.is_file() or new_path is None:
            return ServiceError.FILE_NON_EXISTENT
        if not self.may_rename:
            return ServiceError.FILE_ACCESS_DENIED
        if new_path.exists():
            return ServiceError.FILE_DUPLICATE
        try:
            new_path.parent.mkdir(parents=True, exist_ok=True)
            path.rename(new_path)
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED
        return None


def name_of(parts: Sequence[bytes]) -> str:
    """The path that the strings of an MMS FileName mean, however the client has cut it."""
    return "/".join(part.decode("utf-8", "replace") for part in parts).strip("/")
