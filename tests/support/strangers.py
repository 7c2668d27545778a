"""Strangers: tools and clients that are not ours. A missing one skips on a laptop and fails in CI."""

import importlib
import os
import shutil
from types import ModuleType

import pytest


def _missing(what: str) -> None:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is missing")


def module(name: str) -> ModuleType:
    """The module `name` of a client from elsewhere."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing(name)
        raise


def program(name: str) -> str:
    """The path of the program `name`."""
    path = shutil.which(name)
    if path is None:
        _missing(name)
    return path or ""
