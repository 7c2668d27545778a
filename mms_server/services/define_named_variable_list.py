"""DefineNamedVariableList: a client makes a data set (ISO 9506-2).

AB { name, A0 { 30 { A0 { variable } [A5 selection] } ... } }   ->   8B 00
"""

from typing import Final

from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.mms import access, names
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.mms.names import ObjectName
from mms_server.services.base import Context, Service
from mms_server.stack import ber


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """Nothing but that it is made."""
    _, _, position = ber.header(body, 0, len(body))
    name = names.decode(body, 0, position)
    variables = access.decode(body, position, len(body))
    if isinstance(variables, ObjectName):
        raise ArgumentError("a list of lists, expected variables")
    refused = context.behaviour.sets.define(context.client, name, variables)
    context.track(ServiceName.CREATE_DATA_SET, name.reference, refused)
    return b"\x8b\x00" if refused is None else refused


SERVICE: Final = Service("defineNamedVariableList", 0xAB, 11, answer)
