"""A module that says it is pure is one for which the import contract checks it."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACT = "pure cores touch no socket, clock, port or log"


def test_whatever_says_that_it_is_pure_is_held_to_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = [one for one in settings["contracts"] if one["name"] == CONTRACT]
    checked = tuple(contract["source_modules"])
    claims = []
    for room in settings["root_packages"]:
        for path in sorted((ROOT / room).rglob("*.py")):
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if re.search(r"\bpure\)", said.partition("\n")[0]):
                claims.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert len(claims) > 40
    assert [one for one in claims if not any(f"{one}.".startswith(f"{name}.") for name in checked)] == []
