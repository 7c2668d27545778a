"""The commands by hand, over real pseudo-terminals and sockets with simulated devices at their ends."""

import asyncio
import contextlib
import os
import re
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from json import loads as json_of
from pathlib import Path

import msgspec
import pytest

from acquisition.drivers.base import Read, Registers
from acquisition.drivers.device_side import Fault
from acquisition.drivers.modbus_rtu import crc
from acquisition.drivers.registry import protocols
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import Duplicate, LineFault, SecondDevice, SecondMaster, Shared
from acquisition.simulate.lines import line_of
from acquisition.simulate.playback import parse
from acquisition.simulate.replay import Replay
from acquisition.transport.capture import SETTING
from acquisition.transport.errors import NoConnectionError
from mapping.compile import Compiled
from mapping.diagnostics import Diagnostics
from mapping.plan import DevicePlan, LinePlan, PollSettings, WorkerPlan
from mms_gateway.command import FAILED, OK
from mms_gateway.commands import scan as command
from mms_gateway.commissioning.explain.name_lookup import Place
from mms_gateway.commissioning.host_checks import CURES, UnitAnswer
from mms_gateway.commissioning.host_facts import gathered
from mms_gateway.commissioning.manual_exchange import ManualLine, overheard
from mms_gateway.commissioning.point_read import point_result, question, raw_point
from mms_gateway.commissioning.scan.findings import OtherMasterError
from mms_gateway.commissioning.scan.profiles import profile_device, register_profiles
from mms_gateway.commissioning.scan.scanning import HEADER, Scan, another_master
from tests.support import steady_loop
from tests.support.field import polled_with

PROTOCOLS = ("modbus-rtu", "modbus-tcp")
TIMEOUT_MS = 150


def of_profile(name: str, unit: int) -> DevicePlan:
    return msgspec.structs.replace(polled_with(profile_device(name), timeout_ms=TIMEOUT_MS), name=f"m{unit}", unit=unit)


@asynccontextmanager
async def simulated(
    protocol: str, *devices: DevicePlan, fault: LineFault | None = None
) -> AsyncIterator[tuple[LinePlan, dict[int, SimulatedDevice]]]:
    """A line on which `devices` answer, and those. It has `fault`."""
    settings: dict[str, str | int | float | bool] = {"port": "pty", "baudrate": 115200}
    if protocol != "modbus-rtu":
        settings = {"host": "127.0.0.1", "port": 0}
    plan = LinePlan("manual", protocol, settings, devices)
    found = {device.unit: SimulatedDevice(device) for device in devices}
    for one in found.values():
        one.tick(1_700_000_000)
    line = line_of(plan, found)
    assert line is not None
    try:
        there = msgspec.structs.replace(plan, settings=plan.settings | await line.start())
        if fault is not None:
            line.begin(fault)
        yield there, found
    finally:
        await line.stop()


async def read(line: LinePlan, device: DevicePlan) -> dict[str, object]:
    async with ManualLine(line) as manual:
        found: dict[str, object] = {}
        for point in device.points:
            ask = question(device, point)
            if ask is not None:
                asked = await manual.ask(ask, device)
                found[point.local_name] = point_result(device, point, asked.found, asked.ms).reading.value
        return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_point_of_a_device_is_read_as_it_stands_there(protocol: str) -> None:
    async def play() -> None:
        device = of_profile("eastron-sdm120", 3)
        async with simulated(protocol, device) as (line, field):
            assert await read(line, device) == {name: field[3].values[name] for name in field[3].values}

    steady_loop.run(play())


def test_a_refusal_and_silence_are_told_apart() -> None:
    async def play() -> None:
        device = of_profile("eastron-sdm120", 3)
        (point, *_) = device.points
        async with simulated("modbus-rtu", device) as (line, field), ManualLine(line) as manual:
            ask = question(device, point)
            assert ask is not None
            rows = []
            for fault in (Fault("exception", code=2), Fault("silent")):
                field[3].fault = fault
                found = await manual.ask(ask, device)
                rows.append(point_result(device, point, found.found, 0).row()[3])
            assert rows == [
                "invalid (failure): exception 2 (illegal data address)",
                "invalid (failure, oldData): no answer within 150 ms",
            ]

    steady_loop.run(play())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_scan_finds_the_units_what_they_are_and_their_profiles(protocol: str) -> None:
    async def play() -> None:
        first, second = of_profile("eastron-sdm120", 2), of_profile("carlo-gavazzi-em340", 4)
        async with simulated(protocol, first, second) as (line, _), ManualLine(line) as manual:
            asked: list[int] = []
            found = await Scan(manual, register_profiles(), 200).units(range(1, 6), asked.append)
            assert asked == [1, 2, 3, 4, 5]
            assert [(one.unit, one.said, one.matches[0].profile) for one in found] == [
                (2, "simulated eastron-sdm120 1.0", "eastron-sdm120"),
                (4, "simulated carlo-gavazzi-em340 1.0", "carlo-gavazzi-em340"),
            ]

    steady_loop.run(play())


def test_a_scan_ends_where_somebody_else_is_answered() -> None:
    async def play() -> None:
        device = of_profile("eastron-sdm120", 2)
        async with simulated("modbus-rtu", device) as (line, field), ManualLine(line) as manual:
            field[2].fault = Fault("wrong_unit")
            with pytest.raises(
                NoConnectionError, match=r"^asked unit 2, and something else was answered: another master talks"
            ):
                await Scan(manual, [], 200).units([1, 2, 3], lambda _: None)

    steady_loop.run(play())


@pytest.mark.parametrize(
    ("protocol", "fault", "found"),
    [
        ("modbus-rtu", None, []),
        ("modbus-tcp", None, []),
        ("modbus-rtu", Duplicate(ms=40), ["surplus-frames"]),
        ("modbus-rtu-over-tcp", Duplicate(ms=40), ["surplus-frames"]),
        ("modbus-rtu", SecondDevice(unit=2, ms=115), ["two-devices"]),
        ("modbus-rtu-over-tcp", Shared(unit=2, read="input 0-9", every="300ms"), ["shared-line"]),
        ("modbus-rtu", SecondMaster(unit=2, read="input 0-9", every="300ms"), ["second-master"]),
    ],
    ids=["sound", "sound with ids", "twins", "twins on a network", "two devices", "a shared server", "a second master"],
)
def test_a_scan_names_the_conditions_of_its_line(protocol: str, fault: LineFault | None, found: list[str]) -> None:
    async def play() -> None:
        device = of_profile("eastron-sdm120", 2)
        async with simulated(protocol, device, fault=fault) as (line, _), ManualLine(line) as manual:
            scan = Scan(manual, [profile_device("eastron-sdm120")], 200)
            with contextlib.suppress(OtherMasterError):
                await scan.units([2, 3, 4, 5, 6], lambda _: None)
            assert [one.unit for one in scan.found] == [2]
            assert [one.code for one in scan.findings() if one.hint] == found

    steady_loop.run(play())


def test_a_scan_says_its_findings_with_their_cure_to_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    async def play(json: bool) -> int:
        device = of_profile("eastron-sdm120", 2)
        async with simulated("modbus-rtu-over-tcp", device, fault=Duplicate(ms=40)) as (line, _):
            return await command._scan(line, [2], 200, None, json=json)

    assert asyncio.run(play(json=False)) == OK
    shown = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"warning\[surplus-frames\]: unit 2, .*: a second answer \d+ ms .*", shown[-2])
    assert shown[-1] == f"  hint: {CURES['surplus-frames']}"
    assert asyncio.run(play(json=True)) == OK
    written = json_of(capsys.readouterr().out)
    assert (written["columns"], written["rows"][0][0]) == (list(HEADER), "2")
    (finding,) = written["findings"]
    assert (finding["code"], finding["severity"], finding["hint"]) == (
        "surplus-frames",
        "warning",
        CURES["surplus-frames"],
    )


def test_a_line_on_which_another_master_is_overheard_is_not_scanned(capsys: pytest.CaptureFixture[str]) -> None:
    async def play(json: bool) -> int:
        device = of_profile("eastron-sdm120", 2)
        fault = SecondMaster(unit=2, read="input 0-9", every="300ms")
        async with simulated("modbus-rtu", device, fault=fault) as (line, _):
            return await command._scan(line, [2], 200, None, json=json)

    assert asyncio.run(play(json=False)) == FAILED
    assert capsys.readouterr().out.startswith("error[second-master]: another master talks on this line: ")
    assert asyncio.run(play(json=True)) == FAILED
    written = json_of(capsys.readouterr().out)
    assert (written["rows"], [one["code"] for one in written["findings"]]) == ([], ["second-master"])


def test_a_command_beside_the_gateway_takes_no_answer_that_was_on_its_way_before(tmp_path: Path) -> None:
    """The new connection begins with the answer to somebody else's request, of the same unit, function and size."""
    stale = bytes.fromhex("010302") + b"\x00\x63" + crc(bytes.fromhex("010302") + b"\x00\x63")
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asyncio.get_running_loop().call_later(0.03, writer.write, stale)
        while asked := await reader.read(256):
            served.append(asked)
            answer = bytes.fromhex("0103020007")
            writer.write(answer + crc(answer))
        writer.close()

    async def play() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        settings = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        register = raw_point(0, "holding 0 uint16")
        device = DevicePlan("m", 1, None, PollSettings(timeout_ms=500, retries=0), (register,), ())
        line = LinePlan("l", "modbus-rtu-over-tcp", settings, (device,))
        async with server:
            async with ManualLine(line) as manual:
                found = (await manual.ask(Read(1, "holding", 0, 1), device)).found
            assert found == Registers((7,))
            compiled = Compiled(None, Diagnostics(), (WorkerPlan("w", (line,)),), protocols(), ())
            (port,) = (await gathered(Place(tmp_path, compiled, tmp_path), tmp_path, ())).ports
            assert [one.answer for one in port.units] == ["answers"]
        assert len(served) == 2

    steady_loop.run(play())


def test_a_line_is_listened_to_before_anybody_is_asked() -> None:
    async def play() -> None:
        master, slave = os.openpty()
        tty.setraw(master)
        line = LinePlan("rs", "modbus-rtu", {"port": os.ttyname(slave), "baudrate": 9600}, ())
        asyncio.get_running_loop().call_later(0.3, os.write, master, bytes.fromhex("01040000000271cb"))
        try:
            heard = await overheard(line, 0.0)
        finally:
            os.close(master)
            os.close(slave)
        assert str(another_master(heard)) == (
            "another master talks on this line: 8 octets nobody here asked for (01 04 00 00 00 02 71 cb); "
            "take it off before you scan"
        )

    steady_loop.run(play())


def test_nobody_is_overheard_on_a_connection() -> None:
    line = LinePlan("lan", "modbus-tcp", {"host": "127.0.0.1", "port": 1}, ())
    assert asyncio.run(overheard(line)) == b""


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (None, UnitAnswer("m3", 3, 3, "answers")),
        (Fault("silent"), UnitAnswer("m3", 3, None, "no answer")),
        (Fault("wrong_unit"), UnitAnswer("m3", 3, 4, "unit 4 answers")),
        (Fault("exception", code=6), UnitAnswer("m3", 3, 3, "answers, exception 6 (device busy)")),
    ],
)
def test_the_doctor_hears_who_answers(fault: Fault | None, heard: UnitAnswer, tmp_path: Path) -> None:
    async def play() -> None:
        async with simulated("modbus-rtu", of_profile("eastron-sdm120", 3)) as (line, field):
            field[3].fault = fault
            compiled = Compiled(None, Diagnostics(), (WorkerPlan("rs", (line,)),), protocols(), ())
            facts = await gathered(Place(tmp_path, compiled, tmp_path), tmp_path, ())
            (port,) = facts.ports
            assert (port.exists, port.allowed, port.unsolicited, port.echo) == (True, True, 0, False)
            assert port.units == (heard,)

    steady_loop.run(play())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_recorded_is_replayed_with_the_same_values(protocol: str, tmp_path: Path) -> None:
    async def play() -> None:
        device, file = of_profile("eastron-sdm120", 3), tmp_path / "frames.jsonl"
        # a recording keeps the delays of this host, and the replay adds its own: nobody is silent, so none may end a read
        device = polled_with(device, timeout_ms=10_000)
        async with simulated(protocol, device) as (line, _):
            recorded = msgspec.structs.replace(line, settings=line.settings | {SETTING: str(file)})
            there = await read(recorded, device)
        with file.open() as lines:
            replay = Replay(parse(lines))
        try:
            again = msgspec.structs.replace(line, settings=line.settings | await replay.start())
            assert await read(again, device) == there
        finally:
            await replay.stop()

    steady_loop.run(play())


def test_a_recording_of_datagrams_cannot_be_replayed() -> None:
    head = '{"line": "u", "protocol": "modbus-udp", "settings": {"host": "h", "port": 502}}'
    with pytest.raises(ValueError, match=r"^a recording of a modbus-udp line cannot be replayed$"):
        asyncio.run(Replay(parse([head])).start())
