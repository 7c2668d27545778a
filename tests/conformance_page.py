"""docs/conformance.md: each row of the conformance list with the tests that prove it, from their marks.

python -m tests.conformance_page [--check]
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conformance_rows import ROWS
from tools.pages import keep

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "conformance.md"
HEAD = """# What is proved

Generated from the marks of the tests by `python -m tests.conformance_page`; do not edit. Each row is a behaviour that a client
may rely on; a row without a test is not there yet.
"""


def marks(path: Path) -> Iterator[tuple[str, str]]:
    """Row and name of each test in `path` that is marked with it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.conformance":
                for argument in decorator.args:
                    yield ast.literal_eval(argument), node.name


def proofs() -> dict[str, list[str]]:
    """The tests of each row."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for row, name in marks(path):
            found[row].append(f"`{path.relative_to(ROOT / 'tests')}` {name.removeprefix('test_').replace('_', ' ')}")
    return found


def document() -> str:
    """The page. Raises KeyError for a mark that no row has."""
    found = proofs()
    known = {row for rows in ROWS.values() for row in rows}
    unknown = sorted(found.keys() - known)
    if unknown:
        raise KeyError(f"no such rows: {', '.join(unknown)}")
    parts = [HEAD]
    for title, rows in ROWS.items():
        parts.append(f"## {title}\n\n| row | what is owed | proved by |\n|---|---|---|")
        parts += [f"| {row} | {owed} | {'<br>'.join(sorted(found[row])) or '-'} |" for row, owed in rows.items()]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(keep(PAGE, document(), "tests.conformance_page", sys.argv[1:]))
