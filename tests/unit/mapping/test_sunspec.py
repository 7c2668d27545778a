"""SunSpec: the chain of models that a device shows, and the profile that is written of it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acquisition.decoding import point_readings
from bus import quality
from mapping.plan import DevicePlan, Register
from mapping.sunspec.chain import Ask, Chain, Model, SunSpecError, Words, discover
from mapping.sunspec.names import MEASURING, snake
from mapping.sunspec.points import definition, points
from mapping.sunspec.profile import profile
from tests.support import sunspec_device
from tests.support.proposals import cdc
from tests.support.sites import compile_folder, write_site

ROWS = "points:\n  LD0/GGIO1.Ind1: pv.online\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


def followed(ask: Callable[[Ask], Words]) -> Chain:
    discovery = discover()
    wanted = next(discovery)
    while True:
        try:
            wanted = discovery.send(ask(wanted))
        except StopIteration as found:
            chain: Chain = found.value
            return chain


def chain_of(registers: dict[int, int]) -> Chain:
    return followed(lambda ask: sunspec_device.read(registers, ask.address, ask.count))


@pytest.mark.parametrize("base", [40000, 50000, 0])
@pytest.mark.parametrize("length", [65, 66])
def test_the_chain_is_found_at_each_base_and_followed_by_the_lengths_that_the_device_announces(
    base: int, length: int
) -> None:
    first = base + 4 + length
    assert chain_of(sunspec_device.device(base, length)) == Chain(
        base,
        (
            Model(1, base + 2, length),
            Model(103, first, 50),
            Model(120, first + 52, 26),
            Model(1, first + 80, 65),
            Model(203, first + 147, 105),
        ),
        {"Mn": "Fabrikam", "Md": "PV 10", "Vr": "1.4.2", "SN": "S/N 77"},
        ended=True,
    )


def test_a_device_that_refuses_to_be_read_on_ends_its_chain_there() -> None:
    registers = {at: word for at, word in sunspec_device.device().items() if at < 40122}
    chain = chain_of(registers)
    assert [model.number for model in chain.models] == [1, 103]
    assert not chain.ended
    assert "# The device could not be read on from there: its chain has no end.\n" in profile(chain, "it")


@pytest.mark.parametrize(
    ("registers", "reason"),
    [
        ({}, "no SunSpec device: neither 40000, 50000 nor 0 shows SunS (0x5375 0x6e53)"),
        ({40000: 0x5375, 40001: 0x6E53}, "nothing follows SunS at 40000, expected model 1, the common model"),
        (
            {40000: 0x5375, 40001: 0x6E53, 40002: 103, 40003: 50},
            "the chain at 40000 begins with model 103, expected 1, the common model",
        ),
        (
            {40000: 0x5375, 40001: 0x6E53, 40002: 1, 40003: 0},
            "model 1 at 40002 has no registers: the chain cannot be followed",
        ),
    ],
)
def test_what_is_no_chain_is_refused_with_what_was_found(registers: dict[int, int], reason: str) -> None:
    with pytest.raises(SunSpecError) as error:
        chain_of(registers)
    assert str(error.value) == reason


def test_a_chain_without_an_end_is_not_followed_for_ever() -> None:
    endless = followed(
        lambda ask: (0x5375, 0x6E53) if ask.address == 40000 else (1, 1) if ask.count == 2 else (0,) * ask.count
    )
    assert (len(endless.models), endless.ended) == (100, False)


# ---------------------------------------------------------------------- the profile


def compiled(folder: Path, text: str) -> DevicePlan:
    (folder / "devices").mkdir()
    (folder / "devices" / "pv.yaml").write_text(text, encoding="utf-8")
    site = (
        'site: one\nieds:\n  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}\n'
        "lines:\n  lan: {protocol: modbus-tcp, host: 127.0.0.1}\ndevices:\n  pv: {line: lan, unit: 126, profile: pv}\n"
    )
    found = compile_folder(write_site(folder, ROWS, site))
    assert [str(one) for one in found.diagnostics.found] == []
    assert found.plan is not None
    return found.plan.workers[0].lines[0].devices[0]


def read_all(plan: DevicePlan, registers: dict[int, int]) -> dict[str, Any]:
    """Each point's value if it is good, otherwise why it is not."""
    located = [point_readings.PointRegister(one, one.source) for one in plan.points if isinstance(one.source, Register)]
    names = {point.number: point.local_name for point in plan.points}
    return {
        names[number]: reading.value if quality.is_good(reading.quality) else reading.reason
        for number, reading in point_readings.from_registers(located, registers)
    }


def test_an_inverter_is_read_with_its_scale_factors_and_what_it_does_not_have_is_no_number(tmp_path: Path) -> None:
    registers = sunspec_device.device()
    text = profile(chain_of(registers), "127.0.0.1:502, unit 126", [103])
    read = read_all(compiled(tmp_path, text), registers)
    nothing = "the device gives no measurement"
    expected = {
        "current_sum": 37.02, "current_l1": 12.34, "current_l2": 12.31, "current_l3": 12.37, "voltage_l1": 230.1,
        "voltage_l2": 229.8, "voltage_l3": nothing, "total_active_power": 8450, "frequency": 49.98,
        "total_apparent_power": 8560, "total_reactive_power": f"its scale is not known: {nothing}",
        "total_power_factor": 0.987, "export_energy": 123456789, "temperature_cabinet": -4.0, "state": "mppt",
    }  # fmt: skip
    assert {name: read[name] for name in expected} == {
        name: value if isinstance(value, str) else pytest.approx(value) for name, value in expected.items()
    }


def test_the_meter_behind_it_is_a_profile_of_its_own(tmp_path: Path) -> None:
    registers = sunspec_device.device()
    text = profile(chain_of(registers), "127.0.0.1:502, unit 126", [203])
    plan = compiled(tmp_path, text)
    read = read_all(plan, registers)
    assert plan.identify is not None
    assert (plan.identify.register.address, plan.identify.equals) == (40217, 203 << 16 | 105)
    expected = {"voltage_l1": 230.5, "total_active_power": -15000, "active_power_l1": -5000, "import_energy": 1234560}
    assert {name: read[name] for name in expected} == {name: pytest.approx(one) for name, one in expected.items()}
    assert read["export_energy"] == "the device gives no measurement"  # 0: there is none, or nothing was exported


def test_the_head_of_the_file_says_what_was_found_and_who_proposes() -> None:
    text = profile(chain_of(sunspec_device.device()), "127.0.0.1:502, unit 126")
    assert text.splitlines()[:12] == [
        "# SunSpec models of 127.0.0.1:502, unit 126, as it showed them: SunS at 40000, then",
        "#   1     at 40002 common",
        "#   103   at 40070 inverter_three_phase",
        "#   120   at 40122 nameplate (no points here)",
        "#   1     at 40150 common",
        "#   203   at 40217 ac_meter_abcn",
        "# Powers of an inverter are positive when it feeds in; those of a meter go by the direction it is mounted in.",
        "# Only model 103 proposes: each of the others is another MMXU. Ask again with --models for it alone.",
        'device: {maker: "Fabrikam", model: "PV 10", manual: SunSpec models}  # firmware "1.4.2"',
        "# ID and length of the last model here: a chain that has moved is a fault, not wrong numbers.",
        "identify: {read: holding 40217 uint32, equals: 0x00cb0069}",
        "points:",
    ]


def test_a_device_whose_models_measure_nothing_has_no_profile() -> None:
    chain = Chain(40000, (Model(1, 40002, 66), Model(120, 40070, 26)), {}, ended=True)
    with pytest.raises(SunSpecError, match=r"^no model that measures among those of the device: 1, 120$"):
        profile(chain, "it")
    with pytest.raises(SunSpecError, match=r"^no model asked for among those of the device: 1, 120$"):
        profile(chain, "it", [203])


@pytest.mark.parametrize("number", sorted(MEASURING))
def test_every_model_that_measures_makes_a_profile_that_compiles(number: int, tmp_path: Path) -> None:
    group = definition(number)
    assert group is not None
    fixed = sum(point["size"] for point in group["points"]) - 2
    repeated = sum(point["size"] for inner in group.get("groups", ()) for point in inner["points"])
    chain = Chain(40000, (Model(1, 40002, 66), Model(number, 40070, fixed + 8 * repeated)), {}, ended=True)
    plan = compiled(tmp_path, profile(chain, "it"))
    proposals = [one for point in points(chain.models[1], group) for one in [point.proposes] if one is not None]
    assert [one for one in proposals if cdc(one) is None] == []
    assert len(plan.points) > 2


def test_an_older_device_with_a_shorter_model_has_the_points_that_it_has() -> None:
    group = definition(103)
    assert group is not None
    assert [point.name for point in points(Model(103, 40070, 4), group)] == [
        "current_sum", "current_l1", "current_l2", "current_l3",
    ]  # fmt: skip


def test_modules_too_far_from_their_scale_factors_are_left_out_by_name() -> None:
    chain = Chain(40000, (Model(1, 40002, 66), Model(160, 40070, 8 + 8 * 20)), {}, ended=True)
    text = profile(chain, "it")
    assert "mppt_7_dc_power:" not in text
    assert "mppt_6_dc_power:" in text
    assert "# Too far from its scale factor for one request, and left out: mppt_7_dc_current, " in text


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("EvtVnd1", "evt_vnd1"),
        ("SoCMax", "soc_max"),
        ("WHRtg", "wh_rtg"),
        ("VAr_SF", "var_sf"),
        ("TotVAh_SF", "tot_vah_sf"),
    ],
)
def test_names_of_sunspec_become_lower_snake_case(name: str, ours: str) -> None:
    assert snake(name) == ours


def test_without_pysunspec2_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sunspec2", None)
    with pytest.raises(SunSpecError, match=r"^pysunspec2 has the models: pip install 'mms-gateway\[sunspec\]'$"):
        definition(103)
