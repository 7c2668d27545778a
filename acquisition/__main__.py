"""OS process of one worker: `python -m acquisition --plan P --worker NAME --run-dir DIR [--state-dir DIR]`.

SIGUSR1: it sees every device as new. The pytest plugin sends it, so that no test waits for what another one has broken.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import sys
from pathlib import Path

import msgspec

from acquisition.event_loop import loop_factory
from acquisition.worker import Worker
from bus import logs, processes, state_schema
from bus.plugins import PluginError
from mapping import plan as plans


def main() -> int:
    """Run one worker until told to end. Exit codes: 0 ok, 1 failed, 2 the plan is none, or the state is a newer program's."""
    parser = argparse.ArgumentParser(
        prog="acquisition", description="one worker: polls its lines, publishes on the bus"
    )
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, help="folder for refused registers and turnarounds; by default none")
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    given = parser.parse_args()
    logs.configure(f"worker.{given.worker}", given.log_format, worker=given.worker)
    try:
        plan = plans.load(given.plan)
        factory = loop_factory(plan.worker(given.worker))
    except (OSError, ValueError, msgspec.MsgspecError, KeyError) as error:
        logging.getLogger("acquisition").error("no such worker in a plan: %s", error)
        return 2
    except PluginError as error:
        logging.getLogger("acquisition").error("cannot run %s: %s", given.worker, error)
        return 2
    try:
        if given.state_dir is not None:
            state_schema.check(given.state_dir)
    except OSError as error:
        logging.getLogger("acquisition").error("cannot run %s: %s", given.worker, error)
        return 2
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_run(plan, given.worker, given.run_dir, given.state_dir))
    return 0


async def _run(plan: plans.Plan, name: str, run_dir: Path, state_dir: Path | None) -> None:
    worker = Worker(plan, name, run_dir, state_dir)
    if state_dir is not None:
        state_schema.note(state_dir)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, worker.renew)
    work = asyncio.ensure_future(worker.run())
    gc.freeze()  # the plan is for ever: a full collection need not walk through it, which takes a tenth of a second
    stopped = asyncio.ensure_future(processes.until_stopped(lambda: logs.ready(worker=name)))
    await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if work.done():
        work.result()  # it never ends by itself: this raises what ended it
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    sys.exit(main())
