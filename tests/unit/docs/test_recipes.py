"""The recipes of CONTRIBUTING.md for a driver and a service, followed in a copy of the checkout: their code blocks are whole.

    python file=PATH            a new file
    text file=PATH row=NAME     a row, put in front of the others of the table NAME

A recipe that is followed gives a driver or a service of which the contract suite finds nothing to say.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.sites import FAR_MAP, far_site, write_site

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = ("acquisition", "bus", "hw_configs", "mapping", "mms_gateway", "mms_server", "tests/contract", "tests/support")
FILES = ("pyproject.toml", "tests/__init__.py", "tests/conftest.py", "tests/fuzz/__init__.py", "tests/fuzz/mutation.py")


class Block(NamedTuple):
    """A code block of a recipe: the text of a file, or a row of the table `row` in it."""

    file: str
    row: str
    text: str


def blocks(recipe: str) -> list[Block]:
    """The code blocks of one recipe that name a file."""
    (section,) = re.findall(rf"^## {recipe}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```(?:python|text) file=(\S+)(?: row=(\S+))?\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [Block(*one) for one in found]


def _with_row(path: Path, table: str, row: str) -> str:
    """The text of the file with `row` in front of the rows of `table`, which is there once."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [number for number, line in enumerate(lines) if re.match(rf"{table}\b.* = .*[{{(]$", line)]
    return "".join([*lines[: at + 1], row, *lines[at + 1 :]])


class Checkout:
    """A copy of the packages and of the contract suites, in which a recipe is followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    def follow(self, steps: list[Block]) -> None:
        """Do what the blocks say."""
        for file, row, text in steps:
            path = self.folder / file
            assert path.exists() is bool(row), file
            path.write_text(_with_row(path, row, text) if row else text, encoding="utf-8")

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python WORDS` that sees the copy, and not this checkout."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def suite(self, file: str, name: str) -> subprocess.CompletedProcess[str]:
        """The tests of a contract suite that are about the plug-in `name`, or about all of them at once."""
        chosen = ("-k", f"{name} or every_driver_of_ours or every_service_has or no_two or registry")
        return self.python("-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:randomly", file, *chosen)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "copy")


def test_the_driver_of_the_recipe_is_known_to_check_and_plan_and_passes_the_contract_suite(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.follow(blocks("Add a driver"))
    done = checkout.suite("tests/contract/test_drivers.py", "text-registers")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "TestEveryDeviceSide::test_it_answers_what_the_master_side_asks[text-registers]",
        "test_what_the_master_side_writes_the_device_has_taken[text-registers]",
        "TestEveryDriver::test_it_finds_its_answer_in_one_piece[text-registers]",
        "test_every_driver_of_ours_has_its_example",
    ):
        assert f"{name} PASSED" in done.stdout
    site = tmp_path / "site"
    site.mkdir()
    write_site(site, FAR_MAP, far_site("text-registers"))
    done = checkout.python("-m", "mms_gateway", "check", str(site))
    assert (done.returncode, done.stderr) == (0, "")
    done = checkout.python("-m", "mms_gateway", "plan", str(site))
    assert done.stdout.startswith("line far (text-registers): 1.00 requests/s")
    assert "input 40..41" in done.stdout


def test_the_service_of_the_recipe_is_announced_answers_and_passes_the_contract_suite(checkout: Checkout) -> None:
    checkout.follow(blocks("Add a service"))
    done = checkout.suite("tests/contract/test_services.py", "getCapabilityList")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "test_the_registry_finds_every_service",
        "test_every_service_has_its_examples",
        "test_its_bit_is_announced_where_it_answers_and_only_there[getCapabilityList]",
        "test_its_example_is_answered_though_broken_ones_came_before[getCapabilityList]",
    ):
        assert f"{name} PASSED" in done.stdout


def test_a_recipe_without_its_row_fails_the_contract_suite(checkout: Checkout) -> None:
    checkout.follow([one for one in blocks("Add a driver") if not one.row])
    done = checkout.suite("tests/contract/test_drivers.py", "no-name")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED tests/contract/test_drivers.py::test_every_driver_of_ours_has_its_example" in done.stdout
