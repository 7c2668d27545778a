"""FileClose: the end of reading (ISO 9506-2 annex D).

9F4A frsmID   ->   9F4A 00
"""

from typing import Final

from mms_server.mms.errors import ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """Nothing but that it is closed."""
    refused = context.behaviour.files.close(context.client, ber.decode_integer(body, 0, len(body)))
    return ber.tlv(0x9F4A, b"") if refused is None else refused


SERVICE: Final = Service("fileClose", 0x9F4A, 74, answer, needs_files=True)
