"""Dependent points: scales, groups, expressions and names in the plan."""

from pathlib import Path

import pytest

from mapping.diagnostics import render
from mapping.plan import Computed, DevicePlan, Plan, PointPlan, RegisterBlock, ScaleFrom
from tests.support.sites import SITE, compile_folder, write_site

ROWS = "points:\n  LD0/GGIO1.AnIn3: io1.temperature\n"
UNMAPPED = "unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


def plan_of(folder: Path, points: str, rows: str = "") -> Plan:
    compiled = compile_folder(write_site(folder, ROWS + rows + UNMAPPED, SITE + points))
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    return compiled.plan


def io1(plan: Plan) -> DevicePlan:
    return next(one for w in plan.workers for line in w.lines for one in line.devices if one.name == "io1")


def point(plan: Plan, name: str) -> PointPlan:
    return next(one for one in io1(plan).points if one.local_name == name)


SUNSPEC = """\
      watts:    {read: holding 40083 int16, scale_from: watts_sf, unit: W}
      hertz:    {read: holding 40090 uint16, unit: Hz}
      watts_sf: {read: holding 40084 int16}
      ratio:    {read: holding 40200 uint16}
      amps:     {read: holding 40220 uint16, scale_from: {point: ratio, as: factor}, unit: A}
"""


def test_a_scale_comes_in_one_request_with_what_it_scales(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SUNSPEC)
    watts, scale, amps, ratio = (point(plan, name) for name in ("watts", "watts_sf", "amps", "ratio"))
    assert watts.scale_from == ScaleFrom(scale.number, power=True)
    assert amps.scale_from == ScaleFrom(ratio.number, power=False)
    assert watts.together == scale.together == watts.number
    assert amps.together == ratio.together == ratio.number
    blocks = [one for one in io1(plan).blocks if isinstance(one, RegisterBlock) and one.address >= 40000]
    assert [(one.address, one.count) for one in blocks] == [(40083, 8), (40200, 21)]


def test_a_scale_is_polled_where_what_it_scales_is(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    (folder / "inverter.yaml").write_text(
        "device: {maker: Somebody, model: Inverter}\npoints:\n"
        "  watts:    {read: holding 83 int16, scale_from: watts_sf, unit: W}\n"
        "  watts_sf: {read: holding 84 int16}\n"
        "  volts_sf: {read: holding 85 int16}\n"
        "  double:   {expr: 2 * watts, unit: W}\n"
    )
    site = "  pv: {line: lan, unit: 3, profile: inverter}\n"
    rows = ROWS + "  LD0/GGIO1.AnIn1: pv.double\n" + UNMAPPED
    plan = compile_folder(write_site(tmp_path, rows, SITE + site)).plan
    assert plan is not None
    pv = next(one for w in plan.workers for line in w.lines for one in line.devices if one.name == "pv")
    polled = {one.local_name for one in pv.points if one.polled}
    assert polled == {"watts", "watts_sf", "double", "online", "last_error"}


def test_the_pattern_that_a_manual_prints_for_nothing_is_what_the_register_reads_as(tmp_path: Path) -> None:
    points = (
        "      watts: {read: holding 500 int16, absent: [0x8000, 0x7fff, -1]}\n"
        "      joules: {read: holding 501 int64, absent: 0x8000000000000000}\n"
        "      volts: {read: holding 505 uint16, absent: 0xffff}\n"
        "      amps: {read: holding 506 float32, absent: [nan, -1]}\n"
    )
    plan = plan_of(tmp_path, points)
    found = {name: point(plan, name).absent for name in ("watts", "joules", "volts", "amps")}
    assert found == {"watts": (-32768, 32767, -1), "joules": (-(2**63),), "volts": (65535,), "amps": ("nan", -1)}


def test_what_is_declared_together_is_one_request_however_far_apart(tmp_path: Path) -> None:
    points = "      first: {read: holding 500 uint16, together: snap}\n      last: {read: holding 600 uint32, together: snap}\n"
    plan = plan_of(tmp_path, points)
    assert RegisterBlock("holding", 500, 102, 1000, (6, 7)) in io1(plan).blocks


def test_a_computed_point_is_no_question_and_as_fresh_as_its_inputs(tmp_path: Path) -> None:
    slow = "      level: {read: holding 400 uint16, every: 20s}\n      sum: {expr: 'level + power + io1.energy', unit: W}\n"
    plan = plan_of(tmp_path, slow)
    found = point(plan, "sum")
    inputs = (("io1.level", 6), ("io1.power", 1), ("io1.energy", 3))
    assert found.source == Computed("level + power + io1.energy", "io1", inputs)
    assert (found.every_ms, found.stale_after_ms) == (1000, 3000)
    assert all(found.number not in block.points for block in io1(plan).blocks)


def test_a_computed_truth_feeds_a_boolean(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "      hot: {expr: temperature > 80 and not relay}\n", "  LD0/GGIO1.Ind1: io1.hot\n")
    (source,) = next(one for one in plan.ieds[0].objects if one.reference == "LD0/GGIO1.Ind1").sources
    assert (source.point, source.values) == (point(plan, "hot").number, ())


def test_the_scale_of_what_is_only_written_is_polled_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    (folder / "inverter.yaml").write_text(
        "device: {maker: Somebody, model: Inverter}\npoints:\n"
        "  limit:    {write: holding 83 uint16, scale_from: limit_sf}\n  limit_sf: {read: holding 400 int16}\n"
    )
    rows = ROWS + "  LD0/GGIO1.SPCSO1: {from: io1.relay, command: pv.limit}\n" + UNMAPPED
    compiled = compile_folder(write_site(tmp_path, rows, SITE + "  pv: {line: lan, unit: 3, profile: inverter}\n"))
    pv = next(one for w in compiled.workers for line in w.lines for one in line.devices if one.name == "pv")
    assert [one for one in pv.blocks if isinstance(one, RegisterBlock)] == [
        RegisterBlock("holding", 400, 1, 1000, (pv.points[1].number,))
    ]


STATES = "      state: {read: holding 400 bits:0-1, enum: {0: intermediate-state, 1: 'off', 2: 'on', 3: bad-state}}\n"


def test_names_that_the_attribute_has_too_need_no_values(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, STATES, "  LD0/XCBR1.Pos: io1.state\n")
    (source,) = next(one for one in plan.ieds[0].objects if one.reference == "LD0/XCBR1.Pos").sources
    assert source.values == (("intermediate-state", 0), ("off", 1), ("on", 2), ("bad-state", 3))


def test_rows_and_commands_take_points_by_name(tmp_path: Path) -> None:
    mode = "      mode: {read: holding 400 uint16, write: holding 400 uint16, enum: {0: idle, 7: running}}\n"
    row = "  LD0/GGIO1.SPCSO1: {from: io1.mode, command: io1.mode, values: {idle: false, running: true}}\n"
    plan = plan_of(tmp_path, mode, row)
    (source,) = next(one for one in plan.ieds[0].objects if one.reference == "LD0/GGIO1.SPCSO1").sources
    assert source.values == (("idle", False), ("running", True))
    assert plan.ieds[0].commands[0].values == ((False, "idle"), (True, "running"))


def test_a_null_takes_a_point_of_the_profile_away(tmp_path: Path) -> None:
    site = "  meter: {line: lan, unit: 3, profile: eastron-sdm120, points: {frequency: null}}\n"
    compiled = compile_folder(write_site(tmp_path, ROWS + UNMAPPED, SITE + site))
    assert render(compiled.diagnostics.found) == ""
    meter = next(d for w in compiled.workers for line in w.lines for d in line.devices if d.name == "meter")
    names = {one.local_name for one in meter.points}
    assert "voltage_l1" in names
    assert "frequency" not in names


@pytest.mark.parametrize("name", ["mode", "state"])
def test_a_name_that_the_point_lacks_is_told_with_those_that_it_has(tmp_path: Path, name: str) -> None:
    points = f"      {name}: {{read: holding 400 uint16, enum: {{0: idle, 7: running}}}}\n"
    row = f"  LD0/GGIO1.Ind1: {{from: io1.{name}, values: {{runing: true}}}}\n"
    compiled = compile_folder(write_site(tmp_path, ROWS + row + UNMAPPED, SITE + points))
    (finding,) = compiled.diagnostics.errors
    assert finding.message == f"`runing` is no value of `io1.{name}`, expected idle, running"
    assert finding.hint == "did you mean `running`?"
