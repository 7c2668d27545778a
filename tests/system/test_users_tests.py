"""Tests of users: `pytest --site SITE` in a folder of their own, as they type it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import ROOT, until

pytestmark = pytest.mark.system
CASES = Path(__file__).parents[1] / "cases" / "plugin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with the demonstration site in it."""
    shutil.copytree(ROOT / "hw_configs" / "demo", tmp_path / "demo")
    return tmp_path


def command(folder: Path, *arguments: str) -> list[str]:
    kept = folder / "kept"
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={kept}", *arguments]


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of pytest there."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        command(folder, *arguments),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def example() -> str:
    """The test file of docs/testing.md."""
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```python file=test_site\.py\n(.*?)```", text, re.DOTALL)
    return str(found)


def left_of(folder: Path) -> list[str]:
    """Command lines of processes that run for that folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode())
    return [line for line in found if str(folder) in line]


def test_the_example_of_the_documentation_passes_and_all_else_does_what_it_says(folder: Path) -> None:
    (folder / "test_site.py").write_text(example(), encoding="utf-8")
    shutil.copyfile(CASES / "everything.py", folder / "test_everything.py")
    code, said = run(folder, "--site", "demo", "test_site.py", "test_everything.py")
    assert re.search(r"=== 1 failed, 16 passed in ", said), said
    assert code == 1
    assert "AssertionError: MAIN/LLN0.NamPlt.vendor is 'mms-gateway' after 0 s, expected 'nobody'" in said
    assert "- the gateway's log, the last lines -" in said
    assert "device main: online" in said
    assert left_of(folder) == []
    assert not (folder / "demo" / "state").exists()


def test_without_a_site_the_error_says_how_to_give_one(folder: Path) -> None:
    (folder / "test_site.py").write_text("def test_it(mms): ...\ndef test_other(): ...\n", encoding="utf-8")
    code, said = run(folder, "-q")
    assert code == 1
    assert "which site? `pytest --site SITE` says, a site.yaml or its folder" in said
    assert "1 passed, 1 error" in said


def test_a_site_with_faults_shows_its_diagnostics(folder: Path) -> None:
    site = folder / "demo" / "site.yaml"
    site.write_text(site.read_text(encoding="utf-8").replace("demo.icd", "nothing.icd"), encoding="utf-8")
    (folder / "test_site.py").write_text("def test_it(mms): ...\n", encoding="utf-8")
    code, said = run(folder, "-q", "--site", "demo/site.yaml")
    assert code == 1
    assert re.search(r"site\.yaml:5:\d+: error\[", said), said


def test_a_pytest_that_is_killed_leaves_no_process_behind(folder: Path) -> None:
    (folder / "test_site.py").write_text(
        "from pathlib import Path\nimport time\n"
        "def test_it(mms):\n    Path('serving').touch()\n    time.sleep(60)\n", encoding="utf-8"
    )  # fmt: skip
    with subprocess.Popen(command(folder, "--site", "demo"), cwd=folder, stdout=subprocess.DEVNULL) as process:
        until((folder / "serving").exists, 30)
        assert len(left_of(folder)) > 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: not left_of(folder), 10, lambda: left_of(folder))
