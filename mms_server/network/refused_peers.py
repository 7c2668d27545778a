"""Log of refused peers: LINES lines in a PERIOD_S, then only the number of further ones (shell)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

PERIOD_S: Final = 10.0
LINES: Final = 20  # in one period

log = logging.getLogger("mms.association")


class Refusals:
    """Limits the log lines about refused peers of one server: a flood of them does not fill the disk."""

    def __init__(self) -> None:
        self._said = self._more = 0
        self._period: asyncio.TimerHandle | None = None

    def say(self, who: Mapping[str, object], text: str, *args: object) -> None:
        """Log why the peer `who` (`assoc`, `peer`) was refused, or count it; within a running loop."""
        if self._period is None:
            self._period = asyncio.get_running_loop().call_later(PERIOD_S, self.end)
        if self._said < LINES:
            self._said += 1
            log.warning(text, *args, extra=dict(who))
        else:
            self._more += 1

    def end(self) -> None:
        """End the period: say how many more there were."""
        if self._period is not None:
            self._period.cancel()
        if self._more:
            log.warning("%d more peers were refused in the last %d s", self._more, PERIOD_S)
        self._period, self._said, self._more = None, 0, 0
