"""Ages of requests on one line (pure): a response may answer an older request that looked like the last one.

A ── time-out ── A ── a response: that to the first A, for all that is known; its reading has the time of that one (D120)
    within a window; where responses are held until the next request, for as long as the first one is missing
silence for a window: whatever was asked before has been answered
"""

from typing import Final

from acquisition.drivers.base import Ask, Read
from acquisition.exchange.attribution.debt_clock import DebtClock
from acquisition.exchange.attribution.gateway_evidence import GatewayEvidence
from acquisition.exchange.attribution.text_attribution import TextAttribution
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S, AskedReads
from acquisition.exchange.identity.channel_faults import ChannelFaults
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_answers import WIRE_S, WIRE_TIMEOUTS, LateResponses

LONG_BEFORE_S: Final = 30.0  # nothing has come yet: the line was silent for longer than any window
OWED_S: Final = (
    1.0  # an unanswered question in text so old may be the one that is answered, whatever the lag was so far
)


class RequestAges:
    """When octets last came on one line, and the requests that they may answer."""

    def __init__(
        self,
        asked: AskedReads,
        late: LateResponses,
        doubts: Doubts,
        text: TextAttribution,
        gateway: GatewayEvidence,
        clock: DebtClock,
        faults: ChannelFaults,
    ) -> None:
        self._asked = asked
        self._late = late
        self._doubts = doubts
        self._text = text
        self._gateway = gateway
        self._clock = clock
        self._faults = faults
        self._came_at = -LONG_BEFORE_S  # the last octets
        self._silent_until = 0.0  # the line was, for a window

    def came(self, now: float) -> None:
        """Octets have come."""
        self._came_at = now

    def sent(self, request: Ask, now: float) -> None:
        """`request` is sent."""
        if self._is_silent(self._text.unit_of(request), now):
            self._silent_until = self._came_at

    def silent_s(self, now: float) -> float:
        """Seconds since octets came."""
        return now - self._came_at

    def oldest(self, request: Ask, now: float) -> float:
        """Time of the oldest request that the response to `request`, sent now, may answer: its own, or one that looked alike."""
        if self._gateway.names_request(now):
            return now
        unit = self._text.unit_of(request)
        owed = self._owed_alike(request, unit, now)
        again = None if self._is_silent(unit, now) else self._asked_alike(request, unit, now)
        return min(at for at in (now, owed, again) if at is not None)

    def _owed_alike(self, request: Ask, unit: int, now: float) -> float | None:
        """Time of the first request that looked alike and has no response so far, which may still be as late as on a wire."""
        window_s = self._asked.window(unit, now)
        if self._text.concerns(request):
            return self._text.late.owed(request, now, now - max(window_s, OWED_S))
        if not isinstance(request, Read):
            return None
        if self._faults.is_holding(now):
            return self._late.owed_alike(request, now)
        return self._late.owed_alike(request, now, now - max(window_s, WIRE_S, WIRE_TIMEOUTS * self._clock.timeout_s))

    def _asked_alike(self, request: Ask, unit: int, now: float) -> float | None:
        """Time of the last request that looked alike since the line was silent; of the first one, on a unit in doubt."""
        since = max(now - min(self._asked.window(unit, now), HOLD_LIMIT_S), self._silent_until)
        first = self._doubts.is_doubtful(unit, now)
        if self._text.concerns(request):
            return self._text.late.asked_alike(request, since, first=first)
        return self._asked.asked_since(request, since, first=first) if isinstance(request, Read) else None

    def _is_silent(self, unit: int, now: float) -> bool:
        """True if nothing has come for a window: what was asked before has been answered."""
        return self.silent_s(now) >= min(self._asked.window(unit, now), HOLD_LIMIT_S)
