"""The simulated device turns each register form round: what its registers hold reads back as what it says it measures."""

import pytest

from acquisition.decoding import point_readings
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import DevicePlan, PointPlan, PollSettings, Register, RegisterBlock, ScaleFrom

SECOND = 1_710_684_309


def point(number: int, name: str, unit: str, register: Register, **more: object) -> PointPlan:
    return PointPlan(number, f"pv.{name}", unit, register, True, 3000, 1000, **more)  # type: ignore[arg-type]


def holding(address: int, kind: str, count: int = 1, **more: object) -> Register:
    return Register("holding", address, kind, count, **more)  # type: ignore[arg-type]


POINTS = (
    point(0, "total_active_power", "W", holding(0, "int16"), scale_from=ScaleFrom(1, True)),
    point(1, "w_sf", "", holding(1, "int16")),
    point(2, "voltage_l1", "V", holding(2, "uint16"), scale_from=ScaleFrom(4, True), scale=0.5),
    point(3, "voltage_l2", "V", holding(3, "uint16"), scale_from=ScaleFrom(4, True)),
    point(4, "v_sf", "", holding(4, "int16")),
    point(5, "current_l1", "A", holding(5, "float16"), scale_from=ScaleFrom(6, False)),
    point(6, "ct_ratio", "", holding(6, "uint16"), scale=0.1),
    point(7, "state", "", holding(7, "bits", low_bit=3, high_bit=5), enum=((2, "running"), (4, "tripped"))),
    point(8, "clock", "s", holding(8, "time:iec870", 4)),
    point(12, "import_energy", "kWh", holding(12, "mod10", 3)),
    point(15, "balance", "W", holding(15, "sbcd32", 2), minimum=-100.0, maximum=15.0),
    point(17, "uptime", "s", holding(17, "time:unix32", 2)),
    point(20, "milliseconds", "s", holding(20, "time:unix64", 4), scale=0.001),
    point(19, "alarm", "", holding(7, "bit", low_bit=0, high_bit=0, order="badc")),
)
BLOCK = RegisterBlock("holding", 0, 24, 1000, tuple(one.number for one in POINTS))
PLAN = DevicePlan("pv", 1, None, PollSettings(), POINTS, (BLOCK,))


def ticked() -> SimulatedDevice:
    device = SimulatedDevice(PLAN)
    device.tick(SECOND)
    return device


def shown(device: SimulatedDevice) -> dict[str, object]:
    words = {address: word for (_, address), word in device.registers.items()}
    names = {one.number: one.local_name for one in POINTS}
    found = point_readings.from_registers(point_readings.located(PLAN, BLOCK), words)
    return {names[number]: reading.value for number, reading in found}


def test_every_form_reads_back_as_what_the_device_says_it_measures() -> None:
    device = ticked()
    assert shown(device) == device.values
    assert device.values["state"] == "running"
    assert device.values["clock"] == device.values["uptime"] == device.values["milliseconds"] == SECOND
    assert device.values["balance"] == 15


def test_the_scale_that_a_device_shows_is_the_finest_in_which_all_its_values_fit() -> None:
    device = ticked()
    assert (device.values["w_sf"], device.values["v_sf"]) == (0, -2)
    assert device.values["voltage_l1"] == pytest.approx(230, rel=0.02)
    assert device.values["total_active_power"] == pytest.approx(15_000, rel=0.1)
    device.set("total_active_power", 250.5)
    device.tick(SECOND + 1)
    assert (device.values["w_sf"], device.values["total_active_power"]) == (-2, 250.5)


def test_what_is_set_is_what_is_read() -> None:
    device = ticked()
    changed: dict[str, float | str | bool] = {
        "voltage_l2": 231.25,
        "state": "tripped",
        "import_energy": 123_456_789,
        "balance": -42,
        "alarm": True,
    }
    for name, value in changed.items():
        device.set(name, value)
    assert {name: shown(device)[name] for name in changed} == changed
    assert shown(device) == device.values


def test_a_scale_that_means_nothing_takes_the_values_with_it() -> None:
    device = ticked()
    device.set("v_sf", -32768)
    assert (shown(device)["voltage_l1"], device.values["voltage_l1"], device.values["voltage_l2"]) == (None, None, None)
    device.tick(SECOND + 1)
    assert shown(device)["voltage_l2"] is None


def test_a_scale_in_which_what_was_set_does_not_fit_is_refused_and_changes_nothing() -> None:
    device = ticked()
    device.set("total_active_power", 30_000)
    before = dict(device.registers)
    with pytest.raises(ValueError, match=r"^300000 does not fit a int16$"):
        device.set("w_sf", -1)
    assert device.registers == before
    device.tick(SECOND + 1)
    assert device.values["total_active_power"] == 30_000


def test_what_is_measured_follows_a_scale_that_was_set_as_far_as_the_register_goes() -> None:
    device = ticked()
    device.set("total_active_power", 3.0)
    device.set("w_sf", -3)
    del device.fixed["total_active_power"]
    device.tick(SECOND + 1)
    assert device.values["total_active_power"] == pytest.approx(14.9, rel=0.1)


def test_a_name_that_the_point_lacks_cannot_be_set() -> None:
    with pytest.raises(ValueError, match=r"^'melted', expected one of running, tripped$"):
        ticked().set("state", "melted")
