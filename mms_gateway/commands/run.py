"""`mms-gateway run SITE`: the gateway in the foreground."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import cyclopts

from bus.endpoint import Endpoint
from mms_gateway.command import WRONG_USAGE, Command, Port
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.run import run_site
from mms_server.redundancy.standby import TAKEOVER_AFTER_S, PairOptions

LEAST_SILENCE_S: Final = 1.0  # two words of the other one


def run(
    site: Path,
    /,
    *,
    mms_port: Annotated[list[str] | None, cyclopts.Parameter(negative=())] = None,
    mms_host: str | None = None,
    http_port: Port | None = None,
    http_host: str = "127.0.0.1",
    state_dir: Path | None = None,
    lines: Path | None = None,
    peer: str | None = None,
    peer_listen: str | None = None,
    standby: bool = False,
    takeover_after: float = TAKEOVER_AFTER_S,
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
    peer
        HOST:PORT where the other gateway of a pair listens; of the two one serves, the other one takes over.
    peer_listen
        HOST:PORT where this one listens for the other. Both belong on a private network.
    standby
        Never begin alone: wait until the other one has been heard to serve.
    takeover_after
        Seconds of silence after which the other one counts as gone.
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
    try:
        pair = _pair(peer, peer_listen, standby, takeover_after)
    except ValueError as error:
        sys.stderr.write(f"mms-gateway: {error}\n")
        return WRONG_USAGE
    logs.configure("gateway", log_format)
    http = None if http_port is None else Endpoint(http_host, http_port)
    options = RunOptions(ports, http, state_dir, seconds, lines, mms_host=mms_host, log_format=log_format, pair=pair)
    return asyncio.run(run_site(site, options))


def _pair(peer: str | None, listen: str | None, standby: bool, takeover_after: float) -> PairOptions | None:
    """What the options say of a pair. Raises ValueError."""
    if peer is None and listen is None and not standby:
        return None
    if peer is None or listen is None:
        raise ValueError("a pair needs --peer and --peer-listen, both")
    there, here = Endpoint.parse(peer), Endpoint.parse(listen)
    for option, address in (("--peer", there), ("--peer-listen", here)):
        if address.port == 0:
            raise ValueError(f"{option} takes HOST:PORT with the port that the other one knows, not 0")
    if takeover_after < LEAST_SILENCE_S:
        raise ValueError(f"--takeover-after takes at least {LEAST_SILENCE_S:g} s, not {takeover_after:g}")
    return PairOptions(there, here, not standby, takeover_after)


COMMAND: Final = Command("run", run)
