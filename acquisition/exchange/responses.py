"""Responses of one line: octets that were received, cut into units and matched with the request (pure; time is a parameter).

    encode ── sent ── receive ──► next: the response, or Continue, or None: wait for more octets
                         │          └── a unit that answers something else: counted, and the next one
                         └─ timed_out ──► LateResponse, settled by `unexpected` or by time

A port or a timer has no place here: the caller waits, and hands over what came.
"""

from collections import OrderedDict, deque
from typing import Final

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    Continue,
    Driver,
    DriverSpec,
    ExceptionResponse,
    Foreign,
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
from acquisition.exchange.identity.exceptions import Exceptions, function_of
from acquisition.exchange.identity.late_answers import NETWORK_S, WIRE_S, WIRE_TIMEOUTS, LateResponse, LateResponses
from acquisition.exchange.identity.late_text import LateText
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse

FRAME_OCTETS: Final = 5  # around the data of a response to a read: unit, function, length, check sum
CONFIRMATION_OCTETS: Final = 8
CUT_OCTETS: Final = 3  # that may be missing from an unsound response which has come nevertheless
SECOND_WITHIN_S: Final = 30.0  # a second response later than that is not told from a stray frame
UNREACHED: Final = (10, 11)  # exceptions of a gateway that has got no response from the device behind it
TIMEOUT_EVIDENCE_S: Final = 600.0  # a time-out alone may be that of a gateway
OWED_S: Final = 1.0  # an unanswered request so old may be the one that is answered, whatever the lag was so far
TEXT_TIMEOUTS: Final = 8.0
CONTRADICTIONS: Final = 3  # in a row, of lines of text: another master's lines are fewer
TAGS_LIMIT: Final = 256
FRAMES_KEPT: Final = 8
TEXT: Final = -2  # the unit of all devices of a line of text
EXCEPTION: Final = 0x80  # in the function of a response
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

    `tag` is the number of the last request, which drivers of protocols with transaction ids put on the wire. `gateway`: such
    an id proves no more than that the gateway has answered, since the devices behind it have none.
    """

    def __init__(
        self, spec: DriverSpec, driver: Driver, counters: Counters, tag: int, *, gateway: bool = False
    ) -> None:
        shared = spec.tagged and gateway
        self.late = LateResponses(any_unit=shared)
        self.asked = AskedReads(any_unit=shared)
        self.doubts = Doubts()
        self.exceptions = Exceptions()
        self.text = LateText()
        self.faults = ChannelFaults("second-master" if spec.serial else "shared-line", read_between=not spec.tagged)
        self._spec = spec
        self._driver = driver
        self._counters = counters
        self._echo = Echo()
        self._buffer = bytearray()
        self._tag = tag
        self._gateway_until = float("inf") if gateway else 0.0
        self._request: Ask | None = None  # the last one
        self._asked_at = 0.0  # it was sent
        self._network = spec.transport != "serial"  # not first in, first out, and slow for all that is known
        self._frame = b""  # the last unit, as it came
        self._frames: dict[ReadSignature, deque[bytes]] = {}  # of accepted and late responses, the last ones
        self._confirmations: deque[tuple[bytes, float]] = deque(
            maxlen=FRAMES_KEPT
        )  # of writes, and when they were sent
        self._late_tags: OrderedDict[int, Read] = OrderedDict()  # of reads without a response, by their tag
        self._answered_tags: OrderedDict[int, tuple[str, float]] = OrderedDict()  # the request, and when it was sent
        self._timeout_s = 0.0  # of the last request that had none
        self._seemed_late = False  # an exception to it that proves nothing has come
        self._unsound_before = self._foreign_before = 0  # the last request
        self._came_at = -SECOND_WITHIN_S  # the last octets
        self._silent_until = 0.0  # the line was, for a window
        self._silent_before = False  # the line was silent for a window before the last request

    # ------------------------------------------------------------------ a request

    def reset(self) -> None:
        """Forget the octets of a connection that has ended."""
        self._buffer.clear()

    def is_tidy(self, now: float) -> bool:
        """True if a new connection can bring no response to an earlier request: each names its own, and none is missing."""
        return self._spec.transport == "memory" or (self._spec.tagged and not self.late.any(now))

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
        self._request, self._asked_at, self._seemed_late = request, now, False
        self.faults.sent(now)
        if self._is_silent(self.unit_of(request), now):
            self._silent_until = self._came_at
        if self.is_text(request):
            self._silent_before = now - self._came_at >= self.asked.window(TEXT, now)
            self.text.sent(request, now)
        elif isinstance(request, Read):
            self.asked.sent(request, now)
        elif isinstance(request, Write):
            self.asked.wrote(request, now)
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
        self._came_at = now
        echoed = 0 if self._spec.tagged else self._echo.strip(self._buffer, request)
        self._counters.echoes += echoed > 0
        if echoed < 0:
            return None
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found, now)
            elif isinstance(found, Confirmed) and self._overtaken(request, now):
                self._counters.late += 1  # the earlier one's, or this one's: the second one counts
            elif isinstance(found, ExceptionResponse) and self._proves_nothing(request, now):
                self._counters.doubled += 1
            else:
                return found
        return None

    def _proves_nothing(self, request: Ask, now: float) -> bool:
        """True if an exception may be a late one: one came within the window before `request`, on a unit in doubt."""
        if self._spec.tagged or self.is_text(request) or not isinstance(request, Read | Write):
            return False
        unit, since = request.unit, self._asked_at - min(self.asked.window(request.unit, now), HOLD_LIMIT_S)
        self._seemed_late = self.doubts.is_doubtful(unit, now) and self.exceptions.came_since(request, since)
        if self._seemed_late and isinstance(request, Read):
            self.exceptions.answered(request, self.asked.signature_of(request), self._asked_at)
        self.exceptions.came(function_of(request), now)
        return self._seemed_late

    def oldest(self, request: Ask, now: float) -> float:
        """Time of the oldest request that the response to `request`, sent now, may answer: its own, or one that looked alike."""
        unit = self.unit_of(request)
        since = now - max(self.asked.window(unit, now), OWED_S)
        owed = again = None
        if self.is_text(request):
            owed = self.text.owed(request, now, since)
        elif isinstance(request, Read):
            owed = self.late.owed_alike(request, now, since)
        if not self._is_silent(unit, now):
            again = self._asked_alike(request, unit, now)
        return min(at for at in (now, owed, again) if at is not None and at >= since)

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
        elif isinstance(request, Read | Write) and not self._spec.tagged:
            self._expect(request, now, timeout_s)

    def is_text(self, request: Ask) -> bool:
        """True if the response to `request` names nothing of it: a line of text, of ADAM modules, a meter's readout."""
        return self._spec.anonymous or isinstance(request, Question)

    def unit_of(self, request: Ask) -> int:
        """The unit whose responses may be taken for that to `request`; TEXT, one for all devices, on a line of text."""
        return TEXT if self._spec.anonymous or isinstance(request, Question) else request.unit

    def answered(self, request: Ask, found: Found, now: float, timeout_s: float) -> None:
        """`request` had its response in time.

        A gateway that reached no device (exceptions 10 and 11) may still get a response from it.
        """
        if isinstance(request, Read) and isinstance(found, ExceptionResponse) and found.code in UNREACHED:
            if self._spec.tagged:
                self._suspect_gateway(now, float("inf"))
                self._expect(request, now, timeout_s)
            return
        self.asked.took(now - self._asked_at)
        if self._spec.tagged:
            self._answered_tags[self._tag] = (shown_of(request), self._asked_at)
            if len(self._answered_tags) > TAGS_LIMIT:
                self._answered_tags.popitem(last=False)
        if self.is_text(request):
            self.text.accepted(request, found)
            return
        if isinstance(request, Read) and isinstance(found, ExceptionResponse):
            self.exceptions.answered(request, self.asked.signature_of(request), self._asked_at)
        elif isinstance(request, Read):
            self.exceptions.read(request)
            self._keep_frame(self.asked.signature_of(request))
            self.faults.accepted(signature_of(request), now)
        elif isinstance(request, Write):
            self._confirmations.append((self._frame, self._asked_at))
        if isinstance(request, Read | Write) and not isinstance(found, ExceptionResponse):
            in_order = not self._network and not self.asked.lag(request.unit, now)
            self.late.answered(request.unit, in_order=in_order)

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
            self._suspect_gateway(now, float("inf"))

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
        elif unsound < response_octets(request) - CUT_OCTETS and not self._seemed_late:
            self._expect(request, now, timeout_s)

    def _expect(self, request: Read | Write, now: float, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.late.expect(request, self._asked_at, now + self._clock_s(request.unit, timeout_s, now))

    def _suspect_gateway(self, now: float, seconds: float) -> None:
        """Evidence that a gateway answers for the device: a transaction id then proves no more than the gateway (D122)."""
        self._gateway_until = max(self._gateway_until, now + seconds)

    @property
    def behind_gateway(self) -> bool:
        """True once more than a time-out has told of a gateway."""
        return self._gateway_until == float("inf")

    def names_request(self, now: float) -> bool:
        """True where a response names its request: a transaction id, and nothing that tells of a gateway."""
        return self._spec.tagged and now >= self._gateway_until

    def _expect_line(self, question: Ask, now: float, timeout_s: float) -> None:
        """The line that answers `question` is missing; until then it keeps all other questions of its line waiting."""
        lasts_s = max(WIRE_S, TEXT_TIMEOUTS * timeout_s, 2 * self.asked.lag(TEXT, now))
        self.text.expect(question, self._asked_at, self._asked_at + lasts_s)

    def _clock_s(self, unit: int, timeout_s: float, now: float) -> float:
        """The time after which a missing response comes no more."""
        if self._network and not self._spec.tagged:  # behind an id there is a wire
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
            return
        self._came_at = now
        while (found := self._take(request, now)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found, now)
            elif (
                isinstance(request, Read | Write)
                and not self.is_text(request)
                and (late := self._settled(request, found, now)) is not None
            ):
                self._came_late(late, now)
            elif isinstance(request, Read) and isinstance(found, Registers) and not self.is_text(request):
                self._surplus(self.asked.signature_of(request), request.unit, now)
            else:
                if isinstance(found, ExceptionResponse) and isinstance(request, Read | Write):
                    self.exceptions.came(function_of(request), now)
                self._counters.doubled += 1
                self._may_contradict(request, found, now)
                self.asked.lagged(self.unit_of(request), now - self._asked_at, now)
                self.doubts.surplus(self.unit_of(request), now)
                self.faults.again(shown_of(request), self._asked_at, now)

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
        refused = isinstance(found, ExceptionResponse)
        return self.late.settle_refused(request, now) if refused else self.late.settle_request(request, now)

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
            function = found.function ^ EXCEPTION
            self.exceptions.came((found.unit, _FUNCTION_TABLES.get(function, function)), now)
        if self._spec.tagged and octets is not None:  # under the id of a request that wants another response
            self.faults.misfit(found.unit, found.function, octets, now)
            self._suspect_gateway(now, float("inf"))
        late = self.late.settle(found, _FUNCTION_TABLES, now)
        if late is not None:
            self._came_late(late, now)
        elif table is None or octets is None or self._spec.tagged:
            self._counters.foreign += 1
            self._confirmed_again(found, now)
        else:
            self._surplus((ANY_UNIT if self.asked.any_unit else found.unit, table, octets), found.unit, now)

    def _surplus(self, signature: ReadSignature, unit: int, now: float) -> None:
        """A response to a read that nobody waits for: the second one to ours, or one to somebody else's."""
        again = self.asked.last_of(signature)
        if again is not None and now - again < SECOND_WITHIN_S and self._is_known(signature):
            self._counters.doubled += 1
            self.asked.lagged(unit, now - again, now)
            self.faults.again(shown(unit, *signature[1:]), again, now)
            self.doubts.surplus(unit, now)
            return
        refused_at = self.exceptions.data_came(signature, now)
        if refused_at is not None:
            self._seemed_refused(signature, unit, refused_at, now)
            return
        self._counters.foreign += 1
        self.asked.contest(signature, now)
        self.faults.stranger_came((unit, *signature[1:]), now)
        self.doubts.stranger(unit, signature, now)

    def _seemed_refused(self, signature: ReadSignature, unit: int, asked_at: float, now: float) -> None:
        """The data of a read after which an exception came: that one was late, to another read."""
        self._counters.late += 1
        self._keep_frame(signature)
        self.faults.late(shown(unit, *signature[1:]), asked_at, now)
        self.asked.lagged(unit, now - asked_at, now)
        self.doubts.surplus(unit, now)
        self.doubts.hold = True

    def _confirmed_again(self, found: Foreign, now: float) -> None:
        """The second confirmation of a write shows the lag of its unit."""
        at = next((at for frame, at in reversed(self._confirmations) if frame == self._frame), None)
        if at is not None and now - at < SECOND_WITHIN_S:
            self.asked.lagged(found.unit, now - at, now)

    def _keep_frame(self, signature: ReadSignature) -> None:
        if len(self._frames) > SIGNATURES_LIMIT:
            self._frames.clear()
        self._frames.setdefault(signature, deque(maxlen=FRAMES_KEPT)).append(self._frame)

    def _is_known(self, signature: ReadSignature) -> bool:
        """True if a response with these very octets has come to a read of ours."""
        frame = self._frame
        return any(frame.endswith(one) or one.endswith(frame) for one in self._frames.get(signature, ()))

    def _came_late(self, late: LateResponse, now: float) -> None:
        self._counters.late += 1
        lag_s = now - late.asked_at
        self.faults.late(shown_late(late), late.asked_at, now)
        if late.question is not None:
            self.asked.lagged(late.unit, lag_s, now)
            self.doubts.surplus(late.unit, now)
            if isinstance(octets := late.signature[2], int):
                self._keep_frame((ANY_UNIT if self.asked.any_unit else late.unit, late.question[1], octets))
        self._network = self._network or lag_s > 2 * self._timeout_s

    def _overtaken(self, request: Ask, now: float) -> bool:
        return isinstance(request, Write) and not self._spec.tagged and self.late.settle_overtaken(request, now)
