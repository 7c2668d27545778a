"""Status: the server is up (ISO 9506-2, Status).

80 01 extended   ->   A0 { 80 logical, 81 physical }        both 0: state changes allowed, operational
"""

from typing import Final

from mms_server.mms.errors import ArgumentError
from mms_server.services.base import Context, Service


def answer(_context: Context, body: bytes) -> bytes:
    """Operational: a server that is not operational does not answer."""
    if len(body) != 1:
        raise ArgumentError(f"{len(body)} octets, expected one boolean")
    return bytes.fromhex("a006800100810100")


SERVICE: Final = Service("status", 0x80, 0, answer)
