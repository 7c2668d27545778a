"""Devices that are not there: their profiles answer inside the worker, with values that obey physics.

Requests and answers are units of Modbus TCP that never leave the process, so that all of a line's behaviour is the real one.
"""

from typing import Final

from acquisition.drivers.base import DriverSpec, Settings
from acquisition.drivers.modbus_tcp import ModbusTcp, tag_of

DRIVER: Final = DriverSpec("simulated", Settings, lambda _: ModbusTcp(), "simulated", tag_of=tag_of)
