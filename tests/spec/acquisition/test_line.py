"""A line: what it publishes of sound, silent and wrong devices, and what becomes of commands on their way."""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from acquisition.drivers.base import Read, Registers
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.link import Link
from acquisition.exchange.port_factory import port_of
from acquisition.line_task import LineTask
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from acquisition.port_loop import PortLoop
from acquisition.simulate.lines import TcpLine
from acquisition.transport.errors import NoConnectionError, UnsentError
from acquisition.transport.network_ports import ConnectionPort
from acquisition.transport.ports import SerialPort, TcpPort
from bus import quality
from bus.clock import FINEST
from bus.messages import Outcome
from bus.quality import TimeQuality
from mapping.plan import DevicePlan, Identify, LinePlan, Own, Register, RegisterBlock
from tests.support import steady_loop
from tests.support.field import Field, device, meter, point, polled, polled_with, register

PROTOCOLS = ["modbus-tcp", "modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii", "modbus-udp"]
READ_COILS, WRITE_COIL = 1, 5  # Modbus functions
FIN_WAIT2 = b"\x05"  # of TCP_INFO: the other end's system has acknowledged our end of stream
TYPE_CODE = Identify(register("holding", 100), equals=630)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    steady_loop.run(scenario())  # type: ignore[arg-type]


def good(field: Field, number: int, value: object) -> bool:
    last = field.last.get(number)
    return last is not None and (last.reading.value, last.reading.quality) == (value, quality.GOOD)


def reason(field: Field, number: int) -> str:
    last = field.last.get(number)
    return last.reading.reason if last is not None else ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dead_unit_is_invalid_and_its_neighbour_is_not(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, meter("dead", 1, 0), meter("well", 2, 10)) as field:
            field.devices["dead"].fault = Fault("silent")
            field.devices["well"].set("power", 7)
            await field.until(lambda: good(field, 10, 7) and 0 in field.last)
            assert (field.last[0].reading.value, field.last[0].reading.quality) == (None, quality.NO_ANSWER)
            assert reason(field, 0) == "no answer within 120 ms"
            assert field.last[2].reading.value is False
            assert field.last[12].reading.value is True

    run(scenario)


@pytest.mark.conformance("TM-1")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_time_of_what_is_read_lies_within_its_exchange(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, meter("feeder", 1, 0)) as field:
            field.devices["feeder"].set("power", 7)
            began = time.time_ns()
            await field.until(lambda: good(field, 0, 7))
            ended = time.time_ns()
            blurred = [one for one in field.stamps if one.time_quality != FINEST]
            assert blurred
            for one in blurred:  # by the accuracy that it says, half of its exchange is more than half of that
                half_ns = 500_000_000 >> (one.time_quality & TimeQuality.UNSPECIFIED)
                assert began < one.utc_ns - half_ns < one.utc_ns + half_ns < ended

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_device_that_is_not_its_profiles_gives_no_value_and_says_why(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, meter("feeder", 1, 0, identify=TYPE_CODE)) as field:
            field.devices["feeder"].registers["holding", 100] = 120
            await field.until(lambda: 0 in field.last)
            assert field.last[0].reading.value is None
            assert reason(field, 0) == "it is another device: holding 100 uint16 is 120, the profile says 630"
            field.devices["feeder"].set("power", 9)
            field.devices["feeder"].registers["holding", 100] = 630
            await field.until(lambda: good(field, 0, 9))
            assert {one.reading.value for one in field.seen if one.point == 0} == {None, 9}

    run(scenario)


def test_a_device_that_refuses_its_identify_register_is_another_device() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", meter("feeder", 1, 0, identify=TYPE_CODE)) as field:
            field.devices["feeder"].fault = Fault("exception", code=2)
            await field.until(lambda: 0 in field.last)
            said = "it is another device: holding 100 uint16 is refused, exception 2 (illegal data address)"
            assert reason(field, 0) == said

    run(scenario)


def test_a_device_that_was_away_is_asked_again_what_it_is() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", meter("feeder", 1, 0, identify=TYPE_CODE)) as field:
            feeder = field.devices["feeder"]
            feeder.set("power", 9)
            await field.until(lambda: good(field, 0, 9))
            feeder.fault = Fault("silent")
            await field.until(lambda: field.last[2].reading.value is False)
            assert reason(field, 0) == "no answer within 120 ms"
            feeder.registers["holding", 100] = 120
            feeder.fault = None
            await field.until(lambda: reason(field, 0).startswith("it is another device"))
            assert field.last[2].reading.value is False

    run(scenario)


def test_an_illegal_register_costs_its_own_point_and_no_other() -> None:
    async def scenario() -> None:
        several = device(
            "io",
            1,
            [point(number, f"io.r{number}", register("holding", number)) for number in range(4)],
            [RegisterBlock("holding", 0, 5, 50, (0, 1, 2, 3)), RegisterBlock("holding", 5, 1, 50, (9,))],
        )
        lone = point(9, "io.r9", register("holding", 9))
        with_hole = device("io", 1, [*several.points, lone], [RegisterBlock("holding", 0, 10, 50, (0, 1, 2, 3, 9))])
        async with polled("modbus-tcp", with_hole) as field:
            simulated = field.devices["io"]
            del simulated.registers["holding", 9]
            simulated.set("r3", 33)
            await field.until(lambda: good(field, 3, 33) and 9 in field.last)
            assert field.last[9].reading.quality == quality.REFUSED
            assert reason(field, 9) == "exception 2 (illegal data address)"

    run(scenario)


RELAY = device(
    "io",
    1,
    [
        point(0, "io.relay", register("coil", 20, "bool"), write=register("coil", 20, "bool")),
        point(1, "io.horn", register("coil", 21, "bool"), write=register("coil", 21, "bool"), readable=False),
        point(2, "io.setpoint", register("holding", 5, "float32", 2), write=register("holding", 5, "float32", 2)),
        point(3, "io.other", register("holding", 9)),
    ],
    [RegisterBlock("coil", 20, 1, 50, (0,)), RegisterBlock("holding", 5, 2, 50, (2,))],
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_command_is_accepted_then_proven_and_the_point_shows_it(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            await field.until(lambda: good(field, 0, False))
            field.command(0, True)
            await field.until(lambda: len(field.results) == 2)
            assert field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN]
            assert field.last[0].reading.value is True
            field.command(2, 12.5)
            await field.until(lambda: len(field.results) == 4)
            assert field.outcomes[2:] == [Outcome.ACCEPTED, Outcome.PROVEN]
            assert field.devices["io"].values["setpoint"] == 12.5

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pulse_goes_back_by_itself_even_past_a_silence(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            await field.until(lambda: good(field, 0, False))
            field.devices["io"].registers |= {("coil", 22 + more): 0 for more in range(16)}  # it may be asked for more
            field.command(0, True, within_s=10, pulse_ms=300)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED])
            assert field.devices["io"].registers["coil", 20] == 1
            field.devices["io"].fault = Fault("silent")
            await asyncio.sleep(0.5)  # the pulse should have ended by now, and nobody answers
            field.devices["io"].fault = None
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN])
            assert [tuple(words) for _, _, words in field.devices["io"].writes] == [(1,), (0,)]
            field.command(0, False, pulse_ms=300)
            assert field.outcomes[-1] is Outcome.UNFIT_VALUE

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_end_of_a_pulse_is_told_where_nothing_is_read_back(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            await field.until(lambda: good(field, 0, False))
            field.command(1, True, within_s=10, pulse_ms=100)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED, Outcome.ENDED])
            assert [(address, tuple(words)) for _, address, words in field.devices["io"].writes] == [
                (21, (1,)),
                (21, (0,)),
            ]

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pulse_ends_with_its_line(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            await field.until(lambda: good(field, 0, False))
            field.command(0, True, within_s=10, pulse_ms=60_000)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED])
        assert [tuple(words) for _, _, words in field.devices["io"].writes] == [(1,), (0,)]

    run(scenario)


def coils(name: str, unit: int, first: int) -> DevicePlan:
    """Three coils that can be pulsed: the points from `first`."""
    points = [
        point(
            first + at, f"{name}.coil{at}", register("coil", 20 + at, "bool"), write=register("coil", 20 + at, "bool")
        )
        for at in range(3)
    ]
    return device(name, unit, points, [RegisterBlock("coil", 20, 3, 50, (first, first + 1, first + 2))])


async def pulsed(field: Field, *numbers: int) -> None:
    """Begin a long pulse of each of these points, and wait until all of them are on."""
    await field.until(lambda: all(good(field, number, False) for number in numbers))
    for number in numbers:
        field.command(number, True, within_s=10, pulse_ms=60_000)
    await field.until(lambda: field.outcomes == [Outcome.ACCEPTED] * len(numbers))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_pulse_ends_with_its_line_on_whichever_device_it_is(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, coils("one", 1, 0), coils("two", 2, 10)) as field:
            await pulsed(field, 0, 10, 2, 1, 12)
        for name, on in (("one", [20, 22, 21]), ("two", [20, 22])):
            writes = [(address, tuple(words)) for _, address, words in field.devices[name].writes]
            assert writes == [*((address, (1,)) for address in on), *((address, (0,)) for address in on)]

    run(scenario)


@pytest.mark.parametrize("kind", ["silent", "exception"])
def test_a_device_that_lets_no_pulse_end_keeps_those_of_others_from_nothing(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with polled("modbus-rtu", coils("one", 1, 0), coils("two", 2, 10)) as field:
            await pulsed(field, 0, 1, 10, 11)
            field.devices["one"].fault = Fault(kind)
        assert [tuple(words) for _, _, words in field.devices["two"].writes] == [(1,), (1,), (0,), (0,)]

    run(scenario)
    ends = [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert ends == ["one.coil0: its pulse could not be ended", "one.coil1: its pulse could not be ended"]


@pytest.mark.parametrize("ends", ["close", "reset"])
def test_every_pulse_ends_with_its_line_though_the_connection_ends_behind_each_answer(ends: str) -> None:
    async def scenario() -> None:
        coil = {20: 0, 21: 0, 22: 0}

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.readexactly(12)
            if asked[7] == WRITE_COIL:
                coil[asked[9]] = asked[10] // 0xFF
                answer = asked
            else:
                held = sum(one << place for place, one in enumerate(coil.values()))
                answer = asked[:4] + bytes((0, 4, asked[6], asked[7], 1, held))
            if ends == "reset" and asked[7] == WRITE_COIL and not coil[asked[9]]:
                writer.transport.abort()  # done, and the confirmation is lost
                return
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        plan = LinePlan("bench", "modbus-tcp", {"host": host, "port": port}, (coils("io", 1, 0),))
        field = Field(plan)
        polling = field.started(
            LineTask(plan, by_protocol()["modbus-tcp"], field.publish, field._commands, field.clock)
        )
        await pulsed(field, 0, 1, 2)
        assert coil == {20: 1, 21: 1, 22: 1}
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        assert coil == {20: 0, 21: 0, 22: 0}
        server.close()

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pulse_whose_reply_is_lost_is_ended_too(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            io = field.devices["io"]
            await field.until(lambda: good(field, 0, False))
            io.fault = Fault("wrong_unit")  # it does what it is asked, and its answer is nobody's
            field.command(0, True, within_s=10, pulse_ms=60_000)
            await field.until(lambda: field.outcomes == [Outcome.NO_ANSWER])
            io.fault = None
            await field.until(lambda: io.registers["coil", 20] == 0)
            assert io.writes[0] == ("coil", 20, (1,))
            assert field.outcomes == [Outcome.NO_ANSWER]

    run(scenario)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_of_a_pulse_is_written_to_a_device_that_comes_back_later(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY) as field:
            io = field.devices["io"]
            await field.until(lambda: good(field, 0, False))
            io.fault = Fault("silent")
            field.command(0, True, within_s=10, pulse_ms=100)
            await field.until(lambda: field.outcomes == [Outcome.NO_ANSWER])
            await asyncio.sleep(0.5)
            io.fault = None
            await field.until(lambda: good(field, 0, False))
            field.command(1, True, within_s=10)
            await field.until(lambda: field.outcomes == [Outcome.NO_ANSWER, Outcome.ACCEPTED])
            assert [(address, tuple(words)) for _, address, words in io.writes] == [(21, (1,))]

    run(scenario)


FLAGS = device(
    "io",
    1,
    [
        point(number, f"io.bit{bit}", flag, write=flag)
        for number, bit in enumerate((0, 3, 15))
        for flag in [Register("holding", 5, "bit", 1, low_bit=bit, high_bit=bit)]
    ],
    [RegisterBlock("holding", 5, 1, 50, (0, 1, 2))],
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_bit_is_written_alone_and_its_neighbours_stay(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, FLAGS) as field:
            field.devices["io"].set("bit15", True)
            await field.until(lambda: good(field, 2, True))
            field.command(1, True)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN])
            assert field.devices["io"].registers["holding", 5] == 0x8008
            field.command(2, False)
            await field.until(lambda: field.outcomes[2:] == [Outcome.ACCEPTED, Outcome.PROVEN])
            assert field.devices["io"].registers["holding", 5] == 0x0008

    run(scenario)


def test_a_command_that_nothing_proves_keeps_no_neighbour_waiting() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", RELAY, meter("well", 2, 10)) as field:
            await field.until(lambda: good(field, 0, False) and 10 in field.last)
            field.devices["io"].fault = Fault("stuck")
            field.command(0, True, within_s=1.0)
            await field.until(lambda: field.outcomes == [Outcome.ACCEPTED])
            seen = len([one for one in field.seen if one.point == 10])
            await field.until(lambda: Outcome.DIFFERS in field.outcomes)
            assert field.results[-1].reason == "reads back 0000"
            assert len([one for one in field.seen if one.point == 10]) >= seen + 5

    run(scenario)


def test_what_cannot_be_read_is_accepted_and_never_proven() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", RELAY) as field:
            field.command(1, True)
            field.command(0, True)
            await field.until(lambda: Outcome.PROVEN in field.outcomes)
            assert [(one.number, one.outcome) for one in field.results] == [
                (1, Outcome.ACCEPTED), (2, Outcome.ACCEPTED), (2, Outcome.PROVEN),
            ]  # fmt: skip
            assert field.devices["io"].registers["coil", 21] == 1

    run(scenario)


def test_a_device_that_says_no_or_nothing_is_told_and_nothing_is_written_again() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", RELAY) as field:
            await field.until(lambda: good(field, 0, False))
            field.devices["io"].fault = Fault("exception", code=4)
            field.command(0, True)
            await field.until(lambda: len(field.results) == 1)
            assert (field.results[0].outcome, field.results[0].detail) == (Outcome.EXCEPTION, 4)
            field.devices["io"].fault = Fault("silent")
            field.command(0, True)
            await field.until(lambda: len(field.results) == 2)
            assert (field.results[1].outcome, field.results[1].reason) == (
                Outcome.NO_ANSWER, "no answer within 120 ms",
            )  # fmt: skip
            field.devices["io"].fault = None
            await field.until(lambda: good(field, 0, False))
            assert field.devices["io"].registers["coil", 20] == 0

    run(scenario)


def test_a_command_past_its_deadline_an_unfit_value_and_a_point_without_write_write_nothing() -> None:
    async def scenario() -> None:
        async with polled("modbus-tcp", RELAY) as field:
            field.command(0, True, within_s=-1)
            field.command(2, 1e300)
            field.command(3, 1)
            field.command(0, 7)
            assert field.outcomes == [
                Outcome.EXPIRED, Outcome.UNFIT_VALUE, Outcome.UNKNOWN_POINT, Outcome.UNFIT_VALUE,
            ]  # fmt: skip
            await field.until(lambda: 0 in field.last)
            assert field.devices["io"].registers["coil", 20] == 0

    run(scenario)


def test_a_command_that_cannot_be_delivered_before_its_deadline_is_never_written() -> None:
    async def scenario() -> None:
        away = device("io", 1, RELAY.points, RELAY.blocks, TYPE_CODE)
        async with polled("modbus-tcp", away) as field:
            field.devices["io"].registers["holding", 100] = 1
            field.command(0, True)
            await field.until(lambda: len(field.results) == 1)
            said = "not written: the device has not identified itself yet"
            assert (field.results[0].outcome, field.results[0].reason) == (Outcome.NO_ANSWER, said)
            assert field.devices["io"].registers["coil", 20] == 0

    run(scenario)


@pytest.mark.parametrize("protocol", ["modbus-tcp", "modbus-rtu"])
@pytest.mark.parametrize("pulse_ms", [0, 50], ids=["a value", "a pulse"])
@pytest.mark.parametrize("delay", ["delay_after_connect", "delay_between"])
def test_a_command_whose_deadline_passes_while_the_line_must_be_silent_is_never_written(
    protocol: str, pulse_ms: int, delay: str
) -> None:
    async def scenario() -> None:
        async with polled(protocol, RELAY, **{delay: 400}) as field:
            if delay == "delay_between":
                await field.until(lambda: good(field, 0, False))  # the silence has begun
            field.command(0, True, within_s=0.1, pulse_ms=pulse_ms)
            field.command(1, True, within_s=0.1, pulse_ms=pulse_ms)
            field.command(2, 12.5, within_s=10)
            await field.until(lambda: field.outcomes[-1:] == [Outcome.PROVEN])
            said = "its deadline passed before it could be written"
            assert [(one.outcome, one.reason) for one in field.results[:2]] == [(Outcome.EXPIRED, said)] * 2
            assert field.outcomes[2:] == [Outcome.ACCEPTED, Outcome.PROVEN]
            assert [address for _, address, _ in field.devices["io"].writes] == [5]

    run(scenario)


class SlowPort(TcpPort):
    """A port that takes its time to open."""

    takes_s = 0.0

    async def open(self) -> None:
        await asyncio.sleep(self.takes_s)
        await super().open()


@pytest.mark.parametrize("late", [True, False])
def test_a_command_whose_deadline_passes_while_the_connection_is_made_is_never_written(late: bool) -> None:
    async def scenario() -> None:
        plan = LinePlan("bench", "modbus-tcp", {"host": "127.0.0.1", "port": 0}, (RELAY,))
        field = Field(plan)
        server = TcpLine(plan, by_protocol()["modbus-tcp"], {1: field.devices["io"]})
        address = dict(await server.start())
        port = SlowPort(address)
        port.takes_s = 0.2
        plan = LinePlan("bench", "modbus-tcp", address, plan.devices)
        task = LineTask(plan, by_protocol()["modbus-tcp"], field.publish, field._commands, field.clock, port=port)
        field.line = task.line
        field.command(0, True, within_s=0.05 if late else 10)
        polling = field.started(task)
        await field.until(lambda: field.outcomes[-1:] in ([Outcome.EXPIRED], [Outcome.PROVEN]))
        await field.until(lambda: good(field, 0, not late))
        assert [tuple(words) for _, _, words in field.devices["io"].writes] == ([] if late else [(1,)])
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await server.stop()

    run(scenario)


def test_a_command_for_a_line_that_is_down_is_never_written() -> None:
    async def scenario() -> None:
        with socket.socket() as reserved:  # bound, and nobody listens
            reserved.bind(("127.0.0.1", 0))
            away = device("io", 1, [*RELAY.points, point(4, "io.online", Own("online"))], RELAY.blocks)
            plan = LinePlan("bench", "modbus-tcp", {"host": "127.0.0.1", "port": reserved.getsockname()[1]}, (away,))
            field = Field(plan)
            polling = field.started(
                LineTask(plan, by_protocol()["modbus-tcp"], field.publish, field._commands, field.clock)
            )
            await field.until(lambda: 4 in field.last)  # it has been tried
            field.command(0, True, within_s=0.05)
            await field.until(lambda: len(field.results) == 1)
            said = (field.results[0].outcome, field.results[0].reason)
            assert said == (Outcome.NO_ANSWER, "not written: the line is down")
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    run(scenario)


def test_a_device_that_closes_after_each_answer_is_asked_on_a_new_connection() -> None:
    async def scenario() -> None:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.readexactly(12)
            writer.write(asked[:4] + bytes((0, 7, asked[6], 3, 4, 0, 1, 0, 2)))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        feeder = meter("feeder", 1, 0)
        spec, plan = by_protocol()["modbus-tcp"], LinePlan("lan", "modbus-tcp", {"host": host, "port": port}, (feeder,))
        loop = PortLoop(port_of(plan, spec))
        link = Link(plan, spec, loop.time, lambda: 1.0)
        for _ in range(4):
            assert await loop.run(link.exchange(Read(1, "holding", 0, 2), feeder)) == Registers((1, 2))
        assert (link.counters.reconnects, link.counters.answers) == (4, 4)
        await loop.run(link.close())
        server.close()

    run(scenario)


@pytest.mark.conformance("GW-5")
@pytest.mark.parametrize("pause_ms", [0, 30], ids=["at once", "after its pause"])
def test_a_command_reaches_a_device_that_closes_after_each_answer_and_is_written_once(pause_ms: int) -> None:
    async def scenario() -> None:
        coil, written = bytearray((0,)), []

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.readexactly(12)
            if asked[7] == 5:
                coil[0] = asked[10] // 0xFF
                written.append(coil[0])
            writer.write(asked if asked[7] == 5 else asked[:4] + bytes((0, 4, asked[6], asked[7], 1, coil[0])))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        relay = polled_with(device("io", 1, RELAY.points[:1], RELAY.blocks[:1]), pause_ms=pause_ms)
        plan = LinePlan("bench", "modbus-tcp", {"host": host, "port": port}, (relay,))
        field = Field(plan)
        polling = field.started(
            LineTask(plan, by_protocol()["modbus-tcp"], field.publish, field._commands, field.clock)
        )
        for value in (True, False, True):
            await field.until(lambda value=value: good(field, 0, not value))  # type: ignore[misc]
            field.results.clear()
            field.command(0, value)
            await field.until(lambda: len(field.results) > 1 or field.outcomes == [Outcome.NO_ANSWER])
            assert field.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN]
        assert written == [1, 0, 1]
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        server.close()

    run(scenario)


def end_stream(end: socket.socket) -> None:
    """End the stream, and return when the system of the other end has that, before any task of the loop runs."""
    end.shutdown(socket.SHUT_WR)
    while end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != FIN_WAIT2:
        time.sleep(0.0001)


class SingleRequestRelay:
    """A relay at a TCP port that serves one request a connection.

    `late`: it ends a connection only when another request comes, which it does not carry out. Otherwise its end of stream
    is in the operating system of the worker, unseen by the loop, when the answer is read.
    `next`: commands that are ordered while a request of that function is answered. `written`: what was carried out.
    """

    def __init__(self, relay: DevicePlan, *, late: bool) -> None:
        self.coil, self.late = 0, late
        self.written: list[int] = []
        self.next: deque[tuple[int, bool]] = deque()  # function, value
        self._relay = relay

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(12)
        function = asked[7]
        if function == 5:
            self.coil = asked[10] // 0xFF
            self.written.append(self.coil)
        if self.next and self.next[0][0] == function:
            self.field.command(0, self.next.popleft()[1])
        writer.write(asked if function == 5 else asked[:4] + bytes((0, 4, asked[6], function, 1, self.coil)))
        if self.late:
            await reader.read(12)
        else:
            end_stream(writer.get_extra_info("socket"))
        writer.close()

    @asynccontextmanager
    async def polled(self) -> AsyncIterator[Field]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        plan = LinePlan("bench", "modbus-tcp", {"host": host, "port": port}, (self._relay,))
        self.field = Field(plan)
        polling = self.field.started(
            LineTask(plan, by_protocol()["modbus-tcp"], self.field.publish, self.field._commands, self.field.clock)
        )
        try:
            yield self.field
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            server.close()


SINGLE = device("io", 1, [RELAY.points[0], point(4, "io.online", Own("online"))], RELAY.blocks[:1])


@pytest.mark.conformance("GW-5")
@pytest.mark.parametrize("late", [False, True], ids=["undeclared, its end has come", "declared, its end is on the way"])
@pytest.mark.parametrize("first", [READ_COILS, WRITE_COIL], ids=["behind a poll", "behind a command"])
def test_a_command_is_not_given_to_a_connection_that_the_device_ends(first: int, late: bool) -> None:
    async def scenario() -> None:
        relay = SingleRequestRelay(polled_with(SINGLE, close_after=late), late=late)
        async with relay.polled() as field:
            await field.until(lambda: good(field, 0, False))
            relay.next.extend([(first, True)] if first == READ_COILS else [(READ_COILS, False), (WRITE_COIL, True)])
            wanted = 2 * len(relay.next)
            await field.until(lambda: len(field.results) == wanted or Outcome.NO_ANSWER in field.outcomes)
            assert Outcome.NO_ANSWER not in field.outcomes, field.results
            assert relay.written == ([1] if first == READ_COILS else [0, 1])
            await field.until(lambda: good(field, 0, True))

    run(scenario)


@pytest.mark.conformance("GW-5")
def test_a_command_that_met_the_end_of_its_connection_is_not_sent_again() -> None:
    async def scenario() -> None:
        relay = SingleRequestRelay(SINGLE, late=True)
        async with relay.polled() as field:
            await field.until(lambda: good(field, 0, False))
            relay.next.append((READ_COILS, True))
            await field.until(lambda: bool(field.results))
            told = (field.results[0].outcome, field.results[0].reason)
            assert told == (Outcome.NO_ANSWER, "connection closed by the device")
            await field.until(lambda: field.last[0].reading.quality != quality.GOOD)
            await field.until(lambda: good(field, 0, False))
            assert (field.outcomes, relay.written) == ([Outcome.NO_ANSWER], [])

    run(scenario)


@pytest.mark.parametrize("port_class", [TcpPort, ConnectionPort])
def test_a_port_writes_nothing_to_a_connection_whose_end_has_come_unseen(
    port_class: type[TcpPort] | type[ConnectionPort],
) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = port_class({"host": "127.0.0.1", "port": listening.getsockname()[1]})
            await port.open()
            peer, _ = listening.accept()
            with peer:
                await port.write(b"first")
                assert peer.recv(5) == b"first"
                end_stream(peer)
                with pytest.raises(UnsentError, match=r"^connection closed by the device$"):
                    await port.write(b"second")
                await port.close()
                peer.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(peer, 6) == b""

    run(scenario)


def test_a_port_that_is_not_there_is_named_as_it_is_written() -> None:
    async def scenario() -> None:
        with pytest.raises(NoConnectionError, match=r"^/dev/ttyNONE0: no such file or directory$"):
            await SerialPort({"port": "/dev/ttyNONE0"}).open()

    run(scenario)


def test_a_port_without_direction_control_says_so() -> None:
    async def scenario() -> None:
        master, slave = os.openpty()
        port = SerialPort({"port": os.ttyname(slave), "rts": "rs485"})
        with pytest.raises(NoConnectionError) as refused:
            await port.open()
        assert str(refused.value) == f"{os.ttyname(slave)}: no direction control, which `rts: rs485` needs"
        os.close(master)
        os.close(slave)

    run(scenario)


def test_a_port_that_vanishes_says_so_once_and_is_watched_no_more() -> None:
    async def scenario() -> None:
        master, slave = os.openpty()
        port = SerialPort({"port": os.ttyname(slave)})
        await port.open()
        os.close(slave)
        os.close(master)
        for _ in range(2):
            with pytest.raises(NoConnectionError, match=r"^port lost: (end of file|input/output error)$"):
                await port.read(2.0)
        with pytest.raises(NoConnectionError, match=r"^port lost: "):
            await port.write(b"more")
        await port.close()

    run(scenario)


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii"])
def test_a_late_answer_never_passes_for_another_registers_value(protocol: str) -> None:
    async def scenario() -> None:
        async with polled(protocol, meter("slow", 1, 0)) as field:
            slow = field.devices["slow"]
            slow.registers["holding", 2] = slow.registers["holding", 3] = 0xDEAD
            slow.set("power", 100)
            slow.set("frequency", 5000)
            await field.until(lambda: good(field, 0, 100))
            for turn in range(6):
                slow.fault = Fault("late", ms=150)
                field.last.pop(0)
                await field.until(lambda: 0 in field.last)
                slow.set("power", 200 + turn)
                slow.fault = None
                await field.until(lambda turn=turn: good(field, 0, 200 + turn), 20)  # type: ignore[misc]
            good_ones = (one.reading for one in field.seen if one.point == 0 and one.reading.quality == quality.GOOD)
            values = [one.value for one in good_ones if isinstance(one.value, int | float)]
            assert set(values) <= {100, *range(200, 206)}
            if protocol not in ("modbus-rtu", "modbus-ascii"):  # on a wire an answer ends what was owed before it
                assert values == sorted(values)

    run(scenario)


@pytest.mark.parametrize("knew", ["simulated old 1.0", "simulated meter 1.0", ""])
def test_what_another_device_refused_is_asked_for_again_at_once(knew: str) -> None:
    async def scenario() -> None:
        plan = LinePlan("bench", "modbus-tcp", {"host": "127.0.0.1", "port": 0}, (meter("meter", 1, 0),))
        field = Field(plan)
        server = TcpLine(plan, by_protocol()["modbus-tcp"], {1: field.devices["meter"]})
        plan = LinePlan("bench", "modbus-tcp", dict(await server.start()), plan.devices)
        noted: list[tuple[str, tuple[RefusedRange, ...], str]] = []
        task = LineTask(
            plan,
            by_protocol()["modbus-tcp"],
            field.publish,
            field._commands,
            field.clock,
            refused={"meter": DeviceRefusals(1, None, (RefusedRange("holding", 1, 1, 2),), knew)},
            refused_changed=lambda one, left, identity: noted.append((one.name, tuple(left), identity)),
        )
        polling = field.started(task)
        wanted = 2 if knew == "simulated old 1.0" else 0 if knew else 1
        await field.until(lambda: len(noted) == wanted and 0 in field.last and field.line.counters.requests > 6)
        if wanted == 2:  # it is another one: its register is there, and polled again
            await field.until(lambda: quality.is_good(field.last[1].reading.quality))
            assert noted[-1] == ("meter", (), "simulated meter 1.0")
        else:
            assert noted == ([] if knew else [("meter", (RefusedRange("holding", 1, 1, 2),), "simulated meter 1.0")])
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await server.stop()

    run(scenario)
