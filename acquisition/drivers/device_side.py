"""The contract of a protocol's device side, for simulated lines: requests in, answers out, faults made (pure).

octets ──► take ──► Turn: what the request took on the line, how late the device is, and what it answers
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bus.messages import Value
from mapping.plan import DevicePlan, PointPlan, Table

REQUEST_LIMIT: Final = 256  # octets of text in which no request was found
BUSY: Final = 6  # the exception that means: ask again


class RegisterRange(typing.NamedTuple):
    """Registers or bits of a table, from the first to the last address."""

    table: Table
    first: int
    last: int

    def overlaps(self, other: "RegisterRange") -> bool:
        """True if one of them is in both."""
        return self.table == other.table and self.first <= other.last and other.first <= self.last


@dataclass(slots=True)
class Fault:
    """A fault of a device: `late` by `ms`, `exception` with `code`, `busy` for `times`; the others need no number.

    `swapped`: the words of what takes several registers come in the opposite order. `frozen`: its values stand still.
    `stuck`: it confirms what is written, and nothing follows. With `registers` it is a fault of the requests for one of
    them, where the protocol has registers; with `next`, of so many requests.
    """

    kind: str
    ms: int = 1000
    code: int = 4
    times: int = 3  # requests that find it busy; the next ones are answered
    registers: RegisterRange | None = None
    next: int | None = None  # requests that meet it from now on; None: all of them

    @property
    def selective(self) -> bool:
        """True if not every request meets it."""
        return self.registers is not None or self.next is not None

    def meets(self, asked: Sequence[RegisterRange]) -> bool:
        """True if a request for `asked` meets it; of `next` there is one less then."""
        own = self.registers
        if own is not None and not any(own.overlaps(one) for one in asked):
            return False
        if self.next is None:
            return True
        if self.next < 1:
            return False
        self.next -= 1
        return True


class AnsweringDevice(typing.Protocol):
    """A simulated device, as far as answering needs it."""

    @property
    def plan(self) -> DevicePlan:
        """Its points."""

    fault: Fault | None
    """The fault that it has now."""

    @property
    def registers(self) -> Mapping[tuple[str, int], int]:
        """Every register and bit that a point of it has, by table and address."""

    @property
    def values(self) -> Mapping[str, Value]:
        """The value of each point by its name in the device, in the point's unit."""

    def busy(self) -> bool:
        """True if the next request finds it busy; one less does then."""

    def read(self, table: str, address: int, count: int) -> list[int]:
        """The registers or bits that a read shows, 0 where it has none."""

    def written(self, table: str, address: int, words: list[int]) -> None:
        """Take what a master has written into registers or bits."""

    def at(self, table: str, address: int) -> PointPlan | None:
        """The point that is read at `address`, where each address holds a whole value."""

    def take(self, point: PointPlan, value: Value, words: tuple[int, ...]) -> None:
        """Take `value`, which a master has written to the whole of `point` as `words`. Raises ValueError if it cannot."""

    def readout(self) -> str:
        """A meter's lines, each with its end."""

    def line(self, request: str) -> str | None:
        """The text that answers `request`, without its end; None if the device does not know it."""

    def end_of(self, request: str) -> str:
        """The end of the answer to `request`."""


Devices = Mapping[int, AnsweringDevice]
"""The devices of one line by their unit."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: `asked` octets of it, how late its device is, and its answer, at `baudrate` if that changes."""

    asked: int
    answer: Callable[[], bytes]
    late_s: float | None = None
    baudrate: int | None = None


class Answering(typing.Protocol):
    """The device side of one line. Octets that are no request are taken out of the buffer and get no answer."""

    def take(self, buffer: bytearray) -> Turn | None:
        """The next request in `buffer`, which is removed from it; None while there is no whole one."""


def turn_of(
    devices: Devices,
    unit: int,
    asked: int,
    answer: Callable[[AnsweringDevice], bytes],
    registers: Sequence[RegisterRange] = (),
) -> Turn:
    """The turn of the device `unit`, which may be absent or silent. `registers`: those that the request is for."""
    device = devices.get(unit)
    fault = None if device is None else device.fault
    if device is None:
        return Turn(asked, lambda: b"")
    if fault is not None and fault.selective:
        fault = fault if fault.meets(registers) else None
        answer = partial(_under, fault, answer)
    if fault is not None and fault.kind == "silent":
        return Turn(asked, lambda: b"")
    late_s = fault.ms / 1000 if fault is not None and fault.kind == "late" else None
    return Turn(asked, lambda: answer(device), late_s)


def _under(fault: Fault | None, answer: Callable[[AnsweringDevice], bytes], device: AnsweringDevice) -> bytes:
    """The answer of `device` as it is with `fault`, whichever it has now."""
    now, device.fault = device.fault, fault
    try:
        return answer(device)
    finally:
        device.fault = now


def unreadable(device: AnsweringDevice) -> bool:
    """True if a fault of the device spoils its text."""
    return device.fault is not None and device.fault.kind in ("garbage", "crc", "exception")
