"""Concurrent reads on one line (pure): several are sent at once, and each response is matched by its transaction id.

read 1 ─► read 2 ─► read 3 ─►    responses in any order, each read with a time-out of its own
"""

from collections.abc import Sequence

from acquisition.drivers.base import Read
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.port_steps import Receive, Send, Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from mapping.plan import DevicePlan


class ConcurrentReads:
    """Reads of one line whose responses have transaction ids."""

    def __init__(self, context: ExchangeContext) -> None:
        self._context = context
        self._time = context.time
        self._responses = context.responses

    def send(self, reads: Sequence[Read], device: DevicePlan) -> Steps[OutstandingReads]:
        """Send all of `reads`. Raises NoConnectionError."""
        outstanding = OutstandingReads()
        for place, read in enumerate(reads):
            asked_at = self._time.now
            octets = self._responses.encode(read)
            yield Send(octets)
            tag = self._responses.sent(read, octets, asked_at)
            outstanding.add(tag, place, read, asked_at, asked_at + device.polling.timeout_ms / 1000)
        return outstanding

    def next(self, outstanding: OutstandingReads) -> Steps[ReadResponse | None]:
        """The next response to come, or the next read to which none came; None if all are done. Raises NoConnectionError."""
        while (deadline := outstanding.deadline) is not None:
            now = self._time.now
            response = self._responses.next_of(outstanding, now)
            if response is not None:
                self._served(response, now)
                return response
            if now >= deadline:
                self._context.counters.timeouts += 1
                return outstanding.give_up()
            octets = yield Receive(deadline)
            if octets:
                self._context.frame_silence.broken(self._time.now)
                self._responses.receive(octets)
        return None

    def _served(self, response: ReadResponse, now: float) -> None:
        if response.found is not None:
            self._context.connection.served = True
            self._context.counters.count_response(response.found)
            self._context.attribution.answered_concurrently(response.found, now)
