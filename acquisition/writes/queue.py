"""Write queue of one line: sends each command at most once, ends pulses, verifies by read-back (pure).

    enqueue ──► written ──► ACCEPTED ──► read back, again every 0.1 s ──► PROVEN, or DIFFERS at the deadline
                    └─ pulse: after its time the release ──────┴── nothing to read back: ENDED

One exchange a turn: polls go on between them. A command with a pulse is in execution until the pulse has ended (D55). A
pulse that may have begun is ended (D101): after its time; at once if the reply is lost, though not to a device that comes
back later than the pulse would have lasted; and when the line itself ends.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from acquisition.decoding import failure_quality
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import Confirmed, ExceptionResponse
from acquisition.exchange.link import Link
from acquisition.exchange.port_steps import LineTime, Steps
from acquisition.transport.errors import NoConnectionError, UnsentError
from acquisition.writes.tasks import Task, WriteTasks, proves, shown
from bus.messages import Command, CommandResult, Outcome
from bus.quality import Stamp

AGAIN_S: Final = 0.1  # between read-backs, and between attempts to end a pulse
RELEASE_S: Final = 30.0  # how long the end of a pulse is tried
END_S: Final = 1.0  # for `end`
UNCERTAIN: Final = "no answer but an exception that may be an earlier request's"
END_TRIES: Final = 2  # some devices close the connection after each answer

OnResult = Callable[[CommandResult], None]
ReadBack = Callable[[Task], Steps[tuple[int, ...] | None]]


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
    """Writes of a line that have no final result yet. `not_ready(task)`: why its device takes no write now; None if it does.

    `stamp` gives the time of a result. `left_on(task)` is called for a pulse that could not be ended.
    """

    def __init__(
        self,
        link: Link,
        tasks: WriteTasks,
        time: LineTime,
        stamp: Callable[[], Stamp],
        *,
        not_ready: Callable[[Task], str | None],
        read_back: ReadBack,
        emit: Callable[[list[PointReading]], None],
        left_on: Callable[[Task], None],
    ) -> None:
        self._link = link
        self._tasks = tasks
        self._time = time
        self._stamp = stamp
        self._not_ready = not_ready
        self._read_back = read_back
        self._emit = emit
        self._left_on = left_on
        self._writes: deque[_QueuedWrite] = deque()
        self._releases: deque[_QueuedWrite] = deque()
        self._checks: deque[_QueuedWrite] = deque()
        self._later: list[tuple[float, int, deque[_QueuedWrite], _QueuedWrite]] = []  # a heap, by time
        self._count = 0
        self._pulsed: dict[Command, _QueuedWrite] = {}  # pulses that may be on, and are to be ended

    def enqueue(self, task: Task, on_result: OnResult) -> None:
        """Write it at the next frame border, or never after its deadline."""
        self._writes.append(_QueuedWrite(task, on_result))

    @property
    def pending(self) -> bool:
        """True if a task waits to be written or to be proven."""
        return bool(self._writes or self._checks)

    def next_time(self) -> float:
        """Time of the next step that waits for its time; infinity if there is none."""
        return self._later[0][0] if self._later else float("inf")

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

    def turn(self) -> Steps[bool]:
        """One exchange; False if there is nothing to do now. Raises NoConnectionError."""
        while self.next_time() <= self._time.now:
            _, _, queue, write = heapq.heappop(self._later)
            queue.append(write)
        if self._releases:
            yield from self._release(self._releases.popleft())
        elif self._writes:
            yield from self._write(self._writes.popleft())
        elif self._checks:
            yield from self._check(self._checks.popleft())
        else:
            return False
        return True

    # ------------------------------------------------------------------ steps

    def _write(self, write: _QueuedWrite) -> Steps[None]:
        task = write.task
        try:
            yield from self._link.open()  # which may take its time: the deadline is looked at behind it
            yield from self._link.silence.wait(task.device, hold=self._needs_silence(task))
        except UnsentError:
            yield from self._requeue(self._writes, write)
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
            found = yield from self._link.exchange(task.write, task.device, at_once=True)
        except UnsentError:
            self._pulsed.pop(task.command, None)
            yield from self._requeue(self._writes, write)
            return
        except NoConnectionError as error:
            self._report(write, Outcome.NO_ANSWER, str(error))
            self._end_unsure(write)
            raise
        if isinstance(found, ExceptionResponse) and self._link.is_certain:
            self._pulsed.pop(task.command, None)
            self._report(write, Outcome.EXCEPTION, failure_quality.exception(found.code), found.code)
        elif not isinstance(found, Confirmed):
            none = f"no answer within {task.device.polling.timeout_ms} ms"
            self._report(write, Outcome.NO_ANSWER, none if found is None else UNCERTAIN)
            self._end_unsure(write)
        else:
            self._report(write, Outcome.ACCEPTED, "")
            if task.release is not None:
                pulse_s = task.command.pulse_ms / 1000
                self._put_off(pulse_s, self._releases, replace(write, until=self._time.now + pulse_s + RELEASE_S))
            elif task.proof is not None:
                yield from self._check(write)

    def _needs_silence(self, task: Task) -> bool:
        """True if an earlier write's confirmation could be taken for that of `task`, and no read-back shows the difference."""
        return task.proof is None and self._link.safe.needs_silence(task.write)

    def _requeue(self, queue: deque[_QueuedWrite], write: _QueuedWrite) -> Steps[None]:
        """Put `write` back for a new connection: nothing of it has left, and some devices close after each answer."""
        yield from self._link.close()
        queue.appendleft(write)

    def _end_unsure(self, write: _QueuedWrite) -> None:
        """Let a pulse end whose beginning was not confirmed."""
        task = write.task
        if task.release is not None:
            until = self._time.now + task.command.pulse_ms / 1000
            self._releases.append(replace(write, until=until, unsure=True))

    def _release(self, write: _QueuedWrite) -> Steps[None]:
        """End a pulse; it is tried again and again, since an output that stays on may do harm."""
        task = write.task
        assert task.release is not None  # noqa: S101 - it is a pulse
        if write.unsure and self._time.now >= write.until:
            self._give_up(write)
            return
        try:
            found = yield from self._link.exchange(task.release, task.device, at_once=True)
        except UnsentError:
            yield from self._requeue(self._releases, write)
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
                yield from self._check(replace(write, task=replace(task, write=task.release)))
        elif self._time.now < write.until:
            self._put_off(AGAIN_S, self._releases, write)
        else:
            self._give_up(write)

    def _give_up(self, write: _QueuedWrite) -> None:
        """Leave a pulse as it is, and report that."""
        self._pulsed.pop(write.task.command, None)
        self._left_on(write.task)
        if not write.unsure:
            self._report(write, Outcome.NO_ANSWER, "the pulse could not be ended")

    def end(self) -> Steps[None]:
        """End all pulses now, since the line ends. Begins with a connection of its own; see `give_up`."""
        if not self._pulsed:
            return
        yield from self._link.close()  # an exchange may have been cut short
        for write in list(self._pulsed.values()):
            yield from self._end_now(write)

    def give_up(self) -> None:
        """Report the pulses that `end` has not ended in its time."""
        for write in list(self._pulsed.values()):
            self._give_up(replace(write, unsure=True))

    def _end_now(self, write: _QueuedWrite) -> Steps[None]:
        """Try to end a pulse of a line that ends, on one connection more if the first one is lost."""
        for _ in range(END_TRIES):
            try:
                yield from self._release(replace(write, unsure=True, until=self._time.now + END_S))
            except NoConnectionError:
                yield from self._link.close()
            if self._link.is_open or write.task.command not in self._pulsed:
                return

    def _check(self, write: _QueuedWrite) -> Steps[None]:
        """Read back, until the registers show the written value or the deadline passes."""
        try:
            raw = yield from self._read_back(write.task)
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
            self._put_off(AGAIN_S, self._checks, write)

    def _put_off(self, seconds: float, queue: deque[_QueuedWrite], write: _QueuedWrite) -> None:
        self._count += 1
        heapq.heappush(self._later, (self._time.now + seconds, self._count, queue, write))

    def _expired(self, write: _QueuedWrite) -> bool:
        return self._tasks.expired(write.task.command, self._stamp())

    def _unproven(self, write: _QueuedWrite) -> bool:
        """True if its time to be proven is over; a pulse has its own length besides."""
        pulse_ns = write.task.command.pulse_ms * 1_000_000
        return self._tasks.expired(write.task.command, self._stamp(), pulse_ns)

    def _report(self, write: _QueuedWrite, outcome: Outcome, reason: str, detail: int = 0) -> None:
        write.on_result(self._tasks.result(write.task.command, outcome, self._stamp(), reason, detail))
