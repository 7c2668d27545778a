"""Exceptions of one line: they show unit and function only, so that any read of a table may be the one that is refused (pure).

    exception ── the data come after it ──► it was the late one to another read: this read is answered late
    within a window before a request      ──► on a unit in doubt the exceptions to that request prove nothing
    read that an exception has answered   ──► on a unit in doubt the line is silent before the next one

On a line without surplus responses an exception is what it seems to be.
"""

from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Read, Write
from acquisition.exchange.identity.asked_reads import Question, ReadSignature, question_of

QUESTIONS_LIMIT: Final = 4096
LATER_S: Final = 1.0  # data that come so long after their read are not told from somebody else's

Function = tuple[int, int | str]
"""Unit, and the table of reads or the function of writes."""


def function_of(request: Read | Write) -> Function:
    """All that an exception to `request` shows of it."""
    return (request.unit, request.table if isinstance(request, Read) else request.function)


@dataclass(slots=True)
class Exceptions:
    """Exceptions of one line: when the last one came, and the reads that they have answered."""

    _came_at: dict[Function, float] = field(default_factory=dict)
    _refused: dict[Question, tuple[ReadSignature, float]] = field(default_factory=dict)  # and when they were sent

    def came(self, function: Function, now: float) -> None:
        """An exception has come."""
        self._came_at[function] = now

    def came_since(self, request: Read | Write, since: float) -> bool:
        """True if an exception that looks like one to `request` has come since then."""
        return self._came_at.get(function_of(request), since) > since

    def answered(self, read: Read, signature: ReadSignature, asked_at: float) -> None:
        """An exception came after `read`, sent at `asked_at`."""
        if len(self._refused) > QUESTIONS_LIMIT:
            self._refused.clear()
        self._refused.pop(question_of(read), None)
        self._refused[question_of(read)] = (signature, asked_at)

    def read(self, read: Read) -> None:
        """`read` was answered with data."""
        self._refused.pop(question_of(read), None)

    def has_answered(self, read: Read) -> bool:
        """True if an exception came after the last request with the question of `read`."""
        return question_of(read) in self._refused

    def data_came(self, signature: ReadSignature, now: float) -> float | None:
        """Data have come that no request waits for: when the read was sent that only seemed to be refused, None if none was."""
        for question, (refused, asked_at) in reversed(self._refused.items()):
            if refused == signature and now - asked_at < LATER_S:
                del self._refused[question]
                return asked_at
        return None
