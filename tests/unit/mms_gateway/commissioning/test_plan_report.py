"""Report of `plan` on a site, the whole text: one folder of tests/cases/plan a site, over tests/cases/mapping/_common."""

import shutil
from pathlib import Path

import pytest

from mapping.diagnostics import render
from mms_gateway.commissioning.plan_report import report
from tests.support.sites import compile_folder

CASES = Path(__file__).parents[3] / "cases"
NAMES = sorted(path.parent.name for path in (CASES / "plan").rglob("site.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_tells_what_is_asked_what_it_costs_and_what_would_help(name: str, tmp_path: Path) -> None:
    for source in (CASES / "mapping" / "_common", CASES / "plan" / name):
        shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    compiled = compile_folder(tmp_path)
    assert render(compiled.diagnostics.errors) == ""
    assert report(compiled) == (CASES / "plan" / name / "expected.txt").read_text(encoding="utf-8").rstrip("\n")
