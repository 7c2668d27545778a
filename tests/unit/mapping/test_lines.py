"""Lines of the other protocols: the plan of a site that has them, and its cost."""

from dataclasses import replace
from pathlib import Path

import pytest

from acquisition.drivers.registry import protocols
from mapping.block_planning import planner
from mapping.compile import compile_site
from mapping.plan import LinePlan, Obis, RegisterBlock, ReplyBlock
from mms_gateway.commissioning.plan_report import report
from tests.support.sites import compile_folder, framing, write_site

UNMAPPED = "points: {}\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


def site(line: str, devices: str) -> str:
    return f"""\
site: bench
ieds:
  IO: {{scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}}
lines:
  one: {{{line}}}
devices:
{devices}"""


def compiled(folder: Path, line: str, devices: str) -> LinePlan:
    result = compile_folder(write_site(folder, UNMAPPED, site(line, devices)))
    assert result.diagnostics.found == []
    ((found,),) = [worker.lines for worker in result.workers]
    return found


def test_a_meters_points_are_one_readout_with_its_address_and_the_defaults_of_a_readout(tmp_path: Path) -> None:
    line = compiled(
        tmp_path,
        "protocol: iec62056-21, port: /dev/nowhere",
        """\
  house:
    line: one
    address: "12345678"
    points:
      energy:  {obis: 1.8.0, unit: Wh}
      voltage: {obis: 32.7.0, unit: V}
      demand:  {obis: 1.6.0, unit: W, every: 15m}
""",
    )
    (house,) = line.devices
    sign_on = "/?12345678!\r\n"
    assert house.points[0].source == Obis(sign_on, "1.8.0")
    assert house.blocks == (ReplyBlock(sign_on, "", 60_000, (0, 1)), ReplyBlock(sign_on, "", 900_000, (2,)))
    assert (house.polling.timeout_ms, house.points[0].stale_after_ms) == (2000, 180_000)
    assert (line.settings["baudrate"], line.settings["data_bits"], line.settings["parity"]) == (300, 7, "even")


def test_each_channel_of_an_adam_module_is_an_exchange_and_its_bits_are_one(tmp_path: Path) -> None:
    line = compiled(
        tmp_path,
        "protocol: adam-ascii, port: /dev/nowhere",
        """\
  adam:
    line: one
    points:
      first:  {read: input 0 float32}
      second: {read: input 1 float32}
      fourth: {read: input 3 float32}
      door:   {read: discrete 0 bool}
      gate:   {read: discrete 7 bool}
""",
    )
    (adam,) = line.devices
    assert adam.blocks == (
        RegisterBlock("input", 0, 2, 1000, (0,)),
        RegisterBlock("input", 1, 2, 1000, (1,)),
        RegisterBlock("input", 3, 2, 1000, (2,)),
        RegisterBlock("discrete", 0, 8, 1000, (3, 4)),
    )


def test_the_files_of_a_line_are_found_beside_the_site(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name in ("gw.pem", "gw.key", "ca.pem"):
        (tmp_path / "secrets" / name).touch()
    line = compiled(
        tmp_path,
        "protocol: modbus-tls, host: h, cert: secrets/gw.pem, key: secrets/gw.key, ca: secrets/ca.pem",
        "  io: {line: one, points: {level: {read: input 0 int16}}}\n",
    )
    folder = tmp_path / "secrets"
    assert line.settings == {
        "host": "h",
        "port": 802,
        "cert": str(folder / "gw.pem"),
        "key": str(folder / "gw.key"),
        "ca": str(folder / "ca.pem"),
    }


def test_simulated_devices_are_polled_by_the_worker_of_the_network_lines(tmp_path: Path) -> None:
    folder = write_site(
        tmp_path, UNMAPPED, site("protocol: simulated", "  demo: {line: one, profile: eastron-sdm120, unit: 5}\n")
    )
    result = compile_folder(folder)
    assert [worker.name for worker in result.workers] == ["tcp"]


# ---------------------------------------------------------------------- what it costs

READ = RegisterBlock("input", 0, 2, 1000, (1,))
FAST: dict[str, str | int | float | bool] = {"baudrate": 9600, "parity": "none"}


@pytest.mark.parametrize(
    ("protocol", "settings", "octets"),
    [
        ("modbus-rtu", FAST, (8, 9)),
        ("modbus-ascii", FAST, (17, 19)),
        ("modbus-rtu-over-tcp", {"host": "h"}, (8, 9)),
        ("modbus-tcp", {"host": "h"}, (12, 13)),
        ("modbus-udp", {"host": "h"}, (12, 13)),
        ("modbus-tls", {"host": "h"}, (34, 35)),
        ("adam-ascii", FAST, (5, 9)),
        ("simulated", {}, (12, 13)),
    ],
)
def test_the_characters_of_an_exchange_are_those_of_its_frames(
    protocol: str, settings: dict[str, str | int | float | bool], octets: tuple[int, int]
) -> None:
    line = planner.physics(framing(protocol), settings)
    assert line.framing.octets(READ) == octets
    assert line.exchange_s(READ) == pytest.approx(sum(octets) * line.character_s + 2 * line.silence_s + 0.005)


def test_in_ascii_a_hole_costs_twice_as_many_characters_so_fewer_registers_are_read_along() -> None:
    frames_and_turnaround_characters = 17 + 11 + 0.005 * 960
    assert planner.physics(framing("modbus-ascii"), FAST).gap() == int(frames_and_turnaround_characters / 4)


@pytest.mark.parametrize(("fixed", "seconds"), [(False, 2.4), (True, 33.4)])
def test_a_readout_takes_seconds_and_a_head_that_cannot_change_over_half_a_minute(fixed: bool, seconds: float) -> None:
    line = planner.physics(
        framing("iec62056-21"), {"baudrate": 300, "data_bits": 7, "parity": "even", "fixed_baudrate": fixed}
    )
    assert line.exchange_s(ReplyBlock("/?!\r\n", "", 60_000, (1, 2))) == pytest.approx(seconds, abs=0.1)


def test_the_plan_of_a_readout_tells_what_it_asks_and_how_long_it_takes(tmp_path: Path) -> None:
    devices = "  house: {line: one, points: {energy: {obis: 1.8.0, unit: Wh}}}\n"
    result = compile_folder(write_site(tmp_path, UNMAPPED, site("protocol: iec62056-21, port: /dev/x", devices)))
    assert report(result) == (
        "line one (iec62056-21): 0.02 requests/s, load 4.1%\n"
        "  device           unit what                       values      octets      ms    every     gets identity "
        "means                    W cost\n"
        "  house               1 /?!                             1       5+986  2438.3 60000 ms 60000 ms text     "
        "its question alone 2000 ms 0\n"
        "                        energy"
    )


def test_a_point_that_alone_takes_more_registers_than_a_request_of_its_protocol_is_refused(tmp_path: Path) -> None:
    tcp = protocols()["modbus-tcp"]
    short = replace(tcp, framing=replace(tcp.framing, registers=32))
    devices = "  meter:\n    line: one\n    unit: 1\n    points:\n      name: {read: holding 0 string:33}\n"
    folder = write_site(tmp_path, UNMAPPED, site("protocol: modbus-tcp, host: 127.0.0.1", devices))
    (found,) = compile_site(folder, {"modbus-tcp": short}).diagnostics.errors
    assert (found.code, found.message) == ("bad-point", "`meter.name` takes 33 registers, over the 32 of one request")
    write_site(tmp_path, UNMAPPED, site("protocol: modbus-tcp, host: 127.0.0.1", devices.replace("33", "32")))
    assert compile_site(folder, {"modbus-tcp": short}).diagnostics.found == []
