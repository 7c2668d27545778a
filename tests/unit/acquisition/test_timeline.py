"""The timeline of faults, second by second, and what each kind does to a simulated device."""

from pathlib import Path

import pytest

from acquisition.drivers import modbus_device
from acquisition.drivers.device_side import Fault
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.timeline import Timeline, read_timeline
from mapping.diagnostics import Diagnostics, render
from tests.support.field import device, point, register

READ = bytes.fromhex("0300000003")


def simulated() -> SimulatedDevice:
    points = [point(0, "io.big", register("holding", 0, "uint32", 2)), point(1, "io.small", register("holding", 2))]
    found = SimulatedDevice(device("io", 1, points, []))
    found.set("big", 0x00010002)
    found.set("small", 7)
    found.tick(0)
    return found


def timeline(folder: Path, *entries: str) -> Timeline:
    path = folder / "faults.yaml"
    path.write_text("faults:\n" + "".join(f"  - {{{one}}}\n" for one in entries), encoding="utf-8")
    found = Diagnostics()
    read = read_timeline(path, ["io"], found)
    assert not found.errors, found.errors
    return read


def words(found: SimulatedDevice) -> str:
    return modbus_device.answer(found, READ).hex()


def test_a_fault_lasts_from_its_time_for_its_time(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 2s, for: 3s, device: io, kind: silent")
    seen = []
    for second in range(7):
        plan.apply({"io": io}, second)
        seen.append(io.fault is not None)
    assert seen == [False, False, True, True, True, False, False]


def test_a_fault_set_by_hand_outlives_the_end_of_another(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 1s, device: io, kind: silent")
    plan.apply({"io": io}, 0)
    by_hand = io.fault = Fault("late")
    plan.apply({"io": io}, 1)
    assert io.fault is by_hand


def test_of_two_faults_the_longer_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    entries = ("at: 0s, for: 9s, device: io, kind: late", "at: 1s, for: 1s, device: io, kind: crc")
    io, plan = simulated(), timeline(tmp_path, *entries)
    seen = []
    for second in range(3):
        plan.apply({"io": io}, second)
        seen.append(None if io.fault is None else io.fault.kind)
    assert seen == ["late", "crc", "late"]


def test_a_busy_device_answers_after_so_many_requests(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 9s, device: io, kind: busy, times: 2")
    plan.apply({"io": io}, 0)
    first = words(io)
    plan.apply({"io": io}, 1)
    assert [first, words(io), words(io)] == ["8306", "8306", "0306000100020007"]


def test_swapped_words_are_those_of_values_of_several_registers(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 1s, device: io, kind: swapped")
    plan.apply({"io": io}, 0)
    assert words(io) == "0306000200010007"
    plan.apply({"io": io}, 1)
    assert words(io) == "0306000100020007"


def test_a_frozen_device_shows_what_it_showed(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 5s, device: io, kind: frozen")
    plan.apply({"io": io}, 0)
    io.fixed["small"] = 9
    io.tick(1)
    assert words(io) == "0306000100020007"
    plan.apply({"io": io}, 5)
    io.tick(6)
    assert words(io) == "0306000100020009"


def test_a_device_that_starts_is_silent_and_has_forgotten_what_was_written(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 2s, device: io, kind: reboot")
    plan.apply({"io": io}, 0)
    assert (io.fault, io.fixed) == (Fault("silent"), {"big": 0x00010002, "small": 7})
    plan.apply({"io": io}, 2)
    assert (io.fault, io.fixed) == (None, {})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("at: 0s, device: io, kind: reboot", "2:5: error[bad-value]: a reboot ends: expected `for`"),
        ("at: 0s, device: io, kind: slow", "2:32: error[bad-value]: `slow` does not fit `kind`: expected "),
        ("at: 0s, device: oi, kind: silent", "2:22: warning[unknown-device]: no device `oi`, its fault is passed over"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_at_its_place(entry: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(f"faults:\n  - {{{entry}}}\n", encoding="utf-8")
    found = Diagnostics()
    read_timeline(path, ["io"], found)
    assert render(found).startswith(f"{path}:{said}")


def test_a_device_that_the_site_lacks_is_passed_over(tmp_path: Path) -> None:
    plan = timeline(tmp_path, "at: 0s, for: 1s, device: nobody, kind: silent")
    for second in range(3):
        plan.apply({"io": simulated()}, second)
