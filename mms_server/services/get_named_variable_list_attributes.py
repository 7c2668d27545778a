"""GetNamedVariableListAttributes: the members of a data set, in order (ISO 9506-2).

AC { name }   ->   AC { 80 deletable, A1 { 30 { A0 { name } [A5 selection] } ... } }
"""

from typing import Final

from mms_server.mms import names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """The members of the named data set."""
    if ber.header(body, 0, len(body))[2] != len(body):
        raise ArgumentError("octets behind the name")
    data_set = context.behaviour.sets.find(context.client, names.decode(body, 0, len(body)))
    if data_set is None:
        return ServiceError.ACCESS_NON_EXISTENT
    members = b"".join([member.encoded() for member in data_set.members])
    return ber.tlv(0xAC, ber.tlv(0x80, bytes((data_set.deletable,))) + ber.tlv(0xA1, members))


SERVICE: Final = Service("getNamedVariableListAttributes", 0xAC, 12, answer)
