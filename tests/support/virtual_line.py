"""A line in virtual time: its steps are carried out on a model of a channel, and each good reading is judged.

    register A of unit U, A even: U << 8 | A & 255        A odd: the time in ms, modulo 65536, when the device read it
    coil A of unit U:             a bit of a hash of U, A and the second
    number N of another kind:     ten times N modulo 10000, plus the second modulo 10 with its milliseconds

Numbers are those of lines of text, of the channels of an ADAM module, of a meter's readout. So a value tells whose
it is, where it stood, and when it was held. `Judge` knows when each was.
"""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import DriverSpec
from acquisition.drivers.device_side import Fault
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.port_steps import Close, LineTime, Open, PortStep, Receive, Rest, Send, SetBaudrate
from acquisition.line import Line
from acquisition.simulate.channel import Channel
from acquisition.simulate.return_path import End
from acquisition.transport.errors import NoConnectionError, UnsentError
from acquisition.transport.receive_buffer import APART_S
from acquisition.writes.tasks import WriteTasks
from bus import quality
from bus.messages import Value
from bus.quality import Stamp
from mapping.plan import DevicePlan, LinePlan, Obis, PointPlan, Register, Reply

TABLES: Final = ("coil", "discrete", "holding", "input")
EVERY_REGISTER: Final = {(table, address): 0 for table in TABLES for address in (0, 255)}  # from the first to the last
STEP_S: Final = 20e-6  # of a step, whatever it is: time never stands still
BEGIN_S: Final = 1000.0
NUMBERS: Final = 10_000  # of the points of one device, by the thousandth of ten seconds too


@dataclass
class HonestDevice:
    """A device whose registers say whose they are and when they were read."""

    plan: DevicePlan
    fault: Fault | None = None
    now: float = 0.0
    reads: list[tuple[float, str, int, int]] = field(default_factory=list)  # time, table, address, count
    written_words: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    registers: Mapping[tuple[str, int], int] = field(default_factory=lambda: dict(EVERY_REGISTER))

    @property
    def values(self) -> Mapping[str, Value]:
        """The number of each point, for the protocols that have no registers."""
        return {point.local_name: shown_number(point, self.now) for point in self.plan.points}

    def advance(self, now_s: float) -> None:
        self.now = now_s

    def busy(self) -> bool:
        return False

    def read(self, table: str, address: int, count: int) -> list[int]:
        self.reads.append((self.now, table, address, count))
        return [held(self.plan.unit, table, at, self.now) for at in range(address, address + count)]

    def written(self, table: str, address: int, words: list[int]) -> None:
        self.written_words.append((table, address, tuple(words)))

    def at(self, table: str, address: int) -> PointPlan | None:
        for point in self.plan.points:
            if isinstance(point.source, Register) and (point.source.table, point.source.address) == (table, address):
                return point
        return None

    def take(self, point: PointPlan, value: Value, words: tuple[int, ...]) -> None:
        raise ValueError("not of this device")

    def readout(self) -> str:
        return "".join(
            f"{point.source.code}({shown_number(point, self.now):06.3f}*V)\r\n"
            for point in self.plan.points
            if isinstance(point.source, Obis)
        )

    def line(self, request: str) -> str | None:
        for point in self.plan.points:
            if isinstance(point.source, Reply) and point.source.request == request:
                label = point.source.pattern.partition("(")[0]
                return f"{label}{shown_number(point, self.now):06.3f}"
        return None

    def end_of(self, request: str) -> str:
        return "\r\n"


def shown_number(point: PointPlan, now: float) -> float:
    """The number of `point` at `now`."""
    return point.number % NUMBERS * 10 + int(now * 1000) % NUMBERS / 1000


def held(unit: int, table: str, address: int, now: float) -> int:
    """The word of a register, or the bit, that the device has at `now`."""
    if table in ("coil", "discrete"):
        return (unit * 7919 + address * 104_729 + int(now) * 31) >> 3 & 1
    return int(now * 1000) & 0xFFFF if address % 2 else unit << 8 | address & 0xFF


class ChannelPort:
    """The master's end of a channel, in virtual time: carries out one step after the other."""

    def __init__(self, channel: Channel, time: LineTime, sent: list[tuple[float, bytes]]) -> None:
        self._channel = channel
        self._sent = sent
        self._time = time
        self._connection = 0
        self._received: deque[tuple[float, bytes]] = deque()
        self._ended: str | None = None

    def carry_out(self, step: PortStep, until: float) -> bytes:
        """The octets of `step`. Time goes on to its end, to `until` at most. Raises NoConnectionError."""
        self._time.now += STEP_S
        match step:
            case Receive(limit):
                return self._receive(min(limit, until))
            case Send(octets):
                self._send(octets)
            case Rest(limit):
                self._pass_time(max(min(limit, until), self._time.now))
            case Open():
                self._connection = self._channel.opened(self._time.now)
                self._received.clear()
                self._ended = None
            case Close():
                self._channel.closed(self._connection, self._time.now)
            case SetBaudrate():
                pass
        return b""

    def end(self) -> None:
        """Close the connection from outside, as an operating system does for an OS process that was killed."""
        self._channel.closed(self._connection, self._time.now)

    def _send(self, octets: bytes) -> None:
        self._arrive()
        if self._ended is not None:
            raise UnsentError(self._ended)
        self._sent.append((self._time.now, octets))
        self._channel.receive(self._connection, octets, self._time.now)

    def _receive(self, until: float) -> bytes:
        self._arrive()
        while not self._received and self._ended is None and self._time.now < until:
            self._pass_time(min(until, max(self._channel.deadline() or until, self._time.now)))
        if not self._received and self._ended is not None:
            raise NoConnectionError(self._ended)
        together = list(takewhile(lambda one: one[0] - self._received[0][0] < APART_S, self._received))
        for at, _ in together:
            self._received.popleft()
            self._time.came_at = at
        return b"".join(octets for _, octets in together)

    def _pass_time(self, until: float) -> None:
        self._time.now = max(until, self._time.now)
        self._arrive()

    def _arrive(self) -> None:
        for at, connection, octets in self._channel.advance(self._time.now):
            if connection != self._connection:
                continue
            if isinstance(octets, End):
                self._ended = f"connection {octets.value} by the device"
            else:
                self._received.append((at, octets))


@dataclass
class Published:
    """One exchange's readings, when they were published, and the time that they are stamped with."""

    at: float
    stamped: float
    read: list[PointReading]


class VirtualLine:
    """A line whose `channel` is a model, and what it publishes. `sent`: when each request left, and its octets."""

    def __init__(self, plan: LinePlan, spec: DriverSpec, *, seed: int = 1) -> None:
        self.time = LineTime(BEGIN_S)
        self.devices = {one.unit: HonestDevice(one) for one in (*plan.devices, *plan.fallbacks)}
        self.channel = Channel(spec, plan.settings, self.devices, random.Random(seed))
        self.published: list[Published] = []
        self.log: list[str] = []
        self.sent: list[tuple[float, bytes]] = []
        self.tasks = WriteTasks("w", "r", "boot", list(plan.devices))
        self._plan, self._spec = plan, spec
        self._draw = random.Random(seed + 1)
        self._begin()

    def restart(self, record: ChannelRecord | None = None) -> None:
        """A new OS process begins on the line: it knows `record` of the one before, which was killed."""
        self._port.end()
        self._begin(record)

    def _begin(self, record: ChannelRecord | None = None) -> None:
        self.line = Line(
            self._plan,
            self._spec,
            self._publish,
            self.tasks,
            self.time,
            self._stamp,
            wake=lambda: None,
            draw=self._draw.random,
            log=lambda severity, text, device: self.log.append(f"{severity} {text}"),
            tag=int(self.time.now * 1000) & 0xFFFF,
            record=record,
        )
        self._port = ChannelPort(self.channel, self.time, self.sent)
        self._steps = self.line.turns()
        self._step: PortStep | None = None

    def run(self, seconds: float) -> None:
        """Let it poll for so long."""
        until = self.time.now + seconds
        while self.time.now < until:
            step = next(self._steps) if self._step is None else self._step
            try:
                octets = self._port.carry_out(step, until)
            except NoConnectionError as error:
                self._step = self._steps.throw(error)
            else:
                self._step = self._steps.send(octets)

    def _stamp(self) -> Stamp:
        return Stamp(round(self.time.now * 1e9), round(self.time.now * 1e9))

    def _publish(self, read: list[PointReading], stamp: Stamp) -> None:
        self.published.append(Published(self.time.now, stamp.utc_ns / 1e9, read))

    # ------------------------------------------------------------------ judgement

    def good(self, since: float = 0.0) -> list[tuple[Published, PointReading]]:
        """The good readings of registers that were published since then."""
        return [
            (one, reading)
            for one in self.published
            if one.at >= since
            for reading in one.read
            if quality.is_good(reading.reading.quality) and reading.reading.value is not None
        ]

    def wrong(self, since: float = 0.0) -> list[str]:
        """The good readings that are not what their register held at a time that their stamp allows."""
        points = self._points()
        return [
            f"{one.at:.3f}: {points[reading.point][1].name} = {reading.reading.value}"
            for one, reading in self.wrong_readings(since)
        ]

    def wrong_readings(self, since: float = 0.0) -> list[tuple[Published, PointReading]]:
        """The same, each with what was published with it."""
        points = self._points()
        return [
            (one, reading)
            for one, reading in self.good(since)
            if not _is_true(*points[reading.point], one, reading.reading.value)
        ]

    def _points(self) -> dict[int, tuple[int, PointPlan]]:
        """By number, each with its unit."""
        return {point.number: (device.unit, point) for device in self._plan.devices for point in device.points}


def _is_true(unit: int, point: PointPlan, published: Published, value: object) -> bool:
    """True if the register held `value` within the exchange: from twice as long ago as the stamp says, until now."""
    register = point.source
    assert isinstance(value, int | float)
    asked_at = 2 * published.stamped - published.at
    if not isinstance(register, Register) or register.type == "float32":
        whose, shown_ms = divmod(round(value * 1000), NUMBERS)
        age_ms = (int(published.at * 1000) - shown_ms) % NUMBERS
        return whose == point.number % NUMBERS and age_ms <= (published.at - asked_at) * 1000 + 2
    if register.table in ("coil", "discrete"):
        return any(held(unit, register.table, register.address, at) == int(value) for at in (asked_at, published.at))
    if register.count == 2:  # of which the first is even
        return int(value) >> 16 == held(unit, register.table, register.address, 0.0) and _is_fresh(
            published, int(value)
        )
    if register.address % 2 == 0:
        return value == held(unit, register.table, register.address, 0.0)
    return _is_fresh(published, int(value))


def _is_fresh(published: Published, word: int) -> bool:
    """True if a register of the time held `word` within the exchange."""
    asked_at = 2 * published.stamped - published.at
    age_ms = (int(published.at * 1000) - word) % 0x10000
    return age_ms <= (published.at - asked_at) * 1000 + 2
