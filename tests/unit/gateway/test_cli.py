"""The command line: its exit codes and what it prints."""

import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests.support.sites import write_site

ROWS = "points:\n  LD0/GGIO1.AnIn3: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


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


@pytest.mark.parametrize("kind", ["site", "map", "device"])
def test_a_schema_is_a_closed_json_schema(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)


@pytest.mark.parametrize("words", [["nosuch"], ["check"], ["schema", "nosuch"], ["run", "x", "--mms-port", "nonsense"]])
def test_wrong_usage_is_exit_code_64(words: list[str]) -> None:
    assert main(words) == 64


BOTH = ["--peer", "127.0.0.1:1", "--peer-listen", "127.0.0.1:2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (BOTH[:2], "a pair needs --peer and --peer-listen, both"),
        (BOTH[2:], "a pair needs --peer and --peer-listen, both"),
        (["--standby"], "a pair needs --peer and --peer-listen, both"),
        (["--peer", "nowhere", *BOTH[2:]], "`nowhere` is no host:port"),
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
