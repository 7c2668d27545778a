"""Evidence of exceptions on one line (pure): an exception shows no more than its unit and function (D124).

sole one of its unit and function                ──► it is that to the request
another within a window, or a response missing   ──► doubted: for one shortest window the response behind it is waited for
"""

from typing import Final

from acquisition.drivers.base import Ask, ExceptionResponse, Read, Write
from acquisition.exchange.identity.asked_reads import TABLES, AskedReads
from acquisition.exchange.identity.late_answers import LateResponses

FOREVER: Final = float("inf")
EXCEPTION: Final = 0x80  # in the function of a response


class ExceptionEvidence:
    """The last exception of each unit and function, and the one to the last request that is doubted.

    `tagged`: an exception has a transaction id, and is never doubted. `doubted_until`: the response behind a doubted one is
    waited for.
    """

    def __init__(self, late: LateResponses, asked: AskedReads, *, tagged: bool) -> None:
        self._late = late
        self._asked = asked
        self._tagged = tagged
        self._last: dict[tuple[int, str | int], float] = {}
        self.doubted: ExceptionResponse | None = None
        self.doubted_until = FOREVER

    def sent(self) -> None:
        """The next request is sent."""
        self.doubted, self.doubted_until = None, FOREVER

    def came(self, unit: int, function: int, now: float) -> None:
        """A response of `unit` to another request has come; noted if `function` says that it is an exception."""
        if function & EXCEPTION:
            function &= ~EXCEPTION
            self._last[unit, TABLES.get(function, function)] = now

    def is_certain(self, request: Ask, found: ExceptionResponse, now: float) -> bool:
        """True if `found` can only be the exception to `request`; otherwise it is doubted."""
        if self.proves(request, now):
            return True
        if self.doubted is None:
            self.doubted_until = now + self._asked.least_window_s
        self.doubted = found
        return False

    def proves(self, request: Ask, now: float) -> bool:
        """True if the exception that has come now can only be that to `request`: of its unit and function it is the sole one."""
        if self._tagged or not isinstance(request, Read | Write):
            return True
        function = _function_of(request)
        pending = self._late.may_be_pending(request.unit, function, now)
        alone = not pending and self.wait_s(request, now) <= 0
        self._last[request.unit, function] = now
        return alone

    def wait_s(self, request: Read | Write, now: float) -> float:
        """Seconds until an exception to `request` is told from the last one of its unit and function; 0 or less: it is now."""
        last = None if self._tagged else self._last.get((request.unit, _function_of(request)))
        return 0.0 if last is None else last + self._asked.window(request.unit, now) - now


def _function_of(request: Read | Write) -> str | int:
    return request.table if isinstance(request, Read) else request.function
