"""The command line: its exit codes and what it prints."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mms_gateway.cli import main
from tests.support.running import ROOT
from tests.support.sites import SITE, write_site

ROWS = "points:\n  LD0/GGIO1.AnIn3: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that runs something takes over the log of this process: the other tests have theirs back."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_sound_site_is_said_to_be_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_site(tmp_path, ROWS))]) == 0
    assert capsys.readouterr().out.startswith("sound: 1 IED, 2 workers, ")


def test_a_fault_is_exit_code_two_and_json_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write_site(tmp_path, ROWS.replace("temperature", "temprature"))
    assert main(["check", str(site), "--format", "json"]) == 2
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["code"], finding["line"], finding["column"]) == ("unknown-point", 2, 24)


def test_warnings_are_errors_where_one_is_strict(tmp_path: Path) -> None:
    site = write_site(tmp_path, "points:\n  LD0/GGIO1.AnIn3: io1.temperature\n")
    assert main(["check", str(site)]) == 0
    assert main(["check", str(site), "--strict"]) == 2


def test_a_plan_tells_what_each_line_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(write_site(tmp_path, ROWS))]) == 0
    out = capsys.readouterr().out
    assert "line lan (modbus-tcp): 5.00 requests/s" in out
    assert "holding 100..111" in out


def test_a_plan_for_machines_has_a_row_for_each_request_with_its_means_window_and_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(write_site(tmp_path, ROWS)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["columns"] == [
        *(
            "line",
            "device",
            "unit",
            "what",
            "values",
            "octets",
            "ms",
            "every",
            "gets",
            "identity",
            "means",
            "W",
            "cost",
        ),
        "points",
    ]
    told = ["transaction id", "transaction id", None, "0"]
    assert found["rows"][0] == [
        *("lan", "io1", 2, "holding 100..111", 2, "12+33", 5.0, 1000, 1000, *told),
        ["temperature", "power"],
    ]
    assert {len(row) for row in found["rows"]} == {len(found["columns"])}
    assert found["findings"] == []


def test_a_plan_for_machines_of_a_site_that_is_wrong_has_its_findings_and_no_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path, ROWS.replace("temperature", "temprature"))
    assert main(["plan", str(site), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == []
    (finding,) = found["findings"]
    assert finding == {
        "code": "unknown-point",
        "severity": "error",
        "file": str(tmp_path / "map.yaml"),
        "line": 2,
        "column": 24,
        "text": "no point `temprature` of device `io1`",
        "hint": "did you mean `temperature`?",
        "cure": "Correct the name, as `device.point`, or add the point.",
    }


def test_check_prints_notes_and_a_plan_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = '{request: "%s?", reply: "(?P<v>[0-9.]+)", value: v}'
    points = f"{{a: {ask % 'A'}, b: {ask % 'B'}}}"
    site = write_site(tmp_path, ROWS, SITE + f"  bath: {{line: scale-1, points: {points}}}\n")
    assert main(["check", str(site), "--strict"]) == 0
    assert "note[replies-alike]: the replies of two questions on line `scale-1`" in capsys.readouterr().err
    assert main(["plan", str(site)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["site", "map", "device"])
def test_a_schema_is_a_closed_json_schema(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)


@pytest.mark.parametrize(
    "words",
    [
        ["nosuch"],
        ["check"],
        ["schema", "nosuch"],
        ["run", "x", "--mms-port", "nonsense"],
        ["serve", "x", "--port", "65536"],
        ["demo", "--http-port", "-1"],
    ],
)
def test_wrong_usage_is_exit_code_64(words: list[str]) -> None:
    assert main(words) == 64


BOTH = ["--peer", "127.0.0.1:1", "--peer-listen", "127.0.0.1:2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (BOTH[:2], "a pair needs --peer and --peer-listen, both"),
        (BOTH[2:], "a pair needs --peer and --peer-listen, both"),
        (["--standby"], "a pair needs --peer and --peer-listen, both"),
        (["--peer", "nowhere", *BOTH[2:]], "`nowhere` is no address, expected `host:port` as `0.0.0.0:102`"),
        ([*BOTH[:3], "127.0.0.1:0"], "--peer-listen takes HOST:PORT with the port that the other one knows, not 0"),
        ([*BOTH, "--takeover-after", "0.5"], "--takeover-after takes at least 1 s, not 0.5"),
    ],
)
def test_half_a_pair_is_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x", *words]) == 64
    assert capsys.readouterr().err == f"mms-gateway: {said}\n"


def test_a_file_that_is_not_there_is_a_diagnostic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere/site.yaml"]) == 2
    assert capsys.readouterr().err.startswith("nowhere/site.yaml:1:1: error[file-unreadable]: cannot be read: ")


def test_an_ied_that_the_site_lacks_is_not_given_a_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write_site(tmp_path, ROWS)
    assert main(["run", str(site), "--mms-port", "CABINT=0", "--seconds", "0"]) == 2
    assert "site.yaml:1:1: error[unknown-ied]: no IED `CABINT`, which `--mms-port` names\n" in capsys.readouterr().err


def test_a_folder_of_files_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = str(ROOT / "hw_configs" / "demo" / "demo.icd")
    assert main(["serve", demo, "--port", "0", "--files", str(tmp_path / "none"), "--seconds", "0"]) == 2
    assert f"{demo}:1:1: error[files]: --files {tmp_path}/none is no folder\n" in capsys.readouterr().err


def test_tls_without_all_its_three_files_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = str(ROOT / "hw_configs" / "demo" / "demo.icd")
    assert main(["serve", demo, "--port", "0", "--tls-cert", "gw.pem", "--seconds", "0"]) == 2
    said = f"{demo}:1:1: error[tls]: TLS needs --tls-cert, --tls-key and --tls-ca, all three\n"
    assert said in capsys.readouterr().err
    files = [f"--tls-{name}={tmp_path / name}" for name in ("cert", "key", "ca")]
    assert main(["serve", demo, "--port", "0", *files, "--seconds", "0"]) == 2
    assert f"{tmp_path / 'cert'}:1:1: error[tls]: certificate, key or CA cannot be used: " in capsys.readouterr().err


def test_a_code_of_findings_is_explained_with_its_example_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--explain", "unknown-key"]) == 0
    assert capsys.readouterr().out == (
        "error[unknown-key]: The format has no key of this name.\n\n"
        "  # site.yaml\n  devices: {io: {retrys: 2}}\n\n"
        "Write the key as mapping/FORMAT.md has it, here `retries`.\n"
    )
    assert main(["check", "--explain", "unknown-device"]) == 0
    assert capsys.readouterr().out.startswith("error or warning[unknown-device]: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--explain", "tsl"],
            "no finding has the code `tsl`: did you mean `tls`?",
        ),
        (["--explain", "xyz"], "no finding has the code `xyz`"),
        (["site", "--explain", "unknown-key"], "`check` takes SITE, or --explain CODE"),
        ([], "`check` takes SITE, or --explain CODE"),
    ],
)
def test_what_cannot_be_explained_is_wrong_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 64
    assert capsys.readouterr().err == f"mms-gateway: {said}\n"


def test_a_state_folder_that_cannot_be_had_is_said_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    first = str(ROOT / "hw_configs" / "first")
    assert main(["run", first, "--mms-port", "CABINET=0", "--state-dir", "/proc/none", "--seconds", "0"]) == 2
    said = "/proc/none:1:1: error[state]: the state folder cannot be used: no such file or directory\n"
    assert capsys.readouterr().err == said + "  hint: `--state-dir DIR` names another\n"


def test_an_address_of_ipv6_is_told_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    demo = str(ROOT / "hw_configs" / "demo" / "demo.icd")
    assert main(["serve", demo, "--host", "::1", "--port", "0", "--seconds", "0"]) == 0
    assert re.fullmatch(r"ready mms=\[::1\]:\d+ ied=DEMO\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faults", "none.yaml"], "none.yaml:1:1: error[file-unreadable]: cannot be read: no such file or directory"),
        (
            ["--state-dir", "/proc/none"],
            "/proc/none:1:1: error[state]: the state folder cannot be used: no such file or directory",
        ),
    ],
)
def test_what_simulate_cannot_use_is_a_diagnostic(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(write_site(tmp_path, ROWS)), *words, "--seconds", "0"]) == 2
    assert said in capsys.readouterr().err
