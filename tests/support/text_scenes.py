"""Scenes of lines of text: an instrument whose replies say which question they answer and when it did, and their judgement.

reply to question K: K * 100000 + the time in ms, modulo 65536     all match one expression: nothing but the value tells
"""

from dataclasses import dataclass
from typing import Final

from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.registry import by_protocol
from bus import quality
from mapping.plan import DevicePlan, LinePlan, PointPlan, PollSettings, Reply, ReplyBlock, Resync
from tests.support.virtual_line import HonestDevice, Published, VirtualLine

EVERY_MS: Final = 20
TIMEOUT_MS: Final = 300
STALE_MS: Final = 3000
QUESTIONS: Final = 4
NUMBER: Final = "(?P<v>[0-9]+)"
RESYNC: Final = Resync("VER?\r\n", "V[0-9.]+")


@dataclass
class Instrument(HonestDevice):
    """Answers `Q0?` to `Q3?` with numbers, and `VER?` with its version if it knows that question."""

    knows_version: bool = True
    asked: int = 0
    versions: int = 0

    def line(self, request: str) -> str | None:
        if request == RESYNC.request:
            self.versions += 1
            return "V1.2" if self.knows_version else None
        self.asked += 1
        return str(int(request[1]) * 100_000 + int(self.now * 1000) % 0x10000)


def instrument(resync: Resync | None, *, every_ms: int = EVERY_MS, questions: int = QUESTIONS) -> DevicePlan:
    """The plan of the instrument."""
    asked = [f"Q{number}?\r\n" for number in range(questions)]
    points = tuple(
        PointPlan(number, f"m1.q{number}", "", Reply(text, NUMBER, "v"), True, STALE_MS, every_ms)
        for number, text in enumerate(asked)
    )
    blocks = tuple(ReplyBlock(text, "", every_ms, (number,)) for number, text in enumerate(asked))
    return DevicePlan("m1", 1, None, PollSettings(timeout_ms=TIMEOUT_MS), points, blocks, resync=resync)


class TextLine(VirtualLine):
    """A line with one instrument."""

    def __init__(self, plan: DevicePlan, *, protocol: str = "serial-ascii", seed: int = 1, **keys: str) -> None:
        settings: dict[str, str | int | float | bool] = {"port": "", "baudrate": 19200}
        settings = settings if protocol == "serial-ascii" else {"host": "", "port": 4001}
        settings.update(keys)
        super().__init__(LinePlan("bench", protocol, settings, (plan,)), by_protocol()[protocol], seed=seed)
        self.instrument = self.devices[1] = Instrument(plan)

    def wrong_readings(self, since: float = 0.0) -> list[tuple[Published, PointReading]]:
        """The good readings of another question, or of another time than their stamp allows."""
        return [(one, reading) for one, reading in self.good(since) if not _is_true(one, reading)]

    def wrong_exchanges(self) -> list[Published]:
        """Exchanges with such a reading."""
        return [one for one, _ in self.wrong_readings()]

    def exchanges_until_replaced(self, one: Published) -> int:
        """Good exchanges behind `one` until its point is invalid, or has another reading."""
        (point,) = (reading.point for reading in one.read if quality.is_good(reading.reading.quality))
        passed = 0
        for after in self.published[self.published.index(one) + 1 :]:
            if any(reading.point == point for reading in after.read):
                return passed
            passed += any(quality.is_good(reading.reading.quality) for reading in after.read)
        return passed


def _is_true(published: Published, reading: PointReading) -> bool:
    value = reading.reading.value
    assert isinstance(value, int | str)
    number, ms = divmod(int(value), 100_000)
    asked_at = 2 * published.stamped - published.at
    age_ms = (int(published.at * 1000) - ms) % 0x10000
    return number == reading.point and age_ms <= (published.at - asked_at) * 1000 + 2
