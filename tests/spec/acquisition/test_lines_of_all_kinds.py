"""Lines of the other protocols, over what really carries them: values, silence, what is unsound, and commands."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.line_task import LineTask
from acquisition.simulate.lines import line_of
from acquisition.transport.errors import NoConnectionError
from acquisition.transport.network_ports import ConnectionPort, UdpPort, client_context
from bus import quality
from bus.messages import Outcome
from mapping.plan import DevicePlan, LinePlan, Obis, Own, PointPlan, Register, RegisterBlock, Reply, ReplyBlock
from tests.support import steady_loop
from tests.support.certificates import Authority
from tests.support.field import Field, device, meter, point, polled, polled_with, register

SIGN_ON = "/?!\r\n"


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    steady_loop.run(scenario())  # type: ignore[arg-type]


def good(field: Field, number: int) -> object:
    last = field.last.get(number)
    return last.reading.value if last is not None and last.reading.quality == quality.GOOD else None


def bad(field: Field, number: int) -> bool:
    last = field.last.get(number)
    return last is not None and last.reading.quality == quality.NO_ANSWER


# ---------------------------------------------------------------------- ADAM modules


def channel(number: int, name: str, table: str, address: int, **more: object) -> PointPlan:
    return point(number, f"adam.{name}", Register(table, address, "float32", 2), **more)  # type: ignore[arg-type]


def adam(unit: int = 1) -> DevicePlan:
    relay = register("coil", 2, "bool")
    output = Register("holding", 1, "float32", 2)
    points = [
        channel(0, "pressure", "input", 0),
        channel(1, "level", "input", 1),
        point(2, "adam.door", register("discrete", 5, "bool")),
        point(3, "adam.relay", relay, write=relay),
        channel(4, "setpoint", "holding", 1, write=output),
        point(5, "adam.online", Own("online")),
    ]
    blocks = [
        RegisterBlock("input", 0, 2, 50, (0,)),
        RegisterBlock("input", 1, 2, 50, (1,)),
        RegisterBlock("discrete", 5, 1, 50, (2,)),
        RegisterBlock("coil", 2, 1, 50, (3,)),
        RegisterBlock("holding", 1, 2, 50, (4,)),
    ]
    return polled_with(device("adam", unit, points, blocks), timeout_ms=60)


@pytest.mark.parametrize("checksum", [False, True])
def test_the_channels_of_an_adam_module_are_read_one_by_one_and_its_outputs_driven(checksum: bool) -> None:
    async def scenario() -> None:
        async with polled("adam-ascii", adam(0x1A), checksum=checksum) as field:
            module = field.devices["adam"]
            module.set("pressure", 5.125)
            module.set("level", -42.5)
            module.set("door", True)
            await field.until(lambda: [good(field, at) for at in range(3)] == [5.125, -42.5, True])
            field.command(3, True)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN])
            field.command(4, 12.5)
            await field.until(lambda: field.outcomes[2:] == [Outcome.ACCEPTED, Outcome.PROVEN])
            await field.until(lambda: (good(field, 3), good(field, 4)) == (True, 12.5))
            assert [write[:2] for write in module.writes] == [("coil", 2), ("holding", 1)]

    run(scenario)


@pytest.mark.parametrize("kind", ["silent", "garbage"])
def test_an_adam_module_that_says_nothing_sound_is_invalid_and_comes_back(kind: str) -> None:
    async def scenario() -> None:
        async with polled("adam-ascii", adam()) as field:
            field.devices["adam"].set("pressure", 1.0)
            await field.until(lambda: good(field, 0) == 1.0)
            field.devices["adam"].fault = Fault(kind)
            await field.until(lambda: bad(field, 0) and good(field, 5) is False, 20)
            field.devices["adam"].fault = None
            await field.until(lambda: good(field, 0) == 1.0, 20)

    run(scenario)


def test_a_late_answer_of_a_module_never_becomes_another_channels_value() -> None:
    async def scenario() -> None:
        async with polled("adam-ascii", adam()) as field:
            module = field.devices["adam"]
            module.set("pressure", 1.0)
            module.set("level", 2.0)
            await field.until(lambda: (good(field, 0), good(field, 1)) == (1.0, 2.0))
            for ms in (70, 180):
                module.fault = Fault("late", ms=ms)
                field.last.clear()
                await field.until(lambda: bad(field, 0) and bad(field, 1))
                module.fault = None
                await field.until(lambda: (good(field, 0), good(field, 1)) == (1.0, 2.0), 20)
            seen = {(one.point, one.reading.value) for one in field.seen if one.reading.quality == quality.GOOD}
            assert {one for one in seen if one[0] in (0, 1)} == {(0, 1.0), (1, 2.0)}

    run(scenario)


# ---------------------------------------------------------------------- meters that are read out


def read_out(name: str, unit: int, first: int, request: str = SIGN_ON) -> DevicePlan:
    points = [
        PointPlan(first, f"{name}.import_energy", "Wh", Obis(request, "1.8.0"), True, 3000, 50),
        PointPlan(first + 1, f"{name}.voltage_l1", "V", Obis(request, "32.7.0"), True, 3000, 50),
        point(first + 2, f"{name}.online", Own("online")),
    ]
    return device(name, unit, points, [ReplyBlock(request, "", 50, (first, first + 1))])


def test_one_readout_brings_all_points_of_a_meter_and_its_neighbour_answers_to_its_own_address() -> None:
    async def scenario() -> None:
        one, other = read_out("one", 1, 0, "/?11!\r\n"), read_out("other", 2, 10, "/?22!\r\n")
        async with polled("iec62056-21", one, other, baudrate=19200, fixed_baudrate=True) as field:
            field.devices["one"].set("import_energy", 1234567.0)
            field.devices["other"].set("import_energy", 7.0)
            field.devices["one"].set("voltage_l1", 231.5)
            await field.until(lambda: (good(field, 0), good(field, 1), good(field, 10)) == (1234567.0, 231.5, 7.0), 20)
            assert field.line.counters.timeouts == 0

    run(scenario)


@pytest.mark.parametrize("kind", ["silent", "crc"])
def test_a_meter_whose_check_is_wrong_or_that_is_silent_gives_no_value_and_comes_back(kind: str) -> None:
    async def scenario() -> None:
        async with polled("iec62056-21", read_out("one", 1, 0), baudrate=9600) as field:
            field.devices["one"].set("import_energy", 5.0)
            await field.until(lambda: good(field, 0) == 5.0, 20)
            field.devices["one"].fault = Fault(kind)
            await field.until(lambda: bad(field, 0), 20)
            field.devices["one"].fault = None
            await field.until(lambda: good(field, 0) == 5.0, 20)
            assert {one.reading.value for one in field.seen if one.point == 0} == {5.0, None}

    run(scenario)


# ---------------------------------------------------------------------- TLS


def tls_settings(authority: Authority, name: str = "gateway") -> dict[str, str]:
    cert, key = authority.issue(name)
    return {"cert": cert, "key": key, "ca": authority.ca}


def test_a_device_behind_tls_is_polled_when_both_certificates_are_of_the_authority(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = tls_settings(Authority(tmp_path))
        async with polled("modbus-tls", meter("meter", 1, 0), **settings, server_name="localhost") as field:
            field.devices["meter"].set("power", 7)
            await field.until(lambda: good(field, 0) == 7)

    run(scenario)


@pytest.mark.parametrize(
    ("theirs", "ours", "name", "reason"),
    [
        ("own", "other", None, "certificate refused, self-signed certificate in certificate chain"),
        ("own", "own", "meter.example", "certificate refused, Hostname mismatch"),
    ],
)
def test_a_device_with_a_certificate_that_does_not_fit_is_not_talked_to(
    theirs: str, ours: str, name: str | None, reason: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        authorities = {one: Authority(tmp_path, one) for one in ("own", "other")}
        served = LinePlan(
            "bench", "modbus-tls", {"host": "127.0.0.1", "port": 0, **tls_settings(authorities[theirs])}, ()
        )
        line = line_of(served, {})
        assert line is not None
        where = await line.start()
        wanted = {"server_name": name} if name else {}
        port = ConnectionPort({**where, **tls_settings(authorities[ours]), **wanted}, client_context)
        with pytest.raises(NoConnectionError) as refused:
            await port.open()
        assert str(refused.value).startswith(f"127.0.0.1:{where['port']}: {reason}")
        await port.close()
        await line.stop()

    run(scenario)


def test_a_line_whose_key_is_none_says_so_and_stays_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = tls_settings(Authority(tmp_path))
        Path(settings["key"]).write_text("nothing")
        port = ConnectionPort({"host": "127.0.0.1", "port": 1, **settings}, client_context)
        with pytest.raises(NoConnectionError, match=r"^127\.0\.0\.1:1: "):
            await port.open()

    run(scenario)


# ---------------------------------------------------------------------- lines of text over TCP


def scale(name: str, request: str, first: int) -> DevicePlan:
    weight = Reply(request, r"(?P<state>[SD]) +(?P<value>[-0-9.]+) kg", "value", (("state", "S"),))
    points = [
        PointPlan(first, f"{name}.weight", "kg", weight, True, 3000, 50),
        point(first + 1, f"{name}.online", Own("online")),
    ]
    return polled_with(device(name, first, points, [ReplyBlock(request, "", 50, (first,))]), timeout_ms=60)


def test_two_instruments_behind_one_device_server_say_their_values_and_a_silent_one_spoils_nothing() -> None:
    async def scenario() -> None:
        async with polled("tcp-ascii", scale("left", "SI\r\n", 0), scale("right", "W?\r\n", 2)) as field:
            field.devices["left"].set("weight", 12.5)
            field.devices["right"].set("weight", -3.25)
            await field.until(lambda: good(field, 0) == 12.5 and good(field, 2) == -3.25)
            field.devices["left"].fault = Fault("silent")
            await field.until(lambda: bad(field, 0))
            seen = len(field.seen)
            await field.until(lambda: any(one.point == 2 for one in field.seen[seen:]))
            assert good(field, 2) == -3.25

    run(scenario)


# ---------------------------------------------------------------------- UDP and streams


def udp_device(sent: Callable[[bytes], Sequence[bytes]]) -> type[asyncio.DatagramProtocol]:
    class Device(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            for octets in sent(data):
                self.transport.sendto(octets, addr)  # type: ignore[attr-defined]

    return Device


def answer(request: bytes, value: int) -> bytes:
    data = value.to_bytes(2, "big") * int.from_bytes(request[10:12], "big")
    return request[:4] + (3 + len(data)).to_bytes(2, "big") + request[6:8] + bytes((len(data),)) + data


def test_of_datagrams_that_are_cut_doubled_late_or_two_in_one_only_the_whole_answer_counts() -> None:
    asked: list[bytes] = []

    def sent(request: bytes) -> list[bytes]:
        asked.append(request)
        whole = answer(request, len(asked))
        late = [answer(asked[-2], 999)] if len(asked) > 1 else []
        return [*late, whole[:-1], answer(request, 999) * 2, whole[:9], whole, whole]

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(udp_device(sent), local_addr=("127.0.0.1", 0))
        where = {"host": "127.0.0.1", "port": transport.get_extra_info("sockname")[1]}
        plan = LinePlan("bench", "modbus-udp", where, (meter("meter", 1, 0),))
        field = Field(plan)
        task = LineTask(plan, by_protocol()["modbus-udp"], field.publish, field._commands, field.clock)
        polling = field.started(task)
        await field.until(lambda: len(asked) > 5)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        transport.close()
        values = [one.reading.value for one in field.seen if one.point == 0]
        assert values == list(range(1, len(values) + 1))
        assert field.line.counters.timeouts == 0

    run(scenario)


def test_a_udp_port_where_nobody_listens_is_a_line_that_is_down() -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            where = {"host": "127.0.0.1", "port": taken.getsockname()[1]}
        port = UdpPort(where)
        await port.open()
        await port.write(b"anybody?")
        with pytest.raises(NoConnectionError, match=r"^device: connection refused$"):
            await port.read(2.0)
        await port.close()

    run(scenario)


def test_a_read_without_a_time_returns_the_octets_that_are_there() -> None:
    async def scenario() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(b"late")

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        port = ConnectionPort({"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]})
        await port.open()
        assert await port.read(2.0) == b"late"
        assert await port.read(0.001) == b""
        writers[0].write(b"later")
        async with asyncio.timeout(2):
            while not (unread := await port.read(0)):  # noqa: ASYNC110 - a port has no event for what nobody reads
                await asyncio.sleep(0.001)
        assert unread == b"later"
        assert await port.read(0) == b""
        writers[0].close()
        with pytest.raises(NoConnectionError, match=r"^connection closed by the device$"):
            await port.read(2.0)
        await port.close()
        server.close()

    run(scenario)


# ---------------------------------------------------------------------- simulated


def test_a_simulated_line_has_values_that_obey_physics_without_any_port() -> None:
    names = ("voltage_l1", "current_l1", "power_factor_l1", "active_power_l1")
    points = [point(at, f"meter.{name}", Register("input", 2 * at, "float32", 2)) for at, name in enumerate(names)]
    plan = device("meter", 1, points, [RegisterBlock("input", 0, 8, 50, (0, 1, 2, 3))])

    async def scenario() -> None:
        async with polled("simulated", plan) as field:
            await field.until(lambda: good(field, 3) is not None)
            voltage, current, factor, power = (good(field, at) for at in range(4))
            assert power == pytest.approx(voltage * current * factor, rel=1e-5)  # type: ignore[operator]

    run(scenario)


def test_a_simulated_device_takes_commands_and_an_absent_unit_is_silent() -> None:
    relay = register("coil", 0, "bool")
    plan = device("io", 3, [point(0, "io.relay", relay, write=relay)], [RegisterBlock("coil", 0, 1, 50, (0,))])

    async def scenario() -> None:
        async with polled("simulated", plan) as field:
            await field.until(lambda: good(field, 0) is False)
            field.command(0, True)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN])
            await field.until(lambda: good(field, 0) is True)

    run(scenario)
