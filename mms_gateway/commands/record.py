"""`mms-gateway record SITE LINE FILE`: polls one line for a while and writes its frames down."""

import asyncio
import sys
from pathlib import Path
from typing import Final, Literal

import msgspec

from acquisition.transport.capture import SETTING
from mapping import plan as plans
from mapping.plan import Plan, WorkerPlan, sealed
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command
from mms_gateway.commissioning.exit_codes import said
from mms_gateway.commissioning.explain.name_lookup import NotThereError, place
from mms_gateway.runtime.processes import Process
from mms_gateway.runtime.run import StopRequest, run_folder
from mms_gateway.runtime.supervisor import Supervisor
from mms_gateway.sites import say


def record(
    site: Path,
    line: str,
    file: Path,
    /,
    *,
    seconds: float = 10.0,
    lines: Path | None = None,
    state_dir: Path | None = None,
    log_format: Literal["console", "json"] = "console",
) -> int:
    """Poll one line as the gateway would, and write every frame with its time to a file that `replay` plays back.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    line
        A line of the site that the running gateway does not hold.
    file
        Where to: it begins anew.
    seconds
        For how long.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    log_format
        console for people, json for machines.
    """
    from bus import logs

    logs.configure("gateway", log_format)
    try:
        found = place(site, lines=lines, state_dir=state_dir)
        found.free(found.line(line))
    except NotThereError as error:
        return said(str(error), BAD_CONFIGURATION)
    if found.compiled.plan is None:
        say(found.compiled.diagnostics.found)
        return BAD_CONFIGURATION
    try:
        file.touch()
    except OSError as error:
        return said(f"{file}: {error.strerror}", BAD_CONFIGURATION)
    return asyncio.run(_record(_alone(found.compiled.plan, line, file.resolve()), line, file, seconds, log_format))


def _alone(plan: Plan, name: str, file: Path) -> Plan:
    """`plan` with a worker of one line, whose frames go to `file`."""
    (line,) = (line for worker in plan.workers for line in worker.lines if line.name == name)
    recorded = msgspec.structs.replace(line, settings={**line.settings, SETTING: str(file)})
    return sealed(msgspec.structs.replace(plan, workers=(WorkerPlan(name, (recorded,)),)))


async def _record(plan: Plan, line: str, file: Path, seconds: float, log_format: str) -> int:
    stop = StopRequest(seconds)
    with run_folder() as folder:
        plan_file = folder / "record.plan"
        plans.save(plan, plan_file)
        arguments = ("--plan", str(plan_file), "--run-dir", str(folder), "--log-format", log_format, "--worker", line)
        supervisor = Supervisor([Process(f"worker.{line}", "acquisition", arguments)])
        supervisor.start()
        try:
            if not await supervisor.ready():
                return FAILED
            await stop.wait()
        finally:
            await supervisor.stop()
    with file.open(encoding="ascii") as written:
        frames = max(sum(1 for _ in written) - 1, 0)
    sys.stdout.write(f"{frames} frames of line {line} in {file}\n")
    return OK if frames else FAILED


COMMAND: Final = Command("record", record)
