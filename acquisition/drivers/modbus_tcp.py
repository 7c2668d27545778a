"""Modbus TCP: a header with a transaction id before each PDU (Modbus messaging on TCP/IP, section 3.1.3).

    | transaction id | 0 0 | length | unit | PDU ...          length counts unit and PDU

An answer with another transaction id is late or wrong: it is discarded, and the waiting goes on.
"""

from typing import Final

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from acquisition.drivers import modbus
from acquisition.drivers.base import Ask, DriverSpec, Foreign, Found, Question, TcpSettings

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


def tag_of(buffer: bytearray) -> int:
    """The transaction id of the unit that `buffer` begins with."""
    return int.from_bytes(buffer[:2], "big")


DRIVER: Final = DriverSpec("modbus-tcp", TcpSettings, lambda _: ModbusTcp(), "tcp", tag_of=tag_of)
