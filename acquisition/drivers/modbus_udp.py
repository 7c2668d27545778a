"""Modbus over UDP: a datagram is one unit with the header of Modbus TCP.

    | transaction id | 0 0 | length | unit | PDU ...          the whole of one datagram

A datagram that is lost is a time-out; one that comes twice, or late, has a transaction id that is asked for no more. One
that is not exactly a unit is thrown away whole: nothing of it can be completed by the next.
"""

from typing import Final

from acquisition.drivers.base import Ask, DriverSpec, Found, TcpSettings
from acquisition.drivers.modbus_tcp import MORE_OCTETS, TAG_OCTETS, ModbusTcp, ModbusTcpDevices
from mapping.protocols import Framing, Protocol

_LENGTH_END: Final = 6


class ModbusUdp(ModbusTcp):
    """One unit a datagram: `buffer` holds what one read of the port gave."""

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The unit of the datagram; None if it is none."""
        if len(buffer) != _LENGTH_END + int.from_bytes(buffer[4:_LENGTH_END], "big"):
            buffer.clear()
            return None
        found = super().take(ask, tag, buffer)
        buffer.clear()
        return found


DRIVER: Final = DriverSpec(
    Protocol("modbus-udp", TcpSettings, "udp", framing=Framing(more=MORE_OCTETS), tag_octets=TAG_OCTETS, modbus=True),
    lambda _: ModbusUdp(),
    lambda devices, _: ModbusTcpDevices(devices),
)
