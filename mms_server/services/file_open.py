"""FileOpen: begin to read a file (ISO 9506-2 annex D).

BF48 { A0 { name }, 81 position }   ->   BF48 { 80 frsmID, A1 { 80 octets 81 lastModified } }
"""

from typing import Final

from mms_server.acsi.file_transfer.files import name_of
from mms_server.mms import file_names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """The number under which the file is read."""
    tag, start, after = ber.header(body, 0, len(body))
    second, first, end = ber.header(body, after, len(body))
    if (tag, second, end) != (0xA0, 0x81, len(body)):
        raise ArgumentError("no name and position")
    name = name_of(file_names.decode(body, start, after))
    position = ber.decode_unsigned(body, first, end)
    opened = context.behaviour.files.open(context.client, name, position, context.now.monotonic_ns)
    if isinstance(opened, ServiceError):
        return opened
    number, entry = opened
    return ber.tlv(
        0xBF48, ber.tlv(0x80, ber.integer(number)) + file_names.attributes(0xA1, entry.octets, entry.generalized)
    )


SERVICE: Final = Service("fileOpen", 0xBF48, 72, answer, needs_files=True)
