"""FileDirectory: the list of files, page by page, those in sub-folders with their path (ISO 9506-2 annex D).

BF4D { [A0 { name }], [A1 { continue after }] }   ->   BF4D { A0 { 30 { 30 { A0 { name }, A1 attributes } ... } }, 81 more }
"""

from typing import Final

from mms_server.acsi.file_transfer.files import FileEntry, name_of
from mms_server.mms import file_names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_FRAME_OCTETS: Final = 32


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """One page of entries."""
    name, after = _arguments(body)
    entries = context.behaviour.files.listed(name)
    if isinstance(entries, ServiceError):
        return entries
    room = context.room - _FRAME_OCTETS
    taken: list[bytes] = []
    more = False
    for entry in entries:
        if entry.name <= after:
            continue
        encoded = _encoded(entry)
        room -= len(encoded)
        if room < 0:
            more = True
            break
        taken.append(encoded)
    if more and not taken:
        return ServiceError.RESOURCE_OTHER
    listed = ber.tlv(0xA0, ber.tlv(0x30, b"".join(taken)))
    return ber.tlv(0xBF4D, listed + (b"\x81\x01\x01" if more else b"\x81\x01\x00"))


def _encoded(entry: FileEntry) -> bytes:
    name = ber.tlv(0xA0, ber.tlv(0x19, entry.name.encode("utf-8")))
    return ber.tlv(0x30, name + file_names.attributes(0xA1, entry.octets, entry.generalized))


def _arguments(body: bytes) -> tuple[str, str]:
    name = after = ""
    position = 0
    while position < len(body):
        tag, start, end = ber.header(body, position, len(body))
        if tag == 0xA0 and position == 0:
            name = name_of(file_names.decode(body, start, end))
        elif tag == 0xA1:
            after = name_of(file_names.decode(body, start, end))
        else:
            raise ArgumentError(f"tag {tag:02x}, expected a name or where to continue")
        position = end
    return name, after


SERVICE: Final = Service("fileDirectory", 0xBF4D, 77, answer, needs_files=True)
