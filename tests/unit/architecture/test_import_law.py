"""The import law of pyproject.toml: a forbidden import in any folder is found, and each of several is."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import strangers

ROOT = Path(__file__).parents[3]
LAW = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
ROOMS = LAW["root_packages"]
SHELLS = next(one["shells"] for one in LAW["contracts"] if one["type"] == "shells")
TOP = {
    "acquisition": "acquisition.__main__",
    "mapping": "mapping.compile",
    "mms_gateway": "mms_gateway.__main__",
    "mms_server": "mms_server.__main__",
}
ACROSS = {
    "acquisition": "mms_server.stack.ber",
    "bus": "mapping.units",
    "hw_configs": "bus.quality",
    "mapping": "acquisition.drivers.base",
    "mms_gateway": "tests.support.wire",
    "mms_server": "acquisition.drivers.base",
}
LOOSE_AT_MOST = 14
"""Modules of one folder, but for those in which each module is a thing of one kind."""
LISTS = ("drivers", "services", "commands", "passes", "profiles")


def _folders() -> list[str]:
    """Every folder of the rooms that holds modules, with dots."""
    found = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    return sorted(".".join(folder.relative_to(ROOT).parts) for folder in found)


def _pure_module(folder: str) -> str | None:
    """The name of one module of `folder` that is no shell and not the top of its room; None if it has none."""
    names = [f"{folder}.{path.stem}" for path in sorted((ROOT / folder.replace(".", "/")).glob("*.py"))]
    packages = [name.removesuffix(".__init__") for name in names]
    modules = [one for one in packages if one not in (*SHELLS, *TOP.values())]
    return next((one for one in reversed(modules) if one != folder), folder if folder in modules else None)


def _file(tree: Path, module: str) -> Path:
    path = tree.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _findings(tree: Path) -> str:
    """The findings of import-linter in a copy of the project, in one line without its breaks."""
    strangers.module("importlinter")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return re.sub(r"\s+", " ", done.stdout)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("law") / "tree"
    tree.mkdir()
    shutil.copy(ROOT / "pyproject.toml", tree)
    for folder in (*ROOMS, "tools"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "devices", "demo"))
    return tree


def _planted(copied: Path, target: Path, imports: dict[str, str]) -> Path:
    """A copy of `copied` in which each module of `imports` imports something more."""
    shutil.copytree(copied, target)
    for module, imported in imports.items():
        path = _file(target, module)
        path.write_text(path.read_text(encoding="utf-8") + f"\nimport {imported}\n", encoding="utf-8")
    return target


def test_every_forbidden_import_is_found_in_each_folder(copied: Path, tmp_path: Path) -> None:
    """In one module of each folder: an import of another room, one that runs up, and a clock."""
    modules = [module for folder in _folders() if (module := _pure_module(folder)) is not None]
    across = {module: ACROSS[module.split(".")[0]] for module in modules}
    up = {module: TOP[module.split(".")[0]] for module in modules if module.split(".")[0] in TOP and "." in module}
    tree = _planted(copied, tmp_path / "tree", across)
    for planted in (up, dict.fromkeys(modules, "time")):
        for module, imported in planted.items():
            path = _file(tree, module)
            path.write_text(path.read_text(encoding="utf-8") + f"\nimport {imported}\n", encoding="utf-8")
    text = _findings(tree)
    assert len(modules) >= len(_folders()) - 1
    assert [one for one in across if f"{one} -> {across[one].split('.')[0]}" not in text] == []
    assert [one for one in up if f"{one} -> {up[one]}" not in text] == []
    assert [one for one in modules if f"{one} imports time" not in text] == []


def test_three_forbidden_imports_are_three_findings(copied: Path, tmp_path: Path) -> None:
    planted = {"mms_server.stack.ber": "mms_server.engine", "mapping.units": "random", "bus.quality": "mapping.model"}
    text = _findings(_planted(copied, tmp_path / "tree", planted))
    assert "mms_server.stack.ber -> mms_server.engine" in text
    assert "mapping.units imports random" in text
    assert "bus.quality -> mapping.model" in text


def test_a_module_that_stands_on_no_layer_is_found(copied: Path, tmp_path: Path) -> None:
    rooms = [one["containers"][0] for one in LAW["contracts"] if one.get("exhaustive")]
    tree = _planted(copied, tmp_path / "tree", {})
    for room in rooms:
        (tree / room.replace(".", "/") / "newcomer.py").write_text('"""Nothing."""\n', encoding="utf-8")
    text = _findings(tree)
    assert set(rooms) >= set(ROOMS) - {"hw_configs"}
    assert text.count("newcomer") >= len(rooms)


def test_a_shell_that_needs_no_shell_is_found(copied: Path, tmp_path: Path) -> None:
    tree = _planted(copied, tmp_path / "tree", {})
    path = tree / "acquisition" / "event_loop.py"
    path.write_text('"""Nothing."""\n', encoding="utf-8")
    assert "acquisition.event_loop is listed as a shell and imports none of them" in _findings(tree)


def test_a_circle_of_two_modules_of_one_folder_is_found(copied: Path, tmp_path: Path) -> None:
    planted = {"mms_server.stack.ber": "mms_server.stack.cotp", "mms_server.stack.cotp": "mms_server.stack.ber"}
    assert "no circle, between modules or between folders BROKEN" in _findings(
        _planted(copied, tmp_path / "tree", planted)
    )


def test_no_folder_is_a_heap_of_loose_modules() -> None:
    heaps = {}
    for folder in _folders():
        loose = [path for path in (ROOT / folder.replace(".", "/")).glob("*.py") if path.stem != "__init__"]
        if len(loose) > LOOSE_AT_MOST and folder.split(".")[-1] not in LISTS:
            heaps[folder] = len(loose)
    assert heaps == {}
