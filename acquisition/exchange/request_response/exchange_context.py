"""Context of the exchanges on one line (pure): the state that single, concurrent and resync exchanges share."""

from dataclasses import dataclass

from acquisition.drivers.base import DriverSpec
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.beginnings import Beginnings
from acquisition.exchange.connection import Connection
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.resynchronization import Resynchronization
from acquisition.exchange.port_steps import LineTime
from acquisition.exchange.responses import Responses
from acquisition.exchange.timing import FrameSilence, LineTiming
from acquisition.exchange.turnaround import Turnarounds
from mapping.plan import LinePlan


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """State of one line. `time` has the time of the last step; `turnarounds` are those of the units of a serial line."""

    spec: DriverSpec
    time: LineTime
    timing: LineTiming
    connection: Connection
    counters: Counters
    attribution: Attribution
    responses: Responses
    beginnings: Beginnings
    frame_silence: FrameSilence
    turnarounds: Turnarounds

    @classmethod
    def of(cls, plan: LinePlan, spec: DriverSpec, time: LineTime, tag: int) -> "ExchangeContext":
        """The context of a line that has not been opened. `tag`: the transaction id before the first one."""
        counters, timing = Counters(), LineTiming.of(plan, spec)
        attribution = Attribution(
            spec, counters, tag, behind=plan.behind, path=plan.path, resync=Resynchronization.of(plan)
        )
        one_exchange_each = all(one.polling.close_after for one in (*plan.devices, *plan.fallbacks))
        return cls(
            spec,
            time,
            timing,
            Connection(),
            counters,
            attribution,
            Responses(spec, spec.make(plan.settings), counters, attribution),
            Beginnings(spec, attribution, one_exchange_each=one_exchange_each),
            FrameSilence(timing, time.now),
            Turnarounds(),
        )

    @property
    def silent_s(self) -> float:
        """Seconds since the last octet came, or the port was opened."""
        return self.time.now - self.frame_silence.since
