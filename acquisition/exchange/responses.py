"""Responses of one line: octets that were received, cut into units and matched with the request (pure; time is a parameter).

    encode ── sent ── receive ──► next: the response, or Continue, or None: wait for more octets
                         │          └── a unit that answers something else: counted, and the next one
                         └─ timed_out ──► LateResponse, settled by `unexpected` or by time

A port or a timer has no place here: the caller waits, and hands over what came.
"""

from typing import Final

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    Continue,
    Driver,
    DriverSpec,
    Foreign,
    Found,
    Read,
    Step,
    Write,
)
from acquisition.exchange.counters import Counters
from acquisition.exchange.echo import Echo
from acquisition.exchange.late_answers import LateResponses, octets_of
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse

FRAME_OCTETS: Final = 5  # around the data of a response to a read: unit, function, length, check sum
CONFIRMATION_OCTETS: Final = 8
CUT_OCTETS: Final = 3  # that may be missing from an unsound response which has come nevertheless
TAG_STEP: Final = 0x9E37  # a tag is far from its neighbours, so that no wrong bit makes one of another (D64)
_FUNCTION_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def next_tag(tag: int) -> int:
    """The transaction id behind `tag`."""
    return (tag + TAG_STEP) & 0xFFFF


def response_octets(request: Ask) -> int:
    """Octets of the whole response to `request`, in Modbus RTU."""
    return octets_of(request) + FRAME_OCTETS if isinstance(request, Read) else CONFIRMATION_OCTETS


class Responses:
    """Received octets of one line, and what they must be matched with: the last request, its echo, late responses.

    `tag` is the number of the last request, which drivers of protocols with transaction ids put on the wire.
    """

    def __init__(self, spec: DriverSpec, driver: Driver, counters: Counters, tag: int) -> None:
        self.late = LateResponses()
        self._spec = spec
        self._driver = driver
        self._counters = counters
        self._echo = Echo()
        self._buffer = bytearray()
        self._tag = tag
        self._request: Ask | None = None  # the last one
        self._unsound_before = self._foreign_before = 0  # the last request

    # ------------------------------------------------------------------ a request

    def reset(self) -> None:
        """Forget the octets of a connection that has ended."""
        self._buffer.clear()

    def encode(self, request: Ask) -> bytes:
        """The octets of `request`, with the next tag. Octets that belong to no request before it are thrown away."""
        if not self._spec.tagged:
            self._counters.discarded_octets += len(self._buffer)
            self._buffer.clear()
        self._tag = next_tag(self._tag)
        return self._driver.request(request, self._tag)

    def sent(self, request: Ask, octets: bytes) -> int:
        """`octets`, those of `request`, have left; its tag."""
        self._counters.requests += 1
        self._request = request
        self._foreign_before, self._unsound_before = self._counters.foreign, self._counters.discarded_octets
        if not self._spec.tagged:
            self._echo.sent(octets, request)
            if isinstance(request, Write):
                self.late.overtake(request)
        return self._tag

    # ------------------------------------------------------------------ its response

    def receive(self, octets: bytes) -> None:
        """Keep `octets` until a unit of them is whole."""
        self._buffer += octets

    def next(self, request: Ask, now: float) -> Found | Continue | None:
        """The response to `request`, or octets that its device wants first; None while neither is whole."""
        echoed = 0 if self._spec.tagged else self._echo.strip(self._buffer, request)
        self._counters.echoes += echoed > 0
        if echoed < 0:
            return None
        while (found := self._take(request)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found)
            elif isinstance(found, Confirmed) and self._overtaken(request, now):
                self._counters.late += 1  # the earlier one's, or this one's: the second one counts
            else:
                return found
        return None

    def next_of(self, reads: OutstandingReads) -> ReadResponse | None:
        """The next response to one of `reads`; None while there is no whole one."""
        while (found := reads.take(self._spec, self._driver, self._buffer)) is not None:
            if not isinstance(found, Foreign):
                return found
            self._foreign(found)
        return None

    def timed_out(self, request: Ask, now: float, timeout_s: float) -> None:
        """No response to `request` in its time. One is outstanding from now on, unless it has come and was unsound."""
        self._counters.timeouts += 1
        unsound = len(self._buffer) + self._counters.discarded_octets - self._unsound_before
        self._counters.garbled += bool(unsound and self._foreign_before == self._counters.foreign)
        if self._spec.tagged or self._spec.anonymous:
            return
        if unsound < response_octets(request) - CUT_OCTETS and isinstance(request, Read | Write):
            self.late.expect(request, now, timeout_s)

    # ------------------------------------------------------------------ octets that no request waits for

    def unexpected(self, octets: bytes = b"") -> None:
        """Judge what is in the buffer, and `octets` behind it: a late response, one that came twice, or noise."""
        self._buffer += octets
        request = self._request
        if not self._buffer or request is None:
            return
        while (found := self._take(request)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found)
            elif isinstance(request, Read | Write) and self.late.settle_request(request):
                self._counters.late += 1
            else:
                self._counters.doubled += 1

    def late_line(self, request: Ask, octets: bytes) -> bool:
        """True if `octets` complete a line of text, which can only be the response that `request` did not get in time."""
        self._buffer += octets
        if self._driver.take(request, self._tag, self._buffer) is None:
            return False
        self._counters.late += 1
        return True

    # ------------------------------------------------------------------ units

    def _take(self, request: Ask) -> Step | None:
        """The next unit; what the driver threw away before it found none is counted."""
        before = len(self._buffer)
        found = self._driver.take(request, self._tag, self._buffer)
        if found is None:
            self._counters.discarded_octets += before - len(self._buffer)
        return found

    def _foreign(self, found: Foreign) -> None:
        if self.late.settle(found, _FUNCTION_TABLES):
            self._counters.late += 1
        else:
            self._counters.foreign += 1

    def _overtaken(self, request: Ask, now: float) -> bool:
        return isinstance(request, Write) and not self._spec.tagged and self.late.settle_overtaken(request, now)
