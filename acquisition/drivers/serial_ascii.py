r"""Serial instruments that answer a request with one line of text: scales, thermostats, balances.

    "SI\r\n"   ->   "S S     100.00 kg\r\n"

The line ends with CR, LF or CR LF unless the point says how. Its meaning is the point's own expression.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from acquisition.drivers.base import Ask, DriverSpec, Found, Question, SerialSettings, Text
from acquisition.drivers.device_side import REQUEST_LIMIT, AnsweringDevice, Devices, Turn, turn_of, unreadable
from mapping.plan import DevicePlan, Reply
from mapping.protocols import Protocol

_LONGEST: Final = 1024
_ENDS: Final = (b"\r", b"\n")


class SerialAscii:
    """Lines of text: the request as it stands, the answer up to its end."""

    def request(self, ask: Ask, tag: int) -> bytes:
        """The question's own octets."""
        return _question(ask).text.encode("ascii")

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The next line that is not empty; what is not ASCII in it is shown as `?` and fits no expression."""
        end = _question(ask).end.encode("ascii")
        while True:
            at, size = _end_of_line(buffer, end)
            if at < 0:
                del buffer[:-_LONGEST]
                return None
            line = bytes(buffer[:at])
            del buffer[: at + size]
            if line:
                return Text(line.decode("ascii", "replace"))


def _question(ask: Ask) -> Question:
    if not isinstance(ask, Question):
        raise TypeError("a register on a line of a serial instrument")
    return ask


def _end_of_line(buffer: bytearray, end: bytes) -> tuple[int, int]:
    if end:
        return buffer.find(end), len(end)
    found = [at for one in _ENDS if (at := buffer.find(one)) >= 0]
    return (min(found), 1) if found else (-1, 0)


class SerialAsciiDevices:
    """The device side of instruments that answer a request with a line of text."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        for unit, device in self._devices.items():
            for request in _requests(device.plan):
                if buffer.startswith(request.encode("ascii")):
                    del buffer[: len(request)]
                    return turn_of(self._devices, unit, len(request), partial(self._answer, request=request))
        if len(buffer) > REQUEST_LIMIT:
            buffer.clear()
        return None

    def _answer(self, device: AnsweringDevice, request: str) -> bytes:
        text = "?" * 8 if unreadable(device) else device.line(request) or ""
        return (text + device.end_of(request)).encode("ascii", "replace")


def _requests(plan: DevicePlan) -> Iterator[str]:
    """The requests that a device knows: those of its points, and its `resync`."""
    yield from (
        point.source.request for point in plan.points if isinstance(point.source, Reply) and point.source.request
    )
    if plan.resync is not None:
        yield plan.resync.request


DRIVER: Final = DriverSpec(
    Protocol("serial-ascii", SerialSettings, "serial", asks=Reply),
    lambda _: SerialAscii(),
    lambda devices, _: SerialAsciiDevices(devices),
    anonymous=True,
)
