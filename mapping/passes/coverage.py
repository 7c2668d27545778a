"""Pass 5, coverage: the data objects without a source, and the device that each logical device stands for."""

from collections.abc import Iterator

from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.model import FC, BasicType, LogicalDevice, LogicalNode
from mapping.passes.bind import bound
from mapping.passes.draft import Draft, DraftIed
from mapping.passes.type_check import HEALTH
from mapping.passes.value_attributes import OWN_NODES, OWN_OBJECTS, DataObject, Leaf, data_objects
from mapping.plan import Preset, Source
from mapping.references import ObjectReference

_PROCESS = (FC.ST, FC.MX)
_NAMED = 6


def cover_model(draft: Draft) -> None:
    """Give each LD the health of its device, then name the data objects without a source, once for each LN."""
    for ied in draft.ieds:
        _bind_health(draft, ied)
        unmapped = _unmapped(draft, ied)
        fed = {binding.q for binding in ied.objects} | {preset.target for preset in ied.presets}
        for ld in ied.server.devices:
            for ln in ld.nodes:
                _cover_node(draft, ied, ld, ln, fed, unmapped)


# ---------------------------------------------------------------------- health


def _bind_health(draft: Draft, ied: DraftIed) -> None:
    """An LD whose points all come from one device stands for it: it has its health, and is its proxy."""
    points = {point.plan.number: device for device in draft.devices.values() for point in device.points.values()}
    fed = {binding.reference for binding in ied.objects}
    for ld in ied.server.devices:
        devices = {
            points[source.point].name
            for binding in ied.objects
            if binding.reference.startswith(f"{ld.inst}/")
            for source in binding.sources
        }
        if len(devices) != 1:
            continue
        _preset_proxy(ied, ld)
        health = _physical(ld, "PhyHealth")
        leaf = None if health is None else health.leaf("stVal")
        if health is None or leaf is None or health.reference in fed:
            continue
        online = draft.devices[devices.pop()].points["online"].plan.number
        source = Source(online, (leaf.target(ld.name, health.ln.name),), values=HEALTH)
        ied.objects.append(bound(health, [leaf], [source]))


def _preset_proxy(ied: DraftIed, ld: LogicalDevice) -> None:
    """LPHD.Proxy is true in an LD that stands for another device, unless the SCL file says what it is."""
    proxy = _physical(ld, "Proxy")
    leaf = None if proxy is None else proxy.leaf("stVal")
    if proxy is not None and leaf is not None and proxy.configured("stVal") is None:
        ied.presets.append(Preset(leaf.target(ld.name, proxy.ln.name), True))


def _physical(ld: LogicalDevice, name: str) -> DataObject | None:
    """The data object `name` of the LD's LPHD."""
    for ln in ld.nodes:
        if ln.ln_class == "LPHD":
            return next((one for one in data_objects(ld, ln) if one.path == (name,)), None)
    return None


# ---------------------------------------------------------------------- coverage


def _unmapped(draft: Draft, ied: DraftIed) -> list[tuple[str, str, tuple[str, ...]]]:
    """The prefixes that the map leaves unfed on purpose, as (LD name, LN, path)."""
    prefixes = []
    for index, text in enumerate(ied.map.unmapped):
        place = ied.map_file.at("unmapped", index)
        try:
            reference = ObjectReference.parse(text)
        except ValueError as error:
            draft.found.error("bad-reference", place, str(error))
            continue
        ld = next((one for one in ied.server.devices if reference.ld in (one.inst, one.name)), None)
        ln = None if ld is None else next((one for one in ld.nodes if one.name == reference.ln), None)
        known = set() if ld is None or ln is None else {one.path for one in data_objects(ld, ln)} | {()}
        if ld is None or reference.path not in known:
            hint = did_you_mean(nearest(text, _offered(ied, ld, ln)))
            draft.found.error("unknown-reference", place, f"`{text}` is not in the SCL file", hint=hint)
            continue
        prefixes.append((ld.name, reference.ln, reference.path))
    return prefixes


def _offered(ied: DraftIed, ld: LogicalDevice | None, ln: LogicalNode | None) -> list[str]:
    """The names to offer for a reference of which only `ld` and `ln` are there."""
    if ld is not None and ln is not None:
        return [f"{ld.inst}/{ln.name}.{'.'.join(one.path)}" for one in data_objects(ld, ln)]
    return [f"{one.inst}/{node.name}" for one in ied.server.devices if ld in (one, None) for node in one.nodes]


def _cover_node(
    draft: Draft,
    ied: DraftIed,
    ld: LogicalDevice,
    ln: LogicalNode,
    fed: set[str | None],
    unmapped: list[tuple[str, str, tuple[str, ...]]],
) -> None:
    if ln.ln_class in OWN_NODES:
        return
    missing = []
    for thing, q in _process_objects(ld, ln):
        target = q.target(ld.name, ln.name)
        values = [leaf.target(ld.name, ln.name) for leaf in thing.value_leaves()]
        if target in fed or any(value in fed for value in values):
            continue
        ied.unfed.append(target)
        if not any(
            (ld.name, ln.name) == (name, node) and thing.path[: len(path)] == path for name, node, path in unmapped
        ):
            missing.append(".".join(thing.path))
    if missing and not draft.found.errors:  # a row with a mistake feeds nothing: that is said already
        _say(draft.found, ied, ld, ln, missing)


def _say(found: Diagnostics, ied: DraftIed, ld: LogicalDevice, ln: LogicalNode, missing: list[str]) -> None:
    listed = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
    found.warning(
        "unfed",
        Span(ied.map_file.file),
        f"nothing feeds {listed} of {ld.inst}/{ln.name}: invalid for ever",
        hint=f"add a row, or list `{ld.inst}/{ln.name}.{missing[0]}` under `unmapped:`",
    )


def _process_objects(ld: LogicalDevice, ln: LogicalNode) -> Iterator[tuple[DataObject, Leaf]]:
    """The data objects of the process, with their `q`."""
    for thing in data_objects(ld, ln):
        if thing.path[0] in OWN_OBJECTS:
            continue
        q = thing.leaf("q")
        if q is not None and q.fc in _PROCESS and q.attribute.basic is BasicType.QUALITY:
            yield thing, q
