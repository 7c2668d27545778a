"""Path of one attribute, from its place in the SCL file to the register that feeds it (pure).

Each section is a word and what is to be said of it; what does not apply is left out.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from mapping.compile import Compiled
from mapping.diagnostics import Span
from mapping.plan import (
    Block,
    CommandBinding,
    DevicePlan,
    IedPlan,
    LinePlan,
    Obis,
    ObjectBinding,
    Own,
    Plan,
    PointPlan,
    Register,
    RegisterBlock,
    Reply,
    Source,
)
from mms_gateway.commissioning.explain.reference_lookup import Attribute

Section = tuple[str, str]
_SETTINGS: Final = ("host", "port", "baudrate", "data_bits", "parity", "stop_bits")


class AttributeBinding(NamedTuple):
    """Binding of an attribute: that of its data object and, where it is a value, the source of the value."""

    binding: ObjectBinding
    source: Source | None


class PointLocation(NamedTuple):
    """A point with the device and the line that it comes from."""

    point: PointPlan
    device: DevicePlan
    line: LinePlan


def explain(compiled: Compiled, attribute: Attribute) -> list[Section]:
    """All that is known of `attribute` without a running gateway."""
    sections = [*_model(attribute), *_held(attribute)]
    if compiled.plan is None:
        return [*sections, ("map", "not known while the site has errors: `mms-gateway check` shows them")]
    ied = compiled.plan.ied(attribute.mapped.ied)
    fed = attribute_binding(ied, attribute)
    if fed is None:
        sections += _unfed(ied, attribute)
    else:
        sections += [*_row(attribute), *_fed(compiled.plan, attribute, fed)]
    return [*sections, *_command(compiled.plan, ied, attribute)]


def attribute_binding(ied: IedPlan, attribute: Attribute) -> AttributeBinding | None:
    """Binding of `attribute`; None if nothing of the field feeds it."""
    for binding in ied.objects:
        for source in binding.sources:
            if attribute.item in (*source.targets, *source.held):
                return AttributeBinding(binding, source)
        if attribute.item in (binding.q, binding.t):
            return AttributeBinding(binding, None)
    return None


def point_location(plan: Plan, number: int) -> PointLocation | None:
    """The point `number` with its device and line."""
    for worker in plan.workers:
        for line in worker.lines:
            for device in line.devices:
                for point in device.points:
                    if point.number == number:
                        return PointLocation(point, device, line)
    return None


# ---------------------------------------------------------------------- the model


def _model(attribute: Attribute) -> Iterator[Section]:
    file = attribute.mapped.scl
    triggers = [name for name in ("dchg", "qchg", "dupd") if getattr(attribute.type, name)]
    yield "MMS", attribute.item
    yield "type", f"{attribute.type.basic.value}, FC {attribute.fc.value}{''.join(f', {one}' for one in triggers)}"
    yield "declared", f"{file}:{attribute.type.line or attribute.object.type.line}"
    cdc = attribute.object.type
    yield "object", f"{attribute.object.reference}, CDC {cdc.cdc}, type {cdc.type_id}, {file}:{cdc.line}"
    yield "node", f"{attribute.ld.inst}/{attribute.ln.name}, {attribute.ln.ln_class}, {file}:{attribute.ln.line}"


def _held(attribute: Attribute) -> Iterator[Section]:
    """The data sets that hold it, and the control blocks that report or log those."""
    domain, _, item = attribute.item.partition("/")
    for ld, ln in attribute.mapped.server.nodes():
        for data_set in ln.data_sets:
            places = [
                place
                for place, member in enumerate(data_set.members)
                if member.domain == domain and f"{item}$".startswith(f"{member.item}$")
            ]
            if not places:
                continue
            yield "data set", f"{ld.inst}/{ln.name}.{data_set.name}, member {places[0]} of {len(data_set.members)}"
            for report in ln.reports:
                if report.data_set == data_set.name:
                    kind = "BRCB" if report.buffered else "URCB"
                    names = report.instance_names()
                    shown = names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"
                    yield "report", f"{kind} {ld.inst}/{ln.name}.{shown}, {attribute.mapped.scl}:{report.line}"
            for log in ln.logs:
                if log.data_set == data_set.name:
                    yield "log", f"{ld.inst}/{ln.name}.{log.name} into {log.log_domain}/{log.log_name}"


# ---------------------------------------------------------------------- the map and the field


def at(span: Span) -> str:
    """A place as editors understand it."""
    return f"{span.file}:{span.line}"


def _row(attribute: Attribute) -> Iterator[Section]:
    for reference in (attribute.reference, attribute.object.reference):
        if reference in attribute.mapped.rows:
            key, span = attribute.mapped.rows[reference]
            yield "row", f"`{key}`, {at(span)}"
            return


def _unfed(ied: IedPlan, attribute: Attribute) -> Iterator[Section]:
    preset = next((one for one in ied.presets if one.target == attribute.item), None)
    if preset is not None:
        yield from _row(attribute)
        yield "value", f"{preset.value!r}, given by the map"
        return
    if attribute.item in ied.unfed:
        yield "fed by", "nothing: process data without a row, invalid for ever"
    else:
        yield "fed by", "nothing of the field: the server's own, or the value that the file gives it"


def _fed(plan: Plan, attribute: Attribute, fed: AttributeBinding) -> Iterator[Section]:
    sources = fed.binding.sources if fed.source is None else (fed.source,)
    for source in sources:
        found = point_location(plan, source.point)
        if found is not None:
            yield from _point(found)
            if fed.source is not None:
                yield "value", _conversion(found.point, source)
                if source.deadband is not None and attribute.item in source.held:
                    unit = "%" if source.deadband.percent else "in the object's unit"
                    yield "deadband", f"{source.deadband.value:g} {unit}"
    yield "quality", _quality(fed)


def _point(found: PointLocation) -> Iterator[Section]:
    point, device, line = found
    profile = f", profile {device.profile}" if device.profile else ""
    yield "point", f"{point.name}{f' in {point.unit}' if point.unit else ''}"
    yield "device", f"{device.name}, unit {device.unit}{profile}"
    settings = " ".join(str(line.settings[key]) for key in _SETTINGS if key in line.settings)
    yield "line", f"{line.name}: {line.protocol} {settings}"
    yield "read from", register_text(point)
    block = next((one for one in device.blocks if point.number in one.points), None)
    if isinstance(block, RegisterBlock):
        last = block.address + block.count - 1
        yield (
            "request",
            f"{block.table} {block.address}..{last}, {_count(block)}, every {block.every_ms} ms",
        )
    elif block is not None:
        yield "request", f"{block.request!r}, {_count(block)}, every {block.every_ms} ms"
    absent = f"; {', '.join(map(str, point.absent))} means no measurement" if point.absent else ""
    tries = f"time-out {device.polling.timeout_ms} ms, {device.polling.retries} retries"
    yield (
        "timing",
        f"{tries}, stale after {point.stale_after_ms} ms{absent}",
    )


def _count(block: Block) -> str:
    return "1 point" if len(block.points) == 1 else f"{len(block.points)} points"


def register_text(point: PointPlan) -> str:
    """Where a point comes from, as the map's engineer would write it."""
    source = point.source
    if isinstance(source, Register):
        return register_words(source)
    if isinstance(source, Reply):
        return f"{source.request!r}, `{source.group}` of `{source.pattern}`"
    if isinstance(source, Obis):
        return f"{source.code} of the readout"
    return "the gateway itself" if isinstance(source, Own) else f"computed: {source.text}"


def register_words(register: Register) -> str:
    """`TABLE ADDRESS TYPE [ORDER]`."""
    kind: str = register.type
    if kind in ("string", "mod10"):
        kind = f"{kind}:{register.count}"
    elif kind == "bit":
        kind = f"bit:{register.low_bit}"
    elif kind == "bits":
        kind = f"bits:{register.low_bit}-{register.high_bit}"
    order = "" if register.order == "abcd" else f" {register.order}"
    return f"{register.table} {register.address} {kind}{order}"


def _conversion(point: PointPlan, source: Source) -> str:
    if source.values:
        return ", ".join(f"{_word(given)} becomes {_word(becomes)}" for given, becomes in source.values)
    unit = f" {point.unit}" if point.unit else ""
    factor = "raw" if point.scale_from is None else "raw scaled by another register"
    read = _linear(factor, point.scale, point.offset) or f"{factor} as it is"
    becomes = _linear("that", source.scale, source.offset)
    return f"{read}{unit}{f', {becomes} in the model' if becomes else ''}"


def _linear(what: str, scale: float, offset: float) -> str:
    if (scale, offset) == (1, 0):
        return ""
    added = f" + {offset:g}" if offset > 0 else f" - {-offset:g}" if offset < 0 else ""
    return f"{what} * {scale:g}{added}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quality(fed: AttributeBinding) -> str:
    parts = [f"q {fed.binding.q}" if fed.binding.q else "no q", f"t {fed.binding.t}" if fed.binding.t else "no t"]
    many = f", the worst of {len(fed.binding.sources)} points" if len(fed.binding.sources) > 1 else ""
    return f"{parts[0]}{many}; {parts[1]}; no answer: invalid (failure, oldData), refused: invalid (failure)"


# ---------------------------------------------------------------------- and back


def _command(plan: Plan, ied: IedPlan, attribute: Attribute) -> Iterator[Section]:
    binding = next((one for one in ied.commands if one.reference == attribute.object.reference), None)
    if binding is None:
        return
    found = point_location(plan, binding.point)
    written = None if found is None else found.point.write
    if found is not None and written is not None:
        yield "command", f"writes {found.point.name}, {register_words(written)} on line {found.line.name}"
    yield "proof", _proof(plan, binding, found)
    limits = [f"at least {binding.minimum:g}"] if binding.minimum is not None else []
    limits += [f"at most {binding.maximum:g}"] if binding.maximum is not None else []
    limits += [f"only if {binding.allow_if}"] if binding.allow_if else []
    if limits:
        yield "allowed", ", ".join(limits)


def _proof(plan: Plan, binding: CommandBinding, written: PointLocation | None) -> str:
    within = f"within {binding.timeout_ms} ms"
    if binding.proof is not None:
        found = point_location(plan, binding.proof.point)
        return f"{found.point.name if found else 'a point'} shows it within {binding.proof.timeout_ms} ms, all {within}"
    readable = written is not None and written.point.readable
    return f"read back {within}" if readable else f"none but the device's confirmation, {within}"
