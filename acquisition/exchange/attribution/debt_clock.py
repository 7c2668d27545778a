"""Clock of missing responses of one line: the time after which one that has not come does not come any more (pure, D120).

    wire       2 s, or 4 time-outs (of a line of text 8), or two lags of the unit
    network    60 s, or two lags of the unit

A line is a network by its transport or by `path` of the site. A serial port becomes one when a response has come later than two
time-outs, unless `path` says that it is a wire (D127). Behind a transaction id there is a wire.
"""

from typing import Final

from acquisition.drivers.base import DriverSpec
from acquisition.exchange.identity.asked_reads import AskedReads
from acquisition.exchange.identity.late_answers import NETWORK_S, WIRE_S, WIRE_TIMEOUTS
from acquisition.exchange.identity.late_text import TEXT
from mapping.plan import LinePath

TEXT_TIMEOUTS: Final = 8.0


class DebtClock:
    """The clock of one line, whose lags `asked` has. `is_network`: a response may come long after its request.

    `timeout_s`: of the last request that had no response.
    """

    def __init__(self, spec: DriverSpec, asked: AskedReads, path: LinePath | None) -> None:
        self._asked = asked
        self._path = path
        self._wire_behind_id = spec.tagged and path is None
        self.timeout_s = 0.0
        self.is_network = spec.transport != "serial" if path is None else path == "network"

    def missing(self, timeout_s: float) -> None:
        """A request had no response within `timeout_s`."""
        self.timeout_s = timeout_s

    def came_late(self, lag_s: float) -> None:
        """A missing response came so long after its request."""
        self.is_network = self.is_network or (self._path is None and lag_s > 2 * self.timeout_s)

    def response_s(self, unit: int, timeout_s: float, now: float) -> float:
        """Seconds after which the missing response of `unit` does not come any more."""
        lags_s = 2 * self._asked.lag(unit, now)
        if self.is_network and not self._wire_behind_id:
            return max(NETWORK_S, lags_s)
        return max(WIRE_S, WIRE_TIMEOUTS * timeout_s, lags_s)

    def line_s(self, timeout_s: float, now: float) -> float:
        """Seconds after its question for which a missing line of text may come."""
        least_s = NETWORK_S if self._path == "network" else WIRE_S
        return max(least_s, TEXT_TIMEOUTS * timeout_s, 2 * self._asked.lag(TEXT, now))
