"""Register forms over a real line: what the site declares, the simulated device shows, and the worker publishes."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from acquisition.decoding.derived_points import DerivedPoints
from acquisition.decoding.point_readings import PointReading
from bus import quality
from bus.messages import Outcome
from mapping.plan import DevicePlan
from tests.support import steady_loop
from tests.support.field import Field, polled
from tests.support.sites import SITE, compile_folder, write_site

POINTS = """\
  pv:
    line: lan
    every: 50ms
    timeout: 500ms
    points:
      total_active_power: {read: holding 40083 int16, scale_from: power_sf, unit: W}
      power_sf:           {read: holding 40084 int16}
      voltage_l1:         {read: holding 40100 uint16, scale: 0.1, unit: V, min: 100, max: 300}
      current_l1:         {read: holding 40102 float16, unit: A}
      apparent:           {expr: voltage_l1 * current_l1, unit: VA}
      state:              {read: "holding 40107 bits:4-6", enum: {1: "off", 4: running, 7: fault}}
      mode:               {read: holding 40120 uint16, write: holding 40120 uint16, enum: {0: idle, 3: charge}}
      limit:              {read: holding 40140 uint16, write: holding 40140 uint16, scale_from: limit_sf, unit: "%"}
      limit_sf:           {read: holding 40141 int16}
      clock:              {read: holding 40130 time:iec870, unit: s}
"""
ROWS = "points:\n  LD0/GGIO1.AnIn1: pv.apparent\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


@pytest.fixture
def pv(tmp_path: Path) -> DevicePlan:
    plan = compile_folder(write_site(tmp_path, ROWS, SITE + POINTS)).plan
    assert plan is not None
    return next(one for worker in plan.workers for line in worker.lines for one in line.devices if one.name == "pv")


class Follower:
    """Derived points of a worker, from the publications of the line."""

    def __init__(self, field: Field, plan: DevicePlan) -> None:
        self._field = field
        self._derived = DerivedPoints(plan.points)
        self._names = {one.number: one.local_name for one in plan.points}

    def now(self) -> dict[str, PointReading]:
        """The latest of each point, computed ones too."""
        found = self._derived.follow(self._field.seen, 0)
        return {self._names[one.point]: one for one in found}

    def values(self) -> dict[str, object]:
        return {name: one.reading.value for name, one in self.now().items()}


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    steady_loop.run(scenario())  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["modbus-tcp", "modbus-rtu"])
def test_every_form_comes_over_a_line_as_the_device_has_it(protocol: str, pv: DevicePlan) -> None:
    async def scenario() -> None:
        async with polled(protocol, pv) as field:
            follower = Follower(field, pv)
            device = field.devices["pv"]
            device.set("voltage_l1", 231.5)
            device.set("current_l1", 2.0)
            device.set("state", "fault")
            device.set("power_sf", 1)
            device.set("total_active_power", 4630.0)
            await field.until(lambda: follower.values().get("apparent") == 463.0)
            await field.until(lambda: follower.values().get("total_active_power") == 4630.0)
            shown = follower.values()
            assert {name: shown[name] for name in device.values} == device.values
            assert (shown["state"], shown["power_sf"]) == ("fault", 1)

    run(scenario)


def test_a_scale_that_vanishes_and_a_value_beyond_belief_are_told_and_nothing_else_suffers(pv: DevicePlan) -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", pv) as field:
            follower = Follower(field, pv)
            device = field.devices["pv"]
            device.set("power_sf", -32768)
            device.set("voltage_l1", 6553.5)
            await field.until(lambda: follower.values().get("voltage_l1") == 6553.5)
            shown = {name: one.reading for name, one in follower.now().items()}
            assert shown["voltage_l1"].quality == quality.IMPLAUSIBLE
            assert shown["voltage_l1"].reason == "6553.5 V is above 300"
            assert shown["total_active_power"].reason == "its scale is not known: 10^-32768"
            assert shown["apparent"].quality == quality.IMPLAUSIBLE
            assert shown["apparent"].value is None
            assert shown["state"].quality == quality.GOOD

    run(scenario)


def test_a_command_is_given_by_name_and_proven_by_name(pv: DevicePlan) -> None:
    number = next(one.number for one in pv.points if one.local_name == "mode")

    async def scenario() -> None:
        async with polled("modbus-tcp", pv) as field:
            field.command(number, "charge")
            await field.until(lambda: Outcome.PROVEN in field.outcomes)
            assert field.devices["pv"].values["mode"] == "charge"
            assert field.devices["pv"].registers["holding", 40120] == 3
            field.command(number, "melt")
            await field.until(lambda: len(field.results) == 3)
            last = field.results[-1]
            assert (last.outcome, last.reason) == (Outcome.UNFIT_VALUE, "'melt', expected one of idle, charge")

    run(scenario)


def test_what_is_written_has_the_scale_that_its_register_says_or_is_not_written(pv: DevicePlan) -> None:
    number = next(one.number for one in pv.points if one.local_name == "limit")

    async def scenario() -> None:
        async with polled("modbus-tcp", pv) as field:
            device = field.devices["pv"]
            field.command(number, 62.5)
            await field.until(lambda: len(field.results) == 1)
            first = field.results[0]
            assert (first.outcome, first.reason) == (Outcome.UNFIT_VALUE, "its scale is not known: not read yet")
            device.set("limit_sf", -2)
            device.set("limit", 100.0)
            await field.until(lambda: Follower(field, pv).values().get("limit") == 100.0)
            field.command(number, 62.5)
            await field.until(lambda: Outcome.PROVEN in field.outcomes)
            assert device.registers["holding", 40140] == 6250
            assert Follower(field, pv).values()["limit"] == 62.5
            device.set("limit_sf", -32768)
            await field.until(lambda: Follower(field, pv).now()["limit"].reading.value is None)
            field.command(number, 50.0)
            await field.until(lambda: field.outcomes[-1] is Outcome.UNFIT_VALUE)
            assert field.results[-1].reason == "its scale is not known: 10^-32768"
            assert device.writes[-1] == ("holding", 40140, (6250,))

    run(scenario)
