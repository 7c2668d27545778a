"""`mms-gateway demo`: simulated meters on real lines, the gateway, a status page; nothing to configure."""

import asyncio
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final, Literal

from mms_gateway.command import Command, Port
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.run import run_folder, run_site


def demo(
    *,
    mms_port: Port = 10102,
    http_port: Port = 8061,
    seconds: float | None = None,
    log_format: Literal["console", "json"] = "console",
) -> int:
    """Run the demonstration site: point any IEC 61850 client at the MMS port and watch the values.

    Parameters
    ----------
    mms_port
        Port of the MMS server; 0 takes a free one.
    http_port
        Port of the status page; 0 takes a free one.
    seconds
        End by itself after so long; otherwise SIGINT (Ctrl-C) ends it.
    log_format
        console for people, json for machines.
    """
    from bus import logs

    logs.configure("gateway", log_format)
    with run_folder() as folder, as_file(files("hw_configs") / "demo") as there:
        site = Path(shutil.copytree(there, folder / "demo"))
        options = RunOptions(
            mms_port=[f"DEMO={mms_port}"],
            mms_host="127.0.0.1",
            http_port=http_port,
            seconds=seconds,
            log_format=log_format,
        )
        return asyncio.run(run_site(site, options, simulate=True))


COMMAND: Final = Command("demo", demo)
