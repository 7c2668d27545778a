"""The folder of what survives a restart: made before anything starts, or said to be of no use."""

import os
from pathlib import Path

from mapping.diagnostics import Diagnostics, Span


def make(folder: Path, found: Diagnostics) -> None:
    """Make `folder` unless it is there; an error in `found` if that, or writing there, is not to be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _say(folder, (error.strerror or str(error)).lower(), found)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        _say(folder, "permission denied", found)


def _say(folder: Path, reason: str, found: Diagnostics) -> None:
    hint = "`--state-dir DIR` names another"
    found.error("state", Span(str(folder)), f"the state folder cannot be used: {reason}", hint=hint)
