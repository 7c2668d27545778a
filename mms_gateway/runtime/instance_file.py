"""`gateway.json` in the state folder: where a running gateway can be found, for the commands that look at it.

It is locked for as long as that gateway lives, so a file that a crash has left behind is known for what it is (D47).
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "gateway.json"

log = logging.getLogger("gateway")


class Announcement(msgspec.Struct, frozen=True):
    """Addresses and folders of a running gateway: paths are absolute, addresses `host:port`."""

    pid: int
    run_dir: str
    plan_file: str
    mms: dict[str, str]  # by IED
    http: str | None = None


@contextmanager
def announced(state_dir: Path, found: Announcement) -> Iterator[None]:
    """Keep the announcement while the block runs; where it cannot be written the gateway runs without, and says so."""
    path = state_dir / FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        log.warning("%s cannot be written: %s; `watch` and `explain` will not find this gateway", path, error.strerror)
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        log.warning("another gateway uses %s: `watch` and `explain` will find that one", state_dir)
        yield
        return
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, msgspec.json.encode(found))
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def running(state_dir: Path) -> Announcement | None:
    """The gateway that runs with this state folder; None if none does."""
    try:
        descriptor = os.open(state_dir / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked: it lives
        try:
            return msgspec.json.decode(os.read(descriptor, 1 << 20), type=Announcement)
        except msgspec.MsgspecError:
            return None  # it is about to be written
    finally:
        os.close(descriptor)
    return None
