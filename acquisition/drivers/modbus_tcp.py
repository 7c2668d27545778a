"""Modbus TCP: a header with a transaction id before each PDU (Modbus messaging on TCP/IP, section 3.1.3).

    | transaction id | 0 0 | length | unit | PDU ...          length counts unit and PDU

An answer with another transaction id is late or wrong: it is discarded, and the waiting goes on.
"""

from functools import partial
from typing import Final

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from acquisition.drivers import modbus, modbus_device
from acquisition.drivers.base import Ask, DriverSpec, Foreign, Found, Question, TcpSettings
from acquisition.drivers.device_side import AnsweringDevice, Devices, Turn, turn_of
from mapping.protocols import Framing, Protocol

TAG_OCTETS: Final = 2
MORE_OCTETS: Final = 4  # transaction id, protocol and length instead of CRC
_HEADER: Final = 7
_LONGEST: Final = 254  # unit and PDU


class ModbusTcp:
    """MBAP units: which octets ask, and which octets answer."""

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(False))

    def request(self, ask: Ask, tag: int) -> bytes:
        """The unit that asks; `tag` is its transaction id."""
        if isinstance(ask, Question):
            raise TypeError("a question to a serial instrument on a Modbus line")
        return self._framer.encode(modbus.request_pdu(ask), ask.unit, tag & 0xFFFF)

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The next unit. A header that is none makes all of the buffer worthless: it is thrown away."""
        if len(buffer) < _HEADER + 1:
            return None
        length = int.from_bytes(buffer[4:6], "big")
        if buffer[2:4] != b"\0\0" or not 3 <= length <= _LONGEST:
            buffer.clear()
            return Foreign(0, 0, None)
        if len(buffer) < 6 + length:
            return None
        unit = bytes(buffer[: 6 + length])
        del buffer[: 6 + length]
        found = modbus.judge(ask, unit[6], unit[7:]) if modbus.reply_octets(unit[7:]) == length - 1 else None
        if found is None or int.from_bytes(unit[:2], "big") != tag & 0xFFFF:
            return Foreign(unit[6], unit[7], None)
        return found


class ModbusTcpDevices:
    """The device side of MBAP units."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        if len(buffer) < _HEADER + 1:
            return None
        length = int.from_bytes(buffer[4:6], "big")
        if not 2 <= length <= _LONGEST:
            buffer.clear()
            return None
        if len(buffer) < 6 + length:
            return None
        unit = bytes(buffer[: 6 + length])
        del buffer[: 6 + length]
        registers = modbus_device.registers_of(unit[7:])
        return turn_of(self._devices, unit[6], len(unit), partial(self._answer, asked=unit), registers)

    def _answer(self, device: AnsweringDevice, asked: bytes) -> bytes:
        answered = modbus_device.answered(device, asked[6], asked[7:])
        octets = asked[:4] + len(answered).to_bytes(2, "big") + answered
        if device.fault is not None and device.fault.kind == "crc":
            return modbus_device.inverted(octets)  # there is no checksum to spoil
        return modbus_device.faulty(device, octets)


DRIVER: Final = DriverSpec(
    Protocol("modbus-tcp", TcpSettings, "tcp", framing=Framing(more=MORE_OCTETS), tag_octets=TAG_OCTETS, modbus=True),
    lambda _: ModbusTcp(),
    lambda devices, _: ModbusTcpDevices(devices),
)
