"""`mms-gateway reload SITE`: let the running gateway take the site as its files are now."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command

WAIT_S: Final = 120.0  # compiling a large site, ending and starting what has to
POLL_S: Final = 0.05


def reload(site: Path, /, *, state_dir: Path | None = None) -> int:
    """Let the gateway that runs a site take its changed files. Nothing happens if they have errors.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    state_dir
        The --state-dir of the running gateway, if it was given one.
    """
    from mapping.compile import site_file
    from mapping.diagnostics import Diagnostics
    from mms_gateway.runtime.instance_file import Announcement, running
    from mms_gateway.runtime.preflight import state_is_known
    from mms_gateway.runtime.reload import ReloadResult, last
    from mms_gateway.sites import compiled, say

    def reload_result(found: Announcement, before: int) -> ReloadResult | None:
        """The result of the reload; None if the gateway has ended, or reports nothing in time."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and Path(found.run_dir).exists():
            result = last(Path(found.run_dir))
            if result is not None and result.number > before:
                return result
            time.sleep(POLL_S)
        return None

    folder, refused = state_dir or site_file(site).resolve().parent / "state", Diagnostics()
    if not state_is_known(folder, refused):
        say(refused.found)
        return BAD_CONFIGURATION
    result = compiled(site)
    say(result.diagnostics.found)
    if result.plan is None:
        return BAD_CONFIGURATION
    found = running(folder)
    if found is None:
        sys.stderr.write(f"mms-gateway: no gateway runs with {folder}\n")
        return FAILED
    before = last(Path(found.run_dir))
    os.kill(found.pid, signal.SIGHUP)
    done = reload_result(found, 0 if before is None else before.number)
    if done is None:
        sys.stderr.write(f"mms-gateway: the gateway (process {found.pid}) does not say that it has reloaded\n")
        return FAILED
    (sys.stdout if done.taken else sys.stderr).write("".join(f"{text}\n" for text in done.texts))
    if done.taken:
        sys.stdout.write(f"reloaded: plan {done.revision}\n")
    return OK if done.taken else BAD_CONFIGURATION


COMMAND: Final = Command("reload", reload)
