"""Citations of DECISIONS.md: every number that the code or a page cites is there, and each number is there once."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "DECISIONS.md"
ROOMS = ("acquisition", "bus", "mapping", "mms_server", "mms_gateway", "tools", "bench", "tests")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

_CITED = re.compile(r"\bD[1-9]\d{0,2}\b")
_DECIDED = re.compile(r"^\*\*(D[1-9]\d*)\. ", re.MULTILINE)
_RULE_OF_RUFF = re.compile(r"# noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*")


def citations(text: str) -> list[str]:
    """Numbers that `text` cites, in its order; rules of ruff after a `noqa` are none."""
    return _CITED.findall(_RULE_OF_RUFF.sub("", text))


def sources() -> list[Path]:
    """Every module, except this one, and every page."""
    modules = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [path for path in [*modules, *PAGES] if path != Path(__file__)]


def decided() -> list[str]:
    """The numbers of DECISIONS.md, in its order."""
    return _DECIDED.findall(PAGE.read_text(encoding="utf-8"))


def test_every_cited_decision_is_in_decisions_md() -> None:
    known = set(decided())
    unknown = [
        f"{path.relative_to(ROOT)}: {number}"
        for path in sources()
        for number in citations(path.read_text(encoding="utf-8"))
        if number not in known
    ]
    assert unknown == []


def test_each_decision_has_one_number_and_none_is_left_out() -> None:
    numbers = decided()
    assert Counter(numbers) == Counter(f"D{number}" for number in range(1, len(numbers) + 1))


@pytest.mark.parametrize("number", ["D3", "D47", "D104", "D114"])
def test_these_decisions_are_cited_from_the_code_that_they_bind(number: str) -> None:
    citing = [path for path in sources() if path.suffix == ".py" and number in citations(path.read_text("utf-8"))]
    assert citing != []


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("a part of it (D3).", ["D3"]),
        ("see D3, D64 and D999", ["D3", "D64", "D999"]),
        ("def run():  # noqa: D102", []),
        ("pass  # noqa: S101, D102 - a reason, see D63", ["D63"]),
        ("CC | LI | D0 | 0xD0 | ID3", []),
    ],
)
def test_citations_are_told_from_rules_and_octets(text: str, cited: list[str]) -> None:
    assert citations(text) == cited
