"""`mms-gateway plan SITE`: what will be asked, and what it costs; nothing is sent."""

import sys
from json import dumps
from pathlib import Path
from typing import Final

from acquisition.polling import refused_registers
from mapping.compile import Compiled, site_file
from mapping.diagnostics import findings
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command
from mms_gateway.commissioning.plan_report import COLUMNS, report, rows
from mms_gateway.sites import compiled, measured_of, say


def plan(site: Path, /, *, state_dir: Path | None = None, json: bool = False) -> int:
    """Print requests, milliseconds and load of every line, and what devices have refused; nothing is sent.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    state_dir
        Where a run remembers what devices refuse and how long they think; by default `state` beside the site.
    json
        Print one object: `columns`, `rows` with a request of a line each (times in ms), `findings`.
    """
    result = compiled(site, measured=measured_of(site, state_dir))
    if json:
        sys.stdout.write(_json(result) + "\n")
        return BAD_CONFIGURATION if result.diagnostics.errors else OK
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


def _json(result: Compiled) -> str:
    requests = [] if result.diagnostics.errors else rows(result)
    return dumps({"columns": COLUMNS, "rows": requests, "findings": findings(result.diagnostics)}, indent=2)


COMMAND: Final = Command("plan", plan)
