"""Exchanges on one line: request, response, and after a time-out the wait until the line is silent. No schedule, no meaning.

    silence ── request ── response in time ──► found
       ▲                └─ time-out ──► outstanding response, hold until the line is silent ──► None
       └── octets that no request waits for: the silence begins anew, at most for the device's time-out

Here are the waiting and the clock. `responses` decides on octets, `timing` on silence, `connection` has the port.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence

from acquisition.drivers.base import Ask, Continue, DriverSpec, ExceptionResponse, Found, Read, Registers
from acquisition.exchange import late_answers
from acquisition.exchange.connection import Connection
from acquisition.exchange.counters import Counters
from acquisition.exchange.late_answers import Part
from acquisition.exchange.pipelining import OutstandingReads, ReadResponse
from acquisition.exchange.port_factory import port_of
from acquisition.exchange.responses import Responses, response_octets
from acquisition.exchange.timing import FrameSilence, LineTiming
from acquisition.exchange.turnaround import Turnarounds
from acquisition.transport.ports import NoConnectionError, Port, UnsentError
from mapping.plan import DevicePlan, LinePlan


class Link:
    """Exchanges of one line, one at a time. Every method that waits may raise NoConnectionError.

    `asked_at`: of the last request.
    """

    def __init__(self, plan: LinePlan, spec: DriverSpec, port: Port | None = None) -> None:
        self._spec = spec
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(port or port_of(plan, spec))
        self._timing = LineTiming.of(plan, spec)
        self._silence = FrameSilence(self._timing, self._loop.time())
        self.counters = Counters()
        self._responses = Responses(spec, spec.make(plan.settings), self.counters, time.monotonic_ns() & 0xFFFF)
        self.turnarounds = Turnarounds()  # of the units of a serial line
        self.asked_at = 0.0

    @property
    def is_open(self) -> bool:
        """True while the port is open."""
        return self._connection.is_open

    async def open(self) -> None:
        """Open the port unless it is open. Responses outstanding from an earlier opening may come in this one."""
        if await self._connection.open():
            self._responses.reset()
            self._silence.opened(self._loop.time())
            self.counters.reconnects += 1

    async def close(self) -> None:
        """Close the port; the next exchange opens it again."""
        await self._connection.close()

    # ------------------------------------------------------------------ reads that are safe

    def parts(
        self, read: Read, borders: Sequence[int], *, max_registers: int, refused: Collection[Read]
    ) -> list[Part] | None:
        """Reads that bring `read`, and with which no late response could be confused; None if there are none yet.

        `borders`: where its values end; `refused`: longer reads that the device refuses.
        """
        if self._spec.tagged or self._spec.anonymous:
            return [Part(read, read.address, read.count)]
        bits = read.table in ("coil", "discrete")
        limit = late_answers.BITS_LIMIT if bits else min(max_registers, self._spec.protocol.framing.registers)
        late, now = self._responses.late, self._loop.time()
        return late_answers.safe_parts(read, borders, late, now, limit=limit, refused=refused)

    def doubtful(self, read: Read) -> bool:
        """True if an exception to `read` may be a late one, to something else."""
        late = self._responses.late
        return not self._spec.tagged and late.may_be_pending(read.unit, read.table, self._loop.time())

    async def ask_parts(self, device: DevicePlan, parts: Sequence[Part]) -> tuple[int, ...] | ExceptionResponse | None:
        """The values of `parts`, joined; ExceptionResponse if the device has refused one, None if one was not answered.

        `asked_at` is then that of the first.
        """
        values: tuple[int, ...] = ()
        asked_at = 0.0
        for part in parts:
            found = await self.exchange(part.read, device)
            asked_at = self.asked_at = asked_at or self.asked_at
            if not isinstance(found, Registers):
                return found if isinstance(found, ExceptionResponse) else None
            first = part.start - part.read.address
            values += found.values[first : first + part.count]
        return values

    # ------------------------------------------------------------------ one exchange

    async def exchange(self, request: Ask, device: DevicePlan) -> Found | None:
        """Send `request` and wait for its response, at most the device's time-out; None if there is none.

        A write goes out once or never. The connection is closed behind it if the device is declared `close_after`: an end
        that is still on its way cannot be seen, and a request must not meet it. Raises NoConnectionError; UnsentError if a
        connection that has served had ended before `request`, a write, could leave.
        """
        await self.open()
        served = self._connection.served
        try:
            found = await self._after_silence(request, device)
        except NoConnectionError as error:
            if isinstance(error, UnsentError) and not served:
                raise NoConnectionError(str(error)) from error
            if self._spec.serial or not served or not isinstance(request, Read):
                raise
            await self.close()  # a device that closes after each answer
            await self.open()
            found = await self._after_silence(request, device)
        if device.polling.close_after and not self._spec.serial:
            await self.close()
        return found

    async def _after_silence(self, request: Ask, device: DevicePlan) -> Found | None:
        if await self.silence(device):
            return await self._exchange(request, device)
        self.counters.babble += 1
        return None

    async def _exchange(self, request: Ask, device: DevicePlan) -> Found | None:
        sent = await self._send(request)
        timeout_s = device.polling.timeout_ms / 1000
        response_s = response_octets(request) * self._timing.response_character_s
        found = await self._await_response(request, sent + timeout_s + response_s, timeout_s)
        now = self._loop.time()
        self._silence.exchange_ended(device.unit, now)
        if found is None:
            self._responses.timed_out(request, now, timeout_s)
            await self._after_timeout(request, timeout_s)
            return None
        self._served(found)
        self.turnarounds.responded(now - sent)
        if self._spec.serial and isinstance(found, Registers):
            self.turnarounds.add(device.unit, now - sent - response_s)
        return found

    async def _send(self, request: Ask) -> float:
        """Send `request`; the time at which its last character is on the line."""
        if self._spec.longest_s:
            await self._connection.set_baudrate(self._timing.baudrate)
        octets = self._responses.encode(request)
        self.asked_at = self._loop.time()
        await self._connection.port.write(octets)
        self._responses.sent(request, octets)
        return self._loop.time() + len(octets) * self._timing.character_s

    def _served(self, found: Found) -> None:
        self._connection.served = True
        self.counters.count_response(found)

    async def _await_response(self, request: Ask, deadline: float, timeout_s: float) -> Found | None:
        last = self._loop.time() + self._spec.longest_s
        while (left := deadline - self._loop.time()) > 0:
            octets = await self._connection.port.read(left)
            if not octets:
                continue
            now = self._loop.time()
            self._silence.broken(now)
            self._responses.receive(octets)
            if self._spec.longest_s:
                deadline = min(last, now + timeout_s)
            while (found := self._responses.next(request, self._loop.time())) is not None:
                if not isinstance(found, Continue):
                    return found
                await self._continue(found)
                deadline = min(last, self._loop.time() + timeout_s)
        return None

    async def _continue(self, more: Continue) -> None:
        """Go on with a conversation; ends when all of it is on the line."""
        await asyncio.sleep(more.after_s)
        await self._connection.port.write(more.octets)
        await asyncio.sleep(len(more.octets) * self._timing.character_s)
        if more.baudrate is not None:
            await self._connection.set_baudrate(more.baudrate)

    # ------------------------------------------------------------------ several at once

    async def exchanges(self, reads: Sequence[Read], device: DevicePlan) -> AsyncIterator[ReadResponse]:
        """Send all of `reads` and wait for each response, at most the device's time-out; each as it comes, in any order.

        Only on a line whose responses have tags. Raises NoConnectionError.
        """
        await self.open()
        if not await self.silence(device):
            self.counters.babble += 1
            for place in range(len(reads)):
                yield ReadResponse(place, None, self._loop.time())
            return
        served = self._connection.served
        try:
            outstanding = await self._send_all(reads, device)
            found = await self._next_response(outstanding)
        except NoConnectionError:
            if not served:
                raise
            await self.close()  # the device had closed meanwhile
            await self.open()
            outstanding = await self._send_all(reads, device)
            found = await self._next_response(outstanding)
        while found is not None:
            self._silence.exchange_ended(device.unit, self._loop.time())
            yield found
            found = await self._next_response(outstanding)

    async def _send_all(self, reads: Sequence[Read], device: DevicePlan) -> OutstandingReads:
        outstanding = OutstandingReads()
        for place, read in enumerate(reads):
            asked_at = self._loop.time()
            octets = self._responses.encode(read)
            await self._connection.port.write(octets)
            tag = self._responses.sent(read, octets)
            outstanding.add(tag, place, read, asked_at, asked_at + device.polling.timeout_ms / 1000)
        return outstanding

    async def _next_response(self, outstanding: OutstandingReads) -> ReadResponse | None:
        """The next response to come, or the next read to which none came; None if all are done."""
        while (deadline := outstanding.deadline) is not None:
            response = self._responses.next_of(outstanding)
            now = self._loop.time()
            if response is not None:
                if response.found is not None:
                    self._served(response.found)
                return response
            if now >= deadline:
                self.counters.timeouts += 1
                return outstanding.give_up()
            octets = await self._connection.port.read(deadline - now)
            if octets:
                self._silence.broken(self._loop.time())
                self._responses.receive(octets)
        return None

    # ------------------------------------------------------------------ octets that no request waits for

    async def silence(self, device: DevicePlan) -> bool:
        """Wait for the silence before a frame: 3.5 characters of the line, and the device's own pause.

        Octets that come meanwhile begin the silence anew; False if there is none for the device's time-out. Raises
        NoConnectionError; UnsentError if it is a connection that has served.
        """
        try:
            return await self._until_silent(device)
        except NoConnectionError as error:
            if self._spec.serial or not self._connection.served:
                raise
            raise UnsentError(str(error)) from error

    async def _until_silent(self, device: DevicePlan) -> bool:
        until = max(self._loop.time(), self._silence.free_at(device)) + device.polling.timeout_ms / 1000
        self._responses.unexpected()
        while True:
            while (left := self._silence.free_at(device) - self._loop.time()) > 0:
                self._unexpected(await self._connection.port.read(left))
                if self._loop.time() > until:
                    return False
            if self._spec.tagged:
                return True
            unread = self._connection.port.discard()
            if not unread:
                return True
            self.counters.discarded_octets += unread
            self._silence.broken(self._loop.time())

    def _unexpected(self, octets: bytes) -> None:
        if octets:
            self._silence.broken(self._loop.time())
            self._responses.unexpected(octets)

    async def _after_timeout(self, request: Ask, timeout_s: float) -> None:
        """Wait until the line is silent, or, on a line of text, for the missing response (D65).

        Octets that come meanwhile are no response to anything that follows.
        """
        if self._spec.tagged:
            return
        if self._spec.anonymous:
            await self._until_late_line(request, 4 * timeout_s)
            return
        hold = min(self.turnarounds.longest_s, timeout_s)
        until = self._loop.time() + timeout_s
        while self._loop.time() < until:
            octets = await self._connection.port.read(min(hold, until - self._loop.time()))
            if not octets:
                return
            self._unexpected(octets)

    async def _until_late_line(self, request: Ask, seconds: float) -> None:
        """A line of text does not name its question: wait for the missing one, or long enough that none will come."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            if self._responses.late_line(request, await self._connection.port.read(left)):
                return
