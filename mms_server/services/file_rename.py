"""FileRename: another name for a file, where that is switched on (ISO 9506-2 annex D).

BF4B { A0 { name }, A1 { new name } }   ->   9F4B 00
"""

from typing import Final

from mms_server.acsi.file_transfer.files import name_of
from mms_server.mms import file_names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """Nothing but that it is done."""
    tag, start, after = ber.header(body, 0, len(body))
    second, first, end = ber.header(body, after, len(body))
    if (tag, second, end) != (0xA0, 0xA1, len(body)):
        raise ArgumentError("no two names")
    name, new_name = name_of(file_names.decode(body, start, after)), name_of(file_names.decode(body, first, end))
    refused = context.behaviour.files.rename(name, new_name)
    return ber.tlv(0x9F4B, b"") if refused is None else refused


SERVICE: Final = Service("fileRename", 0xBF4B, 75, answer, needs_files=True)
