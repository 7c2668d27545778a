"""Measured values of simulated meters: they are consistent."""

import pytest

from acquisition.simulate import physics

SECOND = 1_700_000_000


def measured(name: str) -> float:
    return physics.value("meter", name, SECOND)


@pytest.mark.parametrize("energy", ["import_energy", "export_energy", "import_reactive_energy", "total_energy"])
def test_phases_and_tariffs_add_up_to_the_whole_of_an_energy(energy: str) -> None:
    assert sum(measured(f"{energy}_l{phase}") for phase in (1, 2, 3)) == pytest.approx(measured(energy))
    assert measured(f"{energy}_t1") + measured(f"{energy}_t2") == pytest.approx(measured(energy))


def test_a_demand_is_that_of_its_power_and_averages_are_those_of_their_phases() -> None:
    assert measured("active_power_demand") == measured("total_active_power")
    assert measured("voltage_average") == pytest.approx(sum(measured(f"voltage_l{phase}") for phase in (1, 2, 3)) / 3)
    assert measured("voltage_ll_average") == pytest.approx(measured("voltage_average") * 3**0.5)


def test_a_power_factor_in_four_quadrant_code_is_the_power_factor_while_it_is_inductive() -> None:
    assert measured("power_factor_code_l1") == measured("power_factor_l1")
    assert measured("total_power_factor_code") == measured("total_power_factor")
