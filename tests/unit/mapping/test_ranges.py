"""Ranges of names: their members, the place of each, and the keys of one name, which win."""

from pathlib import Path

import pytest

from mapping.diagnostics import Diagnostics, Span, render
from mapping.located_yaml import ranges
from mapping.located_yaml.located import Located, load
from mapping.plan import DevicePlan, Plan, Register
from tests.support.sites import compile_folder, write_site

SITE = """\
site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  lan[1..3]: {protocol: modbus-tcp, host: "10.0.0.{n + 10}", port: 502}
  lan2: {port: 503}
devices:
  feeder[08..11]: {line: lan1, unit: "{n}", profile: eastron-sdm630, every: 5s, points: {spare: {read: input 500 uint16}}}
  feeder09: {line: lan2, profile: eastron-sdm120, points: {frequency: null}}
  io:
    line: lan3
    points:
      di[1..4]: {read: "discrete {2 * n - 2} bool"}
"""
ROWS = """\
points:
  LD0/GGIO1.Ind[1..4]: io.di{n}
  LD0/GGIO1.Ind3: io.online
  LD0/GGIO1.AnIn[1..1]: {from: "feeder09.voltage_l{n}"}
unmapped: ["LD0/GGIO1.AnIn[2..3]", LD0/GGIO1.SPCSO1, LD0/XCBR1, LD0/MMTR1]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    compiled = compile_folder(write_site(tmp_path, ROWS, SITE))
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    return compiled.plan


def devices(plan: Plan) -> dict[str, DevicePlan]:
    return {one.name: one for worker in plan.workers for line in worker.lines for one in line.devices}


def test_a_range_becomes_its_members_in_its_place(plan: Plan) -> None:
    hosts = {line.name: line.settings for worker in plan.workers for line in worker.lines}
    assert hosts == {
        "lan1": {"host": "10.0.0.11", "port": 502},
        "lan2": {"host": "10.0.0.12", "port": 503},
        "lan3": {"host": "10.0.0.13", "port": 502},
    }
    found = {name: (one.unit, one.profile) for name, one in devices(plan).items()}
    assert found == {
        "feeder08": (8, "eastron-sdm630"),
        "feeder10": (10, "eastron-sdm630"),
        "feeder11": (11, "eastron-sdm630"),
        "feeder09": (9, "eastron-sdm120"),
        "io": (1, None),
    }


def test_what_is_said_of_one_member_is_laid_over_what_is_said_of_all(plan: Plan) -> None:
    names = {one.local_name for one in devices(plan)["feeder09"].points}
    assert "spare" in names
    assert "frequency" not in names
    assert "frequency" in {one.local_name for one in devices(plan)["feeder08"].points}


def test_points_and_rows_have_ranges_of_their_own(plan: Plan) -> None:
    points = {one.local_name: one for one in devices(plan)["io"].points}
    sources = [points[f"di{n}"].source for n in (1, 2, 3, 4)]
    assert sources == [Register("discrete", address, "bool", 1) for address in (0, 2, 4, 6)]
    fed = {one.reference: one.sources[0].point for one in plan.ieds[0].objects}
    assert fed["LD0/GGIO1.Ind2"] == points["di2"].number
    assert fed["LD0/GGIO1.Ind3"] == points["online"].number


def expanded(folder: Path, text: str) -> tuple[Located, Diagnostics]:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    found = Diagnostics()
    located = load(folder / "x.yaml", found)
    assert located is not None
    ranges.expand(located, ("a",), found, merge=True)
    return located, found


def test_a_member_stands_where_its_range_does(tmp_path: Path) -> None:
    located, _ = expanded(tmp_path, "a:\n  x[1..2]: {port: '{n}'}\n  x2: {port: 7}\n")
    file = str(tmp_path / "x.yaml")
    assert located.data == {"a": {"x1": {"port": 1}, "x2": {"port": 7}}}
    assert located.key_at("a", "x1") == Span(file, 2, 3, 7)
    assert located.at("a", "x1", "port") == Span(file, 2, 19, 5)
    assert located.at("a", "x2", "port") == Span(file, 3, 14, 1)


NUMBERS = [
    ("'{n}'", 7), ("'{n + 10}'", 17), ("'{2 * n - 1}'", 13), ("'{(n + 1) * 10}'", 80), ("'a{n}b'", "a07b"),
    ("'{n}.{n + 0}.{n}'", "07.7.07"), ("'[0-9]{3}'", "[0-9]{3}"), ("'{name}'", "{name}"), ("5", 5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_whole_number_is_a_number_and_within_a_text_it_is_as_the_key_counts(
    tmp_path: Path, text: str, value: object
) -> None:
    located, found = expanded(tmp_path, f"a:\n  x[07..07]: [{text}]\n")
    assert (located.data, list(found)) == ({"a": {"x07": [value]}}, [])


def test_a_range_of_points_within_a_range_of_devices_counts_for_itself(tmp_path: Path) -> None:
    text = "devices:\n  x[1..2]: {unit: '{n}', points: {'y[5..6]': {read: 'holding {n} int16'}}}\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    found = Diagnostics()
    located = load(tmp_path / "x.yaml", found)
    assert located is not None
    ranges.expand_site(located, found)
    points = {"y5": {"read": "holding 5 int16"}, "y6": {"read": "holding 6 int16"}}
    assert located.data == {"devices": {"x1": {"unit": 1, "points": points}, "x2": {"unit": 2, "points": points}}}
    assert located.at("devices", "x2", "points", "y6", "read").line == 2


def test_brackets_that_count_nothing_are_left_to_whoever_reads_them(tmp_path: Path) -> None:
    located, found = expanded(tmp_path, "a:\n  'LD0/MMXU1.TotW[MX]': x\n")
    assert (located.data, list(found)) == ({"a": {"LD0/MMXU1.TotW[MX]": "x"}}, [])
