"""Modbus TCP Security: the units of Modbus TCP inside TLS 1.2 or 1.3, with certificates on both sides.

    port 802      | TLS | transaction id | 0 0 | length | unit | PDU ... |

The device's certificate must be one of `ca`; whose name it bears is asked only if `server_name` says so, since field
devices are reached by address.
"""

from typing import Annotated, Final

from pydantic import Field

from acquisition.drivers.base import DriverSpec, TcpSettings
from acquisition.drivers.modbus_tcp import MORE_OCTETS, TAG_OCTETS, ModbusTcp, ModbusTcpDevices
from mapping.protocols import Framing, Protocol
from mapping.schema.fields import SiteFile

_RECORD_OCTETS: Final = 22  # header, type and tag of a TLS record


class TlsSettings(TcpSettings):
    """A line that is a TLS connection."""

    port: Annotated[int, Field(ge=1, le=65535)] = 802
    cert: Annotated[SiteFile, Field(description="our certificate, PEM; relative to site.yaml, as the next two")]
    key: Annotated[SiteFile, Field(description="its key, PEM")]
    ca: Annotated[SiteFile, Field(description="the authority that the device's certificate is of, PEM")]
    server_name: Annotated[
        str | None, Field(min_length=1, description="name that the device's certificate must bear; default any")
    ] = None


_FRAMING: Final = Framing(more=MORE_OCTETS + _RECORD_OCTETS)

DRIVER: Final = DriverSpec(
    Protocol("modbus-tls", TlsSettings, "tls", framing=_FRAMING, tag_octets=TAG_OCTETS, modbus=True),
    lambda _: ModbusTcp(),
    lambda devices, _: ModbusTcpDevices(devices),
)
