"""OS processes of a site under test: its field simulated, its gateway as a user starts it. Shell.

site.yaml ──compile──► plan ──► python -m acquisition.simulate ──► simulated.yaml
                                python -m mms_gateway run SITE --lines simulated.yaml --mms-port IED=0 ...
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bus.endpoint import Endpoint
from bus.processes import PARENT_ENV
from mapping import plan as plans
from mapping.diagnostics import render
from mapping.plan import Plan
from mms_gateway.runtime import processes
from mms_gateway.runtime.run import run_folder
from mms_gateway.sites import compiled
from mms_gateway.testing.field import Field
from mms_server.client.client import MmsClient
from mms_server.field.gateway_server import password_of
from mms_server.network.client_connection import connect

START_S: Final = 30.0
STOP_S: Final = 10.0
LOOK_S: Final = 0.02
LOG_LINES: Final = 40
AS_NEW_S: Final = 60.0
AGE_DIGIT_S: Final = 0.1  # an age is rounded to it


class NotRunning(Exception):  # noqa: N818 - it is what a user reads
    """A site that cannot be tested: its diagnostics, or the log of its OS processes before they ended."""


@dataclass(frozen=True, slots=True)
class SimulatedSite:
    """A site whose field is simulated: its file, its plan, the devices, the file of lines, a folder for what tests leave."""

    site: Path
    plan: Plan
    field: Field
    lines: Path
    folder: Path


@contextmanager
def simulated(site: Path, folder: Path) -> Iterator[SimulatedSite]:
    """Answer every line of `site` with simulated devices. Raises NotRunning."""
    result = compiled(site)
    if result.plan is None:
        raise NotRunning(render(result.diagnostics.found))
    plan_file, lines = folder / "simulate.plan", folder / "simulated.yaml"
    plans.save(result.plan, plan_file)
    site_lines = [line for worker in result.plan.workers for line in worker.lines]
    names = [one.name for line in site_lines for one in line.devices]
    with run_folder() as run_dir:
        field = Field(run_dir / "simulate.ctl", names, [one.name for one in site_lines])
        command = processes.simulator(plan_file, lines, run_dir, "console").command()
        with _launched(command, folder / "simulate", 1):
            yield SimulatedSite(site, result.plan, field, lines, folder)


class RunningGateway:
    """A gateway that serves: `ports` by IED, `log` with what it logs."""

    def __init__(self, simulated_site: SimulatedSite, log: Path, ready: Sequence[str], process_id: int) -> None:
        self._plan = simulated_site.plan
        self._facts = [dict(word.split("=", 1) for word in line.split()[1:]) for line in ready]
        self._process_id = process_id
        self._sound: set[str] = set()  # points that are good while nothing is broken
        self.log = log

    @property
    def ports(self) -> dict[str, int]:
        """The MMS port of every IED, the site's first IED first."""
        return {fact["ied"]: Endpoint.parse(fact["mms"]).port for fact in self._facts}

    def port(self, ied: str | None = None) -> int:
        """The MMS port of `ied`, of the first IED if none is named. Raises KeyError."""
        return self.ports[self._facts[0]["ied"] if ied is None else ied]

    def status(self) -> dict[str, Any]:
        """The present answer of /api/status. Raises OSError."""
        with urllib.request.urlopen(f"http://{self._facts[0]['http']}/api/status", timeout=STOP_S) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def settle(self) -> None:
        """Wait until every point was heard, and note those that are good while nothing is broken."""
        until = time.monotonic() + AS_NEW_S
        while any(one["age"] is None for one in self._points()) and time.monotonic() < until:
            time.sleep(LOOK_S)
        self._sound = {one["point"] for one in self._points() if one["good"]}

    def see_all_as_new(self) -> None:
        """Let the workers forget what they know of the devices, and wait until all that was good is read and good again.

        Raises NotRunning, which names the points that are not.
        """
        since = time.monotonic()
        for process_id in _workers(self._process_id):
            with suppress(ProcessLookupError):  # it ends just now, and its successor is new
                os.kill(process_id, signal.SIGUSR1)
        while missing := self._missing(time.monotonic() - since):
            if time.monotonic() >= since + AS_NEW_S:
                raise NotRunning(f"not as new after {AS_NEW_S:g} s: {', '.join(missing)}")
            time.sleep(LOOK_S)

    def _missing(self, elapsed_s: float) -> list[str]:
        """Points that were good when nothing was broken, and are not, or were not read in the last `elapsed_s`."""
        return [
            one["point"]
            for one in self._points()
            if one["point"] in self._sound and not (one["good"] and one["age"] < elapsed_s - AGE_DIGIT_S)
        ]

    def _points(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.status()["points"]
        return found

    def connect(self, ied: str | None = None, *, tls: ssl.SSLContext | None = None, timeout: float = 10.0) -> MmsClient:
        """A client of `ied`, of the first IED if none is named, with the password that the site names.

        Raises KeyError for no such IED, MmsError if it does not let us in.
        """
        name = self._facts[0]["ied"] if ied is None else ied
        address = {fact["ied"]: fact["mms"] for fact in self._facts}[name]
        there = Endpoint.parse(address).reachable()
        return connect(there.host, there.port, password=password_of(self._plan.ied(name)), tls=tls, timeout=timeout)


@contextmanager
def running(simulated_site: SimulatedSite) -> Iterator[RunningGateway]:
    """Run the gateway of a simulated site, on free ports of this machine. Raises NotRunning."""
    site, ieds = simulated_site, simulated_site.plan.ieds
    ports = [word for ied in ieds if ied.listen != "none" for word in ("--mms-port", f"{ied.name}=0")]
    command = [
        sys.executable, "-m", "mms_gateway", "run", str(site.site), "--lines", str(site.lines),
        "--mms-host", "127.0.0.1", *ports, "--http-port", "0", "--state-dir", str(site.folder / "state"),
    ]  # fmt: skip
    with _launched(command, site.folder / "gateway", len(ieds)) as (log, ready, process_id):
        yield RunningGateway(site, log, ready, process_id)


@contextmanager
def _launched(command: Sequence[str], files: Path, ready_lines: int) -> Iterator[tuple[Path, list[str], int]]:
    """Run `command` until the block ends: its log, its first `ready_lines` lines that say `ready`, its number.

    Raises NotRunning if it does not become ready, or did not end in order.
    """
    said, log = files.with_suffix(".out"), files.with_suffix(".log")
    # PARENT_ENV: it ends when its stdin closes, so it does not outlive us, however we end.
    environment = processes.environment(**{PARENT_ENV: "1"})
    with said.open("w") as out, log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=environment
        )
    try:
        yield log, _ready(process, said, log, ready_lines), process.pid
    finally:
        code = _ended(process)
    if code != 0:
        raise NotRunning(f"{files.name} ended with {code}\n{tail(log)}")


def _ready(process: "subprocess.Popen[bytes]", said: Path, log: Path, count: int) -> list[str]:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        over = process.poll() is not None
        whole, _, _ = said.read_text(encoding="utf-8").rpartition("\n")
        found = [line for line in whole.splitlines() if line.startswith("ready ")]
        if len(found) >= count:
            return found
        if over:
            raise NotRunning(f"it ended with {process.returncode} before it was ready\n{tail(log)}")
        time.sleep(LOOK_S)
    raise NotRunning(f"not ready after {START_S:g} s\n{tail(log)}")


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Ask it to end, and insist after a while; its exit code."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()


def _workers(gateway: int) -> list[int]:
    """The numbers of the gateway's workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(
                path.joinpath("stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]
            )
            words = path.joinpath("cmdline").read_bytes().split(b"\0")
            if parent == gateway and b"acquisition" in words:
                found.append(int(path.name))
    return found


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
