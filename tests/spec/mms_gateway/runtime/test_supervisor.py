"""The supervisor: what ends is started again, ever more slowly; what is silent is killed; what cannot run is said."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from mms_gateway.runtime.processes import Process
from mms_gateway.runtime.supervisor import SETTLED_S, Supervisor


def row(mode: str) -> Process:
    return Process(mode, "tests.support.child", (mode,), watchdog_s=0.6 if mode in ("silent", "well") else 5.0)


class ReadyNames:
    """Names of the children that have reported to be ready, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, name: str, _facts: dict[str, object]) -> None:
        self.names.append(name)
        self._news.set()

    async def until(self, name: str, times: int) -> None:
        async with asyncio.timeout(20):
            while self.names.count(name) < times:
                self._news.clear()
                await self._news.wait()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_a_silent_child_is_killed_and_replaced_and_its_neighbour_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        ready = ReadyNames()
        supervisor = Supervisor([row("silent"), row("well")], ready)
        supervisor.start()
        await ready.until("silent", 2)
        await supervisor.stop()
        assert ready.names.count("well") == 1

    run(scenario)
    assert "silent is silent for 1 s: killed" in caplog.messages
    assert "silent ended (signal SIGKILL), starts again in 0.2 s" in caplog.messages


def test_a_child_that_keeps_ending_is_started_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        ready = ReadyNames()
        supervisor = Supervisor([row("crashing")], ready)
        supervisor.start()
        await ready.until("crashing", 4)
        await supervisor.stop()

    with caplog.at_level(logging.WARNING):
        run(scenario)
    waits = [message.rpartition("in ")[2] for message in caplog.messages if message.startswith("crashing ended")]
    assert waits[:3] == ["0.2 s", "0.4 s", "0.8 s"]


def test_a_child_whose_configuration_does_not_do_is_not_started_again() -> None:
    async def scenario() -> None:
        ready = ReadyNames()
        supervisor = Supervisor([row("unfit")], ready)
        supervisor.start()
        assert await supervisor.ready(20) is False
        assert supervisor.failed.is_set()
        await supervisor.stop()
        assert ready.names == []

    run(scenario)


def test_what_a_ready_child_said_is_kept() -> None:
    async def scenario() -> None:
        supervisor = Supervisor([row("well")])
        supervisor.start()
        assert await supervisor.ready(20) is True
        assert supervisor.facts("well") == {"mode": "well"}
        await supervisor.stop()

    run(scenario)


@pytest.mark.conformance("GW-8")
def test_a_child_takes_another_plan_as_it_runs_or_says_why_not() -> None:
    async def scenario() -> None:
        ready = ReadyNames()
        supervisor = Supervisor([row("takes"), row("refuses")], ready)
        assert await supervisor.reload("takes") == "it is not ready"
        supervisor.start()
        await ready.until("takes", 1)
        await ready.until("refuses", 1)
        assert [await supervisor.reload(name) for name in ("takes", "refuses")] == [None, "another model"]
        await supervisor.stop()
        assert sorted(ready.names) == ["refuses", "takes"]

    run(scenario)


@pytest.mark.conformance("GW-8")
def test_children_end_and_others_come_while_the_rest_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        ready = ReadyNames()
        supervisor = Supervisor([row("takes"), row("well")], ready)
        supervisor.start()
        assert await supervisor.ready(20) is True
        await supervisor.end({"takes"})
        assert supervisor.facts("takes") == {}
        supervisor.add([row("refuses"), row("unfit")])
        await ready.until("refuses", 1)
        assert await supervisor.ready(1.0) is False  # the unfit one is tried again
        assert not supervisor.failed.is_set()
        await supervisor.stop()
        assert ready.names.count("well") == 1

    run(scenario)
    assert "unfit ended (exit code 2), starts again in 0.2 s" in caplog.messages


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock a test moves on."""

    leapt_s = 0.0

    def time(self) -> float:
        return super().time() + self.leapt_s


def test_a_child_that_ran_for_long_is_started_again_soon_and_then_ever_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class RanLong(ReadyNames):
        def __call__(self, name: str, facts: dict[str, object]) -> None:
            super().__call__(name, facts)
            if len(self.names) in (3, 5):
                loop.leapt_s += SETTLED_S
            if len(self.names) == 6:
                sixth.set()

    sixth = asyncio.Event()

    async def scenario() -> None:
        supervisor = Supervisor([row("crashing")], RanLong())
        supervisor.start()
        await sixth.wait()
        await supervisor.stop()

    loop = LeapingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())
    waits = [one.rpartition("starts again in ")[2] for one in caplog.messages if "starts again" in one]
    assert waits[:5] == ["0.2 s", "0.4 s", "0.2 s", "0.4 s", "0.2 s"]
