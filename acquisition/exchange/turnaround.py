"""Turnaround of the units of one line: an exponentially smoothed mean of the time from a request to its answer."""

from typing import Final

ANSWERS: Final = 50  # before which nothing is said of a device


class Smoothed:
    """The turnarounds of the units of one line, in seconds."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._answers: dict[int, int] = {}

    def add(self, unit: int, seconds: float) -> None:
        """`unit` has thought for so long."""
        before = self._seconds.get(unit, seconds)
        self._seconds[unit] = before + (max(seconds, 0.0) - before) / 16
        self._answers[unit] = self._answers.get(unit, 0) + 1

    def known(self) -> dict[int, float]:
        """By unit, of those that have answered often enough."""
        return {unit: seconds for unit, seconds in self._seconds.items() if self._answers[unit] >= ANSWERS}
