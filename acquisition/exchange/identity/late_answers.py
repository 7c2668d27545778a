"""Late responses: after a time-out no request is sent whose response could be confused with the missing one (pure).

A Modbus RTU response does not name its request. After a time-out it may still come, and it fits the next request of the
same unit, function and size: the wrong value with every sign of a good one. So each time-out leaves a LateResponse, which
belongs to its unit. While it may come, its signature is used for no other question of that unit (`read_variants`).

It ends when a response that fits has come, or by the clock: on a `wire` after 2 s or 4 time-outs, on a `network` after 60 s
or two lags of the unit; behind a transaction id as on a wire. On a wire it also ends when a later request of the same unit is
answered, since such a channel is first in, first out; not if the unit has ever answered later than its time-out, nor after
two time-outs in a row (D120).

A write has no size to vary, and to repeat the last one does no harm: whichever confirmation comes, it was done. But once
another value has been written there, the first confirmation that fits is taken for the late one: the second one counts (D66).
"""

from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Foreign, Read, Write
from acquisition.exchange.identity.asked_reads import ANY_UNIT, Question, question_of, signature_of

WIRE_S: Final = 2.0
WIRE_TIMEOUTS: Final = 4.0
NETWORK_S: Final = 60.0
SOFT_S: Final = 60.0  # a missing response that the clock has ended may come all the same: its size is used last
LATE_LIMIT: Final = 1024  # of one line; the oldest is forgotten

Signature = tuple[int | str | tuple[int, ...] | None, ...]


def signature(request: Read | Write, *, any_unit: bool = False) -> Signature:
    """All that a response to `request` shows of it."""
    if isinstance(request, Read):
        return signature_of(request, any_unit=any_unit)
    shown = request.values if request.function in (5, 6, 22) else (len(request.values),)
    return (request.unit, request.function, request.address, shown)


@dataclass(slots=True)
class LateResponse:
    """A response that may still come. `question`: of a read; `overtaken`: of a write, after which another value was written."""

    unit: int
    signature: Signature
    asked_at: float
    until: float
    question: Question | None = None
    values: tuple[int, ...] = ()  # that were written
    overtaken: bool = False
    outage: bool = False  # it is of two time-outs in a row: no answer ends it


@dataclass(slots=True)
class LateResponses:
    """Outstanding responses of one line. `any_unit`: a response may come under a request to another unit."""

    any_unit: bool = False
    _all: list[LateResponse] = field(default_factory=list)
    _timed_out: set[int] = field(default_factory=set)  # units whose last request had no response

    def expect(self, request: Read | Write, asked_at: float, until: float) -> None:
        """Remember that the response to `request`, sent at `asked_at`, is outstanding until `until`."""
        unit = request.unit
        again = unit in self._timed_out
        self._timed_out.add(unit)
        question = question_of(request) if isinstance(request, Read) else None
        values = request.values if isinstance(request, Write) else ()
        self._all.append(LateResponse(unit, self._signature(request), asked_at, until, question, values, outage=again))
        del self._all[:-LATE_LIMIT]
        if again:
            for one in self._all:
                one.outage |= one.unit == unit

    @property
    def remembered(self) -> bool:
        """True if there is a response that may come, or one that the clock has ended."""
        return bool(self._all)

    def any(self, now: float) -> bool:
        """True if a response is outstanding."""
        return any(one.until > now for one in self._all)

    def answered(self, unit: int, *, in_order: bool) -> None:
        """A later request of `unit` was answered; `in_order`: on a channel that is first in, first out."""
        self._timed_out.discard(unit)
        if in_order and self._all:
            self._all = [one for one in self._all if one.unit != unit or one.outage or one.question is None]

    def settle(self, foreign: Foreign, tables: dict[int, str], now: float) -> LateResponse | None:
        """Forget the outstanding response that `foreign` matches, and return it. `tables` by function."""
        unit = ANY_UNIT if self.any_unit else foreign.unit
        return self._settle((unit, tables.get(foreign.function), foreign.octets_of_data), now)

    def settle_request(self, request: Read | Write, now: float) -> LateResponse | None:
        """Forget the outstanding response to `request`, and return it; None if there was none."""
        return self._settle(self._signature(request), now)

    def settle_refused(self, request: Read | Write, now: float) -> LateResponse | None:
        """An exception has come: forget the response to `request` if only that one of its unit and function is outstanding."""
        wanted = self._signature(request)
        alike = [one for one in self._all if one.until > now and one.signature[:2] == wanted[:2]]
        if [one.signature for one in alike] != [wanted]:
            return None
        self._all.remove(alike[0])
        return alike[0]

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
        """True if the missing response to another question of its unit could pass for that to `read`."""
        question = question_of(read)
        return any(one.unit == read.unit and one.question != question for one in self._alike(read, now))

    def may_satisfy_of_others(self, read: Read, now: float) -> bool:
        """True if the missing response of another unit could pass for that to `read`, behind a gateway."""
        return self.any_unit and any(one.unit != read.unit for one in self._alike(read, now))

    def is_owed(self, read: Read, now: float) -> bool:
        """True if any missing response could pass for that to `read`."""
        return bool(self._alike(read, now))

    def owed_alike(self, read: Read, now: float, since: float = 0.0) -> float | None:
        """Time since then at which `read` was first sent as it is, without a response so far; None if it was not."""
        question = question_of(read)
        asked = (one.asked_at for one in self._alike(read, now) if one.question == question and one.asked_at >= since)
        return min(asked, default=None)

    def may_still_satisfy(self, read: Read, now: float) -> bool:
        """True if a missing response that the clock has ended could pass for that to `read`."""
        wanted = self._signature(read)
        return any(one.signature == wanted and one.until <= now for one in self._all)

    def _alike(self, read: Read, now: float) -> list[LateResponse]:
        if not self._all:
            return []
        self._all = [one for one in self._all if one.until + SOFT_S > now]
        wanted = self._signature(read)
        return [one for one in self._all if one.signature == wanted and one.until > now]

    def may_be_pending(self, unit: int, table: str, now: float) -> bool:
        """True if an exception from `unit` may be the late response to an earlier read of `table` (D67)."""
        return any(one.unit == unit and one.signature[1] == table and one.until > now for one in self._all)

    def _signature(self, request: Read | Write) -> Signature:
        return signature(request, any_unit=self.any_unit)

    def _settle(self, wanted: Signature, now: float) -> LateResponse | None:
        """Forget the first one; one that the clock has ended only if there is no other."""
        alike = [one for one in self._all if one.signature == wanted]
        found = next((one for one in alike if one.until > now), alike[0] if alike else None)
        if found is not None:
            self._all.remove(found)
        return found
