"""Late lines of text (pure): a line does not name its question, so while one is missing only the same question is asked.

    A? ── time-out ──► A is missing: only A? is asked, at most until the clock of `late_answers` ends it
                         └── a line comes ──► whichever try of A it answers, it is A's; the tries before it are missing still

Instruments with one question are asked on: every line that comes is the answer to it.
"""

from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Ask

LATE_LIMIT: Final = 64
QUESTIONS_LIMIT: Final = 256


@dataclass(slots=True)
class LateText:
    """Questions of one line without an answer, each with the time until which that may come."""

    _missing: list[tuple[Ask, float]] = field(default_factory=list)
    _questions: set[Ask] = field(default_factory=set)

    def expect(self, question: Ask, until: float) -> None:
        """`question` was not answered in time; its line may come until then."""
        self._missing.append((question, until))
        del self._missing[:-LATE_LIMIT]

    def settle(self) -> None:
        """A line came that nobody waited for: the first of those that are missing."""
        if self._missing:
            del self._missing[0]

    def sent(self, question: Ask) -> None:
        """`question` is sent."""
        if len(self._questions) < QUESTIONS_LIMIT:
            self._questions.add(question)

    def rests_on_silence(self, question: Ask) -> bool:
        """True if the line has another question besides `question`, so that a line of text may be the other one's answer."""
        return bool(self._questions - {question})

    def may_ask(self, question: Ask, now: float) -> bool:
        """True if no line of another question is missing."""
        self._missing = [one for one in self._missing if one[1] > now]
        return all(missing == question for missing, _ in self._missing)
