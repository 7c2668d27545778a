"""The log of this OS process as a test reads it: the lines that `bus.logs` writes, in one of its formats."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bus import logs


@contextmanager
def console_log(process: str, **subject: str) -> Iterator[io.StringIO]:
    """The console lines of `process`, as they are written within the block."""
    with _log(process, "console", **subject) as text:
        yield text


@contextmanager
def json_log(process: str, **subject: str) -> Iterator[io.StringIO]:
    """The JSON lines of `process`, as they are written within the block; `objects` reads them."""
    with _log(process, "json", **subject) as text:
        yield text


def objects(text: io.StringIO, logger: str) -> list[dict[str, Any]]:
    """The objects that `logger` has written, without their time and level."""
    found = [json.loads(line) for line in text.getvalue().splitlines()]
    return [
        {key: value for key, value in one.items() if key not in ("timestamp", "level", "logger")}
        for one in found
        if one["logger"] == logger
    ]


@contextmanager
def _log(process: str, form: logs.Format, **subject: str) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, stderr = list(root.handlers), root.level, sys.stderr
    text = io.StringIO()
    try:
        sys.stderr = text
        logs.configure(process, form, logging.INFO, **subject)
        yield text
    finally:
        sys.stderr, root.handlers[:] = stderr, handlers
        root.setLevel(level)
