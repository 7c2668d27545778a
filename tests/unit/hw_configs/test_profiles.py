"""Everything that ships compiles without a warning, and every profile reads back what its registers hold."""

from pathlib import Path

import pytest

from acquisition import convert
from acquisition.simulate.device import SimulatedDevice
from mapping.diagnostics import render
from mapping.plan import Register, RegisterBlock
from tests.support.sites import compile_folder, write_site

CONFIGS = Path(__file__).parents[3] / "hw_configs"
PROFILES = sorted(path.stem for path in (CONFIGS / "devices").glob("*.yaml"))


def test_the_demo_compiles_without_a_finding() -> None:
    compiled = compile_folder(CONFIGS / "demo")
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    assert [worker.name for worker in compiled.plan.workers] == ["tcp", "rs485-1", "scale-1"]


def site_of(profile: str) -> str:
    line = "scale-1" if profile == "mettler-toledo-sics" else "rs"
    return (
        'site: one\nieds:\n  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}\n'
        "lines:\n  rs: {protocol: modbus-rtu, port: /dev/nowhere}\n"
        "  scale-1: {protocol: serial-ascii, port: /dev/nothing}\n"
        f"devices:\n  meter: {{line: {line}, profile: {profile}, every: 5s}}\n"
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_compiles_and_its_simulated_device_reads_back(profile: str, tmp_path: Path) -> None:
    rows = "points:\n  LD0/GGIO1.Ind1: meter.online\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
    compiled = compile_folder(write_site(tmp_path, rows, site_of(profile)))
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    plan = next(d for w in compiled.plan.workers for line in w.lines for d in line.devices)
    device = SimulatedDevice(plan)
    device.tick(1_700_000_000)
    for point in plan.points:
        if isinstance(point.source, Register):
            addresses = range(point.source.address, point.source.address + point.source.count)
            raw = [device.registers[point.source.table, address] for address in addresses]
            assert convert.reading(point, point.source, raw).value == device.values[point.local_name], point.name


def test_point_names_are_lower_snake_case_and_every_block_keeps_the_limits_of_its_profile() -> None:
    compiled = compile_folder(CONFIGS / "demo")
    assert compiled.plan is not None
    for worker in compiled.plan.workers:
        for device in (device for line in worker.lines for device in line.devices):
            assert all(point.local_name == point.local_name.lower() for point in device.points)
            blocks = [block for block in device.blocks if isinstance(block, RegisterBlock)]
            assert all(block.count <= device.max_registers for block in blocks)
