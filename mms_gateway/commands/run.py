"""`mms-gateway run SITE`: the gateway in the foreground."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final

import cyclopts

from mms_gateway.command import WRONG_USAGE, Command
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.run import run_site

DEFAULTS: Final = RunOptions()


def run(site: Path, /, *, options: Annotated[RunOptions, cyclopts.Parameter(name="*")] = DEFAULTS) -> int:
    """Run a site: acquisition, MMS servers and, with --http-port, the status page, until SIGINT or SIGTERM.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    """
    from bus import logs

    try:
        options.check()
    except ValueError as error:
        sys.stderr.write(f"mms-gateway: {error}\n")
        return WRONG_USAGE
    logs.configure("gateway", options.log_format)
    return asyncio.run(run_site(site, options))


COMMAND: Final = Command("run", run)
