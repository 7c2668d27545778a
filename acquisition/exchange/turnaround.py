"""Turnaround of the units of one line: an exponentially smoothed mean of the time from a request to its response (pure)."""

from typing import Final

ANSWERS: Final = 50  # before which nothing is said of a device


class Turnarounds:
    """Turnarounds of the units of one line, in seconds. `longest_s`, `shortest_s`: from a request's end to its response."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.shortest_s = float("inf")
        self._seconds: dict[int, float] = {}
        self._answers: dict[int, int] = {}

    def responded(self, seconds: float) -> None:
        """A response came `seconds` after its request."""
        self.longest_s = max(self.longest_s, seconds)
        self.shortest_s = min(self.shortest_s, seconds)

    def add(self, unit: int, seconds: float) -> None:
        """`unit` took `seconds` before it began its response."""
        before = self._seconds.get(unit, seconds)
        self._seconds[unit] = before + (max(seconds, 0.0) - before) / 16
        self._answers[unit] = self._answers.get(unit, 0) + 1

    def known(self) -> dict[int, float]:
        """By unit, of those that have answered often enough."""
        return {unit: seconds for unit, seconds in self._seconds.items() if self._answers[unit] >= ANSWERS}
