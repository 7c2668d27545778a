"""Packages of other people that hide ours: `bus`, `mapping` and the like are plain words, and a user's folder may have one.

They are looked for before anything of ours but this package is imported: a foreign package would be run, and lack a submodule.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

OURS: Final = ("acquisition", "bus", "hw_configs", "mapping", "mms_server")


def shadowed() -> str | None:
    """One line that names the foreign package and ours, for the first that is hidden; None if none is."""
    home = Path(__file__).resolve().parents[1]
    for name in OURS:
        found = _place(name)
        if found != home / name:
            hint = "rename that one, or take its folder off sys.path"
            return f"package `{name}` is {found or 'not there'}, expected {home / name}: {hint}"
    return None


def _place(name: str) -> Path | None:
    """The folder of the package `name`, or the file if it is a module; None if there is no file."""
    loaded = sys.modules.get(name)
    spec = None if loaded is not None else find_spec(name)
    origin = getattr(loaded, "__file__", None) or (None if spec is None else spec.origin)
    if origin is None:
        return None
    path = Path(origin).resolve()
    return path.parent if path.name == "__init__.py" else path
