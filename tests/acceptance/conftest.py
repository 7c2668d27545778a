"""An empty environment with the wheel in it, as a user's machine has it: made once, for all acceptance tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.running import ROOT

FOLDER = Path(__file__).parent
MINUTES = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The marker for each of them, one group, since they share the environment, and time for what is downloaded."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.xdist_group("acceptance"))
            item.add_marker(pytest.mark.timeout(15 * MINUTES))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=5 * MINUTES)
    (found,) = folder.glob("mms_gateway-*.whl")
    return found


@pytest.fixture(scope="session")
def contents(wheel: Path) -> list[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the locked dependencies and the wheel, and nothing else."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=5 * MINUTES)
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = ["--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")]
    subprocess.run([*pip, *locked], check=True, timeout=10 * MINUTES)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, timeout=5 * MINUTES)
    return python
