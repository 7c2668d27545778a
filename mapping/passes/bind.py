"""Passes 3 and 4: can the attribute carry the point, and in which unit? Targets become bindings of the plan."""

import math
from dataclasses import dataclass
from typing import Final

from bus.messages import Value
from mapping import units
from mapping.diagnostics import Span, did_you_mean
from mapping.model import AttributeType, BasicType, Scalar
from mapping.passes.draft import Draft, DraftIed, DraftPoint, Target
from mapping.passes.objects import CONTROLLABLE, DataObject, Leaf
from mapping.plan import CommandBinding, Deadband, ObjectBinding, Own, Preset, Reply, Source
from mapping.schema import Command
from mapping.units import Unit
from mapping.validated import nearest

_FLOATS: Final = (BasicType.FLOAT32, BasicType.FLOAT64)
_INTEGERS: Final = (
    BasicType.INT8, BasicType.INT16, BasicType.INT24, BasicType.INT32, BasicType.INT64, BasicType.INT128,
    BasicType.INT8U, BasicType.INT16U, BasicType.INT24U, BasicType.INT32U,
)  # fmt: skip
_CODED: Final = {
    BasicType.DBPOS: {"intermediate": 0, "intermediate-state": 0, "off": 1, "on": 2, "bad": 3, "bad-state": 3},
    BasicType.TCMD: {"stop": 0, "lower": 1, "higher": 2},
}  # fmt: skip
_STRINGS: Final = (
    BasicType.VIS_STRING_32, BasicType.VIS_STRING_64, BasicType.VIS_STRING_65, BasicType.VIS_STRING_129,
    BasicType.VIS_STRING_255, BasicType.UNICODE_255,
)  # fmt: skip
_BCR_UNITS: Final = {"Wh": "Wh", "VArh": "VArh", "VAh": "VAh"}
HEALTH_OK: Final = 1
HEALTH_ALARM: Final = 3
DEFAULT_COMMAND_MS: Final = 2000


def bind_targets(draft: Draft) -> None:
    """Fill objects, presets and commands of every IED from its targets."""
    for ied in draft.ieds:
        by_object: dict[str, list[Target]] = {}
        for target in ied.targets:
            by_object.setdefault(target.object.reference, []).append(target)
        for targets in by_object.values():
            _Binder(draft, ied, targets).bind()


@dataclass(slots=True)
class _Conversion:
    """target = point * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0

    def times(self, factor: float) -> "_Conversion":
        return _Conversion(self.scale * factor, self.offset * factor)


class _Binder:
    """Binds one data object: by one row for the whole of it, or by rows for single attributes."""

    def __init__(self, draft: Draft, ied: DraftIed, targets: list[Target]) -> None:
        self._draft = draft
        self._ied = ied
        self._targets = targets

    def bind(self) -> None:
        sources: list[Source] = []
        anchor: Leaf | None = None
        for target in self._targets:
            leaves = [target.leaf] if target.leaf else target.object.value_leaves()
            if not leaves:
                cdc = target.object.type.cdc
                self._error(
                    "no-value", target, f"`{target.object.reference}` ({cdc}) has no value that a point can feed", cdc
                )
                continue
            anchor = anchor or leaves[0]
            if target.row.constant is not None:
                self._constant(target, leaves)
            elif target.point is not None:
                source = self._source(target, target.point, leaves)
                if source is not None:
                    sources.append(source)
                    self._draft.used.add(target.point.plan.number)
            if target.row.command is not None:
                self._command(target, target.row.command, leaves[0])
        if sources and anchor is not None:
            self._object(self._targets[0].object, anchor, sources)

    def _object(self, thing: DataObject, anchor: Leaf, sources: list[Source]) -> None:
        place = (thing.ld.name, thing.ln.name)
        q, t = thing.companion("q", anchor.fc), thing.companion("t", anchor.fc)
        self._ied.objects.append(
            ObjectBinding(
                thing.reference,
                None if q is None else q.target(*place),
                None if t is None else t.target(*place),
                tuple(sources),
            )
        )

    # ------------------------------------------------------------------ values

    def _source(self, target: Target, point: DraftPoint, leaves: list[Leaf]) -> Source | None:
        leaf = leaves[0]
        place = (target.object.ld.name, target.object.ln.name)
        values = self._values(target, point, leaf)
        conversion = self._conversion(target, point, leaf) if values == () else _Conversion()
        if values is None or conversion is None:
            return None
        deadband = self._deadband(target, point, conversion)
        own = leaf.target(*place)
        beside = tuple(one.target(*place) for one in leaves[1:])
        held = deadband is not None
        return Source(
            point=point.plan.number,
            targets=beside if held else (own, *beside),
            held=(own,) if held else (),
            scale=conversion.scale,
            offset=conversion.offset,
            values=values,
            deadband=deadband,
        )

    def _values(self, target: Target, point: DraftPoint, leaf: Leaf) -> tuple[tuple[Value, Value], ...] | None:
        """What each point value becomes; () if numbers are converted, None, and said, if the leaf cannot carry the point."""
        kind, basic = _kind(point), leaf.attribute.basic
        if target.row.values:
            return self._mapped(target, kind, leaf)
        if kind == "bool" and target.object.path[0] == "PhyHealth":
            return ((True, HEALTH_OK), (False, HEALTH_ALARM))
        if kind == "bool" and basic is BasicType.DBPOS:
            return ((False, 1), (True, 2))
        numeric = basic in _FLOATS or basic in _INTEGERS or basic in (BasicType.ENUM, *_CODED)
        fits = {
            "bool": basic in (BasicType.BOOLEAN, *_INTEGERS),
            "number": numeric,
            "text": basic in _STRINGS or (numeric and isinstance(point.plan.source, Reply)),
        }[kind]
        if fits:
            return ()
        needs = " without `values:`" if basic in (BasicType.BOOLEAN, BasicType.ENUM, *_CODED) else ""
        message = (
            f"`{point.plan.name}` is a {kind}, which `{target.object.reference}` ({basic.value}) cannot carry{needs}"
        )
        self._error("type-mismatch", target, message, point.plan.name)
        return None

    def _mapped(self, target: Target, kind: str, leaf: Leaf) -> tuple[tuple[Value, Value], ...] | None:
        rows: list[tuple[Value, Value]] = []
        for key, given in target.row.values.items():
            place = self._ied.map_file.at("points", target.key, "values", key)
            value = leaf_value(leaf.attribute, given)
            if value is None:
                known = (
                    list(leaf.attribute.enum.ordinals)
                    if leaf.attribute.enum
                    else list(_CODED.get(leaf.attribute.basic, {}))
                )
                hint = did_you_mean(nearest(str(given), known) or known[:3])
                message = f"`{given}` is no value of `{target.object.reference}` ({leaf.attribute.basic.value})"
                self._draft.found.error("bad-value", place, message, hint=hint)
                return None
            rows.append((_point_value(kind, key), value))
        return tuple(rows)

    def _constant(self, target: Target, leaves: list[Leaf]) -> None:
        given = target.row.constant
        assert given is not None  # noqa: S101 - asked by the caller
        for leaf in leaves:
            value = leaf_value(leaf.attribute, given)
            if value is None:
                basic = leaf.attribute.basic.value
                self._error(
                    "bad-value", target, f"`{given}` is no value of `{target.object.reference}` ({basic})", str(given)
                )
                return
            place = (target.object.ld.name, target.object.ln.name)
            self._ied.presets.append(Preset(leaf.target(*place), value))

    # ------------------------------------------------------------------ units

    def _conversion(self, target: Target, point: DraftPoint, leaf: Leaf) -> _Conversion | None:
        if _kind(point) == "bool" or leaf.attribute.basic in _STRINGS:
            return _Conversion()
        own = units.parse(point.plan.unit)
        if own is None:
            hint = did_you_mean(nearest(point.plan.unit, units.known()))
            self._error(
                "unknown-unit", target, f"`{point.plan.name}` has the unknown unit `{point.plan.unit}`", "", hint
            )
            return None
        conversion = self._to_object(target, point, own) if target.leaf is None else _Conversion()
        if conversion is None:
            return None
        conversion = conversion.times(float(target.row.scale) * (-1.0 if target.negate else 1.0))
        pulses = target.object.configured("pulsQty") if target.object.type.cdc == "BCR" else None
        return conversion.times(1 / float(pulses)) if isinstance(pulses, int | float) and pulses else conversion

    def _to_object(self, target: Target, point: DraftPoint, own: Unit) -> _Conversion | None:
        thing = target.object
        si_unit = thing.configured("units.SIUnit")
        multiplier = thing.configured("units.multiplier")
        power = int(multiplier) if isinstance(multiplier, int) else 0
        if not isinstance(si_unit, int):
            self._preset_unit(thing, own)
            return _Conversion(own.factor / 10.0**power)
        if not point.plan.unit:
            return _Conversion()
        wanted = units.of_ordinals(si_unit, power)
        converted = None if wanted is None else units.conversion(own, wanted)
        if converted is None:
            there = (
                f"10^{power} {wanted.symbol or 'none'}"
                if wanted and power
                else (wanted.symbol or "none" if wanted else str(si_unit))
            )
            message = f"`{point.plan.name}` is in {point.plan.unit}, `{thing.reference}` in {there}"
            self._error("unit-mismatch", target, message, point.plan.name)
            return None
        return _Conversion(*converted)

    def _preset_unit(self, thing: DataObject, own: Unit) -> None:
        leaf = thing.leaf("units.SIUnit")
        ordinal = own.ordinal
        enum = leaf.attribute.enum if leaf else None
        if leaf is not None and ordinal is not None and (enum is None or ordinal in enum.ordinals.values()):
            self._ied.presets.append(Preset(leaf.target(thing.ld.name, thing.ln.name), ordinal))

    def _deadband(self, target: Target, point: DraftPoint, conversion: _Conversion) -> Deadband | None:
        text = target.row.deadband
        if text is None:
            return None
        place = self._ied.map_file.at("points", target.key, "deadband")
        number, _, unit_text = text.strip().partition(" ")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not value > 0 or math.isinf(value):
            self._draft.found.error("bad-value", place, f"`{text}` is no deadband, expected one as `50 W` or `0.5 %`")
            return None
        if unit_text.strip() == "%" and point.plan.unit != "%":
            return Deadband(value, percent=True)
        unit, own = units.parse(unit_text), units.parse(point.plan.unit)
        converted = None if unit is None or own is None else units.conversion(unit, own)
        if unit_text and converted is None:
            self._draft.found.error(
                "unit-mismatch",
                place,
                f"`{unit_text}` does not measure what `{point.plan.name}` does ({point.plan.unit or 'no unit'})",
            )
            return None
        return Deadband(value * (converted[0] if unit_text and converted else 1.0) * abs(conversion.scale))

    # ------------------------------------------------------------------ commands

    def _command(self, target: Target, command: Command, leaf: Leaf) -> None:
        thing = target.object
        if thing.type.cdc not in CONTROLLABLE or thing.leaf("Oper.ctlVal") is None:
            place = self._ied.map_file.key_at("points", target.key, "command")
            message = f"`{thing.reference}` ({thing.type.cdc}) takes no commands"
            self._draft.found.error("no-control", place, message)
            return
        to = self._command_point(target, command.to, "to", writable=True)
        proof = self._command_point(target, command.proof, "proof", writable=False) if command.proof else None
        off = self._command_point(target, command.off, "off", writable=True) if command.off else None
        if to is None or (command.proof and proof is None) or (command.off and off is None):
            return
        device = self._draft.devices[to.plan.name.partition(".")[0]]
        worst = 2 * device.timeout_ms * (1 + device.retries)
        conversion = self._conversion(target, to, leaf) or _Conversion()
        self._ied.commands.append(
            CommandBinding(
                reference=thing.reference,
                point=to.plan.number,
                timeout_ms=command.timeout or device.command_timeout_ms or max(DEFAULT_COMMAND_MS, worst),
                proof=None if proof is None else proof.plan.number,
                scale=1 / conversion.scale if conversion.scale else 1.0,
                offset=-conversion.offset / conversion.scale if conversion.scale else 0.0,
                values=tuple((there, here) for here, there in self._values(target, to, leaf) or ()),
                pulse_ms=command.pulse,
                off_point=None if off is None else off.plan.number,
                minimum=command.min,
                maximum=command.max,
                allow_if=command.allow_if,
            )
        )
        self._draft.used.update(one.plan.number for one in (to, proof) if one is not None and _readable(one))

    def _command_point(self, target: Target, text: str, key: str, *, writable: bool) -> DraftPoint | None:
        located = self._ied.map_file
        given = located.data["points"][target.key]["command"]
        place = located.at("points", target.key, "command", *((key,) if isinstance(given, dict) else ()))
        device_name, _, name = text.partition(".")
        device = self._draft.devices.get(device_name)
        point = None if device is None else device.points.get(name)
        if point is None:
            known = [f"{one}.{inner}" for one, there in self._draft.devices.items() for inner in there.points]
            self._draft.found.error(
                "unknown-point", place, f"no point `{text}`", hint=did_you_mean(nearest(text, known))
            )
            return None
        if writable and point.writable is None:
            self._draft.found.error("not-writable", place, f"`{text}` has no `write:` register")
            return None
        return point

    # ------------------------------------------------------------------ saying it

    def _error(self, code: str, target: Target, message: str, word: str, hint: str | None = None) -> None:
        located = self._ied.map_file
        place = located.at("points", target.key)
        if place.line != located.key_at("points", target.key).line or not word:
            place = located.key_at("points", target.key)
        self._draft.found.error(code, _narrow(place, located.data["points"][target.key], word), message, hint=hint)


def _narrow(place: Span, given: object, word: str) -> Span:
    text = given if isinstance(given, str) else ""
    at = text.find(word) if word else -1
    return (
        Span(place.file, place.line, place.column + at, len(word)) if at >= 0 and place.length >= len(text) else place
    )


def _readable(point: DraftPoint) -> bool:
    return not isinstance(point.plan.source, Own)


def _kind(point: DraftPoint) -> str:
    source = point.plan.source
    if isinstance(source, Own):
        return "bool" if source.name == "online" else "text"
    if isinstance(source, Reply):
        return "text" if point.plan.unit == "" else "number"
    return {"bool": "bool", "bit": "bool", "string": "text"}.get(source.type, "number")


def _point_value(kind: str, key: str) -> Value:
    if key in ("true", "false"):
        return key == "true"
    try:
        return float(key) if kind == "number" and not key.lstrip("-").isdecimal() else int(key)
    except ValueError:
        return key


def leaf_value(attribute: AttributeType, given: Scalar) -> Value:
    """`given`, a name or a value, as `attribute` holds it; None if it cannot."""
    basic = attribute.basic
    names = dict(attribute.enum.ordinals) if basic is BasicType.ENUM and attribute.enum else _CODED.get(basic)
    if names is not None:
        if isinstance(given, str):
            return {name.strip(): ordinal for name, ordinal in names.items()}.get(given)
        whole = isinstance(given, int) and not isinstance(given, bool)
        return int(given) if whole and given in names.values() else None
    if basic is BasicType.BOOLEAN:
        return given if isinstance(given, bool) else None
    if basic in _STRINGS:
        return given if isinstance(given, str) else None
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if basic in _FLOATS:
        return float(given)
    return int(given) if basic in _INTEGERS and float(given).is_integer() else None
