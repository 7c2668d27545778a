"""`mms-gateway simulate SITE`: every line of a site answered by simulated devices."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import cyclopts
import yaml

from acquisition.simulate.timeline import read_timeline
from bus.endpoint import Endpoint
from mapping import plan as plans
from mapping.compile import site_file
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command
from mms_gateway.runtime import processes
from mms_gateway.runtime.options import SimulateOptions
from mms_gateway.runtime.preflight import make_state_folder
from mms_gateway.runtime.run import StopRequest, run_folder
from mms_gateway.runtime.supervisor import Supervisor
from mms_gateway.sites import compiled, say

DEFAULTS: Final = SimulateOptions()


def simulate(site: Path, /, *, options: Annotated[SimulateOptions, cyclopts.Parameter(name="*")] = DEFAULTS) -> int:
    """Answer every line of a site with simulated devices, and write where to STATE/simulated.yaml.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    """
    from bus import logs

    logs.configure("gateway", options.log_format)
    return asyncio.run(_simulate(site, options))


async def _simulate(site: Path, options: SimulateOptions) -> int:
    stop = StopRequest(options.seconds)
    result = compiled(site)
    found = result.diagnostics
    state = options.state_dir or site_file(site).parent / "state"
    if result.plan is not None:
        if options.faults is not None:
            read_timeline(options.faults, result.plan, found)
        make_state_folder(state, found)
    say(found.found)
    if result.plan is None or found.errors:
        return BAD_CONFIGURATION
    out = state / "simulated.yaml"
    with run_folder() as folder:
        plan_file = folder / "simulate.plan"
        plans.save(result.plan, plan_file)
        simulator = processes.simulator(plan_file, out, folder, options.log_format, options.faults)
        supervisor = Supervisor([simulator])
        supervisor.start()
        try:
            if not await supervisor.ready():
                return BAD_CONFIGURATION if supervisor.failed.is_set() else FAILED
            for name, where in yaml.safe_load(out.read_text(encoding="utf-8"))["lines"].items():
                endpoint = (
                    str(Endpoint(where["host"], where["port"])) if "host" in where else where.get("port", "its worker")
                )
                sys.stdout.write(f"line {name} at {endpoint}\n")
            sys.stdout.flush()
            await stop.wait()
            return OK
        finally:
            await supervisor.stop()


COMMAND: Final = Command("simulate", simulate)
