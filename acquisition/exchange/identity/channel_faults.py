"""Channel faults of one line, told from responses that nobody waits for (pure): each sign becomes a condition.

    a late response                         late-answers
    three in a row, each right after the next request was sent    holds-answers
    a second response to a read, with the same octets             surplus-frames
    a stranger: a response to a read, with other octets           second-master on a serial line, shared-line on a network
    a request that is not ours, and no echo of ours               the same
    strangers that come one to each read, at the same lag         two-devices
    lines of text that differ, two to one question                two-devices
    a response of the wrong size under the right transaction id   gateway-gives-up

One stranger is no sign of another master yet: four of a unit within 10 minutes are. For ten seconds after a second device's
response the strangers of its unit show no other master. A request that is not ours shows one at once (D123).
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from acquisition.drivers.base import Ask, Question, Read
from acquisition.exchange.identity.asked_reads import ReadSignature, octets_of
from acquisition.exchange.identity.conditions import ENDS_AFTER_S, LineConditions
from acquisition.exchange.identity.late_answers import LateResponse

HELD_WITHIN_S: Final = 0.05  # after the next request
HELD_IN_A_ROW: Final = 3
HOLDING_S: Final = 60.0  # after the last response that was held
STRANGERS: Final = 4
LAG_LIMIT_S: Final = 2.0  # a second device's response comes so long after the first one's, at most
LAG_TOLERANCE_S: Final = 0.03
MASTER_S: Final = 10.0  # after the last sign of a second device strangers show another master
TEXT_LIMIT: Final = 40  # characters of a question
READS_KEPT: Final = 64  # of one unit

_FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


class _Stranger(NamedTuple):
    """A stranger: when it came, and how long after each of the reads that it may contradict."""

    at: float
    lags: tuple[float, ...]


@dataclass(slots=True)
class _Unit:
    """Reads of one unit that were accepted lately, and strangers under its number."""

    reads: deque[tuple[ReadSignature, float]] = field(default_factory=lambda: deque(maxlen=READS_KEPT))
    strangers: deque[_Stranger] = field(default_factory=lambda: deque(maxlen=STRANGERS))
    doubled_at: float = -MASTER_S  # its strangers were a second device's
    counted: bool = False  # the strangers before the last one are in the condition's count

    def add(self, signature: ReadSignature, now: float) -> None:
        """A stranger has come."""
        lags = tuple(now - at for one, at in self.reads if one == signature and now - at <= LAG_LIMIT_S)
        self.strangers.append(_Stranger(now, lags))

    def is_known(self, now: float) -> bool:
        """True if enough strangers came lately."""
        return len(self.strangers) == STRANGERS and now - self.strangers[0].at < ENDS_AFTER_S

    def common_lag(self) -> float | None:
        """The lag that all strangers have if there is one to each read, as those of a second device; otherwise None."""
        first, last = self.strangers[0].at, self.strangers[-1].at
        reads = sum(1 for _, at in self.reads if first < at <= last)
        if abs(reads - (STRANGERS - 1)) > 1:
            return None
        common = (
            lag
            for lag in reversed(self.strangers[-1].lags)
            if all(any(abs(other - lag) <= LAG_TOLERANCE_S for other in one.lags) for one in self.strangers)
        )
        return next(common, None)


@dataclass(slots=True)
class ChannelFaults:
    """Conditions of one line, from what came on it. `stranger`: the condition that strangers show.

    `read_between`: octets are read before each request too. Without that all of them seem to come right after a request,
    and none is told as held.
    """

    stranger: Literal["second-master", "shared-line"]
    read_between: bool = True
    conditions: LineConditions = field(default_factory=LineConditions)
    other_master: bool = False  # was ever heard
    _sent_at: float = 0.0  # the last request
    _sent_before: float = 0.0  # the one before
    _held: int = 0  # in a row
    _held_at: float = -HOLDING_S  # the last one
    _units: dict[int, _Unit] = field(default_factory=dict)

    def sent(self, now: float) -> None:
        """A request is sent."""
        self._sent_before, self._sent_at = self._sent_at, now

    def accepted(self, signature: ReadSignature, now: float) -> None:
        """A read was answered in time."""
        self._units.setdefault(signature[0], _Unit()).reads.append((signature, now))

    def late(self, of: str, asked_at: float, now: float) -> None:
        """The response to a request sent at `asked_at` has come late. `of`: see `shown`."""
        behind_s = now - self._sent_at
        pushed = self.read_between and asked_at == self._sent_before and behind_s <= HELD_WITHIN_S
        self._held = self._held + 1 if pushed else 0
        self._held_at = now if pushed else self._held_at
        if self._held >= HELD_IN_A_ROW:
            text = f"{of}: {_ms(behind_s)} after the next request, {self._held} times in a row"
            self.conditions.note("holds-answers", text, now)
        else:
            self.conditions.note("late-answers", f"{of}: {_ms(now - asked_at)} after its request", now)

    def is_holding(self, now: float) -> bool:
        """True if responses were held lately until the next request: they are as old as the time between two requests."""
        return now - self._held_at < HOLDING_S

    def again(self, of: str, asked_at: float, now: float) -> None:
        """A second response has come to a request sent at `asked_at`."""
        self.conditions.note("surplus-frames", f"{of}: a second answer {_ms(now - asked_at)} after its request", now)

    def stranger_came(self, signature: ReadSignature, now: float) -> float | None:
        """A stranger has come; its lag in seconds if it is a second device's response."""
        unit = self._units.setdefault(signature[0], _Unit())
        unit.add(signature, now)
        if not unit.is_known(now):
            unit.counted = False
            return None
        count, unit.counted = 1 if unit.counted else STRANGERS, True
        lag_s = unit.common_lag()
        if lag_s is not None:
            unit.doubled_at = now
            text = f"{shown(*signature)}: two answers with different data, {_ms(lag_s)} apart"
            self.conditions.note("two-devices", text, now, count=count)
        elif now - unit.doubled_at >= MASTER_S:
            text = f"{shown(*signature)}: an answer to a request that is not ours"
            self.conditions.note(self.stranger, text, now, count=count)
            self.other_master = True
        return lag_s

    def other_asked(self, unit: int, function: int, octets: int | None, now: float) -> None:
        """A request that is not ours has come, for a response with `octets` of data; None for a write."""
        self.other_master = True
        text = "a write" if octets is None else f"a request for {octets} octets"
        self.conditions.note(self.stranger, f"unit {unit}, function {function}: {text} that is not ours", now)

    def two_answers(self, of: str, lag_s: float, now: float) -> None:
        """Two lines of text have come to one question, and they differ."""
        self.conditions.note("two-devices", f"{of}: two answers with different data, {_ms(lag_s)} apart", now)

    def misfit(self, unit: int, function: int, octets: int, now: float) -> None:
        """A response with `octets` of data has come under the transaction id of a request that it does not answer."""
        text = f"unit {unit}, function {function}, {octets} octets: under the id of a request that it does not answer"
        self.conditions.note("gateway-gives-up", text, now)


def shown(unit: int, table: str, octets: int) -> str:
    """A response to a read, for people."""
    return f"unit {unit}, function {_FUNCTIONS[table]}, {octets} octets"


def shown_late(late: LateResponse) -> str:
    """A late response, for people."""
    if late.question is None:
        return f"unit {late.unit}, function {late.signature[1]}"
    octets = late.signature[2]
    assert isinstance(octets, int)  # noqa: S101 - the signature of a read
    return shown(late.unit, late.question[1], octets)


def shown_of(request: Ask) -> str:
    """The response to `request`, for people."""
    match request:
        case Read():
            return shown(request.unit, request.table, octets_of(request))
        case Question(text):
            return f"the line to `{text.strip()[:TEXT_LIMIT]}`"
        case _:
            return f"unit {request.unit}, function {request.function}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
