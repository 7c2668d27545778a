"""Which reply answers which request: late twins, and how not to be taken in by them (pure).

A Modbus RTU reply does not say which request it answers. After a time-out the answer may still come, and it fits the
next request of the same unit, function and size: the wrong value with every sign of a good one. So each time-out leaves
a *ghost*, the size of the answer that may still come. While it haunts, that unit is not asked for an answer of that
size: a register more is asked for, or, where the device refuses that, a part of the block. An answer that fits a ghost
lays it; time lays the others.

    asked 10 registers, no answer in time          ghost: unit 3, function 4, 20 octets
    next:  11 registers from the same address      a late answer of 20 octets cannot pass for one of 22
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Foreign, Read

HAUNTS_S: Final = 10.0
HAUNTS_TIMEOUTS: Final = 20.0
LONGER_BY: Final = (1, 2)  # two, for devices whose values are all of two registers
REGISTERS_LIMIT: Final = 125
BITS_LIMIT: Final = 2000


def octets_of(read: Read) -> int:
    """The octets of data in the answer to `read`."""
    return -(-read.count // 8) if read.table in ("coil", "discrete") else 2 * read.count


@dataclass(frozen=True, slots=True)
class Ghost:
    """An answer that may still come."""

    unit: int
    table: str
    octets: int
    until: float


@dataclass(slots=True)
class Ghosts:
    """The ghosts of one line."""

    _all: list[Ghost] = field(default_factory=list)

    def raise_for(self, read: Read, now: float, timeout_s: float) -> None:
        """`read` has timed out: its answer may still come."""
        until = now + max(HAUNTS_S, HAUNTS_TIMEOUTS * timeout_s)
        self._all.append(Ghost(read.unit, read.table, octets_of(read), until))

    def lay(self, foreign: Foreign, tables: dict[int, str]) -> None:
        """A late answer has come; the ghost that it fits haunts no more. `tables` gives the table of a function."""
        for ghost in self._all:
            known = (ghost.unit, ghost.table, ghost.octets)
            if known == (foreign.unit, tables.get(foreign.function), foreign.octets_of_data):
                self._all.remove(ghost)
                return

    def fits(self, read: Read, now: float) -> bool:
        """True if an answer that is still to come could pass for that to `read`."""
        self._all = [ghost for ghost in self._all if ghost.until > now]
        wanted = (read.unit, read.table, octets_of(read))
        return any((ghost.unit, ghost.table, ghost.octets) == wanted for ghost in self._all)

    def clear(self) -> None:
        """The connection is a new one: nothing of the old one can come."""
        self._all.clear()


@dataclass(frozen=True, slots=True)
class Part:
    """A read that carries some of a block's values: those that lie wholly in it."""

    read: Read
    start: int
    count: int


def safe_parts(
    read: Read, borders: Sequence[int], ghosts: Ghosts, now: float, *, limit: int, longer: bool
) -> list[Part] | None:
    """Reads that together bring `read`, of which no answer to come could pass for theirs; None if there are none yet.

    `borders` are the ends of its values (addresses, ascending): no value is torn. `longer` False: this device refuses
    registers beyond the block.
    """
    if not ghosts.fits(read, now):
        return [Part(read, read.address, read.count)]
    for longer_read in _longer(read, limit) if longer else ():
        if not ghosts.fits(longer_read, now):
            return [Part(longer_read, read.address, read.count)]
    for border in reversed(borders[:-1]):
        first = Read(read.unit, read.table, read.address, border - read.address)
        rest = Read(read.unit, read.table, border, read.address + read.count - border)
        if octets_of(first) != octets_of(rest) and not ghosts.fits(first, now) and not ghosts.fits(rest, now):
            return [Part(one, one.address, one.count) for one in (first, rest)]
    return None


def _longer(read: Read, limit: int) -> Iterator[Read]:
    steps = (8, 16) if read.table in ("coil", "discrete") else LONGER_BY
    for step in steps:
        if read.count + step <= limit and read.address + read.count + step <= 0x10000:
            yield Read(read.unit, read.table, read.address, read.count + step)


@dataclass(slots=True)
class Counters:
    """What happened on a line, by kind; they travel in the heartbeat."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    late: int = 0
    foreign: int = 0
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
