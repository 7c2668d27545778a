"""The table of diagnostic codes: nothing else is emitted, each row has a case, and the examples bring what they show."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mapping.diagnostic_codes import CODES, COMMAND, GROUPS, SCL, Code, Severity
from mapping.diagnostics import Diagnostics, Span
from tests.support.running import ROOT
from tests.support.sites import compile_folder
from tools.diagnostics_doc import document

ROOMS = ("acquisition", "bus", "mapping", "mms_gateway", "mms_server")
CASES = ROOT / "tests" / "cases"
EMITTING = {"error", "warning", "add_note", "warn", "_say", "_refuse", "BindingError", "_PlacedBindingError", "Miss"}
"""Functions and exceptions that take a code among their first two arguments."""

NO_FRAGMENT = {"file-not-utf8", "file-too-large", "unknown-unit"}
"""Codes whose example stands for octets, for size, or for two files: their cases are elsewhere."""

SPOKEN = [one for one in CODES.values() if one.file not in (SCL, COMMAND) and one.name not in NO_FRAGMENT]


def calls(text: str) -> Iterator[tuple[str, str]]:
    """Each call that may emit, with the strings among its first two arguments that look like a code."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for one in node.args[:2]:
                if isinstance(one, ast.Constant) and re.fullmatch(r"[a-z][a-z0-9-]+", str(one.value)):
                    yield name, str(one.value)


def emitted() -> set[str]:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found = [pair for path in sources for pair in calls(path.read_text(encoding="utf-8"))]
    return {code for name, code in found if name in EMITTING}


def quoted_in_tests() -> set[str]:
    """Codes that a test compares with: `error[code]` of a text, or a string of its own (a single word may be anything)."""
    found: set[str] = set()
    for path in CASES.rglob("expected.txt"):
        found |= set(re.findall(r"(?:error|warning|note)\[([a-z0-9-]+)\]", path.read_text(encoding="utf-8")))
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path != Path(__file__):
            found |= set(re.findall(r"(?:error|warning|note)\[([a-z0-9-]+)\]", path.read_text(encoding="utf-8")))
            found |= set(re.findall(r"\"([a-z0-9]+-[a-z0-9-]+)\"", path.read_text(encoding="utf-8")))
    return found


def laid_over(there: Any, more: Any) -> Any:
    if isinstance(there, dict) and isinstance(more, dict):
        return there | {key: laid_over(there.get(key), value) for key, value in more.items()}
    return more


def codes_of(folder: Path, file: str, text: str) -> set[str]:
    shutil.copytree(CASES / "mapping" / "_common", folder)
    (folder / file).write_text(text, encoding="utf-8")
    return {one.code for one in compile_folder(folder).diagnostics.found}


def brought_by(code: Code, folder: Path) -> set[str]:
    """The codes that an example brings: as the whole of its file, and laid over the file of a sound site."""
    found = codes_of(folder / "whole", code.file, code.example)
    try:
        fragment = yaml.safe_load(code.example)
    except (yaml.YAMLError, TypeError):
        return found
    sound = yaml.safe_load((CASES / "mapping" / "_common" / code.file).read_text(encoding="utf-8"))
    return found | codes_of(folder / "over", code.file, yaml.safe_dump(laid_over(sound, fragment), sort_keys=False))


def test_what_the_rooms_emit_is_what_the_table_has() -> None:
    assert emitted() == set(CODES)


def test_every_code_of_the_table_is_in_a_case() -> None:
    assert set(CODES) - quoted_in_tests() == set()


def test_a_code_that_the_table_lacks_cannot_be_emitted() -> None:
    with pytest.raises(LookupError, match=r"^error\[unknown-kee\] is not in mapping/diagnostic_codes\.py$"):
        Diagnostics().error("unknown-kee", Span("a"), "unknown")


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_code_has_the_severities_of_the_table_and_no_other(code: Code) -> None:
    emits = (
        (Severity.ERROR, Diagnostics.error),
        (Severity.WARNING, Diagnostics.warning),
        (Severity.NOTE, Diagnostics.add_note),
    )
    for severity, emit in emits:
        found = Diagnostics()
        if severity in code.severities:
            emit(found, code.name, Span("a"), "said")
            assert [(one.code, one.severity) for one in found] == [(code.name, severity)]
        else:
            with pytest.raises(LookupError):
                emit(found, code.name, Span("a"), "said")
            assert found.found == []


def test_only_a_device_that_is_not_there_has_two_severities() -> None:
    assert [one.name for one in CODES.values() if len(one.severities) > 1] == ["unknown-device"]


@pytest.mark.parametrize("code", SPOKEN, ids=[one.name for one in SPOKEN])
def test_an_example_brings_its_finding(code: Code, tmp_path: Path) -> None:
    assert code.name in brought_by(code, tmp_path)


@pytest.mark.parametrize("codes", GROUPS.values(), ids=GROUPS)
def test_a_group_is_sorted_and_its_sentences_are_whole(codes: tuple[Code, ...]) -> None:
    names = [one.name for one in codes]
    assert names == sorted(names)
    for one in codes:
        assert one.meaning.endswith(".")
        assert one.cure.endswith(".")


def test_no_code_is_in_two_groups() -> None:
    assert len(CODES) == sum(len(group) for group in GROUPS.values())


def test_the_page_has_an_entry_for_each_code_with_severity_example_and_cure() -> None:
    page = document()
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == list(CODES)
    assert (
        "### unknown-key\n\n*error*. The format has no key of this name.\n\n```yaml\n# site.yaml\n"
        "devices: {io: {retrys: 2}}\n```\n\nWrite the key as mapping/FORMAT.md has it, here `retries`.\n"
    ) in page
    assert "### unknown-device\n\n*error or warning*." in page
