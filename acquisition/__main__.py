"""One acquisition process: `python -m acquisition --plan P --worker NAME --run-dir DIR`."""

import argparse
import asyncio
import contextlib
import logging
import sys
from pathlib import Path

import msgspec

from acquisition.worker import Worker
from bus import logs, processes
from mapping import plan as plans


def main() -> int:
    """Run one worker until told to end. Exit codes: 0 ok, 1 failed, 2 the plan is none."""
    parser = argparse.ArgumentParser(
        prog="acquisition", description="one worker: polls its lines, publishes on the bus"
    )
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    given = parser.parse_args()
    logs.configure(f"worker.{given.worker}", given.log_format)
    try:
        plan = plans.load(given.plan)
        plan.worker(given.worker)
    except (OSError, ValueError, msgspec.MsgspecError, KeyError) as error:
        logging.getLogger("acquisition").error("no such worker in a plan: %s", error)
        return 2
    with asyncio.Runner() as runner:
        runner.run(_run(plan, given.worker, given.run_dir))
    return 0


async def _run(plan: plans.Plan, name: str, run_dir: Path) -> None:
    work = asyncio.ensure_future(Worker(plan, name, run_dir).run())
    told = asyncio.ensure_future(processes.until_told(lambda: logs.ready(worker=name)))
    await asyncio.wait((work, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if work.done():
        work.result()  # it never ends by itself: this raises what ended it
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    sys.exit(main())
