"""Transaction ids of one line (pure): a response with the id of an earlier request is the late or the second one to that.

    sent ── response ──► answered ── the id comes again ──► a second response
      └──── time-out ──► missing ─── the id comes ────────► the missing response, late

Every request has an id, which only some protocols put on the wire. Ids that follow each other are far apart, so that no wrong
bit makes one of another (D64).
"""

from collections import OrderedDict
from typing import Final

from acquisition.drivers.base import Ask, Read
from acquisition.exchange.identity.channel_faults import ChannelFaults, shown_late, shown_of
from acquisition.exchange.identity.late_answers import LateResponses

TAG_STEP: Final = 0x9E37
TAGS_LIMIT: Final = 256  # of each kind; the oldest is forgotten


def next_tag(tag: int) -> int:
    """The transaction id behind `tag`."""
    return (tag + TAG_STEP) & 0xFFFF


class TransactionIds:
    """The ids of one line. `last`: that of the last request, or the one before the first; `in_hand`: of the last unit."""

    def __init__(self, last: int, late: LateResponses, faults: ChannelFaults) -> None:
        self.last = last
        self.in_hand: int | None = None
        self._late = late
        self._faults = faults
        self._missing: OrderedDict[int, Read] = OrderedDict()  # reads without a response
        self._answered: OrderedDict[int, tuple[str, float]] = OrderedDict()  # the request, and when it was sent

    def next(self) -> int:
        """The id of the next request."""
        self.last = next_tag(self.last)
        return self.last

    def answered(self, request: Ask, asked_at: float) -> None:
        """The last request, sent at `asked_at`, had its response."""
        self._answered[self.last] = (shown_of(request), asked_at)
        if len(self._answered) > TAGS_LIMIT:
            self._answered.popitem(last=False)

    def missing(self, read: Read, tag: int) -> None:
        """The request with the id `tag`, `read`, had no response in time."""
        self._missing[tag] = read
        if len(self._missing) > TAGS_LIMIT:
            self._missing.popitem(last=False)

    def came(self, tag: int, now: float) -> None:
        """A unit with the id `tag` has come: a late or a second response if that is an earlier request's."""
        self.in_hand = tag
        if tag == self.last:
            return
        if tag in self._missing:
            late = self._late.settle_request(self._missing.pop(tag), now)
            if late is not None:
                self._faults.late(shown_late(late), late.asked_at, now)
        elif tag in self._answered:
            self._faults.again(*self._answered[tag], now)
