"""Channels with faults, as they are met in plants: lines.py has the sound one.

Each does no more than a real converter, radio, device or second master does: it delays, repeats, holds, loses or adds
whole frames.
"""

import random
from typing import Final

from bench.torture import frames
from bench.torture.lines import Channel, Line, TcpPort

SEED: Final = 14


class OneTwin(Channel):
    """One answer comes twice, once: the second in the moment in which the next request is under way."""

    def __init__(self, ms: float = 5) -> None:
        super().__init__()
        self._after_s = ms / 1000

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        super().answer(line, asked, frame)
        if self.active:
            self.active = False
            line.surplus(frame, self._after_s)


class Twins(Channel):
    """A share of the answers comes again."""

    def __init__(self, ms: float, share: float = 1.0) -> None:
        super().__init__()
        self._after_s, self._share = ms / 1000, share
        self._random = random.Random(SEED)

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        super().answer(line, asked, frame)
        if self.active and self._random.random() < self._share:
            line.surplus(frame, self._after_s)


class HoldsUntilNext(Channel):
    """An answer is passed on only when the next request comes."""

    def __init__(self) -> None:
        super().__init__()
        self._held: bytes | None = None

    def request(self, line: Line, frame: bytes) -> None:
        if self._held is not None:
            line.surplus(self._held, 0.001)
            self._held = None
        super().request(line, frame)

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        if self.active:
            self._held = frame
        else:
            super().answer(line, asked, frame)


class Delays(Channel):
    """Store and forward: each answer, or a share of them, comes later."""

    def __init__(self, ms: float, share: float = 1.0) -> None:
        super().__init__()
        self._after_s, self._share = ms / 1000, share
        self._random = random.Random(SEED)

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        if self.active and self._random.random() < self._share:
            line.surplus(frame, self._after_s)
        else:
            super().answer(line, asked, frame)


class SlowDevice(Channel):
    """The device needs longer for a share of its answers; what is asked meanwhile waits."""

    def __init__(self, ms: float, share: float) -> None:
        super().__init__()
        self._slow_s, self._share = ms / 1000, share
        self._random = random.Random(SEED)

    def turnaround_s(self, usual_s: float) -> float:
        if self.active and self._random.random() < self._share:
            self.marked()
            return self._slow_s
        return usual_s


class SecondMaster(Channel):
    """Another master polls a block of the same unit; `heard` if its requests are seen as well as the answers."""

    def __init__(self, unit: int, address: int, count: int, every_ms: float, *, heard: bool) -> None:
        super().__init__()
        self._request = frames.read_request(unit, 3, address, count)
        self._every_s, self._heard = every_ms / 1000, heard
        self._random = random.Random(SEED)

    def start(self, line: Line) -> None:
        self._again(line)

    def _again(self, line: Line) -> None:
        if self.active:
            line.ask(self._request, foreign=True)
        pause = self._every_s * self._random.uniform(0.7, 1.3)
        line.later(pause, lambda: self._again(line))

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        if asked:
            super().answer(line, asked, frame)
        elif self._heard or frame != self._request:
            line.surplus(frame, 0)


class EndsConnections(Channel):
    """A connection ends `ms` after a request has gone to the line, which answers it all the same."""

    def __init__(self, ms: float, share: float, *, reset: bool) -> None:
        super().__init__()
        self._after_s, self._share, self._reset = ms / 1000, share, reset
        self._random = random.Random(SEED)

    def request(self, line: Line, frame: bytes) -> None:
        super().request(line, frame)
        if self.active and self._random.random() < self._share:
            line.later(self._after_s, lambda: self._end(line))

    def _end(self, line: Line) -> None:
        if isinstance(line.port, TcpPort):
            self.marked()
            line.port.end(reset=self._reset)


class SecondDevice(Channel):
    """A second device with the same address answers too, later, with values of its own."""

    def __init__(self, unit: int, twin: int, ms: float) -> None:
        super().__init__()
        self._units, self._after_s = {unit: twin}, ms / 1000

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        super().answer(line, asked, frame)
        if self.active and (other := frames.answer_rtu(self._units, asked)) is not None:
            line.surplus(other, self._after_s)


class ExceptionTwice(Channel):
    """The device refuses one block, and says so twice."""

    def __init__(self, address: int, code: int = 4, ms: float = 5) -> None:
        super().__init__()
        self._address, self._code, self._after_s = address, code, ms / 1000

    def answer(self, line: Line, asked: bytes, frame: bytes) -> None:
        if self.active and int.from_bytes(asked[2:4], "big") == self._address:
            frame = frames.exception(asked, self._code)
            self.marked()
            super().answer(line, asked, frame)
            line.surplus(frame, self._after_s)
        else:
            super().answer(line, asked, frame)
