"""Doubts about readings that were accepted (pure): those that another response may have given are taken back (D121).

    accepted by silence ──► kept until a read of the unit is accepted that nothing else looks like
                              └── a surplus response of the unit: all that is kept is taken back
    accepted ── a response with other data and the same signature within 2 s ──► taken back, and the unit is inconsistent
    a line of text accepted ── a second one that differs ──► taken back; inconsistent once that is certain

A line that is in doubt is silent for a window before the next request (`hold`), or asks its `resync` (D128): then a response
that is missing or surplus has come. Where reads rest on silence it is so every half second, and before each of them for a minute
after the unit's last surplus response. A unit is inconsistent for a window.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from acquisition.drivers.base import Ask, Read
from acquisition.exchange.identity.asked_reads import ReadSignature

ACCEPTED_WITHIN_S: Final = 2.0
SURPLUS_S: Final = 60.0  # for which a unit is in doubt
PROOF_S: Final = 0.5  # the longest time that reads rest on silence
SILENCE_S: Final = 0.14  # a proof by silence takes so long itself
KEPT_LIMIT: Final = 256  # reads of one unit that rest on silence; more are in doubt at once


class Accepted(NamedTuple):
    """A read that was accepted, and when."""

    read: Read
    at: float


@dataclass(slots=True)
class Doubts:
    """Accepted reads of one line that are not proven, and units in doubt."""

    hold: bool = False  # before the next request
    _by_silence: dict[int, list[Ask]] = field(default_factory=dict)  # by unit
    _proven_at: dict[int, float] = field(default_factory=dict)  # by unit
    _accepted: dict[ReadSignature, Accepted] = field(default_factory=dict)  # the last one
    _inconsistent: dict[int, float] = field(default_factory=dict)  # by unit: since when
    _surplus_at: dict[int, float] = field(default_factory=dict)  # by unit: the last one
    _taken_back: dict[Ask, None] = field(default_factory=dict)  # each once

    def accepted(self, read: Read, signature: ReadSignature, now: float, *, proven: bool) -> None:
        """`read` was answered; `proven`: nothing else looks like it."""
        if len(self._accepted) > KEPT_LIMIT:
            self._accepted.clear()
        self._accepted[signature] = Accepted(read, now)
        self.rests(read, read.unit, now, proven=proven)

    def rests(self, request: Ask, unit: int, now: float, *, proven: bool) -> None:
        """`request` to `unit` was answered, and its response rests on silence unless it is `proven`."""
        kept = self._by_silence.setdefault(unit, [])
        if proven:
            kept.clear()
        if proven or not kept:
            self._proven_at[unit] = now
        if not proven:
            kept.append(request)
            del kept[:-KEPT_LIMIT]

    def needs_proof(self, unit: int, now: float, *, by_silence: bool = True) -> bool:
        """True if reads of `unit` rest on silence for so long that it is to be heard."""
        least_s = PROOF_S - SILENCE_S if by_silence else PROOF_S
        return bool(self._by_silence.get(unit)) and now - self._proven_at.get(unit, now) >= least_s

    def is_doubtful(self, unit: int, now: float) -> bool:
        """True within a minute after a surplus response of `unit`."""
        return now - self._surplus_at.get(unit, -SURPLUS_S) < SURPLUS_S

    def surplus(self, unit: int, now: float) -> None:
        """A response of `unit` came late, or a second time: what rests on silence may be another read's."""
        self._surplus_at[unit] = now
        kept = self._by_silence.get(unit)
        if kept:
            self._taken_back |= dict.fromkeys(kept)
            kept.clear()
            self.hold = True

    def resting(self, unit: int) -> int:
        """The number of readings of `unit` that rest on silence."""
        return len(self._by_silence.get(unit, ()))

    def harmless(self, unit: int, now: float) -> None:
        """A surplus response of `unit` came that cannot have been taken for another one."""
        self._surplus_at[unit] = now

    def stranger(self, unit: int, signature: ReadSignature, now: float) -> None:
        """A response came that has the signature of ours, and other data."""
        self.surplus(unit, now)
        last = self._accepted.get(signature)
        if last is not None and now - last.at < ACCEPTED_WITHIN_S:
            self._taken_back[last.read] = None
            self._inconsistent[last.read.unit] = now

    def contradicted(self, request: Ask, unit: int, now: float, *, certain: bool) -> None:
        """Two answers to `request` differ; `certain`: they are two devices'."""
        self._taken_back[request] = None
        if certain:
            self._inconsistent[unit] = now

    def is_inconsistent(self, unit: int, now: float, window_s: float) -> bool:
        """True while two devices or two masters answer under the number of `unit`."""
        since = self._inconsistent.get(unit)
        return since is not None and now - since < window_s

    @property
    def has_taken_back(self) -> bool:
        """True if readings proved to be in doubt since the last `taken_back`."""
        return bool(self._taken_back)

    def taken_back(self) -> list[Ask]:
        """Requests whose readings are to be taken back; they are forgotten."""
        requests, self._taken_back = list(self._taken_back), {}
        return requests
