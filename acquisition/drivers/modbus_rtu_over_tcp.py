"""Modbus RTU frames in a TCP stream: a serial line behind a converter that passes octets on as they come.

    | unit | function | ... | CRC low | CRC high |        as on the serial line, without a transaction id

A frame does not name the request that it answers, so all that holds on a serial line holds here: late responses are told
apart by their size, and after a time-out the stream must fall silent. The converter makes the silence between frames.
"""

from typing import Final

from acquisition.drivers.base import DriverSpec, TcpSettings
from acquisition.drivers.modbus_rtu import ModbusRtu, ModbusRtuDevices
from mapping.protocols import Protocol

DRIVER: Final = DriverSpec(
    Protocol("modbus-rtu-over-tcp", TcpSettings, "tcp", broadcast=True, modbus=True),
    lambda _: ModbusRtu(),
    lambda devices, _: ModbusRtuDevices(devices),
    checksum=True,
)
