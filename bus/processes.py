"""What every process of the gateway owes its supervisor: it says that it lives, ends when told, and never outlives it.

On its stdin it may be told `reload`, a line: there is another plan in the file that it was started with.
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


async def until_told(
    started: Callable[[], None] | None = None, reload: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Return when this process is to end: on SIGTERM, or when its supervisor is gone (its stdin closes).

    Started by hand it ends on SIGINT as well. `started` is called once the handlers stand, `reload` whenever there is
    another plan; what it raises, this raises.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    reloading: list[asyncio.Future[None]] = []

    def heard(line: str) -> None:
        if line == RELOAD and reload is not None:
            reloading.append(asyncio.ensure_future(reload()))

    supervised = is_supervised()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        watch_parent(loop, told, heard)
    else:
        loop.add_signal_handler(signal.SIGINT, told.set)
    if started is not None:
        started()
    while not told.is_set():
        if supervised:
            logs.alive()
        try:
            await asyncio.wait_for(told.wait(), ALIVE_S)
        except TimeoutError:
            for one in [one for one in reloading if one.done()]:
                reloading.remove(one)
                one.result()


def is_supervised() -> bool:
    """True if whoever started this process wants it to end with its stdin."""
    return os.environ.get(PARENT_ENV) == "1"


def watch_parent(
    loop: asyncio.AbstractEventLoop, told: asyncio.Event, heard: Callable[[str], None] = lambda _line: None
) -> None:
    """Set `told` when stdin closes: whoever held its other end is gone. `heard` gets the lines that come before."""
    stdin = sys.stdin.fileno()

    def read() -> None:
        octets = os.read(stdin, 4096)
        for line in octets.decode("ascii", "replace").splitlines():
            heard(line)
        if not octets:
            loop.remove_reader(stdin)
            told.set()

    loop.add_reader(stdin, read)
