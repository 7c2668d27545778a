"""Refused registers of devices, remembered in a file."""

from pathlib import Path

import pytest

from acquisition.learned_devices import LearnedRefusals
from acquisition.polling import refused_registers
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from mapping.plan import DevicePlan, PollSettings
from mms_gateway.commands.plan import plan

HOLES = (RefusedRange("holding", 6, 2, 2), RefusedRange("input", 9, 1, 3))


def device(name: str, unit: int = 1, profile: str | None = "meter") -> DevicePlan:
    return DevicePlan(name, unit, profile, PollSettings(timeout_ms=300), (), ())


def test_what_a_device_refuses_is_known_after_a_restart(tmp_path: Path) -> None:
    path = refused_registers.file_of(tmp_path / "state", "w")
    LearnedRefusals(path, [device("a")]).note(device("a"), HOLES, "ACME 7")
    assert LearnedRefusals(path, [device("a")]).known == {"a": DeviceRefusals(1, "meter", HOLES, "ACME 7")}


def test_another_device_of_that_name_is_not_held_to_it(tmp_path: Path) -> None:
    path = refused_registers.file_of(tmp_path, "w")
    LearnedRefusals(path, [device("a")]).note(device("a"), HOLES, "ACME 7")
    assert LearnedRefusals(path, [device("a", unit=2)]).known == {}
    assert LearnedRefusals(path, [device("a", profile="other")]).known == {}


def test_a_device_that_refuses_nothing_any_more_is_forgotten(tmp_path: Path) -> None:
    path = refused_registers.file_of(tmp_path, "w")
    memory = LearnedRefusals(path, [device("a")])
    memory.note(device("a"), HOLES, "ACME 7")
    memory.note(device("b"), HOLES[:1], "ACME 7")
    memory.note(device("a"), (), "ACME 7")
    assert refused_registers.load(path) == {"b": DeviceRefusals(1, "meter", HOLES[:1], "ACME 7")}


def test_a_file_that_is_cut_is_told_and_forgotten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = refused_registers.file_of(tmp_path, "w")
    path.write_text('{"a": ')
    assert LearnedRefusals(path, [device("a")]).known == {}
    assert [one.message for one in caplog.records] == [
        f"what devices refused is forgotten: {path}: Input data was truncated"
    ]


def test_a_disk_that_takes_nothing_costs_the_memory_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("no folder")
    LearnedRefusals(None, []).note(device("a"), HOLES, "ACME 7")
    LearnedRefusals(refused_registers.file_of(tmp_path / "state", "w"), []).note(device("a"), HOLES, "ACME 7")
    assert [one.message.partition(": ")[0] for one in caplog.records] == [
        "what devices refused is forgotten", "what devices refuse is not remembered",
    ]  # fmt: skip


def test_plan_tells_what_devices_have_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LearnedRefusals(refused_registers.file_of(tmp_path, "w"), []).note(device("feeder1"), HOLES, "ACME 7")
    assert plan(Path("hw_configs/demo"), state_dir=tmp_path) == 0
    assert capsys.readouterr().out.endswith(
        "\nrefused by the devices, asked for again daily and whenever they come back:\n"
        "  feeder1          holding 6..7               exception 2\n"
        "  feeder1          input 9                    exception 3\n"
    )
