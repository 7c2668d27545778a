"""Concurrent reads on one line (pure): several are sent at once, and each response is matched by its transaction id.

    read 1 ─► read 2 ─► read 3 ─►    responses in any order, each read with a time-out of its own

A gateway that gives up early may put the response to one of them under the id of the next one. So they differ in size where they
can (`SafeRequests.apart`). A response that looks like that to another of them is held until that one has its own; if none comes,
neither is accepted (D133).
"""

from collections.abc import Sequence

from acquisition.drivers.base import ExceptionResponse, Read, Registers
from acquisition.exchange.attribution.gateway_evidence import UNREACHED
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.port_steps import Receive, Send, Steps
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.transport.errors import NoConnectionError
from mapping.plan import DevicePlan


class ConcurrentReads:
    """Reads of one line whose responses have transaction ids."""

    def __init__(self, context: ExchangeContext) -> None:
        self._context = context
        self._time = context.time
        self._responses = context.responses
        self._attribution = context.attribution
        self._reads: Sequence[Read] = ()  # that were sent last
        self._held: list[ReadResponse] = []  # to these, until no outstanding one looks alike
        self._missing: list[Read] = []  # of these: no response of the device has come
        self._timeout_s = 0.0

    def send(self, reads: Sequence[Read], device: DevicePlan) -> Steps[OutstandingReads]:
        """Send all of `reads`. Raises NoConnectionError."""
        outstanding = OutstandingReads()
        self._reads, self._held, self._missing = reads, [], []
        self._timeout_s = device.polling.timeout_ms / 1000
        for place, read in enumerate(reads):
            asked_at = self._time.now
            octets = self._responses.encode(read)
            yield from self._or_cut(Send(octets), outstanding)
            tag = self._responses.sent(read, octets, asked_at)
            outstanding.add(tag, place, read, asked_at, asked_at + self._timeout_s)
        return outstanding

    def next(self, outstanding: OutstandingReads) -> Steps[ReadResponse | None]:
        """The next response to come, or the next read to which none came; None if all are done. Raises NoConnectionError."""
        while True:
            now = self._time.now
            if (released := self._released(outstanding)) is not None:
                return released
            if (deadline := outstanding.deadline) is None:
                return None
            response = self._responses.next_of(outstanding, now)
            if response is not None:
                self._served(response, now)
                self._held.append(response)
            elif now >= deadline:
                self._context.counters.timeouts += 1
                given_up = outstanding.give_up()
                self._lost(given_up, now)
                self._held.append(given_up)
            elif octets := (yield from self._or_cut(Receive(deadline), outstanding)):
                self._context.frame_silence.broken(self._time.now)
                self._responses.receive(octets)

    def _or_cut(self, step: Send | Receive, outstanding: OutstandingReads) -> Steps[bytes]:
        """Octets of `step`. If the connection ends, the next one may bring what is outstanding. Raises NoConnectionError."""
        try:
            return (yield step)
        except NoConnectionError:
            held = [one for one in self._held if isinstance(one.found, Registers)]
            while outstanding.deadline is not None:
                held.append(outstanding.give_up())
            for one in held:
                read, now = self._reads[one.place], self._time.now
                self._attribution.cut_short(read, now, self._timeout_s, one.asked_at)
            raise

    def _released(self, outstanding: OutstandingReads) -> ReadResponse | None:
        """A response that could not be that to a read which is outstanding; without registers if it looks like a missing one."""
        for response in self._held:
            read = self._reads[response.place]
            holds = isinstance(response.found, Registers) and self._attribution.gateway.is_possible
            if holds and self._looks_like(read, outstanding.reads):
                continue
            self._held.remove(response)
            if not (holds and self._looks_like(read, self._missing)):
                return response
            self._lost(response, self._time.now)  # another one's, probably; its own is on its way
            return response._replace(found=None)
        return None

    def _looks_like(self, read: Read, others: Sequence[Read]) -> bool:
        return any(self._attribution.asked.are_alike(read, one) for one in others)

    def _served(self, response: ReadResponse, now: float) -> None:
        self._context.connection.served = True
        if response.found is not None:
            self._context.counters.count_response(response.found)
        if isinstance(response.found, ExceptionResponse) and response.found.code in UNREACHED:
            self._attribution.gateway.shown(now)
            self._lost(response, now)

    def _lost(self, response: ReadResponse, now: float) -> None:
        """The device has not answered."""
        read = self._reads[response.place]
        self._missing.append(read)
        self._attribution.missing_concurrently(read, response, now, self._timeout_s)
