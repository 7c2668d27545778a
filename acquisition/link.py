"""One line's port: ask, wait, and keep what comes late from passing for what was asked. No schedule, no meaning.

The silence before each frame, the device's own pause, the deadline of each answer, and after a time-out the wait until
the line is silent: all on the monotonic clock.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from acquisition import transaction
from acquisition.drivers.base import Ask, Continue, DriverSpec, Foreign, Found, Read, Refused, Registers
from acquisition.ports import SerialPort
from acquisition.transaction import Counters, Ghosts, Part
from acquisition.transports import port_of
from mapping.plan import DevicePlan, LinePlan

SILENCE_CHARACTERS: Final = 3.5
SILENCE_FAST_S: Final = 0.00175  # above 19200 baud
BUSY: Final = (5, 6)
_FUNCTION_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Link:
    """The exchanges of one line, one at a time. Every method that waits may raise LinkError."""

    def __init__(self, plan: LinePlan, spec: DriverSpec) -> None:
        self._plan = plan
        self._spec = spec
        self._driver = spec.make(plan.settings)
        self._port = port_of(plan, spec)
        self._loop = asyncio.get_running_loop()
        self._ghosts = Ghosts()
        self._buffer = bytearray()
        self._tag = time.monotonic_ns() & 0xFFFF
        self._quiet_since = self._loop.time()
        self._asked_at: dict[int, float] = {}  # when the last exchange with a unit ended
        self._longest_answer_s = 0.0
        self._character_s = _character_s(plan) if spec.serial else 0.0
        self.is_open = False
        self.counters = Counters()

    async def open(self) -> None:
        """Open the port unless it is open."""
        if self.is_open:
            return
        await self._port.open()
        self.is_open = True
        self._ghosts.clear()
        self._buffer.clear()
        self._quiet_since = self._loop.time()
        self.counters.reconnects += 1

    async def close(self) -> None:
        """Close the port; the next exchange opens it again."""
        self.is_open = False
        await self._port.close()

    def parts(self, read: Read, borders: Sequence[int], *, max_registers: int, longer: bool) -> list[Part] | None:
        """Reads that bring `read` and that no late answer could satisfy; None if there are none yet.

        `borders`: where its values end; `longer`: the device may be asked for registers beyond it.
        """
        if self._spec.tagged or self._spec.anonymous:
            return [Part(read, read.address, read.count)]
        bits = read.table in ("coil", "discrete")
        limit = transaction.BITS_LIMIT if bits else min(max_registers, transaction.REGISTERS_LIMIT)
        return transaction.safe_parts(read, borders, self._ghosts, self._loop.time(), limit=limit, longer=longer)

    async def ask_parts(self, device: DevicePlan, parts: Sequence[Part]) -> dict[int, int] | Refused | None:
        """The registers by address; Refused if the device said no to one part, None if one was not answered."""
        values: dict[int, int] = {}
        for part in parts:
            found = await self.exchange(part.read, device)
            if not isinstance(found, Registers):
                return found if isinstance(found, Refused) else None
            values.update(zip(range(part.start, part.start + part.count), found.values, strict=False))
        return values

    async def exchange(self, ask: Ask, device: DevicePlan) -> Found | None:
        """Ask and wait for the answer, at most the device's time-out; None if there is none. Raises LinkError."""
        await self.open()
        await self.silence(device)
        self._buffer.clear()
        self.counters.discarded_octets += self._port.discard()
        if self._spec.longest_s:
            await self._go_on_at(int(self._plan.settings.get("baudrate", 9600)))
        self._tag = transaction.next_tag(self._tag)
        octets = self._driver.request(ask, self._tag)
        await self._port.write(octets)
        self.counters.requests += 1
        sent = self._loop.time() + len(octets) * self._character_s
        timeout_s = device.timeout_ms / 1000
        answer_octets = transaction.octets_of(ask) + 5 if isinstance(ask, Read) else 8
        characters = answer_octets * self._spec.characters_per_octet
        found = await self._await_answer(ask, sent + timeout_s + characters * self._character_s, timeout_s)
        now = self._loop.time()
        self._asked_at[device.unit] = now
        if found is not None:
            self.counters.answers += 1
            self.counters.exceptions += isinstance(found, Refused)
            self.counters.busy += isinstance(found, Refused) and found.code in BUSY
            self._longest_answer_s = max(self._longest_answer_s, now - sent)
            return found
        self.counters.timeouts += 1
        await self._after_timeout(ask, timeout_s)
        return None

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
            while (found := self._driver.take(ask, self._tag, self._buffer)) is not None:
                if isinstance(found, Continue):
                    await self._say_more(found)
                    deadline = min(last, self._loop.time() + timeout_s)
                elif isinstance(found, Foreign):
                    self.counters.foreign += 1
                    self._ghosts.lay(found, _FUNCTION_TABLES)
                else:
                    return found
        return None

    async def _say_more(self, more: Continue) -> None:
        """Go on with a conversation; ends when all of it is on the line."""
        await asyncio.sleep(more.after_s)
        await self._port.write(more.octets)
        await asyncio.sleep(len(more.octets) * self._character_s)
        await self._go_on_at(more.baudrate)

    async def _go_on_at(self, baudrate: int | None) -> None:
        if baudrate is not None and isinstance(self._port, SerialPort):
            await self._port.set_baudrate(baudrate)

    async def _after_timeout(self, ask: Ask, timeout_s: float) -> None:
        """Leave a ghost, and let the line fall silent; what comes is thrown away."""
        if self._spec.tagged:
            return
        if self._spec.anonymous:
            await self._until_late_line(ask, 4 * timeout_s)
            return
        if isinstance(ask, Read):
            self._ghosts.raise_for(ask, self._loop.time(), timeout_s)
        hold = min(self._longest_answer_s, timeout_s)
        until = self._loop.time() + timeout_s
        while self._loop.time() < until:
            octets = await self._port.read(min(hold, until - self._loop.time()))
            if not octets:
                return
            self._quiet_since = self._loop.time()
            self._late(ask, octets)

    def _late(self, ask: Ask, octets: bytes) -> None:
        self._buffer += octets
        while (found := self._driver.take(ask, self._tag, self._buffer)) is not None:
            self.counters.late += 1
            if isinstance(found, Registers) and isinstance(ask, Read):
                found = Foreign(ask.unit, _function(ask), transaction.octets_of(ask))
            if isinstance(found, Foreign):
                self._ghosts.lay(found, _FUNCTION_TABLES)

    async def _until_late_line(self, ask: Ask, seconds: float) -> None:
        """A line of text tells nothing of its question: wait for the missing one, or long enough that none will come."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._buffer += await self._port.read(left)
            if self._driver.take(ask, self._tag, self._buffer) is not None:
                self.counters.late += 1
                return

    async def silence(self, device: DevicePlan) -> None:
        """The silence before a frame: 3.5 characters of the line, and the device's own pause."""
        wanted = self._quiet_since + self._frame_silence_s()
        if device.pause_ms and device.unit in self._asked_at:
            wanted = max(wanted, self._asked_at[device.unit] + device.pause_ms / 1000)
        while (left := wanted - self._loop.time()) > 0:  # a sleep may end early  # noqa: ASYNC110
            await asyncio.sleep(left)

    def _frame_silence_s(self) -> float:
        if not self._spec.frame_silence:
            return 0.0
        baudrate = int(self._plan.settings.get("baudrate", 9600))
        return SILENCE_FAST_S if baudrate > 19200 else SILENCE_CHARACTERS * self._character_s


def _character_s(plan: LinePlan) -> float:
    settings = plan.settings
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    return bits / float(settings.get("baudrate", 9600))


def _function(read: Read) -> int:
    """The function code with which `read` is asked."""
    return next(function for function, table in _FUNCTION_TABLES.items() if table == read.table)
