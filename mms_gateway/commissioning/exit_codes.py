"""Exit codes of commands by hand: a line that is lost, or an unknown name, is one line on stderr."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from acquisition.transport.errors import NoConnectionError
from mms_gateway.command import BAD_CONFIGURATION, FAILED, WRONG_USAGE
from mms_gateway.commissioning.explain.name_lookup import NotThereError


class UsageError(Exception):
    """The words do not fit together; the text says what would."""


def carried_out(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of `work`: its own, 1 for a line that is lost, 2 for what is not there, 64 for wrong words."""
    try:
        return asyncio.run(work)
    except NoConnectionError as error:
        return said(str(error), FAILED)
    except NotThereError as error:
        return said(str(error), BAD_CONFIGURATION)
    except UsageError as error:
        return said(str(error), WRONG_USAGE)


def said(text: str, code: int) -> int:
    """Say `text` on stderr; `code`."""
    sys.stderr.write(f"mms-gateway: {text}\n")
    return code
