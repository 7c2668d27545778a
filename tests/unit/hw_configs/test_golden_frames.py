"""Each profile turns frames of its device into the values that the manual gives them (tests/cases/devices).

A case is recorded, the manual's own example, or made from the manual's table with arithmetic that is not ours.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from acquisition.decoding import point_readings, scaling
from acquisition.decoding.derived_points import DerivedPoints
from acquisition.decoding.point_readings import PointReading, PointRegister
from acquisition.drivers.base import Read, Registers
from acquisition.drivers.modbus_rtu import ModbusRtu
from bus import quality
from mapping.plan import DevicePlan, Register, Reply, Table
from tests.support import profiles

CASES = Path(__file__).parents[2] / "cases" / "devices"
TABLES: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def profile_of(case: Path) -> str:
    return case.name.partition(".")[0]


def exchanged(frame: dict[str, str]) -> tuple[Read, tuple[int, ...]]:
    """Request and registers of a recorded frame, by the driver that runs on the line."""
    ask, answer = bytes.fromhex(frame["ask"]), bytearray.fromhex(frame["answer"])
    read = Read(ask[0], TABLES[ask[1]], int.from_bytes(ask[2:4], "big"), int.from_bytes(ask[4:6], "big"))
    driver = ModbusRtu()
    assert driver.request(read, 0) == ask
    found = driver.take(read, 0, answer)
    assert isinstance(found, Registers)
    assert not answer
    return read, found.values


def from_frames(plan: DevicePlan, frames: list[dict[str, str]]) -> list[PointReading]:
    tables: dict[str, dict[int, int]] = {}
    for frame in frames:
        read, words = exchanged(frame)
        tables.setdefault(read.table, {}).update(enumerate(words, read.address))
    found: list[PointReading] = []
    for table, values in tables.items():
        located = [
            PointRegister(one, one.source)
            for one in plan.points
            if isinstance(one.source, Register) and one.source.table == table
        ]
        found += point_readings.from_registers(located, values)
    return found


def from_lines(plan: DevicePlan, lines: list[dict[str, str]]) -> list[PointReading]:
    found: list[PointReading] = []
    for line in lines:
        for point in plan.points:
            if isinstance(point.source, Reply) and point.source.request == line["ask"]:
                reading = scaling.text_reading(point, point.source, line["answer"])
                assert reading is not None, line
                found.append(PointReading(point.number, reading))
    return found


def values_of(plan: DevicePlan, case: dict[str, Any]) -> dict[str, Any]:
    """The good values of the case by name, computed points too."""
    read = from_frames(plan, case["frames"]) if "frames" in case else from_lines(plan, case["lines"])
    polled = [msgspec.structs.replace(point, polled=True) for point in plan.points]
    whole = DerivedPoints(polled).follow(read, 0)
    names = {point.number: point.local_name for point in plan.points}
    return {names[number]: reading.value for number, reading in whole if quality.is_good(reading.quality)}


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.name.removesuffix(".yaml"))
def test_the_frames_of_a_device_become_the_values_that_its_manual_gives_them(case: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(case.read_text(encoding="utf-8"))
    plan, _, _ = profiles.compiled(profile_of(case), tmp_path)
    found = values_of(plan, content)
    assert {name: found.get(name) for name in content["values"]} == {
        name: value if isinstance(value, bool | str) else pytest.approx(value, rel=1e-6)
        for name, value in content["values"].items()
    }


@pytest.mark.parametrize("profile", profiles.NAMES)
def test_every_point_that_a_profile_writes_itself_has_its_frame_and_value(profile: str) -> None:
    own = {name for name, keys in (profiles.written(profile).get("points") or {}).items() if keys != "null"}
    cases = [path for path in CASES.glob(f"{profile}*.yaml") if profile_of(path) == profile]
    assert cases, "no case"
    assert own <= {name for path in cases for name in yaml.safe_load(path.read_text(encoding="utf-8"))["values"]}


@pytest.mark.parametrize(
    ("meter", "taken_for"),
    [("lovato-dmg610", "lovato-dmg210"), ("socomec-countis-e2x", "socomec-countis-e34")],
)
def test_a_frequency_in_the_unit_of_the_other_variant_is_not_believed(
    meter: str, taken_for: str, tmp_path: Path
) -> None:
    case = yaml.safe_load((CASES / f"{meter}.yaml").read_text(encoding="utf-8"))
    plan, _, _ = profiles.compiled(taken_for, tmp_path)
    names = {point.number: point.local_name for point in plan.points}
    found = {names[number]: reading for number, reading in from_frames(plan, case["frames"])}
    assert found["frequency"].quality == quality.IMPLAUSIBLE
    assert found["frequency"].value == pytest.approx(10 * case["values"]["frequency"])
