"""`mms-gateway serve SCL`: the embedded server alone: one SCL file, no field, no mapping."""

from pathlib import Path
from typing import Annotated, Final

import cyclopts

from mms_gateway.command import Command
from mms_gateway.runtime.options import ServeOptions

DEFAULTS: Final = ServeOptions()


def serve(scl: Path, /, *, options: Annotated[ServeOptions, cyclopts.Parameter(name="*")] = DEFAULTS) -> int:
    """Serve any SCL file: values start as the file has them.

    Parameters
    ----------
    scl
        An ICD, CID, SCD or IID file.
    """
    from bus import logs
    from mms_gateway.runtime.serve import run

    logs.configure("serve", options.log_format)
    return run(scl, options)


COMMAND: Final = Command("serve", serve)
