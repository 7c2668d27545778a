"""Motion in a simulated device: points that follow another one."""

import pytest

from acquisition.drivers.device_side import Fault
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import PointPlan, Simulation
from tests.support.field import device, point, register


def coil(number: int, name: str) -> PointPlan:
    return point(number, f"io.{name}", register("coil", number, "bool"), write=register("coil", number, "bool"))


BREAKER = Simulation(300, follows="breaker", values=(("false", 1), ("true", 2)))
CHANGER = Simulation(500, up="higher", down="lower", least=-1, most=2)
POINTS = [
    coil(0, "breaker"),
    coil(1, "higher"),
    coil(2, "lower"),
    point(3, "io.position", register("input", 0), simulate=BREAKER),
    point(4, "io.tap", register("input", 1, "int16"), simulate=CHANGER),
    point(5, "io.top", register("discrete", 0, "bool"), simulate=Simulation(0, follows="tap", values=(("2", True),))),
]


@pytest.fixture
def simulated() -> SimulatedDevice:
    one = SimulatedDevice(device("io", 1, POINTS, []))
    one.tick(0)
    one.advance(100.0)
    return one


def after(simulated: SimulatedDevice, now_s: float) -> object:
    simulated.advance(now_s)
    simulated.tick(int(now_s))
    return simulated.values["position"]


def test_a_breaker_travels_from_one_position_to_the_other(simulated: SimulatedDevice) -> None:
    assert simulated.values["position"] == 1
    simulated.written("coil", 0, [1])
    assert [after(simulated, at) for at in (100.0, 100.29, 100.3, 105.0)] == [0, 0, 2, 2]
    simulated.written("coil", 0, [1])
    assert after(simulated, 105.1) == 2
    simulated.written("coil", 0, [0])
    assert [after(simulated, at) for at in (105.1, 105.4)] == [0, 1]


def test_a_breaker_that_is_turned_back_on_its_way_arrives_where_it_was_sent_last(simulated: SimulatedDevice) -> None:
    simulated.written("coil", 0, [1])
    simulated.advance(100.2)
    simulated.written("coil", 0, [0])
    assert [after(simulated, at) for at in (100.3, 100.45, 100.5, 101.0)] == [0, 0, 1, 1]


def test_a_tap_changer_steps_when_it_is_told_and_stops_at_its_ends(simulated: SimulatedDevice) -> None:
    def told(at: float, name: str) -> tuple[object, object]:
        simulated.advance(at)
        simulated.written("coil", 1 if name == "higher" else 2, [1])
        simulated.written("coil", 1 if name == "higher" else 2, [0])
        before = simulated.values["tap"]
        simulated.advance(at + 0.5)
        return before, simulated.values["tap"]

    ups = [told(100.0 + number, "higher") for number in range(3)]
    assert ups == [(0, 1), (1, 2), (2, 2)]
    assert (simulated.values["tap"], simulated.values["top"]) == (2, True)
    downs = [told(110.0 + number, "lower") for number in range(4)]
    assert downs == [(2, 1), (1, 0), (0, -1), (-1, -1)]
    assert (simulated.values["tap"], simulated.values["top"]) == (-1, False)
    simulated.written("coil", 1, [1])
    simulated.written("coil", 1, [1])
    simulated.advance(120.0)
    assert simulated.values["tap"] == 1


def test_nothing_follows_in_a_device_that_is_stuck(simulated: SimulatedDevice) -> None:
    simulated.fault = Fault("stuck")
    simulated.written("coil", 0, [1])
    assert after(simulated, 101.0) == 1


def test_what_a_test_sets_is_followed_too(simulated: SimulatedDevice) -> None:
    simulated.set("breaker", True)
    assert after(simulated, 100.3) == 2
    simulated.set("position", 3)
    assert after(simulated, 110.0) == 3


def test_what_a_master_can_write_stands_still_until_one_does() -> None:
    limit = point(0, "io.limit", register("holding", 5, "float32", 2), write=register("holding", 5, "float32", 2))
    shown = point(1, "io.shown", register("holding", 7, "float32", 2))
    simulated = SimulatedDevice(device("io", 1, [limit, shown], []))
    seen = []
    for second in (0, 30):
        simulated.tick(second)
        seen.append((simulated.values["limit"], simulated.values["shown"]))
    (limit_before, shown_before), (limit_after, shown_after) = seen
    assert limit_before == limit_after
    assert shown_before != shown_after
