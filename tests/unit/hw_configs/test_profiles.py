"""The demo compiles without a warning, and instruments that are asked in text read back what they show."""

from pathlib import Path

import pytest

from acquisition.decoding import scaling
from acquisition.simulate.device import SimulatedDevice
from mapping.diagnostics import render
from mapping.plan import RegisterBlock, Reply
from tests.support import profiles
from tests.support.sites import compile_folder

CONFIGS = Path(__file__).parents[3] / "hw_configs"


def test_the_demo_compiles_without_a_finding() -> None:
    compiled = compile_folder(CONFIGS / "demo")
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    assert [worker.name for worker in compiled.plan.workers] == ["tcp", "rs485-1", "scale-1"]


@pytest.mark.parametrize("name", [name for name in profiles.NAMES if profiles.in_text(name)])
def test_an_instrument_that_is_asked_in_text_reads_back_what_its_simulated_twin_shows(
    name: str, tmp_path: Path
) -> None:
    plan, _, _ = profiles.compiled(name, tmp_path)
    device = SimulatedDevice(plan)
    device.tick(1_700_000_000)
    for point, source in ((one, one.source) for one in plan.points if isinstance(one.source, Reply)):
        line = device.line(source.request)
        assert line is not None
        reading = scaling.text_reading(point, source, line)
        assert reading is not None
        assert reading.value == device.values[point.local_name], point.name


def test_point_names_are_lower_snake_case_and_every_block_keeps_the_limits_of_its_profile() -> None:
    compiled = compile_folder(CONFIGS / "demo")
    assert compiled.plan is not None
    for worker in compiled.plan.workers:
        for device in (device for line in worker.lines for device in line.devices):
            assert all(point.local_name == point.local_name.lower() for point in device.points)
            blocks = [block for block in device.blocks if isinstance(block, RegisterBlock)]
            assert all(block.count <= device.polling.max_registers for block in blocks)
