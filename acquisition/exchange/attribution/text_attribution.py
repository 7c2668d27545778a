"""Attribution of lines of text (pure): a line names nothing of its question, so its order and its form say whose it is.

    line in its question's time ──► accepted; another question's, if its form is that of a `resync` reply (D128)
    line that nobody waits for  ──► the first one that is missing, or a second one: the line is in doubt
    two lines to one question   ──► two devices, if they differ three times in a row and nothing was missing

All devices of a line of text count as one unit, TEXT.
"""

from typing import Final

from acquisition.drivers.base import Ask, DriverSpec, Found, Question, Registers, Step, Text
from acquisition.exchange.attribution.debt_clock import DebtClock
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import AskedReads
from acquisition.exchange.identity.channel_faults import ChannelFaults, shown_of
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_text import TEXT, LateText
from acquisition.exchange.identity.resynchronization import Resynchronization
from mapping.plan import DevicePlan

CONTRADICTIONS: Final = 3  # in a row: another master's lines are fewer
TEXT_SHOWN: Final = 40  # characters of a line


class TextAttribution:
    """Attribution of the lines of one line of text. `late`: those that are missing; `resync`: its questions to be in step."""

    def __init__(
        self,
        spec: DriverSpec,
        counters: Counters,
        asked: AskedReads,
        doubts: Doubts,
        faults: ChannelFaults,
        clock: DebtClock,
        resync: Resynchronization,
    ) -> None:
        self.late = LateText()
        self.resync = resync
        self._anonymous = spec.anonymous
        self._counters = counters
        self._asked = asked
        self._doubts = doubts
        self._faults = faults
        self._clock = clock
        self._asked_at = 0.0  # the last question
        self._silent_before = False  # the line was silent for a window before the last question
        self._line = ""  # the last one that was accepted

    # ------------------------------------------------------------------ a question

    def concerns(self, request: Ask) -> bool:
        """True if the response to `request` names nothing of it: a line of text, of ADAM modules, a meter's readout."""
        return self._anonymous or isinstance(request, Question)

    def unit_of(self, request: Ask) -> int:
        """The unit whose responses may be taken for that to `request`; TEXT, one for all devices, on a line of text."""
        return TEXT if self._anonymous or isinstance(request, Question) else request.unit

    def may_ask(self, question: Ask, now: float, device: DevicePlan | None = None) -> bool:
        """True unless the missing answer to another question could be taken for that to `question`, on a line of text.

        The `resync` of `device` settles that first, where it has one.
        """
        if not self.concerns(question) or self.late.may_ask(question, now):
            return True
        return device is not None and self.can_settle(device, now)

    def can_settle(self, device: DevicePlan, now: float) -> bool:
        """True if the reply to the `resync` of `device` shows that no line before it is missing."""
        in_order = self._is_in_order(now, device.polling.timeout_ms / 1000)
        return in_order and self.resync.question(device, now) is not None

    def sent(self, question: Ask, now: float, silent_s: float) -> None:
        """`question` is sent; nothing has come for `silent_s`."""
        self._asked_at = now
        self._silent_before = silent_s >= self._asked.window(TEXT, now)
        if not self.resync.asks(question):
            self.late.sent(question, now)

    def expect(self, question: Ask, now: float, timeout_s: float) -> None:
        """The line that answers `question` is missing; until then it keeps all other questions of its line waiting."""
        if self.resync.asks(question):
            return  # its reply is never taken for another one
        self.late.expect(question, self._asked_at, self._asked_at + self._clock.line_s(timeout_s, now))

    # ------------------------------------------------------------------ a line

    def is_answer(self, question: Ask, line: str, now: float) -> bool:
        """True if `line` may be the answer to `question`; otherwise it is a missing one, or a second one."""
        if self.resync.may_answer(question, line):
            return True
        self._shifted(question, line, now)
        return False

    def _shifted(self, question: Ask, line: str, now: float) -> None:
        missing = self.late.any(now) and not self.resync.is_reply(line)
        text = f"`{line[:TEXT_SHOWN]}` came where {shown_of(question)} was due"
        self._faults.conditions.note("late-answers" if missing else "surplus-frames", text, now)
        self.resync.shifted = True
        if missing:
            self._counters.late += 1
            self.late.settle()
        else:
            self._counters.doubled += 1
        self._doubt(line, now)

    def accepted(self, question: Ask, found: Found) -> None:
        """`found` was taken for the answer to `question`."""
        if isinstance(found, Text) and not self.resync.asks(question):
            self._line = found.line
        self.late.accepted(question, found)

    def again(self, question: Ask, found: Step, now: float) -> None:
        """`found` has come behind the answer to `question`."""
        self._may_contradict(question, found, now)
        self._asked.lagged(TEXT, now - self._asked_at, now)
        if isinstance(found, Text):
            self.resync.shifted = True
            self._doubt(found.line, now)
        else:
            self._doubts.surplus(TEXT, now)

    def _may_contradict(self, question: Ask, found: Step, now: float) -> None:
        """Tell two devices by two answers that differ, to one question of a line that was silent before it."""
        if not isinstance(found, Text | Registers) or not self._silent_before:
            return
        count = self.late.contradictions(question, found, now)
        if count:
            self._doubts.contradicted(question, TEXT, now, certain=count >= CONTRADICTIONS)
        if count >= CONTRADICTIONS:
            self._faults.two_answers(shown_of(question), now - self._asked_at, now)

    def _doubt(self, line: str, now: float) -> None:
        """A surplus line: nothing is in doubt if it is no other's reply, or that of the only question since the last proof."""
        again = bool(self._line) and line == self._line and self._doubts.resting(TEXT) <= 1
        if self.resync.is_reply(line) or (self.resync.is_known and again):
            self._doubts.harmless(TEXT, now)
        else:
            self._doubts.surplus(TEXT, now)

    def came_late(self, question: Ask, now: float) -> None:
        """A line has come that is the answer to the first question without one; `question` is the last one."""
        self._counters.late += 1
        self._faults.late(shown_of(question), self._asked_at, now)
        self.late.settle()
        self._asked.lagged(TEXT, now - self._asked_at, now)
        self._doubts.surplus(TEXT, now)

    # ------------------------------------------------------------------ doubt

    def misfitted(self, now: float) -> None:
        """A line fits no expression of its question: it may be the answer to another one, and so may those behind it."""
        self._doubts.surplus(TEXT, now)
        self._doubts.hold = True

    def resynchronized(self, now: float, timeout_s: float) -> None:
        """The reply that is told from all others has come."""
        self._doubts.hold = False
        if self._is_in_order(now, timeout_s):
            self.late.settle_all()

    def _is_in_order(self, now: float, timeout_s: float) -> bool:
        """True if a line of text is first in, first out: no line is missing any more once a later one has come."""
        return not self._clock.is_network and self._asked.lag(TEXT, now) <= timeout_s
