"""Coverage by room: what is counted, and when a room is below its floor."""

import json
import tomllib
from pathlib import Path

import pytest

from tools import coverage_floor
from tools.coverage_floor import Room, faults, main, raised, rooms, text


def counted(statements: int, branches: int, lines_run: int, branches_run: int) -> dict[str, dict[str, int]]:
    summary = {"num_statements": statements, "num_branches": branches}
    return {"summary": summary | {"covered_lines": lines_run, "covered_branches": branches_run}}


FILES = {
    "mapping/plan.py": counted(60, 20, 60, 10),
    "bus/codec.py": counted(10, 0, 9, 0),
    "mapping/scl/reader.py": counted(15, 5, 10, 4),
}


def test_a_room_has_the_statements_and_branches_of_all_its_files() -> None:
    found = rooms(FILES)
    assert list(found) == ["bus", "mapping"]
    assert (found["mapping"], found["mapping"].percent) == (Room(75, 25, 84), 84.0)
    assert (Room().percent, found["bus"].percent) == (100.0, 90.0)


def test_a_room_is_told_when_it_is_below_its_floor_or_has_none() -> None:
    found = rooms(FILES)
    assert faults(found, {"mapping": 84, "bus": 90}) == []
    assert faults(found, {"mapping": 85, "tools": 1}) == [
        "bus has no floor in coverage_floor.toml",
        "tools has a floor and no file",
        "mapping is covered to 84.00 %, its floor is 85 %",
    ]


def test_a_floor_only_rises() -> None:
    assert raised({"a": Room(1000, 0, 849), "b": Room(100, 0, 50)}, {"a": 80, "b": 60}) == {"a": 84, "b": 60}
    assert tomllib.loads(text({"b": 60, "a": 84})) == {"a": 84, "b": 60}


def test_the_command_prints_a_line_a_room_and_fails_below_a_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(coverage_floor, "FLOORS", tmp_path / "coverage_floor.toml")
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"files": FILES}))
    assert main([str(report), "--raise"]) == 0
    capsys.readouterr()
    report.write_text(json.dumps({"files": FILES | {"bus/codec.py": counted(10, 0, 8, 0)}}))
    assert main([str(report)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "bus          10 statements      0 branches   80.0 % covered  floor   90",
        "mapping      75 statements     25 branches   84.0 % covered  floor   84",
    ]
    assert said.err == "bus is covered to 80.00 %, its floor is 90 %\n"
