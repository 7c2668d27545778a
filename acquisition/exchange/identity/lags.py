"""Lags of the units of one line: the times from a request to its late or second response, for 24 hours of service (pure).

    lag of a unit    the largest of its last 24 hours
    record           the lags with the seconds of service that each has left, for the next OS process

A lag that ends leaves the largest that came behind it. Time is the line's monotonic clock, so the record has no time of day,
and a clock that is set changes nothing.
"""

from typing import Annotated, Final, NamedTuple

import msgspec

LAG_KEPT_S: Final = 24 * 3600.0
LAGS_LIMIT: Final = 8  # of one unit: further ones count as long as the next larger one
GROWN: Final = 1.1  # times the largest one that was recorded: to be recorded anew

Seconds = Annotated[float, msgspec.Meta(gt=0, le=LAG_KEPT_S)]


class RecordedLag(msgspec.Struct, frozen=True):
    """A lag, and for how many seconds of service it counts."""

    seconds: Seconds
    left_s: Seconds


UnitLags = Annotated[tuple[RecordedLag, ...], msgspec.Meta(max_length=LAGS_LIMIT)]
LagRecord = dict[int, UnitLags]
"""By unit, the largest lag first."""


class _Lag(NamedTuple):
    seconds: float
    until: float


class Lags:
    """The lags of one line."""

    def __init__(self) -> None:
        self._lags: dict[int, list[_Lag]] = {}  # by unit: ever smaller ones, which count ever longer
        self._recorded: dict[int, float] = {}  # by unit: the largest that the last record had
        self.grown = False  # by more than a tenth since the last record

    def note(self, unit: int, seconds: float, now: float) -> None:
        """A response of `unit` came so long after its request."""
        if seconds <= 0:
            return
        if not self.lag(unit, now):
            self._recorded.pop(unit, None)
        larger = [one for one in self._lags.get(unit, ()) if one.seconds > seconds and one.until > now]
        kept = [*larger, _Lag(min(seconds, LAG_KEPT_S), now + LAG_KEPT_S)]
        if len(kept) > LAGS_LIMIT:
            kept[-2:] = [_Lag(kept[-2].seconds, kept[-1].until)]
        self._lags[unit] = kept
        self.grown = self.grown or kept[0].seconds > GROWN * self._recorded.get(unit, 0.0)

    def lag(self, unit: int, now: float) -> float:
        """The lag of `unit` in seconds; 0 if it has none."""
        return next((one.seconds for one in self._lags.get(unit, ()) if one.until > now), 0.0)

    def record(self, now: float) -> LagRecord:
        """The lags of all units; from now on only larger ones have `grown`."""
        self._lags = {unit: [one for one in lags if one.until > now] for unit, lags in self._lags.items()}
        self._recorded = {unit: lags[0].seconds for unit, lags in self._lags.items() if lags}
        self.grown = False
        return {
            unit: tuple(RecordedLag(one.seconds, min(one.until - now, LAG_KEPT_S)) for one in lags)
            for unit, lags in self._lags.items()
            if lags
        }

    def restore(self, record: LagRecord, now: float) -> None:
        """Go on with the lags of an earlier OS process."""
        self._lags = {unit: [_Lag(one.seconds, now + one.left_s) for one in lags] for unit, lags in record.items()}
        self._recorded = {unit: lags[0].seconds for unit, lags in record.items() if lags}
