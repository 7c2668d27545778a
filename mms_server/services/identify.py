"""Identify: vendor, model and revision of the server (ISO 9506-2, Identify).

82 00   ->   A2 { 80 vendor, 81 model, 82 revision }
"""

from typing import Final

from mms_server.mms.errors import ArgumentError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes:
    """Vendor, model and revision."""
    if body:
        raise ArgumentError("an argument, expected none")
    who = context.identity
    parts = enumerate((who.vendor, who.model, who.revision()))
    return ber.tlv(0xA2, b"".join(ber.tlv(0x80 | number, text.encode("ascii", "replace")) for number, text in parts))


SERVICE: Final = Service("identify", 0x82, 2, answer)
