"""Write: values for variables, one result each (ISO 9506-2, Write).

A5 { A0 { variables } | A1 { list name }, A0 { data ... } }   ->   A5 { 81 success | 80 error ... }

Items are taken in their order. An item without a callback is answered at once, the rest when all callbacks have given
their verdicts. For service tracking each item is a service of its own; a Write of a list is one, SetDataSetValues.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mms_server.acsi.access_callbacks import Call, Deferred, Verdict, refusal
from mms_server.acsi.control.selection import ControlRefusal, Operation, Selection
from mms_server.acsi.set_data_values import LeafValues
from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.mms import access
from mms_server.mms.access import Variable
from mms_server.mms.data import Scalar
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.mms.names import ObjectName
from mms_server.model import alternate_access
from mms_server.model.tree import UNKNOWN, DataModel
from mms_server.services.base import Context, Service
from mms_server.stack import ber

_SUCCESS: Final = b"\x81\x00"
_INSIDE: Final = frozenset({0xA1, 0xA2})  # Data that consist of Data


@dataclass(frozen=True, slots=True)
class _Block:
    """An attribute of a control block, and the Data for it."""

    slot: int
    tag: int
    contents: bytes
    calls: int = 0
    refused: DataAccessError | None = None  # before anything was asked


@dataclass(frozen=True, slots=True)
class _Plain:
    """Leaves and their values, and the number of calls that decide on them."""

    pairs: LeafValues
    calls: int = 0


@dataclass(frozen=True, slots=True)
class _Command:
    """A selection or an operation, and the number of calls (0 or 1) that decide on it."""

    asked: Selection | Operation
    calls: int


_Item = _Block | _Plain | _Command | DataAccessError | None  # None: done already


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
        assert isinstance(wanted, ObjectName)  # noqa: S101 - only a list as a whole is refused so
        context.track(ServiceName.SET_DATA_SET_VALUES, wanted.reference, targets)
        return targets
    data = ber.elements(body, start, after, _INSIDE)  # whole before any of it is done: a command begun has an end
    if len(data) != len(targets):
        raise ArgumentError(f"{len(data)} values for {len(targets)} variables")
    calls: list[Call] = []
    items: list[_Item] = []
    written: dict[int, Scalar] = {}  # by what stands before in the list
    for target, (first, last) in zip(targets, data, strict=True):
        item = _item(context, target, body, first, last, calls, written)
        items.append(item)
        if isinstance(item, _Plain):
            written.update(item.pairs)

    def finish(verdicts: Sequence[Verdict]) -> bytes:
        results = _carried_out(context, items, verdicts)
        if context.behaviour.tracking is not None:
            _track(context, wanted, targets, results)
        return ber.tlv(0xA5, b"".join(_SUCCESS if error is None else error.result() for error in results))

    return Deferred(calls, finish) if calls else finish(())


def _targets(context: Context, wanted: Sequence[Variable] | ObjectName) -> list[int | DataAccessError] | ServiceError:
    if not isinstance(wanted, ObjectName):
        return [_target(context.model, variable) for variable in wanted]
    data_set = context.behaviour.sets.find(context.client, wanted)
    if data_set is None:
        return ServiceError.ACCESS_NON_EXISTENT
    if not context.model.server.services.set_data_set_value:
        return ServiceError.ACCESS_UNSUPPORTED
    return [*data_set.slots]


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
    selected = None if slot == UNKNOWN else alternate_access.select(model.cache.nodes, slot, variable.selections)
    if selected is None:
        return DataAccessError.OBJECT_NON_EXISTENT
    return selected if isinstance(selected, int) else DataAccessError.OBJECT_ACCESS_UNSUPPORTED


def _item(
    context: Context,
    target: int | DataAccessError,
    body: bytes,
    start: int,
    end: int,
    calls: list[Call],
    written: Mapping[int, Scalar],
) -> _Item:
    if isinstance(target, DataAccessError):
        return target
    if context.behaviour.owner(target) is not None:
        tag, first, after = ber.header(body, start, end)
        contents = body[first:after]
        question = context.behaviour.setting_groups.question(context.client, target, tag, contents, written)
        if isinstance(question, DataAccessError):
            return _Block(target, tag, contents, refused=question)
        calls += [] if question is None else [question]
        return _Block(target, tag, contents, int(question is not None))
    if context.behaviour.control.find(target) is not None:
        return _control(context, target, body, start, end, calls)
    data_values = context.behaviour.set_data_values
    objection = context.behaviour.setting_groups.objection(
        context.client, target, context.now
    ) or data_values.objection(target)
    if objection is not None:
        return objection
    pairs = data_values.pairs(target, body, start, end)
    if isinstance(pairs, DataAccessError):
        return pairs
    before = len(calls)
    _ask(context, target, pairs, calls)
    return _Plain(pairs, len(calls) - before)


def _control(context: Context, target: int, body: bytes, start: int, end: int, calls: list[Call]) -> _Item:
    """SBOw, Oper or Cancel, as a whole."""
    behaviour = context.behaviour
    pairs = behaviour.set_data_values.values(target, body, start, end, behaviour.control.origins)
    if isinstance(pairs, DataAccessError):
        behaviour.control.write_undecoded(context.client, target, pairs, context.now)
        return pairs
    answer = behaviour.control.write(context.client, target, pairs, body[start:end], context.now)
    if isinstance(answer, ControlRefusal):
        return answer.error
    if answer is None:
        return None
    question = behaviour.control.question(answer)
    calls += [] if question is None else [question]
    return _Command(answer, int(question is not None))


def _ask(context: Context, target: int, pairs: LeafValues, calls: list[Call]) -> None:
    """Add the calls that decide on a Write: the callbacks, then the process for settings in registers."""
    callbacks, process, model = context.behaviour.permissions.writes, context.behaviour.process, context.model
    if callbacks.any:
        values = dict(pairs)
        own = callbacks.of(target)
        asked = [] if own is None else [(target, own)]
        for slot, callback in [*asked, *callbacks.below(target)]:
            calls.append(Call(callback, (context.client, model.plain_reference(slot), model.value(slot, values))))
    held = [(slot, value, model.cache.values[slot]) for slot, value in pairs if process.holds(slot)]
    if held:
        calls.append(Call(process.write_settings, (held,)))


def _carried_out(context: Context, items: Sequence[_Item], verdicts: Sequence[Verdict]) -> list[DataAccessError | None]:
    """Carry the permitted items out, in order; the error, or None, of each."""
    results: list[DataAccessError | None] = []
    taken: LeafValues = []
    at = 0
    for item in items:
        if item is None or isinstance(item, DataAccessError):
            results.append(item)
        elif isinstance(item, _Command):
            verdict = verdicts[at] if item.calls else True
            at += item.calls
            refused = context.behaviour.control.judged(item.asked, verdict, context.now)
            results.append(None if refused is None else refused.error)
        elif isinstance(item, _Block):
            said = [refusal(verdict) for verdict in verdicts[at : at + item.calls]]
            at += item.calls
            _commit(context, taken)  # a setting that is written before its CnfEdit is confirmed with it
            results.append(_written(context, item, next((one for one in said if one is not None), item.refused)))
        else:
            said = [refusal(verdict) for verdict in verdicts[at : at + item.calls]]
            at += item.calls
            no = next((one for one in said if one is not None), None)
            if no is None:
                taken += item.pairs
            results.append(no)
    _commit(context, taken)
    return results


def _commit(context: Context, taken: LeafValues) -> None:
    """Commit the values in `taken`, and clear it."""
    if taken:
        context.commit(list(taken), context.now)
        context.behaviour.set_data_values.written(taken)
        taken.clear()


def _written(context: Context, item: _Block, refused: DataAccessError | None) -> DataAccessError | None:
    """Write to a control block, unless that is `refused` already; the error, or None."""
    owner = context.behaviour.owner(item.slot)
    assert owner is not None  # noqa: S101 - it was found before
    if item.calls:
        context.behaviour.setting_groups.settled(item.slot, context.now)
    if refused is None:
        refused = owner.write(context.client, item.slot, item.tag, item.contents, context.now)
    if context.behaviour.tracking is not None:
        context.behaviour.tracking.block(context.client, item.slot, item.tag, item.contents, refused, context.now)
    return refused


def _track(
    context: Context,
    wanted: Sequence[Variable] | ObjectName,
    targets: Sequence[int | DataAccessError],
    results: Sequence[DataAccessError | None],
) -> None:
    """Track writes to data; control blocks and controls track their own."""
    if isinstance(wanted, ObjectName):
        failed = next((error for error in results if error is not None), None)
        context.track(ServiceName.SET_DATA_SET_VALUES, wanted.reference, failed)
        return
    behaviour = context.behaviour
    for variable, target, error in zip(wanted, targets, results, strict=True):
        service = ServiceName.SET_DATA_VALUES
        if isinstance(target, int):
            if behaviour.owner(target) is not None or behaviour.control.find(target) is not None:
                continue
            if behaviour.setting_groups.grouped(target):
                service = ServiceName.SET_EDIT_SG_VALUE
        if variable.name is not None:
            context.track(service, variable.name.reference, error)


SERVICE: Final = Service("write", 0xA5, 5, answer)
