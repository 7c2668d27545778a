"""A read between two proofs on one line (pure), for a block whose response looks like the missing one of another block.

    proof ── its response ── read ── registers ── proof ── its response, and no other frame came: the registers are of this read
                                                       └── another frame came: one of the two was the missing response

On a network a missing response may come for a minute, and longer (D120). A block whose size cannot change would be
without a value for that time (D134).
"""

from acquisition.drivers.base import ExceptionResponse, Read, Registers
from acquisition.exchange.counters import Counters
from acquisition.exchange.port_steps import Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.exchange.request_response.single_exchange import SingleExchange
from mapping.plan import DevicePlan


class BracketedRead:
    """Reads of one line that count once a proof behind them was answered."""

    def __init__(self, context: ExchangeContext, single: SingleExchange) -> None:
        self._time = context.time
        self._counters = context.counters
        self._single = single

    def exchange(
        self, read: Read, device: DevicePlan, proof: Read
    ) -> Steps[tuple[int, ...] | ExceptionResponse | None]:
        """The response to `read`, sent behind a proof; None if there is none, or if `proof` behind it does not confirm it."""
        before = _other_frames(self._counters)
        found = yield from self._single.after_silence(read, device, hold=False, accept=False)
        if not isinstance(found, Registers):
            return found if isinstance(found, ExceptionResponse) else None
        asked_at = self._single.asked_at
        confirmed = yield from self._single.after_silence(proof, device, hold=False, accept=False)
        if confirmed is None or _other_frames(self._counters) != before:
            return None
        self._single.asked_at = asked_at
        self._single.accept(read, found, self._time.now, proven=True)
        return found.values


def _other_frames(counters: Counters) -> int:
    return counters.late + counters.doubled + counters.foreign
