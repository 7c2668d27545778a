"""FileDelete: a file goes, where that is switched on (ISO 9506-2 annex D).

BF4C { name }   ->   9F4C 00
"""

from typing import Final

from mms_server.acsi.file_transfer.files import name_of
from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.mms import file_names
from mms_server.mms.errors import ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """Nothing but that it is gone."""
    name = name_of(file_names.decode(body, 0, len(body)))
    refused = context.behaviour.files.delete(name)
    context.track(ServiceName.DELETE_FILE, name, refused)
    return ber.tlv(0x9F4C, b"") if refused is None else refused


SERVICE: Final = Service("fileDelete", 0xBF4C, 76, answer, needs_files=True)
