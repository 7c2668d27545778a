"""Exchanges on one line: request, response, and after a time-out the wait until the line is silent (pure).

    silence ── request ── response in time ──► found
       ▲                └─ time-out ──► outstanding response, hold until the line is silent ──► None
       └── octets that no request waits for: the silence begins anew, at most for the device's time-out

Every method that waits is a generator of `port_steps`. `responses` decides on octets, `timing` on silence, `connection`
knows whether the port is open. There is no schedule here, and no meaning of registers.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from acquisition.drivers.base import (
    Ask,
    Continue,
    DriverSpec,
    ExceptionResponse,
    Found,
    Question,
    Read,
    Registers,
    Write,
)
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.beginnings import HOLD_S, Beginnings
from acquisition.exchange.connection import Connection
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.conditions import LineConditions
from acquisition.exchange.identity.late_text import TEXT
from acquisition.exchange.identity.read_variants import BITS_LIMIT, Part, ReadChoice, ReadLimits
from acquisition.exchange.identity.resynchronization import Resynchronization
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.port_steps import LineTime, Receive, Rest, Send, SetBaudrate, Steps
from acquisition.exchange.responses import Responses, response_octets
from acquisition.exchange.timing import FrameSilence, LineTiming
from acquisition.exchange.turnaround import Turnarounds
from acquisition.polling.path_failover import OwedRequest
from acquisition.transport.errors import NoConnectionError, UnsentError
from mapping.block_planning import planner
from mapping.plan import DevicePlan, LinePlan

ROOM: Final = 0.5  # the share of its time that a line may be busy, or silent for identity, and still have room for that
TOO_SOON_S: Final = 0.002  # less than that sooner than ever is the jitter of a computer


class Link:
    """Exchanges of one line, one at a time. Every generator may raise NoConnectionError.

    `time` has the time of the last step; `asked_at`: of the last request, or of an earlier one that looked alike and may be
    the one that was answered. `tag`: the transaction id before the first one. `draw` gives numbers from 0 to 1. `record` is
    that of an earlier OS process.
    """

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        time: LineTime,
        draw: Callable[[], float],
        tag: int = 0,
        record: ChannelRecord | None = None,
    ) -> None:
        self._spec = spec
        self._time = time
        self._connection = Connection()
        self._timing = LineTiming.of(plan, spec)
        self._cost = planner.line_cost(plan, spec.protocol.framing)
        self._blocks = Counter(one.unit for one in (*plan.devices, *plan.fallbacks) for _ in one.blocks)
        self._silence = FrameSilence(self._timing, time.now)
        self.counters = Counters()
        one_exchange_each = all(one.polling.close_after for one in (*plan.devices, *plan.fallbacks))
        self._attribution = Attribution(
            spec, self.counters, tag, behind=plan.behind, path=plan.path, resync=Resynchronization.of(plan)
        )
        self._responses = Responses(spec, spec.make(plan.settings), self.counters, self._attribution)
        self._choice = ReadChoice(self._attribution.late, self._attribution.asked, draw)
        self.beginnings = Beginnings(spec, self._attribution, one_exchange_each=one_exchange_each)
        self.beginnings.restore(record or ChannelRecord(), time.now)
        self.turnarounds = Turnarounds()  # of the units of a serial line
        self.asked_at = 0.0
        self.held_s = 0.0  # waited for windows of silence, since the line was in doubt

    @property
    def is_open(self) -> bool:
        """True while the port is open."""
        return self._connection.is_open

    @property
    def silent_s(self) -> float:
        """Seconds since the last octet came, or the port was opened."""
        return self._time.now - self._silence.since

    def open(self) -> Steps[None]:
        """Open the port unless it is open. Responses outstanding from an earlier opening may come in this one."""
        if (yield from self._connection.open()):
            self._responses.reset()
            self._silence.opened(self._time.now)
            self.beginnings.opened(self._time.now)
            self.counters.reconnects += 1

    def close(self) -> Steps[None]:
        """Close the port; the next exchange opens it again."""
        yield from self._connection.close()

    # ------------------------------------------------------------------ reads that are safe

    def parts(
        self, read: Read, borders: Sequence[int], limits: ReadLimits, *, fresh: bool = False
    ) -> list[Part] | None:
        """Reads that bring `read`, and with which no other response could be confused; None if there are none yet.

        `borders`: where its values end. `fresh`: nor with an earlier response to the same read, since a write came between.
        """
        if self._spec.anonymous or self._spec.transport == "memory":
            return [Part(read, read.address, read.count)] if self.may_ask(read) else None
        if self._attribution.gateway.names_request(self._time.now):
            return [Part(read, read.address, read.count)]
        silent_s = self._time.now - self._silence.since
        return self._choice.parts(
            read,
            borders,
            self._limits(read, limits),
            self._time.now,
            silent_s=silent_s,
            fresh=fresh,
        )

    def listen_first(self, read: Read, device: DevicePlan) -> Steps[None]:
        """At a beginning of a line that has another master: listen to it before `parts` are chosen for `read`."""
        yield from self.open()
        if self.beginnings.listens and not self._attribution.gateway.names_request(self._time.now):
            self._responses.coming(read)
            yield from self.silence(device, hold=True)

    def proof_before(self, read: Read, borders: Sequence[int], limits: ReadLimits) -> Read | None:
        """The read that shows that the line is in step, before `read` is asked; None if none is due, or if there is none.

        It is due at a beginning of the unit, and where nothing but silence tells the response to `read` while one is missing,
        or for so long that readings are to be proven.
        """
        now = self._time.now
        if self._spec.anonymous or self._spec.transport == "memory" or self._attribution.gateway.names_request(now):
            return None
        limits = self._limits(read, limits)
        begins = not (self._spec.tagged or self.beginnings.is_proven(read.unit))
        if not begins and self._choice.is_told(read, borders, limits, now):
            return None
        if (
            begins
            or self._attribution.late.may_be_taken_for(read, now)
            or self._attribution.doubts.needs_proof(read.unit, now)
        ):
            proof = self._choice.proof(read, borders, limits, now)
            if proof is None:
                self.beginnings.proved(read.unit)
            return proof
        return None

    def proved(self, proof: Read) -> None:
        """`proof` was answered: its unit is in step."""
        self.beginnings.proved(proof.unit)
        self._attribution.late.proved(proof, self._time.now)

    def _limits(self, read: Read, limits: ReadLimits) -> ReadLimits:
        bits = read.table in ("coil", "discrete")
        return replace(limits, most=BITS_LIMIT if bits else min(limits.most, self._spec.protocol.framing.registers))

    def room_s(self, read: Read) -> float:
        """Seconds until the unit was asked nothing for a window, where the line has room to wait for that; otherwise 0."""
        now, asked = self._time.now, self._attribution.asked
        if self._blocks[read.unit] < 2 or self._spec.anonymous or self._attribution.gateway.names_request(now):
            return 0.0
        window_s = asked.window(read.unit, now)
        busy = self._cost.load + self._cost.requests_per_s * window_s
        return 0.0 if busy > ROOM or window_s > HOLD_LIMIT_S else max(asked.quiet_at(read, now) - now, 0.0)

    def may_ask(self, question: Ask, device: DevicePlan | None = None) -> bool:
        """True unless the missing answer to another question could be taken for that to `question`, on a line of text.

        The `resync` of `device` settles that first, where it has one.
        """
        return self._attribution.text.may_ask(question, self._time.now, device)

    @property
    def is_certain(self) -> bool:
        """True if the last exception is to the last request, and no late or second one to another, for all that is known."""
        return self._attribution.exceptions.doubted is None

    def exception_wait_s(self, read: Read) -> float:
        """Seconds until an exception to `read` is told from the last one of its unit and function; 0 or less: it is now."""
        return self._attribution.exceptions.wait_s(read, self._time.now)

    def window_s(self, unit: int) -> float:
        """The window of `unit` in seconds."""
        return self._attribution.asked.window(unit, self._time.now)

    def misfitted(self) -> None:
        """A line of text fits no expression of its question: it may be the answer to another one, and so may those behind it."""
        self._attribution.text.misfitted(self._time.now)

    def ask_parts(self, device: DevicePlan, parts: Sequence[Part]) -> Steps[tuple[int, ...] | ExceptionResponse | None]:
        """The values of `parts`, joined; ExceptionResponse if the device has refused one, None if one was not answered.

        `asked_at` is then that of the first.
        """
        values: tuple[int, ...] = ()
        asked_at = 0.0
        for part in parts:
            found = yield from self.exchange(part.read, device)
            asked_at = self.asked_at = min(asked_at or self.asked_at, self.asked_at)
            if not isinstance(found, Registers):
                return found if isinstance(found, ExceptionResponse) else None
            first = part.start - part.read.address
            values += found.values[first : first + part.count]
        return values

    # ------------------------------------------------------------------ one exchange

    def exchange(self, request: Ask, device: DevicePlan) -> Steps[Found | None]:
        """Send `request` and wait for its response, at most the device's time-out; None if there is none.

        A write goes out once or never. The connection is closed behind it if the device is declared `close_after`: an end
        that is still on its way cannot be seen, and a request must not meet it. Raises NoConnectionError; UnsentError if a
        connection that has served had ended before `request`, a write, could leave.
        """
        yield from self.open()
        served = self._connection.served
        try:
            found = yield from self._after_silence(request, device)
        except NoConnectionError as error:
            if isinstance(error, UnsentError) and not served:
                raise NoConnectionError(str(error)) from error
            known_to_end = served or device.polling.close_after
            if self._spec.serial or not known_to_end or not isinstance(request, Read):
                raise
            yield from self.close()  # a device that closes after each answer
            yield from self.open()
            found = yield from self._after_silence(request, device)
        if device.polling.close_after and not self._spec.serial:
            yield from self.close()
        return found

    def _after_silence(self, request: Ask, device: DevicePlan) -> Steps[Found | None]:
        hold = self._needs_silence(request)
        resync = self._resync_before(request, device) if hold else None
        if resync is not None:
            doubtful = self._attribution.doubts.is_doubtful(TEXT, self._time.now)
            hold = not (yield from self._resynchronized(resync, device))
            if not self.may_ask(request):
                return None
            if doubtful and not hold:
                return (yield from self._between_resyncs(request, device, resync))
        return (yield from self._silent_exchange(request, device, hold=hold))

    def _silent_exchange(self, request: Ask, device: DevicePlan, *, hold: bool) -> Steps[Found | None]:
        self._responses.coming(request)
        if (yield from self.silence(device, hold=hold)):
            return (yield from self._exchange(request, device))
        self.counters.babble += 1
        return None

    def _resync_before(self, request: Ask, device: DevicePlan) -> Question | None:
        """The question that is asked before `request` instead of a window of silence; None where silence has to do."""
        now, doubts = self._time.now, self._attribution.doubts
        if not doubts.hold and self.may_ask(request) and self.silent_s >= self._window_s(TEXT):
            return None
        return self._attribution.text.resync.question(device, now) if isinstance(request, Question) else None

    def _resynchronized(self, question: Question, device: DevicePlan, *, behind: bool = False) -> Steps[bool]:
        """True if the line replies to what it is asked, and no other line came; otherwise it is to be silent.

        `behind` another question, none may have come since that one either.
        """
        resync = self._attribution.text.resync
        if not (yield from self.silence(device)):
            return False
        resync.shifted = resync.shifted and behind
        found = yield from self._exchange(question, device)
        if found is None:
            resync.unanswered(device, self._time.now)
            return False
        self._attribution.text.resynchronized(self._time.now, device.polling.timeout_ms / 1000)
        return not resync.shifted

    def _between_resyncs(self, request: Ask, device: DevicePlan, question: Question) -> Steps[Found | None]:
        """The response to `request` if `question` behind it shows no other line; otherwise that of a second try, by silence."""
        if not (yield from self.silence(device)):
            return None
        self._attribution.text.resync.shifted = False
        found = yield from self._exchange(request, device, accept=False)
        if found is None:
            return None
        asked_at = self.asked_at
        if (yield from self._resynchronized(question, device, behind=True)):
            self.asked_at = asked_at
            self._accepted(request, found, self._time.now, proven=False)
            return found
        return (yield from self._silent_exchange(request, device, hold=True))

    def _needs_silence(self, request: Ask) -> bool:
        """True if the line is to be silent for a window before `request`, since nothing else tells its response from others."""
        now, doubts, unit = self._time.now, self._attribution.doubts, self._attribution.text.unit_of(request)
        if self._attribution.gateway.names_request(now):
            return False
        if isinstance(request, Write) and not self._spec.anonymous:
            return self._attribution.asked.written_alike(request, now)
        if doubts.hold or self.beginnings.concerns(unit):
            return True
        if self._attribution.text.concerns(request) and doubts.is_doubtful(unit, now):
            return True
        if isinstance(request, Read) and self._attribution.late.is_owed(request, now):
            return True
        if not isinstance(request, Read | Question) or self._is_proof(request):
            return False
        return doubts.is_doubtful(unit, now) or doubts.needs_proof(unit, now) or not self.may_ask(request)

    def _exchange(self, request: Ask, device: DevicePlan, *, accept: bool = True) -> Steps[Found | None]:
        proven = self._is_proof(request)
        sent = yield from self._send(request)
        timeout_s = device.polling.timeout_ms / 1000
        response_s = response_octets(request) * self._timing.response_character_s
        try:
            found = yield from self._await_response(request, sent, sent + timeout_s + response_s, timeout_s)
        except NoConnectionError:
            self._attribution.cut_short(request, self._time.now, timeout_s)
            raise
        now = self._time.now
        self._silence.exchange_ended(device.unit, now)
        if found is None:
            self._responses.timed_out(request, now, timeout_s)
            yield from self._after_timeout(request, device, timeout_s)
            return None
        self._served(found)
        self._attribution.answered(request, found, now, timeout_s)
        if accept:
            self._accepted(request, found, now, proven=proven)
        self.turnarounds.responded(now - sent)
        if self._spec.serial and isinstance(found, Registers):
            self.turnarounds.add(device.unit, now - sent - response_s)
        return found

    def _is_proof(self, request: Ask) -> bool:
        """True if no response to another question could be taken for that to `request`, sent now."""
        now = self._time.now
        if self._attribution.gateway.names_request(now):
            return True
        silent_s = now - self._silence.since
        if self._attribution.text.resync.asks(request):
            return True
        if self._attribution.text.concerns(request):
            alone = not self._attribution.text.late.rests_on_silence(request)
            return alone or silent_s >= self._attribution.asked.window(self._attribution.text.unit_of(request), now)
        return isinstance(request, Read) and self._choice.distinguishes(request, now, silent_s=silent_s)

    def _accepted(self, request: Ask, found: Found, now: float, *, proven: bool) -> None:
        asked, doubts = self._attribution.asked, self._attribution.doubts
        if self._attribution.text.concerns(request):
            doubts.rests(request, self._attribution.text.unit_of(request), now, proven=proven)
        elif isinstance(request, Read) and isinstance(found, Registers):
            doubts.accepted(request, asked.signature_of(request), now, proven=proven)

    @property
    def may_pipeline(self) -> bool:
        """True unless a gateway answers: behind it, responses to several reads at once could be taken for each other."""
        return not self._attribution.gateway.is_certain

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

    def _send(self, request: Ask) -> Steps[float]:
        """Send `request`; the time at which its last character is on the line."""
        if self._spec.longest_s:
            yield SetBaudrate(self._timing.baudrate)
        octets = self._responses.encode(request)
        self.asked_at = self._attribution.ages.oldest(request, self._time.now)
        yield Send(octets)
        self._responses.sent(request, octets, self._time.now)
        return self._time.now + len(octets) * self._timing.character_s

    def _served(self, found: Found) -> None:
        self._connection.served = True
        self.counters.count_response(found)

    def _came_too_soon(self, request: Ask, sent: float) -> bool:
        """True if what came is the missing line of text: no answer to `request` has ever come so soon."""
        text, shortest_s = self._attribution.text, self.turnarounds.shortest_s
        if not self._spec.anonymous or not text.late.any(self._time.now):
            return False
        return self._time.now - sent < min(shortest_s - TOO_SOON_S, shortest_s / 2)

    def _await_response(self, request: Ask, sent: float, deadline: float, timeout_s: float) -> Steps[Found | None]:
        last = self._time.now + self._spec.longest_s
        while self._time.now < (until := min(deadline, self._attribution.exceptions.doubted_until)):
            octets = yield Receive(until)
            if not octets:
                continue
            self._silence.broken(self._time.now)
            self._responses.receive(octets)
            if self._spec.longest_s:
                deadline = min(last, self._time.now + timeout_s)
            while (found := self._responses.next(request, self._time.now)) is not None:
                if self._came_too_soon(request, sent):
                    self._attribution.text.came_late(request, self._time.now)
                    continue
                if not isinstance(found, Continue):
                    return found
                yield from self._continue(found)
                deadline = min(last, self._time.now + timeout_s)
        return self._attribution.exceptions.doubted

    def _continue(self, more: Continue) -> Steps[None]:
        """Go on with a conversation; ends when all of it is on the line."""
        yield Rest(self._time.now + more.after_s)
        yield Send(more.octets)
        yield Rest(self._time.now + len(more.octets) * self._timing.character_s)
        if more.baudrate is not None:
            yield SetBaudrate(more.baudrate)

    # ------------------------------------------------------------------ several at once

    def exchanges(
        self, reads: Sequence[Read], device: DevicePlan, responded: Callable[[ReadResponse], None]
    ) -> Steps[None]:
        """Send all of `reads` and wait for each response, at most the device's time-out; `responded` gets each as it comes.

        Only on a line whose responses have tags. Raises NoConnectionError.
        """
        yield from self.open()
        if not (yield from self.silence(device)):
            self.counters.babble += 1
            for place in range(len(reads)):
                responded(ReadResponse(place, None, self._time.now))
            return
        served = self._connection.served
        try:
            outstanding = yield from self._send_all(reads, device)
            found = yield from self._next_response(outstanding)
        except NoConnectionError:
            if not served:
                raise
            yield from self.close()  # the device had closed meanwhile
            yield from self.open()
            outstanding = yield from self._send_all(reads, device)
            found = yield from self._next_response(outstanding)
        while found is not None:
            self._silence.exchange_ended(device.unit, self._time.now)
            responded(found)
            found = yield from self._next_response(outstanding)

    def _send_all(self, reads: Sequence[Read], device: DevicePlan) -> Steps[OutstandingReads]:
        outstanding = OutstandingReads()
        for place, read in enumerate(reads):
            asked_at = self._time.now
            octets = self._responses.encode(read)
            yield Send(octets)
            tag = self._responses.sent(read, octets, asked_at)
            outstanding.add(tag, place, read, asked_at, asked_at + device.polling.timeout_ms / 1000)
        return outstanding

    def _next_response(self, outstanding: OutstandingReads) -> Steps[ReadResponse | None]:
        """The next response to come, or the next read to which none came; None if all are done."""
        while (deadline := outstanding.deadline) is not None:
            now = self._time.now
            response = self._responses.next_of(outstanding, now)
            if response is not None:
                if response.found is not None:
                    self._served(response.found)
                    self._attribution.answered_concurrently(response.found, now)
                return response
            if now >= deadline:
                self.counters.timeouts += 1
                return outstanding.give_up()
            octets = yield Receive(deadline)
            if octets:
                self._silence.broken(self._time.now)
                self._responses.receive(octets)
        return None

    # ------------------------------------------------------------------ octets that no request waits for

    def silence(self, device: DevicePlan, *, hold: bool = False) -> Steps[bool]:
        """Wait for the silence before a frame: 3.5 characters of the line, the device's own pause, a window with `hold`.

        Octets that come meanwhile begin the silence anew; False if there is none for the device's time-out. Raises
        NoConnectionError; UnsentError if it is a connection that has served.
        """
        try:
            return (yield from self._until_silent(device, hold=hold))
        except NoConnectionError as error:
            if self._spec.serial or not self._connection.served:
                raise
            raise UnsentError(str(error)) from error

    def _until_silent(self, device: DevicePlan, *, hold: bool) -> Steps[bool]:
        self._responses.unexpected(self._time.now)
        if hold:
            yield from self._window_of_silence(TEXT if self._spec.anonymous else device.unit)
        yield from self._other_master_done()
        until = max(self._time.now, self._silence.free_at(device)) + device.polling.timeout_ms / 1000
        while True:
            while self._time.now < (free := self._silence.free_at(device)):
                self._unexpected((yield Receive(free)))
                if self._time.now > until:
                    return False
            octets = b"" if self._spec.tagged else (yield Receive(self._time.now))  # some that nobody has seen
            if not octets:
                return True
            self._unexpected(octets)

    def _window_s(self, unit: int) -> float:
        """The silence after which no response of `unit` is expected, whose lag may not be known yet."""
        return max(self._attribution.asked.window(unit, self._time.now), HOLD_S)

    def _window_of_silence(self, unit: int) -> Steps[None]:
        """Wait until the line was silent for a window; a line that never is, since others talk on it, for HOLD_LIMIT_S."""
        began, until = self._time.now, self._time.now + HOLD_LIMIT_S
        window_s = self.beginnings.silence_s(self._attribution.asked.window(unit, self._time.now))
        while self._time.now < (free := min(self._silence.since + window_s, until)):
            self._unexpected((yield Receive(free)))
        self.held_s += self._time.now - began
        self.beginnings.listened(unit)

    def listen(self, seconds: float) -> Steps[None]:
        """Judge the octets that come within `seconds`, while nothing is asked."""
        until = self._time.now + seconds
        while self._time.now < until:
            self._unexpected((yield Receive(until)))

    def _other_master_done(self) -> Steps[None]:
        """Wait for the response to another master's request that was heard, for one window at most."""
        last = self._attribution.others.until(self._time.now)
        while self._time.now < (until := min(self._attribution.others.until(self._time.now), last)):
            self._unexpected((yield Receive(until)))

    def _unexpected(self, octets: bytes) -> None:
        if octets:
            self._silence.broken(self._time.now)
            self._responses.unexpected(self._time.now, octets)

    def _after_timeout(self, request: Ask, device: DevicePlan, timeout_s: float) -> Steps[None]:
        """Wait until the line is silent, or, on a line of text, for the missing response (D65) unless a `resync` settles it.

        Octets that come meanwhile are no response to anything that follows.
        """
        if self._spec.tagged or self._attribution.text.resync.asks(request):
            return
        if self._spec.anonymous and self._attribution.text.can_settle(device, self._time.now):
            self._attribution.doubts.hold = True
            return
        if self._spec.anonymous:
            yield from self._until_late_line(request, 4 * timeout_s)
            return
        hold = min(self.turnarounds.longest_s, timeout_s)
        until = self._time.now + timeout_s
        while self._time.now < until:
            octets = yield Receive(min(self._time.now + hold, until))
            if not octets:
                return
            self._unexpected(octets)

    def _until_late_line(self, request: Ask, seconds: float) -> Steps[None]:
        """A line of text does not name its question: wait for the missing one, or long enough that none will come."""
        until = self._time.now + seconds
        while self._time.now < until:
            if self._responses.late_line(request, (yield Receive(until)), self._time.now):
                return
