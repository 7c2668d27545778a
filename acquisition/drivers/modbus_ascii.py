"""Modbus ASCII: unit, PDU and LRC in hexadecimal digits, on a serial line (Modbus over serial line, section 2.5.2).

    | : | unit | function | ... | LRC | CR LF |           two characters an octet, but for `:` and CR LF

A colon begins a frame wherever it stands, so a cut frame costs only itself.
"""

from typing import Final

from pymodbus.framer import FramerAscii
from pymodbus.pdu import DecodePDU

from acquisition.drivers import modbus
from acquisition.drivers.base import Ask, DriverSpec, Found, Question, SerialSettings

_LONGEST: Final = 513  # characters of a frame
_DIGITS: Final = frozenset(b"0123456789ABCDEFabcdef")
_SHORTEST: Final = 4  # octets: unit, function, one of data, LRC


class ModbusAscii:
    """ASCII frames: which octets ask, and which octets answer."""

    def __init__(self) -> None:
        self._framer = FramerAscii(DecodePDU(False))

    def request(self, ask: Ask, tag: int) -> bytes:
        """The frame that asks; ASCII has no place for a tag."""
        if isinstance(ask, Question):
            raise TypeError("a question to a serial instrument on a Modbus line")
        return self._framer.encode(modbus.request_pdu(ask), ask.unit, tag)

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The next sound frame; a frame that is not the answer is Foreign."""
        while True:
            end = buffer.find(b"\r\n")
            if end < 0:
                _keep_beginning(buffer)
                return None
            start = buffer.rfind(b":", 0, end)
            text = bytes(buffer[start + 1 : end]) if start >= 0 else b""
            del buffer[: end + 2]
            frame = _octets(text)
            if frame is not None and modbus.reply_octets(frame[1:]) == len(frame) - 1:
                return modbus.judge(ask, frame[0], frame[1:])


def _keep_beginning(buffer: bytearray) -> None:
    """Throw away what can begin no frame; what is longer than a frame is none."""
    start = buffer.rfind(b":")
    del buffer[: start if start >= 0 else len(buffer)]
    if len(buffer) > _LONGEST:
        buffer.clear()


def lrc(octets: bytes) -> int:
    """The octet that ends a frame of `octets`."""
    return int(FramerAscii.compute_LRC(octets))


def _octets(text: bytes) -> bytes | None:
    """Unit and PDU that the digits hold; None if they are no sound frame."""
    if len(text) % 2 or len(text) < 2 * _SHORTEST or not _DIGITS.issuperset(text):
        return None
    octets = bytes.fromhex(text.decode("ascii"))
    return octets[:-1] if lrc(octets[:-1]) == octets[-1] else None


DRIVER: Final = DriverSpec("modbus-ascii", SerialSettings, lambda _: ModbusAscii(), "serial", characters_per_octet=2)
