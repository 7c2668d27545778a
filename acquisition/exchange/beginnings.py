"""Beginnings of one line: connections and paths on which a response to a question that nobody here knows of may come (pure).

    the first connection of an OS process    start, restart, reload, takeover, a command typed beside the gateway
    another connection                       not the next one of `close_after` or of a transaction id, if nothing is owed
    a second path that becomes active        for its unit

Behind a beginning the line is silent for a window before the next read; where another master was ever heard, it is listened
to for as long as any silence is waited for, and its signatures are avoided from the first read on (D126).
"""

from collections.abc import Sequence
from typing import Final

from acquisition.drivers.base import DriverSpec
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.late_text import TEXT
from acquisition.polling.path_failover import OwedRequest

HOLD_S: Final = 0.12  # the shortest silence that a line in doubt waits for: its lag may not be known yet


class Beginnings:
    """Beginnings of one line, and the record of its channel that outlives the OS process.

    `one_exchange_each`: every connection is closed behind its exchange.
    """

    def __init__(self, spec: DriverSpec, attribution: Attribution, *, one_exchange_each: bool) -> None:
        self._attribution = attribution
        self._memory = spec.transport == "memory"
        self._text = spec.names_no_unit
        self._expected = spec.tagged or one_exchange_each  # a next connection is no beginning
        self._first = True
        self._listen_s = 0.0
        self._units: set[int] = set()
        self._proven: set[int] = set()  # units that were answered in step since the line began
        self._recorded = ChannelRecord()

    def restore(self, record: ChannelRecord, now: float) -> None:
        """Go on with the record of an earlier OS process."""
        self._attribution.asked.lags.restore(record.lags, now)
        self._attribution.faults.other_master = record.other_master
        self._recorded = record

    def record(self, now: float) -> ChannelRecord:
        """The record of the channel as it is now; `has_news` compares with it from now on."""
        self._recorded = ChannelRecord(self._attribution.asked.lags.record(now), self._attribution.faults.other_master)
        return self._recorded

    @property
    def has_news(self) -> bool:
        """True if a lag is new or has grown by a tenth, or another master was heard, since the last record."""
        return (
            self._attribution.asked.lags.grown or self._attribution.faults.other_master != self._recorded.other_master
        )

    def opened(self, now: float) -> None:
        """A connection was opened."""
        unproven = self._first or not self._expected or self._attribution.is_owed(now)
        self._first = False
        if unproven:
            self._proven.clear()
        self._attribution.doubts.hold = unproven and not self._memory
        self._listen_s = HOLD_LIMIT_S if unproven and self._attribution.faults.other_master else 0.0

    def on_path(self, unit: int, owed: Sequence[OwedRequest]) -> None:
        """The line is the path to `unit` from now on; responses to `owed`, requests on the other path, may come on it."""
        self._units.add(TEXT if self._text else unit)
        self._proven.discard(unit)
        self._attribution.expect_of_others(unit, owed)

    def concerns(self, unit: int) -> bool:
        """True if `unit` has not been asked since its path began."""
        return unit in self._units

    def is_proven(self, unit: int) -> bool:
        """True if `unit` was answered in step since the line began: a held answer of before would have shown."""
        return unit in self._proven

    def proved(self, unit: int) -> None:
        """`unit` was answered in step, or nothing could show it."""
        self._proven.add(unit)

    @property
    def listens(self) -> bool:
        """True if another master is to be listened to before the first read."""
        return self._listen_s > 0

    def silence_s(self, window_s: float) -> float:
        """The silence that a line in doubt waits for; `window_s`: of the unit that is asked next."""
        return max(window_s, HOLD_S, self._listen_s)

    def listened(self, unit: int) -> None:
        """The line was silent for so long, before a request to `unit`."""
        self._attribution.doubts.hold = False
        self._listen_s = 0.0
        self._units.discard(unit)
