"""One folder, one mistake: the whole text of `check` (tests/cases/mapping).

A folder holds the files that differ from `_common`, and `expected.txt`.
"""

import shutil
from pathlib import Path

import pytest

from mapping.diagnostics import render
from tests.support.sites import compile_folder

CASES = Path(__file__).parents[2] / "cases" / "mapping"
NAMES = sorted(str(path.parent.relative_to(CASES)) for path in CASES.rglob("expected.txt"))


def said(name: str, folder: Path) -> str:
    for source in (CASES / "_common", CASES / name):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return render(compile_folder(folder).diagnostics.found).replace(f"{folder}/", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_told_at_its_place_with_what_would_help(name: str, tmp_path: Path) -> None:
    assert said(name, tmp_path) == (CASES / name / "expected.txt").read_text(encoding="utf-8").rstrip("\n")


def test_the_files_that_the_cases_spoil_are_sound(tmp_path: Path) -> None:
    shutil.copytree(CASES / "_common", tmp_path, dirs_exist_ok=True)
    assert render(compile_folder(tmp_path).diagnostics.found) == ""
