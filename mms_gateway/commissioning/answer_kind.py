"""Kind of an answer: the device's own, an echo of the request, another unit's, or noise (pure)."""

from dataclasses import dataclass

from acquisition.decoding.failure_quality import exception
from acquisition.drivers.base import (
    Ask,
    Continue,
    Driver,
    ExceptionResponse,
    Foreign,
    ForeignRequest,
    Found,
    Question,
)
from acquisition.exchange.attribution.gateway_evidence import UNREACHED


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """Kind of one answer. `by`: the unit that answered, None if none did; `answer` in words; `echo`: the request came first."""

    by: int | None
    answer: str
    echo: bool


def answer_kind(driver: Driver, ask: Ask, tag: int, sent: bytes, received: bytes) -> AnswerKind:
    """Classify `received` as an answer to `ask`, which was `sent`."""
    echo = received.startswith(sent)
    buffer = bytearray(received[len(sent) :] if echo else received)
    others = []
    while (found := driver.take(ask, tag, buffer)) is not None:
        if isinstance(found, Foreign):
            others.append(found.unit)
        elif not isinstance(found, Continue | ForeignRequest):
            return _answered(ask, found, echo)
    if others:
        return AnswerKind(others[0], f"unit {others[0]} answers", echo)
    noise = len(received) - len(sent) * echo
    return AnswerKind(None, f"{noise} octets that are no answer" if noise else "no answer", echo)


def _answered(ask: Ask, found: Found, echo: bool) -> AnswerKind:
    unit = 0 if isinstance(ask, Question) else ask.unit
    if isinstance(found, ExceptionResponse) and found.code in UNREACHED:
        return AnswerKind(None, f"a gateway says that nobody is behind it: {exception(found.code)}", echo)
    words = f"answers, {exception(found.code)}" if isinstance(found, ExceptionResponse) else "answers"
    return AnswerKind(unit, words, echo)
