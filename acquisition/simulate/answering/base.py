"""The contract of a simulated line's protocol, from the devices' side: requests in, answers out, faults made.

octets ──► take ──► Turn: what the request took on the line, how late the device is, and what it answers
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from acquisition.simulate.device import SimulatedDevice

REQUEST_LIMIT: Final = 256  # octets of text in which no request was found

Devices = Mapping[int, SimulatedDevice]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: `asked` octets of it, how late its device is, and its answer, at `baudrate` if that changes."""

    asked: int
    answer: Callable[[], bytes]
    late_s: float | None = None
    baudrate: int | None = None


class Answering(Protocol):
    """One protocol. What is no request is taken out of the buffer and gets no answer."""

    def take(self, buffer: bytearray) -> Turn | None:
        """The next request in `buffer`, which is removed from it; None while there is no whole one."""


def turn_of(devices: Devices, unit: int, asked: int, answer: Callable[[SimulatedDevice], bytes]) -> Turn:
    """The turn of the device `unit`, which may be absent or silent."""
    device = devices.get(unit)
    fault = None if device is None else device.fault
    if device is None or (fault is not None and fault.kind == "silent"):
        return Turn(asked, lambda: b"")
    late_s = fault.ms / 1000 if fault is not None and fault.kind == "late" else None
    return Turn(asked, lambda: answer(device), late_s)


def unreadable(device: SimulatedDevice) -> bool:
    """True if a fault of the device spoils its text."""
    return device.fault is not None and device.fault.kind in ("garbage", "crc", "exception")
