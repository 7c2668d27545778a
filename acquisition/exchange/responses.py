"""Responses of one line: octets that were received, cut into units for the request that they answer (pure; time is a parameter).

    encode ── sent ── receive ──► next: the response, or Continue, or None: wait for more octets
                         │          └── a unit that answers something else: counted, and the next one
                         └─ timed_out ──► a response is missing, and may come as `unexpected` octets

To whom a unit belongs is judged by `attribution`. A port or a timer has no place here: the caller waits, and hands over
what came.
"""

from typing import Final

from acquisition.drivers.base import (
    Ask,
    Continue,
    Driver,
    DriverSpec,
    Foreign,
    ForeignRequest,
    Found,
    Read,
    Step,
)
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.counters import Counters
from acquisition.exchange.echo import Echo
from acquisition.exchange.identity.asked_reads import octets_of
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse

FRAME_OCTETS: Final = 5  # around the data of a response to a read: unit, function, length, check sum
CONFIRMATION_OCTETS: Final = 8
CUT_OCTETS: Final = 3  # that may be missing from an unsound response which has come nevertheless


def response_octets(request: Ask) -> int:
    """Octets of the whole response to `request`, in Modbus RTU."""
    return octets_of(request) + FRAME_OCTETS if isinstance(request, Read) else CONFIRMATION_OCTETS


class Responses:
    """Received octets of one line, the echo before them, and the `attribution` of their units.

    Requests have numbers, which drivers of protocols with transaction ids put on the wire.
    """

    def __init__(self, spec: DriverSpec, driver: Driver, counters: Counters, attribution: Attribution) -> None:
        self._spec = spec
        self._driver = driver
        self._counters = counters
        self.attribution = attribution
        self._ids = attribution.ids
        self._echo = Echo()
        self._buffer = bytearray()
        self._coming: Ask | None = None  # the next request
        self._unsound_before = self._foreign_before = 0  # the last request

    # ------------------------------------------------------------------ a request

    def reset(self) -> None:
        """Forget the octets of a connection that has ended."""
        self._buffer.clear()

    def coming(self, request: Ask) -> None:
        """`request` is sent as soon as the line is silent."""
        self._coming = request

    def encode(self, request: Ask) -> bytes:
        """The octets of `request`, with the next tag. Octets that belong to no request before it are thrown away."""
        if not self._spec.tagged:
            self._counters.discarded_octets += len(self._buffer)
            self._buffer.clear()
        return self._driver.request(request, self._ids.next())

    def sent(self, request: Ask, octets: bytes, now: float) -> int:
        """`octets`, those of `request`, have left; its tag."""
        self._counters.requests += 1
        self.attribution.sent(request, octets, now)
        self._foreign_before, self._unsound_before = self._counters.foreign, self._counters.discarded_octets
        if not self._spec.tagged:
            self._echo.sent(octets, request)
        return self._ids.last

    # ------------------------------------------------------------------ its response

    def receive(self, octets: bytes) -> None:
        """Keep `octets` until a unit of them is whole."""
        self._buffer += octets

    def next(self, request: Ask, now: float) -> Found | Continue | None:
        """The response to `request`, or octets that its device wants first; None while neither is whole."""
        self.attribution.ages.came(now)
        echoed = 0 if self._spec.tagged else self._echo.strip(self._buffer, request)
        self._counters.echoes += echoed > 0
        if echoed < 0:
            return None
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign | ForeignRequest):
                self.attribution.foreign(found, now)
            elif self.attribution.is_answer(request, found, now):
                return found
        self.attribution.tell_doubts()
        return None

    def next_of(self, reads: OutstandingReads, now: float) -> ReadResponse | None:
        """The next response to one of `reads`; None while there is no whole one."""
        while (found := reads.take(self._spec, self._driver, self._buffer)) is not None:
            if not isinstance(found, Foreign):
                return found
            self.attribution.foreign(found, now)
        return None

    def timed_out(self, request: Ask, now: float, timeout_s: float) -> None:
        """No response to `request` in its time; octets that are no sound one have come, or none."""
        self._counters.timeouts += 1
        unsound = len(self._buffer) + self._counters.discarded_octets - self._unsound_before
        self._counters.garbled += bool(unsound and self._foreign_before == self._counters.foreign)
        whole = unsound >= response_octets(request) - CUT_OCTETS
        self.attribution.timed_out(request, now, timeout_s, unsound=whole)

    # ------------------------------------------------------------------ octets that no request waits for

    def unexpected(self, now: float, octets: bytes = b"") -> None:
        """Judge what is in the buffer, and `octets` behind it: a late response, one that came twice, or noise."""
        self._buffer += octets
        request = self.attribution.request
        if not self._buffer or request is None:
            self._before_any(now)
            return
        self.attribution.ages.came(now)
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign | ForeignRequest):
                self.attribution.foreign(found, now)
            else:
                self.attribution.surplus(request, found, now)
        self.attribution.tell_doubts()

    def _before_any(self, now: float) -> None:
        """Judge what has come before the first request."""
        request = self._coming
        if request is None or self._spec.tagged or self.attribution.text.concerns(request):
            return
        while (found := self._take(request, now)) is not None:
            self.attribution.before_any(request, found, now)

    def late_line(self, request: Ask, octets: bytes, now: float) -> bool:
        """True if `octets` complete a line of text, which can only be the response that `request` did not get in time."""
        self._buffer += octets
        if self._driver.take(request, self._ids.last, self._buffer) is None:
            return False
        self.attribution.text.came_late(request, now)
        return True

    # ------------------------------------------------------------------ units

    def _take(self, request: Ask, now: float) -> Step | None:
        """The next unit; what the driver threw away before it found none is counted."""
        before = bytes(self._buffer)
        tag = self._spec.tag_of(self._buffer) if self._spec.tagged else None
        found = self._driver.take(request, self._ids.last, self._buffer)
        frame = self.attribution.frames.last = before[: len(before) - len(self._buffer)]
        if found is None:
            self._counters.discarded_octets += len(frame)
        elif tag is not None:
            self.attribution.ids.came(tag, now)
        return found
