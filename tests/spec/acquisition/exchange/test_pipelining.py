"""Several reads at once, in virtual time: each answer is judged against its own request, in whatever order they come."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.registry import by_protocol
from acquisition.line_task import LineTask
from acquisition.simulate.faults.line_faults import GivesUp
from acquisition.transport.errors import NoConnectionError
from acquisition.writes.tasks import WriteTasks
from bus import quality
from bus.messages import Outcome
from bus.quality import Stamp
from bus.system_clock import SystemClock
from mapping.plan import DevicePlan, LinePlan, Own, PollSettings, RegisterBlock
from tests.support import steady_loop
from tests.support.channel_scenes import Scene, faults_of, play
from tests.support.field import Field, point, polled, register
from tests.support.scenes_of_lines import PIPELINED_EXACT
from tests.support.wire import Unit, Wire, run

PLACES = range(0, 80, 10)  # of eight blocks of two registers
TOGETHER = 7  # the first is asked alone; with its answer the others are due, and stay so together
Late = Callable[[int, random.Random], float | None]


def meter(pipeline: int, *, retries: int = 0, count: int = len(PLACES)) -> DevicePlan:
    """`count` blocks: point 2n is the even register of block n, which tells its unit and address; 100 is `online`."""
    places = PLACES[:count]
    points = [point(2 * n, f"m.even{at}", register("holding", at)) for n, at in enumerate(places)]
    points += [point(2 * n + 1, f"m.odd{at}", register("holding", at + 1)) for n, at in enumerate(places)]
    blocks = tuple(RegisterBlock("holding", at, 2, 1000, (2 * n, 2 * n + 1)) for n, at in enumerate(places))
    own = point(100, "m.online", Own("online"))
    polling = PollSettings(timeout_ms=100, retries=retries, pipeline=pipeline)
    return DevicePlan("m", 1, None, polling, (*points, own), blocks)


class Lan(Wire):
    """Units of Modbus TCP. `late(address, random)`: seconds until the answer to a read there; None: there is none."""

    def __init__(self, unit: Unit, late: Late, seed: int) -> None:
        super().__init__({1: unit}, seed=seed)
        self.late_by = late
        self.asked: list[tuple[int, int]] = []  # address, and how many were on their way
        self.sizes: defaultdict[int, set[int]] = defaultdict(set)  # by address
        self.answers_longer = True  # than two registers
        self.on_their_way = 0
        self.closed = False  # by the device: the next request finds out

    async def write(self, octets: bytes) -> None:
        if self.closed:
            self.closed = False
            raise NoConnectionError("closed by the device")
        address = int.from_bytes(octets[8:10], "big")
        self.on_their_way += 1
        self.asked.append((address, self.on_their_way))
        size = int.from_bytes(octets[10:12], "big")
        self.sizes[address].add(size)
        seconds = self.late_by(address, self.random) if self.answers_longer or size == 2 else None
        if seconds is None:
            self.loop.call_later(0.1, self.done)
            return
        pdu = self.answer(self.units[1], octets[6:], self.loop.time())
        unit = octets[:4] + (1 + len(pdu)).to_bytes(2, "big") + octets[6:7] + pdu
        self.loop.call_later(seconds, self.heard, unit)

    def heard(self, unit: bytes) -> None:
        self.done()
        self.say(unit)

    def done(self) -> None:
        self.on_their_way -= 1

    @property
    def most(self) -> int:
        return max(many for _, many in self.asked)


class GivingUp(Lan):
    """A gateway that gives one request up, puts its answer under the id of the next one, and so on, some times."""

    FIRST: Final = 60
    SHIFTED: Final = 3
    kept: bytes | None = None

    def answer(self, unit: Unit, frame: bytes, now: float) -> bytes:
        pdu = super().answer(unit, frame, now)
        place = len(self.asked) - self.FIRST
        if 0 <= place < self.SHIFTED:
            pdu, self.kept = self.kept or b"", pdu
        return pdu

    def heard(self, unit: bytes) -> None:
        if len(unit) > 7:
            super().heard(unit)
        else:
            self.done()


class Polling:
    """A line to one device, polled for some seconds, and what it published."""

    def __init__(
        self, plan: DevicePlan, late: Late, unit: Unit | None = None, seed: int = 1, *, lan: type[Lan] = Lan
    ) -> None:
        self.lan = lan(unit or Unit(), late, seed)
        self.heard: list[PointReading] = []
        line = LinePlan("lan", "modbus-tcp", {"host": "", "port": 502}, (plan,))
        spec = by_protocol()["modbus-tcp"]
        self.task = LineTask(
            line, spec, self._publish, WriteTasks("w", "r", "boot", [plan]), SystemClock(), port=self.lan
        )
        self.line = self.task.line

    def _publish(self, read: list[PointReading], _: Stamp) -> None:
        self.heard += read

    async def poll(self, seconds: float) -> None:
        task = asyncio.ensure_future(self.task.run())
        await asyncio.wait((task,), timeout=seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def good(self, number: int) -> set[object]:
        return {one.reading.value for one in self.heard if one.point == number and quality.is_good(one.reading.quality)}

    def bad(self, numbers: Sequence[int]) -> set[int]:
        return {one.point for one in self.heard if one.point in numbers and not quality.is_good(one.reading.quality)}


EVENS = range(0, 2 * len(PLACES), 2)


def own(number: int) -> int:
    """Content of the register of the even point `number`."""
    return 1 << 8 | PLACES[number // 2]


def test_answers_in_reversed_order_are_each_judged_against_their_own_request() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda address, _: 0.09 - address / 1000)
        await polling.poll(5)
        assert polling.lan.most == TOGETHER
        assert [polling.good(number) for number in EVENS] == [{own(number)} for number in EVENS]
        assert polling.bad(EVENS) == set()
        assert (polling.line.counters.timeouts, polling.line.counters.foreign) == (0, 0)

    run(scenario())


def test_a_read_without_an_answer_fails_alone_and_the_device_stays_online() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda address, _: None if address in (20, 30) else 0.01)
        await polling.poll(20)
        assert polling.bad(EVENS) == {4, 6}
        assert polling.good(4) == polling.good(6) == set()
        assert polling.good(0) == {own(0)}
        assert [one.reading.value for one in polling.heard if one.point == 100] == [True]

    run(scenario())


def test_a_device_that_answers_nothing_any_more_is_offline_after_two_silences() -> None:
    async def scenario() -> None:
        since = asyncio.get_running_loop().time() + 10
        polling = Polling(meter(8), lambda *_: None if asyncio.get_running_loop().time() > since else 0.01)
        await polling.poll(60)
        assert [one.reading.value for one in polling.heard if one.point == 100] == [True, False]
        probes = [many for _, many in polling.lan.asked[-5:]]
        assert probes == [1] * 5

    run(scenario())


@pytest.mark.parametrize("max_gap", [None, 0], ids=["sizes that differ", "one size"])
def test_what_a_gateway_shifts_by_one_is_never_another_blocks_value(max_gap: int | None) -> None:
    async def scenario() -> None:
        plan = meter(8, retries=1)
        plan = msgspec.structs.replace(plan, polling=msgspec.structs.replace(plan.polling, max_gap=max_gap))
        polling = Polling(plan, lambda *_: 0.01, lan=GivingUp)
        await polling.poll(60)
        assert polling.line.counters.timeouts >= 1
        assert [polling.good(number) for number in EVENS] == [{own(number)} for number in EVENS]

    run(scenario())


@pytest.mark.parametrize("seed", [1, 5])  # the second one comes to what follows a response that was not accepted
def test_blocks_of_one_size_are_true_behind_a_gateway_that_gives_up_one_of_twenty(seed: int) -> None:
    scene = Scene(PIPELINED_EXACT, (GivesUp(ms=200, share=0.05),), share=0.0, seconds=6.0, window_s=10.0)
    assert faults_of(play(scene, "modbus-tcp", seed)) == []


def test_reads_that_are_sent_together_differ_in_size_and_keep_their_sizes() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: 0.01)
        await polling.poll(10)
        assert sorted(map(sorted, polling.lan.sizes.values())) == [[size] for size in range(2, 2 + len(PLACES))]
        assert polling.bad(EVENS) == set()

    run(scenario())


def test_a_device_that_refuses_to_read_more_is_asked_as_planned_at_once_again() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: 0.01, Unit(holes=range(2, 100, 10)))
        polling.lan.loop.call_later(2, polling.lan.sizes.clear)
        await polling.poll(20)
        assert polling.lan.most == TOGETHER
        assert dict(polling.lan.sizes) == {at: {2} for at in PLACES}
        assert [polling.good(number) for number in EVENS] == [{own(number)} for number in EVENS]
        assert polling.bad(EVENS) == set()

    run(scenario())


def test_a_device_that_answers_no_longer_read_is_asked_as_planned_and_stays_online() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: 0.01)
        polling.lan.answers_longer = False
        await polling.poll(30)
        assert [polling.good(number) for number in EVENS] == [{own(number)} for number in EVENS]
        last = {one.point: quality.is_good(one.reading.quality) for one in polling.heard}
        assert all(last[number] for number in EVENS)
        assert [one.reading.value for one in polling.heard if one.point == 100] == [True]

    run(scenario())


def test_a_block_that_is_refused_is_halved_alone_and_its_hole_is_found() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: 0.01, Unit(holes=range(31, 32)))
        await polling.poll(5)
        assert polling.bad(range(16)) == {7}
        assert [polling.good(number) for number in EVENS] == [{own(number)} for number in EVENS]

    run(scenario())


def test_answers_after_their_time_are_foreign_and_taken_for_nothing() -> None:
    async def scenario() -> None:
        late = {10: 0.12, 20: 0.15}
        polling = Polling(meter(8, retries=1), lambda address, _: late.get(address, 0.01))
        await polling.poll(20)
        assert polling.good(2) == polling.good(4) == set()
        assert polling.line.counters.foreign > 0
        assert polling.good(6) == {own(6)}

    run(scenario())


def test_a_connection_that_the_device_had_closed_is_opened_again_and_nothing_is_lost() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: 0.01)
        for second in range(3, 9):
            polling.lan.loop.call_later(second, setattr, polling.lan, "closed", True)
        await polling.poll(10)
        assert polling.line.counters.reconnects == 7
        assert polling.bad(range(16)) == set()

    run(scenario())


def test_a_command_reaches_a_device_that_is_read_several_blocks_at_a_time() -> None:
    async def scenario() -> None:
        relay = point(200, "m.relay", register("coil", 20, "bool"), write=register("coil", 20, "bool"), readable=False)
        plain = meter(4)
        async with polled("modbus-tcp", msgspec.structs.replace(plain, points=(*plain.points, relay))) as field:
            await field.until(lambda: _good(field, 0))
            field.command(200, True)
            await field.until(lambda: len(field.results) == 1)
            assert field.outcomes == [Outcome.ACCEPTED]
            assert field.devices["m"].registers["coil", 20] == 1

    steady_loop.run(scenario())


@pytest.mark.parametrize("pipeline", [1, 2, 3, 16])
def test_no_more_is_on_its_way_than_the_device_takes(pipeline: int) -> None:
    async def scenario() -> None:
        polling = Polling(meter(pipeline), lambda *_: 0.05)
        await polling.poll(20)
        assert polling.lan.most == min(pipeline, TOGETHER)

    run(scenario())


def test_the_first_read_of_a_device_that_was_not_heard_yet_is_alone() -> None:
    async def scenario() -> None:
        polling = Polling(meter(8), lambda *_: None)
        await polling.poll(60)
        assert polling.lan.most == 1

    run(scenario())


@given(seed=st.integers(0, 10**6), pipeline=st.integers(1, 16))
@settings(max_examples=25)
def test_each_value_comes_from_its_own_request(seed: int, pipeline: int) -> None:
    def late(_address: int, chance: random.Random) -> float | None:
        return None if chance.random() < 0.05 else chance.choice((0.005, 0.03, 0.09, 0.15, 0.4))

    async def scenario() -> None:
        polling = Polling(meter(pipeline, retries=1), late, seed=seed)
        await polling.poll(30)
        assert all(polling.good(number) <= {own(number)} for number in EVENS)

    run(scenario())


@pytest.mark.parametrize("protocol", ["modbus-tcp", "modbus-udp", "simulated"])
def test_a_simulated_device_answers_what_is_asked_at_once(protocol: str) -> None:
    async def scenario() -> None:
        plan = meter(4)
        async with polled(protocol, plan) as field:
            await field.until(lambda: all(_good(field, number) for number in EVENS))

    steady_loop.run(scenario())


def _good(field: Field, number: int) -> bool:
    last = field.last.get(number)
    return last is not None and quality.validity(last.reading.quality) == quality.validity(quality.GOOD)
