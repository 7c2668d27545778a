"""Diagnostics as an engineer reads them: the whole text, the excerpt and the caret."""

import json
from pathlib import Path

import pytest

from mapping.diagnostics import Diagnostics, MappingError, Span, did_you_mean, render, to_json


def test_a_finding_shows_its_line_with_a_caret_under_the_word(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text("points:\n  LD0/MMXU1.TotWatt: feeder1.total\n")
    found = Diagnostics()
    found.error(
        "unknown-reference",
        Span(str(file), 2, 13, 7),
        "no data object `TotWatt`",
        hint=did_you_mean(["TotW", "TotVA"]),
    )
    assert render(found) == (
        f"{file}:2:13: error[unknown-reference]: no data object `TotWatt`\n"
        "    2 |   LD0/MMXU1.TotWatt: feeder1.total\n"
        "      |             ^^^^^^^\n"
        "  hint: did you mean `TotW` or `TotVA`?"
    )


def test_a_file_that_cannot_be_read_is_named_without_an_excerpt() -> None:
    found = Diagnostics()
    found.error("no-file", Span("nowhere/site.yaml"), "no such file")
    assert render(found) == "nowhere/site.yaml:1:1: error[no-file]: no such file"


def test_a_long_line_is_cut_around_the_caret(tmp_path: Path) -> None:
    file = tmp_path / "model.icd"
    file.write_text("x" * 5000 + "HERE" + "y" * 5000)
    found = Diagnostics()
    found.warning("scl-bad-value", Span(str(file), 1, 5001, 4), "odd")
    excerpt, caret = render(found).splitlines()[1:3]
    assert excerpt[caret.index("^") : caret.index("^") + 4] == "HERE"
    assert len(excerpt) < 140


def test_the_first_fifty_are_shown_and_the_others_counted() -> None:
    found = Diagnostics()
    for number in range(60):
        found.error("bad-value", Span("a", number + 1), "again")
    assert render(found).splitlines()[-1] == "... and 10 more"


def test_warnings_alone_raise_nothing_and_errors_raise_with_all_findings() -> None:
    found = Diagnostics()
    found.warning("unfed", Span("a"), "careful")
    found.raise_errors()
    found.error("bad-value", Span("a"), "wrong")
    with pytest.raises(MappingError) as raised:
        found.raise_errors()
    assert [finding.code for finding in raised.value.diagnostics] == ["unfed", "bad-value"]


def test_json_carries_every_field_of_a_finding() -> None:
    found = Diagnostics()
    found.error("bad-value", Span("a", 3, 4, 5), "wrong", notes=["seen here"], hint="do that")
    assert json.loads(to_json(found)) == [
        {
            "severity": "error", "code": "bad-value", "file": "a", "line": 3, "column": 4, "length": 5,
            "message": "wrong", "notes": ["seen here"], "hint": "do that",
        }
    ]  # fmt: skip
