"""Modbus ASCII: unit, PDU and LRC in hexadecimal digits, on a serial line (Modbus over serial line, section 2.5.2).

    | : | unit | function | ... | LRC | CR LF |           two characters an octet, but for `:` and CR LF

A colon begins a frame wherever it stands, so a cut frame costs only itself.
"""

from functools import partial
from typing import Final

from pymodbus.framer import FramerAscii
from pymodbus.pdu import DecodePDU

from acquisition.drivers import modbus, modbus_device
from acquisition.drivers.base import Ask, DriverSpec, ForeignRequest, Found, Question, SerialSettings
from acquisition.drivers.device_side import AnsweringDevice, Devices, Turn, turn_of
from mapping.protocols import Framing, Protocol

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

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | ForeignRequest | None:
        """The next sound frame; a frame that is not the answer is Foreign, one that asks is ForeignRequest."""
        while True:
            end = buffer.find(b"\r\n")
            if end < 0:
                _keep_beginning(buffer)
                return None
            start = buffer.rfind(b":", 0, end)
            text = bytes(buffer[start + 1 : end]) if start >= 0 else b""
            del buffer[: end + 2]
            frame = _octets(text)
            if frame is None:
                continue
            if modbus.reply_octets(frame[1:]) == len(frame) - 1:
                return modbus.judge(ask, frame[0], frame[1:])
            if (request := modbus.request_in(frame[0], frame[1:])) is not None:
                return request


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


class ModbusAsciiDevices:
    """The device side of ASCII frames."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while (end := buffer.find(b"\r\n")) >= 0:
            text = bytes(buffer[buffer.rfind(b":", 0, end) + 1 : end])
            del buffer[: end + 2]
            try:
                octets = bytes.fromhex(text.decode("ascii"))
            except ValueError:
                continue
            if len(octets) >= 3 and lrc(octets[:-1]) == octets[-1]:
                answer, registers = partial(self._answer, asked=octets[:-1]), modbus_device.registers_of(octets[1:-1])
                return turn_of(self._devices, octets[0], len(text) + 3, answer, registers)
        return None

    def _answer(self, device: AnsweringDevice, asked: bytes) -> bytes:
        octets = modbus_device.answered(device, asked[0], asked[1:])
        octets = modbus_device.faulty(device, octets + bytes((lrc(octets),)))
        return b":" + octets.hex().upper().encode("ascii") + b"\r\n"


_FRAMING: Final = Framing(characters=2, more=1)  # LRC is an octet less than CRC; the colon, CR and LF

DRIVER: Final = DriverSpec(
    Protocol("modbus-ascii", SerialSettings, "serial", framing=_FRAMING, broadcast=True, modbus=True),
    lambda _: ModbusAscii(),
    lambda devices, _: ModbusAsciiDevices(devices),
    checksum=True,
)
