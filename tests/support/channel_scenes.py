"""Scenes of bad channels: a line in virtual time that is sound, has faults for a while, and is sound again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.faults.line_faults import LineFault
from bus import quality
from mapping.plan import (
    DevicePlan,
    LinePlan,
    Obis,
    PointPlan,
    PollSettings,
    Register,
    RegisterBlock,
    RegisterType,
    Reply,
    ReplyBlock,
    Table,
)
from tests.support.virtual_line import Published, VirtualLine

EVERY_MS: Final = 20
READOUT_EVERY_MS: Final = 500
TIMEOUT_MS: Final = 300
STALE_MS: Final = 3000
PROBE_S: Final = 30.0
BEFORE_S: Final = 1.0
AFTER_S: Final = 1.0
LOOK_S: Final = 0.25


def meter(
    unit: int,
    *blocks: tuple[int, int],
    table: Table = "holding",
    max_gap: int | None = None,
    exact: bool | None = None,
    pipeline: int = 1,
    close_after: bool = False,
) -> DevicePlan:
    """A device with `blocks` of (first address, count), each register or bit a point: unit * 10000 + its address."""
    kind: RegisterType = "bit" if table in ("coil", "discrete") else "uint16"
    addresses = [at for first, count in blocks for at in range(first, first + count)]
    points = tuple(
        PointPlan(unit * 10_000 + at, f"m{unit}.r{at}", "", Register(table, at, kind, 1), True, STALE_MS, EVERY_MS)
        for at in addresses
    )
    polled = tuple(
        RegisterBlock(table, first, count, EVERY_MS, tuple(unit * 10_000 + at for at in range(first, first + count)))
        for first, count in blocks
    )
    polling = PollSettings(
        timeout_ms=TIMEOUT_MS, retries=1, max_gap=max_gap, exact=exact, close_after=close_after, pipeline=pipeline
    )
    return DevicePlan(f"m{unit}", unit, None, polling, points, polled)


def instrument(unit: int, *numbers: int, labelled: bool = False) -> DevicePlan:
    """A device of lines of text: for each of `numbers` a question, whose answer is a bare number, or `labelled` with its own."""
    requests = {number: f"M{number}\r\n" for number in numbers}
    points = tuple(
        _number(unit, at, Reply(request, (f"V{at}=" if labelled else "") + r"(?P<v>[0-9]{2}\.[0-9]{3})", "v"), EVERY_MS)
        for at, request in requests.items()
    )
    blocks = tuple(ReplyBlock(request, "", EVERY_MS, (unit * 10_000 + at,)) for at, request in requests.items())
    return DevicePlan(f"m{unit}", unit, None, PollSettings(timeout_ms=TIMEOUT_MS, retries=1), points, blocks)


def module(unit: int, *numbers: int, table: Table = "input") -> DevicePlan:
    """An ADAM module with a channel for each of `numbers`, from channel 0 on."""
    points = tuple(
        _number(unit, at, Register(table, place, "float32", 2), EVERY_MS) for place, at in enumerate(numbers)
    )
    blocks = tuple(RegisterBlock(table, place, 2, EVERY_MS, (unit * 10_000 + at,)) for place, at in enumerate(numbers))
    return DevicePlan(f"m{unit}", unit, None, PollSettings(timeout_ms=TIMEOUT_MS, retries=1), points, blocks)


def read_out(unit: int, *numbers: int) -> DevicePlan:
    """A meter that is read out, under the address `unit`, with a line for each of `numbers`."""
    request = f"/?{unit}!\r\n"
    points = tuple(_number(unit, at, Obis(request, f"{at}.7.0"), READOUT_EVERY_MS) for at in numbers)
    block = ReplyBlock(request, "", READOUT_EVERY_MS, tuple(point.number for point in points))
    return DevicePlan(f"m{unit}", unit, None, PollSettings(timeout_ms=1000, retries=1), points, (block,))


def _number(unit: int, at: int, source: Reply | Register | Obis, every_ms: int) -> PointPlan:
    return PointPlan(unit * 10_000 + at, f"m{unit}.n{at}", "V", source, True, STALE_MS, every_ms)


def line_of(protocol: str, devices: Sequence[DevicePlan], seed: int, **keys: str) -> VirtualLine:
    """A line with `devices`. `keys`: further ones of the line; behind the protocol's name may stand some that are on."""
    name, *switches = protocol.split()
    spec = by_protocol()[name]
    settings: dict[str, str | int | float | bool]
    settings = {"port": "", "baudrate": 19200} if spec.serial else {"host": "", "port": 502}
    settings |= dict.fromkeys(switches, True)
    settings |= keys
    return VirtualLine(LinePlan("bench", name, settings, tuple(devices)), spec, seed=seed)


@dataclass(frozen=True)
class Scene:
    """Devices, and the faults that their line has. `share` of the time each point is good at least.

    `collisions`: exchanges that may be wrong at the first contact. `too_old`: exchanges that may have the right registers, but
    older than their time says, while the lag is not known. `by_order_s`: for so long blocks that rest on silence may
    be wrong before they are taken back, all of them. `device_fault`: of the first device. `window_s`: the largest window that
    the faults leave behind. `restarts`: a new OS process begins while the faults are there. `never_good`: points that the
    device refuses meanwhile.
    """

    devices: tuple[DevicePlan, ...]
    faults: tuple[LineFault, ...]
    share: float = 0.8
    collisions: int = 0
    too_old: int = 0
    seconds: float = 8.0
    device_fault: Fault | None = None
    window_s: float = 2.0
    restarts: bool = False
    by_order_s: float = 0.0
    never_good: frozenset[int] = frozenset()


@dataclass
class Played:
    """A scene that was played. `until`: all points were good again."""

    scene: Scene
    line: VirtualLine
    began: float
    ended: float
    until: float | None

    def share_good(self) -> float:
        """The smallest share of the time of the faults in which a point was good."""
        numbers = {point.number for device in self.scene.devices for point in device.points} - self.scene.never_good
        good = dict.fromkeys(numbers, 0.0)
        since: dict[int, float] = {}
        for one in self.line.published:
            at = min(max(one.at, self.began), self.ended)
            for reading in one.read:
                if reading.point not in good:
                    continue
                if (start := since.pop(reading.point, None)) is not None:
                    good[reading.point] += at - start
                if quality.is_good(reading.reading.quality):
                    since[reading.point] = at
        for number, start in since.items():
            good[number] += self.ended - start
        return min(good.values()) / (self.ended - self.began)

    def wrong_exchanges(self) -> list[Published]:
        """Exchanges with a wrong reading that is good, in their order; where some may be too old, without these."""
        return self._exchanges(too_old=False if self.scene.too_old else None)

    def too_old_exchanges(self) -> list[Published]:
        """Exchanges whose registers are the right ones, and older than their time says."""
        return self._exchanges(too_old=True)

    def _exchanges(self, *, too_old: bool | None) -> list[Published]:
        numbers: dict[int, list[int]] = {}
        for one, reading in self.line.wrong_readings():
            numbers.setdefault(self.line.published.index(one), []).append(reading.point)
        ages = self._age_points()
        return [
            self.line.published[place]
            for place, points in numbers.items()
            if too_old is None or ages.issuperset(points) is too_old
        ]

    def _age_points(self) -> set[int]:
        """The points whose registers say when they were read, and not whose they are."""
        return {
            point.number
            for device in self.scene.devices
            for point in device.points
            if isinstance(point.source, Register)
            and point.source.table in ("holding", "input")
            and point.source.address % 2
        }

    def not_taken_back(self) -> list[str]:
        """Wrong readings that more than one good exchange went by before they were replaced or invalid, or `by_order_s`."""
        found, late = self.line.wrong_readings(), []
        for one, reading in found:
            after = self._behind(one, reading)
            exchanges = sum(any(quality.is_good(other.reading.quality) for other in each.read) for each in after[:-1])
            if self.scene.by_order_s:
                if after[-1].at - found[0][0].at > self.scene.by_order_s:
                    late.append(f"{one.at:.3f}: {reading.point} until {after[-1].at:.3f}")
            elif exchanges > 1:
                late.append(f"{one.at:.3f}: {reading.point} for {exchanges} exchanges")
        return late

    def _behind(self, one: Published, reading: PointReading) -> list[Published]:
        """The publications behind `one`, to the next reading of the same point."""
        found: list[Published] = []
        for after in self.line.published[self.line.published.index(one) + 1 :]:
            found.append(after)
            if any(other.point == reading.point for other in after.read):
                break
        return found


def play(scene: Scene, protocol: str, seed: int) -> Played:
    """The scene on a line of `protocol`."""
    line = line_of(protocol, scene.devices, seed)
    line.run(BEFORE_S + seed % 7 * 0.013)
    for fault in scene.faults:
        line.channel.begin(fault, line.time.now)
    line.devices[scene.devices[0].unit].fault = scene.device_fault
    began = line.time.now
    if scene.restarts:
        for _ in range(4):
            line.run(scene.seconds / 5 + seed % 11 * 0.0017)
            line.restart()
    line.run(began + scene.seconds - line.time.now)
    ended = line.time.now
    line.channel.end(ended)
    line.devices[scene.devices[0].unit].fault = None
    until = _all_good(line, scene, ended + max(10 * EVERY_MS / 1000, 2 * scene.window_s, PROBE_S) + 2 * LOOK_S)
    line.run(AFTER_S)
    return Played(scene, line, began, ended, until)


def _all_good(line: VirtualLine, scene: Scene, limit: float) -> float | None:
    """Time at which all points are good, after the faults; None if they are not until `limit`."""
    began, numbers = line.time.now, {point.number for device in scene.devices for point in device.points}
    while line.time.now < limit:
        line.run(LOOK_S)
        last: dict[int, bool] = {}
        for one in reversed(line.published):
            if one.at < began:
                break
            for reading in one.read:
                last.setdefault(reading.point, quality.is_good(reading.reading.quality))
        if numbers <= last.keys() and all(last[number] for number in numbers):
            return line.time.now
    return None


def faults_of(played: Played) -> list[str]:
    """All that the scene promises and the line did not keep."""
    scene, found = played.scene, []
    wrong = played.wrong_exchanges()
    if len(wrong) > scene.collisions and not scene.by_order_s:
        found.append(f"{len(wrong)} wrong exchanges: {played.line.wrong()[0]}")
    if scene.too_old and len(old := played.too_old_exchanges()) > scene.too_old:
        found.append(f"{len(old)} exchanges are too old, at {old[0].at:.3f} for the first time")
    found += [f"not taken back: {text}" for text in played.not_taken_back()]
    if (share := played.share_good()) < scene.share:
        found.append(f"good for {share:.3f} of the time, expected {scene.share}")
    if played.until is None:
        found.append(f"not good again at {played.line.time.now - played.ended:.1f} s behind the end")
    return found
