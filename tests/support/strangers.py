"""Strangers: tools and clients that are not ours. A missing one skips on a laptop and fails in CI."""

import importlib
import os
import shutil
from types import ModuleType

import pytest


def missing(what: str) -> None:
    """Skip on a laptop, fail in CI: `what` is not there."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is missing")


def module(name: str) -> ModuleType:
    """The module `name` of a client from elsewhere."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(name)
        raise


def program(name: str) -> str:
    """The path of the program `name`."""
    path = shutil.which(name)
    if path is None:
        missing(name)
    return path or ""
