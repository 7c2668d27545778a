"""Files that clients may list and get, in one folder and nowhere else (IEC 61850-7-2, file transfer; ISO 9506-2 annex D).

    audit/...     the server's own, in a folder of its own            read-only
    events/...    made when they are asked for                        read-only
    anything else in the folder that is served                        changed only where that is switched on

A name is a path below the folder, `/` between its parts. A name that leads out of it - `..`, an absolute path, a backslash,
a link - is answered as if it were absent, so that clients learn nothing of the rest of the disk. Files are read in ranges,
one for each request: an open file costs its handle and no more. It ends where it ended when it was opened.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from bus.quality import Stamp
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.clients import Client
from mms_server.mms.errors import ServiceError

OPEN_LIMIT: Final = 8  # of one client
IDLE_NS: Final = 300_000_000_000  # an open file that nobody reads is closed
NAME_OCTETS: Final = 255
LISTED_LIMIT: Final = 100_000
PARTIAL: Final = ".obtaining-"  # how a file is called that is not whole yet; clients never see it
EVENTS: Final = "events"


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


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file that is made when it is asked for: its name, its octets, and when the last of it happened."""

    name: str
    content: bytes
    time_ns: int

    @property
    def entry(self) -> FileEntry:
        """Its directory entry."""
        return FileEntry(self.name, len(self.content), datetime.fromtimestamp(self.time_ns / 1e9, UTC))


@dataclass(slots=True)
class OpenFile:
    """A file that a client has open: the position, and the time of the last read."""

    file: BinaryIO
    octets: int
    position: int
    used_ns: int


@dataclass(slots=True)
class Files(Behaviour):
    """The files of one server. `folder` None: there are none, and the services are not there.

    `own` are folders of the server's own by the name under which they appear; `made` gives what is under `events/`.
    """

    folder: Path | None = None
    may_delete: bool = False
    may_rename: bool = False
    may_obtain: bool = False
    own: Mapping[str, Path] = field(default_factory=dict)
    made: Callable[[], Sequence[GeneratedFile]] | None = None
    _open: dict[Client, dict[int, OpenFile]] = field(default_factory=dict)
    _next: int = 1

    def serve(self, folder: Path, *, delete: bool, rename: bool, obtain: bool) -> None:
        """Offer the files below `folder` from now on, and let clients change them as it says."""
        self.folder, self.may_delete, self.may_rename, self.may_obtain = folder, delete, rename, obtain

    # ------------------------------------------------------------------ names

    def path_of(self, name: str) -> Path | None:
        """The path of the file `name`, which need not exist; None if the name leads out of its folder, or is none."""
        if self.folder is None or len(name.encode("utf-8", "replace")) > NAME_OCTETS:
            return None
        parts = [part for part in name.split("/") if part]
        if any(part in (".", "..") or "\\" in part or "\0" in part or part.startswith(PARTIAL) for part in parts):
            return None
        root = self.folder
        if parts and parts[0] in self.own:
            root = self.own[parts.pop(0)]
        root = root.resolve()
        path = root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError):
            return None
        return path if inside else None

    def is_own(self, name: str) -> bool:
        """True for what is the server's: no client changes it, and the folder's files of that name are hidden by it."""
        first = name.strip("/").partition("/")[0]
        return first in self.own or self._is_made(first)

    def _is_made(self, name: str) -> bool:
        return self.made is not None and name.partition("/")[0] == EVENTS

    def _events(self) -> list[GeneratedFile]:
        return [] if self.made is None else list(self.made())

    def entry(self, path: Path, name: str) -> FileEntry | None:
        """The directory entry of the file at `path`; None if it is no plain file."""
        try:
            known = path.stat()
        except OSError:
            return None
        if not path.is_file():
            return None
        return FileEntry(name, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC))

    def listed(self, name: str) -> list[FileEntry] | ServiceError:
        """The files below the folder `name` (empty: all), or the file of that name, in the order of their names."""
        if self.folder is None:
            return ServiceError.FILE_NON_EXISTENT
        name = name.strip("/")
        if self._is_made(name):
            found = [one.entry for one in self._events() if name in (EVENTS, one.name)]
            return found if found or name == EVENTS else ServiceError.FILE_NON_EXISTENT
        top = self.path_of(name)
        if top is not None and top.is_file():
            own = self.entry(top, name)
            return ServiceError.FILE_NON_EXISTENT if own is None else [own]
        if top is None or not top.is_dir():
            return ServiceError.FILE_NON_EXISTENT
        found = list(self._below(top, name))
        if not name:
            found = [one for one in found if not self.is_own(one.name)]
            found += [one for own, folder in self.own.items() for one in self._below(folder, own)]
            found += [one.entry for one in self._events()]
        return sorted(found, key=lambda one: one.name)

    def _below(self, top: Path, name: str) -> Iterator[FileEntry]:
        """The files below `top`, which clients know as `name`."""
        count = 0
        for folder, folders, names in os.walk(top, followlinks=False):
            folders.sort()
            for own in names:
                path = Path(folder, own)
                relative = f"{name}/{path.relative_to(top).as_posix()}".lstrip("/")
                found = self.entry(path, relative) if self.path_of(relative) is not None else None
                if found is not None:
                    count += 1
                    if count > LISTED_LIMIT:
                        return
                    yield found

    # ------------------------------------------------------------------ reading

    def open(self, client: Client, name: str, position: int, now_ns: int) -> tuple[int, FileEntry] | ServiceError:
        """The number of the open file, and its directory entry."""
        handles = self._open.setdefault(client, {})
        self._close_idle(handles, now_ns)
        if len(handles) >= OPEN_LIMIT:
            return ServiceError.RESOURCE_OTHER
        found = self._source(name)
        if isinstance(found, ServiceError):
            return found
        file, entry = found
        if position > entry.octets:
            file.close()
            return ServiceError.FILE_POSITION_INVALID
        number, self._next = self._next, self._next % 0x7FFFFFFF + 1
        handles[number] = OpenFile(file, entry.octets, position, now_ns)
        return number, entry

    def _source(self, name: str) -> tuple[BinaryIO, FileEntry] | ServiceError:
        """The file of that name, open, and its directory entry."""
        if self._is_made(name):
            made = next((one for one in self._events() if one.name == name), None)
            return ServiceError.FILE_NON_EXISTENT if made is None else (BytesIO(made.content), made.entry)
        path = self.path_of(name)
        entry = None if path is None else self.entry(path, name)
        if path is None or entry is None:
            return ServiceError.FILE_NON_EXISTENT
        try:
            return path.open("rb"), entry
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED

    def read(self, client: Client, number: int, octets: int, now_ns: int) -> tuple[bytes, bool] | ServiceError:
        """The next `octets` of an open file, and whether there are more."""
        handle = self._open.get(client, {}).get(number)
        if handle is None:
            return ServiceError.FILE_OTHER
        handle.used_ns = now_ns
        try:
            handle.file.seek(handle.position)
            data = handle.file.read(min(octets, handle.octets - handle.position))
        except OSError:
            return ServiceError.FILE_OTHER
        handle.position += len(data)
        return data, len(data) == octets and handle.position < handle.octets

    def close(self, client: Client, number: int) -> ServiceError | None:
        """Close an open file; the error, or None."""
        handle = self._open.get(client, {}).pop(number, None)
        if handle is None:
            return ServiceError.FILE_OTHER
        handle.file.close()
        return None

    def closed(self, client: Client, _now: Stamp) -> None:
        """`client` is gone: close its files."""
        for handle in self._open.pop(client, {}).values():
            handle.file.close()

    def _close_idle(self, handles: dict[int, OpenFile], now_ns: int) -> None:
        for number, handle in list(handles.items()):
            if now_ns - handle.used_ns > IDLE_NS:
                handle.file.close()
                del handles[number]

    # ------------------------------------------------------------------ changing

    def delete(self, name: str) -> ServiceError | None:
        """Delete a file; the error, or None."""
        path = self.path_of(name)
        if path is None or not path.is_file():
            return ServiceError.FILE_NON_EXISTENT
        if not self.may_delete or self.is_own(name):
            return ServiceError.FILE_ACCESS_DENIED
        try:
            path.unlink()
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED
        return None

    def rename(self, name: str, new_name: str) -> ServiceError | None:
        """Rename a file within the folder; the error, or None."""
        path, new_path = self.path_of(name), self.path_of(new_name)
        if path is None or not path.is_file() or new_path is None:
            return ServiceError.FILE_NON_EXISTENT
        if not self.may_rename or self.is_own(name) or self.is_own(new_name):
            return ServiceError.FILE_ACCESS_DENIED
        if new_path.exists():
            return ServiceError.FILE_DUPLICATE
        try:
            new_path.parent.mkdir(parents=True, exist_ok=True)
            path.rename(new_path)
        except OSError:
            return ServiceError.FILE_ACCESS_DENIED
        return None

    def vacant(self, name: str) -> Path | ServiceError:
        """The path for a new file `name`, or the error. An existing file is replaced where deleting is allowed."""
        path = self.path_of(name)
        if path is None or not name or path.is_dir():
            return ServiceError.FILE_NON_EXISTENT
        if not self.may_obtain or self.is_own(name):
            return ServiceError.FILE_ACCESS_DENIED
        return ServiceError.FILE_DUPLICATE if path.exists() and not self.may_delete else path


def name_of(parts: Sequence[bytes]) -> str:
    """The path that the strings of an MMS FileName mean, in one part or in several."""
    return "/".join(part.decode("utf-8", "replace") for part in parts).strip("/")
