"""`mms-gateway reset STATE_DIR`: forget what clients have left behind in a state folder."""

import sys
from pathlib import Path
from typing import Final, Literal

from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command

What = Literal["values", "data-sets", "reports", "logs"]


def reset(state_dir: Path, /, *, ied: str | None = None, what: list[What] | None = None) -> int:
    """Forget what clients have left in a state folder; the gateway that uses it must not run.

    Parameters
    ----------
    state_dir
        The folder: `state` beside site.yaml, or what --state-dir named.
    ied
        This IED only; every IED of the folder by default.
    what
        values that clients wrote to settings and configuration, their data-sets, what reports keep (buffers, and how clients
        have configured buffered blocks), or logs. May be given more than once; all by default.
    """
    from mapping.diagnostics import Diagnostics
    from mms_gateway.runtime.instance_file import running
    from mms_gateway.runtime.preflight import state_is_known
    from mms_gateway.sites import say
    from mms_server.storage.store import RESETTABLE, Store

    refused = Diagnostics()
    if not state_is_known(state_dir, refused):
        say(refused.found)
        return BAD_CONFIGURATION
    user = running(state_dir)
    if user is not None:
        sys.stderr.write(f"mms-gateway: a gateway runs with {state_dir} (process {user.pid}): it must end first\n")
        return FAILED
    stores = sorted(state_dir.glob(f"{ied or '*'}.sqlite"))
    if not stores:
        sys.stderr.write(f"mms-gateway: nothing is kept in {state_dir}{f' for {ied}' if ied else ''}\n")
        return BAD_CONFIGURATION
    for path in stores:
        try:
            store = Store(state_dir, path.stem)
            counts = {one: store.forget(one) for one in what or tuple(RESETTABLE)}
            store.close()
        except OSError as error:
            sys.stderr.write(f"mms-gateway: {error}\n")
            return BAD_CONFIGURATION
        sys.stdout.write(f"{path.stem}: {', '.join(f'{count} {one}' for one, count in counts.items())} forgotten\n")
    return OK


COMMAND: Final = Command("reset", reset)
