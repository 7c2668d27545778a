"""One suite over every device profile that ships: names, registers, proposals, limits, and the way through a line."""

import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from acquisition.decoding import point_readings, scaling
from acquisition.drivers import modbus_device
from acquisition.drivers.base import Read, Registers
from acquisition.drivers.modbus_rtu import ModbusRtu
from acquisition.exchange.identification import mismatch
from acquisition.simulate.device import SimulatedDevice
from bus import quality
from mapping.block_planning import planner
from mapping.plan import DevicePlan, Identify, PointPlan, Register, RegisterBlock
from mapping.schema.json_schema import FILES
from tests.support import profiles
from tests.support.proposals import cdc, references
from tests.support.sites import framing

PHASE = "l[123]"
LINE = "(l1_l2|l2_l3|l3_l1)"
POWER = "(active|reactive|apparent)_power"
ENERGY = "((reactive|apparent)_)?energy"
CHANNEL = "[1-9][0-9]*"
VOCABULARY = re.compile(
    "|".join(
        (
            f"voltage_({PHASE}|{LINE}|average|ll_average)",
            f"current_({PHASE}|n|ground|average|sum)",
            f"{POWER}_{PHASE}|(total|import|export)_{POWER}",
            f"(power_factor|power_factor_code|phase_angle)_{PHASE}|total_(power_factor|power_factor_code|phase_angle)",
            "frequency|phase_sequence|operating_hours|charge|unbalance_(voltage|current)",
            f"((import|export|net|total)_{ENERGY}|reactive_energy)(_{PHASE}|_t[1-4]|_q[1-4])?",
            f"partial_(import|export|total)_{ENERGY}",
            f"thd_(voltage|current)_({PHASE}|{LINE}|average)",
            f"((import|export)_)?{POWER}_demand(_max)?|current_(({PHASE}|n)_)?demand(_max)?|current_demand_{PHASE}",
            f"(input|output|relay|counter|range|input_word|output_word|analog_input|analog_input_raw)_{CHANNEL}",
            f"temperature(_{CHANNEL})?|(bath|setpoint|upper_limit|lower_limit)_temperature|weight",
            "(current|voltage)_ratio|tariff|status|diagnostics|digital_(in|out)puts|watchdog_status",
            "(analog|digital)_(in|out)put_image_bits|firmware|series|version|meter_code",
        )
    )
)
PHASORS = {"l1": "phsA", "l2": "phsB", "l3": "phsC", "n": "neut", "l1_l2": "phsAB", "l2_l3": "phsBC", "l3_l1": "phsCA"}
NAN = bytes.fromhex("ffc00000")
MODBUS = [name for name in profiles.NAMES if not profiles.in_text(name)]

every = pytest.mark.parametrize("name", profiles.NAMES)
every_modbus = pytest.mark.parametrize("name", MODBUS)


@every
def test_it_compiles_without_a_finding_and_feeds_all_that_it_proposes(name: str, tmp_path: Path) -> None:
    _, found, fed = profiles.compiled(name, tmp_path)
    assert found == ""
    assert fed == references(profiles.proposed(name))


@every
def test_what_it_proposes_are_objects_of_the_standard_and_no_two_points_propose_the_same(name: str) -> None:
    proposals = [
        one
        for keys in profiles.points(name).values()
        for given in [keys.get("proposes", [])]
        for one in ([given] if isinstance(given, str) else given)
    ]
    assert [one for one in proposals if cdc(one) is None] == []
    assert len(proposals) == len(set(proposals))


@every
def test_its_names_are_of_the_vocabulary_and_their_phases_are_those_of_the_proposal(name: str) -> None:
    for point, keys in profiles.points(name).items():
        assert VOCABULARY.fullmatch(point), point
        phase = re.search(r"_(l1_l2|l2_l3|l3_l1|l[123]|n)$", point)
        given = keys.get("proposes", [])
        for one in [given] if isinstance(given, str) else given:
            last = one.rpartition(".")[2]
            if last in PHASORS.values():
                assert point.startswith("total_") or (phase is not None and PHASORS[phase.group(1)] == last), point


@every
def test_its_file_is_named_for_maker_and_model_and_says_whose_it_is(name: str) -> None:
    profile = FILES["device"].model_validate(profiles.typed(name))
    text = (profiles.DEVICES / f"{name}.yaml").read_text(encoding="utf-8")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
    assert name.startswith(profile.device.maker.lower().partition(" ")[0])  # type: ignore[attr-defined]
    assert text.startswith("# "), "its first lines say what is particular about it"


def test_a_name_or_alias_means_one_profile() -> None:
    names = [alias for name in profiles.NAMES for alias in profiles.written(name)["device"].get("aliases", [])]
    assert len(names) == len(set(names))
    assert not set(names) & set(profiles.NAMES)


def by_table(plan: DevicePlan) -> dict[str, list[tuple[int, int, PointPlan]]]:
    found: dict[str, list[tuple[int, int, PointPlan]]] = {}
    for point in plan.points:
        if isinstance(point.source, Register):
            span = (point.source.address, point.source.address + point.source.count, point)
            found.setdefault(point.source.table, []).append(span)
    return {table: sorted(spans, key=lambda one: one[:2]) for table, spans in found.items()}


@every_modbus
def test_no_two_points_stand_in_the_same_register(name: str, tmp_path: Path) -> None:
    plan, _, _ = profiles.compiled(name, tmp_path)
    for spans in by_table(plan).values():
        for (_, end, one), (start, beyond, other) in pairwise(spans):
            assert beyond <= 0x10000
            assert end <= start, f"{one.local_name} and {other.local_name}"


@every_modbus
def test_a_master_that_reads_all_of_it_gets_what_its_simulated_twin_measures(name: str, tmp_path: Path) -> None:
    plan, _, _ = profiles.compiled(name, tmp_path)
    device = SimulatedDevice(plan)
    device.tick(1_700_000_000)
    asked = [msgspec.structs.replace(point, polled=True) for point in plan.points if point.asked]
    physics = planner.physics(framing("modbus-rtu"), {"baudrate": 9600})
    blocks = planner.plan_blocks(asked, physics, max_registers=plan.polling.max_registers, max_gap=0)
    read: dict[str, object] = {}
    for block in blocks:
        assert isinstance(block, RegisterBlock)
        assert block.count <= plan.polling.max_registers * (16 if block.table in ("coil", "discrete") else 1)
        values = dict(
            enumerate(over_rtu(device, Read(plan.unit, block.table, block.address, block.count)), block.address)
        )
        for number, reading in point_readings.from_registers(point_readings.located(plan, block), values):
            point = next(one for one in plan.points if one.number == number)
            assert quality.is_good(reading.quality), (point.local_name, reading)
            read[point.local_name] = reading.value
    assert read == {point.local_name: device.values[point.local_name] for point in asked}


def over_rtu(device: SimulatedDevice, read: Read) -> tuple[int, ...]:
    """Registers of the device's response to `read`, through frames of both sides."""
    driver = ModbusRtu()
    request = driver.request(read, 0)
    answer = bytearray(FramerRTU(DecodePDU(False)).encode(modbus_device.answer(device, request[1:-2]), read.unit, 0))
    found = driver.take(read, 0, answer)
    assert isinstance(found, Registers)
    return found.values


@every_modbus
def test_a_simulated_twin_is_the_device_that_the_profile_identifies(name: str, tmp_path: Path) -> None:
    plan, _, _ = profiles.compiled(name, tmp_path)
    if plan.identify is None:
        return
    device = SimulatedDevice(plan)
    device.tick(1_700_000_000)
    register = plan.identify.register
    raw = over_rtu(device, Read(plan.unit, register.table, register.address, register.count))
    assert mismatch(plan.identify, raw) is None
    assert mismatch(Identify(register, equals="another"), raw) is not None


@every_modbus
def test_what_a_device_shows_for_no_measurement_is_no_number(name: str, tmp_path: Path) -> None:
    plan, _, _ = profiles.compiled(name, tmp_path)
    for point in plan.points:
        for absent in point.absent:
            assert isinstance(point.source, Register)
            octets = (
                NAN if absent == "nan" else int(absent).to_bytes(2 * point.source.count, "big", signed=int(absent) < 0)
            )
            words = [octets[at] << 8 | octets[at + 1] for at in range(0, len(octets), 2)]
            raw = words[::-1] if point.source.order == "cdab" else words
            reading = scaling.reading(point, point.source, raw)
            assert (reading.value, reading.reason) == (None, "the device gives no measurement"), point.local_name
