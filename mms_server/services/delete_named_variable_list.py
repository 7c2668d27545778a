"""DeleteNamedVariableList: a client deletes data sets that clients have made (ISO 9506-2).

AD { [80 scope], [A1 { name ... }], [82 domain] }   ->   AD { 80 matched, 81 deleted }

A data set that a report control block refers to stays; the answer is then an error that says how many are gone.
"""

from typing import Final

from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.mms import names
from mms_server.mms.errors import ArgumentError, ServiceError, ServiceFailure
from mms_server.mms.names import ASSOCIATION_SPECIFIC, ObjectName
from mms_server.services.base import Context, Service
from mms_server.stack import ber

SPECIFIC: Final = 0
ASSOCIATION: Final = 1
DOMAIN: Final = 2
_NAMES_LIMIT: Final = 1024


def answer(context: Context, body: bytes) -> bytes | ServiceFailure:
    """The number of data sets that matched, and of those that were deleted."""
    scope, wanted, domain = _arguments(body)
    if scope == ASSOCIATION:
        wanted = [ObjectName(ASSOCIATION_SPECIFIC, None, name) for name in context.client.data_sets]
    elif scope == DOMAIN:
        if domain not in context.model.domains:
            return ServiceFailure(ServiceError.ACCESS_NON_EXISTENT)
        wanted = context.behaviour.sets.made_in(domain)
    elif scope != SPECIFIC:
        return ServiceFailure(ServiceError.ACCESS_UNSUPPORTED)
    elif not wanted:
        raise ArgumentError("no data set to delete")
    ends = [_deleted(context, name) for name in wanted]
    deleted = ends.count(None)
    if ServiceError.OBJECT_CONSTRAINT_CONFLICT in ends:
        return ServiceFailure(ServiceError.OBJECT_CONSTRAINT_CONFLICT, ber.tlv(0x86, ber.unsigned(deleted)))
    matched = len(ends) - ends.count(ServiceError.ACCESS_NON_EXISTENT)
    return ber.tlv(0xAD, ber.tlv(0x80, ber.unsigned(matched)) + ber.tlv(0x81, ber.unsigned(deleted)))


def _deleted(context: Context, name: ObjectName) -> ServiceError | None:
    """Delete one data set; the error, or None."""
    behaviour = context.behaviour
    error = behaviour.sets.delete(context.client, name, lambda found: any(one.uses(found) for one in behaviour.walked))
    context.track(ServiceName.DELETE_DATA_SET, name.reference, error)
    return error


def _arguments(body: bytes) -> tuple[int, list[ObjectName], bytes]:
    scope, wanted, domain = SPECIFIC, list[ObjectName](), b""
    position, end, last = 0, len(body), 0x7F
    while position < end:
        tag, start, after = ber.header(body, position, end)
        if tag & 0x1F <= last & 0x1F and last != 0x7F:
            raise ArgumentError(f"tag {tag:02x} behind {last:02x}")
        match tag:
            case 0x80:
                scope = ber.decode_unsigned(body, start, after)
            case 0xA1:
                wanted = _names(body, start, after)
            case 0x82:
                domain = body[start:after]
            case _:
                raise ArgumentError(f"tag {tag:02x}, expected a scope, names or a domain")
        position, last = after, tag
    return scope, wanted, domain


def _names(body: bytes, start: int, end: int) -> list[ObjectName]:
    found: list[ObjectName] = []
    while start < end:
        _, _, after = ber.header(body, start, end)
        found.append(names.decode(body, start, after))
        start = after
        if len(found) > _NAMES_LIMIT:
            raise ArgumentError(f"more than {_NAMES_LIMIT} names")
    return found


SERVICE: Final = Service("deleteNamedVariableList", 0xAD, 13, answer)
