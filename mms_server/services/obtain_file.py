"""ObtainFile: the client offers a file, and we fetch it, where that is switched on (ISO 9506-2 annex D).

BF2E { [A0 the server that has it], A1 { source }, A2 { destination } }   ->   9F2E 00, once the file is whole
"""

from typing import Final

from mms_server.mms import file_names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.services.base import LATER, Context, Later, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> ServiceError | Later:
    """The error, or LATER."""
    parts: dict[int, list[bytes]] = {}
    position = 0
    while position < len(body):
        tag, start, end = ber.header(body, position, len(body))
        if tag == 0xA0 and not parts:
            return ServiceError.FILE_NON_EXISTENT  # it stands at a third party, with whom we have no association
        if tag not in (0xA1, 0xA2) or tag in parts:
            raise ArgumentError(f"tag {tag:02x}, expected a source and a destination")
        parts[tag] = file_names.decode(body, start, end)
        position = end
    if set(parts) != {0xA1, 0xA2}:
        raise ArgumentError("no source and destination")
    set_file = context.behaviour.set_file
    refused = set_file.begin(context.client, context.invoke_id, parts[0xA1], parts[0xA2], context.now)
    return LATER if refused is None else refused


SERVICE: Final = Service("obtainFile", 0xBF2E, 46, answer, needs_files=True, needs_obtain=True)
