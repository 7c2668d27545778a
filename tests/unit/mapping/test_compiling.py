"""Compilation of a site: the binding of each row, and the whole text of diagnostics."""

import shutil
from pathlib import Path

import pytest

from mapping.diagnostic_codes import Severity
from mapping.diagnostics import render
from mapping.passes.devices import VOUCHED_FOR_MS
from mapping.plan import Deadband, ObjectBinding, Plan, Preset, RegisterBlock, ReplyBlock, Resync, Source
from mms_gateway.commissioning.plan_report import report
from tests.support.sites import SITE, compile_folder, write_site

DEMO = Path(__file__).parents[3] / "hw_configs" / "demo"
UNMAPPED = "unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


def plan_of(folder: Path, rows: str, site: str = SITE) -> Plan:
    compiled = compile_folder(write_site(folder, f"points:\n{rows}{UNMAPPED}", site))
    assert render(compiled.diagnostics.found) == ""
    assert compiled.plan is not None
    return compiled.plan


def bound(plan: Plan, reference: str) -> ObjectBinding:
    return next(one for one in plan.ieds[0].objects if one.reference == reference)


def findings(folder: Path, rows: str, site: str = SITE) -> str:
    compiled = compile_folder(write_site(folder, f"points:\n{rows}{UNMAPPED}", site))
    return render(compiled.diagnostics.found).replace(str(folder) + "/", "")


def test_a_row_binds_value_quality_and_time_together(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n")
    assert bound(plan, "LD0/GGIO1.AnIn3") == ObjectBinding(
        "LD0/GGIO1.AnIn3",
        "IOLD0/GGIO1$MX$AnIn3$q",
        "IOLD0/GGIO1$MX$AnIn3$t",
        (Source(0, ("IOLD0/GGIO1$MX$AnIn3$mag$f",)),),
    )


def test_the_kernel_says_how_good_the_clock_is_unless_the_site_vouches_for_it(tmp_path: Path) -> None:
    for clock, error_ns in (
        ("", None), ("clock: {source: kernel}\n", None), ("clock: {source: assume-synchronized}\n", 1_000_000),
        ("clock: {source: assume-synchronized, accuracy: 20ms}\n", 20_000_000),
    ):  # fmt: skip
        assert (
            plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", SITE + clock).assumed_clock_error_ns == error_ns
        )


def test_nobody_but_the_kernel_says_how_accurate_its_clock_is(tmp_path: Path) -> None:
    rows = "  LD0/GGIO1.AnIn3: io1.temperature\n"
    assert findings(tmp_path, rows, SITE + "clock: {accuracy: 1ms}\n") == (
        "site.yaml:18:9: error[bad-value]: `accuracy` is for `source: assume-synchronized`: the kernel knows its own\n"
        "   18 | clock: {accuracy: 1ms}\n"
        "      |         ^^^^^^^^"
    )


def test_a_unit_that_the_model_does_not_name_is_preset_from_the_point(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n")
    assert plan.ieds[0].presets == (Preset("IOLD0/GGIO1$CF$AnIn3$units$SIUnit", 23),)


def test_kilowatts_become_the_megawatts_of_the_model(tmp_path: Path) -> None:
    (source,) = bound(plan_of(tmp_path, "  LD0/GGIO1.AnIn2: io1.power\n"), "LD0/GGIO1.AnIn2").sources
    assert source.scale == pytest.approx(1e-3)


def test_a_counter_counts_its_pulses(tmp_path: Path) -> None:
    (source,) = bound(plan_of(tmp_path, "  LD0/MMTR1.SupWh: io1.energy\n"), "LD0/MMTR1.SupWh").sources
    assert source.scale == pytest.approx(0.01)
    assert source.targets == ("IOLD0/MMTR1$ST$SupWh$actVal",)


def test_a_deadband_holds_mag_and_lets_inst_mag_go(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn1: {from: io1.power, deadband: 50 W}\n")
    (source,) = bound(plan, "LD0/GGIO1.AnIn1").sources
    assert source.targets == ("IOLD0/GGIO1$MX$AnIn1$instMag$f",)
    assert (source.held, source.deadband) == (("IOLD0/GGIO1$MX$AnIn1$mag$f",), Deadband(50.0))


def test_a_double_point_takes_its_states_by_name(tmp_path: Path) -> None:
    row = "  LD0/XCBR1.Pos: {from: io1.breaker, values: {false: off, true: on}}\n"
    (source,) = bound(plan_of(tmp_path, row), "LD0/XCBR1.Pos").sources
    assert source.values == ((False, 1), (True, 2))


def test_the_health_of_an_ld_follows_its_only_device_without_a_row(tmp_path: Path) -> None:
    health = bound(plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n"), "LD0/LPHD1.PhyHealth")
    assert health.sources == (Source(6, ("IOLD0/LPHD1$ST$PhyHealth$stVal",), values=((True, 1), (False, 3))),)


@pytest.mark.conformance("GW-1")
def test_an_ld_that_stands_for_one_device_is_its_proxy_and_has_its_health(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path, dirs_exist_ok=True)
    rows = tmp_path / "map.yaml"
    rows.write_text(rows.read_text().replace("SOLAR/GGIO1.Ind1: solar.online", "SOLAR/GGIO1.Ind1: main.online"))
    compiled = compile_folder(tmp_path)
    assert compiled.plan is not None
    ied = compiled.plan.ieds[0]
    proxies = {one.target.partition("/")[0] for one in ied.presets if one.target.endswith("/LPHD1$ST$Proxy$stVal")}
    healths = {one.reference.partition("/")[0] for one in ied.objects if one.reference.endswith("/LPHD1.PhyHealth")}
    assert proxies == {"DEMOMAIN", "DEMOFEED1", "DEMOFEED2", "DEMOSCALE", "DEMOIO"}
    assert healths == {"MAIN", "FEED1", "FEED2", "SCALE", "IO"}  # two devices: nobody's health is that of SOLAR


def test_a_proxy_that_the_file_speaks_of_is_left_as_it_is(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path, dirs_exist_ok=True)
    scl = tmp_path / "demo.icd"
    node = '<LN lnClass="LPHD" inst="1" lnType="LPHD"/>'
    said = '<LN lnClass="LPHD" inst="1" lnType="LPHD"><DOI name="Proxy"><DAI name="stVal"><Val>false</Val></DAI></DOI></LN>'
    scl.write_text(scl.read_text().replace(node, said))
    compiled = compile_folder(tmp_path)
    assert compiled.plan is not None
    assert not [one for one in compiled.plan.ieds[0].presets if "Proxy" in one.target]


def test_single_attributes_share_the_quality_of_their_object(tmp_path: Path) -> None:
    binding = bound(plan_of(tmp_path, "  LD0/GGIO1.Ind1.stVal: io1.relay\n"), "LD0/GGIO1.Ind1")
    assert (binding.q, [source.targets for source in binding.sources]) == (
        "IOLD0/GGIO1$ST$Ind1$q",
        [("IOLD0/GGIO1$ST$Ind1$stVal",)],
    )


def test_a_constant_is_a_preset_and_not_unfed(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.Ind2: {constant: true}\n")
    assert plan.ieds[0].presets == (Preset("IOLD0/GGIO1$ST$Ind2$stVal", True),)
    assert "IOLD0/GGIO1$ST$Ind2$q" not in plan.ieds[0].unfed
    assert "IOLD0/GGIO1$ST$Ind3$q" in plan.ieds[0].unfed


def test_a_command_finds_its_register_and_its_deadline(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.SPCSO1: {from: io1.relay, command: io1.relay}\n")
    (command,) = plan.ieds[0].commands
    assert (command.reference, command.point, command.timeout_ms) == ("LD0/GGIO1.SPCSO1", 4, 2000)


@pytest.mark.parametrize(
    ("keys", "behind", "path"),
    [("", None, None), (", behind: gateway, path: wire", "gateway", "wire"), (", behind: device", "device", None)],
)
def test_the_plan_of_a_line_has_what_the_site_says_of_its_ids_and_its_path(
    keys: str, behind: str | None, path: str | None, tmp_path: Path
) -> None:
    rows, line = "  LD0/GGIO1.AnIn3: io1.temperature\n", "protocol: modbus-tcp, host: 127.0.0.1, port: 1502"
    assert line in SITE
    plain = plan_of(tmp_path, rows)
    plan = plan_of(tmp_path, rows, SITE.replace(line, line + keys))
    (one,) = plan.worker("tcp").lines
    assert (one.behind, one.path) == (behind, path)
    assert (plan.revisions() == plain.revisions()) is (keys == "")  # a reload restarts the worker


@pytest.mark.parametrize(
    ("keys", "exact", "gap"),
    [
        ("", False, None),
        ("    max_gap: 0\n", True, 0),
        ("    max_gap: 0\n    exact: false\n", False, 0),
        ("    max_gap: 4\n", False, 4),
        ("    exact: true\n", True, 0),
    ],
)
def test_a_device_is_read_exactly_where_it_says_so_or_allows_no_gap(
    keys: str, exact: bool, gap: int | None, tmp_path: Path
) -> None:
    device = "    unit: 2\n"
    assert device in SITE
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", SITE.replace(device, device + keys))
    polling = plan.worker("tcp").lines[0].devices[0].polling
    assert (polling.reads_exactly, polling.gap) == (exact, gap)


def test_the_question_that_tells_lines_apart_comes_from_the_profile_or_its_base(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "base.yaml").write_text(
        "device: {maker: Somebody, model: Base}\n"
        'resync: {request: "VER?\\n", reply: "V[0-9.]+", end: "\\n"}\n'
        'points:\n  actual: {request: "PV?", reply: "(?P<v>[0-9]+)", value: v}\n'
    )
    (tmp_path / "devices" / "bath.yaml").write_text("device: {maker: Somebody, model: Bath}\nbase: base\n")
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", SITE + "  bath: {line: scale-1, profile: bath}\n")
    (device,) = plan.worker("scale-1").lines[0].devices
    assert device.resync == Resync("VER?\n", "V[0-9.]+", "\n")
    assert plan.worker("tcp").lines[0].devices[0].resync is None


def test_replies_that_are_alike_are_a_note_and_neither_error_nor_warning(tmp_path: Path) -> None:
    site = SITE + "  bath:\n    line: scale-1\n    profile: lauda-thermostat\n    points:\n"
    ask = '{request: "%s?", reply: "(?P<v>[0-9.]+)", value: v}\n'
    site += "".join(f"      p{number}: {ask % number}" for number in range(3))
    compiled = compile_folder(write_site(tmp_path, f"points:\n  LD0/GGIO1.AnIn3: io1.temperature\n{UNMAPPED}", site))
    (note,) = compiled.diagnostics.found
    assert (note.severity, note.code, note.message) == (
        Severity.NOTE,
        "replies-alike",
        "3 pairs of replies on line `scale-1` can be taken for each other's: silence alone tells them apart",
    )
    assert (compiled.diagnostics.errors, compiled.diagnostics.warnings) == ([], [])
    assert compiled.plan is not None


def test_points_of_the_site_are_polled_in_blocks_that_tear_no_value(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n")
    (worker,) = [one for one in plan.workers if one.name == "tcp"]
    assert worker.lines[0].devices[0].blocks == (
        RegisterBlock("holding", 100, 12, 1000, (0, 1)),
        RegisterBlock("holding", 300, 4, 1000, (5,)),
        RegisterBlock("discrete", 10, 1, 1000, (2,)),
        RegisterBlock("input", 200, 2, 1000, (3,)),
        RegisterBlock("coil", 20, 1, 1000, (4,)),
    )


QUICK = """
device: {maker: M, model: Q}
defaults: {pipeline: 8, priority: low}
"""
QUICK_DEVICES = {
    "fast": "line: lan",
    "own": "line: lan, pipeline: 2, priority: high",
    "paused": "line: lan, pause: 5ms",
    "closed": "line: lan, close_after: true",
    "serial": "line: rs",
}


def test_a_profile_pipelines_where_the_line_and_the_device_let_it(tmp_path: Path) -> None:
    power = "points: {power: {read: holding 0 float32}}"
    devices = [
        f"  {name}: {{{keys}, unit: {unit}, profile: quick, {power}}}\n"
        for unit, (name, keys) in enumerate(QUICK_DEVICES.items(), 50)
    ]
    site = SITE.replace("devices:", "  rs: {protocol: modbus-rtu, port: /dev/nowhere/else}\ndevices:")
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "quick.yaml").write_text(QUICK, encoding="utf-8")
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", site + "".join(devices))
    planned = [device for worker in plan.workers for line in worker.lines for device in line.devices]
    assert {one.name: (one.polling.pipeline, one.polling.priority) for one in planned if one.name in QUICK_DEVICES} == {
        "fast": (8, "low"),
        "own": (2, "high"),
        "paused": (1, "low"),
        "closed": (1, "low"),
        "serial": (1, "low"),
    }


def test_points_with_one_request_share_one_exchange(tmp_path: Path) -> None:
    site = SITE + (
        "  scale:\n    line: scale-1\n    points:\n"
        '      weight: {request: "SI\\r\\n", reply: "S S +(?P<v>[0-9.]+) kg", value: v, unit: kg}\n'
        '      state:  {request: "SI\\r\\n", reply: "S (?P<s>[SD]).*", value: s}\n'
    )
    plan = plan_of(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", site)
    (worker,) = [one for one in plan.workers if one.name == "scale-1"]
    assert worker.lines[0].devices[0].blocks == (ReplyBlock("SI\r\n", "", 1000, (8, 9)),)


WRONG_ROWS = [
    (
        "  LD0/GGIO1.AnOn3: io1.temperature\n",
        "map.yaml:2:13: error[unknown-reference]: no data object `AnOn3` in LD0/GGIO1\n"
        "    2 |   LD0/GGIO1.AnOn3: io1.temperature\n"
        "      |             ^^^^^\n"
        "  hint: did you mean `AnIn3`, `AnIn1` or `AnIn2`?",
    ),
    (
        "  LD0/GGIO1.AnIn3: io1.temprature\n",
        "map.yaml:2:24: error[unknown-point]: no point `temprature` of device `io1`\n"
        "    2 |   LD0/GGIO1.AnIn3: io1.temprature\n"
        "      |                        ^^^^^^^^^^\n"
        "  hint: did you mean `temperature`?",
    ),
    (
        "  LD0/GGIO1.AnIn3: oi1.temperature\n",
        "map.yaml:2:20: error[unknown-device]: no device `oi1`\n"
        "    2 |   LD0/GGIO1.AnIn3: oi1.temperature\n"
        "      |                    ^^^\n"
        "  hint: did you mean `io1`?",
    ),
    (
        "  LD0/GGIO1.Ind1: io1.temperature\n",
        "map.yaml:2:19: error[type-mismatch]: `io1.temperature` is a number, which `LD0/GGIO1.Ind1` (BOOLEAN) cannot carry"
        " without `values:`\n"
        "    2 |   LD0/GGIO1.Ind1: io1.temperature\n"
        "      |                   ^^^^^^^^^^^^^^^",
    ),
    (
        "  LD0/GGIO1.AnIn2: io1.temperature\n",
        "map.yaml:2:20: error[unit-mismatch]: `io1.temperature` is in degC, `LD0/GGIO1.AnIn2` in 10^6 W\n"
        "    2 |   LD0/GGIO1.AnIn2: io1.temperature\n"
        "      |                    ^^^^^^^^^^^^^^^",
    ),
    (
        "  LD0/XCBR1.Pos: {from: io1.breaker, values: {true: onn}}\n",
        "map.yaml:2:53: error[bad-value]: `onn` is no value of `LD0/XCBR1.Pos` (Dbpos)\n"
        "    2 |   LD0/XCBR1.Pos: {from: io1.breaker, values: {true: onn}}\n"
        "      |                                                     ^^^\n"
        "  hint: did you mean `on`?",
    ),
    (
        "  LD0/LLN0.Beh: io1.relay\n",
        "map.yaml:2:12: error[own-object]: `Beh` is the server's own; nothing can be bound to it\n"
        "    2 |   LD0/LLN0.Beh: io1.relay\n"
        "      |            ^^^",
    ),
    (
        "  LD0/GGIO1.Ind1: {from: io1.relay, command: io1.relay}\n",
        "map.yaml:2:37: error[no-control]: `LD0/GGIO1.Ind1` (SPS) takes no commands\n"
        "    2 |   LD0/GGIO1.Ind1: {from: io1.relay, command: io1.relay}\n"
        "      |                                     ^^^^^^^",
    ),
    (
        "  LD0/GGIO1.Ind1: {form: io1.relay}\n",
        "map.yaml:2:20: error[unknown-key]: unknown key `form`\n"
        "    2 |   LD0/GGIO1.Ind1: {form: io1.relay}\n"
        "      |                    ^^^^\n"
        "  hint: did you mean `from`?",
    ),
    (
        "  LD0/GGIO1: io1\n",
        "map.yaml:2:14: error[nothing-proposed]: device `io1`, which has no profile, proposes nothing for GGIO\n"
        "    2 |   LD0/GGIO1: io1\n"
        "      |              ^^^",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("row", "text"), WRONG_ROWS)
def test_one_mistake_is_one_diagnostic_at_its_place(row: str, text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, row) == text


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    site = SITE.replace("host: 127.0.0.1", "hots: 127.0.0.1").replace("line: lan\n", "line: lna\n")
    compiled = compile_folder(write_site(tmp_path, "points:\n  LD0/GGIO1.AnOn1: io1.power\n  LD1/GGIO1: io1\n", site))
    assert [finding.code for finding in compiled.diagnostics.errors] == [
        "unknown-key",
        "unknown-line",
        "unknown-reference",
        "unknown-reference",
    ]


def test_process_data_that_nothing_feeds_is_named_once_for_each_logical_node(tmp_path: Path) -> None:
    compiled = compile_folder(write_site(tmp_path, "points:\n  LD0/GGIO1.AnIn3: io1.temperature\n"))
    assert [finding.message for finding in compiled.diagnostics.warnings] == [
        "nothing feeds AnIn1, AnIn2, Ind1, Ind2, Ind3, Ind4 and 1 more of LD0/GGIO1: invalid for ever",
        "nothing feeds Pos of LD0/XCBR1: invalid for ever",
        "nothing feeds SupWh of LD0/MMTR1: invalid for ever",
    ]


def test_a_line_that_cannot_keep_up_is_a_warning_with_what_it_can_do(tmp_path: Path) -> None:
    site = SITE.replace("unit: 2\n", "unit: 2\n    every: 10ms\n")
    text = findings(tmp_path, "  LD0/GGIO1.AnIn3: io1.temperature\n", site).splitlines()[0]
    assert text == "site.yaml:5:3: warning[overloaded]: line `lan` is asked for 250% of its time: 10 ms become 25 ms"


def test_one_compilation_of_a_site_has_one_revision(tmp_path: Path) -> None:
    rows = "  LD0/GGIO1.AnIn3: io1.temperature\n"
    assert plan_of(tmp_path, rows).revision == plan_of(tmp_path, rows).revision


SERIAL_SITE = """site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml}
lines:
  bus: {protocol: modbus-rtu, port: /dev/ttyS9, baudrate: 9600}
devices:
  io1:
    line: bus
    unit: 1
    points:
      relay: {read: coil 20 bool, write: coil 20 bool}
""" + "".join(f"      value{one}: {{read: holding {one} uint16}}\n" for one in range(100))


@pytest.mark.parametrize(("command", "spans"), [("", ["0..99"]), (", command: io1.relay", ["0..61", "62..99"])])
def test_blocks_are_shorter_on_a_serial_line_that_carries_commands_and_the_plan_says_why(
    command: str, spans: list[str], tmp_path: Path
) -> None:
    rows = f"points:\n  LD0/GGIO1.SPCSO1: {{from: io1.relay{command}}}\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
    text = report(compile_folder(write_site(tmp_path, rows, SERIAL_SITE)))
    assert [line.split()[3] for line in text.splitlines() if " holding " in line] == spans
    why = "  it carries commands: no block over 62 registers, so that none waits long for a frame border"
    assert (why in text.splitlines()) is bool(command)


def test_what_a_device_says_of_itself_does_not_go_stale(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "  LD0/GGIO1.Ind1: io1.online\n")
    stale = {one.name: one.stale_after_ms for one in plan.points().values()}
    assert stale["io1.online"] == stale["io1.last_error"] == VOUCHED_FOR_MS


def test_a_device_with_two_paths_is_planned_on_both_lines_and_both_are_in_one_worker(tmp_path: Path) -> None:
    rtu = "  rs: {protocol: modbus-rtu, port: /dev/nowhere/else, baudrate: 19200}\n  scale-1:"
    text = SITE.replace("  scale-1:", rtu, 1).replace(
        "    unit: 2\n", "    unit: 2\n    pipeline: 4\n    fallback: {line: rs, unit: 9}\n"
    )
    rows = "points:\n  LD0/GGIO1.AnIn1: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
    plan = compile_folder(write_site(tmp_path, rows, text)).plan
    assert plan is not None
    assert {worker.name: [line.name for line in worker.lines] for worker in plan.workers} == {
        "rs": ["lan", "rs"],
        "scale-1": ["scale-1"],
    }
    lan, rs = plan.worker("rs").lines
    assert ([one.unit for one in lan.devices], lan.fallbacks) == ([2], ())
    assert (rs.devices, [(one.name, one.unit) for one in rs.fallbacks]) == ((), [("io1", 9)])
    assert rs.fallbacks[0].points == lan.devices[0].points
    assert (lan.devices[0].polling.pipeline, rs.fallbacks[0].polling.pipeline) == (
        4,
        1,
    )  # a serial line has no transaction ids
    assert plan.workers_of_points()[0] == "rs"
