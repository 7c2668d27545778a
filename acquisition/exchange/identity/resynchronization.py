"""Resynchronization of a line of text (pure): a question whose reply is told from all others, instead of a wait for silence.

    A? ── a     in doubt:  VERSION? ── a ── V1.2     the line was one behind: what was accepted is taken back
                           VERSION? ── V1.2          it is not: what was accepted is proven, and the next one is asked

A line that matches is never the reply to another question. A device that does not reply to it is not asked again for a minute:
its line rests on silence meanwhile (D128).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Ask, Question
from mapping.plan import DevicePlan, LinePlan, Resync

UNANSWERED_S: Final = 60.0  # for which a device that does not reply is not asked again


@dataclass(slots=True)
class Resynchronization:
    """The questions of one line whose replies are told from all others. `shifted`: another line came since one was asked."""

    shifted: bool = False
    _patterns: dict[Ask, re.Pattern[str]] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)  # by device

    @classmethod
    def of(cls, plan: LinePlan) -> "Resynchronization":
        """Those of all devices of `plan`."""
        known = (device.resync for device in (*plan.devices, *plan.fallbacks) if device.resync is not None)
        return cls(_patterns={_question(one): re.compile(one.pattern) for one in known})

    @property
    def is_known(self) -> bool:
        """True if the line has such a question."""
        return bool(self._patterns)

    def question(self, device: DevicePlan, now: float) -> Question | None:
        """The question of `device`; None if it has none, or did not reply to it lately."""
        usable = device.resync is not None and self._not_before.get(device.name, now) <= now
        return _question(device.resync) if usable and device.resync is not None else None

    def asks(self, request: Ask) -> bool:
        """True if `request` is such a question."""
        return request in self._patterns

    def is_reply(self, line: str) -> bool:
        """True if `line` is the reply to such a question, and to no other."""
        return any(pattern.fullmatch(line) for pattern in self._patterns.values())

    def may_answer(self, request: Ask, line: str) -> bool:
        """True if `line` may be the reply to `request`."""
        pattern = self._patterns.get(request)
        return not self.is_reply(line) if pattern is None else pattern.fullmatch(line) is not None

    def unanswered(self, device: DevicePlan, now: float) -> None:
        """`device` did not reply in time."""
        self._not_before[device.name] = now + UNANSWERED_S


def _question(resync: Resync) -> Question:
    return Question(resync.request, resync.end)
