"""Pages that are made from the code: written by `python -m MODULE`, compared by `python -m MODULE --check`."""

import sys
from collections.abc import Sequence
from pathlib import Path


def keep(page: Path, text: str, module: str, arguments: Sequence[str]) -> int:
    """Write `text` to `page`, or with `--check` among `arguments` compare: 1 if it differs, with a line on stderr."""
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{page.name} is out of date: python -m {module}\n")
    return 1
