"""A line in virtual time: whatever answers come late, twice, cut or spoilt, no value is good that was not held when asked."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from msgspec import structs

from acquisition.drivers.base import Ask, Confirmed, DriverSpec, Found, Read, Write
from acquisition.drivers.registry import by_protocol
from acquisition.exchange import attempt
from acquisition.exchange.attempt import Deferral, DeviceException
from acquisition.exchange.identity.asked_reads import WINDOW_S
from acquisition.exchange.identity.late_answers import WIRE_S
from acquisition.exchange.identity.read_variants import ReadLimits
from acquisition.exchange.link import Link
from acquisition.exchange.responses import CUT_OCTETS
from acquisition.exchange.timing import SILENCE_CHARACTERS
from acquisition.polling.scheduler import PolledDevice
from acquisition.port_loop import PortLoop
from bus import quality
from mapping.plan import DevicePlan, LinePlan, PointPlan, PollSettings, Register, RegisterBlock
from tests.support.wire import CHARACTER_S, Heard, Polling, Unit, Wire, crc, run

TIMEOUT_S = 0.1
COUNT = 6


def meter(unit: int, *, every_ms: int = 50, count: int = COUNT, retries: int = 1, first: int = 0) -> DevicePlan:
    """A block of `count` registers, each a point: numbers from unit * 1000 on."""
    points = tuple(
        PointPlan(unit * 1000 + at, f"m{unit}.r{at}", "", Register("holding", at, "uint16", 1), True, 3000, every_ms)
        for at in range(first, first + count)
    )
    block = RegisterBlock("holding", first, count, every_ms, tuple(point.number for point in points))
    return DevicePlan(
        f"m{unit}", unit, None, PollSettings(timeout_ms=round(TIMEOUT_S * 1000), retries=retries), points, (block,)
    )


def wrong(heard: list[Heard]) -> list[tuple[float, int, object]]:
    """The good values that their unit did not hold between the request that their stamp names and their answer."""
    found: list[tuple[float, int, object]] = []
    for one in heard:
        for point, reading in one.read:
            if not quality.is_good(reading.quality) or not isinstance(reading.value, int):
                continue
            unit, address = divmod(point, 1000)
            age_ms = (int(one.at * 1000) - reading.value) % 0x10000
            held = age_ms <= (one.at - one.asked_at) * 1000 + 1 if address % 2 else reading.value == unit << 8 | address
            if not held:
                found.append((one.at, point, reading.value))
    return found


def exchanges(heard: list[Heard]) -> int:
    return sum(one.good and len(one.read) >= COUNT for one in heard)


def sometimes(share: float, *times: float) -> Callable[[random.Random], float]:
    """Late for that share of the answers, by one of `times` the time-out."""
    return lambda chance: TIMEOUT_S * chance.choice(times) if chance.random() < share else 0.0


LATE = (1.05, 1.2, 1.5, 2.0, 3.0, 7.0, 30.0)


def test_with_one_answer_of_a_hundred_late_ten_thousand_reads_give_no_wrong_value() -> None:
    async def scenario() -> None:
        units = {unit: Unit(late=sometimes(0.01, *LATE)) for unit in (1, 2, 3)}
        polling = Polling(units, [meter(unit) for unit in units])
        await polling.poll(360)  # a device answers in order: what is late keeps what follows waiting
        assert polling.wire.late > 50
        assert exchanges(polling.heard) > 10_000
        assert wrong(polling.heard) == []

    run(scenario())


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_however_many_are_late_none_is_wrong(share: float) -> None:
    async def scenario() -> None:
        units = {unit: Unit(late=sometimes(share, *LATE)) for unit in (1, 2)}
        polling = Polling(units, [meter(unit) for unit in units])
        await polling.poll(60)
        assert wrong(polling.heard) == []
        assert exchanges(polling.heard) > 350 or share > 0.1

    run(scenario())


def test_a_device_that_refuses_to_be_asked_for_more_gives_no_wrong_value_and_is_polled_on() -> None:
    async def scenario() -> None:
        unit = Unit(late=sometimes(0.02, *LATE), first=2, last=7)
        polling = Polling({1: unit}, [meter(1, first=2)])
        await polling.poll(60)
        assert wrong(polling.heard) == []
        assert exchanges(polling.heard) > 500
        unit.late = lambda _chance: 0.0
        await polling.poll(31)  # it may have been given up
        assert all(quality.is_good(one.reading.quality) for one in polling.last.values())

    run(scenario())


def test_late_refusals_make_no_hole() -> None:
    async def scenario() -> None:
        unit = Unit(late=sometimes(0.05, *LATE), refuse=lambda chance: 4 if chance.random() < 0.05 else 0)
        polling = Polling({1: unit}, [meter(1)])
        await polling.poll(60)
        assert wrong(polling.heard) == []
        assert polling.line.counters.late > 10

    run(scenario())


ANSWER_OCTETS = 5 + 2 * COUNT
READ = Read(1, "holding", 0, COUNT)
ON, OFF = Write(1, 5, 20, (0xFF,)), Write(1, 5, 20, (0,))


@dataclass
class Exchanges:
    """The exchanges of a line, carried out in its loop."""

    loop: PortLoop
    link: Link

    async def exchange(self, request: Ask, device: DevicePlan) -> Found | None:
        return await self.loop.run(self.link.exchange(request, device))


def linked(unit: Unit, *, timeout_s: float = TIMEOUT_S) -> "tuple[Exchanges, Wire, DevicePlan]":
    """The exchanges of a line with `unit`, which is number 1, at its end."""
    wire, one = Wire({1: unit}), meter(1)
    device = structs.replace(one, polling=structs.replace(one.polling, timeout_ms=round(timeout_s * 1000)))
    plan = LinePlan("bench", "modbus-rtu", {"port": "", "baudrate": 19200}, (device,))
    loop = PortLoop(wire)
    return Exchanges(loop, Link(plan, by_protocol()["modbus-rtu"], loop.time, lambda: 1.0)), wire, device


@pytest.mark.parametrize("octets", [1, 3])
@pytest.mark.parametrize("share", [0.1, 0.4])
def test_noise_before_the_time_out_lets_no_late_answer_pass_for_the_next_one(octets: int, share: float) -> None:
    async def scenario() -> None:
        def late_behind_noise(chance: random.Random) -> float:
            if chance.random() >= share:
                return 0.0
            polling.wire.loop.call_later(TIMEOUT_S / 2, polling.wire.say, bytes(octets))
            return TIMEOUT_S * chance.choice(LATE)

        polling = Polling({1: Unit(late=late_behind_noise), 2: Unit()}, [meter(1), meter(2)])
        await polling.poll(60)
        assert polling.line.counters.late > 10
        assert polling.line.counters.garbled > 10
        assert wrong(polling.heard) == []

    run(scenario())


@pytest.mark.parametrize(
    ("octets", "owed"),
    [(0, True), (1, True), (ANSWER_OCTETS - CUT_OCTETS - 1, True), (ANSWER_OCTETS - CUT_OCTETS, False),
     (ANSWER_OCTETS, False)],
)  # fmt: skip
def test_only_unsound_octets_as_many_as_the_answer_has_are_the_answer(octets: int, owed: bool) -> None:
    async def scenario() -> None:
        link, _, device = linked(Unit(spoil=lambda _frame, _chance: bytes(octets)))
        for _ in range(2):
            assert await link.exchange(READ, device) is None
            parts = link.link.safe.parts(READ, [COUNT], ReadLimits())
            assert parts is not None
            assert parts[0].longer is owed

    run(scenario())


@pytest.mark.parametrize("octets", [0, 1, 4])
def test_noise_before_the_time_out_lets_no_late_confirmation_pass_for_that_of_a_later_write(octets: int) -> None:
    async def scenario() -> None:
        unit = Unit(late=lambda _chance: 0.17)
        link, wire, device = linked(unit)
        wire.loop.call_later(WINDOW_S + TIMEOUT_S / 2, wire.say, bytes(octets))  # a new line is silent for a window
        assert await link.exchange(ON, device) is None
        unit.late, unit.answered_at = lambda _chance: 0.0, 0.0  # the next confirmation overtakes it
        assert await link.exchange(OFF, device) == Confirmed()
        unit.dead = True
        assert await link.exchange(ON, device) is None
        assert (unit.writes, link.link.counters.late) == ([(20, 0xFF00), (20, 0)], 1)

    run(scenario())


@pytest.mark.parametrize("at", range(1, 6))
def test_a_confirmation_of_another_address_or_value_confirms_nothing(at: int) -> None:
    async def scenario() -> None:
        def another(frame: bytes, _chance: random.Random) -> bytes:
            changed = frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 : -2]
            return changed + crc(changed)

        link, _, device = linked(Unit(spoil=another))
        for write in (ON, Write(1, 6, 7, (300,))):
            assert await link.exchange(write, device) is None
        assert (link.link.counters.answers, link.link.counters.timeouts) == (0, 2)

    run(scenario())


def refusal(unit: int, function: int, code: int) -> bytes:
    """The frame of an exception."""
    frame = bytes((unit, function | 0x80, code))
    return frame + crc(frame)


@pytest.mark.parametrize("code", [2, 3])
@pytest.mark.parametrize("size", [1, COUNT - 1])
def test_an_exception_that_may_be_a_late_one_to_another_read_is_in_doubt(code: int, size: int) -> None:
    async def scenario() -> None:
        unit = Unit()
        link, wire, device = linked(unit, timeout_s=0.3)
        await link.loop.run(link.link.open())
        link.link.beginnings.proved(1)
        other, polled = Read(1, "holding", 40, size), PolledDevice(device, [])

        async def asked(later: float) -> object:
            while True:
                wire.loop.call_later(later, wire.say, refusal(1, 3, code))
                found = await link.loop.run(attempt.registers(link.link, polled, other, [40 + size]))
                if not isinstance(found, Deferral):
                    return found
                await asyncio.sleep(found.wait_s or 0.0)  # a longer read was refused

        unit.dead = True
        assert await asked(0.2) == DeviceException(code, certain=True)  # nothing is owed
        for _ in range(2):
            assert await link.exchange(READ, device) is None
            assert await asked(0.2) == DeviceException(code, certain=False)
        await asyncio.sleep(WIRE_S + 1)
        assert await asked(0.2) == DeviceException(code, certain=True)

    run(scenario())


def test_a_late_exception_makes_no_hole_of_the_registers_that_were_asked_for_since() -> None:
    async def scenario() -> None:
        one = meter(1, every_ms=200, retries=3)
        lone = PointPlan(1040, "m1.r40", "", Register("holding", 40, "uint16", 1), True, 3000, 20)
        blocks = (*one.blocks, RegisterBlock("holding", 40, 1, 20, (1040,)))
        device = structs.replace(one, points=(*one.points, lone), blocks=blocks)

        def late_refusal(frame: bytes, _chance: random.Random) -> bytes:
            if len(frame) < ANSWER_OCTETS or polling.wire.loop.time() < 1002:
                return frame
            polling.wire.loop.call_later(0.2, polling.wire.say, refusal(1, 3, 2))
            return b""

        polling = Polling({1: Unit(spoil=late_refusal, late=lambda _chance: 0.07)}, [device])
        await polling.poll(30)
        alone = [one for one in polling.heard if one.read[0].point == 1040]
        assert polling.line.counters.late + polling.line.counters.doubled >= 5  # the late exceptions
        gone = [after.at - before.at for before, after in pairwise(one for one in alone if one.good)]
        assert max(gone) < 1  # a hole is left alone for a minute
        assert alone[-1].at > 1029

    run(scenario())


def flipped(share: float) -> Callable[[bytes, random.Random], bytes]:
    def spoil(frame: bytes, chance: random.Random) -> bytes:
        if chance.random() >= share:
            return frame
        at = chance.randrange(8 * len(frame))
        return bytes(octet ^ (1 << at % 8 if place == at // 8 else 0) for place, octet in enumerate(frame))

    return spoil


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_flipped_bit_makes_no_wrong_value(share: float) -> None:
    async def scenario() -> None:
        polling = Polling({1: Unit(spoil=flipped(share)), 2: Unit()}, [meter(1), meter(2)])
        await polling.poll(40)
        assert wrong(polling.heard) == []
        assert polling.line.counters.garbled > 0

    run(scenario())


def _from_another(frame: bytes) -> bytes:
    moved = bytes((frame[0] + 1,)) + frame[1:-2]
    return moved + crc(moved)


SPOILT = {
    "doubled": lambda frame, _chance: frame + frame,
    "garbage behind": lambda frame, chance: frame + chance.randbytes(9),
    "garbage before": lambda frame, chance: chance.randbytes(5) + frame,
    "one of ten cut": lambda frame, chance: frame[:-3] if chance.random() < 0.1 else frame,
    "one of twenty from another unit": lambda frame, chance: _from_another(frame) if chance.random() < 0.05 else frame,
}


@pytest.mark.parametrize("kind", SPOILT)
def test_what_comes_beside_the_answer_costs_itself_only(kind: str) -> None:
    async def scenario() -> None:
        polling = Polling({1: Unit(spoil=SPOILT[kind]), 2: Unit()}, [meter(1, retries=3), meter(2)])
        await polling.poll(100)
        assert wrong(polling.heard) == []
        assert exchanges(polling.heard) > 1000
        assert sum(one.read[0].point == 1000 and one.good for one in polling.heard) > 200
        assert (polling.line.counters.doubled > 500) is (kind == "doubled")

    run(scenario())


def test_an_adapter_that_hears_itself_is_no_trouble() -> None:
    async def scenario() -> None:
        polling = Polling({1: Unit(late=sometimes(0.01, *LATE))}, [meter(1)], echo=True)
        await polling.poll(100)
        assert wrong(polling.heard) == []
        assert exchanges(polling.heard) > 1500
        unknown = polling.line.counters.requests - polling.line.counters.echoes
        assert unknown in (0, 1)  # the last request may have no echo yet

    run(scenario())


def test_no_request_follows_what_was_on_the_line_by_less_than_its_silence() -> None:
    async def scenario() -> None:
        polling = Polling({unit: Unit() for unit in (1, 2)}, [meter(unit, every_ms=1) for unit in (1, 2)])
        await polling.poll(100)
        silence_s = SILENCE_CHARACTERS * CHARACTER_S
        assert silence_s - 1e-9 <= min(polling.wire.gaps[1:])
        assert sorted(polling.wire.gaps)[len(polling.wire.gaps) // 2] < silence_s + 1e-5

    run(scenario())


def test_a_dead_unit_of_eight_costs_its_neighbours_at_most_a_tenth_on_the_line() -> None:
    async def rate(dead: bool) -> int:
        units = {unit: Unit() for unit in range(1, 9)}
        units[8].dead = dead
        polling = Polling(units, [meter(unit, every_ms=10) for unit in units])
        await polling.poll(60)
        return sum(len(units[unit].asked) for unit in range(1, 8))

    async def scenario() -> None:
        assert await rate(dead=True) >= 0.9 * await rate(dead=False)

    run(scenario())


def test_a_device_that_was_away_for_one_exchange_is_back_within_its_period_and_time_out() -> None:
    async def scenario() -> None:
        unit = Unit()
        polling = Polling({1: unit, 2: Unit()}, [meter(1, every_ms=500), meter(2, every_ms=500)])
        await polling.poll(3)
        unit.dead = True
        await polling.poll(0.6)
        unit.dead, back = False, polling.wire.loop.time()
        await polling.poll(5)
        first = min(one.at for one in polling.heard if one.at > back and one.good and one.read[0].point == 1000)
        assert first - back <= 0.5 + TIMEOUT_S + 0.1

    run(scenario())


@pytest.mark.parametrize(("every_ms", "apart_s"), [(100, 0.5), (2000, 2.0), (60_000, 5.0)])
def test_a_port_that_returns_is_open_again_within_the_period_of_its_devices(every_ms: int, apart_s: float) -> None:
    async def scenario() -> None:
        polling = Polling({1: Unit()}, [meter(1, every_ms=every_ms)])
        polling.wire.unplugged = True
        await polling.poll(60)
        opened = polling.wire.opened[-4:]
        assert [after - before for before, after in pairwise(opened)] == [pytest.approx(apart_s, abs=0.01)] * 3
        polling.wire.unplugged = False
        await polling.poll(apart_s + 0.2)
        assert polling.heard[-1].good

    run(scenario())


def test_a_dead_unit_with_a_single_value_is_probed_and_comes_back() -> None:
    async def scenario() -> None:
        unit = Unit(dead=True)
        polling = Polling({1: unit, 2: Unit()}, [meter(1, count=1), meter(2)])
        await polling.poll(100)
        unit.dead, back = False, polling.wire.loop.time()
        await polling.poll(31)
        assert unit.asked[0] - back <= 30
        assert quality.is_good(polling.last[1000].reading.quality)

    run(scenario())


def test_an_illegal_register_costs_only_itself_and_one_request_a_while() -> None:
    async def scenario() -> None:
        unit = Unit(holes=range(3, 4))
        polling = Polling({1: unit}, [meter(1, every_ms=100)])
        await polling.poll(59)
        assert [point for point, one in polling.last.items() if not quality.is_good(one.reading.quality)] == [1003]
        assert polling.last[1003].reading.reason == "exception 2 (illegal data address)"
        assert polling.line.counters.exceptions == 3  # of 6 registers, of 3, and of the one

    run(scenario())


def test_a_busy_device_keeps_no_neighbour_waiting() -> None:
    async def scenario() -> None:
        busy = Unit(refuse=lambda chance: 6 if chance.random() < 0.3 else 0)
        polling = Polling({1: busy, 2: Unit()}, [meter(1, every_ms=200, retries=3), meter(2, every_ms=50)])
        await polling.poll(100)
        assert sum(one.read[0].point == 2000 for one in polling.heard) >= 0.99 * 100 / 0.05
        assert sum(one.read[0].point == 1000 and one.good for one in polling.heard) >= 0.97 * 100 / 0.2
        assert polling.line.counters.busy > 100

    run(scenario())


def test_babble_ends_each_exchange_at_its_deadline_and_nothing_after_it_stops() -> None:
    async def scenario() -> None:
        polling = Polling({1: Unit()}, [meter(1)])
        wire, loop = polling.wire, polling.wire.loop
        ends = loop.time() + 20

        def babble() -> None:
            wire.say(wire.random.randbytes(2))
            if loop.time() < ends:
                loop.call_later(2 * CHARACTER_S, babble)

        babble()
        await polling.poll(20)
        assert exchanges(polling.heard) == 0
        assert polling.line.counters.babble >= 2
        assert wrong(polling.heard) == []
        await polling.poll(31)
        assert exchanges(polling.heard) > 10

    run(scenario())


def test_a_delay_between_requests_is_kept() -> None:
    async def scenario() -> None:
        polling = Polling(
            {1: Unit()}, [meter(1, every_ms=1)], settings={"delay_between": 20, "delay_after_connect": 200}
        )
        await polling.poll(10)
        assert polling.wire.gaps[0] >= 0.2
        assert min(polling.wire.gaps[1:]) >= 0.02 - 1e-9

    run(scenario())


def test_after_a_time_out_no_read_is_longer_than_a_request_of_the_protocol_may_be() -> None:
    rtu = by_protocol()["modbus-rtu"]
    framing = replace(rtu.protocol.framing, registers=COUNT)
    short = replace(rtu, protocol=replace(rtu.protocol, framing=framing))

    async def longest(spec: DriverSpec) -> int:
        wire, device = Wire({1: Unit(dead=True)}), meter(1)
        loop = PortLoop(wire)
        link = Link(
            LinePlan("bench", "modbus-rtu", {"port": "", "baudrate": 19200}, (device,)), spec, loop.time, lambda: 1.0
        )
        assert await loop.run(link.exchange(READ, device)) is None
        parts = link.safe.parts(READ, list(range(1, COUNT + 1)), ReadLimits())
        return max(part.read.count for part in parts or [])

    async def scenario() -> None:
        assert (await longest(rtu), await longest(short)) == (COUNT + 1, COUNT - 1)

    run(scenario())
