"""The wheel in an empty environment, started from a folder that has nothing of the checkout."""

import os
import signal
import subprocess
from pathlib import Path

PACKAGES = ("acquisition", "bus", "hw_configs", "mapping", "mms_gateway", "mms_server")
READY_S = 120.0


def clean() -> dict[str, str]:
    """The environment of a user's shell: nothing in it leads to the checkout."""
    left_out = ("PYTHONSAFEPATH", "PYTHONPATH", "PYTEST_ADDOPTS", "XDG_RUNTIME_DIR")
    return {key: value for key, value in os.environ.items() if key not in left_out}


def test_the_wheel_has_each_package_with_its_types_and_nothing_of_the_tests(contents: list[str]) -> None:
    assert {name.partition("/")[0] for name in contents if ".dist-info" not in name} == set(PACKAGES)
    assert [package for package in PACKAGES if f"{package}/py.typed" not in contents] == []


def test_a_wheel_in_an_empty_environment_runs_the_demo_from_any_folder(installed: Path, tmp_path: Path) -> None:
    log, elsewhere = tmp_path / "stderr", tmp_path / "else"
    elsewhere.mkdir()
    command = [str(installed.with_name("mms-gateway")), "demo", "--mms-port", "0", "--http-port", "0"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=elsewhere, env=clean()
        ) as process,
    ):
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=READY_S)
    assert ready is not None, log.read_text()
    assert process.returncode == 0, log.read_text()


def test_what_runs_is_the_wheels_own_content(installed: Path, tmp_path: Path) -> None:
    where = (
        "import acquisition, bus, mapping, mms_gateway, mms_server; print(mms_server.__file__, mms_gateway.__file__)"
    )
    done = subprocess.run(
        [str(installed), "-c", where], capture_output=True, text=True, cwd=tmp_path, env=clean(), timeout=60, check=True
    )
    environment = installed.parents[1]
    assert [Path(file).is_relative_to(environment) for file in done.stdout.split()] == [True, True]
