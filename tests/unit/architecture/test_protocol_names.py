"""The names of protocols stand with their drivers: nothing else asks for a line by its protocol's name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acquisition.drivers.registry import by_protocol

ROOT = Path(__file__).parents[3]
ROOMS = ("acquisition", "bus", "mapping", "mms_gateway", "mms_server", "tools")
EXAMPLES_FOR_PEOPLE = {
    "mapping/diagnostic_codes.py",  # files that bring a finding
    "mms_gateway/commissioning/line_url.py",  # what a wrong URL of a line is answered with
}
NAME = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in [*by_protocol(), "modbus"]))
WORDS = {"simulated", "modbus"}  # names that are words as well: only alone they are one


def sources() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not path.is_relative_to(ROOT / "acquisition" / "drivers"):
                yield path


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Every text constant but for docstrings, with its line."""
    tree = ast.parse(source)
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def names_in(source: str) -> list[tuple[int, str]]:
    """The names of protocols among the texts of `source`, with their lines."""
    return [
        (line, match[0])
        for line, text in texts(source)
        for match in NAME.finditer(text)
        if match[0] not in WORDS or text == match[0]
    ]


def test_no_source_outside_the_drivers_names_a_protocol() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sources()
        if (names := names_in(path.read_text(encoding="utf-8")))
    }
    assert found.keys() == EXAMPLES_FOR_PEOPLE, found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('if line.protocol == "modbus-rtu":\n    pass\n', [(1, "modbus-rtu")]),
        ('x = 1\ny = line.protocol.startswith("modbus")\n', [(2, "modbus")]),
        ('TABLE = {"tcp-ascii": 1, "simulated": 2}\n', [(1, "tcp-ascii"), (1, "simulated")]),
        ('"""A line of modbus-rtu."""\n', []),
        ('text = "its devices are simulated, as on other-modbus-rtu"\n', []),
    ],
)
def test_a_name_is_found_and_a_word_is_none(source: str, expected: list[tuple[int, str]]) -> None:
    assert names_in(source) == expected
