"""One IED's process: `python -m mms_server --plan P --ied NAME --run-dir DIR`."""

import argparse
import asyncio
import gc
import logging
import sys
from pathlib import Path

from bus import logs, processes, state_schema
from mms_server.network.event_loop import loop_factory


def main() -> int:
    """Serve one IED until told to end. Exit codes: 0 ok, 1 failed, 2 the configuration does not do."""
    parser = argparse.ArgumentParser(prog="mms_server", description="the MMS server of one IED of a site")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--ied", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--scl", type=Path, help="a copy of the SCL file that the plan was compiled with")
    parser.add_argument("--listen", help="host:port instead of the plan's")
    parser.add_argument("--state-dir", type=Path, help="folder for what survives a restart; nothing does without it")
    parser.add_argument("--peer", help="host:port of the standby that takes a copy of what is kept")
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    given = parser.parse_args()
    logs.configure(f"mms.{given.ied}", given.log_format, ied=given.ied)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(given))


async def _serve(given: argparse.Namespace) -> int:
    import hashlib

    import msgspec

    from bus.endpoint import Endpoint
    from mapping import plan as plans
    from mapping.diagnostics import MappingError
    from mms_server.field.gateway_server import GatewayServer
    from mms_server.network.tls import TlsPort

    log = logging.getLogger("mms")
    try:
        plan = plans.load(given.plan)
        ied = plan.ied(given.ied)
        scl = given.scl or Path(ied.scl)
        if hashlib.sha256(scl.read_bytes()).hexdigest() != ied.scl_sha256:
            log.error("%s is not the file that the plan was compiled with: start `run` again", scl)
            return 2
        if given.state_dir is not None:
            state_schema.check(given.state_dir)
        peer = None if given.peer is None else Endpoint.parse(given.peer)
        server = GatewayServer(plan, ied, scl, given.run_dir, given.state_dir, peer)
        tls = ied.security.tls
        listen = Endpoint.parse_listen(given.listen or ied.listen)
        addresses: dict[str, str] = {}
        if listen is not None:
            addresses["mms"] = str(listen.at(await server.start(listen.host, listen.port)))
        if tls is not None:
            listen = Endpoint.parse(tls.listen)
            secured = TlsPort(tls.cert, tls.key, tls.ca, tls.crl, tls.peers)
            addresses["tls"] = str(listen.at(await server.start(listen.host, listen.port, secured)))
    except (OSError, ValueError, KeyError, MappingError, msgspec.MsgspecError) as error:
        log.error("cannot serve %s: %s", given.ied, error)
        return 2
    gc.collect()
    gc.freeze()  # the model stays as long as the process: no collection looks at it again

    async def reload() -> None:
        try:
            await server.reload(plans.load(given.plan))
        except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
            logs.reloaded(str(error))
        else:
            logs.reloaded()

    await processes.until_stopped(lambda: logs.ready(ied=given.ied, **addresses), reload)
    await server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
