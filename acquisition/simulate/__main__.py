"""The simulated field: `python -m acquisition.simulate --plan P --out FILE --run-dir DIR`.

Every line of the plan is answered. FILE gets where (`{lines: {NAME: {...}}}`), stdout a line for each.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import yaml

from acquisition.simulate.control import Control
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.lines import SimulatedLine, line_of
from acquisition.simulate.timeline import Timeline, read_timeline
from bus import logs, processes
from bus.endpoint import Endpoint
from bus.plugins import PluginError
from mapping import plan as plans
from mapping.diagnostics import Diagnostics, render
from mapping.plan import LinePlan, Plan


def main() -> int:
    """Answer every line until told to end. Exit codes: 0 ok, 2 the plan or the faults are none."""
    parser = argparse.ArgumentParser(
        prog="acquisition.simulate", description="simulated devices on every line of a plan"
    )
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    given = parser.parse_args()
    logs.configure("simulate", given.log_format)
    try:
        plan = plans.load(given.plan)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        logging.getLogger("simulate").error("%s", error)
        return 2
    found = Diagnostics()
    faults = Timeline([]) if given.faults is None else read_timeline(given.faults, plan, found)
    if found.errors:
        sys.stderr.write(render(found) + "\n")
        return 2
    with asyncio.Runner() as runner:
        return runner.run(_run(plan, given, faults))


async def _run(plan: Plan, given: argparse.Namespace, faults: Timeline) -> int:
    log = logging.getLogger("simulate")
    devices: dict[str, SimulatedDevice] = {}
    lines: dict[str, SimulatedLine] = {}
    overlay: dict[str, dict[str, Any]] = {}
    try:
        for worker in plan.workers:
            for line in worker.lines:
                started = _line(line, devices)
                overlay[line.name] = {} if started is None else await started.start()
                if started is not None:
                    lines[line.name] = started
        fresh = given.out.with_name(given.out.name + ".new")
        fresh.write_text(yaml.safe_dump({"lines": overlay}), encoding="utf-8")
        fresh.replace(given.out)
        for name, where in overlay.items():
            endpoint = (
                str(Endpoint(where["host"], where["port"])) if "host" in where else where.get("port", "its worker")
            )
            sys.stderr.write(f"line {name} at {endpoint}\n")
        control = Control(given.run_dir / "simulate.ctl", devices, lines)
        await control.start()
        ticking = asyncio.ensure_future(_tick(devices, lines, faults))
        await processes.until_stopped(lambda: logs.ready(lines=overlay))
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        await control.stop()
    except (OSError, PluginError) as error:
        log.error("cannot simulate: %s", error)
        return 2
    finally:
        for started in lines.values():
            await started.stop()
    return 0


def _line(line: LinePlan, devices: dict[str, SimulatedDevice]) -> SimulatedLine | None:
    reached = (*line.devices, *line.fallbacks)  # one and the same device on both of its paths
    own = {device.unit: devices.get(device.name) or SimulatedDevice(device) for device in reached}
    for one in own.values():
        one.tick(int(time.time()))
    answered = line_of(line, own)
    if answered is not None:
        devices.update((one.plan.name, one) for one in own.values())
    return answered


async def _tick(devices: dict[str, SimulatedDevice], lines: dict[str, SimulatedLine], faults: Timeline) -> None:
    """New values at the start of each second."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(1.0 - time.time() % 1.0)
        for device in devices.values():
            device.tick(int(time.time()))
        faults.apply(devices, time.monotonic() - started, lines)


if __name__ == "__main__":
    sys.exit(main())
