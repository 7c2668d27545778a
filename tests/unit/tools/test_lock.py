"""The lock files agree with pyproject.toml, and the check that says so can fail."""

import tomllib
from typing import Any

import pytest

from tools import lock

PROJECT: dict[str, Any] = {
    "build-system": {"requires": ["hatchling>=1.26"]},
    "project": {
        "dependencies": ["PyYAML>=6,<7", "uvloop>=0.21; sys_platform != 'win32'"],
        "optional-dependencies": {"test": ["pytest>=8"], "check": ["mypy>=1.13"], "bench": ["matplotlib>=3.8"]},
    },
    "dependency-groups": {"editable": [], "peer": ["pyiec61850-ng>=1.6,<1.7"], "lock": ["uv>=0.8"]},
}


def entry(pin: str, via: str = "pyproject.toml") -> str:
    return f"{pin} \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n    # via {via}\n"


TEXTS = {
    "run": entry("hatchling==1.27.0")
    + entry("pyyaml==6.0.4")
    + entry("uvloop==0.23.0 ; sys_platform != 'win32'")
    + entry("pluggy==1.7.0", "hatchling, pytest"),
    "test": "-r run.txt\n" + entry("pytest==9.2.0") + entry("iniconfig==2.3.1", "pytest"),
    "check": "-r test.txt\n" + entry("mypy==2.4.1"),
    "bench": "-r test.txt\n"
    + entry("matplotlib==3.11.2")
    + entry("numpy==2.4.6 ; python_full_version < '3.12'", "contourpy, matplotlib")
    + entry("numpy==2.5.5 ; python_full_version >= '3.12'", "contourpy, matplotlib"),
    "peer": entry("pyiec61850-ng==1.6.1.10"),
    "lock": entry("uv==0.13.9"),
}


def with_run(old: str, new: str) -> list[str]:
    assert old in TEXTS["run"]
    return list(lock.faults(PROJECT, {**TEXTS, "run": TEXTS["run"].replace(old, new)}))


def test_the_lock_files_of_the_project_agree_with_it() -> None:
    project = tomllib.loads((lock.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = {name: (lock.ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8") for name in lock.BASES}
    assert list(lock.faults(project, texts)) == []
    assert not [text for text in texts.values() if "://" in text]


def test_locked_versions_in_their_ranges_are_no_fault() -> None:
    assert list(lock.faults(PROJECT, TEXTS)) == []


def test_a_version_outside_of_its_range_is_a_fault() -> None:
    assert with_run("pyyaml==6.0.4", "pyyaml==7.0") == [
        "requirements/run.txt: PyYAML is locked at 7.0, pyproject.toml asks for `PyYAML<7,>=6`"
    ]


def test_every_version_of_a_package_is_held_to_its_range() -> None:
    project = {**PROJECT, "project": {**PROJECT["project"]}}
    project["project"]["optional-dependencies"] = {
        **PROJECT["project"]["optional-dependencies"],
        "bench": ["matplotlib>=3.8", "numpy>=2.5"],
    }
    assert list(lock.faults(project, TEXTS)) == [
        "requirements/bench.txt: numpy is locked at 2.4.6, pyproject.toml asks for `numpy>=2.5`"
    ]


def test_a_requirement_that_is_not_locked_is_a_fault() -> None:
    assert with_run(entry("pyyaml==6.0.4"), "") == [
        "requirements/run.txt: PyYAML is not locked, pyproject.toml asks for `PyYAML<7,>=6`"
    ]


def test_an_entry_that_nothing_asks_for_is_a_fault() -> None:
    assert with_run(entry("pyyaml==6.0.4"), entry("pyyaml==6.0.4") + entry("six==1.17.0", "python-dateutil")) == [
        "requirements/run.txt: six 1.17.0 is locked, and nothing asks for it"
    ]


def test_a_requirement_that_is_gone_leaves_its_entry_and_all_that_it_brought_without_need() -> None:
    project = {**PROJECT, "build-system": {"requires": []}}
    assert list(lock.faults(project, TEXTS)) == [
        "requirements/run.txt: hatchling 1.27.0 is locked, and nothing asks for it",
        "requirements/run.txt: pluggy 1.7.0 is locked, and nothing asks for it",
    ]


@pytest.mark.parametrize("line", ["pyyaml>=6", "--index-url https://registry.example", "pyyaml @ file:///pyyaml.whl"])
def test_a_line_that_is_no_pinned_version_is_a_fault(line: str) -> None:
    assert with_run(entry("pyyaml==6.0.4"), f"{line}\n") == [f"requirements/run.txt: `{line}` is no pinned version"]


def test_an_entry_without_a_hash_is_a_fault() -> None:
    assert with_run(entry("pyyaml==6.0.4"), "pyyaml==6.0.4\n    # via pyproject.toml\n") == [
        "requirements/run.txt: pyyaml 6.0.4 has no hash"
    ]


def test_a_lock_file_that_is_missing_is_a_fault() -> None:
    texts = {name: text for name, text in TEXTS.items() if name != "peer"}
    assert list(lock.faults(PROJECT, texts)) == ["requirements/peer.txt: is missing"]
