"""The packages that the library needs beside it. Another `bus` or `mapping` on sys.path hides them: then it says so."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

BESIDE: Final = ("bus", "mapping")


def require() -> None:
    """Raise ImportError, with both paths in one line, if a package that the library needs is somebody else's."""
    home = Path(__file__).resolve().parents[1]
    for name in BESIDE:
        spec = find_spec(name)
        ours = home / name / "__init__.py"
        if spec is None or spec.origin is None or Path(spec.origin).resolve() != ours:
            found = "not there" if spec is None else spec.origin or spec.submodule_search_locations
            raise ImportError(f"package `{name}` is {found}, but mms_server needs {ours}", name=name)
