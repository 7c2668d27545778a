"""A recorded line played back (pure): each request that occurs in the recording gets its recorded answers, in order.

The last answer stays; a request that was never answered, or never asked, is met with silence. Where requests carry a
number (the transaction id of Modbus TCP) it does not count, and the answer gets that of the request.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.registry import driver_of

_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """The octets of an answer, and the delay of the last of them after the request."""

    delay_s: float
    octets: bytes


@dataclass(slots=True)
class Playback:
    """The answers of one recorded line by request; `take` finds the next request among octets."""

    line: str
    spec: DriverSpec
    settings: dict[str, str | int | float | bool]
    answers: dict[bytes, list[Answer]] = field(default_factory=dict)
    _played: dict[bytes, int] = field(default_factory=dict)

    @property
    def tag(self) -> int:
        """How many octets of a frame's front number it."""
        return self.spec.protocol.tag_octets

    def take(self, buffer: bytearray) -> Answer | None:
        """Remove the next known request from `buffer`, and the octets before it; its answer, None if there is no whole one."""
        while buffer:
            body = bytes(buffer[self.tag :])
            key = max((one for one in self.answers if body.startswith(one)), key=len, default=None)
            if key is not None:
                tag = bytes(buffer[: self.tag])
                del buffer[: self.tag + len(key)]
                return self._next(key, tag)
            if len(body) < _LONGEST and any(one.startswith(body) for one in self.answers):
                return None
            del buffer[:1]
        return None

    def _next(self, key: bytes, tag: bytes) -> Answer:
        answers, number = self.answers[key], self._played.get(key, 0)
        self._played[key] = number + 1
        answer = answers[min(number, len(answers) - 1)]
        return Answer(answer.delay_s, tag + answer.octets[len(tag) :] if answer.octets else b"")


def parse(lines: Iterable[str]) -> Playback:
    """The playback of a recording.

    Raises ValueError that says which line of it is none, PluginError if there is no driver for its protocol.
    """
    playback: Playback | None = None
    asked_at, key = 0.0, b""
    for number, text in enumerate(lines, 1):
        try:
            entry = json.loads(text)
            if playback is None:
                playback = Playback(str(entry["line"]), driver_of(str(entry["protocol"])), dict(entry["settings"]))
                continue
            way, octets = _frame(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is no {'frame' if playback else 'head'} of a recording") from error
        if way == "out":
            asked_at, key = float(entry["at"]), octets[playback.tag :]
            playback.answers.setdefault(key, []).append(Answer(0.0, b""))
        elif key:
            so_far = playback.answers[key][-1]
            playback.answers[key][-1] = Answer(float(entry["at"]) - asked_at, so_far.octets + octets)
    if playback is None:
        raise ValueError("an empty recording")
    return playback


def _frame(entry: dict[str, Any]) -> tuple[str, bytes]:
    way = "out" if "out" in entry else "in"
    float(entry["at"])
    return way, bytes.fromhex(entry[way])
