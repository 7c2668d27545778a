"""Simulated devices: their profiles answer inside the worker, with values that obey physics.

Requests and answers are units of Modbus TCP that never leave the OS process, so that all of a line's behaviour is the real one.
"""

from typing import Final

from acquisition.drivers.base import DriverSpec, Settings
from acquisition.drivers.modbus_tcp import MORE_OCTETS, TAG_OCTETS, ModbusTcp, ModbusTcpDevices
from mapping.protocols import Framing, Protocol

DRIVER: Final = DriverSpec(
    Protocol("simulated", Settings, "memory", framing=Framing(more=MORE_OCTETS), tag_octets=TAG_OCTETS, modbus=True),
    lambda _: ModbusTcp(),
    lambda devices, _: ModbusTcpDevices(devices),
)
