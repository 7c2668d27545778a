"""Event loop of a worker: select(2) for serial lines, uvloop for many connections.

A serial line is a matter of fractions of a millisecond: the silence before a frame is 1.75 ms, and epoll sleeps in whole
milliseconds (D45). select(2) sleeps to the microsecond, and serves a worker with a few descriptors well. A worker with many
connections runs on uvloop, where it is installed.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Final

from acquisition.drivers.registry import driver_of
from mapping.plan import WorkerPlan

SELECT_LINES: Final = 200  # select(2) serves descriptors below 1024


def loop_factory(worker: WorkerPlan) -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop that fits the lines of `worker`. Raises PluginError if one has no driver."""
    if len(worker.lines) <= SELECT_LINES and any(driver_of(line.protocol).serial for line in worker.lines):
        return lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
