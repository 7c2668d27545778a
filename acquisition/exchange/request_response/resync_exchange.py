"""Resync exchange on a line of text (pure): a question with a reply of its own, instead of a window of silence (D128).

VERSION? ── V1.2 ── A? ── a ── VERSION? ── V1.2    in doubt: between two replies, no other line came, so a is the answer to A?
VERSION? ── V1.2 ── A? ── a                        otherwise: no line before A? is missing any more
"""

from acquisition.drivers.base import Ask, Found, Question, Read
from acquisition.exchange.beginnings import HOLD_S
from acquisition.exchange.identity.late_text import TEXT
from acquisition.exchange.port_steps import Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.exchange.request_response.line_silence import LineSilence
from acquisition.exchange.request_response.single_exchange import SingleExchange
from mapping.plan import DevicePlan


class ResyncExchange:
    """Exchanges of one line of text with a `resync` before them, and behind them where the line is in doubt."""

    def __init__(self, context: ExchangeContext, silence: LineSilence, single: SingleExchange) -> None:
        self._context = context
        self._time = context.time
        self._text = context.attribution.text
        self._doubts = context.attribution.doubts
        self._silence = silence
        self._single = single

    def question_before(self, request: Ask, device: DevicePlan) -> Question | None:
        """The question that is asked before `request` instead of a window of silence; None where silence has to do."""
        now, window_s = self._time.now, self._context.attribution.asked.silence_s(TEXT, self._time.now)
        silent = self._context.silent_s >= max(window_s, HOLD_S)
        if silent and not self._doubts.hold and self._text.may_ask(request, now):
            return None
        return self._text.resync.question(device, now) if isinstance(request, Question | Read) else None

    def exchange(self, request: Ask, device: DevicePlan, question: Question) -> Steps[Found | None]:
        """The response to `request` behind the reply to `question`, the `resync` of `device`; None if there is none."""
        doubtful = self._doubts.is_doubtful(TEXT, self._time.now)
        in_step = yield from self._in_step(question, device)
        if not self._text.may_ask(request, self._time.now):
            return None
        if doubtful and in_step:
            return (yield from self._between(request, device, question))
        return (yield from self._single.after_silence(request, device, hold=not in_step))

    def _in_step(self, question: Question, device: DevicePlan, *, behind: bool = False) -> Steps[bool]:
        """True if the line replies to what it is asked, and no other line came; otherwise it is to be silent.

        `behind` another question, none may have come since that one either.
        """
        resync = self._text.resync
        if not (yield from self._silence.wait(device)):
            return False
        resync.shifted = resync.shifted and behind
        found = yield from self._single.at_once(question, device)
        if found is None:
            resync.unanswered(device, self._time.now)
            return False
        self._text.resynchronized(self._time.now, device.polling.timeout_ms / 1000)
        return not resync.shifted

    def _between(self, request: Ask, device: DevicePlan, question: Question) -> Steps[Found | None]:
        """The response to `request` if `question` behind it shows no other line; otherwise that of a second try, by silence."""
        if not (yield from self._silence.wait(device)):
            return None
        self._text.resync.shifted = False
        found = yield from self._single.at_once(request, device, accept=False)
        if found is None:
            return None
        asked_at = self._single.asked_at
        if (yield from self._in_step(question, device, behind=True)):
            self._single.asked_at = asked_at
            self._single.accept(request, found, self._time.now, proven=False)
            return found
        return (yield from self._single.after_silence(request, device, hold=True))
