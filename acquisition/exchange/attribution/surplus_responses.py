"""Surplus responses of one line (pure): what follows from a response that no request waits for any more.

late              its unit has a lag, and is in doubt
known             the second response to a read or a write of ours: the same
of a stranger     its signature is contested: another master's, or a second device's; nearly the same as ours, it takes back ours
"""

from typing import Final

from acquisition.exchange.attribution.debt_clock import DebtClock
from acquisition.exchange.attribution.known_frames import KnownFrames
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import AskedReads, ReadSignature
from acquisition.exchange.identity.channel_faults import ChannelFaults, shown, shown_late
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_answers import LateResponse

SECOND_WITHIN_S: Final = 30.0  # a second response later than that is not told from a stray frame
SUSPECTED_WITHIN_S: Final = 0.5  # of a read, a stranger may be a second device's response to it


class SurplusResponses:
    """Counts surplus responses to reads and writes, and notes the lags, doubts and conditions that they show."""

    def __init__(
        self,
        counters: Counters,
        asked: AskedReads,
        doubts: Doubts,
        faults: ChannelFaults,
        frames: KnownFrames,
        clock: DebtClock,
    ) -> None:
        self._counters = counters
        self._asked = asked
        self._doubts = doubts
        self._faults = faults
        self._frames = frames
        self._clock = clock

    def late(self, late: LateResponse, now: float) -> None:
        """A missing response has come; one whose request had an exception meanwhile is the second response to that."""
        if late.refused:
            self._counters.doubled += 1
            self._faults.again(f"unit {late.unit}, {late.signature[1]}: an exception", late.asked_at, now)
            self._keep(late)
            self._doubts.surplus(late.unit, now)
            return
        self._counters.late += 1
        self._faults.late(shown_late(late), late.asked_at, now)
        if late.question is not None:
            self._asked.lagged(late.unit, now - late.asked_at, now)
            self._doubts.surplus(late.unit, now)
            self._keep(late)
        self._clock.came_late(now - late.asked_at)

    def _keep(self, late: LateResponse) -> None:
        octets = late.signature[2]
        if late.question is not None and isinstance(octets, int):
            self._frames.keep(self._asked.signature(late.unit, late.question[1], octets))

    def unclaimed(self, signature: ReadSignature, unit: int, now: float) -> None:
        """A response to a read that nobody waits for: the second one to ours, or one to somebody else's."""
        asked_at = self._asked.last_of(signature)
        if asked_at is not None and now - asked_at < SECOND_WITHIN_S and self._frames.is_known(signature):
            self._counters.doubled += 1
            self._asked.lagged(unit, now - asked_at, now)
            self._faults.again(shown(unit, *signature[1:]), asked_at, now)
            self._doubts.surplus(unit, now)
            return
        if asked_at is not None and now - asked_at <= SUSPECTED_WITHIN_S:
            self._asked.suspected(unit, now - asked_at, now)
        self._stranger(signature, unit, now)

    def _stranger(self, signature: ReadSignature, unit: int, now: float) -> None:
        self._counters.foreign += 1
        self._asked.contest(signature, now)
        lag_s = self._faults.stranger_came((unit, *signature[1:]), now)
        if lag_s is not None:
            self._asked.lagged(unit, lag_s, now)
        self._doubts.stranger(unit, signature, now)

    def unfitting(self, unit: int, now: float) -> None:
        """A response of `unit` that fits nothing missing; the second confirmation of a write shows the unit's lag."""
        self._counters.foreign += 1
        asked_at = self._frames.confirmed_at()
        if asked_at is not None and now - asked_at < SECOND_WITHIN_S:
            self._asked.lagged(unit, now - asked_at, now)
