"""An event loop for tests whose two ends share it: its clock stands still while the host does not let it run.

A time-out then means that the other end was silent, never that the host was busy. Sockets, pseudo-terminals and files
are real.

    select returns nothing     what was to be waited has passed: it counts, and nothing beyond it
    select returns something   it came at once, as all that an end on this loop sends; the rest is delay of the host
    callbacks run              they count, up to STEP_S between two looks at the clock
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, Final

STEP_S: Final = 0.005


class _Selector(selectors.DefaultSelector):
    """The selector of the operating system, and how much of its last wait counts."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        found = super().select(timeout)
        waited_s = time.monotonic() - began
        if found or timeout is None:
            waited_s = min(waited_s, STEP_S)
        self.waited_s += waited_s if timeout is None else min(waited_s, max(timeout, 0.0))
        return found


class SteadyLoop(asyncio.SelectorEventLoop):
    """A selector loop with the clock that the module describes."""

    def __init__(self) -> None:
        self._waits = _Selector()
        self._now_s = self._looked_s = time.monotonic()
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds since a time of no meaning, as `loop.time` gives them."""
        looked_s = time.monotonic()
        if self._waits.waited_s:
            self._now_s += self._waits.waited_s
            self._waits.waited_s = 0.0
        else:
            self._now_s += min(looked_s - self._looked_s, STEP_S)
        self._looked_s = looked_s
        return self._now_s


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Play a scenario to its end on a steady loop."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        runner.run(scenario)
