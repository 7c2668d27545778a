"""docs/api.md: the library's reference, generated from its docstrings; `--check` says if it is out of date."""

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

import mms_server
from tools.pages import keep

PATH: Final = Path(__file__).parents[1] / "docs" / "api.md"
_HEAD: Final = """# The library, name by name

Generated from the docstrings of `mms_server` by `python -m tools.api_doc`; do not edit. [library.md](library.md) has
the same by example.
"""


def document() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name in sorted(mms_server.__all__, key=str.lower):
        parts += _entry(name, getattr(mms_server, name))
    return "\n".join(parts) + "\n"


def _entry(name: str, what: object) -> Iterator[str]:
    yield f"## {name}\n"
    if not inspect.isclass(what):
        yield "An opaque number that stands for a reference; hashable.\n"
        return
    yield f"{inspect.getdoc(what)}\n"
    if issubclass(what, Enum):
        yield ", ".join(f"`{member.name}` {member.value}" for member in what) + "\n"
        return
    if dataclasses.is_dataclass(what):
        fields = [field for field in dataclasses.fields(what) if field.init and field.repr and not field.metadata]
        yield "\n".join(f"- `{field.name}: {_plain(field.type)}`" for field in fields) + "\n"
    for own, member in vars(what).items():
        if own.startswith("_") or inspect.getdoc(member) is None:
            continue
        if isinstance(member, property):
            yield f"### `{own}`\n\n{inspect.getdoc(member)}\n"
        elif isinstance(member, classmethod):
            yield f"### `{name}.{own}{_signature(member.__func__)}`\n\n{inspect.getdoc(member)}\n"
        elif inspect.isfunction(member):
            yield f"### `{own}{_signature(member)}`\n\n{inspect.getdoc(member)}\n"


def _signature(function: object) -> str:
    assert callable(function)  # noqa: S101 - a method
    parts: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts and not any(one[:1] == "*" for one in parts):
            parts.append("*")
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{star}{parameter.name}: {_plain(parameter.annotation)}{default}")
    return f"({', '.join(parts)})"


def _plain(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+", "", text)


if __name__ == "__main__":
    sys.exit(keep(PATH, document(), "tools.api_doc", sys.argv[1:]))
