"""Report entries, and the buffer in which a BRCB keeps them (IEC 61850-7-2, BRCB).

    oldest ── ... ── sent ── next to send ── ... ── newest          by EntryID, ascending
       └─ dropped when the buffer is full: a loss if it was not sent yet

An entry holds the octets that its members had when the event happened; sending it later changes nothing in it.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from mms_server.acsi import persistence
from mms_server.mms.report import Body

ENTRY_OCTETS: Final = 64  # what an entry costs besides its members' octets
_COMPACT: Final = 1024


@dataclass(slots=True)
class Entry:
    """One report to be sent; the body has the Data that its members had at the event.

    A `hollow` entry was replaced by a newer one of its kind: it keeps its place, and is not sent. `after_gap`: events
    between the entry before and this one were lost.
    """

    time_ns: int
    body: Body
    interrogation: bool = False
    entry_id: int = 0
    ticket: int = 0
    hollow: bool = False
    after_gap: bool = False

    @property
    def octets(self) -> int:
        """The octets that it takes in a buffer."""
        return ENTRY_OCTETS + sum(map(len, self.body.data))

    def content(self) -> bytes:
        """The entry as stored: its kind, its members, its Data."""
        head = bytes((self.interrogation | self.after_gap << 1,))
        rows = (
            member.to_bytes(4, "big") + bytes((reason,)) + data
            for (member, reason), data in zip(self.body.members, self.body.data, strict=True)
        )
        return head + persistence.octets_of(rows)

    @classmethod
    def restored(cls, filed: persistence.File) -> "Entry":
        """The entry that was filed. Raises ValueError for content that is none."""
        rows = persistence.parts_of(filed.content[1:])
        members = tuple((int.from_bytes(row[:4], "big"), row[4]) for row in rows if len(row) > 5)
        data = tuple(row[5:] for row in rows)
        if len(members) != len(data) or not filed.content:
            raise ValueError(f"entry {filed.entry_id:016x}: a row without Data")
        flags = filed.content[0]
        return cls(filed.time_ns, Body(members, data), bool(flags & 1), filed.entry_id, after_gap=bool(flags & 2))


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """Limits of the buffer of one BRCB: octets, and the age of an entry in seconds."""

    octets: int
    age_s: float = 30 * 24 * 3600.0


class EntryBuffer:
    """The entries of one BRCB, within `limits`."""

    def __init__(self, limits: BufferLimits) -> None:
        self._limits = limits
        self._entries: list[Entry] = []
        self._head = 0  # index of the oldest: what is before it is gone
        self._next = 0  # index of the next to send
        self._octets = 0
        self.lost = False  # something that was not sent is gone: the next report says so
        self.gap = False  # something that happened was never filed: the next entry says so, to whoever gets it

    def __len__(self) -> int:
        return len(self._entries) - self._head

    @property
    def newest(self) -> Entry | None:
        """The entry filed last."""
        return self._entries[-1] if len(self) else None

    def add(self, entry: Entry) -> int | None:
        """Append `entry`; the EntryID up to which older entries were dropped, None if none was."""
        if entry.interrogation:
            self._hollow_unsent_interrogations()
        self._entries.append(entry)
        self._octets += entry.octets
        gone = None
        oldest_ns = entry.time_ns - int(self._limits.age_s * 1e9)
        while len(self) > 1 and (self._octets > self._limits.octets or self._entries[self._head].time_ns < oldest_ns):
            gone = self._drop_oldest()
        return gone

    def _drop_oldest(self) -> int:
        oldest = self._entries[self._head]
        self._octets -= oldest.octets
        self._head += 1
        if self._next < self._head:
            self._next = self._head
            self.lost = self.lost or not oldest.hollow
        if self._head > _COMPACT and 2 * self._head > len(self._entries):
            del self._entries[: self._head]
            self._next -= self._head
            self._head = 0
        return oldest.entry_id

    def _hollow_unsent_interrogations(self) -> None:
        """Make unsent general interrogations hollow: only the newest of several is sent."""
        for entry in self._entries[self._next :]:
            if entry.interrogation and not entry.hollow:
                self._octets -= entry.octets - ENTRY_OCTETS
                entry.hollow, entry.body = True, Body((), ())

    def purge(self) -> None:
        """Empty the buffer: PurgeBuf, or another data set."""
        self._entries.clear()
        self._head = self._next = self._octets = 0
        self.lost = False

    def rewind(self) -> None:
        """Go back: the oldest entry is the next to send."""
        self._next = self._head

    def resume(self, entry_id: int) -> bool:
        """Go on behind `entry_id`; False if that entry is not in the buffer."""
        at = bisect_left(self._entries, entry_id, lo=self._head, key=lambda one: one.entry_id)
        if at == len(self._entries) or self._entries[at].entry_id != entry_id:
            return False
        self._next, self.lost = at + 1, False
        return True

    def peek(self) -> Entry | None:
        """The next entry to send, None if there is none; hollow ones are passed over."""
        while self._next < len(self._entries):
            entry = self._entries[self._next]
            if not entry.hollow:
                return entry
            self._next += 1
        return None

    def sent(self) -> None:
        """Advance: the entry that `peek` showed is sent."""
        self._next += 1
