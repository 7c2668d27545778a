"""The loop around a port: steps are carried out one after the other, with the time and the octets of each."""

import asyncio
from collections import deque

import pytest

from acquisition.exchange.port_steps import Close, LineTime, Open, Receive, Rest, Send, SetBaudrate, Steps
from acquisition.port_loop import PortLoop
from acquisition.transport.errors import NoConnectionError
from tests.support.wire import run


class ScriptedPort:
    """A port whose reads give `answers`, one each; a text is the reason of a lost connection."""

    came_at = 0.0

    def __init__(self, *answers: bytes | str) -> None:
        self.answers = deque(answers)
        self.calls: list[object] = []

    async def open(self) -> None:
        self.calls.append("open")

    async def write(self, octets: bytes) -> None:
        self.calls.append(octets)

    async def read(self, timeout_s: float) -> bytes:
        await asyncio.sleep(max(timeout_s, 0))
        answer = self.answers.popleft() if self.answers else b""
        if isinstance(answer, str):
            raise NoConnectionError(answer)
        return answer

    async def set_baudrate(self, baudrate: int) -> None:
        self.calls.append(baudrate)

    async def close(self) -> None:
        self.calls.append("close")


def test_each_step_is_carried_out_and_gives_its_octets_and_its_time() -> None:
    def steps(time: LineTime) -> Steps[list[object]]:
        seen: list[object] = [time.now]
        for step in (Open(), SetBaudrate(300), Send(b"who"), Receive(time.now + 2), Rest(time.now + 5), Close()):
            octets = yield step
            seen += [octets, round(time.now - 1000)] if isinstance(step, Receive | Rest) else [octets]
        return seen

    async def scenario() -> None:
        port = ScriptedPort(b"me")
        loop = PortLoop(port)
        assert await loop.run(steps(loop.time)) == [pytest.approx(1000), b"", b"", b"", b"me", 2, b"", 5, b""]
        assert port.calls == ["open", 300, b"who", "close"]

    run(scenario())


def test_a_lost_connection_is_raised_where_the_steps_wait_and_they_may_go_on() -> None:
    def steps(time: LineTime) -> Steps[str]:
        try:
            yield Receive(time.now + 1)
        except NoConnectionError as error:
            octets = yield Receive(time.now + 1)
            return f"{error}, then {octets.decode()}"
        return "nothing was lost"

    async def scenario() -> None:
        loop = PortLoop(ScriptedPort("cable cut", b"back"))
        assert await loop.run(steps(loop.time)) == "cable cut, then back"
        loop = PortLoop(ScriptedPort("cable cut", "cable cut"))
        with pytest.raises(NoConnectionError, match="cable cut"):
            await loop.run(steps(loop.time))

    run(scenario())


def test_a_wakeable_rest_ends_when_it_is_woken_and_another_one_does_not() -> None:
    def rests(time: LineTime, wakeable: bool) -> Steps[float]:
        yield Rest(time.now + 10, wakeable=wakeable)
        return time.now

    async def scenario() -> None:
        loop = PortLoop(ScriptedPort())
        for wakeable, ended in ((True, 1), (False, 10)):
            began = asyncio.get_running_loop().time()
            asyncio.get_running_loop().call_later(1, loop.wake)
            assert await loop.run(rests(loop.time, wakeable)) - began == pytest.approx(ended, abs=0.01)
        began = asyncio.get_running_loop().time()
        assert await loop.run(rests(loop.time, True)) - began == pytest.approx(0, abs=0.01)  # woken before it rested

    run(scenario())


@pytest.mark.parametrize("first", ["cancelled", "woken"])
def test_a_rest_that_is_woken_and_cancelled_in_one_turn_is_cancelled(first: str) -> None:
    ended: list[str] = []

    def rests(time: LineTime) -> Steps[None]:
        try:
            while True:
                yield Rest(time.now + 10, wakeable=True)
        finally:
            ended.append("closed")

    async def scenario() -> None:
        loop = PortLoop(ScriptedPort())
        task = asyncio.ensure_future(loop.run(rests(loop.time)))
        await asyncio.sleep(1)
        for act in (task.cancel, loop.wake) if first == "cancelled" else (loop.wake, task.cancel):
            act()
        await asyncio.wait((task,), timeout=1)
        assert (task.cancelled(), ended) == (True, ["closed"])

    run(scenario())
