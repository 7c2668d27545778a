"""Passes 3 and 4: type check and unit conversion of each target, which becomes a binding of the plan."""

from bus.messages import Value
from mapping.diagnostics import Span, did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.model import FC, BasicType
from mapping.passes.commands import bind_command
from mapping.passes.conversion import BindingError, Conversion, conversion, deadband
from mapping.passes.draft import Draft, DraftIed, DraftPoint, Target
from mapping.passes.resolve import from_place
from mapping.passes.type_check import (
    HEALTH,
    ValueTable,
    attribute_value,
    is_online,
    names,
    naturally,
    numeric,
    point_value,
    textual,
)
from mapping.passes.value_attributes import DataObject, Leaf
from mapping.plan import ObjectBinding, Preset, Source
from mapping.units import parse

_PROCESS = (FC.ST, FC.MX)


def bind_targets(draft: Draft) -> None:
    """Fill objects, presets and commands of every IED from its targets."""
    for ied in draft.ieds:
        by_object: dict[str, list[Target]] = {}
        for target in ied.targets:
            by_object.setdefault(target.object.reference, []).append(target)
        for targets in by_object.values():
            _Binder(draft, ied, targets).bind()


class _Binder:
    """Binds one data object: by one row for the whole of it, by rows for single attributes, which win, or by both."""

    def __init__(self, draft: Draft, ied: DraftIed, targets: list[Target]) -> None:
        self._draft = draft
        self._ied = ied
        self._targets = targets
        self._object = targets[0].object
        self._taken = {target.leaf.path for target in targets if target.leaf is not None}

    def bind(self) -> None:
        sources: list[Source] = []
        fed: list[Leaf] = []
        for target in self._targets:
            try:
                leaves = self._leaves(target)
                if target.row.constant is not None:
                    self._constant(target, leaves)
                elif target.point is not None and leaves:
                    sources.append(self._source(target, target.point, leaves))
                    self._draft.used.add(target.point.plan.number)
                    fed += leaves
            except BindingError as error:
                self._say(error, target)
            if target.row.command is not None:
                bind_command(self._draft, self._ied, target, target.row.command)
        if sources:
            self._ied.objects.append(bound(self._object, fed, sources))

    def _leaves(self, target: Target) -> list[Leaf]:
        """The leaves that the row feeds: the one that it names, or those of the value that no other row names."""
        if target.leaf is not None:
            return [target.leaf]
        leaves = self._object.value_leaves()
        if not leaves:
            inner = [f"{self._object.reference}.{one.path[-1]}" for one in self._object.parts()]
            message = f"`{self._object.reference}` ({self._object.type.cdc}) has no value that a point can feed"
            raise BindingError("no-value", message, did_you_mean(inner[:3]))
        return [leaf for leaf in leaves if leaf.path not in self._taken]

    # ------------------------------------------------------------------ values

    def _source(self, target: Target, point: DraftPoint, leaves: list[Leaf]) -> Source:
        leaf = leaves[0]
        values = self._values(target, point, leaf)
        scaled = values == () and point.kind != "bool" and not textual(leaf.attribute)
        found = conversion(target, point, leaf) if scaled else Conversion()
        if scaled:
            self._preset_unit(target, point, leaf)
        targets = tuple(one.target(self._object.ld.name, self._object.ln.name) for one in leaves)
        if target.row.deadband is None:
            return Source(point.plan.number, targets, (), found.scale, found.offset, values)
        place = self._ied.map_file.at("points", target.key, "deadband")
        if not (scaled and numeric(leaf.attribute)):
            raise _PlacedBindingError("bad-row", f"a deadband needs a number, `{point.plan.name}` becomes none", place)
        try:
            band = deadband(str(target.row.deadband), point, found)
        except BindingError as error:
            raise _PlacedBindingError(error.code, str(error), place, error.hint) from error
        return Source(point.plan.number, targets[1:], targets[:1], found.scale, found.offset, values, band)

    def _values(self, target: Target, point: DraftPoint, leaf: Leaf) -> ValueTable:
        """The value that each point value becomes; () if it stays as it is, or is scaled."""
        if target.row.values:
            return tuple(self._pair(target, point, leaf, key) for key in target.row.values)
        if is_online(point) and self._object.path == ("PhyHealth",):
            return HEALTH
        values = naturally(point, leaf.attribute)
        if values is None:
            basic = leaf.attribute.basic
            named = basic in (BasicType.BOOLEAN, BasicType.ENUM, BasicType.DBPOS, BasicType.TCMD)
            message = (
                f"`{point.plan.name}` is a {point.kind}, which `{self._object.reference}` ({basic.value}) cannot carry"
                f"{' without `values:`' if named else ''}"
            )
            raise BindingError("type-mismatch", message)
        return values

    def _pair(self, target: Target, point: DraftPoint, leaf: Leaf, key: str) -> tuple[Value, Value]:
        given = target.row.values[key]
        there, here = point_value(point, key), attribute_value(leaf.attribute, given)
        path = ("points", target.key, "values", key)
        if there is None:
            expected = "true or false" if point.kind == "bool" else ", ".join(point.names) or "a number"
            message = f"`{key}` is no value of `{point.plan.name}`, expected {expected}"
            hint = did_you_mean(nearest(key, point.names))
            raise _PlacedBindingError("bad-value", message, self._ied.map_file.key_at(*path), hint)
        if here is None:
            known = names(leaf.attribute)
            hint = did_you_mean(nearest(str(given), known) or known[:3])
            message = f"`{given}` is no value of `{self._object.reference}` ({leaf.attribute.basic.value})"
            raise _PlacedBindingError("bad-value", message, self._ied.map_file.at(*path), hint)
        return there, here

    def _constant(self, target: Target, leaves: list[Leaf]) -> None:
        given = target.row.constant
        assert given is not None  # noqa: S101 - asked by the caller
        for leaf in leaves:
            value = attribute_value(leaf.attribute, given)
            if value is None:
                known = names(leaf.attribute)
                message = f"`{given}` is no value of `{self._object.reference}` ({leaf.attribute.basic.value})"
                place = self._ied.map_file.at("points", target.key, "constant")
                raise _PlacedBindingError(
                    "bad-value", message, place, did_you_mean(nearest(str(given), known) or known[:3])
                )
            self._preset(leaf, value)

    def _preset_unit(self, target: Target, point: DraftPoint, leaf: Leaf) -> None:
        """Preset the object's unit to that of the point, where the file gives none."""
        unit = self._object.leaf("units.SIUnit")
        own = parse(point.plan.unit)
        if unit is None or own is None or self._object.configured("units.SIUnit") is not None:
            return
        if all(one.path != leaf.path for one in self._object.value_leaves()):
            return
        if own.ordinal is not None and (
            unit.attribute.enum is None or own.ordinal in unit.attribute.enum.ordinals.values()
        ):
            self._preset(unit, own.ordinal)

    def _preset(self, leaf: Leaf, value: Value) -> None:
        self._ied.presets.append(Preset(leaf.target(self._object.ld.name, self._object.ln.name), value))

    # ------------------------------------------------------------------ saying it

    def _say(self, error: BindingError, target: Target) -> None:
        place = error.place if isinstance(error, _PlacedBindingError) else self._place(target)
        self._draft.found.error(error.code, place, str(error), hint=error.hint)

    def _place(self, target: Target) -> Span:
        if target.point is None or target.row.constant is not None:
            return self._ied.map_file.key_at("points", target.key)
        return from_place(self._ied, target.key)


class _PlacedBindingError(BindingError):
    """A binding error at a place of its own, within the row."""

    def __init__(self, code: str, message: str, place: Span, hint: str | None = None) -> None:
        super().__init__(code, message, hint)
        self.place = place


def bound(thing: DataObject, fed: list[Leaf], sources: list[Source]) -> ObjectBinding:
    """The binding of a data object: its `q` and `t` are those beside the first leaf of the process that is fed."""
    anchor = next((leaf for leaf in fed if leaf.fc in _PROCESS), fed[0])
    q, t = (thing.companion(name, anchor.fc) for name in ("q", "t"))
    place = (thing.ld.name, thing.ln.name)
    return ObjectBinding(
        thing.reference,
        None if q is None else q.target(*place),
        None if t is None else t.target(*place),
        tuple(sources),
    )
