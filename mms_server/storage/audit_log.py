"""The audit log's file: appended to line by line, turned over when it is full. Shell.

    audit.jsonl  ─► audit.1.jsonl ─► ... ─► audit.7.jsonl ─► gone        1 MiB each

If the disk is full, the service goes on: lines that could not be written are missing, and one line of the log says so.
"""

import logging
import re
import time
from pathlib import Path
from typing import Final

from mms_server.acsi import audit_events
from mms_server.acsi.audit_events import AuditEvent
from mms_server.acsi.clients import Client

FILE_OCTETS: Final = 1 << 20
FILES: Final = 8
FOLDER: Final = "audit"

log = logging.getLogger("mms.audit")


class AuditLog:
    """The audit log of one IED, in `audit/NAME` of the state folder."""

    def __init__(self, state_dir: Path, name: str, file_octets: int = FILE_OCTETS) -> None:
        """Raises OSError if the folder cannot be made."""
        self.folder = state_dir / FOLDER / re.sub(r"[^A-Za-z0-9_-]", "_", name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self.folder / "audit.jsonl"
        self._file_octets = file_octets
        self._failing = False

    def add(self, event: str, client: Client, event_fields: AuditEvent) -> None:
        """Write one line, of now."""
        octets = audit_events.line(event, client, time.time_ns(), event_fields).encode("utf-8") + b"\n"
        try:
            self._write(octets)
        except OSError as error:
            if not self._failing:
                log.error("%s cannot be written (%s): the service goes on without", self._path, error)
            self._failing = True
            return
        if self._failing:
            log.warning("%s can be written again", self._path)
            self._failing = False

    def _write(self, octets: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            if before and before + len(octets) > self._file_octets:
                self._turn_over()
                self._write(octets)
                return
            if file.write(octets) != len(octets):
                file.truncate(before)  # no half line
                raise OSError("no space for a whole line")

    def _turn_over(self) -> None:
        for number in range(FILES - 2, 0, -1):
            older = self.folder / f"audit.{number}.jsonl"
            if older.exists():
                older.replace(self.folder / f"audit.{number + 1}.jsonl")
        self._path.replace(self.folder / "audit.1.jsonl")
