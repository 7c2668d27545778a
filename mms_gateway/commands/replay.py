"""`mms-gateway replay FILE`: a recorded line, on a port of this host."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import yaml

from acquisition.simulate.playback import Playback, parse
from acquisition.simulate.replay import Replay
from bus.endpoint import Endpoint
from mms_gateway.command import BAD_CONFIGURATION, OK, Command
from mms_gateway.commissioning.exit_codes import said
from mms_gateway.runtime.run import StopRequest


def replay(file: Path, /, *, port: int = 0, out: Path | None = None, seconds: float | None = None) -> int:
    """Answer as a recorded line did: each request that occurs in the recording gets its answers, in order and as late.

    Parameters
    ----------
    file
        What `record` has written.
    port
        Port of a line that was a connection; a free one by default.
    out
        Write where the line is, for `run SITE --lines` and the commands that take it.
    seconds
        End by itself after so long; otherwise SIGINT (Ctrl-C) ends it.
    """
    try:
        with file.open(encoding="ascii", errors="replace") as lines:
            playback = parse(lines)
        return asyncio.run(_replay(playback, port, out, seconds))
    except OSError as error:
        return said(f"{error.filename or file}: {(error.strerror or str(error)).lower()}", BAD_CONFIGURATION)
    except ValueError as error:
        return said(f"{file}: {error}", BAD_CONFIGURATION)


async def _replay(playback: Playback, port: int, out: Path | None, seconds: float | None) -> int:
    stop = StopRequest(seconds)
    served = Replay(playback, port)
    where = await served.start()
    try:
        if out is not None:
            out.write_text(yaml.safe_dump({"lines": {playback.line: where}}), encoding="utf-8")
        endpoint = str(Endpoint(where["host"], where["port"])) if "host" in where else where["port"]
        sys.stdout.write(f"line {playback.line} at {endpoint}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await served.stop()
    return OK


COMMAND: Final = Command("replay", replay)
