"""Late responses: after a time-out no request is sent whose response could be confused with the missing one (pure).

A Modbus RTU response does not name its request. After a time-out it may still come, and it fits the next request of the
same unit, function and size: the wrong value with every sign of a good one. So each time-out leaves a LateResponse, which
belongs to its unit; behind a gateway with transaction ids it may come under a request to any (D122). While it may come, its
signature is used for no other question of that unit (`read_variants`).

    outstanding ── a response that fits ──────────────────► forgotten: it came late
         ├──────── the clock of `debt_clock` ─────────────► used last for another minute, and blocks nothing
         └──────── a later answer of the unit, on a wire ─► ended: remembered only to be told from a stranger's

The last way is closed if the unit has ever answered later than its time-out, after two time-outs in a row, and to requests of
another path to the same device (D120, D126). A `proof` that was answered ends what the clock has ended before.

A read that had an exception is remembered for a second: if its data follow, the exception was another request's (D124).

A write has no size to vary, and to repeat the last one does no harm: whichever confirmation comes, it was done. But once
another value has been written there, the first confirmation that fits is taken for the late one: the second one counts (D66).
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from acquisition.drivers.base import Foreign, Read, Write
from acquisition.exchange.identity.asked_reads import ANY_UNIT, Question, question_of, signature_of
from acquisition.polling.path_failover import OwedRequest

WIRE_S: Final = 2.0
WIRE_TIMEOUTS: Final = 4.0
NETWORK_S: Final = 60.0
SOFT_S: Final = 60.0  # a missing response that the clock has ended may come all the same: its size is used last
REFUSED_S: Final = 1.0  # data that follow an exception later than that are not told from a stranger's
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

    request: Read | Write
    unit: int
    signature: Signature
    asked_at: float
    until: float
    question: Question | None = None
    values: tuple[int, ...] = ()  # that were written
    overtaken: bool = False
    outage: bool = False  # it is of two time-outs in a row, or of another path: no answer ends it
    refused: bool = False  # an exception that may be another request's came instead
    ended: bool = False  # by a later answer: it is remembered to be told from a stranger's, and blocks nothing


@dataclass(slots=True)
class LateResponses:
    """Outstanding responses of one line. `any_unit`: a response may come under a request to another unit."""

    any_unit: bool = False
    _all: list[LateResponse] = field(default_factory=list)
    _timed_out: set[int] = field(default_factory=set)  # units whose last request had no response

    def expect(
        self, request: Read | Write, asked_at: float, until: float, *, elsewhere: bool = False, refused: bool = False
    ) -> None:
        """Remember that the response to `request`, sent at `asked_at`, is outstanding until `until`.

        `elsewhere`: it was sent on another path, whose order this one knows nothing of: no answer ends it. `refused`: no
        time-out left it, but an exception that may be another request's.
        """
        unit = request.unit
        again = unit in self._timed_out and not refused
        if not (elsewhere or refused):
            self._timed_out.add(unit)
        question = question_of(request) if isinstance(request, Read) else None
        values = request.values if isinstance(request, Write) else ()
        shown = self._signature(request)
        outage = again or elsewhere
        self._all.append(
            LateResponse(request, unit, shown, asked_at, until, question, values, outage=outage, refused=refused)
        )
        del self._all[:-LATE_LIMIT]
        if again and not elsewhere:
            for one in self._all:
                one.outage |= one.unit == unit

    @property
    def remembered(self) -> bool:
        """True if there is a response that may come, or one that the clock has ended."""
        return bool(self._all)

    def only_refused(self, read: Read, asked_at: float, now: float) -> None:
        """An exception has come to `read`. If its data follow, that one was another request's."""
        question = question_of(read)
        self._all = [one for one in self._all if not (one.refused and one.ended and one.question == question)]
        seemed = LateResponse(read, read.unit, self._signature(read), asked_at, now, question, refused=True, ended=True)
        self._all.append(seemed)
        del self._all[:-LATE_LIMIT]

    def any(self, now: float) -> bool:
        """True if a response is outstanding."""
        return any(one.until > now for one in self._all)

    def owed(self, unit: int, now: float) -> list[OwedRequest]:
        """The requests to `unit` whose responses are outstanding, for another path to the same device."""
        return [
            OwedRequest(one.request, one.asked_at, one.until)
            for one in self._all
            if one.unit == unit and one.until > now
        ]

    def answered(self, request: Read | Write, asked_at: float, now: float, *, in_order: bool) -> None:
        """`request`, sent at `asked_at`, was answered; `in_order`: on a channel that is first in, first out.

        If a missing response looks alike, that one may have been taken: the one to `request` is missing still.
        """
        self._timed_out.discard(request.unit)
        shown = self._signature(request)
        for one in self._all:
            if one.unit != request.unit or one.question is None:
                continue
            if one.signature != shown:
                one.ended = one.ended or (not one.outage and in_order)
                one.until = min(one.until, now) if one.ended else one.until
        if isinstance(request, Read):
            self._move_up(request, asked_at)

    def _move_up(self, read: Read, asked_at: float) -> None:
        """One of the requests that look like `read` was answered, for all that is known the first one: the others are missing."""
        question, shown = question_of(read), self._signature(read)
        alike = [one for one in self._all if (one.signature, one.question) == (shown, question) and not one.ended]
        for one, behind in pairwise(alike):
            one.asked_at = behind.asked_at
        if alike:
            alike[-1].asked_at = asked_at

    def proved(self, proof: Read, now: float) -> None:
        """`proof` was answered, in step: what the clock has ended of its unit does not come any more."""
        shown = self._signature(proof)
        for one in self._all:
            one.ended |= one.unit == proof.unit and one.signature != shown and one.until <= now

    def settle(
        self, foreign: Foreign, tables: dict[int, str], now: float, *, known: bool = False
    ) -> LateResponse | None:
        """Forget the outstanding response that `foreign` matches, and return it. `tables` by function.

        `known`: its octets have come before, so it is none that a later answer has ended.
        """
        unit = ANY_UNIT if self.any_unit else foreign.unit
        return self._settle((unit, tables.get(foreign.function), foreign.octets_of_data), now, known=known)

    def settle_request(self, request: Read | Write, now: float, *, known: bool = False) -> LateResponse | None:
        """Forget the outstanding response to `request`, and return it; None if there was none. `known`: see `settle`."""
        return self._settle(self._signature(request), now, known=known)

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

    def may_be_taken_for(self, read: Read, now: float) -> bool:
        """True if the missing response to another question could pass for that to `read`, though the clock has ended it."""
        return self.may_satisfy(read, now) or self.may_still_satisfy_another(read, now)

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
        return bool(self._soft(read, now))

    def may_still_satisfy_another(self, read: Read, now: float) -> bool:
        """True if a missing response to another question, which the clock has ended, could pass for that to `read`."""
        question = question_of(read)
        return any(one.question != question for one in self._soft(read, now))

    def _soft(self, read: Read, now: float) -> list[LateResponse]:
        wanted = self._signature(read)
        return [one for one in self._all if one.signature == wanted and one.until <= now and not one.ended]

    def _alike(self, read: Read, now: float) -> list[LateResponse]:
        if not self._all:
            return []
        self._all = [one for one in self._all if one.until + (REFUSED_S if one.refused else SOFT_S) > now]
        wanted = self._signature(read)
        return [one for one in self._all if one.signature == wanted and one.until > now]

    def may_be_pending(self, unit: int, function: str | int, now: float) -> bool:
        """True if an exception from `unit` may be the late response to an earlier request (D67).

        `function`: the table of a read, the function of a write.
        """
        return any(one.unit == unit and one.signature[1] == function and one.until > now for one in self._all)

    def _signature(self, request: Read | Write) -> Signature:
        return signature(request, any_unit=self.any_unit)

    def _settle(self, wanted: Signature, now: float, *, known: bool) -> LateResponse | None:
        """Forget the first one; one that the clock has ended only if there is no other, and one that an answer has at last."""
        fitting = [one for one in self._all if one.signature == wanted and not (one.ended and known)]
        found = min(fitting, key=lambda one: (one.ended, one.until <= now), default=None)
        if found is not None:
            self._all.remove(found)
        return found
