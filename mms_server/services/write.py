"""Write: values for variables, one result each (ISO 9506-2, Write).

A5 { A0 { variables } | A1 { list name }, A0 { data ... } }   ->   A5 { 81 success | 80 error ... }

Items are taken in their order. What has no callback to ask is answered at once; the rest when all callbacks have said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mms_server.acsi.control import Operation, Refused, Selection
from mms_server.acsi.guards import Call, Deferred, Verdict, refusal
from mms_server.acsi.logs import Logs
from mms_server.acsi.reporting import Reporting
from mms_server.acsi.settings import Settings
from mms_server.acsi.writing import Pairs
from mms_server.mms import access
from mms_server.mms.access import Variable
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.mms.names import ObjectName
from mms_server.model import selection
from mms_server.model.tree import UNKNOWN, DataModel
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_SUCCESS: Final = b"\x81\x00"


@dataclass(frozen=True, slots=True)
class _Block:
    """An attribute of a report, log or setting group control block, and the Data for it."""

    slot: int
    tag: int
    contents: bytes
    calls: int = 0


@dataclass(frozen=True, slots=True)
class _Plain:
    """Leaves and their values, and how many of the calls decide on them."""

    pairs: Pairs
    calls: int = 0


@dataclass(frozen=True, slots=True)
class _Operate:
    """An operation that one call begins."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class _Select:
    """A selection on which one call decides."""

    selection: Selection


_Item = _Block | _Plain | _Operate | _Select | DataAccessError | None  # None: done already


def answer(context: Context, body: bytes) -> bytes | ServiceError | Deferred:
    """One result for each variable, in order."""
    end = len(body)
    tag, start, position = ber.header(body, 0, end)
    wanted = access.decode(body, 0, position)
    tag, start, after = ber.header(body, position, end)
    if tag != 0xA0 or after != end:
        raise ArgumentError(f"tag {tag:02x}, expected the list of data")
    targets = _targets(context, wanted)
    if isinstance(targets, ServiceError):
        return targets
    data = _spans(body, start, after)
    if len(data) != len(targets):
        raise ArgumentError(f"{len(data)} values for {len(targets)} variables")
    calls: list[Call] = []
    items = [
        _item(context, target, body, first, last, calls) for target, (first, last) in zip(targets, data, strict=True)
    ]
    if calls:
        return Deferred(calls, lambda verdicts: _carried_out(context, items, verdicts))
    return _carried_out(context, items, ())


def _targets(context: Context, wanted: Sequence[Variable] | ObjectName) -> list[int | DataAccessError] | ServiceError:
    if not isinstance(wanted, ObjectName):
        return [_target(context.model, variable) for variable in wanted]
    data_set = context.behaviour.sets.find(context.client, wanted)
    if data_set is None:
        return ServiceError.ACCESS_NON_EXISTENT
    if not context.model.server.services.set_data_set_value:
        return ServiceError.ACCESS_UNSUPPORTED
    return [member.slot for member in data_set.members]


def _target(model: DataModel, variable: Variable) -> int | DataAccessError:
    name = variable.name
    if name is None:
        return DataAccessError.OBJECT_ACCESS_UNSUPPORTED
    domain = None if name.domain is None else model.domains.get(name.domain)
    if domain is None:
        return DataAccessError.OBJECT_NON_EXISTENT
    if b"$" not in name.item:
        return DataAccessError.INVALID_ADDRESS
    slot = domain.slot(name.item)
    selected = None if slot == UNKNOWN else selection.select(model.cache.nodes, slot, variable.selections)
    if selected is None:
        return DataAccessError.OBJECT_NON_EXISTENT
    return selected if isinstance(selected, int) else DataAccessError.OBJECT_ACCESS_UNSUPPORTED


def _spans(octets: bytes, start: int, end: int) -> list[tuple[int, int]]:
    spans = []
    while start < end:
        _, _, after = ber.header(octets, start, end)
        spans.append((start, after))
        start = after
    return spans


def _item(
    context: Context, target: int | DataAccessError, body: bytes, start: int, end: int, calls: list[Call]
) -> _Item:
    if isinstance(target, DataAccessError):
        return target
    if _owner(context, target) is not None:
        tag, first, after = ber.header(body, start, end)
        contents = body[first:after]
        call = context.behaviour.settings.question(context.client, target, tag, contents)
        calls += [] if call is None else [call]
        return _Block(target, tag, contents, int(call is not None))
    if context.behaviour.control.find(target) is not None:
        return _control(context, target, body, start, end, calls)
    writing = context.behaviour.writing
    objection = context.behaviour.settings.objection(context.client, target, context.now) or writing.objection(target)
    if objection is not None:
        return objection
    pairs = writing.pairs(target, body, start, end)
    if isinstance(pairs, DataAccessError):
        return pairs
    before = len(calls)
    _ask(context, target, pairs, calls)
    return _Plain(pairs, len(calls) - before)


def _owner(context: Context, target: int) -> Reporting | Settings | Logs | None:
    """Whose control block `target` belongs to."""
    behaviour = context.behaviour
    if behaviour.reporting.owns(target):
        return behaviour.reporting
    if behaviour.settings.owns(target):
        return behaviour.settings
    return behaviour.logs if behaviour.logs.owns(target) else None


def _control(context: Context, target: int, body: bytes, start: int, end: int, calls: list[Call]) -> _Item:
    """SBOw, Oper or Cancel, as a whole."""
    behaviour = context.behaviour
    pairs = behaviour.writing.values(target, body, start, end)
    if isinstance(pairs, DataAccessError):
        return pairs
    answer = behaviour.control.asked(context.client, target, pairs, body[start:end], context.now)
    if isinstance(answer, Refused):
        return answer.error
    if isinstance(answer, Selection):
        assert behaviour.check is not None  # noqa: S101 - it would not wait otherwise
        calls.append(Call(behaviour.check, (answer,)))
        return _Select(answer)
    if answer is None:
        return None
    calls.append(Call(behaviour.execute, (answer,)))
    return _Operate(answer)


def _ask(context: Context, target: int, pairs: Pairs, calls: list[Call]) -> None:
    guards, model = context.behaviour.writing.guards, context.model
    if not guards.any:
        return
    values = dict(pairs)
    own = guards.of(target)
    asked = [] if own is None else [(target, own)]
    for slot, callback in [*asked, *guards.below(target)]:
        calls.append(Call(callback, (context.client, model.plain_reference(slot), model.value(slot, values))))


def _carried_out(context: Context, items: Sequence[_Item], verdicts: Sequence[Verdict]) -> bytes:
    """Do what may be done, front to back, and say of each how it went."""
    results: list[bytes] = []
    taken: Pairs = []
    at = 0
    for item in items:
        if item is None:
            results.append(_SUCCESS)
        elif isinstance(item, DataAccessError):
            results.append(item.result())
        elif isinstance(item, _Operate):
            verdict = verdicts[at]
            at += 1
            not_begun = context.behaviour.control.started(
                item.operation, verdict if isinstance(verdict, AddCause) else verdict is True, context.now
            )
            results.append(_SUCCESS if not_begun is None else not_begun.error.result())
        elif isinstance(item, _Select):
            verdict = verdicts[at]
            at += 1
            unselected = context.behaviour.control.selected(
                item.selection, verdict if isinstance(verdict, AddCause) else verdict is True, context.now
            )
            results.append(_SUCCESS if unselected is None else unselected.error.result())
        elif isinstance(item, _Block):
            said = [refusal(verdict) for verdict in verdicts[at : at + item.calls]]
            at += item.calls
            refused = next((one for one in said if one is not None), None) or _written(context, item)
            results.append(_SUCCESS if refused is None else refused.result())
        else:
            said = [refusal(verdict) for verdict in verdicts[at : at + item.calls]]
            at += item.calls
            no = next((one for one in said if one is not None), None)
            if no is None:
                taken += item.pairs
            results.append(_SUCCESS if no is None else no.result())
    if taken:
        context.commit(taken, context.now)
        context.behaviour.writing.written(taken)
    return ber.tlv(0xA5, b"".join(results))


def _written(context: Context, item: _Block) -> DataAccessError | None:
    owner = _owner(context, item.slot)
    assert owner is not None  # noqa: S101 - it was found before
    return owner.write(context.client, item.slot, item.tag, item.contents, context.now)


SERVICE: Final = Service("write", 0xA5, 5, answer)
