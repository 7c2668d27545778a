"""A current folder with modules of other people's names: nothing in it is run, and nothing of ours breaks (CWE-427)."""

import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.support.running import ROOT

pytestmark = pytest.mark.system
SCRIPT = Path(sys.executable).with_name("mms-gateway")
OURS = ("acquisition", "bus", "gateway", "hw_configs", "mapping", "mms_server")
THEIRS = (
    "cyclopts", "lxml", "msgspec", "prometheus_client", "pyasn1", "pydantic", "pymodbus", "rich", "serial",
    "starlette", "structlog", "uvicorn", "uvloop", "yaml", "zmq",
)  # fmt: skip


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """A folder in which every name of the standard library, of our dependencies and of ours is a file that tells it was run."""
    folder = tmp_path / "poisoned"
    folder.mkdir()
    for name in (*sys.stdlib_module_names, *THEIRS, *OURS):
        (folder / f"{name}.py").write_text(
            f"open({str(tmp_path / 'was_run')!r}, 'a').write({name!r} + '\\n')\nraise SystemExit(99)\n",
            encoding="utf-8",
        )
    shutil.copytree(ROOT / "hw_configs" / "demo", folder / "demo")
    return folder


def what_was_run(folder: Path) -> str:
    told = folder.parent / "was_run"
    return told.read_text() if told.exists() else ""


def clean_environment(**more: str) -> dict[str, str]:
    """The environment as a user's shell has it: nothing in it keeps the current folder off sys.path."""
    left_out = ("PYTHONSAFEPATH", "PYTHONPATH", "PYTEST_ADDOPTS", "XDG_RUNTIME_DIR")
    return {key: value for key, value in os.environ.items() if key not in left_out} | more


def until_ready(folder: Path, command: list[str], ready: str) -> None:
    """Run `command` there until it says `ready`, then end it as Ctrl-C does."""
    log = folder.parent / "stderr"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, env=clean_environment()
        )
    assert process.stdout is not None
    with process, process.stdout:
        said = next((line for line in process.stdout if line.startswith(ready)), None)
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    assert said is not None, log.read_text() + what_was_run(folder)
    assert code == 0, log.read_text()


@pytest.mark.parametrize(
    ("words", "ready"),
    [
        (("demo", "--mms-port", "0", "--http-port", "0"), "ready "),
        (("run", "demo", "--mms-port", "DEMO=0", "--http-port", "0"), "ready "),
        (("simulate", "demo"), "line "),
        (("serve", "demo/demo.icd", "--port", "0"), "ready "),
    ],
)
def test_a_command_that_starts_processes_runs_nothing_of_the_current_folder(
    poisoned: Path, words: tuple[str, ...], ready: str
) -> None:
    until_ready(poisoned, [str(SCRIPT), *words], ready)
    assert what_was_run(poisoned) == ""


def test_the_module_is_the_same_command_in_a_folder_with_a_module_of_a_plain_name(tmp_path: Path) -> None:
    for name in ("random", "bus", "lxml"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was run')\n", encoding="utf-8")
    command = [sys.executable, "-m", "mms_gateway", "demo", "--mms-port", "0", "--http-port", "0"]
    until_ready(tmp_path, command, "ready ")


def test_the_plugin_runs_nothing_of_the_current_folder_in_its_processes(poisoned: Path) -> None:
    (poisoned / "test_site.py").write_text(
        'def test_it(mms):\n    assert mms.read("IO/GGIO1.Beh.stVal") == 1\n', encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "--site", "demo"],
        cwd=poisoned, env=clean_environment(), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert what_was_run(poisoned) == ""
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_poison_is_strong_enough(poisoned: Path) -> None:
    """Python itself runs the modules of that folder: otherwise the tests above prove nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "acquisition"], cwd=poisoned, env=clean_environment(), capture_output=True, check=False
    )
    assert done.returncode == 99
    assert what_was_run(poisoned) != ""


def test_every_dependency_is_among_the_poison() -> None:
    asked = [one for one in requires("mms-gateway") or [] if "extra ==" not in one]
    names = {re.split(r"[^A-Za-z0-9_-]", one, maxsplit=1)[0].lower() for one in asked}
    imported = {"prometheus-client": "prometheus_client", "pyyaml": "yaml", "pyzmq": "zmq", "pyserial": "serial"}
    assert {imported.get(name, name) for name in names} == set(THEIRS)


# ---------------------------------------------------------------------- a neighbour with a package of our name


def project_of(tmp_path: Path, name: str) -> Path:
    """Somebody's project with a package `name`, and a test of it."""
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("WHOSE = 'theirs'\n", encoding="utf-8")
    (tmp_path / f"test_{name}.py").write_text(
        f"import {name}\n\ndef test_it():\n    assert {name}.WHOSE == 'theirs'\n", encoding="utf-8"
    )
    return package


def pytest_there(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_project_with_packages_of_our_names_runs_its_tests(tmp_path: Path) -> None:
    for name in OURS:
        project_of(tmp_path, name)
    done = pytest_there(tmp_path)
    assert (done.returncode, f"{len(OURS)} passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["bus", "mms_server"])
def test_with_a_site_a_hidden_package_ends_the_run_with_one_line(tmp_path: Path, name: str) -> None:
    package = project_of(tmp_path, name)
    shutil.copytree(ROOT / "hw_configs" / "demo", tmp_path / "demo")
    done = pytest_there(tmp_path, "--site", "demo")
    line = f"--site: package `{name}` is {package}, expected {ROOT / name}: "
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert (done.stdout + done.stderr).count(line) == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_with_a_site_a_package_that_only_the_tests_folder_shows_ends_the_run_too(tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    package = project_of(folder, "bus")
    shutil.copytree(ROOT / "hw_configs" / "demo", tmp_path / "demo")
    done = subprocess.run(
        [str(SCRIPT.with_name("pytest")), "-q", "-p", "no:cacheprovider", "--site", "demo", "checks"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert f"--site: package `bus` is {package}, expected {ROOT / 'bus'}: " in done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("name", ["bus", "mapping"])
def test_the_library_names_the_package_that_hides_ours(tmp_path: Path, name: str) -> None:
    package = project_of(tmp_path, name)
    done = subprocess.run(
        [sys.executable, "-c", "import mms_server"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    needed = ROOT / name / "__init__.py"
    expected = f"ImportError: package `{name}` is {package / '__init__.py'}, but mms_server needs {needed}"
    assert done.stderr.splitlines()[-1] == expected


@pytest.mark.parametrize("name", ["bus", "mapping", "mms_server", "acquisition", "hw_configs"])
def test_the_command_names_the_package_that_hides_ours(tmp_path: Path, name: str) -> None:
    package = project_of(tmp_path, name)
    done = subprocess.run(
        [str(SCRIPT), "check", "."],
        cwd=tmp_path, env=clean_environment(PYTHONPATH=str(tmp_path)), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    hint = "rename that one, or take its folder off sys.path"
    assert done.stderr == f"mms-gateway: package `{name}` is {package}, expected {ROOT / name}: {hint}\n"
    assert done.returncode == 2
