"""Faults of simulated lines on what really carries them: sockets and pseudo-terminals."""

import asyncio
import os
import socket
import tty
from typing import Any

import pytest

from acquisition.drivers.base import Read, Registers
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import Delay, Duplicate, MuteConnection, ResetAfterRequest
from acquisition.simulate.lines import SimulatedLine, line_of
from mapping.plan import LinePlan
from tests.support.field import meter

POWER = Read(1, "holding", 0, 1)
ANSWER_OCTETS = 7  # of RTU


def simulated(protocol: str) -> SimulatedLine:
    device = SimulatedDevice(meter("m", 1, 0))
    device.tick(0)
    device.set("power", 42)
    settings: dict[str, Any] = {"port": "pty", "baudrate": 115200}
    if not by_protocol()[protocol].serial:
        settings = {"host": "127.0.0.1", "port": 0}
    found = line_of(LinePlan("line", protocol, settings, (device.plan,)), {1: device})
    assert found is not None
    return found


def request(protocol: str) -> bytes:
    return by_protocol()[protocol].make().request(POWER, 0)


def values(protocol: str, octets: bytes) -> list[int]:
    driver, buffer, found = by_protocol()[protocol].make(), bytearray(octets), list[int]()
    while (step := driver.take(POWER, 0, buffer)) is not None:
        assert isinstance(step, Registers)
        found.append(step.values[0])
    return found


def test_a_connection_ends_and_the_next_one_gets_the_answer() -> None:
    async def scenario() -> tuple[set[str], list[int]]:
        line = simulated("modbus-rtu-over-tcp")
        where = await line.start()
        line.begin(ResetAfterRequest(ms=10, share=1.0))
        ends, found = set(), list[int]()
        for _ in range(20):
            reader, writer = await asyncio.open_connection(where["host"], where["port"])
            writer.write(request("modbus-rtu-over-tcp"))
            octets = b""
            try:
                while part := await asyncio.wait_for(reader.read(100), 5):
                    octets += part
                ends.add("closed")
            except ConnectionResetError:
                ends.add("reset")
            found += values("modbus-rtu-over-tcp", octets)
            writer.close()
        await line.stop()
        return ends, found

    ends, found = asyncio.run(scenario())
    assert ends == {"closed", "reset"}
    assert set(found) == {42}  # a reset may overtake octets, so their number is no matter


def test_a_mute_connection_is_open_and_a_new_one_works() -> None:
    async def scenario() -> None:
        line = simulated("modbus-tcp")
        where = await line.start()
        first = await asyncio.open_connection(where["host"], where["port"])
        first[1].write(request("modbus-tcp"))
        assert values("modbus-tcp", await first[0].read(100)) == [42]
        line.begin(MuteConnection(after="1ms"))
        await asyncio.sleep(0.01)
        first[1].write(request("modbus-tcp"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first[0].read(100), 0.1)
        line.end()
        second = await asyncio.open_connection(where["host"], where["port"])
        second[1].write(request("modbus-tcp"))
        assert values("modbus-tcp", await second[0].read(100)) == [42]
        line.clear()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(first[0].read(100), 5)
        for _, writer in (first, second):
            writer.close()
        await line.stop()

    asyncio.run(scenario())


def test_an_answer_comes_twice_on_a_terminal() -> None:
    async def scenario() -> bytes:
        line = simulated("modbus-rtu")
        where = await line.start()
        line.begin(Duplicate(ms=40))
        terminal = os.open(where["port"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(terminal)
        loop, came, octets = asyncio.get_running_loop(), asyncio.Event(), bytearray()

        def read() -> None:
            octets.extend(os.read(terminal, 100))
            if len(octets) >= 2 * ANSWER_OCTETS:
                came.set()

        loop.add_reader(terminal, read)
        os.write(terminal, request("modbus-rtu"))
        await asyncio.wait_for(came.wait(), 5)
        loop.remove_reader(terminal)
        os.close(terminal)
        await line.stop()
        return bytes(octets)

    assert values("modbus-rtu", asyncio.run(scenario())) == [42, 42]


def test_each_sender_of_datagrams_gets_its_own_answers() -> None:
    async def scenario() -> list[list[int]]:
        line = simulated("modbus-udp")
        where = await line.start()
        line.begin(Duplicate(ms=20))
        line.begin(Delay(ms=20))
        loop, found = asyncio.get_running_loop(), []
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for one in senders:
            one.setblocking(False)
            one.connect((where["host"], where["port"]))
            await loop.sock_sendall(one, request("modbus-udp"))
        for one in senders:
            datagrams = [await asyncio.wait_for(loop.sock_recv(one, 100), 5) for _ in range(2)]
            found.append([value for octets in datagrams for value in values("modbus-udp", octets)])
            one.close()
        await line.stop()
        return found

    assert asyncio.run(scenario()) == [[42, 42], [42, 42]]
