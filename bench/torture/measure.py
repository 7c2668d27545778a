"""One scene in front of one gateway: sound, at fault, sound again; and the judgement of every reading.

all good ── 1 s ── fault on ── fault_s ── fault off ── after_s ── end
                   |  availability  |
                   |  good readings and wrong good readings, also of the second before            |
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.torture import commands, frames, site, values
from bench.torture.commands import Relay, ordered
from bench.torture.gateways import Gateway, NotServed
from bench.torture.lines import Line, PtyPort, TcpPort
from bench.torture.modbus_tcp import ModbusTcpGateway
from bench.torture.reader import Reader, Reading, Round
from bench.torture.scenes import ADAM, READOUT, SERIAL, TEXT, Point, Scene
from bench.torture.values import Verdict

CALM_S: Final = 1.0
LOOK_S: Final = 0.05
EXAMPLES: Final = 5

Start = Callable[[Path], Awaitable[Gateway]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Settings of a run: `settle_s` is the time in which all has to be good before the fault, `line_port` 0 a free one.

    `items` has `domain/item` of the points that are not where the scene's SCL file has them.
    """

    settle_s: float = 30.0
    line_port: int = 0
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """One row of the table. `recovered_s` is None if not all was good and right at the end."""

    scene: str
    title: str
    gateway: str
    good: int = 0
    foreign: int = 0
    old: int = 0
    availability: float = 0.0
    recovered_s: float | None = None
    conditions: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    failure: str = ""
    commands: bool = False  # the counts are of commands

    @property
    def wrong(self) -> int:
        """Wrong good readings."""
        return self.foreign + self.old


@dataclass(frozen=True, slots=True)
class Fault:
    """UTC times: the fault's begin, its end, and its last frame."""

    begin: float
    end: float
    last: float


@asynccontextmanager
async def simulated(scene: Scene, relay: Relay | None, line_port: int) -> AsyncIterator[Line]:
    """The scene's line with its devices, ready to be asked."""
    line = Line(*_devices(scene, relay), scene.channel(), scene.turnaround_ms / 1000)
    line.port = await _port(scene, line, line_port)
    line.channel.start(line)
    try:
        yield line
    finally:
        line.close()


def _devices(scene: Scene, relay: Relay | None) -> tuple[frames.Take, frames.Answer]:
    if scene.protocol == TEXT:
        return frames.take_line, frames.answer_text
    if scene.protocol == ADAM:
        return frames.take_line, frames.answer_adam
    if scene.protocol == READOUT:
        return frames.take_line, frames.answer_readout
    units = scene.units
    if relay is not None:
        return frames.take_rtu, lambda request: relay.answer(units, request)
    return frames.take_rtu, lambda request: frames.answer_rtu(units, request)


async def _port(scene: Scene, line: Line, number: int) -> PtyPort | TcpPort | ModbusTcpGateway:
    if scene.protocol in SERIAL:
        return PtyPort(line)
    port = ModbusTcpGateway(line, scene.gateway) if scene.gateway is not None else TcpPort(line, keeps=scene.keeps)
    await port.open(number)
    return port


async def measure(scene: Scene, name: str, start: Start, folder: Path, bench: Bench) -> Result:
    """Run the scene in front of the gateway that `start` starts on the site in `folder`. Raises NotServed, OSError."""
    result = Result(scene.name, scene.title, name)
    relay = None if scene.relay is None else Relay(echoes=scene.relay.echoes)
    async with simulated(scene, relay, bench.line_port) as line:
        site.write(folder, scene, line.port.address)
        gateway = await start(folder)
        points = scene.points()
        reader = Reader(gateway.host, gateway.port, [_item(one, bench.items) for one in points])
        reader.start()
        try:
            if not await _settled(reader, bench.settle_s):
                result.failure = f"not all was good within {bench.settle_s:g} s {reader.failure}"
                return result
            if relay is not None:
                await _commanded(relay, line, gateway, bench.items.get(commands.ITEM, commands.REFERENCE), result)
                return result
            first = time.time()
            fault = await _fault(scene, line, gateway, result)
        finally:
            reader.stop()
            await asyncio.to_thread(reader.join)
            await gateway.stop()
    judge(scene, [one for one in reader.rounds if one.at >= first], fault, result)
    return result


def _item(point: Point, items: Mapping[str, str]) -> tuple[str, str]:
    domain, _, item = items.get(point.item, f"{site.DOMAIN}/{point.item}").partition("/")
    return domain, item


async def _settled(reader: Reader, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if reader.rounds and all(one is not None and one.good for one in reader.rounds[-1].readings):
            return True
        await asyncio.sleep(LOOK_S)
    return False


async def _commanded(relay: Relay, line: Line, gateway: Gateway, reference: str, result: Result) -> None:
    """Commands in place of readings: good are those that were confirmed, wrong those of them that were not carried out."""
    line.channel.active = result.commands = True
    found = await ordered(relay, gateway, reference)
    result.good, result.foreign = found.confirmed, found.wrong
    result.availability = found.possible_confirmed / found.possible
    result.conditions = await gateway.conditions()


async def _fault(scene: Scene, line: Line, gateway: Gateway, result: Result) -> Fault:
    await asyncio.sleep(CALM_S)
    begin = line.channel.last_at = time.time()
    line.channel.active = True
    if scene.kills_worker and not gateway.kill_worker():
        raise NotServed("no worker to be killed")
    await asyncio.sleep(scene.fault_s)
    line.channel.active = False
    end = time.time()
    named = set(await gateway.conditions())
    await asyncio.sleep(scene.after_s)
    result.conditions = sorted(named | set(await gateway.conditions()))
    return Fault(begin, end, line.channel.last_at)


def judge(scene: Scene, rounds: list[Round], fault: Fault, result: Result) -> None:
    """Fill `result` with what the readings of `rounds` are."""
    points, seen = scene.points(), Counter[Verdict | None]()
    asked = there = 0
    recovered: float | None = fault.last
    for one in rounds:
        verdicts = [_verdict(scene, *pair, one.at, result) for pair in zip(points, one.readings, strict=True)]
        seen.update(verdicts)
        if fault.begin <= one.at <= fault.end:
            expected = [found for point, found in zip(points, verdicts, strict=True) if not _refused(scene, point)]
            asked, there = asked + len(expected), there + sum(found is not None for found in expected)
        if one.at > fault.last:
            sound = all(found is Verdict.RIGHT for found in verdicts)
            recovered = (one.at if recovered is None else recovered) if sound else None
    result.good = sum(count for verdict, count in seen.items() if verdict is not None)
    result.foreign, result.old = seen[Verdict.FOREIGN], seen[Verdict.OLD]
    result.availability = there / asked if asked else 0.0
    result.recovered_s = None if recovered is None else recovered - fault.last


def _refused(scene: Scene, point: Point) -> bool:
    return point.block.address in scene.refused


def _verdict(scene: Scene, point: Point, reading: Reading | None, at: float, result: Result) -> Verdict | None:
    """Judgement of one reading; None if it was not good."""
    if reading is None or not reading.good:
        return None
    stale_s = scene.stale_ms / 1000
    if point.identity is None:
        verdict = values.judged_coil(bool(reading.value), point.block.unit, point.address, at, stale_s)
    else:
        verdict = values.judged(reading.value, point.identity, reading.stamp, at, scene.exchange_s, stale_s)
    if verdict is not Verdict.RIGHT and len(result.examples) < EXAMPLES:
        what = "a coil" if point.identity is None else f"{point.identity} thousand"
        result.examples.append(f"{point.item}: {reading.value:.0f}, expected {what}; t {at - reading.stamp:.2f} s ago")
    return verdict
