"""A device with two paths: which of them is active, and when."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.line import Line
from acquisition.line_task import LineTask
from acquisition.polling.path_failover import OwedRequest, Paths
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.lines import TcpLine
from acquisition.writes.queue import OnResult
from acquisition.writes.tasks import Task
from bus import quality
from bus.messages import Outcome
from mapping.plan import DevicePlan, LinePlan, Own, RegisterBlock
from tests.support import steady_loop
from tests.support.channel_scenes import line_of, meter
from tests.support.field import Field, device, point, register


@dataclass
class Recorded:
    """A path that writes down what it is told."""

    name: str
    told: list[str] = field(default_factory=list)

    def suspend(self, device: str) -> None:
        self.told.append(f"suspend {device}")

    def resume(self, device: str) -> None:
        self.told.append(f"resume {device}")

    def owed(self, device: str) -> list[OwedRequest]:
        return [OwedRequest(Read(1, "coil", 0, 1), 5.0, 7.0)] if self.name == "rs485-1" else []

    def expect(self, device: str, owed: Sequence[OwedRequest]) -> None:
        self.told.append(f"expect {len(owed)} of {device}")


def test_the_second_path_is_active_while_the_device_is_offline_on_the_first_and_each_switch_is_told() -> None:
    said: list[str] = []
    first, second = Recorded("rs485-1"), Recorded("lan-2")
    paths = Paths(lambda device, text: said.append(f"device {device}: {text}"))
    paths.add("feeder", first, second)
    assert (paths.is_active("feeder", first), paths.is_active("feeder", second)) == (True, False)
    paths.failed("feeder", second, "no answer")  # it is suspended
    paths.answered("feeder", first)
    assert (said, second.told) == ([], [])
    paths.failed("feeder", first, "no answer within 300 ms")
    paths.failed("feeder", first, "port lost")
    assert (paths.is_active("feeder", first), paths.is_active("feeder", second)) == (False, True)
    paths.failed("feeder", second, "no answer within 300 ms")  # offline on both: the first to answer is active
    paths.answered("feeder", second)
    assert paths.is_active("feeder", second)
    paths.answered("feeder", first)
    assert paths.active("feeder") is first
    assert second.told == ["resume feeder", "expect 1 of feeder", "suspend feeder"]
    assert first.told == ["expect 0 of feeder"]
    assert said == [
        "device feeder: by its second path, line lan-2: no answer within 300 ms",
        "device feeder: by its first path again, line rs485-1",
    ]


def test_a_device_with_one_path_is_always_active_on_it() -> None:
    paths = Paths(lambda device, text: pytest.fail(f"device {device}: {text}"))
    paths.failed("alone", Recorded("a"), "no answer")
    paths.answered("alone", Recorded("a"))
    assert paths.is_active("alone", Recorded("a"))
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
    """Writes go by the active path, as the worker has it."""

    line: Line

    def enqueue(self, task: Task, on_result: OnResult) -> None:
        reached = self.line.reached("relay")
        assert reached is not None
        self.line.enqueue(task.by(reached), on_result)


def test_values_and_commands_go_by_the_second_path_and_come_back_to_the_first() -> None:
    async def scenario() -> None:
        said: list[str] = []
        paths = Paths(lambda device, text: said.append(f"device {device}: {text}"))
        seen = Field(line_plan("a", RELAY))
        here, there = seen.devices["relay"], SimulatedDevice(ELSEWHERE)  # one device, as each line reaches it
        there.tick(0)
        there.set("on", True)
        spec = by_protocol()["modbus-tcp"]
        servers = [TcpLine(line_plan("a", RELAY), spec, {1: here}), TcpLine(line_plan("b"), spec, {7: there})]
        ports = [int((await server.start())["port"]) for server in servers]
        first = LineTask(
            line_plan("a", RELAY, port=ports[0]), spec, seen.publish, seen._commands, seen.clock, paths=paths
        )
        second_plan = line_plan("b", fallbacks=(ELSEWHERE,), port=ports[1])
        second = LineTask(second_plan, spec, seen.publish, seen._commands, seen.clock, paths=paths)
        paths.add("relay", first.line, second.line)
        running = [asyncio.create_task(one.run()) for one in (first, second)]
        await seen.until(lambda: 0 in seen.last)
        assert (first.line.state().connected, second.line.state().reason) == (True, "stands by")
        assert [state.online for state in first.line.device_states()] == [True]
        assert second.line.device_states() == []

        here.fault = Fault("silent")
        await seen.until(lambda: seen.last[0].reading.value is True and quality.is_good(seen.last[0].reading.quality))
        assert seen.last[1].reading.value is True
        assert (first.line.device_states(), [state.online for state in second.line.device_states()]) == ([], [True])

        seen.line = By(second.line)  # type: ignore[assignment]
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
        assert [state.online for state in first.line.device_states()] == [True]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for server in servers:
            await server.stop()

    steady_loop.run(scenario())


@pytest.mark.parametrize(("active", "published"), [(True, 1), (False, 0)], ids=["its path", "another path"])
def test_a_reading_in_doubt_is_taken_back_by_the_path_that_is_active(*, active: bool, published: int) -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 10))], seed=3)
    line.run(1.0)
    paths = Paths(lambda device, text: None)
    own, other = line.line, Recorded("other")
    paths.add("m1", *((own, other) if active else (other, own)))
    own._paths = paths
    before = len(line.published)
    own._link._attribution.doubts.contradicted(Read(1, "holding", 0, 10), 1, line.time.now, certain=False)
    own._take_back()
    assert len(line.published) - before == published
