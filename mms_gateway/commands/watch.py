"""`mms-gateway watch SITE`: the points of a running gateway, live."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.plan import Plan
from mms_gateway.command import OK, Command
from mms_gateway.commissioning.exit_codes import carried_out
from mms_gateway.commissioning.explain import board_table
from mms_gateway.commissioning.explain.name_lookup import NotThereError, state_of
from mms_gateway.commissioning.explain.running_gateway import listening
from mms_gateway.runtime.run import StopRequest

PERIOD_S: Final = 0.5


def watch(
    site: Path, /, *devices: str, once: bool = False, state_dir: Path | None = None, seconds: float | None = None
) -> int:
    """Show value, quality, age and reason of every polled point of the gateway that runs this site, until Ctrl-C.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    devices
        Only points of these.
    once
        Print them once.
    state_dir
        State folder of the running gateway; state/ beside site.yaml by default.
    seconds
        End by itself after so long.
    """

    async def work() -> int:
        async with listening(state_of(site, state_dir)) as listener:
            _known(listener.board.plan, devices)
            if once:
                sys.stdout.write(board_table.plain(listener.board, devices, time.monotonic()) + "\n")
                return OK
            stop = StopRequest(seconds)
            with Live(console=Console(), auto_refresh=False, screen=False) as live:
                while not stop.now:
                    live.update(board_table.coloured(listener.board, devices, time.monotonic()), refresh=True)
                    await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=PERIOD_S)
        return OK

    return carried_out(work())


def _known(plan: Plan, devices: tuple[str, ...]) -> None:
    known = [device.name for worker in plan.workers for line in worker.lines for device in line.devices]
    for name in devices:
        if name not in known:
            hint = did_you_mean(nearest(name, known)) or f"there are {', '.join(known)}"
            raise NotThereError(f"no device `{name}` in the running gateway: {hint}")


COMMAND: Final = Command("watch", watch)
