"""`mms-gateway run SITE`: the gateway in the foreground."""

import asyncio
import sys
from pathlib import Path
from typing import Final, Literal

from gateway.cli import WRONG_USAGE, Command
from gateway.running import RunOptions, run_site


def run(
    site: Path,
    /,
    *,
    mms_port: list[str] | None = None,
    mms_host: str | None = None,
    http_port: int | None = None,
    http_host: str = "127.0.0.1",
    state_dir: Path | None = None,
    lines: Path | None = None,
    seconds: float | None = None,
    log_format: Literal["console", "json"] = "console",
) -> int:
    """Run a site: acquisition, MMS servers and, with --http-port, the status page, until SIGINT or SIGTERM.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    mms_port
        IED=PORT instead of the site's; 0 takes a free port. May be given for each IED.
    mms_host
        Address of every MMS server instead of the site's: 127.0.0.1 on a bench. Servers that speak TLS keep theirs.
    http_port
        Port of the status page; without it there is none.
    http_host
        Address of the status page.
    state_dir
        Folder for what survives a restart; state/ beside site.yaml by default.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    seconds
        End by itself after so long.
    log_format
        console for people, json for machines.
    """
    from bus import logs

    ports: dict[str, int] = {}
    for given in mms_port or ():
        ied, equals, port = given.partition("=")
        if not equals or not port.isdecimal() or int(port) > 65535:
            sys.stderr.write(f"mms-gateway: --mms-port takes IED=PORT, not `{given}`\n")
            return WRONG_USAGE
        ports[ied] = int(port)
    logs.configure("gateway", log_format)
    http = None if http_port is None else (http_host, http_port)
    options = RunOptions(ports, http, state_dir, seconds, lines, mms_host=mms_host, log_format=log_format)
    return asyncio.run(run_site(site, options))


COMMAND: Final = Command("run", run)
