"""Where a running gateway can be found."""

import logging
from pathlib import Path

import pytest

from mms_gateway.cli import main
from mms_gateway.runtime.instance_file import FILE, Announcement, announced, running

FOUND = Announcement(1, "/run/x", "/run/x/site.plan", {"CAB": "127.0.0.1:102"}, "127.0.0.1:8061")


def test_a_gateway_is_found_while_it_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert running(state) is None
    with announced(state, FOUND):
        assert running(state) == FOUND
    assert (running(state), list(state.iterdir())) == (None, [])


def test_a_file_that_a_crash_has_left_behind_is_no_gateway(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pid": 1}')
    assert running(tmp_path) is None


def test_a_second_gateway_runs_unannounced_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with announced(tmp_path, FOUND), caplog.at_level(logging.WARNING), announced(tmp_path, Announcement(2, "", "", {})):
        assert running(tmp_path) == FOUND
    assert caplog.messages == [f"another gateway uses {tmp_path}: `watch` and `explain` will find that one"]


def test_a_state_folder_that_cannot_be_made_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with announced(tmp_path / "file", FOUND):
        assert running(tmp_path / "file") is None
    assert caplog.messages == [
        f"{tmp_path}/file/{FILE} cannot be written: File exists; `watch` and `explain` will not find this gateway"
    ]


def test_nothing_is_forgotten_under_a_gateway_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with announced(tmp_path, FOUND):
        assert main(["reset", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"mms-gateway: a gateway runs with {tmp_path} (process 1): it must end first\n"
    assert main(["reset", str(tmp_path)]) == 2
