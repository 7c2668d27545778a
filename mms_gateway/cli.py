"""The command `mms-gateway`: its subcommands are the modules of mms_gateway/commands that have a `COMMAND`.

Exit codes: 0 ok, 1 failed while running, 2 bad configuration, 64 wrong usage. No traceback reaches a user.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import cyclopts

from bus.plugins import PluginError, constants
from bus.version import version
from mms_gateway import commands
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, WRONG_USAGE, Command


def build() -> cyclopts.App:
    """The application with every subcommand."""
    app = cyclopts.App(
        name="mms-gateway",
        help="An IEC 61850 MMS gateway: meters and I/O on field lines, served to SCADA with quality and time.",
        version=version,
        result_action="return_value",
    )
    for _, command in constants(commands, "COMMAND", Command):
        app.command(command.run, name=command.name)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    try:
        result: Any = build()(given, exit_on_error=False, print_error=True)
    except cyclopts.CycloptsError:
        return WRONG_USAGE
    except KeyboardInterrupt:
        return OK
    except PluginError as error:
        sys.stderr.write(f"mms-gateway: {error}\n")
        return BAD_CONFIGURATION
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        logging.getLogger("gateway").debug("unexpected", exc_info=error)
        sys.stderr.write(f"mms-gateway: unexpected {type(error).__name__}: {error}\n")
        return FAILED
    return result if isinstance(result, int) else OK
