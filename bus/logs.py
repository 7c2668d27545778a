"""Output of an OS process of the gateway: logs on stderr with its name, facts for the supervisor on stdout.

stderr   2026-01-31T12:00:00Z info    worker.tcp     acquisition.line   line lan-1: connected
         {"process": "worker.tcp", "worker": "tcp", "line": "lan-1", "event": "line lan-1: connected", ...}     as JSON
stdout   ready {"mms": "127.0.0.1:10102"}         once, when it serves
         alive                                    every second from then on
         reloaded {"refused": null}               once for each `reload` on its stdin; or the reason why it has not

A record carries its subject as fields. They are bound once: those of the OS process by `configure`, those of an asyncio
task by `bound`. The console leaves out those that its name or the text of the message says already.
"""

import json
import logging
import sys
from contextlib import AbstractContextManager
from typing import Final, Literal

import structlog

Format = Literal["console", "json"]
ALIVE: Final = "alive"
READY: Final = "ready"
RELOADED: Final = "reloaded"
_HIDDEN: Final = ("_record", "_from_structlog", "ied", "worker", "line", "device")


def configure(process: str, form: Format = "console", level: int = logging.INFO, **subject: str) -> None:
    """Send every log record of this OS process, ours and the libraries', to stderr as one line with its name and `subject`."""

    def named(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"process": process, **subject, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        named,
    ]
    last: structlog.typing.Processor = structlog.processors.JSONRenderer() if form == "json" else _console
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def bound(**subject: object) -> AbstractContextManager[None]:
    """Context in which every record of this task, and of the tasks that it starts, carries `subject` as fields."""
    return structlog.contextvars.bound_contextvars(**subject)


def _console(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    fixed = [event.pop(key, "") for key in ("timestamp", "level", "process", "logger", "event")]
    extra = " ".join(f"{key}={_plain(value)}" for key, value in event.items() if key not in _HIDDEN)
    time, level, process, logger, text = (_plain(part) for part in fixed)
    return f"{time[:19]}Z {level:<8}{process:<14} {logger:<18} {text}{'  ' + extra if extra else ''}"


def _plain(value: object) -> str:
    """`value` on one line: what a peer sent must not write lines of its own."""
    return str(value).encode("unicode_escape").decode("ascii") if not str(value).isprintable() else str(value)


def ready(**facts: object) -> None:
    """Tell the supervisor that this OS process serves."""
    sys.stdout.write(f"{READY} {json.dumps(facts)}\n")
    sys.stdout.flush()


def reloaded(refused: str | None = None) -> None:
    """Tell the supervisor that this OS process runs by the new plan, or the reason why it does not."""
    sys.stdout.write(f"{RELOADED} {json.dumps({'refused': refused})}\n")
    sys.stdout.flush()


def alive() -> None:
    """Tell the supervisor that this OS process lives."""
    sys.stdout.write(f"{ALIVE}\n")
    sys.stdout.flush()
