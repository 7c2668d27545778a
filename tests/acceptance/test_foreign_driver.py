"""A driver in a package of its own, installed with ours into an empty environment: every command knows it."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.sites import FAR_MAP, far_site, write_site

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / "tests" / "cases" / "foreign_driver"
SUITE = ROOT / "tests" / "contract" / "test_drivers.py"
STARTED_S = 40.0
SITE = far_site("line-registers", port=0)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def _asked_for(request: pytest.FixtureRequest) -> None:
    """Building environments takes a minute: only who asks for these tests gets them."""
    words = [str(request.config.getoption("-m")), *request.config.args]
    if not any("acceptance" in word for word in words):
        pytest.skip("builds an environment: -m acceptance")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheels of both, and what the contract suite needs."""
    folder = tmp_path_factory.mktemp("environment")
    sources = {"ours": ROOT, "theirs": FOREIGN}
    wheels: list[Path] = []
    for name, source in sources.items():
        build = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder / name),
            str(source),
        ]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        wheels += (folder / name).glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", *map(str, wheels), "pytest", "hypothesis"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path, FAR_MAP, SITE.replace("port: 0", "port: 7345"))


def told(python: Path, site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`mms-gateway WORDS` of the environment, which must not see this checkout."""
    return subprocess.run(
        [python.with_name("mms-gateway"), *words],
        cwd=site,
        env=clean(site),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def clean(site: Path) -> dict[str, str]:
    """The environment variables without those that lead to a checkout."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key != "XDG_RUNTIME_DIR"
    }
    return kept | {"TMPDIR": str(site)}


@contextmanager
def started(python: Path, site: Path, *words: str, until: str) -> Iterator[str]:
    """`mms-gateway WORDS` until the block ends: the line that begins with `until`."""
    log = site / f"{words[0]}.txt"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [python.with_name("mms-gateway"), *words],
            cwd=site,
            env=clean(site),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        deadline, line = time.monotonic() + STARTED_S, ""
        while not line.startswith(until):
            assert select.select([process.stdout], [], [], deadline - time.monotonic())[0], log.read_text()
            line = process.stdout.readline()
            assert line, log.read_text()
        yield line
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()
    assert process.returncode == 0, log.read_text()


def test_check_and_plan_know_its_limits_and_its_misfits(python: Path, site: Path) -> None:
    done = told(python, site, "check", str(site))
    assert (done.returncode, done.stderr) == (0, "")
    done = told(python, site, "plan", str(site))
    assert done.stdout.startswith("line far (line-registers): 1.00 requests/s")
    assert re.search(r"well +3 input 40\.\.41 +1 +24\+27 ", done.stdout), done.stdout  # three characters an octet
    write_site(
        site,
        FAR_MAP,
        SITE.replace("level: {read: input 40 float32, unit: A, min: 0}", "level: {read: input 4 string:2}"),
    )
    done = told(python, site, "check", str(site))
    assert done.returncode == 2
    assert "`well.level`: a string, which such a device has none of" in done.stderr


def test_simulate_run_read_doctor_watch_and_guess_know_it(python: Path, site: Path) -> None:
    with started(python, site, "simulate", str(site), until="line far at ") as where:
        assert re.fullmatch(r"line far at 127\.0\.0\.1:[0-9]+\n", where)
        overlay = ("--lines", str(site / "state" / "simulated.yaml"))
        done = told(python, site, "read", str(site), "well", *overlay)
        assert done.returncode == 0, done.stderr
        (row,) = [line for line in done.stdout.splitlines() if line.startswith("level")]
        assert re.match(r"level +[0-9.]+ +A +good ", row), row
        done = told(python, site, "doctor", str(site), *overlay)
        assert re.search(r"well.*answers", done.stdout), done.stdout + done.stderr
        done = told(python, site, "guess", str(site), "well", "40", *overlay)
        assert (done.returncode, done.stderr) == (
            64,
            "mms-gateway: `well` is on a line-registers line: it has no registers to guess\n",
        )
        line = where.split()[-1]
        done = told(
            python, site, "read", "--line", f"line-registers://{line}", "--unit", "3", "--register", "input 40 float32"
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"input 40 float32 +[0-9.]+ ", done.stdout), done.stdout
        with started(python, site, "run", str(site), "--mms-port", "IO=0", *overlay, until="ready "):
            deadline, good = time.monotonic() + STARTED_S, ""
            while "good" not in good and time.monotonic() < deadline:
                good = told(python, site, "explain", str(site), "LD0/GGIO1.AnIn1.mag.f").stdout
            assert "good" in good


def test_a_line_of_it_that_the_gateway_polls_is_simulated_with_faults(python: Path, site: Path) -> None:
    faults = site / "faults.yaml"
    faults.write_text("faults: [{at: 0s, device: well, kind: exception, code: 2}]\n", encoding="utf-8")
    words = ("simulate", str(site), "--faults", str(faults))
    with started(python, site, *words, until="line far at "):
        deadline, said = time.monotonic() + STARTED_S, ""
        while "exception 2" not in said and time.monotonic() < deadline:
            said = told(
                python, site, "read", str(site), "well", "--lines", str(site / "state" / "simulated.yaml")
            ).stdout
        assert "exception 2 (illegal data address)" in said


def test_the_contract_suite_passes_over_it_and_over_ours(python: Path, tmp_path: Path) -> None:
    shutil.copy(SUITE, tmp_path)
    command = [str(python), "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "-v", SUITE.name]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout
    assert "test_it_answers_what_the_master_side_asks[line-registers] PASSED" in done.stdout
    assert "test_what_the_master_side_writes_the_device_has_taken[line-registers] PASSED" in done.stdout
    assert "test_it_finds_its_answer_in_one_piece[line-registers] PASSED" in done.stdout
