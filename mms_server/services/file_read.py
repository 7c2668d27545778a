"""FileRead: the next octets of an open file, as many as the PDU holds (ISO 9506-2 annex D).

9F49 frsmID   ->   BF49 { 80 octets, 81 more follows }
"""

from typing import Final

from mms_server.mms.errors import ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_FRAME_OCTETS: Final = 24  # the envelope's and the answer's own tags and lengths, at their longest


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """A piece of the file."""
    number = ber.decode_integer(body, 0, len(body))
    found = context.behaviour.files.read(context.client, number, context.room - _FRAME_OCTETS, context.now.monotonic_ns)
    if isinstance(found, ServiceError):
        return found
    data, more = found
    return ber.tlv(0xBF49, ber.tlv(0x80, data) + (b"\x81\x01\x01" if more else b"\x81\x01\x00"))


SERVICE: Final = Service("fileRead", 0x9F49, 73, answer, needs_files=True)
