"""Responses of one line: octets that were received, cut into units and matched with the request (pure; time is a parameter).

    encode ── sent ── receive ──► next: the response, or Continue, or None: wait for more octets
                         │          └── a unit that answers something else: counted, and the next one
                         └─ timed_out ──► LateResponse, settled by `unexpected` or by time

A port or a timer has no place here: the caller waits, and hands over what came.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    Continue,
    Driver,
    DriverSpec,
    ExceptionResponse,
    Foreign,
    ForeignRequest,
    Found,
    Question,
    Read,
    Registers,
    Step,
    Text,
    Write,
)
from acquisition.exchange.counters import Counters
from acquisition.exchange.echo import Echo
from acquisition.exchange.identity.asked_reads import (
    ANY_UNIT,
    SIGNATURES_LIMIT,
    AskedReads,
    ReadSignature,
    octets_of,
    signature_of,
)
from acquisition.exchange.identity.channel_faults import ChannelFaults, shown, shown_late, shown_of
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_answers import NETWORK_S, WIRE_S, WIRE_TIMEOUTS, LateResponse, LateResponses
from acquisition.exchange.identity.late_text import LateText
from acquisition.exchange.identity.other_masters import OtherMasters
from acquisition.exchange.identity.resynchronization import Resynchronization
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.polling.path_failover import OwedRequest
from mapping.plan import Behind, LinePath

FRAME_OCTETS: Final = 5  # around the data of a response to a read: unit, function, length, check sum
CONFIRMATION_OCTETS: Final = 8
CUT_OCTETS: Final = 3  # that may be missing from an unsound response which has come nevertheless
SECOND_WITHIN_S: Final = 30.0  # a second response later than that is not told from a stray frame
UNREACHED: Final = (10, 11)  # exceptions of a gateway that has got no response from the device behind it
TIMEOUT_EVIDENCE_S: Final = 600.0  # a time-out alone may be that of a gateway
OWED_S: Final = (
    1.0  # an unanswered question in text so old may be the one that is answered, whatever the lag was so far
)
TEXT_TIMEOUTS: Final = 8.0
CONTRADICTIONS: Final = 3  # in a row, of lines of text: another master's lines are fewer
TAGS_LIMIT: Final = 256
FOREVER: Final = float("inf")
FRAMES_KEPT: Final = 32  # of one signature
TEXT_SHOWN: Final = 40  # characters of a line
TEXT: Final = -2  # the unit of all devices of a line of text
EXCEPTION: Final = 0x80  # in the function of a response
SUSPECTED_WITHIN_S: Final = 0.5  # of a read, a stranger may be a second device's response to it
AMBIGUOUS_OCTETS: Final = 3  # of bits: such a response may be another master's request
HOLD_LIMIT_S: Final = 2.0  # the longest wait of a line for a window of silence
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

    `tag` is the number of the last request, which drivers of protocols with transaction ids put on the wire. `behind`
    a `gateway` such an id proves no more than that the gateway has answered, since the devices behind it have none; it names
    the response of a `device` for good. None: of the device, until something tells of a gateway. `path` None: by transport,
    and a serial port whose responses come very late is a network.
    """

    def __init__(
        self,
        spec: DriverSpec,
        driver: Driver,
        counters: Counters,
        tag: int,
        *,
        behind: Behind | None = None,
        path: LinePath | None = None,
        resync: Resynchronization | None = None,
    ) -> None:
        shared = spec.tagged and behind == "gateway"
        self.late = LateResponses(any_unit=shared)
        self.asked = AskedReads(any_unit=shared)
        self.doubts = Doubts()
        self.text = LateText()
        self.others = OtherMasters()
        self.resync = resync or Resynchronization()
        self.faults = ChannelFaults("second-master" if spec.serial else "shared-line", read_between=not spec.tagged)
        self._spec = spec
        self._driver = driver
        self._counters = counters
        self._echo = Echo()
        self._buffer = bytearray()
        self._tag = tag
        self._behind = behind
        self._gateway_until = FOREVER if behind == "gateway" else 0.0
        self._request: Ask | None = None  # the last one
        self._coming: Ask | None = None  # the next one
        self._asked_at = 0.0  # it was sent
        self._path = path
        self._network = spec.transport != "serial" if path is None else path == "network"
        self._frame = b""  # the last unit, as it came
        self._frames: dict[ReadSignature, deque[bytes]] = {}  # of accepted and late responses, the last ones
        self._confirmations: deque[tuple[bytes, float]] = deque(
            maxlen=FRAMES_KEPT
        )  # of writes, and when they were sent
        self._late_tags: OrderedDict[int, Read] = OrderedDict()  # of reads without a response, by their tag
        self._answered_tags: OrderedDict[int, tuple[str, float]] = OrderedDict()  # the request, and when it was sent
        self._line = ""  # the last one of text that was accepted
        self._timeout_s = 0.0  # of the last request that had none
        self._unsound_before = self._foreign_before = 0  # the last request
        self._exceptions: dict[tuple[int, str | int], float] = {}  # by unit and function: the last one
        self.doubted: ExceptionResponse | None = None  # that came to the last request, and may be another one's
        self.doubted_until = FOREVER  # its own response is waited for
        self.misanswered = False  # a gateway has put another response under the id of the last request
        self._collided = False  # another master's response looks like that to the last request
        self._came_at = -SECOND_WITHIN_S  # the last octets
        self._silent_until = 0.0  # the line was, for a window
        self._silent_before = False  # the line was silent for a window before the last request

    # ------------------------------------------------------------------ a request

    def reset(self) -> None:
        """Forget the octets of a connection that has ended."""
        self._buffer.clear()

    def is_owed(self, now: float) -> bool:
        """True if a response is outstanding that a new connection may bring: not where each names its own request."""
        return self._behind != "device" and (self.late.any(now) or self.text.any(now))

    def expect_of_others(self, unit: int, owed: Sequence[OwedRequest]) -> None:
        """Responses to `owed`, requests on another path to the device that is `unit` here, may come on this one."""
        for request, asked_at, until in owed:
            self.late.expect(replace(request, unit=unit), asked_at, until, elsewhere=True)

    def coming(self, request: Ask) -> None:
        """`request` is sent as soon as the line is silent."""
        self._coming = request

    def encode(self, request: Ask) -> bytes:
        """The octets of `request`, with the next tag. Octets that belong to no request before it are thrown away."""
        if not self._spec.tagged:
            self._counters.discarded_octets += len(self._buffer)
            self._buffer.clear()
        self._tag = next_tag(self._tag)
        return self._driver.request(request, self._tag)

    def sent(self, request: Ask, octets: bytes, now: float) -> int:
        """`octets`, those of `request`, have left; its tag."""
        self._counters.requests += 1
        self._request, self._asked_at = request, now
        self.faults.sent(now)
        if self._is_silent(self.unit_of(request), now):
            self._silent_until = self._came_at
        if self.is_text(request):
            self._silent_before = now - self._came_at >= self.asked.window(TEXT, now)
            if not self.resync.asks(request):
                self.text.sent(request, now)
        elif isinstance(request, Read):
            self.asked.sent(request, now)
        elif isinstance(request, Write):
            self.asked.wrote(request, now)
        self.doubted, self.doubted_until, self.misanswered = None, FOREVER, False
        self._foreign_before, self._unsound_before = self._counters.foreign, self._counters.discarded_octets
        if not self._spec.tagged:
            self._collided = isinstance(request, Read) and self.others.is_awaited(signature_of(request), now)
            self.others.sent(octets)
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
        self._came_at = now
        echoed = 0 if self._spec.tagged else self._echo.strip(self._buffer, request)
        self._counters.echoes += echoed > 0
        if echoed < 0:
            return None
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found, now)
            elif isinstance(found, ForeignRequest):
                self._other_master(found, now)
            elif isinstance(found, Registers) and self._collided:
                self._counters.foreign += 1
            elif isinstance(found, ExceptionResponse) and not self._proves(request, now):
                if self.doubted is None:
                    self.doubted_until = now + self.asked.least_window_s
                self.doubted = found
            elif isinstance(found, Text) and not self.resync.may_answer(request, found.line):
                self._shifted(request, found.line, now)
            elif isinstance(found, Confirmed) and self._overtaken(request, now):
                self._counters.late += 1  # the earlier one's, or this one's: the second one counts
            else:
                return found
        return None

    def oldest(self, request: Ask, now: float) -> float:
        """Time of the oldest request that the response to `request`, sent now, may answer: its own, or one that looked alike."""
        if self.names_request(now):
            return now
        unit = self.unit_of(request)
        owed = again = None
        if self.is_text(request):
            owed = self.text.owed(request, now, now - max(self.asked.window(unit, now), OWED_S))
        elif isinstance(request, Read):
            owed_s = max(self.asked.window(unit, now), WIRE_S, WIRE_TIMEOUTS * self._timeout_s)
            owed = self.late.owed_alike(request, now, now - owed_s)
        if not self._is_silent(unit, now):
            again = self._asked_alike(request, unit, now)
        return min(at for at in (now, owed, again) if at is not None)

    def _asked_alike(self, request: Ask, unit: int, now: float) -> float | None:
        """Time of the last request that looked alike since the line was silent; of the first one, on a unit in doubt."""
        since = max(now - min(self.asked.window(unit, now), HOLD_LIMIT_S), self._silent_until)
        first = self.doubts.is_doubtful(unit, now)
        if self.is_text(request):
            return self.text.asked_alike(request, since, first=first)
        return self.asked.asked_since(request, since, first=first) if isinstance(request, Read) else None

    def _is_silent(self, unit: int, now: float) -> bool:
        """True if nothing has come for a window: what was asked before has been answered."""
        return now - self._came_at >= min(self.asked.window(unit, now), HOLD_LIMIT_S)

    def cut_short(self, request: Ask, now: float, timeout_s: float) -> None:
        """The connection was lost before the response to `request`, which may come in the next one."""
        if self.is_text(request):
            self._expect_line(request, now, timeout_s)
        elif isinstance(request, Read | Write) and not self.names_request(now):
            self._expect(request, now, timeout_s)

    def is_text(self, request: Ask) -> bool:
        """True if the response to `request` names nothing of it: a line of text, of ADAM modules, a meter's readout."""
        return self._spec.anonymous or isinstance(request, Question)

    def unit_of(self, request: Ask) -> int:
        """The unit whose responses may be taken for that to `request`; TEXT, one for all devices, on a line of text."""
        return TEXT if self._spec.anonymous or isinstance(request, Question) else request.unit

    def answered(self, request: Ask, found: Found, now: float, timeout_s: float) -> None:
        """`request` had its response in time.

        A gateway that reached no device (exceptions 10 and 11) may still get a response from it. So may we behind an exception
        that may be another request's.
        """
        if found is self.doubted and isinstance(request, Read | Write):
            until = now + self.asked.window(request.unit, now)
            self.late.expect(request, self._asked_at, until, refused=True)
            return
        if self.doubted is not None:
            self._counters.doubled += 1
            self.faults.again(f"{shown_of(request)}: an exception", self._asked_at, now)
        if isinstance(request, Read) and isinstance(found, ExceptionResponse) and found.code in UNREACHED:
            if self._spec.tagged:
                self._suspect_gateway(now, FOREVER)
                self._expect(request, now, timeout_s)
            return
        if isinstance(request, Read) and isinstance(found, ExceptionResponse) and not self._spec.tagged:
            self.late.only_refused(request, self._asked_at, now)
        self.asked.took(now - self._asked_at)
        if self._spec.tagged:
            self._answered_tags[self._tag] = (shown_of(request), self._asked_at)
            if len(self._answered_tags) > TAGS_LIMIT:
                self._answered_tags.popitem(last=False)
        if isinstance(found, Text) and not self.resync.asks(request):
            self._line = found.line
        if self.is_text(request):
            self.text.accepted(request, found)
            return
        if isinstance(request, Read) and isinstance(found, Registers):
            self._keep_frame(self.asked.signature_of(request))
            self.faults.accepted(signature_of(request), now)
        elif isinstance(request, Write):
            self._confirmations.append((self._frame, self._asked_at))
        if isinstance(request, Read | Write) and not isinstance(found, ExceptionResponse):
            in_order = not self._network and not self.asked.lag(request.unit, now)
            self.late.answered(request, self._asked_at, now, in_order=in_order)

    def _proves(self, request: Ask, now: float) -> bool:
        """True if the exception that has come now can only be that to `request`: of its unit and function it is the sole one."""
        if self._spec.tagged or not isinstance(request, Read | Write):
            return True
        function = request.table if isinstance(request, Read) else request.function
        pending = self.late.may_be_pending(request.unit, function, now)
        alone = not pending and self.exception_wait_s(request, now) <= 0
        self._exceptions[request.unit, function] = now
        return alone

    def exception_wait_s(self, request: Read | Write, now: float) -> float:
        """Seconds until an exception to `request` is told from the last one of its unit and function."""
        function = request.table if isinstance(request, Read) else request.function
        last = self._exceptions.get((request.unit, function))
        return 0.0 if last is None else last + self.asked.window(request.unit, now) - now

    def next_of(self, reads: OutstandingReads, now: float) -> ReadResponse | None:
        """The next response to one of `reads`; None while there is no whole one."""
        while (found := reads.take(self._spec, self._driver, self._buffer)) is not None:
            if not isinstance(found, Foreign):
                return found
            self._foreign(found, now)
        return None

    def answered_concurrently(self, found: Found, now: float) -> None:
        """One of several requests had its response in time."""
        if isinstance(found, ExceptionResponse) and found.code in UNREACHED:
            self._suspect_gateway(now, FOREVER)

    def timed_out(self, request: Ask, now: float, timeout_s: float) -> None:
        """No response to `request` in its time. One is outstanding from now on, unless it has come and was unsound."""
        self._counters.timeouts += 1
        unsound = len(self._buffer) + self._counters.discarded_octets - self._unsound_before
        self._counters.garbled += bool(unsound and self._foreign_before == self._counters.foreign)
        if self.is_text(request):
            self._expect_line(request, now, timeout_s)
        elif not isinstance(request, Read | Write):
            return  # an identification: nobody else is asked for one
        elif self._spec.tagged:
            if isinstance(request, Read):
                self._suspect_gateway(now, TIMEOUT_EVIDENCE_S)
                self._expect(request, now, timeout_s)
                self._remember_tag(request)
        elif unsound < response_octets(request) - CUT_OCTETS:
            self._expect(request, now, timeout_s)

    def _expect(self, request: Read | Write, now: float, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.late.expect(request, self._asked_at, now + self._clock_s(request.unit, timeout_s, now))

    def _suspect_gateway(self, now: float, seconds: float) -> None:
        """Evidence that a gateway answers for the device: a transaction id then proves no more than the gateway (D122)."""
        if self._behind != "device":
            self._gateway_until = max(self._gateway_until, now + seconds)

    @property
    def behind_gateway(self) -> bool:
        """True once more than a time-out has told of a gateway."""
        return self._gateway_until == FOREVER

    def names_request(self, now: float) -> bool:
        """True where a response names its request: a transaction id, and nothing that tells of a gateway."""
        return self._spec.tagged and now >= self._gateway_until

    def _expect_line(self, question: Ask, now: float, timeout_s: float) -> None:
        """The line that answers `question` is missing; until then it keeps all other questions of its line waiting."""
        if self.resync.asks(question):
            return  # its reply is never taken for another one
        least_s = NETWORK_S if self._path == "network" else WIRE_S
        lasts_s = max(least_s, TEXT_TIMEOUTS * timeout_s, 2 * self.asked.lag(TEXT, now))
        self.text.expect(question, self._asked_at, self._asked_at + lasts_s)

    def _clock_s(self, unit: int, timeout_s: float, now: float) -> float:
        """The time after which a missing response comes no more."""
        if self._network and (self._path is not None or not self._spec.tagged):  # behind an id there is a wire
            return max(NETWORK_S, 2 * self.asked.lag(unit, now))
        return max(WIRE_S, WIRE_TIMEOUTS * timeout_s, 2 * self.asked.lag(unit, now))

    def _remember_tag(self, read: Read) -> None:
        self._late_tags[self._tag] = read
        if len(self._late_tags) > TAGS_LIMIT:
            self._late_tags.popitem(last=False)

    # ------------------------------------------------------------------ octets that no request waits for

    def unexpected(self, now: float, octets: bytes = b"") -> None:
        """Judge what is in the buffer, and `octets` behind it: a late response, one that came twice, or noise."""
        self._buffer += octets
        request = self._request
        if not self._buffer or request is None:
            self._before_any(now)
            return
        self._came_at = now
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found, now)
            elif isinstance(found, ForeignRequest):
                self._other_master(found, now)
            elif (
                isinstance(request, Read)
                and isinstance(found, Registers)
                and self.others.answered(self.asked.signature_of(request), now)
            ):
                self._counters.foreign += 1
            elif (
                isinstance(request, Read | Write)
                and not self.is_text(request)
                and (late := self._settled(request, found, now)) is not None
            ):
                self._came_late(late, now)
            elif isinstance(request, Read) and isinstance(found, Registers) and not self.is_text(request):
                self._surplus(self.asked.signature_of(request), request.unit, now)
            else:
                if isinstance(found, ExceptionResponse):
                    self._proves(request, now)
                self._counters.doubled += 1
                self._may_contradict(request, found, now)
                self.asked.lagged(self.unit_of(request), now - self._asked_at, now)
                if isinstance(found, Text):
                    self.resync.shifted = True
                    self._doubt(found.line, now)
                else:
                    self.doubts.surplus(self.unit_of(request), now)
                self.faults.again(shown_of(request), self._asked_at, now)

    def _before_any(self, now: float) -> None:
        """Judge what has come before the first request: responses to somebody else, or to an earlier OS process."""
        request = self._coming
        if request is None or self._spec.tagged or self.is_text(request):
            return
        while (found := self._take(request, now)) is not None:
            signature = self._signature_shown(request, found)
            if signature is not None:
                self._counters.foreign += 1
                self.asked.contest(signature, now)

    def _signature_shown(self, request: Ask, found: Step) -> ReadSignature | None:
        """The signature of `found`, a unit that came before `request`; None if it is no response to a read."""
        if isinstance(found, Registers) and isinstance(request, Read):
            return self.asked.signature_of(request)
        if isinstance(found, Foreign) and found.octets_of_data is not None and found.function in _FUNCTION_TABLES:
            return (found.unit, _FUNCTION_TABLES[found.function], found.octets_of_data)
        return None

    def _may_contradict(self, request: Ask, found: Step, now: float) -> None:
        """Tell two devices by two answers that differ, to one question of a line that was silent before it."""
        if not isinstance(found, Text | Registers) or not self.is_text(request) or not self._silent_before:
            return
        count = self.text.contradictions(request, found, now)
        if count:
            self.doubts.contradicted(request, TEXT, now, certain=count >= CONTRADICTIONS)
        if count >= CONTRADICTIONS:
            self.faults.two_answers(shown_of(request), now - self._asked_at, now)

    def _settled(self, request: Read | Write, found: Step, now: float) -> LateResponse | None:
        if isinstance(found, ExceptionResponse):
            return self.late.settle_refused(request, now)
        return self.late.settle_request(request, now, known=self._is_known_to(request, found, now))

    def late_line(self, request: Ask, octets: bytes, now: float) -> bool:
        """True if `octets` complete a line of text, which can only be the response that `request` did not get in time."""
        self._buffer += octets
        if self._driver.take(request, self._tag, self._buffer) is None:
            return False
        self.line_came_late(request, now)
        return True

    def line_came_late(self, request: Ask, now: float) -> None:
        """A line of text has come that is the answer to the first question without one."""
        self._counters.late += 1
        self.faults.late(shown_of(request), self._asked_at, now)
        self.text.settle()
        self.asked.lagged(TEXT, now - self._asked_at, now)
        self.doubts.surplus(TEXT, now)

    def resynchronized(self, now: float, timeout_s: float) -> None:
        """The reply that is told from all others has come."""
        self.doubts.hold = False
        if self.is_in_order(now, timeout_s):
            self.text.settle_all()

    def is_in_order(self, now: float, timeout_s: float) -> bool:
        """True if a line of text is first in, first out: no line is missing any more once a later one has come."""
        return not self._network and self.asked.lag(TEXT, now) <= timeout_s

    def _shifted(self, request: Ask, line: str, now: float) -> None:
        """`line` came, which does not answer `request`: a missing one, or a second one."""
        missing = self.text.any(now) and not self.resync.is_reply(line)
        text = f"`{line[:TEXT_SHOWN]}` came where {shown_of(request)} was due"
        self.faults.conditions.note("late-answers" if missing else "surplus-frames", text, now)
        self.resync.shifted = True
        if missing:
            self._counters.late += 1
            self.text.settle()
        else:
            self._counters.doubled += 1
        self._doubt(line, now)

    def _doubt(self, line: str, now: float) -> None:
        """A surplus line: nothing is in doubt if it is no other's reply, or that of the only question since the last proof."""
        again = bool(self._line) and line == self._line and self.doubts.resting(TEXT) <= 1
        if self.resync.is_reply(line) or (self.resync.is_known and again):
            self.doubts.harmless(TEXT, now)
        else:
            self.doubts.surplus(TEXT, now)

    # ------------------------------------------------------------------ units

    def _take(self, request: Ask, now: float) -> Step | None:
        """The next unit; what the driver threw away before it found none is counted."""
        before = bytes(self._buffer)
        tag = self._spec.tag_of(self._buffer) if self._spec.tagged else -1
        found = self._driver.take(request, self._tag, self._buffer)
        self._frame = before[: len(before) - len(self._buffer)]
        if found is None:
            self._counters.discarded_octets += len(self._frame)
        elif tag in self._late_tags and tag != self._tag:
            late = self.late.settle_request(self._late_tags.pop(tag), now)
            if late is not None:
                self.faults.late(shown_late(late), late.asked_at, now)
        elif tag in self._answered_tags and tag != self._tag:
            self.faults.again(*self._answered_tags[tag], now)
        return found

    def _foreign(self, found: Foreign, now: float) -> None:
        """A sound unit that answers something else: late, a second time, or nothing that is known."""
        table, octets = _FUNCTION_TABLES.get(found.function), found.octets_of_data
        if found.function & EXCEPTION:
            function = found.function & ~EXCEPTION
            self._exceptions[found.unit, _FUNCTION_TABLES.get(function, function)] = now
        if self._spec.tagged and octets is not None:  # under the id of a request that wants another response
            self.faults.misfit(found.unit, found.function, octets, now)
            self._suspect_gateway(now, FOREVER)
            self.misanswered = self._spec.tag_of(bytearray(self._frame)) == self._tag
        signature = None if table is None or octets is None else self._signature(found.unit, table, octets)
        if found.may_ask or (signature is not None and self.others.answered(signature, now)):
            self._counters.foreign += 1
            return
        known = signature is not None and (self._is_known(signature) or self.asked.is_heard(signature, now))
        late = self.late.settle(found, _FUNCTION_TABLES, now, known=known)
        if late is not None:
            self._came_late(late, now)
        elif signature is None or self._spec.tagged:
            self._counters.foreign += 1
            self._confirmed_again(found, now)
        else:
            self._surplus(signature, found.unit, now)

    def _signature(self, unit: int, table: str, octets: int) -> ReadSignature:
        return (ANY_UNIT if self.asked.any_unit else unit, table, octets)

    def _other_master(self, found: ForeignRequest, now: float) -> None:
        """A request that is not ours: its response is not ours either, and ours are to look different."""
        if self.others.is_echo(self._frame):
            self._counters.echoes += 1
            return
        self._counters.foreign += 1
        table = _FUNCTION_TABLES.get(found.function)
        self.faults.other_asked(found.unit, found.function, found.octets_of_data, now)
        if table is None or found.octets_of_data is None:
            return
        signature = (found.unit, table, found.octets_of_data)
        self.others.asked(signature, now, self.asked.window(found.unit, now))
        self.asked.contest(signature, now)
        if table in ("coil", "discrete"):
            self.asked.contest((found.unit, table, AMBIGUOUS_OCTETS), now)
        request = self._request
        self._collided |= isinstance(request, Read) and signature_of(request) == signature

    def _surplus(self, signature: ReadSignature, unit: int, now: float) -> None:
        """A response to a read that nobody waits for: the second one to ours, or one to somebody else's."""
        again = self.asked.last_of(signature)
        if again is not None and now - again < SECOND_WITHIN_S and self._is_known(signature):
            self._counters.doubled += 1
            self.asked.lagged(unit, now - again, now)
            self.faults.again(shown(unit, *signature[1:]), again, now)
            self.doubts.surplus(unit, now)
            return
        self._counters.foreign += 1
        self.asked.contest(signature, now)
        if again is not None and now - again <= SUSPECTED_WITHIN_S:
            self.asked.suspected(unit, now - again, now)
        lag_s = self.faults.stranger_came((unit, *signature[1:]), now)
        if lag_s is not None:
            self.asked.lagged(unit, lag_s, now)
        self.doubts.stranger(unit, signature, now)

    def _confirmed_again(self, found: Foreign, now: float) -> None:
        """The second confirmation of a write shows the lag of its unit."""
        at = next((at for frame, at in reversed(self._confirmations) if frame == self._frame), None)
        if at is not None and now - at < SECOND_WITHIN_S:
            self.asked.lagged(found.unit, now - at, now)

    def _is_known_to(self, request: Read | Write, found: Step, now: float) -> bool:
        """True if the response in hand, which looks like that to `request`, has come before, or is somebody else's."""
        if not isinstance(request, Read) or not isinstance(found, Registers):
            return True
        signature = self.asked.signature_of(request)
        return self._is_known(signature) or self.asked.is_heard(signature, now)

    def _keep_frame(self, signature: ReadSignature) -> None:
        if len(self._frames) > SIGNATURES_LIMIT:
            self._frames.clear()
        self._frames.setdefault(signature, deque(maxlen=FRAMES_KEPT)).append(self._frame)

    def _is_known(self, signature: ReadSignature) -> bool:
        """True if a response with these very octets has come to a read of ours."""
        frame = self._frame
        return any(frame.endswith(one) or one.endswith(frame) for one in self._frames.get(signature, ()))

    def _came_late(self, late: LateResponse, now: float) -> None:
        if late.refused:
            self._counters.doubled += 1
            self.faults.again(f"unit {late.unit}, {late.signature[1]}: an exception", late.asked_at, now)
            if isinstance(octets := late.signature[2], int) and late.question is not None:
                self._keep_frame((ANY_UNIT if self.asked.any_unit else late.unit, late.question[1], octets))
            self.doubts.surplus(late.unit, now)
            return
        self._counters.late += 1
        lag_s = now - late.asked_at
        self.faults.late(shown_late(late), late.asked_at, now)
        if late.question is not None:
            self.asked.lagged(late.unit, lag_s, now)
            self.doubts.surplus(late.unit, now)
            if isinstance(octets := late.signature[2], int):
                self._keep_frame((ANY_UNIT if self.asked.any_unit else late.unit, late.question[1], octets))
        self._network = self._network or (self._path is None and lag_s > 2 * self._timeout_s)

    def _overtaken(self, request: Ask, now: float) -> bool:
        return isinstance(request, Write) and not self._spec.tagged and self.late.settle_overtaken(request, now)
