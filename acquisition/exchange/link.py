"""Exchanges on one line: the connection that they need, and the order of what comes before each of them (pure).

    open ── needs silence? ── no, or by silence ──────────► single exchange ──► found, or None ── close_after: close
     ▲            └────────── by a `resync` of the device ──► resync exchange ─┘
     └── a connection that has served has ended: opened anew, once, for a read

Every method that waits is a generator of `port_steps`. `request_response` has the exchanges and the choices before them,
`attribution` decides to whom a response belongs. There is no schedule here, and no meaning of registers.
"""

from collections.abc import Callable, Sequence

from acquisition.drivers.base import Ask, DriverSpec, ExceptionResponse, Found, Read, Registers
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.conditions import LineConditions
from acquisition.exchange.identity.read_variants import Part
from acquisition.exchange.pipelining import ReadResponse
from acquisition.exchange.port_steps import LineTime, Steps
from acquisition.exchange.request_response.bracketed_read import BracketedRead
from acquisition.exchange.request_response.concurrent_reads import ConcurrentReads
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from acquisition.exchange.request_response.line_silence import LineSilence
from acquisition.exchange.request_response.resync_exchange import ResyncExchange
from acquisition.exchange.request_response.safe_requests import SafeRequests
from acquisition.exchange.request_response.single_exchange import SingleExchange
from acquisition.polling.path_failover import OwedRequest
from acquisition.transport.errors import NoConnectionError, UnsentError
from mapping.plan import DevicePlan, LinePlan


class Link:
    """Exchanges of one line. Every generator may raise NoConnectionError.

    `time` has the time of the last step. `tag`: the transaction id before the first one. `draw` gives numbers from 0 to 1.
    `record` is that of an earlier OS process. `doubted` is called as soon as readings prove to be in doubt. `safe` chooses
    the requests, `silence` waits between them. `was_cut`: the connection has ended behind the last read, and is open anew.
    """

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        time: LineTime,
        draw: Callable[[], float],
        tag: int = 0,
        record: ChannelRecord | None = None,
        doubted: Callable[[], None] = lambda: None,
    ) -> None:
        context = ExchangeContext.of(plan, spec, time, tag)
        self._spec = spec
        self._time = time
        self._context = context
        self._connection = context.connection
        self._responses = context.responses
        self._attribution = context.attribution
        self._attribution.doubted = doubted
        self.counters = context.counters
        self.turnarounds = context.turnarounds
        self.beginnings = context.beginnings
        self.beginnings.restore(record or ChannelRecord(), time.now)
        self.safe = SafeRequests(plan, context, draw)
        self.silence = LineSilence(context)
        self._single = SingleExchange(context, self.safe, self.silence)
        self._resync = ResyncExchange(context, self.silence, self._single)
        self._bracketed = BracketedRead(context, self._single)
        self._concurrent = ConcurrentReads(context)
        self.was_cut = False

    # ------------------------------------------------------------------ the connection

    @property
    def is_open(self) -> bool:
        """True while the port is open."""
        return self._connection.is_open

    @property
    def silent_s(self) -> float:
        """Seconds since the last octet came, or the port was opened."""
        return self._context.silent_s

    def open(self) -> Steps[None]:
        """Open the port unless it is open. Responses outstanding from an earlier opening may come in this one."""
        if (yield from self._connection.open()):
            self._responses.reset()
            self._context.frame_silence.opened(self._time.now)
            self.beginnings.opened(self._time.now)
            self.counters.reconnects += 1

    def close(self) -> Steps[None]:
        """Close the port; the next exchange opens it again."""
        yield from self._connection.close()

    def listen_first(self, read: Read, device: DevicePlan) -> Steps[None]:
        """At a beginning of a line that has another master: listen to it before parts are chosen for `read`."""
        yield from self.open()
        if self.beginnings.listens and not self._attribution.gateway.names_request(self._time.now):
            self._responses.coming(read)
            yield from self.silence.wait(device, hold=True)

    # ------------------------------------------------------------------ exchanges

    @property
    def asked_at(self) -> float:
        """Time of the last request, or of an earlier one that looked alike and may be the one that was answered."""
        return self._single.asked_at

    def exchange(self, request: Ask, device: DevicePlan, *, at_once: bool = False) -> Steps[Found | None]:
        """Send `request` and wait for its response, at most the device's time-out; None if there is none.

        A write goes out once or never. The connection is closed behind it if the device is declared `close_after`: an end
        that is still on its way cannot be seen, and a request must not meet it. Raises NoConnectionError; UnsentError if a
        connection that has served had ended before `request`, a write, could leave. `at_once`: without a window of silence.
        """
        self.was_cut = False
        yield from self.open()
        served = self._connection.served
        try:
            found = yield from self._after_silence(request, device, at_once=at_once)
        except NoConnectionError as error:
            if isinstance(error, UnsentError) and not served:
                raise NoConnectionError(str(error)) from error
            known_to_end = served or device.polling.close_after
            if self._spec.serial or not known_to_end or not isinstance(request, Read):
                raise
            yield from self.close()  # a device that closes after each answer
            yield from self.open()
            self.was_cut = not (self._spec.anonymous or self._attribution.gateway.names_request(self._time.now))
            if self.was_cut:
                return None  # its response may come in this connection: another read is asked
            found = yield from self._after_silence(request, device, at_once=at_once)
        if device.polling.close_after and not self._spec.serial:
            yield from self.close()
        return found

    def _after_silence(self, request: Ask, device: DevicePlan, *, at_once: bool) -> Steps[Found | None]:
        hold = not at_once and self.safe.needs_silence(request)
        resync = self._resync.question_before(request, device) if hold else None
        if resync is not None:
            return (yield from self._resync.exchange(request, device, resync))
        return (yield from self._single.after_silence(request, device, hold=hold))

    def ask_before(
        self, proof: Read, read: Read, device: DevicePlan
    ) -> Steps[tuple[int, ...] | ExceptionResponse | None]:
        """The values of `read`, sent behind `proof`, which is sent once more to confirm them; None if they are not confirmed."""
        self.was_cut = False
        yield from self.open()
        served = self._connection.served
        try:
            return (yield from self._bracketed.exchange(read, device, proof))
        except NoConnectionError:
            if self._spec.serial or not served:
                raise
            yield from self.close()  # a device that closes after each answer
            self.was_cut = True
            return None

    def ask_parts(self, device: DevicePlan, parts: Sequence[Part]) -> Steps[tuple[int, ...] | ExceptionResponse | None]:
        """The values of `parts`, joined; ExceptionResponse if the device has refused one, None if one was not answered.

        `asked_at` is then that of the first.
        """
        values: tuple[int, ...] = ()
        asked_at = 0.0
        for part in parts:
            found = yield from self.exchange(part.read, device)
            asked_at = self._single.asked_at = min(asked_at or self.asked_at, self.asked_at)
            if not isinstance(found, Registers):
                return found if isinstance(found, ExceptionResponse) else None
            first = part.start - part.read.address
            values += found.values[first : first + part.count]
        return values

    def exchanges(
        self, reads: Sequence[Read], device: DevicePlan, responded: Callable[[ReadResponse], None]
    ) -> Steps[None]:
        """Send all of `reads` and wait for each response, at most the device's time-out; `responded` gets each as it comes.

        Only on a line whose responses have tags. Raises NoConnectionError.
        """
        yield from self.open()
        if not (yield from self.silence.wait(device)):
            self.counters.babble += 1
            for place in range(len(reads)):
                responded(ReadResponse(place, None, self._time.now, 0))
            return
        served = self._connection.served
        try:
            outstanding = yield from self._concurrent.send(reads, device)
            found = yield from self._concurrent.next(outstanding)
        except NoConnectionError:
            if not served:
                raise
            yield from self.close()  # the device had closed meanwhile
            yield from self.open()
            outstanding = yield from self._concurrent.send(reads, device)
            found = yield from self._concurrent.next(outstanding)
        while found is not None:
            self._context.frame_silence.exchange_ended(device.unit, self._time.now)
            responded(found)
            found = yield from self._concurrent.next(outstanding)

    @property
    def may_pipeline(self) -> bool:
        """True unless a gateway answers: behind it, responses to several reads at once could be taken for each other."""
        return not self._attribution.gateway.is_certain

    # ------------------------------------------------------------------ evidence in the responses

    @property
    def is_certain(self) -> bool:
        """True if the last exception is to the last request, and no late or second one to another, for all that is known."""
        return self._attribution.exceptions.doubted is None

    @property
    def misanswered(self) -> bool:
        """True if another response has come to the last request, of its unit: the device answers, but the line is not in step."""
        return self._attribution.misanswered

    def misfitted(self) -> None:
        """A line of text fits no expression of its question: it may be the answer to another one, and so may those behind it."""
        self._attribution.text.misfitted(self._time.now)

    def window_s(self, unit: int) -> float:
        """The window of `unit` in seconds."""
        return self._attribution.asked.window(unit, self._time.now)

    def taken_back(self) -> list[Ask]:
        """Requests whose readings proved to be in doubt since the last call."""
        return self._attribution.doubts.taken_back()

    def owed(self, unit: int) -> list[OwedRequest]:
        """Requests to `unit` whose responses are outstanding."""
        return self._attribution.late.owed(unit, self._time.now)

    @property
    def conditions(self) -> LineConditions:
        """Conditions that the line has shown."""
        return self._attribution.faults.conditions

    def is_inconsistent(self, unit: int) -> bool:
        """True while responses of another device or master come under the number of `unit`."""
        return self._attribution.is_inconsistent(unit, self._time.now)
