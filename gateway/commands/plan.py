"""`mms-gateway plan SITE`: what will be asked, and what it costs; nothing is sent."""

import sys
from pathlib import Path
from typing import Final

from gateway.cli import BAD_CONFIGURATION, OK, Command
from gateway.sites import compiled, say
from mapping.report import report


def plan(site: Path, /) -> int:
    """Print requests, milliseconds and load of every line; nothing is sent.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    """
    result = compiled(site)
    say(result.diagnostics.found)
    if result.diagnostics.errors:
        return BAD_CONFIGURATION
    sys.stdout.write(report(result) + "\n")
    return OK


COMMAND: Final = Command("plan", plan)
