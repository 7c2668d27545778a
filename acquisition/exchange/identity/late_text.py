"""Late lines of text (pure): a line does not name its question, so while one is missing only the same question is asked.

    A? ── time-out ──► A is missing: only A? is asked, at most until the clock of `debt_clock` ends it
                         └── a line comes ──► whichever try of A it answers, it is A's; the tries before it are missing still

Instruments with one question are asked on: every line that comes is the answer to it.
A second line to one question contradicts the first if it differs and none is missing: answers in a row that were are counted.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from acquisition.drivers.base import Ask, Found

TEXT: Final = -2  # the unit of all devices of a line of text
LATE_LIMIT: Final = 64
QUESTIONS_LIMIT: Final = 256
TIMES_KEPT: Final = 16  # of one question


class _MissingLine(NamedTuple):
    question: Ask
    asked_at: float
    until: float  # it may come


@dataclass(slots=True)
class LateText:
    """Questions of one line without an answer, whose lines may still come."""

    _missing: list[_MissingLine] = field(default_factory=list)
    _questions: dict[Ask, deque[float]] = field(default_factory=dict)  # when they were sent, the last times
    _accepted: tuple[Ask, Found] | None = None  # the last one, and its answer
    _contradicted: bool = False  # that answer
    _contradictions: int = 0  # of answers in a row

    def expect(self, question: Ask, asked_at: float, until: float) -> None:
        """`question`, sent at `asked_at`, was not answered in time; its line may come until then."""
        self._missing.append(_MissingLine(question, asked_at, until))
        del self._missing[:-LATE_LIMIT]

    def settle(self) -> None:
        """A line came that nobody waited for: the first of those that are missing."""
        if self._missing:
            del self._missing[0]

    def settle_all(self) -> None:
        """A later line has come on a way that is first in, first out: no line before it is missing any more."""
        self._missing.clear()

    def sent(self, question: Ask, now: float) -> None:
        """`question` is sent."""
        if len(self._questions) < QUESTIONS_LIMIT:
            self._questions.setdefault(question, deque(maxlen=TIMES_KEPT)).append(now)

    def accepted(self, question: Ask, found: Found) -> None:
        """`found` was taken for the answer to `question`."""
        self._contradictions *= self._contradicted
        self._accepted, self._contradicted = (question, found), False

    def contradictions(self, question: Ask, found: Found, now: float) -> int:
        """Answers in a row that a second line contradicts, with `found`, which came behind the answer to `question`."""
        accepted = self._accepted
        if accepted is None or accepted[0] != question or accepted[1] == found or self.any(now):
            return 0
        self._contradictions += not self._contradicted
        self._contradicted = True
        return self._contradictions

    def asked_alike(self, question: Ask, since: float, *, first: bool) -> float | None:
        """Time since then at which `question` was first or last sent; None if it was not."""
        times = [at for at in self._questions.get(question, ()) if at > since]
        return times[0 if first else -1] if times else None

    def rests_on_silence(self, question: Ask) -> bool:
        """True if the line has another question besides `question`, so that a line of text may be the other one's answer."""
        return bool(self._questions.keys() - {question})

    def may_ask(self, question: Ask, now: float) -> bool:
        """True if no line of another question is missing."""
        self._missing = [one for one in self._missing if one.until > now]
        return all(one.question == question for one in self._missing)

    def any(self, now: float) -> bool:
        """True if a line is missing."""
        return any(one.until > now for one in self._missing)

    def owed(self, question: Ask, now: float, since: float = 0.0) -> float | None:
        """Time since then at which `question` was first sent without an answer so far; None if it was not."""
        missing = (one for one in self._missing if one.question == question and one.until > now)
        return min((one.asked_at for one in missing if one.asked_at >= since), default=None)
