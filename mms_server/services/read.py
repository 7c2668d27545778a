"""Read: what variables are worth now (ISO 9506-2, Read).

    A4 { [80 specification with result], A1 { variables or the name of a list } }
      ->   A4 { [A0 { the same specification }], A1 { data or 80 error ... } }

Clients repeat themselves: a request seen before is answered from its compiled plan, which is the slots to join. The
plans are bounded, and dropped when data sets change.
"""

from collections.abc import Sequence
from typing import Final

from mms_server.mms import access
from mms_server.mms.access import Variable
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.mms.names import ObjectName
from mms_server.model import selection
from mms_server.model.plans import ReadPlan
from mms_server.model.selection import Selected
from mms_server.model.tree import UNKNOWN, DataModel
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_NON_EXISTENT: Final = DataAccessError.OBJECT_NON_EXISTENT.result()
_UNSUPPORTED: Final = DataAccessError.OBJECT_ACCESS_UNSUPPORTED.result()


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """One result for each variable, in order."""
    model = context.model
    plan = model.plans.get(body)
    if plan is None:
        compiled = _compile(model, body)
        if isinstance(compiled, ServiceError):
            return compiled
        plan = compiled
        model.plans.keep(body, plan)
    results = plan.results(model.cache, context.client.max_pdu)
    if results is None:
        return ServiceError.RESOURCE_OTHER
    return ber.tlv(0xA4, plan.specification + ber.tlv(0xA1, results))


def _compile(model: DataModel, body: bytes) -> ReadPlan | ServiceError:
    end = len(body)
    tag, start, position = ber.header(body, 0, end)
    repeat = False
    if tag == 0x80:
        repeat = position > start and body[start] != 0
        tag, start, position = ber.header(body, position, end)
    if tag != 0xA1 or position != end:
        raise ArgumentError("no variable access specification")
    wanted = access.decode(body, start, end)
    specification = ber.tlv(0xA0, body[start:end]) if repeat else b""
    if isinstance(wanted, ObjectName):
        data_set = model.data_set(wanted)
        if data_set is None:
            return ServiceError.ACCESS_NON_EXISTENT
        return ReadPlan(specification, tuple(member.slot for member in data_set.members))
    return _plan(model, specification, wanted)


def _plan(model: DataModel, specification: bytes, variables: Sequence[Variable]) -> ReadPlan:
    parts = [_part(model, variable) for variable in variables]
    slots = tuple(part for part in parts if isinstance(part, int))
    return ReadPlan(specification, slots) if len(slots) == len(parts) else ReadPlan(specification, (), tuple(parts))


def _part(model: DataModel, variable: Variable) -> int | Selected | bytes:
    if variable.name is None:
        return _UNSUPPORTED
    domain = variable.name.domain
    slot = UNKNOWN if domain is None else model.slot(domain, variable.name.item)
    selected = None if slot == UNKNOWN else selection.select(model.cache.nodes, slot, variable.selections)
    return _NON_EXISTENT if selected is None else selected


SERVICE: Final = Service("read", 0xA4, 4, answer)
