"""The Reject PDU: the answer to a PDU that could not be decoded (ISO 9506-2, RejectPDU).

A4 { 80 original invokeID (if known), 8x reason }       x: 1 confirmed request ... 5 pdu error
"""

from enum import Enum

from mms_server.stack import ber


class Reason(Enum):
    """Kind (the tag number) and code of a reject reason."""

    REQUEST_OTHER = (1, 0)
    UNRECOGNIZED_SERVICE = (1, 1)
    UNRECOGNIZED_MODIFIER = (1, 2)
    INVALID_INVOKE_ID = (1, 3)
    INVALID_ARGUMENT = (1, 4)
    INVALID_MODIFIER = (1, 5)
    MAX_SERVICES_EXCEEDED = (1, 6)
    UNKNOWN_PDU_TYPE = (5, 0)
    INVALID_PDU = (5, 1)


def encode(reason: Reason, invoke_id: int | None = None) -> bytes:
    """The Reject for `reason`; with the invokeID of the request if it could be read."""
    kind, code = reason.value
    original = b"" if invoke_id is None else ber.tlv(0x80, ber.unsigned(invoke_id))
    return ber.tlv(0xA4, original + ber.tlv(0x80 | kind, bytes((code,))))
