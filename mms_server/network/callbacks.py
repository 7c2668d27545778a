"""Calls of the embedding program's callbacks (shell): they run on threads or on the loop, and may fail."""

import asyncio
import inspect
import logging
from typing import cast

from mms_server.acsi.access_callbacks import Call, Verdict

log = logging.getLogger("mms.association")


async def verdict_of(call: Call) -> Verdict:
    """The verdict of one callback; if it raises, access is denied and the traceback is logged."""
    try:
        if inspect.iscoroutinefunction(call.callback):
            return cast("Verdict", await call.callback(*call.arguments))
        said = await asyncio.to_thread(call.callback, *call.arguments)
        return await said if inspect.isawaitable(said) else said
    except Exception:  # the entry point of somebody else's code
        log.exception("the callback %r failed: access denied", call.callback)
        return False
