"""Tasks of operations: the process is asked for their begin and end, beside all other requests (shell)."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

from bus.system_clock import SystemClock
from mapping.model import FC
from mms_server.acsi.access_callbacks import Verdict
from mms_server.acsi.control.selection import Operation
from mms_server.engine import Engine
from mms_server.mms.add_cause import AddCause
from mms_server.network.callbacks import verdict_of


class Operations:
    """The tasks of one server that outlive the request that has begun them. `changed` is called after each step."""

    def __init__(self, engine: Engine, lock: threading.RLock, clock: SystemClock, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` as a task of its own, until it ends or the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def fire(self, operation: Operation) -> None:
        """Begin a time-activated operation: the process is asked again."""
        self.beside(self._fired(operation))

    def complete(self, operation: Operation) -> None:
        """Wait for the end of an operation with enhanced security."""
        self.beside(self._completed(operation))

    def cancel(self) -> None:
        """Cancel all tasks, since the server stops."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _fired(self, operation: Operation) -> None:
        question = self._engine.question(operation)
        verdict = True if question is None else await verdict_of(question)
        with self._lock:
            goes_on = self._engine.fired(operation, _outcome(verdict), self._clock.now())
        self._changed()
        if goes_on:
            await self._completed(operation)

    async def _completed(self, operation: Operation) -> None:
        verdict: Verdict
        limit_ms = operation.target.number(FC.CF, "operTimeout")
        try:
            async with asyncio.timeout(limit_ms / 1000 if limit_ms else None):
                verdict = await verdict_of(self._engine.ending(operation))
        except TimeoutError:
            verdict = AddCause.TIME_LIMIT_OVER
        with self._lock:
            self._engine.ended(operation, _outcome(verdict), self._clock.now())
        self._changed()


def _outcome(verdict: Verdict) -> bool | AddCause:
    """The verdict on an operation: an answer that is neither True nor an AddCause is False."""
    return verdict if isinstance(verdict, AddCause) else verdict is True
