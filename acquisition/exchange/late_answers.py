"""Which reply answers which request: late twins, and how not to be taken in by them (pure).

A Modbus RTU reply does not say which request it answers. After a time-out the answer may still come, and it fits the
next request of the same unit, function and size: the wrong value with every sign of a good one. So each time-out leaves
a *ghost*, the size of the answer that may still come. While it haunts, that unit is not asked for an answer of that
size: a register more is asked for, behind the block or before it, or, where the device refuses that, a part of it. An
answer that fits a ghost lays it; time lays the others.

    asked 10 registers, no answer in time          ghost: unit 3, function 4, 20 octets
    next:  11 registers from the same address      a late answer of 20 octets cannot pass for one of 22

A write has no size to vary, and to repeat the last one does no harm: whichever confirmation comes, it was done. But once
another value has been written there, the ghost takes the first confirmation that fits: the second one counts.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Ask, Foreign, Question, Read, Write

HAUNTS_S: Final = 10.0
HAUNTS_TIMEOUTS: Final = 20.0
LONGER_BY: Final = (1, 2)  # two, for devices whose values are all of two registers
LONGER_STILL_BY: Final = (3, 4, 5, 6)  # where the block has no parts: a single value, asked for again and again
REGISTERS_LIMIT: Final = 125
BITS_LIMIT: Final = 2000

Likeness = tuple[int | str | tuple[int, ...] | None, ...]


def octets_of(read: Read) -> int:
    """The octets of data in the answer to `read`."""
    return -(-read.count // 8) if read.table in ("coil", "discrete") else 2 * read.count


def likeness(ask: Read | Write) -> Likeness:
    """All that an answer to `ask` shows of its question."""
    if isinstance(ask, Read):
        return (ask.unit, ask.table, octets_of(ask))
    shown = ask.values if ask.function in (5, 6, 22) else (len(ask.values),)
    return (ask.unit, ask.function, ask.address, shown)


@dataclass(slots=True)
class Ghost:
    """An answer that may still come. `overtaken`: of a write, after which another value was written there."""

    shown: Likeness
    until: float
    values: tuple[int, ...] = ()  # what was written
    overtaken: bool = False


@dataclass(slots=True)
class Ghosts:
    """The ghosts of one line."""

    _all: list[Ghost] = field(default_factory=list)

    def raise_for(self, ask: Read | Write, now: float, timeout_s: float) -> None:
        """`ask` has timed out: its answer may still come."""
        values = ask.values if isinstance(ask, Write) else ()
        self._all.append(Ghost(likeness(ask), now + max(HAUNTS_S, HAUNTS_TIMEOUTS * timeout_s), values))

    def lay(self, foreign: Foreign, tables: dict[int, str]) -> bool:
        """A late answer has come; the ghost that it fits haunts no more. `tables` gives the table of a function."""
        return self._lay((foreign.unit, tables.get(foreign.function), foreign.octets_of_data))

    def lay_for(self, ask: Read | Write) -> bool:
        """The late answer to `ask` has come. False if none was owed."""
        return self._lay(likeness(ask))

    def written(self, write: Write) -> None:
        """`write` is sent: those before it that differ can prove nothing any more."""
        shown = likeness(write)
        for ghost in self._all:
            if (ghost.shown[0], ghost.shown[2:3], len(ghost.shown)) == (write.unit, (write.address,), len(shown)):
                ghost.overtaken |= ghost.values != write.values

    def take(self, write: Write, now: float) -> bool:
        """A confirmation that fits `write` has come: True if it may be that of a write that was overtaken since."""
        shown = likeness(write)
        for ghost in self._all:
            if ghost.shown == shown and ghost.overtaken and ghost.until > now:
                self._all.remove(ghost)
                return True
        return False

    def fits(self, read: Read, now: float) -> bool:
        """True if an answer that is still to come could pass for that to `read`."""
        if not self._all:
            return False
        self._all = [ghost for ghost in self._all if ghost.until > now]
        wanted = likeness(read)
        return any(ghost.shown == wanted for ghost in self._all)

    def haunt(self, unit: int, table: str, now: float) -> bool:
        """True if an exception from `unit` may be one that an earlier read of `table` is still owed."""
        return any(ghost.shown[:2] == (unit, table) and ghost.until > now for ghost in self._all)

    def _lay(self, wanted: Likeness) -> bool:
        for ghost in self._all:
            if ghost.shown == wanted:
                self._all.remove(ghost)
                return True
        return False


@dataclass(frozen=True, slots=True)
class Part:
    """A read that carries some of a block's values: `count` registers or bits from `start`, which lie wholly in it."""

    read: Read
    start: int
    count: int

    @property
    def longer(self) -> bool:
        """True if more is asked for than is wanted."""
        return self.read.count > self.count


def safe_parts(
    read: Read, borders: Sequence[int], ghosts: Ghosts, now: float, *, limit: int, refused: Collection[Read] = ()
) -> list[Part] | None:
    """Reads that together bring `read`, of which no answer to come could pass for theirs; None if there are none yet.

    `borders` are the ends of its values (addresses, ascending): no value is torn. `refused`: longer reads to which this
    device says no.
    """
    if not ghosts.fits(read, now):
        return [Part(read, read.address, read.count)]
    for longer in _longer(read, limit, LONGER_BY):
        if longer not in refused and not ghosts.fits(longer, now):
            return [Part(longer, read.address, read.count)]
    for border in reversed(borders[:-1]):
        first = Read(read.unit, read.table, read.address, border - read.address)
        rest = Read(read.unit, read.table, border, read.address + read.count - border)
        if octets_of(first) != octets_of(rest) and not ghosts.fits(first, now) and not ghosts.fits(rest, now):
            return [Part(one, one.address, one.count) for one in (first, rest)]
    for longer in _longer(read, limit, LONGER_STILL_BY):
        if longer not in refused and not ghosts.fits(longer, now):
            return [Part(longer, read.address, read.count)]
    return None


def _longer(read: Read, limit: int, steps: Sequence[int]) -> Iterator[Read]:
    """`read` with more behind it, then with more before it; of bits an octet of the answer for each step."""
    more = [8 * step for step in steps] if read.table in ("coil", "discrete") else steps
    for step in more:
        if read.count + step <= limit and read.address + read.count + step <= 0x10000:
            yield Read(read.unit, read.table, read.address, read.count + step)
    for step in more:
        if read.count + step <= limit and read.address >= step:
            yield Read(read.unit, read.table, read.address - step, read.count + step)


@dataclass(slots=True)
class Echo:
    """Whether the adapter hears itself: what we send comes back before the answer does.

    The confirmation of some writes looks like their echo. So only a read can show that there is one; from then on each
    frame's echo is taken away before anything is read from it.
    """

    known: bool = False
    _due: bytes = b""

    def sent(self, octets: bytes, ask: Ask) -> None:
        """`octets` were sent for `ask`: they may come back."""
        self._due = b"" if isinstance(ask, Write) and not self.known else octets

    def strip(self, buffer: bytearray, ask: Ask) -> int:
        """Take the echo from the front of `buffer`; how many octets that was. -1: it may still be coming, wait."""
        due = self._due
        if not due or not buffer:
            return 0
        if buffer.startswith(due):
            del buffer[: len(due)]
            self._due, self.known = b"", True
            return len(due)
        if due.startswith(bytes(buffer)):
            return -1
        self._due = b""
        self.known = self.known and not isinstance(ask, Read | Question)
        return 0


@dataclass(slots=True)
class Counters:
    """What happened on a line, by kind; they travel in the heartbeat."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    late: int = 0  # answers after their time-out
    doubled: int = 0  # answers that came twice
    foreign: int = 0  # sound frames that answer something else
    garbled: int = 0  # exchanges in which only unsound octets came: a wrong check sum, a cut frame
    babble: int = 0  # exchanges put off since the line was never silent
    echoes: int = 0  # frames that the adapter sent back to us
    exceptions: int = 0
    busy: int = 0
    reconnects: int = 0
    discarded_octets: int = 0

    def as_dict(self, prefix: str) -> dict[str, int]:
        """By name, each with the line's."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.__slots__}


def next_tag(tag: int) -> int:
    """The transaction id behind `tag`: far from its neighbours, so that no wrong bit makes one of another."""
    return (tag + 0x9E37) & 0xFFFF
