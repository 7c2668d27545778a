"""Turnaround of devices: measured, kept in steps, used by the planner."""

from pathlib import Path

import pytest

from acquisition.exchange.turnaround import ANSWERS, Turnarounds
from acquisition.learned_devices import LearnedTurnarounds
from mapping.block_planning import planner, turnaround
from mapping.block_planning.turnaround import Turnaround
from mapping.plan import LinePlan, RegisterBlock
from tests.support.sites import SITE, compile_folder, framing, write_site
from tests.support.sites import compile_site_with as compiled_with

ROWS = "points:\n  LD0/GGIO1.AnIn1: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
SERIAL = SITE.replace(
    "  lan: {protocol: modbus-tcp, host: 127.0.0.1, port: 1502}", "  lan: {protocol: modbus-rtu, port: /dev/n}"
).replace("holding 300 string:4", "holding 150 string:4")


@pytest.mark.parametrize(("seconds", "step"), [(0.0, 1), (0.001, 1), (0.0011, 2), (0.03, 50), (0.2, 200), (9.0, 500)])
def test_a_turnaround_is_kept_in_steps(seconds: float, step: int) -> None:
    assert turnaround.step(seconds) == step


def test_what_is_kept_is_read_again_and_what_is_broken_is_told(tmp_path: Path) -> None:
    path = turnaround.file_of(tmp_path / "state", "rs485-1")
    turnaround.save(path, {"feeder1": Turnaround(1, 20)})
    broken = turnaround.file_of(tmp_path / "state", "tcp")
    broken.write_text("{")
    found, problems = turnaround.of_site(tmp_path / "state")
    assert found == {"feeder1": Turnaround(1, 20)}
    assert problems == [f"{broken} is passed over: Input data was truncated"]
    assert turnaround.of_site(tmp_path / "nowhere") == ({}, [])


def test_nothing_is_said_of_a_device_before_it_has_answered_often_enough_and_a_spike_moves_little() -> None:
    smoothed = Turnarounds()
    for _ in range(ANSWERS - 1):
        smoothed.add(3, 0.02)
    assert smoothed.known() == {}
    smoothed.add(3, 0.02)
    assert smoothed.known() == {3: pytest.approx(0.02)}
    smoothed.add(3, 0.18)
    assert smoothed.known() == {3: pytest.approx(0.03)}


def test_a_step_is_kept_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path = turnaround.file_of(tmp_path, "w")
    watch = LearnedTurnarounds(path)
    watch.keep({"meter": (1, 0.018)})
    assert turnaround.load([path]) == ({"meter": Turnaround(1, 20)}, [])
    path.unlink()
    watch.keep({"meter": (1, 0.019)})
    assert not path.exists()
    watch.keep({"meter": (1, 0.07), "other": (2, 0.004)})
    assert turnaround.load([path])[0] == {"meter": Turnaround(1, 100), "other": Turnaround(2, 5)}


def test_a_slow_device_makes_a_larger_hole_worth_while(tmp_path: Path) -> None:
    folder = write_site(tmp_path, ROWS, SERIAL)
    quick = compile_folder(folder).plan
    slow = compiled_with(folder, {"io1": Turnaround(2, 200), "other": Turnaround(1, 1)}).plan
    another = compiled_with(folder, {"io1": Turnaround(7, 200)}).plan
    assert quick is not None
    assert slow is not None
    assert another is not None
    assert spans(quick.worker("lan").lines[0]) == [(100, 12), (150, 4)]
    assert spans(slow.worker("lan").lines[0]) == [(100, 54)]
    assert spans(another.worker("lan").lines[0]) == spans(quick.worker("lan").lines[0])  # another unit's
    line = slow.worker("lan").lines[0]
    rtu, shorter = framing("modbus-rtu"), quick.worker("lan").lines[0]
    assert planner.line_cost(line, rtu).load > 2 * planner.line_cost(shorter, rtu).load


def spans(line: LinePlan) -> list[tuple[int, int]]:
    blocks = [block for device in line.devices for block in device.blocks if isinstance(block, RegisterBlock)]
    return sorted((block.address, block.count) for block in blocks if block.table == "holding")
