"""Supervisor of OS processes: starts those of the list, waits for readiness, restarts with back-off, stops in order.

    STARTING ──ready──► RUNNING ──ends, or silent too long (SIGKILL)──► WAITING ──back-off──► STARTING
                                   end(), stop(): SIGTERM, 3 s, SIGKILL ──► nothing is left

A child says `ready {...}` once and `alive` each second on its stdout; its stderr is ours. A child's stdin is a pipe that
only we hold: when we die, however, it closes, and the child ends. On it a child is told `reload`, and answers.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bus import logs
from bus.processes import PARENT_ENV, RELOAD
from mms_gateway.command import BAD_CONFIGURATION
from mms_gateway.runtime.processes import Process, environment

TERM_S: Final = 3.0
BACK_OFF_FIRST_S: Final = 0.2
BACK_OFF_LIMIT_S: Final = 30.0
SETTLED_S: Final = 30.0  # an OS process that ran so long has earned a fresh start
START_S: Final = 30.0
RELOAD_S: Final = 15.0

log = logging.getLogger("gateway.supervisor")


@dataclass(slots=True, eq=False)
class _Child:
    """One row of the list, with what is running for it now."""

    row: Process
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    facts: dict[str, Any] = field(default_factory=dict)
    heard_at: float = 0.0
    exit_code: int | None = None
    fatal: bool = True  # at its first start a configuration that does not do is the end of all
    leaving: bool = False
    task: asyncio.Task[None] | None = None
    answer: asyncio.Future[str | None] | None = None  # to `reload`


class Supervisor:
    """The children of one gateway; `on_ready` is told what a child says when it is ready."""

    def __init__(self, rows: Sequence[Process], on_ready: Callable[[str, dict[str, Any]], None] | None = None) -> None:
        self._children = [_Child(row) for row in rows]
        self._on_ready = on_ready
        self.failed = asyncio.Event()  # a child says that its configuration does not do: restarting is no use

    def start(self) -> None:
        """Start every child; they are kept running until `stop`."""
        for child in self._children:
            child.task = asyncio.ensure_future(self._keep(child))

    def add(self, rows: Sequence[Process]) -> None:
        """Start more children. One whose configuration does not do is tried again: the others are not to end for it."""
        fresh = [_Child(row, fatal=False) for row in rows]
        self._children += fresh
        for child in fresh:
            child.task = asyncio.ensure_future(self._keep(child))

    async def reload(self, name: str) -> str | None:
        """Tell the child `name` that there is another plan: None once it runs by it, else why it does not."""
        child = next(one for one in self._children if one.row.name == name)
        if child.process is None or child.process.stdin is None or not child.ready.is_set():
            return "it is not ready"
        child.answer = asyncio.get_running_loop().create_future()
        child.process.stdin.write(f"{RELOAD}\n".encode())
        try:
            async with asyncio.timeout(RELOAD_S):
                return await child.answer
        except TimeoutError:
            return f"no answer in {RELOAD_S:.0f} s"

    async def ready(self, timeout_s: float = START_S) -> bool:
        """Wait until every awaited child has said that it is ready; False if one has not in time."""
        waiting = [asyncio.ensure_future(child.ready.wait()) for child in self._children if child.row.awaited]
        failed = asyncio.ensure_future(self.failed.wait())
        everyone = asyncio.gather(*waiting)
        try:
            await asyncio.wait((everyone, failed), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return everyone.done() and not everyone.cancelled()
        finally:
            for task in (everyone, failed):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await everyone

    def facts(self, name: str) -> dict[str, Any]:
        """Facts that the child `name` reported when it was last ready."""
        return next((child.facts for child in self._children if child.row.name == name), {})

    async def stop(self) -> None:
        """End every child: SIGTERM, and SIGKILL for whoever is still there after 3 s."""
        await self.end({child.row.name for child in self._children})

    async def end(self, names: Collection[str]) -> None:
        """End the children `names` as `stop` does, and keep them no more."""
        leaving = [child for child in self._children if child.row.name in names]
        for child in leaving:
            child.leaving = True
            _signal(child, signal.SIGTERM)
        running = [child.process.wait() for child in leaving if child.process is not None]
        if running:
            done, late = await asyncio.wait([asyncio.ensure_future(one) for one in running], timeout=TERM_S)
            if late:
                for child in leaving:
                    _signal(child, signal.SIGKILL)
                await asyncio.wait(late)
            del done
        tasks = [child.task for child in leaving if child.task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._children = [child for child in self._children if not child.leaving]

    # ------------------------------------------------------------------ one child

    async def _keep(self, child: _Child) -> None:
        loop = asyncio.get_running_loop()
        wait = BACK_OFF_FIRST_S
        while True:
            started = loop.time()
            await self._run(child)
            if child.leaving:
                return
            if child.exit_code == BAD_CONFIGURATION and child.fatal and not child.ready.is_set():
                log.error("%s cannot run with this configuration", child.row.name)
                self.failed.set()
                return
            if loop.time() - started >= SETTLED_S:
                wait = BACK_OFF_FIRST_S
            child.fatal = False
            log.warning("%s ended (%s), starts again in %.1f s", child.row.name, _why(child.exit_code), wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, BACK_OFF_LIMIT_S)

    async def _run(self, child: _Child) -> None:
        child.ready.clear()
        child.process = await asyncio.create_subprocess_exec(
            *child.row.command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(**{PARENT_ENV: "1", "PYTHONUNBUFFERED": "1"}),
        )
        child.heard_at = asyncio.get_running_loop().time()
        watch = asyncio.ensure_future(self._watch(child, child.process))
        try:
            await self._listen(child, child.process)
            child.exit_code = await child.process.wait()
        finally:
            watch.cancel()

    async def _listen(self, child: _Child, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            child.heard_at = asyncio.get_running_loop().time()
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith(f"{logs.READY} "):
                child.facts = json.loads(text.partition(" ")[2])
                child.ready.set()
                if self._on_ready is not None:
                    self._on_ready(child.row.name, child.facts)
            elif text.startswith(f"{logs.RELOADED} "):
                if child.answer is not None and not child.answer.done():
                    child.answer.set_result(json.loads(text.partition(" ")[2])["refused"])
            elif text != logs.ALIVE:
                sys.stderr.write(f"{child.row.name}: {text}\n")

    async def _watch(self, child: _Child, process: asyncio.subprocess.Process) -> None:
        """Kill a child that is silent: it hangs, or it was stopped."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.5)
            limit = child.row.watchdog_s if child.ready.is_set() else START_S
            if loop.time() - child.heard_at > limit:
                log.error("%s is silent for %.0f s: killed", child.row.name, limit)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return


def _signal(child: _Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(number)


def _why(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"
