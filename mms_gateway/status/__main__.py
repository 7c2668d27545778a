"""OS process of the status page: `python -m mms_gateway.status --plan P --run-dir DIR --host H --port N`."""

import argparse
import asyncio
import logging
import sys
import time
from pathlib import Path

import msgspec
import uvicorn

from bus import logs, processes
from bus.endpoint import Endpoint
from mapping import plan as plans
from mapping.plan import Plan
from mms_gateway.status.app import application
from mms_gateway.status.listener import Listener

TICK_S = 0.5


def main() -> int:
    """Show a site until told to end. Exit codes: 0 ok, 2 there is no plan, or the port cannot be had."""
    parser = argparse.ArgumentParser(prog="mms_gateway.status", description="the status page of a running site")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8061)
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    given = parser.parse_args()
    logs.configure("status", given.log_format)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        plan = plans.load(given.plan)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        logging.getLogger("status").error("%s", error)
        return 2
    with asyncio.Runner() as runner:
        return runner.run(_run(plan, given))


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the OS process ends as every other does."""

    def install_signal_handlers(self) -> None:
        """None."""


async def _run(plan: Plan, given: argparse.Namespace) -> int:
    listener = Listener(plan, given.run_dir)
    stop_requested = asyncio.Event()
    app = application(listener.board, time.monotonic, stop_requested)
    config = uvicorn.Config(app, host=given.host, port=given.port, log_config=None, lifespan="off", access_log=False)
    config.timeout_graceful_shutdown = 1
    server = _Server(config)
    serving = asyncio.ensure_future(server._serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    if serving.done():
        logging.getLogger("status").error("cannot listen on %s", Endpoint(given.host, given.port))
        return 2
    port = server.servers[0].sockets[0].getsockname()[1]
    ticking = asyncio.ensure_future(_tick(listener))
    await processes.until_stopped(lambda: logs.ready(http=str(Endpoint(given.host, port))))
    stop_requested.set()
    server.should_exit = True
    await asyncio.wait([serving], timeout=1.5)
    ticking.cancel()
    listener.close()
    return 0


async def _tick(listener: Listener) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        listener.tick()


if __name__ == "__main__":
    sys.exit(main())
