r"""Serial instruments behind a device server: the lines of text that they say on a serial port, in a TCP stream.

    "SI\r\n"   ->   "S S     100.00 kg\r\n"          as on the serial line; the server passes octets on as they come

Nothing in a line tells which request it answers: after a time-out the line waits for the missing one.
"""

from typing import Annotated, Final

from pydantic import Field

from acquisition.drivers.base import DriverSpec, TcpSettings
from acquisition.drivers.serial_ascii import SerialAscii, SerialAsciiDevices
from mapping.plan import Reply
from mapping.protocols import Protocol


class TcpAsciiSettings(TcpSettings):
    """A line that is one port of a device server: each maker numbers them otherwise."""

    port: Annotated[int, Field(ge=1, le=65535)]


DRIVER: Final = DriverSpec(
    Protocol("tcp-ascii", TcpAsciiSettings, "tcp", asks=Reply),
    lambda _: SerialAscii(),
    lambda devices, _: SerialAsciiDevices(devices),
    anonymous=True,
)
