"""docs/diagnostics.md: the table of diagnostic codes, generated from it; `--check` says if it is out of date."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mapping.diagnostic_codes import GROUPS, SCL, Code
from tools.pages import keep

PATH: Final = Path(__file__).parents[1] / "docs" / "diagnostics.md"
_HEAD: Final = """# Diagnostics

Generated from `mapping/diagnostic_codes.py` by `python -m tools.diagnostics_doc`; do not edit. A finding is printed as
`file:line:column: severity[code]: message`, with the line, a note and a hint. An *error* prevents running. A *warning* leaves
its part out, or says what it costs; `check --strict` makes warnings errors. A *note* is printed by `check`
alone. Codes are not renamed: a filter may name them.
`mms-gateway check --explain CODE` prints one entry of this page.
"""


def document() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_groups()])


def _groups() -> Iterator[str]:
    for title, codes in GROUPS.items():
        yield f"## {title}\n"
        for code in codes:
            yield from _entry(code)


def _entry(code: Code) -> Iterator[str]:
    yield f"### {code.name}\n"
    yield f"*{' or '.join(one.value for one in code.severities)}*. {code.meaning}\n"
    yield f"```{_language(code)}\n{_where(code)}\n{code.example}\n```\n"
    yield f"{code.cure}\n"


def _language(code: Code) -> str:
    return "xml" if code.file == SCL else "yaml" if code.file.endswith(".yaml") else "sh"


def _where(code: Code) -> str:
    return f"<!-- {code.file} -->" if code.file == SCL else f"# {code.file}"


if __name__ == "__main__":
    sys.exit(keep(PATH, document(), "tools.diagnostics_doc", sys.argv[1:]))
