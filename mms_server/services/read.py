"""Read: the present values of variables (ISO 9506-2, Read).

    A4 { [80 specification with result], A1 { variables or the name of a list } }
      ->   A4 { [A0 { the same specification }], A1 { data or 80 error ... } }

Clients repeat their requests: one that was decoded before is answered from its compiled plan, which is the slots to join. The
plans are bounded, and dropped when a data set that all may read is deleted.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mms_server.acsi.access_callbacks import Call, Deferred, Verdict, hiding, refusal
from mms_server.acsi.control.selection import Selection
from mms_server.mms import access
from mms_server.mms.access import Variable
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.mms.names import ASSOCIATION_SPECIFIC, ObjectName
from mms_server.model import alternate_access
from mms_server.model.alternate_access import ResolvedAccess
from mms_server.model.read_plans import ReadPlan
from mms_server.model.tree import UNKNOWN, DataModel
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_Part = int | ResolvedAccess | bytes | Selection
_NON_EXISTENT: Final = DataAccessError.OBJECT_NON_EXISTENT.result()
_UNSUPPORTED: Final = DataAccessError.OBJECT_ACCESS_UNSUPPORTED.result()


def answer(context: Context, body: bytes) -> bytes | ServiceError | Deferred:
    """One result for each variable, in order."""
    model = context.model
    plan = model.plans.get(body)
    if plan is None:
        compiled = _compile(context, body)
        if isinstance(compiled, ServiceError):
            return compiled
        plan = compiled
        if plan.shared:
            model.plans.keep(body, plan)
    selects = not plan.shared and context.behaviour.control.selectors
    if selects or context.behaviour.permissions.reads.any:
        return _asked(context, plan, _selected(context, plan) if selects else (*plan.slots, *plan.parts))
    results = plan.results(model.cache, context.client.max_pdu)
    if results is None:
        return ServiceError.RESOURCE_OTHER
    return _element(plan, results)


def _element(plan: ReadPlan, results: bytes) -> bytes:
    return ber.tlv(0xA4, plan.specification + ber.tlv(0xA1, results))


def _compile(context: Context, body: bytes) -> ReadPlan | ServiceError:
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
        data_set = context.behaviour.sets.find(context.client, wanted)
        if data_set is None:
            return ServiceError.ACCESS_NON_EXISTENT
        return ReadPlan(specification, data_set.slots, shared=wanted.scope != ASSOCIATION_SPECIFIC)
    plan = _plan(context.model, specification, wanted)
    selectors = context.behaviour.control.selectors
    if selectors.isdisjoint(plan.slots) and not any(part in selectors for part in plan.parts if isinstance(part, int)):
        return plan
    return replace(plan, shared=False)


def _plan(model: DataModel, specification: bytes, variables: Sequence[Variable]) -> ReadPlan:
    parts = [_part(model, variable) for variable in variables]
    slots = tuple(part for part in parts if isinstance(part, int))
    return ReadPlan(specification, slots) if len(slots) == len(parts) else ReadPlan(specification, (), tuple(parts))


def _part(model: DataModel, variable: Variable) -> int | ResolvedAccess | bytes:
    if variable.name is None:
        return _UNSUPPORTED
    domain = variable.name.domain
    slot = UNKNOWN if domain is None else model.slot(domain, variable.name.item)
    selected = None if slot == UNKNOWN else alternate_access.select(model.cache.nodes, slot, variable.selections)
    return _NON_EXISTENT if selected is None else selected


def _selected(context: Context, plan: ReadPlan) -> tuple[_Part, ...]:
    """The parts of `plan`, with the selections in it: reading SBO selects (IEC 61850-8-1, Select)."""
    control = context.behaviour.control
    return tuple(
        control.select(context.client, part, context.now)
        if isinstance(part, int) and part in control.selectors
        else part
        for part in (*plan.slots, *plan.parts)
    )


def _asked(context: Context, plan: ReadPlan, parts: Sequence[_Part]) -> bytes | ServiceError | Deferred:
    """Ask the embedding program first. A refused part is an error by itself, and the file's default inside a structure."""
    model = context.model
    questions = [_questions(context, part) for part in parts]

    def finish(verdicts: Sequence[Verdict]) -> bytes | ServiceError:
        said = iter(verdicts)
        results = []
        for part, asked in zip(parts, questions, strict=True):
            if isinstance(part, Selection):
                results.append(_taken(context, part, next(said) if asked else True))
                continue
            refused = {slot: no for slot, _ in asked if (no := refusal(next(said))) is not None}
            seen = _seen(model, part, refused, context.client.max_pdu)
            if seen is None:
                return ServiceError.RESOURCE_OTHER
            results.append(seen)
        return _element(plan, b"".join(results))

    calls = [call for asked in questions for _, call in asked]
    return Deferred(calls, finish) if calls else finish(())


def _questions(context: Context, part: _Part) -> list[tuple[int, Call]]:
    """The callbacks of the embedding program that decide on a part, each with the slot that it is about."""
    model, callbacks = context.model, context.behaviour.permissions.reads
    if isinstance(part, Selection):
        question = context.behaviour.control.question(part)
        return [] if question is None else [(UNKNOWN, question)]
    if isinstance(part, bytes) or not callbacks.any:
        return []
    slot = part if isinstance(part, int) else part.slot
    own = callbacks.of(slot)
    found = [] if own is None else [(slot, own)]
    if isinstance(part, int):
        found += callbacks.below(slot)
    return [(one, Call(callback, (context.client, model.plain_reference(one)))) for one, callback in found]


def _taken(context: Context, selection: Selection, verdict: Verdict) -> bytes:
    control = context.behaviour.control
    refused = control.judged(selection, verdict, context.now)
    return control.sbo(selection.target if refused is None else None)


def _seen(
    model: DataModel, part: int | ResolvedAccess | bytes, refused: dict[int, DataAccessError], room: int
) -> bytes | None:
    if isinstance(part, bytes):
        return part
    slot = part if isinstance(part, int) else part.slot
    if slot in refused:
        return refused[slot].result()
    if refused and isinstance(part, int):
        return hiding(model, part, refused.keys())
    return alternate_access.octets(model.cache, part, room)


SERVICE: Final = Service("read", 0xA4, 4, answer)
