"""Rows of a map: whole nodes, swapped feeders, phases, integers with a scale, states, commands."""

import json
import shutil
from pathlib import Path

import pytest

from acquisition.drivers.registry import protocols
from mapping.compile import Compiled, compile_site
from mapping.diagnostics import render
from mapping.plan import CommandBinding, DevicePlan, IedPlan, ObjectBinding, Preset, Proof, SettingBinding, Source
from mapping.schema.json_schema import FILES, json_schema
from tests.support.sites import compile_folder

COMMON = Path(__file__).parents[2] / "cases" / "mapping" / "_common"
UNMAPPED = "unmapped: [LD0/MMXU1, LD0/MMTR1, LD0/MHAI1, LD0/GGIO1, LD0/XCBR1]\n"


def compiled(folder: Path, rows: str, *, site: tuple[str, str] = ("", "")) -> Compiled:
    shutil.copytree(COMMON, folder, dirs_exist_ok=True)
    (folder / "map.yaml").write_text(f"points:\n{rows}{UNMAPPED}", encoding="utf-8")
    text = (folder / "site.yaml").read_text(encoding="utf-8")
    (folder / "site.yaml").write_text(text.replace(*site) if site[0] else text, encoding="utf-8")
    result = compile_folder(folder)
    assert render(result.diagnostics.found) == ""
    return result


def ied_of(folder: Path, rows: str) -> IedPlan:
    plan = compiled(folder, rows).plan
    assert plan is not None
    return plan.ieds[0]


def fed(ied: IedPlan) -> dict[str, Source]:
    return {one.reference: one.sources[0] for one in ied.objects if "PhyHealth" not in one.reference}


def point_names(result: Compiled) -> dict[int, str]:
    assert result.plan is not None
    return {number: point.name for number, point in result.plan.points().items()}


def test_a_row_for_a_node_binds_what_the_profile_proposes_and_the_node_has(tmp_path: Path) -> None:
    result = compiled(tmp_path, "  LD0/MMXU1: meter\n")
    assert result.plan is not None
    names = point_names(result)
    assert {reference: names[source.point] for reference, source in fed(result.plan.ieds[0]).items()} == {
        "LD0/MMXU1.TotW": "meter.total_active_power",
        "LD0/MMXU1.Hz": "meter.frequency",
        "LD0/MMXU1.PhV.phsA": "meter.voltage_l1",
        "LD0/MMXU1.PhV.phsB": "meter.voltage_l2",
    }
    assert result.passed_over == ("LD0/MMXU1.A.phsA: meter.current_l1",)


def test_only_what_a_row_uses_of_a_profile_is_polled(tmp_path: Path) -> None:
    plan = compiled(tmp_path, "  LD0/MMTR1.SupWh: meter.export_energy\n").plan
    assert plan is not None
    polled = [point.name for point in plan.points().values() if point.polled and point.name.startswith("meter.")]
    assert polled == ["meter.export_energy", "meter.online", "meter.last_error"]


def test_a_vector_is_bound_by_its_magnitude_and_the_instantaneous_one_beside_it(tmp_path: Path) -> None:
    source = fed(ied_of(tmp_path, "  LD0/MMXU1.PhV.phsA: meter.voltage_l1\n"))["LD0/MMXU1.PhV.phsA"]
    assert source.targets == ("MLD0/MMXU1$MX$PhV$phsA$cVal$mag$f", "MLD0/MMXU1$MX$PhV$phsA$instCVal$mag$f")


def test_watts_become_the_kilowatts_of_the_model(tmp_path: Path) -> None:
    source = fed(ied_of(tmp_path, "  LD0/MMXU1.TotW: meter.total_active_power\n"))["LD0/MMXU1.TotW"]
    assert source.scale == pytest.approx(1e-3)


def test_the_value_attribute_alone_is_in_the_unit_of_its_object_too(tmp_path: Path) -> None:
    ied = ied_of(tmp_path, "  LD0/MMXU1.TotW.mag.f: meter.total_active_power\n")
    assert fed(ied)["LD0/MMXU1.TotW"].scale == pytest.approx(1e-3)


def test_an_integer_magnitude_is_scaled_as_its_svc_says(tmp_path: Path) -> None:
    source = fed(ied_of(tmp_path, "  LD0/MMXU1.Hz: meter.frequency\n"))["LD0/MMXU1.Hz"]
    assert source.targets == ("MLD0/MMXU1$MX$Hz$mag$i",)
    assert 50.02 * source.scale + source.offset == pytest.approx(20.0)


def test_energies_count_in_watt_hours_where_the_model_is_silent(tmp_path: Path) -> None:
    source = fed(ied_of(tmp_path, "  LD0/MMTR1.SupWh: meter.export_energy\n"))["LD0/MMTR1.SupWh"]
    assert (source.scale, source.targets) == (1000.0, ("MLD0/MMTR1$ST$SupWh$actVal",))


def test_a_swapped_meter_supplies_what_it_demanded_and_turns_its_powers_round(tmp_path: Path) -> None:
    result = compiled(tmp_path, "  LD0/MMTR1: {from: meter, swap: true}\n  LD0/MMXU1: {from: meter, swap: true}\n")
    assert result.plan is not None
    names, bound = point_names(result), fed(result.plan.ieds[0])
    assert names[bound["LD0/MMTR1.SupWh"].point] == "meter.import_energy"
    assert names[bound["LD0/MMTR1.DmdWh"].point] == "meter.export_energy"
    assert bound["LD0/MMTR1.SupWh"].scale == 1000.0
    assert bound["LD0/MMXU1.TotW"].scale == pytest.approx(-1e-3)
    assert bound["LD0/MMXU1.PhV.phsA"].scale == 1.0


def test_a_row_of_its_own_wins_over_that_of_the_node(tmp_path: Path) -> None:
    rows = "  LD0/MMXU1: meter\n  LD0/MMXU1.TotW: {from: meter.total_active_power, scale: -1, deadband: 0.5 %}\n"
    bound = fed(ied_of(tmp_path, rows))
    assert bound["LD0/MMXU1.TotW"].scale == pytest.approx(-1e-3)
    assert bound["LD0/MMXU1.TotW"].deadband is not None
    assert bound["LD0/MMXU1.PhV.phsA"].deadband is None


def test_an_attribute_with_a_row_of_its_own_is_fed_by_that_alone(tmp_path: Path) -> None:
    rows = "  LD0/MMXU1: meter\n  LD0/MMXU1.TotW.mag.f: io.setpoint\n"
    binding = next(one for one in ied_of(tmp_path, rows).objects if one.reference == "LD0/MMXU1.TotW")
    assert [source.targets for source in binding.sources] == [
        ("MLD0/MMXU1$MX$TotW$instMag$f",),
        ("MLD0/MMXU1$MX$TotW$mag$f",),
    ]


STATES = [
    ("LD0/GGIO1.IntIn1", "io.contact", ((False, 0), (True, 1))),
    ("LD0/XCBR1.Pos", "io.contact", ((False, 1), (True, 2))),
    ("LD0/LPHD1.PhyHealth", "io.online", ((True, 1), (False, 3))),
    ("LD0/GGIO1.EnumIn1", "io.tap", ()),
    ("LD0/GGIO1.StrIn1", "io.name", ()),
    ("LD0/XCBR1.Pos", "io.tap, values: {0: off, 1: on, 7: bad-state}", ((0, 1), (1, 2), (7, 3))),
    ("LD0/GGIO1.Ind1", "io.name, values: {OPEN: false, '1': true}", (("OPEN", False), ("1", True))),
    ("LD0/GGIO1.EnumIn1", "io.contact, values: {false: neutral, true: raised}", ((False, 0), (True, 1))),
]


@pytest.mark.parametrize(("reference", "source", "values"), STATES)
def test_a_state_becomes_what_its_attribute_calls_it(
    reference: str, source: str, values: tuple[tuple[object, object], ...], tmp_path: Path
) -> None:
    ied = ied_of(tmp_path, f"  {reference}: {{from: {source}}}\n")
    (binding,) = [one for one in ied.objects if one.reference == reference]
    assert binding.sources[0].values == values


def test_the_unit_of_a_point_is_preset_where_the_model_has_none(tmp_path: Path) -> None:
    ied = ied_of(tmp_path, "  LD0/MMXU1.PhV.phsA: meter.voltage_l1\n")
    assert ied.presets == (Preset("MLD0/MMXU1$CF$PhV$phsA$units$SIUnit", 29),)


COMMANDS = [
    ("SPCSO1", "io.relay, command: io.relay", {}),
    ("SPCSO1", "io.relay, command: io.tap", {"values": ((False, 0), (True, 1))}),
    ("SPCSO1", "io.relay, command: {to: io.relay, pulse: 500ms, off: io.horn}", {"pulse_ms": 500, "off_point": "io.horn"}),
    (
        "SPCSO1",
        "io.relay, command: {to: io.horn, proof: io.contact, timeout: 3s}",
        {"proof": Proof(9, 3000, tolerance=0.5), "timeout_ms": 3000},
    ),
    (
        "SPCSO1",
        "io.relay, command: {to: io.horn, proof: io.tap, proof_timeout: 9s}, values: {false: true, true: false}",
        {"proof": Proof(13, 9000, ((False, 0), (True, 1)), tolerance=0.5), "values": ((True, False), (False, True))},
    ),
    (
        "AnOut1",
        "io.setpoint, command: {to: io.setpoint, proof: meter.total_active_power, one_of: loads}",
        {"proof": Proof(0, 2000), "one_of": "loads"},
    ),
    ("AnOut1", "io.setpoint, command: {to: io.setpoint, min: 0, max: 10}", {"scale": 1e-3, "minimum": 0.0, "maximum": 10.0}),
    ("EnumSO1", "io.tap, command: io.tap", {}),
    (
        "EnumSO1",
        "io.contact, values: {false: neutral, true: raised}, command: io.relay",
        {"values": ((0, False), (1, True))},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "wanted"), COMMANDS)
def test_a_command_goes_back_the_way_of_its_value(
    name: str, row: str, wanted: dict[str, object], tmp_path: Path
) -> None:
    result = compiled(tmp_path, f"  LD0/GGIO1.{name}: {{from: {row}}}\n")
    assert result.plan is not None
    names = point_names(result)
    (command,) = result.plan.ieds[0].commands
    found = {key: getattr(command, key) for key in wanted}
    found |= {key: names[number] for key in ("off_point",) if (number := found.get(key)) is not None}
    assert found == pytest.approx(wanted) if "scale" in wanted else found == wanted


def test_a_breaker_takes_its_positions_from_the_control_of_a_double_point(tmp_path: Path) -> None:
    row = "  LD0/XCBR1.Pos: {from: io.contact, values: {false: on, true: off}, command: io.relay}\n"
    ied = ied_of(tmp_path, row)
    assert ied.commands == (
        CommandBinding("LD0/XCBR1.Pos", 10, 2000, None, values=((True, False), (False, True))),
    )  # fmt: skip


SETTINGS = """
    <LNodeType id="PTOC" lnClass="PTOC"><DO name="StrVal" type="ASG"/><DO name="Kind" type="SPG"/></LNodeType>
    <DOType id="ASG" cdc="ASG"><DA name="setMag" fc="SE" bType="Struct" type="Float"/></DOType>
    <DOType id="SPG" cdc="SPG"><DA name="setVal" fc="SP" bType="BOOLEAN"/></DOType>
"""


def with_settings(folder: Path, row: str) -> Compiled:
    """A row for an LN with a setting of a group, StrVal, and one of its own, Kind."""
    shutil.copytree(COMMON, folder, dirs_exist_ok=True)
    scl = (folder / "meter.icd").read_text(encoding="utf-8")
    scl = scl.replace("<DataTypeTemplates>", "<DataTypeTemplates>" + SETTINGS)
    scl = scl.replace("</LDevice>", '<LN lnClass="PTOC" inst="1" lnType="PTOC"/></LDevice>')
    (folder / "meter.icd").write_text(scl, encoding="utf-8")
    (folder / "map.yaml").write_text(f"points:\n  LD0/PTOC1.{row}\n{UNMAPPED}", encoding="utf-8")
    return compile_folder(folder)


def test_a_setting_finds_its_register(tmp_path: Path) -> None:
    result = with_settings(
        tmp_path, "StrVal: {command: io.setpoint}\n  LD0/PTOC1.Kind: {command: {to: io.tap, timeout: 5s}}"
    )
    assert render(result.diagnostics.found) == ""
    assert result.plan is not None
    assert result.plan.ieds[0].settings == (
        SettingBinding("MLD0/PTOC1$SG$StrVal$setMag$f", 12, 2000, 0.001),
        SettingBinding("MLD0/PTOC1$SP$Kind$setVal", 13, 5000, values=((False, 0), (True, 1))),
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Kind: {command: {to: io.tap, pulse: 1s}}", "bad-row]: `LD0/PTOC1.Kind` is a setting: it takes `to` and `timeout`"),
        ("Kind: {command: io.horn}", "not-readable]: `io.horn` has no `read`: nothing proves the setting"),
        (
            "StrVal: {command: io.relay}",
            "type-mismatch]: `io.relay` is a bool, which the value of `LD0/PTOC1.StrVal` (FLOAT32) cannot set",
        ),
        ("Kind: {command: io.contact}", "not-writable]: `io.contact` has no `write:` register"),
    ],
)  # fmt: skip
def test_what_no_setting_can_be_is_said(row: str, said: str, tmp_path: Path) -> None:
    assert said in render(with_settings(tmp_path, row).diagnostics.found)


def test_what_can_only_be_written_is_never_polled(tmp_path: Path) -> None:
    plan = compiled(tmp_path, "  LD0/GGIO1.SPCSO1: {from: io.relay, command: io.horn}\n").plan
    assert plan is not None
    (horn,) = [point for point in plan.points().values() if point.name == "io.horn"]
    assert (horn.polled, horn.readable) == (False, False)


# ---------------------------------------------------------------------- devices and profiles


def device_of(result: Compiled, name: str) -> DevicePlan:
    devices = [one for worker in result.workers for line in worker.lines for one in line.devices]
    return next(one for one in devices if one.name == name)


def test_a_profile_answers_to_its_aliases(tmp_path: Path) -> None:
    result = compiled(tmp_path, "  LD0/MMXU1: meter\n", site=("profile: meter", "profile: M-100"))
    assert device_of(result, "meter").points[0].name == "meter.total_active_power"


def test_what_a_site_says_wins_over_a_profile_and_a_profile_over_its_base(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "variant.yaml").write_text(
        "device: {maker: Somebody, model: Variant}\nbase: base\ndefaults: {order: cdab, pause: 20ms, timeout: 1s}\n"
        "points: {frequency: {read: input 90 float32, unit: Hz, proposes: MMXU.Hz}}\n",
        encoding="utf-8",
    )
    (tmp_path / "devices" / "base.yaml").write_text(
        "device: {maker: Somebody, model: Base}\ndefaults: {pause: 10ms, max_registers: 20, timeout: 2s}\n"
        "points:\n  frequency: {read: input 70 float32}\n  voltage_l1: {read: input 0 float32 abcd, unit: V}\n",
        encoding="utf-8",
    )
    site = ("profile: meter", "profile: variant, timeout: 300ms, max_gap: 3")
    device = device_of(compiled(tmp_path, "  LD0/MMXU1: meter\n", site=site), "meter")
    assert (device.polling.pause_ms, device.polling.max_registers, device.polling.timeout_ms) == (20, 20, 300)
    frequency, voltage = device.points[0].source, device.points[1].source
    assert (getattr(frequency, "address", None), getattr(frequency, "order", None)) == (90, "cdab")
    assert getattr(voltage, "order", None) == "abcd"


def test_an_overlay_says_where_simulated_lines_answer(tmp_path: Path) -> None:
    shutil.copytree(COMMON, tmp_path, dirs_exist_ok=True)
    overlay = tmp_path / "simulated.yaml"
    overlay.write_text("lines: {lan: {host: 127.0.0.9, port: 4711}, rs: {port: /dev/pts/7}}\n", encoding="utf-8")
    plan = compile_site(tmp_path, protocols(), lines=overlay).plan
    assert plan is not None
    lines = {line.name: line.settings for worker in plan.workers for line in worker.lines}
    assert (lines["lan"]["host"], lines["lan"]["port"], lines["rs"]["port"]) == ("127.0.0.9", 4711, "/dev/pts/7")


def test_every_key_of_every_kind_of_file_is_in_its_json_schema() -> None:
    for kind, model in FILES.items():
        schema = json_schema(kind)
        assert json.loads(json.dumps(schema)) == schema
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert set(schema["properties"]) == names


def test_a_bound_object_is_whole(tmp_path: Path) -> None:
    ied = ied_of(tmp_path, "  MLD0/GGIO1.Ind1: io.contact\n")
    assert ied.objects[0] == ObjectBinding(
        "LD0/GGIO1.Ind1", "MLD0/GGIO1$ST$Ind1$q", "MLD0/GGIO1$ST$Ind1$t", (Source(9, ("MLD0/GGIO1$ST$Ind1$stVal",)),)
    )
