"""One line's port: ask, wait, and keep what comes late from passing for what was asked. No schedule, no meaning.

    silence ── request ── answer in time ──► found
       ▲                └─ time-out ──► ghost, hold until the line is silent ──► None
       └── octets that nobody asked for: the silence begins anew, at most for the device's time-out

The silence before each frame, the device's own pause, the deadline of each answer, and after a time-out the wait until
the line is silent: all on the monotonic clock.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    Continue,
    DriverSpec,
    Foreign,
    Found,
    Read,
    Refused,
    Registers,
    Step,
    Write,
)
from acquisition.exchange import late_answers
from acquisition.exchange.late_answers import Counters, Echo, Ghosts, Part
from acquisition.exchange.pipelining import Awaited, Exchanged
from acquisition.exchange.port_factory import port_of
from acquisition.exchange.turnaround import Smoothed
from acquisition.transport.capture import RecordingPort
from acquisition.transport.ports import LinkError, Port, SerialPort, UnsentError
from mapping.plan import DevicePlan, LinePlan

SILENCE_CHARACTERS: Final = 3.5
SILENCE_FAST_S: Final = 0.00175  # above 19200 baud
BUSY: Final = (5, 6)
CUT_OCTETS: Final = 3  # what may be missing from an unsound answer that has come nevertheless
_FUNCTION_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Link:
    """The exchanges of one line, one at a time. Every method that waits may raise LinkError."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, port: Port | None = None) -> None:
        self._spec = spec
        self._driver = spec.make(plan.settings)
        self._port = port or port_of(plan, spec)
        self._baudrate = int(plan.settings.get("baudrate", 9600))
        self._loop = asyncio.get_running_loop()
        self._ghosts = Ghosts()
        self._echo = Echo()
        self._buffer = bytearray()
        self._tag = time.monotonic_ns() & 0xFFFF
        self._ask: Ask | None = None  # the last one
        self._used = False  # an answer has come on this connection
        self._character_s = _character_s(plan) if spec.serial else 0.0
        self._silence_s = _silence_s(plan, self._character_s) if spec.protocol.framing.silence else 0.0
        self._between_s = float(plan.settings.get("delay_between", 0)) / 1000
        self._after_connect_s = float(plan.settings.get("delay_after_connect", 0)) / 1000
        self._quiet_since = self._free_from = self._loop.time()
        self._asked_at: dict[int, float] = {}  # when the last exchange with a unit ended
        self._longest_answer_s = 0.0
        self.asked_at = 0.0  # when the last request was sent
        self.is_open = False
        self.counters = Counters()
        self.turnarounds = Smoothed()  # of the units of a serial line

    async def open(self) -> None:
        """Open the port unless it is open. What an earlier opening is still owed may come in this one."""
        if self.is_open:
            return
        await self._port.open()
        self.is_open, self._used = True, False
        self._buffer.clear()
        self._quiet_since = self._loop.time()
        self._free_from = self._quiet_since + self._after_connect_s
        self.counters.reconnects += 1

    async def close(self) -> None:
        """Close the port; the next exchange opens it again."""
        self.is_open = False
        await self._port.close()

    # ------------------------------------------------------------------ reads that are safe

    def parts(
        self, read: Read, borders: Sequence[int], *, max_registers: int, refused: Collection[Read]
    ) -> list[Part] | None:
        """Reads that bring `read` and that no late answer could satisfy; None if there are none yet.

        `borders`: where its values end; `refused`: longer reads to which the device says no.
        """
        if self._spec.tagged or self._spec.anonymous:
            return [Part(read, read.address, read.count)]
        bits = read.table in ("coil", "discrete")
        limit = late_answers.BITS_LIMIT if bits else min(max_registers, late_answers.REGISTERS_LIMIT)
        return late_answers.safe_parts(read, borders, self._ghosts, self._loop.time(), limit=limit, refused=refused)

    def doubtful(self, read: Read) -> bool:
        """True if an exception to `read` may be a late one, to something else."""
        return not self._spec.tagged and self._ghosts.haunt(read.unit, read.table, self._loop.time())

    async def ask_parts(self, device: DevicePlan, parts: Sequence[Part]) -> tuple[int, ...] | Refused | None:
        """The values of `parts`, joined; Refused if the device said no to one, None if one was not answered.

        `asked_at` is then when the first was asked.
        """
        values: tuple[int, ...] = ()
        asked_at = 0.0
        for part in parts:
            found = await self.exchange(part.read, device)
            asked_at = self.asked_at = asked_at or self.asked_at
            if not isinstance(found, Registers):
                return found if isinstance(found, Refused) else None
            first = part.start - part.read.address
            values += found.values[first : first + part.count]
        return values

    # ------------------------------------------------------------------ one exchange

    async def exchange(self, ask: Ask, device: DevicePlan) -> Found | None:
        """Ask and wait for the answer, at most the device's time-out; None if there is none.

        A write goes out once or never. The connection is closed behind it if the device is declared `close_after`: an end
        that is still on its way cannot be seen, and a request must not meet it. Raises LinkError; UnsentError if a
        connection that has served had ended before `ask`, a write, could leave.
        """
        await self.open()
        used = self._used
        try:
            found = await self._after_silence(ask, device)
        except LinkError as error:
            if isinstance(error, UnsentError) and not used:
                raise LinkError(str(error)) from error
            if self._spec.serial or not used or not isinstance(ask, Read):
                raise
            await self.close()  # a device that closes after each answer
            await self.open()
            found = await self._after_silence(ask, device)
        if device.polling.close_after and not self._spec.serial:
            await self.close()
        return found

    async def _after_silence(self, ask: Ask, device: DevicePlan) -> Found | None:
        if await self.silence(device):
            return await self._exchange(ask, device)
        self.counters.babble += 1
        return None

    async def _exchange(self, ask: Ask, device: DevicePlan) -> Found | None:
        if not self._spec.tagged:
            self.counters.discarded_octets += len(self._buffer)
            self._buffer.clear()
        if self._spec.longest_s:
            await self._go_on_at(self._baudrate)
        self._tag = late_answers.next_tag(self._tag)
        octets = self._driver.request(ask, self._tag)
        self.asked_at = self._loop.time()
        await self._port.write(octets)
        self.counters.requests += 1
        self._ask = ask
        if not self._spec.tagged:
            self._echo.sent(octets, ask)
            if isinstance(ask, Write):
                self._ghosts.written(ask)
        sent = self._loop.time() + len(octets) * self._character_s
        timeout_s = device.polling.timeout_ms / 1000
        answer_octets = late_answers.octets_of(ask) + 5 if isinstance(ask, Read) else 8
        foreign, came = self.counters.foreign, self.counters.discarded_octets
        found = await self._await_answer(
            ask,
            sent + timeout_s + answer_octets * self._spec.protocol.framing.characters * self._character_s,
            timeout_s,
        )
        now = self._loop.time()
        self._asked_at[device.unit] = now
        self._free_from = now + self._between_s
        if found is None:
            self.counters.timeouts += 1
            unsound = len(self._buffer) + self.counters.discarded_octets - came
            self.counters.garbled += bool(unsound and foreign == self.counters.foreign)
            await self._after_timeout(ask, timeout_s, spoilt=unsound >= answer_octets - CUT_OCTETS)
            return None
        self._count(found)
        self._longest_answer_s = max(self._longest_answer_s, now - sent)
        if self._spec.serial and isinstance(found, Registers):
            said_s = answer_octets * self._spec.protocol.framing.characters * self._character_s
            self.turnarounds.add(device.unit, now - sent - said_s)
        return found

    def _count(self, found: Found) -> None:
        self._used = True
        self.counters.answers += 1
        if isinstance(found, Refused):
            self.counters.exceptions += 1
            self.counters.busy += found.code in BUSY

    async def _await_answer(self, ask: Ask, deadline: float, timeout_s: float) -> Found | None:
        last = self._loop.time() + self._spec.longest_s
        while (left := deadline - self._loop.time()) > 0:
            octets = await self._port.read(left)
            if not octets:
                continue
            self._quiet_since = self._loop.time()
            self._buffer += octets
            if self._spec.longest_s:
                deadline = min(last, self._quiet_since + timeout_s)
            echoed = 0 if self._spec.tagged else self._echo.strip(self._buffer, ask)
            self.counters.echoes += echoed > 0
            while echoed >= 0 and (found := self._take(ask)) is not None:
                if isinstance(found, Continue):
                    await self._say_more(found)
                    deadline = min(last, self._loop.time() + timeout_s)
                elif isinstance(found, Foreign):
                    self._foreign(found)
                elif isinstance(found, Confirmed) and self._overtaken(ask):
                    self.counters.late += 1  # the earlier one's, or this one's: the second tells
                else:
                    return found
        return None

    # ------------------------------------------------------------------ several at once

    async def exchanges(self, reads: Sequence[Read], device: DevicePlan) -> AsyncIterator[Exchanged]:
        """Ask for all of `reads` and wait for each answer, at most the device's time-out; each as it comes, in any order.

        Only on a line whose answers have tags. Raises LinkError.
        """
        await self.open()
        if not await self.silence(device):
            self.counters.babble += 1
            for place in range(len(reads)):
                yield Exchanged(place, None, self._loop.time())
            return
        used = self._used
        try:
            awaited = await self._ask_all(reads, device)
            found = await self._next_answer(awaited)
        except LinkError:
            if not used:
                raise
            await self.close()  # the device had closed meanwhile
            await self.open()
            awaited = await self._ask_all(reads, device)
            found = await self._next_answer(awaited)
        while found is not None:
            self._asked_at[device.unit] = self._loop.time()
            self._free_from = self._loop.time() + self._between_s
            yield found
            found = await self._next_answer(awaited)

    async def _ask_all(self, reads: Sequence[Read], device: DevicePlan) -> Awaited:
        awaited = Awaited()
        for place, read in enumerate(reads):
            self._tag = late_answers.next_tag(self._tag)
            self._ask = read
            asked_at = self._loop.time()
            await self._port.write(self._driver.request(read, self._tag))
            self.counters.requests += 1
            awaited.ask(self._tag, place, read, asked_at, asked_at + device.polling.timeout_ms / 1000)
        return awaited

    async def _next_answer(self, awaited: Awaited) -> Exchanged | None:
        """The next answer to come, or the next read to which none came; None if all are done."""
        while (deadline := awaited.deadline) is not None:
            found = awaited.take(self._spec, self._driver, self._buffer)
            now = self._loop.time()
            if isinstance(found, Exchanged):
                if found.found is not None:
                    self._count(found.found)
                return found
            if isinstance(found, Foreign):
                self._foreign(found)
            elif now >= deadline:
                self.counters.timeouts += 1
                return awaited.give_up()
            else:
                octets = await self._port.read(deadline - now)
                if octets:
                    self._quiet_since = self._loop.time()
                    self._buffer += octets
        return None

    async def _say_more(self, more: Continue) -> None:
        """Go on with a conversation; ends when all of it is on the line."""
        await asyncio.sleep(more.after_s)
        await self._port.write(more.octets)
        await asyncio.sleep(len(more.octets) * self._character_s)
        await self._go_on_at(more.baudrate)

    async def _go_on_at(self, baudrate: int | None) -> None:
        if baudrate is not None and isinstance(self._port, SerialPort | RecordingPort):
            await self._port.set_baudrate(baudrate)

    def _overtaken(self, ask: Ask) -> bool:
        return isinstance(ask, Write) and not self._spec.tagged and self._ghosts.take(ask, self._loop.time())

    def _take(self, ask: Ask) -> Step | None:
        """The next unit; what the driver threw away before it found none is counted."""
        before = len(self._buffer)
        found = self._driver.take(ask, self._tag, self._buffer)
        if found is None:
            self.counters.discarded_octets += before - len(self._buffer)
        return found

    def _foreign(self, found: Foreign) -> None:
        if self._ghosts.lay(found, _FUNCTION_TABLES):
            self.counters.late += 1
        else:
            self.counters.foreign += 1

    # ------------------------------------------------------------------ what nobody waits for

    async def silence(self, device: DevicePlan) -> bool:
        """Wait for the silence before a frame: 3.5 characters of the line, and the device's own pause.

        What comes meanwhile begins the silence anew; False if there is none for the device's time-out. Raises LinkError;
        UnsentError if it is a connection that has served.
        """
        try:
            return await self._silence(device)
        except LinkError as error:
            if self._spec.serial or not self._used:
                raise
            raise UnsentError(str(error)) from error

    async def _silence(self, device: DevicePlan) -> bool:
        until = max(self._loop.time(), self._free_at(device)) + device.polling.timeout_ms / 1000
        if self._buffer and self._ask is not None:
            self._late(self._ask)
        while True:
            while (left := self._free_at(device) - self._loop.time()) > 0:
                octets = await self._port.read(left)
                if octets:
                    self._stray(octets)
                if self._loop.time() > until:
                    return False
            if self._spec.tagged:
                return True
            unread = self._port.discard()
            if not unread:
                return True
            self.counters.discarded_octets += unread
            self._quiet_since = self._loop.time()

    def _free_at(self, device: DevicePlan) -> float:
        free = max(self._quiet_since + self._silence_s, self._free_from)
        if device.polling.pause_ms and device.unit in self._asked_at:
            free = max(free, self._asked_at[device.unit] + device.polling.pause_ms / 1000)
        return free

    def _stray(self, octets: bytes) -> None:
        """Octets that came when none was waited for: a late answer, one that came twice, or noise."""
        self._quiet_since = self._loop.time()
        self._buffer += octets
        if self._ask is not None:
            self._late(self._ask)

    async def _after_timeout(self, ask: Ask, timeout_s: float, *, spoilt: bool) -> None:
        """Leave a ghost, unless the answer has come `spoilt`, and let the line fall silent; what comes is thrown away."""
        if self._spec.tagged:
            return
        if self._spec.anonymous:
            await self._until_late_line(ask, 4 * timeout_s)
            return
        if not spoilt and isinstance(ask, Read | Write):
            self._ghosts.raise_for(ask, self._loop.time(), timeout_s)
        hold = min(self._longest_answer_s, timeout_s)
        until = self._loop.time() + timeout_s
        while self._loop.time() < until:
            octets = await self._port.read(min(hold, until - self._loop.time()))
            if not octets:
                return
            self._stray(octets)

    def _late(self, ask: Ask) -> None:
        while (found := self._take(ask)) is not None:
            if isinstance(found, Foreign):
                self._foreign(found)
            elif isinstance(ask, Read | Write) and self._ghosts.lay_for(ask):
                self.counters.late += 1
            else:
                self.counters.doubled += 1

    async def _until_late_line(self, ask: Ask, seconds: float) -> None:
        """A line of text tells nothing of its question: wait for the missing one, or long enough that none will come."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._buffer += await self._port.read(left)
            if self._driver.take(ask, self._tag, self._buffer) is not None:
                self.counters.late += 1
                return


def _character_s(plan: LinePlan) -> float:
    settings = plan.settings
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    return bits / float(settings.get("baudrate", 9600))


def _silence_s(plan: LinePlan, character_s: float) -> float:
    return SILENCE_FAST_S if int(plan.settings.get("baudrate", 9600)) > 19200 else SILENCE_CHARACTERS * character_s
