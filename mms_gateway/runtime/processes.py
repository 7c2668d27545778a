"""The list of OS processes, built from the plan: one row each, and nothing else runs.

A worker or server that ends is started again; the status page and the simulators too: nothing here may stay away.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.endpoint import Endpoint
from mapping.plan import Plan
from mms_gateway.runtime.options import RunOptions

WATCHDOG_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process: how it is started, how long it may be silent, whether its `ready` counts for ours."""

    name: str
    module: str
    arguments: tuple[str, ...]
    watchdog_s: float = WATCHDOG_S
    awaited: bool = True

    def command(self) -> list[str]:
        """Command line of the OS process."""
        return [sys.executable, "-m", self.module, *self.arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of an OS process of ours: this one's, and `more`.

    `python -m MODULE` puts the current folder first on sys.path: a `random.py` where the user stands would be run (CWE-427).
    PYTHONSAFEPATH keeps it off.
    """
    return os.environ | {"PYTHONSAFEPATH": "1"} | more


@dataclass(frozen=True, slots=True)
class Installation:
    """Files and addresses of the OS processes of a site, as a Deployment has fixed them."""

    run_dir: Path
    plan_file: Path
    listen: dict[str, Endpoint]  # of each IED, instead of the plan's
    scl: dict[str, Path]  # IED -> copy of its SCL file
    http: Endpoint | None
    state_dir: Path


def of_site(plan: Plan, there: Installation, options: RunOptions) -> list[Process]:
    """The processes of a running site, in the order in which they start."""
    common = ("--plan", str(there.plan_file), "--run-dir", str(there.run_dir), "--log-format", options.log_format)
    state = ("--state-dir", str(there.state_dir))
    rows = [
        Process(f"worker.{worker.name}", "acquisition", (*common, "--worker", worker.name, *state))
        for worker in plan.workers
    ]
    pair = options.pair()
    kept = state if pair is None else (*state, "--peer", str(pair.peer))
    for ied in plan.ieds:
        listen = ("--listen", str(there.listen[ied.name])) if ied.name in there.listen else ()
        scl = ("--scl", str(there.scl[ied.name]))
        rows.append(Process(f"mms.{ied.name}", "mms_server", (*common, "--ied", ied.name, *listen, *scl, *kept)))
    if there.http is not None:
        page = ("--host", there.http.host, "--port", str(there.http.port))
        rows.append(Process("status", "mms_gateway.status", (*common, *page)))
    return rows


def simulator(plan_file: Path, out: Path, run_dir: Path, log_format: str, faults: Path | None = None) -> Process:
    """The process that answers every line of a site."""
    given = ("--plan", str(plan_file), "--out", str(out), "--run-dir", str(run_dir), "--log-format", log_format)
    return Process("simulate", "acquisition.simulate", (*given, *(("--faults", str(faults)) if faults else ())))
