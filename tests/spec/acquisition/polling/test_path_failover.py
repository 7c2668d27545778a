"""A device with two paths: who speaks, and when."""

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest

from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.line import Line
from acquisition.polling.path_failover import Paths
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.lines import TcpLine
from acquisition.writes.queue import Answer
from acquisition.writes.tasks import Task
from bus import quality
from bus.messages import Outcome
from mapping.plan import DevicePlan, LinePlan, Own, RegisterBlock
from tests.support import steady_loop
from tests.support.field import Field, device, point, register


@dataclass
class Recorded:
    """A path that writes down what it is told."""

    name: str
    told: list[str] = field(default_factory=list)

    def rest(self, device: str) -> None:
        self.told.append(f"rest {device}")

    def resume(self, device: str) -> None:
        self.told.append(f"resume {device}")


def test_the_second_path_speaks_while_the_first_is_silent_and_each_switch_is_told() -> None:
    said: list[str] = []
    first, second, paths = Recorded("rs485-1"), Recorded("lan-2"), Paths(said.append)
    paths.add("feeder", first, second)
    assert (paths.speaks("feeder", first), paths.speaks("feeder", second)) == (True, False)
    paths.silent("feeder", second, "no answer")  # it rests: it has nothing to say
    paths.heard("feeder", first)
    assert (said, second.told) == ([], [])
    paths.silent("feeder", first, "no answer within 300 ms")
    paths.silent("feeder", first, "port lost")
    assert (paths.speaks("feeder", first), paths.speaks("feeder", second)) == (False, True)
    paths.silent("feeder", second, "no answer within 300 ms")  # dead on both: whoever answers speaks
    paths.heard("feeder", second)
    assert paths.speaks("feeder", second)
    paths.heard("feeder", first)
    assert paths.active("feeder") is first
    assert second.told == ["resume feeder", "rest feeder"]
    assert said == [
        "device feeder: by its second path, line lan-2: no answer within 300 ms",
        "device feeder: by its first path again, line rs485-1",
    ]


def test_a_device_with_one_path_speaks_by_it() -> None:
    paths = Paths(pytest.fail)
    paths.silent("alone", Recorded("a"), "no answer")
    paths.heard("alone", Recorded("a"))
    assert paths.speaks("alone", Recorded("a"))
    assert paths.active("alone") is None


RELAY = device(
    "relay",
    1,
    [
        point(0, "relay.on", register("coil", 0, "bool"), write=register("coil", 0, "bool")),
        point(1, "relay.online", Own("online")),
    ],
    [RegisterBlock("coil", 0, 1, 50, (0,))],
)
ELSEWHERE = msgspec.structs.replace(RELAY, unit=7)


def line_plan(name: str, *devices: DevicePlan, fallbacks: tuple[DevicePlan, ...] = (), port: int = 0) -> LinePlan:
    return LinePlan(name, "modbus-tcp", {"host": "127.0.0.1", "port": port}, devices, fallbacks)


@dataclass
class By:
    """Orders go by the path that speaks, as the worker has it."""

    line: Line

    def order(self, task: Task, answer: Answer) -> None:
        reached = self.line.reached("relay")
        assert reached is not None
        self.line.order(task.by(reached), answer)


def test_values_and_commands_go_by_the_second_path_and_come_back_to_the_first() -> None:
    async def scenario() -> None:
        said: list[str] = []
        paths = Paths(said.append)
        seen = Field(line_plan("a", RELAY))
        here, there = seen.devices["relay"], SimulatedDevice(ELSEWHERE)  # one device, as each line reaches it
        there.tick(0)
        there.set("on", True)
        spec = by_protocol()["modbus-tcp"]
        servers = [TcpLine(line_plan("a", RELAY), spec, {1: here}), TcpLine(line_plan("b"), spec, {7: there})]
        ports = [int((await server.start())["port"]) for server in servers]
        first = Line(line_plan("a", RELAY, port=ports[0]), spec, seen.publish, seen._commands, paths=paths)
        second_plan = line_plan("b", fallbacks=(ELSEWHERE,), port=ports[1])
        second = Line(second_plan, spec, seen.publish, seen._commands, paths=paths)
        paths.add("relay", first, second)
        running = [asyncio.create_task(one.run()) for one in (first, second)]
        await seen.until(lambda: 0 in seen.last)
        assert (first.state().connected, second.state().reason) == (True, "stands by")
        assert [state.online for state in first.device_states()] == [True]
        assert second.device_states() == []

        here.fault = Fault("silent")
        await seen.until(lambda: seen.last[0].reading.value is True and quality.is_good(seen.last[0].reading.quality))
        assert seen.last[1].reading.value is True
        assert (first.device_states(), [state.online for state in second.device_states()]) == ([], [True])

        seen.line = By(second)  # type: ignore[assignment]
        seen.command(0, False)
        await seen.until(lambda: len(seen.results) == 2)
        assert seen.outcomes == [Outcome.ACCEPTED, Outcome.PROVEN]
        assert (list(here.writes), list(there.writes)) == ([], [("coil", 0, (0,))])

        here.fault = None
        await seen.until(lambda: len(said) == 2, 15.0)
        assert said == [
            "device relay: by its second path, line b: no answer within 120 ms",
            "device relay: by its first path again, line a",
        ]
        assert [state.online for state in first.device_states()] == [True]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for server in servers:
            await server.stop()

    steady_loop.run(scenario())
