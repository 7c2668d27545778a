"""Duties of every OS process of the gateway to its supervisor: it says that it lives, ends on request, and never outlives it.

The line `reload` on its stdin means: there is another plan in the file that it was started with.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from bus import logs

ALIVE_S: Final = 1.0
RELOAD: Final = "reload"
PARENT_ENV: Final = "MMS_GATEWAY_SUPERVISED"


async def until_stopped(
    started: Callable[[], None] | None = None, reload: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Return when this OS process is to end: on SIGTERM, or when its supervisor is gone (its stdin closes).

    Started by hand it ends on SIGINT as well. `started` is called once the handlers stand, `reload` whenever there is
    another plan; what it raises, this raises.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reloading: list[asyncio.Future[None]] = []

    def on_line(line: str) -> None:
        if line == RELOAD and reload is not None:
            reloading.append(asyncio.ensure_future(reload()))

    supervised = is_supervised()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        watch_parent(loop, stop, on_line)
    else:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    if started is not None:
        started()
    while not stop.is_set():
        if supervised:
            logs.alive()
        try:
            async with asyncio.timeout(ALIVE_S):
                await stop.wait()
        except TimeoutError:
            for one in [one for one in reloading if one.done()]:
                reloading.remove(one)
                one.result()


def is_supervised() -> bool:
    """True if this OS process is to end with its stdin, as its parent has asked."""
    return os.environ.get(PARENT_ENV) == "1"


def watch_parent(
    loop: asyncio.AbstractEventLoop, stop: asyncio.Event, on_line: Callable[[str], None] = lambda _line: None
) -> None:
    """Set `stop` when stdin closes: the parent, which held its other end, is gone. `on_line` gets the lines that come before."""
    stdin = sys.stdin.fileno()

    def read() -> None:
        octets = os.read(stdin, 4096)
        for line in octets.decode("ascii", "replace").splitlines():
            on_line(line)
        if not octets:
            loop.remove_reader(stdin)
            stop.set()

    loop.add_reader(stdin, read)
