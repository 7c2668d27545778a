"""Silence of one line: waits for it, and judges the octets that come meanwhile (pure).

    before a frame     3.5 characters, the device's own pause; a window of silence where the line is in doubt
    after a time-out   until the line is silent for as long as a response ever took; on a line of text, for the missing line

Every method that waits is a generator of `port_steps`.
"""

from acquisition.drivers.base import Ask
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.exchange.identity.late_text import TEXT
from acquisition.exchange.port_steps import Receive, Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.transport.errors import NoConnectionError, UnsentError
from mapping.plan import DevicePlan


class LineSilence:
    """Waits for silence of one line. `held_s`: waited so far for windows of silence, since the line was in doubt."""

    def __init__(self, context: ExchangeContext) -> None:
        self._spec = context.spec
        self._time = context.time
        self._connection = context.connection
        self._frame_silence = context.frame_silence
        self._responses = context.responses
        self._attribution = context.attribution
        self._beginnings = context.beginnings
        self._turnarounds = context.turnarounds
        self.held_s = 0.0

    def wait(self, device: DevicePlan, *, hold: bool = False) -> Steps[bool]:
        """Wait for the silence before a frame: 3.5 characters of the line, the device's own pause, a window with `hold`.

        Octets that come meanwhile begin the silence anew; False if there is none for the device's time-out. Raises
        NoConnectionError; UnsentError if it is a connection that has served.
        """
        try:
            return (yield from self._until_silent(device, hold=hold))
        except NoConnectionError as error:
            if self._spec.serial or not self._connection.served:
                raise
            raise UnsentError(str(error)) from error

    def _until_silent(self, device: DevicePlan, *, hold: bool) -> Steps[bool]:
        self._responses.unexpected(self._time.now)
        if hold:
            yield from self._window_of_silence(TEXT if self._spec.names_no_unit else device.unit)
        yield from self._other_master_done()
        until = max(self._time.now, self._frame_silence.free_at(device)) + device.polling.timeout_ms / 1000
        while True:
            while self._time.now < (free := self._frame_silence.free_at(device)):
                self._unexpected((yield Receive(free)))
                if self._time.now > until:
                    return False
            octets = b"" if self._spec.tagged else (yield Receive(self._time.now))  # some that nobody has seen
            self._unexpected(octets)
            if self._time.now > until:
                return not octets
            if self._attribution.others.until(self._time.now) > self._time.now:
                yield from self._other_master_done()  # it has asked within our silence
            elif not octets:
                return True

    def _window_of_silence(self, unit: int) -> Steps[None]:
        """Wait until the line was silent for a window; a line that never is, since others talk on it, for HOLD_LIMIT_S."""
        began, until = self._time.now, self._time.now + HOLD_LIMIT_S
        octets = yield Receive(self._time.now)  # some that nobody has seen
        while True:
            self._unexpected(octets)
            window_s = self._beginnings.silence_s(self._attribution.asked.silence_s(unit, self._time.now))
            free = min(self._frame_silence.since + window_s, until)  # what came may have made the window wider
            if self._time.now >= (until if octets else free):
                break
            octets = yield Receive(self._time.now if octets else free)
        self.held_s += self._time.now - began
        self._beginnings.listened(unit)

    def _other_master_done(self) -> Steps[None]:
        """Wait for the response to another master's request that was heard, for one window at most."""
        others = self._attribution.others
        last = others.until(self._time.now)
        while self._time.now < (until := min(others.until(self._time.now), last)):
            self._unexpected((yield Receive(until)))

    def listen(self, seconds: float) -> Steps[None]:
        """Judge the octets that come within `seconds`, while nothing is asked."""
        until = self._time.now + seconds
        while self._time.now < until:
            self._unexpected((yield Receive(until)))

    def after_timeout(self, request: Ask, device: DevicePlan) -> Steps[None]:
        """Wait until the line is silent, or, on a line of text, for the missing response (D65) unless a `resync` settles it.

        Octets that come meanwhile are no response to anything that follows.
        """
        text, timeout_s = self._attribution.text, device.polling.timeout_ms / 1000
        if self._spec.tagged or text.resync.asks(request):
            return
        if not self._spec.anonymous:
            yield from self._until_quiet(min(self._turnarounds.longest_s, timeout_s), timeout_s)
        elif text.can_settle(device, self._time.now):
            self._attribution.doubts.hold = True
        else:
            yield from self._until_late_line(request, 4 * timeout_s)

    def _until_quiet(self, silence_s: float, seconds: float) -> Steps[None]:
        """Wait until nothing came for `silence_s`, for `seconds` at most."""
        until = self._time.now + seconds
        while self._time.now < until:
            octets = yield Receive(min(self._time.now + silence_s, until))
            if not octets:
                return
            self._unexpected(octets)

    def _until_late_line(self, request: Ask, seconds: float) -> Steps[None]:
        """A line of text does not name its question: wait for the missing one, or long enough that none will come."""
        until = self._time.now + seconds
        while self._time.now < until:
            if self._responses.late_line(request, (yield Receive(until)), self._time.now):
                return

    def _unexpected(self, octets: bytes) -> None:
        if octets:
            came_at = min(self._time.came_at, self._time.now)
            self._frame_silence.broken(came_at)
            self._responses.unexpected(came_at, octets)
