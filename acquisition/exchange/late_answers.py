"""Late responses: after a time-out no request is sent whose response could be confused with the missing one (pure).

A Modbus RTU response does not name its request. After a time-out it may still come, and it fits the next request of the
same unit, function and size: the wrong value with every sign of a good one. So each time-out leaves a LateResponse, the
size of the response that may still come. While it may be pending, that unit is not asked for a response of that size: a
register more is requested, behind the block or before it, or, where the device refuses that, a part of it (D3). A
response that fits settles it; time settles the others. Modbus TCP needs none of this: its responses have ids (D64).

    10 registers requested, none in time           outstanding: unit 3, function 4, 20 octets
    next:  11 registers from the same address      a late response of 20 octets cannot pass for one of 22

A write has no size to vary, and to repeat the last one does no harm: whichever confirmation comes, it was done. But once
another value has been written there, the first confirmation that fits is taken for the late one: the second one counts (D66).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Foreign, Read, Write

PENDING_S: Final = 10.0
PENDING_TIMEOUTS: Final = 20.0
LONGER_BY: Final = (1, 2)  # two, for devices whose values are all of two registers
LONGER_STILL_BY: Final = (3, 4, 5, 6)  # where the block has no parts: a single value, asked for again and again
REGISTERS_LIMIT: Final = 125
BITS_LIMIT: Final = 2000

Signature = tuple[int | str | tuple[int, ...] | None, ...]


def octets_of(read: Read) -> int:
    """The octets of data in the response to `read`."""
    return -(-read.count // 8) if read.table in ("coil", "discrete") else 2 * read.count


def signature(request: Read | Write) -> Signature:
    """All that a response to `request` shows of it."""
    if isinstance(request, Read):
        return (request.unit, request.table, octets_of(request))
    shown = request.values if request.function in (5, 6, 22) else (len(request.values),)
    return (request.unit, request.function, request.address, shown)


@dataclass(slots=True)
class LateResponse:
    """A response that may still come. `overtaken`: of a write, after which another value was written there."""

    signature: Signature
    until: float
    values: tuple[int, ...] = ()  # that were written
    overtaken: bool = False


@dataclass(slots=True)
class LateResponses:
    """Outstanding responses of one line."""

    _all: list[LateResponse] = field(default_factory=list)

    def expect(self, request: Read | Write, now: float, timeout_s: float) -> None:
        """Remember that a response to `request` is outstanding for `PENDING_S` or 20 time-outs, whichever is longer."""
        values = request.values if isinstance(request, Write) else ()
        until = now + max(PENDING_S, PENDING_TIMEOUTS * timeout_s)
        self._all.append(LateResponse(signature(request), until, values))

    def settle(self, foreign: Foreign, tables: dict[int, str]) -> bool:
        """Forget the outstanding response that `foreign` matches; True if there was one. `tables` by function."""
        return self._settle((foreign.unit, tables.get(foreign.function), foreign.octets_of_data))

    def settle_request(self, request: Read | Write) -> bool:
        """Forget the outstanding response to `request`; False if there was none."""
        return self._settle(signature(request))

    def overtake(self, write: Write) -> None:
        """`write` is sent: confirmations of earlier ones that differ can prove nothing any more."""
        shown = signature(write)
        for one in self._all:
            known = one.signature
            if (known[0], known[2:3], len(known)) == (write.unit, (write.address,), len(shown)):
                one.overtaken |= one.values != write.values

    def settle_overtaken(self, write: Write, now: float) -> bool:
        """A confirmation that fits `write` has come: True if it may be that of a write that was overtaken since."""
        shown = signature(write)
        for one in self._all:
            if one.signature == shown and one.overtaken and one.until > now:
                self._all.remove(one)
                return True
        return False

    def may_satisfy(self, read: Read, now: float) -> bool:
        """True if a response that is still to come could pass for that to `read`."""
        if not self._all:
            return False
        self._all = [one for one in self._all if one.until > now]
        wanted = signature(read)
        return any(one.signature == wanted for one in self._all)

    def may_be_pending(self, unit: int, table: str, now: float) -> bool:
        """True if an exception from `unit` may be the late response to an earlier read of `table` (D67)."""
        return any(one.signature[:2] == (unit, table) and one.until > now for one in self._all)

    def _settle(self, wanted: Signature) -> bool:
        for one in self._all:
            if one.signature == wanted:
                self._all.remove(one)
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
        """True if it has more registers or bits than are wanted."""
        return self.read.count > self.count


def safe_parts(
    read: Read, borders: Sequence[int], late: LateResponses, now: float, *, limit: int, refused: Collection[Read] = ()
) -> list[Part] | None:
    """Reads that together bring `read`, and with which no late response could be confused; None if there are none yet.

    `borders` are the ends of its values (addresses, ascending): no value is torn. `refused`: longer reads that this
    device refuses.
    """
    if not late.may_satisfy(read, now):
        return [Part(read, read.address, read.count)]
    for longer in _longer(read, limit, LONGER_BY):
        if longer not in refused and not late.may_satisfy(longer, now):
            return [Part(longer, read.address, read.count)]
    for border in reversed(borders[:-1]):
        first = Read(read.unit, read.table, read.address, border - read.address)
        rest = Read(read.unit, read.table, border, read.address + read.count - border)
        if octets_of(first) != octets_of(rest) and not late.may_satisfy(first, now) and not late.may_satisfy(rest, now):
            return [Part(one, one.address, one.count) for one in (first, rest)]
    for longer in _longer(read, limit, LONGER_STILL_BY):
        if longer not in refused and not late.may_satisfy(longer, now):
            return [Part(longer, read.address, read.count)]
    return None


def _longer(read: Read, limit: int, steps: Sequence[int]) -> Iterator[Read]:
    """`read` with more behind it, then with more before it; of bits an octet of the response for each step."""
    more = [8 * step for step in steps] if read.table in ("coil", "discrete") else steps
    for step in more:
        if read.count + step <= limit and read.address + read.count + step <= 0x10000:
            yield Read(read.unit, read.table, read.address, read.count + step)
    for step in more:
        if read.count + step <= limit and read.address >= step:
            yield Read(read.unit, read.table, read.address - step, read.count + step)
