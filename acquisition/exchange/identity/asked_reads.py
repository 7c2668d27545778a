"""Reads that were sent lately on one line (pure): a response does not name its read, so reads must not look alike (D119).

    signature    all that a response shows of its read: unit, table, number of octets; not the unit where a gateway may
                 put the response of one unit under the id of a request to another one
    question     unit, table and first address: a read of another size is still the same question
    lag          the longest time from a read of a unit to a late or a second response, kept for 24 hours, over restarts
    suspected    a stranger came within half a second of a read: for ten seconds it counts as if it were a lag
    window       of a unit: the largest of 60 ms, two of the line's longest exchanges, and two of the unit's lags
    contested    for a minute, a signature that responses to somebody else's reads have: another master's, another client's

Within the window a signature is not used for another question of its unit, unless the line was silent for a window, or the
unit was asked nothing for a window: the line was heard to have nothing more to say. `read_variants` chooses by that. The last
times of each read are kept to tell how old a response may be, and the last writes, since on, off, on have two confirmations
that look alike.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Read, Write
from acquisition.exchange.identity.lags import Lags

WINDOW_S: Final = 0.06
HOLD_LIMIT_S: Final = 2.0  # the longest wait of a line for a window of silence
TIMES_KEPT: Final = 16  # of one read
SIGNATURES_LIMIT: Final = 4096  # those out of every window are forgotten then
SUSPECTED_S: Final = 10.0  # after the last such stranger
CONTESTED_S: Final = 60.0  # after the last such response
ANY_UNIT: Final = -1
TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}  # by function

ReadSignature = tuple[int, str, int]
Question = tuple[int, str, int]


def octets_of(read: Read) -> int:
    """The octets of data in the response to `read`."""
    return -(-read.count // 8) if read.table in ("coil", "discrete") else 2 * read.count


def signature_of(read: Read, *, any_unit: bool = False) -> ReadSignature:
    """All that a response to `read` shows of it."""
    return (ANY_UNIT if any_unit else read.unit, read.table, octets_of(read))


def question_of(read: Read) -> Question:
    """The question that `read` asks, whatever its size."""
    return (read.unit, read.table, read.address)


@dataclass(slots=True)
class AskedReads:
    """Reads of one line, by signature and question, each with the time when it was last sent. `any_unit`: see signature."""

    any_unit: bool = False
    lags: Lags = field(default_factory=Lags)
    _sent: dict[ReadSignature, dict[Question, float]] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)  # by unit: when its last question was sent
    _questions: dict[int, set[Question]] = field(default_factory=dict)  # by unit
    _written: dict[Write, float] = field(default_factory=dict)  # when they were last sent
    _contested: dict[ReadSignature, float] = field(default_factory=dict)  # until when
    _suspected: dict[int, tuple[float, float]] = field(default_factory=dict)  # by unit: seconds, and until when
    _times: dict[tuple[ReadSignature, Question], deque[float]] = field(default_factory=dict)
    _longest_s: float = 0.0

    def signature_of(self, read: Read) -> ReadSignature:
        """All that a response to `read` shows of it on this line."""
        return signature_of(read, any_unit=self.any_unit)

    def signature(self, unit: int, table: str, octets: int) -> ReadSignature:
        """That of responses of `unit` with so many octets of data, on this line."""
        return (ANY_UNIT if self.any_unit else unit, table, octets)

    def contest(self, signature: ReadSignature, now: float) -> None:
        """A response with `signature` to somebody else's read has come."""
        self._contested.pop(signature, None)
        self._contested[signature] = now + CONTESTED_S
        if len(self._contested) > SIGNATURES_LIMIT:
            del self._contested[next(iter(self._contested))]  # the one that was not heard for longest

    @property
    def contested(self) -> bool:
        """True if responses to somebody else's reads have ever come."""
        return bool(self._contested)

    def is_contested(self, read: Read, now: float) -> bool:
        """True if responses to somebody else's reads look like that to `read`."""
        return self.is_heard(self.signature_of(read), now)

    def is_heard(self, signature: ReadSignature, now: float) -> bool:
        """True if responses with `signature` to somebody else's reads come."""
        return self._contested.get(signature, 0.0) > now

    def suspected(self, unit: int, seconds: float, now: float) -> None:
        """A stranger may be a response of `unit` that came so long after its read: its window is wider for a while."""
        before = self._suspected_s(unit, now)
        self._suspected[unit] = (max(seconds, before), now + SUSPECTED_S)

    def _suspected_s(self, unit: int, now: float) -> float:
        seconds, until = self._suspected.get(unit, (0.0, 0.0))
        return seconds if until > now else 0.0

    def sent(self, read: Read, now: float) -> None:
        """`read` is sent."""
        if len(self._sent) > SIGNATURES_LIMIT:
            self._forget(now)
        question, signature = question_of(read), self.signature_of(read)
        self._sent.setdefault(signature, {})[question] = now
        self._last[signature[0]] = now
        self._times.setdefault((signature, question), deque(maxlen=TIMES_KEPT)).append(now)
        self._questions.setdefault(read.unit, set()).add(question)

    def took(self, seconds: float) -> None:
        """An exchange of the line took so long."""
        self._longest_s = max(self._longest_s, seconds)

    def lagged(self, unit: int, seconds: float, now: float) -> None:
        """A response of `unit` came so long after its read, late or a second time."""
        self.lags.note(unit, seconds, now)

    def lag(self, unit: int, now: float) -> float:
        """The lag of `unit` in seconds; 0 if it has none."""
        return self.lags.lag(unit, now)

    def window(self, unit: int, now: float) -> float:
        """The window of `unit` in seconds."""
        return max(self.silence_s(unit, now), 2 * self._suspected_s(unit, now))

    def silence_s(self, unit: int, now: float) -> float:
        """The silence after which no response of `unit` is expected, in seconds; no stranger makes it longer."""
        return max(self.least_window_s, 2 * self.lag(unit, now))

    @property
    def least_window_s(self) -> float:
        """The window of a unit that never lagged, in seconds."""
        return max(WINDOW_S, 2 * self._longest_s)

    def wrote(self, write: Write, now: float) -> None:
        """`write` is sent."""
        if len(self._written) > SIGNATURES_LIMIT:
            self._written.clear()
        self._written[write] = now

    def written_alike(self, write: Write, now: float) -> bool:
        """True if a write with the same confirmation was sent within the window."""
        return self._written.get(write, -1e9) > now - self.window(write.unit, now)

    def looks_alike(self, read: Read, now: float) -> bool:
        """True if another question of its unit was asked within the window with the signature of `read`."""
        since, question = now - self.window(read.unit, now), question_of(read)
        sent = self._sent.get(self.signature_of(read))
        return sent is not None and any(at > since and one != question for one, at in sent.items())

    def are_alike(self, one: Read, other: Read) -> bool:
        """True if the responses to two different questions of one unit look alike."""
        return question_of(one) != question_of(other) and self.signature_of(one) == self.signature_of(other)

    def alike_at(self, read: Read) -> float:
        """Time at which another question was last asked with the signature of `read`."""
        question = question_of(read)
        asked = (at for one, at in self._sent.get(self.signature_of(read), {}).items() if one != question)
        return max(asked, default=-1e9)

    def quiet_at(self, read: Read, now: float) -> float:
        """Time from which no question of its unit is within the window."""
        return self._last.get(self.signature_of(read)[0], -1e9) + self.window(read.unit, now)

    def asked_alike(self, read: Read, now: float, least_s: float = 0.0) -> float | None:
        """Time within the window, or `least_s`, at which `read` was last sent, as it is now; None if it was not."""
        at = self._sent.get(self.signature_of(read), {}).get(question_of(read))
        return at if at is not None and at > now - max(self.window(read.unit, now), least_s) else None

    def asked_since(self, read: Read, since: float, *, first: bool) -> float | None:
        """Time since then at which `read` was first or last sent, as it is now; None if it was not."""
        times = self._times.get((self.signature_of(read), question_of(read)), deque())
        found = (at for at in (times if first else reversed(times)) if at > since)
        return next(found, None)

    def last_of(self, signature: ReadSignature) -> float | None:
        """Time at which a read of `signature` was last sent; None if there was none."""
        times = self._sent.get(signature)
        return max(times.values()) if times else None

    def questions(self, unit: int) -> int:
        """The number of questions of `unit` so far."""
        return len(self._questions.get(unit, ()))

    def _forget(self, now: float) -> None:
        """Forget reads that are out of every window, and all questions: those that are asked on come again."""
        self._questions.clear()
        self._times.clear()
        for signature, times in list(self._sent.items()):
            since = now - max(60.0, self.window(signature[0], now))
            fresh = {one: at for one, at in times.items() if at > since}
            if fresh:
                self._sent[signature] = fresh
            else:
                del self._sent[signature]
