"""GetVariableAccessAttributes: the type of a variable, at any level up to the whole LN (ISO 9506-2).

    A6 { A0 { name } }   ->   A6 { 80 deletable, A2 { type } }

The type is encoded once for each layout. It cannot be split: one that does not fit the agreed PDU is a resource error.
"""

from typing import Final

from mms_server.mms import names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.model.tree import UNKNOWN
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """The type description of the named variable."""
    tag, start, end = ber.header(body, 0, len(body))
    if end != len(body):
        raise ArgumentError("octets behind the variable")
    if tag != 0xA0:
        return ServiceError.ACCESS_UNSUPPORTED  # by address: there are none here
    name = names.decode(body, start, end)
    slot = UNKNOWN if name.domain is None else context.model.slot(name.domain, name.item)
    if slot == UNKNOWN:
        return ServiceError.ACCESS_NON_EXISTENT
    return ber.tlv(0xA6, b"\x80\x01\x00" + ber.tlv(0xA2, context.model.node(slot).description))


SERVICE: Final = Service("getVariableAccessAttributes", 0xA6, 6, answer)
