"""Single exchange on one line (pure): one request is sent, and its response is awaited.

silence ── request ── response in time ──► found
▲                └─ time-out ──► outstanding response, hold until the line is silent ──► None
└── octets that no request waits for: the silence begins anew, at most for the device's time-out
"""

from typing import Final

from acquisition.drivers.base import Ask, Continue, Found, Read, Registers
from acquisition.exchange.port_steps import Receive, Rest, Send, SetBaudrate, Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.exchange.request_response.line_silence import LineSilence
from acquisition.exchange.request_response.safe_requests import SafeRequests
from acquisition.exchange.responses import response_octets
from acquisition.transport.errors import NoConnectionError
from mapping.plan import DevicePlan

TOO_SOON_S: Final = 0.002  # less than that sooner than ever is the jitter of a computer


class SingleExchange:
    """Exchanges of one line, one at a time.

    `asked_at`: time of the last request, or of an earlier one that looked alike and may be the one that was answered.
    """

    def __init__(self, context: ExchangeContext, safe: SafeRequests, silence: LineSilence) -> None:
        self._spec = context.spec
        self._time = context.time
        self._timing = context.timing
        self._connection = context.connection
        self._counters = context.counters
        self._attribution = context.attribution
        self._responses = context.responses
        self._frame_silence = context.frame_silence
        self._turnarounds = context.turnarounds
        self._safe = safe
        self._silence = silence
        self.asked_at = 0.0

    def after_silence(
        self, request: Ask, device: DevicePlan, *, hold: bool, accept: bool = True
    ) -> Steps[Found | None]:
        """The response to `request`, sent once the line is silent; None if there is none, or if the line never was."""
        self._responses.coming(request)
        if (yield from self._silence.wait(device, hold=hold)):
            return (yield from self.at_once(request, device, accept=accept))
        self._counters.babble += 1
        return None

    def at_once(self, request: Ask, device: DevicePlan, *, accept: bool = True) -> Steps[Found | None]:
        """The response to `request`, sent now; None if there is none in time. `accept`: its reading counts at once."""
        proven = self._safe.is_proof(request)
        sent = yield from self._send(request)
        timeout_s = device.polling.timeout_ms / 1000
        response_s = response_octets(request) * self._timing.response_character_s
        try:
            found = yield from self._await_response(request, sent, sent + timeout_s + response_s, timeout_s)
        except NoConnectionError:
            self._attribution.cut_short(request, self._time.now, timeout_s)
            raise
        now = self._time.now
        self._frame_silence.exchange_ended(device.unit, now)
        if found is None:
            self._responses.timed_out(request, now, timeout_s)
            yield from self._silence.after_timeout(request, device)
            return None
        self._connection.served = True
        self._counters.count_response(found)
        self._attribution.answered(request, found, now, timeout_s)
        if accept:
            self.accept(request, found, now, proven=proven)
        self._turnarounds.responded(now - sent)
        if self._spec.serial and isinstance(found, Registers):
            self._turnarounds.add(device.unit, now - sent - response_s)
        return found

    def accept(self, request: Ask, found: Found, now: float, *, proven: bool) -> None:
        """The reading of `found` is published; it rests on silence unless it is `proven`."""
        attribution = self._attribution
        if attribution.text.concerns(request):
            attribution.doubts.rests(request, attribution.text.unit_of(request), now, proven=proven)
        elif isinstance(request, Read) and isinstance(found, Registers):
            attribution.doubts.accepted(request, attribution.asked.signature_of(request), now, proven=proven)

    def _send(self, request: Ask) -> Steps[float]:
        """Send `request`; the time at which its last character is on the line."""
        if self._spec.longest_s:
            yield SetBaudrate(self._timing.baudrate)
        octets = self._responses.encode(request)
        self.asked_at = self._attribution.ages.oldest(request, self._time.now)
        yield Send(octets)
        self._responses.sent(request, octets, self._time.now)
        return self._time.now + len(octets) * self._timing.character_s

    def _await_response(self, request: Ask, sent: float, deadline: float, timeout_s: float) -> Steps[Found | None]:
        exceptions = self._attribution.exceptions
        last = self._time.now + self._spec.longest_s
        while self._time.now < (until := min(deadline, exceptions.doubted_until)):
            octets = yield Receive(until)
            if not octets:
                continue
            self._frame_silence.broken(self._time.now)
            self._responses.receive(octets)
            if self._spec.longest_s:
                deadline = min(last, self._time.now + timeout_s)
            while (found := self._responses.next(request, self._time.now)) is not None:
                if self._came_too_soon(sent):
                    self._attribution.text.came_late(request, self._time.now)
                    continue
                if not isinstance(found, Continue):
                    return found
                yield from self._continue(found)
                deadline = min(last, self._time.now + timeout_s)
        return exceptions.doubted

    def _came_too_soon(self, sent: float) -> bool:
        """True if what came is the missing line of text: no answer has ever come so soon."""
        shortest_s = self._turnarounds.shortest_s
        if not self._spec.anonymous or not self._attribution.text.late.any(self._time.now):
            return False
        return self._time.now - sent < min(shortest_s - TOO_SOON_S, shortest_s / 2)

    def _continue(self, more: Continue) -> Steps[None]:
        """Go on with a conversation; ends when all of it is on the line."""
        yield Rest(self._time.now + more.after_s)
        yield Send(more.octets)
        yield Rest(self._time.now + len(more.octets) * self._timing.character_s)
        if more.baudrate is not None:
            yield SetBaudrate(more.baudrate)
