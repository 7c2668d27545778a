"""Conditions of one line (pure): a fault of its channel that shows in what comes, under a name.

    note ── the first of its name ──► begun ── each further one: counted ── none for 10 minutes ──► ended

Each beginning and each end is told once, to be logged.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

ConditionName = Literal[
    "surplus-frames", "holds-answers", "late-answers", "gateway-gives-up", "second-master", "shared-line", "two-devices"
]

ENDS_AFTER_S: Final = 600.0  # without a further one
EVIDENCE_LIMIT: Final = 160  # characters


@dataclass(frozen=True, slots=True)
class LineCondition:
    """A condition that a line has: since when (seconds), how often it showed, and the last sign of it in a sentence."""

    name: ConditionName
    since: float
    count: int
    evidence: str
    last: float


@dataclass(slots=True)
class LineConditions:
    """The conditions that one line has: at most one of each name."""

    _present: dict[ConditionName, LineCondition] = field(default_factory=dict)
    _begun: dict[ConditionName, LineCondition] = field(default_factory=dict)
    _ended: dict[ConditionName, LineCondition] = field(default_factory=dict)

    def note(self, name: ConditionName, evidence: str, now: float, *, count: int = 1) -> None:
        """The line has shown `name`, `count` times; `evidence` is a sentence with numbers."""
        self._expire(now)
        before = self._present.get(name)
        since, counted = (now, 0) if before is None else (before.since, before.count)
        noted = LineCondition(name, since, counted + count, evidence[:EVIDENCE_LIMIT], now)
        self._present[name] = noted
        if before is None:
            self._begun[name] = noted

    def all(self, now: float) -> tuple[LineCondition, ...]:
        """The conditions that the line has, the oldest first."""
        self._expire(now)
        return tuple(self._present.values())

    def begun(self) -> tuple[LineCondition, ...]:
        """Conditions that have begun since the last call."""
        found, self._begun = tuple(self._begun.values()), {}
        return found

    def ended(self, now: float) -> tuple[LineCondition, ...]:
        """Conditions that have ended since the last call."""
        self._expire(now)
        found, self._ended = tuple(self._ended.values()), {}
        return found

    def _expire(self, now: float) -> None:
        for name, one in list(self._present.items()):
            if now - one.last >= ENDS_AFTER_S:
                self._ended[name] = self._present.pop(name)
