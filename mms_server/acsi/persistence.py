"""Persistence: operations for the store in order, and the ticket up to which they are on the disk (pure).

    behaviour ── put, file, drop, purge ──► operations ──► the shell's store, in one transaction each few milliseconds
              ◄──────────── stored(ticket): everything up to that operation is safe ────────────

A buffered entry is sent only when it is stored: a client never has an event that the server loses in a power cut. Without
a store nothing is kept, and everything counts as stored at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ID_BLOCK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Put:
    """Keep `value` under `kind` and `key`; None removes it."""

    kind: str
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class File:
    """Keep an entry of the buffer of `block`."""

    block: str
    entry_id: int
    time_ns: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget the entries of `block` up to and with `entry_id`."""

    block: str
    entry_id: int


Operation = Put | File | Drop
Place = tuple[str, str, str | int]
"""Table, and key of a row: how far a copy of what is kept has come."""


@dataclass(slots=True)
class StoredState:
    """The contents of the store at a start."""

    values: dict[str, dict[str, bytes]]  # by kind, then by key
    entries: dict[str, list[File]]  # by block, in the order of their EntryIDs
    next_id: int = 0  # no EntryID from here on was ever given
    clean: bool = True  # the last process ended in order


class Persistence:
    """The operations of one server. `durable` False: there is no store."""

    def __init__(self, *, durable: bool, next_id: int = 0) -> None:
        self._durable = durable
        self._operations: list[Operation] = []
        self._ticket = 0
        self._stored = 0
        self._next_id = next_id
        self._reserved = next_id

    def add(self, operation: Operation) -> int:
        """Put `operation` behind the others; its ticket."""
        if self._durable:
            self._operations.append(operation)
            self._ticket += 1
        return self._ticket

    def take(self) -> tuple[list[Operation], int]:
        """The operations since the last call, and the ticket that says that they are stored."""
        operations, self._operations = self._operations, []
        return operations, self._ticket

    def stored(self, ticket: int) -> None:
        """Everything up to `ticket` is on the disk."""
        self._stored = max(self._stored, ticket)

    def safe(self, ticket: int) -> bool:
        """True if the operation of that ticket survives a power cut."""
        return ticket <= self._stored

    def __bool__(self) -> bool:
        """True if operations wait to be taken."""
        return bool(self._operations)

    def new_id(self, utc_ns: int) -> int:
        """An EntryID that was never given before, larger than all that were. Never zero."""
        if self._next_id == 0:
            self._next_id = self._reserved = (utc_ns // 1_000_000) << 20
        given = self._next_id
        self._next_id += 1
        if self._durable and given >= self._reserved:
            self._reserved = given + ID_BLOCK
            self.add(Put("state", "next_id", self._reserved.to_bytes(8, "big")))
        return given


def weight(operation: Operation) -> int:
    """About how many octets `operation` takes, wherever it is written."""
    match operation:
        case File():
            return 64 + len(operation.content)
        case Put():
            return 64 + len(operation.value or b"")
        case Drop():
            return 64


def octets_of(parts: Iterator[bytes]) -> bytes:
    """Parts of any length as one string of octets, each behind its length."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def parts_of(octets: bytes) -> list[bytes]:
    """The parts that `octets_of` joined. Raises ValueError for anything else."""
    parts, position = [], 0
    while position < len(octets):
        start = position + 4
        position = start + int.from_bytes(octets[position:start], "big")
        if start > len(octets) or position > len(octets):
            raise ValueError("parts that go past their end")
        parts.append(octets[start:position])
    return parts
