"""A second device with the address of another: it answers as that one does, with other values, and takes no write (pure)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from acquisition.drivers.device_side import AnsweringDevice, Fault
from bus.messages import Value
from mapping.plan import DevicePlan, PointPlan

WORD_DIFFERENCE: Final = 0x0155  # bits of a register that differ: also the exponent of a float
_DIGITS: Final = str.maketrans("0123456789", "9876543210")
_READOUT_VALUES: Final = re.compile(r"\([^)*]*")


@dataclass(slots=True)
class SecondDevice:
    """The other device. Every register, bit, number and digit of it differs from those of `first`."""

    first: AnsweringDevice
    fault: Fault | None = None

    @property
    def plan(self) -> DevicePlan:
        """The points of both."""
        return self.first.plan

    @property
    def registers(self) -> Mapping[tuple[str, int], int]:
        """Its registers and bits."""
        return {(table, at): _other(table, word) for (table, at), word in self.first.registers.items()}

    @property
    def values(self) -> Mapping[str, Value]:
        """Its values."""
        return {name: _other_value(value) for name, value in self.first.values.items()}

    def busy(self) -> bool:
        """False: it never is."""
        return False

    def read(self, table: str, address: int, count: int) -> list[int]:
        """The registers or bits that a read of it shows."""
        return [_other(table, word) for word in self.first.read(table, address, count)]

    def written(self, table: str, address: int, words: list[int]) -> None:
        """Confirm a write, which the first device takes."""

    def at(self, table: str, address: int) -> PointPlan | None:
        """The point that is read at `address`."""
        return self.first.at(table, address)

    def take(self, point: PointPlan, value: Value, words: tuple[int, ...]) -> None:
        """Confirm a write, which the first device takes."""

    def readout(self) -> str:
        """Its lines, with other digits between brackets."""
        return _READOUT_VALUES.sub(lambda match: match.group().translate(_DIGITS), self.first.readout())

    def line(self, request: str) -> str | None:
        """The text that answers `request`, with other digits."""
        text = self.first.line(request)
        return None if text is None else text.translate(_DIGITS)

    def end_of(self, request: str) -> str:
        """The end of the answer to `request`."""
        return self.first.end_of(request)


def _other(table: str, word: int) -> int:
    return 1 - bool(word) if table in ("coil", "discrete") else word ^ WORD_DIFFERENCE


def _other_value(value: Value) -> Value:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else value
