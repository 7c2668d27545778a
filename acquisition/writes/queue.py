"""Commands on one line: each is written once or never, a pulse is ended, and what was written is read back.

    order ──► written ──► ACCEPTED ──► read back, again every 0.1 s ──► PROVEN, or DIFFERS at the deadline
                  └─ pulse: after its time the release ──────┴── nothing to read back: ENDED

One exchange a turn: polls go on between them. A pulse that may have begun is ended: after its time; at once if the reply is
lost, though not to a device that comes back later than the pulse would have lasted; and when the line itself ends.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from acquisition.decoding import point_readings
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import Confirmed, Refused
from acquisition.exchange.link import Link
from acquisition.transport.ports import LinkError, UnsentError
from acquisition.writes.tasks import Commands, Task, proves, shown
from bus.messages import Command, CommandResult, Outcome

AGAIN_S: Final = 0.1  # between read-backs, and between attempts to end a pulse
RELEASE_S: Final = 30.0  # how long the end of a pulse is tried
END_S: Final = 1.0  # for all that is pulsed when the line ends

log = logging.getLogger("acquisition.line")
Answer = Callable[[CommandResult], None]
ReadBack = Callable[[Task], Awaitable[tuple[int, ...] | None]]


@dataclass(frozen=True, slots=True)
class _Order:
    """A command, and whom its results are told. `until`: of a release; `shown`: what the last read-back gave.

    `unsure`: the reply to its write is lost, which has been told.
    """

    task: Task
    answer: Answer
    until: float = 0.0
    unsure: bool = False
    shown: str = "nothing"


class Orders:
    """What has been ordered on a line and is not at its end. `ready(task)`: why its device takes no command now."""

    def __init__(
        self,
        link: Link,
        commands: Commands,
        *,
        ready: Callable[[Task], str | None],
        read_back: ReadBack,
        emit: Callable[[list[PointReading]], None],
    ) -> None:
        self._link = link
        self._commands = commands
        self._ready = ready
        self._read_back = read_back
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._writes: deque[_Order] = deque()
        self._releases: deque[_Order] = deque()
        self._checks: deque[_Order] = deque()
        self._pulsed: dict[Command, _Order] = {}  # what may be on, and is to be ended
        self.wake = asyncio.Event()

    def order(self, task: Task, answer: Answer) -> None:
        """Write it at the next frame border, or never after its deadline."""
        self._writes.append(_Order(task, answer))
        self.wake.set()

    @property
    def pending(self) -> bool:
        """True if a command waits to be written or to be proven."""
        return bool(self._writes or self._checks)

    def expire(self) -> None:
        """While there is no line: end what its deadline has overtaken."""
        for _ in range(len(self._writes)):
            order = self._writes.popleft()
            if self._expired(order):
                self._say(order, Outcome.NO_ANSWER, "not written: the line is down")
            else:
                self._writes.append(order)
        for _ in range(len(self._checks)):
            order = self._checks.popleft()
            if self._unproven(order):
                self._say(order, Outcome.DIFFERS, f"reads back {order.shown}")
            else:
                self._checks.append(order)

    async def turn(self) -> bool:
        """Do one thing; False if there is nothing to do now. Raises LinkError."""
        if self._releases:
            await self._release(self._releases.popleft())
        elif self._writes:
            await self._write(self._writes.popleft())
        elif self._checks:
            await self._check(self._checks.popleft())
        else:
            return False
        return True

    # ------------------------------------------------------------------ steps

    async def _write(self, order: _Order) -> None:
        task = order.task
        try:
            await self._link.open()  # which may take its time: the deadline is looked at behind it
            await self._link.silence(task.device)
        except UnsentError:
            await self._anew(self._writes, order)
            return
        except LinkError as error:
            self._say(order, Outcome.NO_ANSWER, f"not written: {error}")
            raise
        if self._expired(order):
            self._say(order, Outcome.EXPIRED, "its deadline passed before it could be written")
            return
        objection = self._ready(task)
        if objection is not None:
            self._say(order, Outcome.NO_ANSWER, f"not written: {objection}")
            return
        if task.release is not None:
            self._pulsed[task.command] = order
        try:
            found = await self._link.exchange(task.write, task.device)
        except UnsentError:
            self._pulsed.pop(task.command, None)
            await self._anew(self._writes, order)
            return
        except LinkError as error:
            self._say(order, Outcome.NO_ANSWER, str(error))
            self._end_unsure(order)
            raise
        if isinstance(found, Refused):
            self._pulsed.pop(task.command, None)
            self._say(order, Outcome.EXCEPTION, point_readings.exception(found.code), found.code)
        elif not isinstance(found, Confirmed):
            self._say(order, Outcome.NO_ANSWER, f"no answer within {task.device.polling.timeout_ms} ms")
            self._end_unsure(order)
        else:
            self._say(order, Outcome.ACCEPTED, "")
            if task.release is not None:
                pulse_s = task.command.pulse_ms / 1000
                self._later(pulse_s, self._releases, replace(order, until=self._loop.time() + pulse_s + RELEASE_S))
            elif task.proof is not None:
                await self._check(order)

    async def _anew(self, queue: deque[_Order], order: _Order) -> None:
        """Begin `order` again on a new connection: nothing of it has left, and some devices close after each answer."""
        await self._link.close()
        queue.appendleft(order)

    def _end_unsure(self, order: _Order) -> None:
        """Let a pulse end that nobody has confirmed."""
        task = order.task
        if task.release is not None:
            until = self._loop.time() + task.command.pulse_ms / 1000
            self._releases.append(replace(order, until=until, unsure=True))

    async def _release(self, order: _Order) -> None:
        """End a pulse; it is tried again and again, since what stays on may do harm."""
        task = order.task
        assert task.release is not None  # noqa: S101 - it is a pulse
        if order.unsure and self._loop.time() >= order.until:
            self._give_up(order)
            return
        try:
            found = await self._link.exchange(task.release, task.device)
        except UnsentError:
            await self._anew(self._releases, order)
            return
        except LinkError:
            self._releases.append(order)
            raise
        if isinstance(found, Confirmed):
            self._pulsed.pop(task.command, None)
            if order.unsure:
                return  # what became of it was told
            if task.proof is None:
                self._say(order, Outcome.ENDED, "")
            else:
                await self._check(replace(order, task=replace(task, write=task.release)))
        elif self._loop.time() < order.until:
            self._later(AGAIN_S, self._releases, order)
        else:
            self._give_up(order)

    def _give_up(self, order: _Order) -> None:
        """Leave a pulse as it is, and say so."""
        self._pulsed.pop(order.task.command, None)
        log.error("%s: its pulse could not be ended", order.task.point.name)
        if not order.unsure:
            self._say(order, Outcome.NO_ANSWER, "the pulse could not be ended")

    async def end(self) -> None:
        """End what is pulsed now: the line ends, and nobody would later. Begins with a link of its own."""
        if not self._pulsed:
            return
        await self._link.close()  # an exchange may have been cut short
        with contextlib.suppress(TimeoutError, LinkError):  # what is left is said, one by one
            async with asyncio.timeout(END_S):
                for order in list(self._pulsed.values()):
                    await self._release(replace(order, unsure=True, until=self._loop.time() + END_S))
        for order in list(self._pulsed.values()):
            self._give_up(replace(order, unsure=True))

    async def _check(self, order: _Order) -> None:
        """Read back, until it shows what was written or the deadline passes."""
        try:
            raw = await self._read_back(order.task)
        except LinkError:
            self._checks.append(order)
            raise
        if raw is not None and proves(order.task, raw):
            self._emit([shown(order.task, raw)])
            self._say(order, Outcome.PROVEN, "")
            return
        if raw is not None:
            order = replace(order, shown=" ".join(f"{one:04x}" for one in raw))
        if self._unproven(order):
            self._say(order, Outcome.DIFFERS, f"reads back {order.shown}")
        else:
            self._later(AGAIN_S, self._checks, order)

    def _later(self, seconds: float, queue: deque[_Order], order: _Order) -> None:
        def queued() -> None:
            queue.append(order)
            self.wake.set()

        self._loop.call_later(seconds, queued)

    def _expired(self, order: _Order) -> bool:
        return self._commands.expired(order.task.command, time.monotonic_ns(), time.time_ns())

    def _unproven(self, order: _Order) -> bool:
        """True if it has had its time to show: what is pulsed has that of the pulse besides."""
        pulse_ns = order.task.command.pulse_ms * 1_000_000
        return self._commands.expired(order.task.command, time.monotonic_ns() - pulse_ns, time.time_ns() - pulse_ns)

    def _say(self, order: _Order, outcome: Outcome, reason: str, detail: int = 0) -> None:
        order.answer(self._commands.result(order.task.command, outcome, time.time_ns(), reason, detail))
