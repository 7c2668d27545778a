"""How long the devices of a worker think, smoothed over many answers, and kept when a step changes. Part of the shell."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mapping.polling import turnaround
from mapping.polling.turnaround import Turnaround

ANSWERS: Final = 50  # before which nothing is said of a device

log = logging.getLogger("acquisition.worker")


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


class Stopwatch:
    """What a worker keeps of its devices' turnarounds, in one file; None: nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        there = path is not None and path.exists()
        self._kept, problems = turnaround.load([path] if there and path is not None else [])
        for problem in problems:
            log.warning("%s", problem)

    def keep(self, devices: Mapping[str, tuple[int, float]]) -> None:
        """Keep the steps of `devices`: by name the unit, and seconds. A disk that takes nothing costs the memory only."""
        now = {name: Turnaround(unit, turnaround.step(seconds)) for name, (unit, seconds) in devices.items()}
        if self._path is None or now.items() <= self._kept.items():
            return
        self._kept |= now
        try:
            turnaround.save(self._path, self._kept)
        except OSError as error:
            log.warning("what devices take to answer is not kept: %s", error)
