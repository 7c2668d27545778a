"""Running a site in the foreground: a private run folder, the list of processes, the ready lines, an orderly end."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.processes import is_supervised, watch_parent
from gateway import addresses, processes
from gateway.announcement import Announcement, announced
from gateway.cli import BAD_CONFIGURATION, FAILED, OK
from gateway.processes import Options
from gateway.sites import compiled, say
from gateway.supervisor import Supervisor
from mapping import plan as plans
from mapping.diagnostics import Diagnostics, Span
from mapping.plan import Plan

PREFIX: Final = "mms-gw-"

log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` and `demo` were told."""

    mms_ports: dict[str, int] = field(default_factory=dict)  # IED -> port
    http: tuple[str, int] | None = None
    state_dir: Path | None = None
    seconds: float | None = None
    lines: Path | None = None
    simulate: bool = False
    mms_host: str | None = None  # instead of each IED's own
    log_format: str = "console"


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


class Told:
    """Set when this process is to end: by SIGINT, SIGTERM, or after so many seconds."""

    def __init__(self, seconds: float | None) -> None:
        self._event = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._event.set)
        if is_supervised():  # by a test run, say: it shall not outlive that
            watch_parent(loop, self._event)
        if seconds is not None:
            loop.call_later(seconds, self._event.set)

    async def wait(self) -> None:
        """Return when it is time."""
        await self._event.wait()

    @property
    def now(self) -> bool:
        """True once it is time."""
        return self._event.is_set()


async def run_site(site: Path, options: RunOptions) -> int:
    """Run a site until told to end; the exit code."""
    told = Told(options.seconds)
    with run_folder() as folder:
        async with _simulated(site, options, folder) as lines:
            if options.simulate and lines is None:
                return FAILED
            result = compiled(site, lines)
            say(result.diagnostics.found)
            if result.plan is None:
                return BAD_CONFIGURATION
            listen = _listen(result.plan, options)
            found = _check_ports(result.plan, options, listen)
            if found.errors:
                say(found.found)
                return BAD_CONFIGURATION
            return await _run(result.plan, options, listen, folder, told)


@asynccontextmanager
async def _simulated(site: Path, options: RunOptions, folder: Path) -> AsyncIterator[Path | None]:
    """The file of simulated lines, while they are answered; what the user gave where nothing is simulated."""
    if not options.simulate:
        yield options.lines
        return
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


def _listen(plan: Plan, options: RunOptions) -> dict[str, str]:
    listen = {}
    for ied in plan.ieds:
        if ied.listen == "none":
            continue
        host, port = ied.listen.rpartition(":")[::2]
        listen[ied.name] = f"{options.mms_host or host}:{options.mms_ports.get(ied.name, port)}"
    return listen


def _check_ports(plan: Plan, options: RunOptions, listen: dict[str, str]) -> Diagnostics:
    found = Diagnostics()
    span = Span(plan.site_file)
    for ied, address in listen.items():
        addresses.check(address, f"IED {ied}", f"--mms-port {ied}=10102", span, found)
    if options.http is not None:
        host, port = options.http
        addresses.check(f"{host}:{port}", "the status page", "--http-port 8061", span, found)
    return found


async def _run(plan: Plan, options: RunOptions, listen: dict[str, str], folder: Path, told: Told) -> int:
    plan_file = folder / "site.plan"
    plans.save(plan, plan_file)
    copies = {ied.name: folder / f"{ied.name}.scl" for ied in plan.ieds}
    for ied in plan.ieds:
        shutil.copyfile(ied.scl, copies[ied.name])
    listen = {ied: addresses.fixed(address) for ied, address in listen.items()}
    http = None if options.http is None else addresses.split(addresses.fixed(f"{options.http[0]}:{options.http[1]}"))
    state_dir = options.state_dir or Path(plan.site_file).parent / "state"
    rows = processes.of_site(plan, Options(folder, plan_file, listen, copies, http, options.log_format, state_dir))
    supervisor = Supervisor(rows)
    supervisor.start()
    try:
        ending = asyncio.ensure_future(told.wait())
        ready = asyncio.ensure_future(supervisor.ready())
        await asyncio.wait((ending, ready), return_when=asyncio.FIRST_COMPLETED)
        if not told.now and not ready.result():
            return BAD_CONFIGURATION if supervisor.failed.is_set() else FAILED
        failed = asyncio.ensure_future(supervisor.failed.wait())
        if not told.now:
            with announced(state_dir, _announcement(plan, supervisor, folder, plan_file)):
                _say_ready(plan, supervisor)
                await asyncio.wait((ending, failed), return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, ready, failed):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return OK if told.now else BAD_CONFIGURATION
    finally:
        await supervisor.stop()


def _announcement(plan: Plan, supervisor: Supervisor, folder: Path, plan_file: Path) -> Announcement:
    facts = {ied.name: supervisor.facts(f"mms.{ied.name}") for ied in plan.ieds}
    mms = {name: str(told["mms"]) for name, told in facts.items() if told.get("mms")}
    http = supervisor.facts("status").get("http")
    return Announcement(os.getpid(), str(folder), str(plan_file), mms, None if http is None else str(http))


def _say_ready(plan: Plan, supervisor: Supervisor) -> None:
    http = supervisor.facts("status").get("http")
    for ied in plan.ieds:
        facts = supervisor.facts(f"mms.{ied.name}")
        shown = [f"mms={facts.get('mms') or facts.get('tls')}", f"ied={ied.name}", *([f"http={http}"] if http else [])]
        sys.stdout.write(f"ready {' '.join(shown)}\n")
    sys.stdout.flush()
