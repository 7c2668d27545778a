"""`mms-gateway plan SITE`: what will be asked, and what it costs; nothing is sent."""

import sys
from pathlib import Path
from typing import Final

from acquisition.polling import refused_registers
from mapping.compile import site_file
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command
from mms_gateway.commissioning.plan_report import report
from mms_gateway.sites import compiled, measured_of, say


def plan(site: Path, /, *, state_dir: Path | None = None) -> int:
    """Print requests, milliseconds and load of every line, and what devices have refused; nothing is sent.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    state_dir
        Where a run remembers what devices refuse and how long they think; by default `state` beside the site.
    """
    result = compiled(site, measured=measured_of(site, state_dir))
    say(result.diagnostics.found)
    if result.diagnostics.errors:
        return BAD_CONFIGURATION
    sys.stdout.write(report(result) + "\n")
    try:
        refused = refused_registers.report(state_dir or site_file(site).parent / "state")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"mms-gateway: what devices have refused cannot be told: {error}\n")
        return FAILED
    if refused:
        sys.stdout.write(f"\n{refused}\n")
    return OK


COMMAND: Final = Command("plan", plan)
