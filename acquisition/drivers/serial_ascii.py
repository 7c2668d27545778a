r"""Serial instruments that answer a request with one line of text: scales, thermostats, balances.

    "SI\r\n"   ->   "S S     100.00 kg\r\n"

The line ends with CR, LF or CR LF unless the point says how. What the line means is the point's own expression.
"""

from typing import Final

from acquisition.drivers.base import Ask, DriverSpec, Found, Question, SerialSettings, Text

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


DRIVER: Final = DriverSpec("serial-ascii", SerialSettings, lambda _: SerialAscii(), "serial", anonymous=True)
