"""Every example of README and docs is run: YAML compiles, Python runs, commands parse."""

import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from acquisition.drivers.base import Settings
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.faults.device_faults import FAULTS, DeviceFault
from acquisition.simulate.faults.line_faults import LINE_FAULTS
from acquisition.simulate.timeline import read_timeline
from mapping.diagnostics import Diagnostics, render
from mms_gateway.cli import build
from mms_gateway.command import BAD_CONFIGURATION, WRONG_USAGE
from tests.support.sites import INPUTS_OF_LINES, SCL, compile_folder, with_inputs

ROOT = Path(__file__).parents[3]
FIRST = ROOT / "hw_configs" / "first"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^ *```(\w*)(?: file=(\S+))?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def fences(language: str) -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for kind, file, text in _FENCE.findall(page.read_text(encoding="utf-8")):
            if kind == language:
                indent = len(text) - len(text.lstrip(" "))
                found.append((page.name, file, "".join(line[indent:] for line in text.splitlines(keepends=True))))
    return found


def test_what_the_pixit_cites_is_there() -> None:
    page = (ROOT / "docs" / "pixit.md").read_text(encoding="utf-8")
    decisions = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"`(tests/\S+)`", page))
    assert len(cited) > 15
    assert [one for one in sorted(cited) if not (ROOT / one).is_file()] == []
    assert [one for one in sorted(set(re.findall(r"\bD\d+\b", page))) if f"**{one}. " not in decisions] == []


SITES = sorted({file.partition("/")[0] for _, file, _ in fences("yaml") if "/" in file})


@pytest.mark.parametrize("site", SITES)
def test_the_files_of_an_example_site_compile_without_a_warning(site: str, tmp_path: Path) -> None:
    for _, file, text in fences("yaml"):
        folder, _, name = file.partition("/")
        if folder == site:
            (tmp_path / name).write_text(text, encoding="utf-8")
    model = SCL.read_text(encoding="utf-8")
    (tmp_path / "io.icd").write_text(model, encoding="utf-8")
    shutil.copy(FIRST / "cabinet.icd", tmp_path)
    (tmp_path / "lines.icd").write_text(with_inputs(INPUTS_OF_LINES), encoding="utf-8")
    for secret in ("gateway.pem", "gateway.key", "ca.pem"):
        (tmp_path / secret).touch()
    assert render(compile_folder(tmp_path).diagnostics.found) == ""


def test_the_page_of_lines_names_every_protocol_with_all_of_its_keys() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (.*?) \|", (ROOT / "docs" / "lines.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    written = {protocol: set(re.findall(r"`([a-z_-]+)`", keys)) for protocol, keys in rows}
    serial = written["modbus-rtu"]
    written = {
        protocol: keys - {"modbus-rtu"} | (serial if "as `modbus-rtu`" in dict(rows)[protocol] else set())
        for protocol, keys in written.items()
    }
    common = Settings.model_fields.keys()
    assert written == {
        name: spec.protocol.settings.model_fields.keys() - common for name, spec in by_protocol().items()
    }
    page = (ROOT / "docs" / "lines.md").read_text(encoding="utf-8")
    assert [key for key in common if f"`{key}" not in page] == []


def test_the_first_hour_is_a_folder_that_may_be_copied() -> None:
    shown = {file.removeprefix("first/"): text for _, file, text in fences("yaml") if file.startswith("first/")}
    assert shown == {name: (FIRST / name).read_text(encoding="utf-8") for name in ("site.yaml", "map.yaml")}
    assert render(compile_folder(FIRST).diagnostics.found) == ""


@pytest.mark.parametrize(("page", "file", "text"), [one for one in fences("python") if one[1]])
def test_an_example_in_python_runs(page: str, file: str, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{page} {file}"


def test_the_timeline_of_faults_is_read(tmp_path: Path) -> None:
    (text,) = [text for _, file, text in fences("yaml") if not file and "faults:" in text]
    (tmp_path / "faults.yaml").write_text(text, encoding="utf-8")
    found, plan = Diagnostics(), compile_folder(ROOT / "hw_configs" / "demo").plan
    assert plan is not None
    read = read_timeline(tmp_path / "faults.yaml", plan, found)
    assert [entry.kind for entry in read.entries] == [
        "silent", "late", "exception", "garbage", "duplicate", "second_master",
    ]  # fmt: skip
    assert found.found == []


def _rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading of docs/testing.md: its cells by the name in the first one."""
    section = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8").partition(f"### {heading}\n")[2]
    rows = [line.strip("|").split("|") for line in section.partition("\n#")[0].splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): cells[1:] for cells in rows}


def _keys(cell: str) -> dict[str, str]:
    """The keys of a cell as "`ms: 40`, `times`", with their defaults."""
    return {key: value for key, _, value in (one.partition(": ") for one in re.findall(r"`([^`]+)`", cell))}


def test_the_table_of_line_faults_has_every_kind_with_its_keys() -> None:
    shown = {kind: _keys(cells[0]) for kind, cells in _rows("Faults of a line").items()}
    expected = {}
    for kind, model in LINE_FAULTS.items():
        fields = {name: one.default for name, one in model.model_fields.items() if name != "kind"}
        expected[kind] = {
            name: ""
            if default in (None, PydanticUndefined)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
            for name, default in fields.items()
        }
    assert shown == expected


def test_the_table_of_device_faults_has_every_kind_with_its_key() -> None:
    shown = _rows("Faults of a device")
    assert list(shown) == [*FAULTS, "reboot"]
    keys = {key: value for cells in shown.values() for key, value in _keys(cells[0]).items()}
    defaults = DeviceFault(kind="late")
    assert keys == {"ms": str(defaults.ms), "code": str(defaults.code), "times": str(defaults.times), "for": ""}


def test_the_service_file_starts_a_command_that_parses_and_stops_at_bad_configuration() -> None:
    (text,) = [text for _, _, text in fences("ini")]
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    service = unit["Service"]
    words = shlex.split(service["ExecStart"])
    assert words[0].endswith("/bin/mms-gateway")
    _, _, ignored = build().parse_args(words[1:], exit_on_error=False, print_error=False)
    assert ignored == {}
    assert f"/var/lib/{service['StateDirectory']}" in words
    assert service["RestartPreventExitStatus"] == f"{BAD_CONFIGURATION} {WRONG_USAGE}"


COMMANDS = sorted(
    {
        line.strip()
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("mms-gateway ")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_shown_is_one_that_parses(command: str) -> None:
    words = shlex.split(command.partition("  ")[0])[1:]
    _, _, ignored = build().parse_args(words, exit_on_error=False, print_error=False)
    assert ignored == {}
