"""Subscription to a running gateway from outside: one more subscriber on its bus. Shell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from mapping import plan as plans
from mms_gateway.commissioning.explain.name_lookup import NotThereError
from mms_gateway.runtime import instance_file
from mms_gateway.status.listener import Listener

FIRST_S: Final = 3.0
LOOK_S: Final = 0.05
TICK_S: Final = 0.5


@asynccontextmanager
async def listening(state_dir: Path) -> AsyncIterator[Listener]:
    """Publications of the gateway of `state_dir`, followed while the block runs; a snapshot of each worker comes first.

    Raises NotThereError if no gateway runs there.
    """
    found = instance_file.running(state_dir)
    if found is None:
        raise NotThereError(f"no gateway runs with the state folder {state_dir}: `mms-gateway run` starts one")
    try:
        plan = plans.load(Path(found.plan_file))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise NotThereError(f"the running gateway has no plan that could be read: {error}") from error
    listener = Listener(plan, Path(found.run_dir))
    ticking = asyncio.ensure_future(_tick(listener))
    try:
        await _synced(listener)
        yield listener
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        listener.close()


async def _synced(listener: Listener) -> None:
    """Wait until every worker has told what it knows; a silent one is not waited for longer than FIRST_S."""
    loop = asyncio.get_running_loop()
    until = loop.time() + FIRST_S
    while not (listener.synced() and _lines_known(listener)) and loop.time() < until:  # noqa: ASYNC110 - the bus calls back, it has no event
        await asyncio.sleep(LOOK_S)


def _lines_known(listener: Listener) -> bool:
    """True if every line has told its state: heartbeats do, twice a second."""
    plan = listener.board.plan
    return all(line.name in listener.board.lines for worker in plan.workers for line in worker.lines)


async def _tick(listener: Listener) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        listener.tick()
