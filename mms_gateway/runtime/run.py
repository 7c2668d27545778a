"""Run of a site in the foreground: a private run folder, the list of OS processes, the ready lines, reloads, an orderly end."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from bus.processes import is_supervised, watch_parent
from mapping import plan as plans
from mapping.compile import Compiled, site_file
from mapping.diagnostics import Diagnostics
from mapping.plan import Plan
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK
from mms_gateway.runtime import processes
from mms_gateway.runtime.deployment import Deployment
from mms_gateway.runtime.instance_file import Announcement, announced
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.preflight import state_is_known
from mms_gateway.runtime.reload import Reloader
from mms_gateway.runtime.supervisor import Supervisor
from mms_gateway.sites import compiled, measured_of, say
from mms_server.redundancy.standby import PairOptions, Standby, StopCondition, StopOrTakeover

PREFIX: Final = "mms-gw-"

log = logging.getLogger("gateway")


@contextmanager
def run_folder() -> Iterator[Path]:
    """A fresh folder that only this user can enter, gone at the end; its path is short, as sockets need it."""
    parent = os.environ.get("XDG_RUNTIME_DIR")
    usable = parent is not None and os.access(parent, os.W_OK) and len(parent) < 60
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent if usable else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class StopRequest:
    """Request to end, by SIGINT, SIGTERM, or after so many seconds; and, by SIGHUP, to reload."""

    def __init__(self, seconds: float | None) -> None:
        self._event = asyncio.Event()
        self._reload = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._event.set)
        if is_supervised():  # by a test run, say: it shall not outlive that
            watch_parent(loop, self._event)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        if seconds is not None:
            loop.call_later(seconds, self._event.set)

    async def wait(self) -> None:
        """Return when it is time to end."""
        await self._event.wait()

    async def to_reload(self) -> None:
        """Return when a reload is asked for; what is asked meanwhile counts once."""
        await self._reload.wait()
        self._reload.clear()

    @property
    def now(self) -> bool:
        """True once it is time to end."""
        return self._event.is_set()


async def run_site(site: Path, options: RunOptions, *, simulate: bool = False) -> int:
    """Run a site until told to end, on simulated lines if it is to `simulate` them; the exit code."""
    stop = StopRequest(options.seconds)
    refused = Diagnostics()
    if not state_is_known(options.state_dir or site_file(site).parent / "state", refused):
        say(refused.found)
        return BAD_CONFIGURATION
    with run_folder() as folder:
        async with _simulated(site, options, folder) if simulate else contextlib.nullcontext(options.lines) as lines:
            if simulate and lines is None:
                return FAILED
            measured = measured_of(site, options.state_dir)  # once: a reload compares what people have changed
            result = compiled(site, lines, measured)
            say(result.diagnostics.found)
            if result.plan is None:
                return BAD_CONFIGURATION
            deployment = Deployment(folder, options)
            found = deployment.check(result.plan)
            if found.errors:
                say(found.found)
                return BAD_CONFIGURATION

            def compile_again() -> Compiled:
                return compiled(site, lines, measured)

            pair = options.pair()
            if pair is not None:
                return await _run_paired(result.plan, deployment, pair, stop, compile_again)
            return await _run(result.plan, deployment, stop, compile_again)


@asynccontextmanager
async def _simulated(site: Path, options: RunOptions, folder: Path) -> AsyncIterator[Path | None]:
    """The file of simulated lines, while they are answered; None if there is none."""
    result = compiled(site)
    if result.plan is None:
        yield None
        return
    plan_file = folder / "simulate.plan"
    plans.save(result.plan, plan_file)
    out = folder / "simulated.yaml"
    supervisor = Supervisor([processes.simulator(plan_file, out, folder, options.log_format)])
    supervisor.start()
    try:
        if not await supervisor.ready():
            log.error("the simulated devices did not start")
        yield out if out.exists() else None
    finally:
        await supervisor.stop()


async def _run_paired(
    plan: Plan, deployment: Deployment, pair: PairOptions, stop: StopRequest, compile_again: Callable[[], Compiled]
) -> int:
    """Run the site whenever this gateway of the pair is the one that serves; the exit code."""
    try:
        standby = Standby(pair, [ied.name for ied in plan.ieds], deployment.state_dir(plan))
    except OSError as error:
        log.error("cannot be half of a pair with %s: %s", pair.peer, error)
        return BAD_CONFIGURATION
    try:
        while await standby.until_active(stop):
            code = await _run(plan, deployment, StopOrTakeover(stop, standby), compile_again)
            if stop.now or code != OK:
                return code
        return OK
    finally:
        standby.close()


async def _run(plan: Plan, deployment: Deployment, stop: StopCondition, compile_again: Callable[[], Compiled]) -> int:
    supervisor = Supervisor(deployment.install(plan))
    supervisor.start()
    try:
        ending = asyncio.ensure_future(stop.wait())
        ready = asyncio.ensure_future(supervisor.ready())
        await asyncio.wait((ending, ready), return_when=asyncio.FIRST_COMPLETED)
        if stop.now:
            await _cancelled(ready)
            return OK
        if not ready.result():
            return BAD_CONFIGURATION if supervisor.failed.is_set() else FAILED
        failed = asyncio.ensure_future(supervisor.failed.wait())
        reloader = Reloader(plan, deployment, supervisor, compile_again)
        serving = asyncio.ensure_future(_serve(reloader, deployment, supervisor, stop))
        await asyncio.wait((ending, failed, serving), return_when=asyncio.FIRST_COMPLETED)
        await _cancelled(ending, failed, serving)
        return OK if stop.now else BAD_CONFIGURATION
    finally:
        await supervisor.stop()


async def _cancelled(*tasks: "asyncio.Future[Any]") -> None:
    """End these tasks; what one of them raised before, this raises."""
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _serve(reloader: Reloader, deployment: Deployment, supervisor: Supervisor, stop: StopCondition) -> None:
    """Say that the site is ready and where it can be found, and reload it whenever that is asked for."""
    _say_ready(reloader.plan, supervisor)
    while True:
        plan = reloader.plan
        with announced(deployment.state_dir(plan), _announcement(plan, supervisor, deployment)):
            while reloader.plan.revision == plan.revision:
                await stop.to_reload()
                await reloader.reload()


def _announcement(plan: Plan, supervisor: Supervisor, deployment: Deployment) -> Announcement:
    facts = {ied.name: supervisor.facts(f"mms.{ied.name}") for ied in plan.ieds}
    mms = {name: str(told["mms"]) for name, told in facts.items() if told.get("mms")}
    http = supervisor.facts("status").get("http")
    return Announcement(
        os.getpid(), str(deployment.folder), str(deployment.plan_file), mms, None if http is None else str(http)
    )


def _say_ready(plan: Plan, supervisor: Supervisor) -> None:
    http = supervisor.facts("status").get("http")
    for ied in plan.ieds:
        facts = supervisor.facts(f"mms.{ied.name}")
        shown = [f"mms={facts.get('mms') or facts.get('tls')}", f"ied={ied.name}", *([f"http={http}"] if http else [])]
        sys.stdout.write(f"ready {' '.join(shown)}\n")
    sys.stdout.flush()
