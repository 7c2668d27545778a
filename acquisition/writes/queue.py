"""Write queue of one line: sends each command at most once, ends pulses, verifies by read-back.

    enqueue ──► written ──► ACCEPTED ──► read back, again every 0.1 s ──► PROVEN, or DIFFERS at the deadline
                    └─ pulse: after its time the release ──────┴── nothing to read back: ENDED

One exchange a turn: polls go on between them. A command with a pulse is in execution until the pulse has ended (D55). A
pulse that may have begun is ended (D101): after its time; at once if the reply is lost, though not to a device that comes
back later than the pulse would have lasted; and when the line itself ends.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from acquisition.decoding import failure_quality
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import Confirmed, ExceptionResponse
from acquisition.exchange.link import Link
from acquisition.transport.ports import NoConnectionError, UnsentError
from acquisition.writes.tasks import Task, WriteTasks, proves, shown
from bus.messages import Command, CommandResult, Outcome
from bus.system_clock import SystemClock

AGAIN_S: Final = 0.1  # between read-backs, and between attempts to end a pulse
RELEASE_S: Final = 30.0  # how long the end of a pulse is tried
END_S: Final = 1.0  # for all that is pulsed when the line ends
END_TRIES: Final = 2  # some devices close the connection after each answer

log = logging.getLogger("acquisition.line")
OnResult = Callable[[CommandResult], None]
ReadBack = Callable[[Task], Awaitable[tuple[int, ...] | None]]


@dataclass(frozen=True, slots=True)
class _QueuedWrite:
    """A task, and the receiver of its results. `until`: of a release; `shown`: the registers of the last read-back.

    `unsure`: the response to its write is lost, and the result says so already.
    """

    task: Task
    on_result: OnResult
    until: float = 0.0
    unsure: bool = False
    shown: str = "nothing"


class WriteQueue:
    """Writes of a line that have no final result yet. `not_ready(task)`: why its device takes no write now; None if it does."""

    def __init__(
        self,
        link: Link,
        tasks: WriteTasks,
        clock: SystemClock,
        *,
        not_ready: Callable[[Task], str | None],
        read_back: ReadBack,
        emit: Callable[[list[PointReading]], None],
    ) -> None:
        self._link = link
        self._tasks = tasks
        self._clock = clock
        self._not_ready = not_ready
        self._read_back = read_back
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._writes: deque[_QueuedWrite] = deque()
        self._releases: deque[_QueuedWrite] = deque()
        self._checks: deque[_QueuedWrite] = deque()
        self._pulsed: dict[Command, _QueuedWrite] = {}  # pulses that may be on, and are to be ended
        self.wake = asyncio.Event()

    def enqueue(self, task: Task, on_result: OnResult) -> None:
        """Write it at the next frame border, or never after its deadline."""
        self._writes.append(_QueuedWrite(task, on_result))
        self.wake.set()

    @property
    def pending(self) -> bool:
        """True if a task waits to be written or to be proven."""
        return bool(self._writes or self._checks)

    def expire(self) -> None:
        """End the tasks whose deadline has passed, while the line is down."""
        for _ in range(len(self._writes)):
            write = self._writes.popleft()
            if self._expired(write):
                self._report(write, Outcome.NO_ANSWER, "not written: the line is down")
            else:
                self._writes.append(write)
        for _ in range(len(self._checks)):
            write = self._checks.popleft()
            if self._unproven(write):
                self._report(write, Outcome.DIFFERS, f"reads back {write.shown}")
            else:
                self._checks.append(write)

    async def turn(self) -> bool:
        """One exchange; False if there is nothing to do now. Raises NoConnectionError."""
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

    async def _write(self, write: _QueuedWrite) -> None:
        task = write.task
        try:
            await self._link.open()  # which may take its time: the deadline is looked at behind it
            await self._link.silence(task.device)
        except UnsentError:
            await self._requeue(self._writes, write)
            return
        except NoConnectionError as error:
            self._report(write, Outcome.NO_ANSWER, f"not written: {error}")
            raise
        if self._expired(write):
            self._report(write, Outcome.EXPIRED, "its deadline passed before it could be written")
            return
        reason = self._not_ready(task)
        if reason is not None:
            self._report(write, Outcome.NO_ANSWER, f"not written: {reason}")
            return
        if task.release is not None:
            self._pulsed[task.command] = write
        try:
            found = await self._link.exchange(task.write, task.device)
        except UnsentError:
            self._pulsed.pop(task.command, None)
            await self._requeue(self._writes, write)
            return
        except NoConnectionError as error:
            self._report(write, Outcome.NO_ANSWER, str(error))
            self._end_unsure(write)
            raise
        if isinstance(found, ExceptionResponse):
            self._pulsed.pop(task.command, None)
            self._report(write, Outcome.EXCEPTION, failure_quality.exception(found.code), found.code)
        elif not isinstance(found, Confirmed):
            self._report(write, Outcome.NO_ANSWER, f"no answer within {task.device.polling.timeout_ms} ms")
            self._end_unsure(write)
        else:
            self._report(write, Outcome.ACCEPTED, "")
            if task.release is not None:
                pulse_s = task.command.pulse_ms / 1000
                self._later(pulse_s, self._releases, replace(write, until=self._loop.time() + pulse_s + RELEASE_S))
            elif task.proof is not None:
                await self._check(write)

    async def _requeue(self, queue: deque[_QueuedWrite], write: _QueuedWrite) -> None:
        """Put `write` back for a new connection: nothing of it has left, and some devices close after each answer."""
        await self._link.close()
        queue.appendleft(write)

    def _end_unsure(self, write: _QueuedWrite) -> None:
        """Let a pulse end whose beginning was not confirmed."""
        task = write.task
        if task.release is not None:
            until = self._loop.time() + task.command.pulse_ms / 1000
            self._releases.append(replace(write, until=until, unsure=True))

    async def _release(self, write: _QueuedWrite) -> None:
        """End a pulse; it is tried again and again, since an output that stays on may do harm."""
        task = write.task
        assert task.release is not None  # noqa: S101 - it is a pulse
        if write.unsure and self._loop.time() >= write.until:
            self._give_up(write)
            return
        try:
            found = await self._link.exchange(task.release, task.device)
        except UnsentError:
            await self._requeue(self._releases, write)
            return
        except NoConnectionError:
            self._releases.append(write)
            raise
        if isinstance(found, Confirmed):
            self._pulsed.pop(task.command, None)
            if write.unsure:
                return  # its result was reported
            if task.proof is None:
                self._report(write, Outcome.ENDED, "")
            else:
                await self._check(replace(write, task=replace(task, write=task.release)))
        elif self._loop.time() < write.until:
            self._later(AGAIN_S, self._releases, write)
        else:
            self._give_up(write)

    def _give_up(self, write: _QueuedWrite) -> None:
        """Leave a pulse as it is, and report that."""
        self._pulsed.pop(write.task.command, None)
        subject = {"device": write.task.device.name}
        log.error("%s: its pulse could not be ended", write.task.point.name, extra=subject)
        if not write.unsure:
            self._report(write, Outcome.NO_ANSWER, "the pulse could not be ended")

    async def end(self) -> None:
        """End all pulses now, since the line ends. Begins with a connection of its own."""
        if not self._pulsed:
            return
        await self._link.close()  # an exchange may have been cut short
        with contextlib.suppress(TimeoutError):  # those that are left are reported, one by one
            async with asyncio.timeout(END_S):
                for write in list(self._pulsed.values()):
                    await self._end_now(write)
        for write in list(self._pulsed.values()):
            self._give_up(replace(write, unsure=True))

    async def _end_now(self, write: _QueuedWrite) -> None:
        """Try to end a pulse of a line that ends, on one connection more if the first one is lost."""
        for _ in range(END_TRIES):
            try:
                await self._release(replace(write, unsure=True, until=self._loop.time() + END_S))
            except NoConnectionError:
                await self._link.close()
            if self._link.is_open or write.task.command not in self._pulsed:
                return

    async def _check(self, write: _QueuedWrite) -> None:
        """Read back, until the registers show the written value or the deadline passes."""
        try:
            raw = await self._read_back(write.task)
        except NoConnectionError:
            self._checks.append(write)
            raise
        if raw is not None and proves(write.task, raw):
            self._emit([shown(write.task, raw)])
            self._report(write, Outcome.PROVEN, "")
            return
        if raw is not None:
            write = replace(write, shown=" ".join(f"{one:04x}" for one in raw))
        if self._unproven(write):
            self._report(write, Outcome.DIFFERS, f"reads back {write.shown}")
        else:
            self._later(AGAIN_S, self._checks, write)

    def _later(self, seconds: float, queue: deque[_QueuedWrite], write: _QueuedWrite) -> None:
        def queued() -> None:
            queue.append(write)
            self.wake.set()

        self._loop.call_later(seconds, queued)

    def _expired(self, write: _QueuedWrite) -> bool:
        return self._tasks.expired(write.task.command, self._clock.now())

    def _unproven(self, write: _QueuedWrite) -> bool:
        """True if its time to be proven is over; a pulse has its own length besides."""
        pulse_ns = write.task.command.pulse_ms * 1_000_000
        return self._tasks.expired(write.task.command, self._clock.now(), pulse_ns)

    def _report(self, write: _QueuedWrite, outcome: Outcome, reason: str, detail: int = 0) -> None:
        write.on_result(self._tasks.result(write.task.command, outcome, self._clock.now(), reason, detail))
