"""Pass 2: each row of map.yaml finds what it names, in the SCL file and among the devices."""

from mapping.diagnostics import Span, did_you_mean
from mapping.located import inside
from mapping.model import DataObjectType, LogicalDevice, LogicalNode
from mapping.passes.draft import Draft, DraftDevice, DraftIed, DraftPoint, Target
from mapping.passes.objects import OWN_OBJECTS, DataObject, find
from mapping.references import ObjectReference
from mapping.schema import Row
from mapping.validated import nearest

_SWAPPED = {"SupWh": "DmdWh", "DmdWh": "SupWh", "SupVArh": "DmdVArh", "DmdVArh": "SupVArh"}
_DIRECTED = frozenset({"TotW", "TotVAr", "W", "VAr"})


def resolve_rows(draft: Draft) -> None:
    """Fill `targets` of every IED; what a deeper row says replaces what a row above it said."""
    for ied in draft.ieds:
        for key, row in ied.map.points.items():
            _Row(draft, ied, key, row).resolve()
        _keep_deepest(draft, ied)


class _Row:
    """One row while it is resolved; its place in the file is known."""

    def __init__(self, draft: Draft, ied: DraftIed, key: str, row: Row) -> None:
        self._draft = draft
        self._ied = ied
        self._key = key
        self._row = row
        self._place = ied.map_file.key_at("points", key)

    def resolve(self) -> None:
        try:
            reference = ObjectReference.parse(self._key)
        except ValueError as error:
            self._draft.found.error("bad-reference", self._place, str(error))
            return
        ld = self._logical_device(reference.ld)
        ln = None if ld is None else self._logical_node(ld, reference.ln)
        if ld is None or ln is None:
            return
        if reference.path:
            self._object_row(ld, ln, reference.path)
        else:
            self._node_row(ld, ln)

    # ------------------------------------------------------------------ the left side

    def _logical_device(self, name: str) -> LogicalDevice | None:
        devices = self._ied.server.devices
        found = next((one for one in devices if name in (one.inst, one.name)), None)
        if found is None:
            self._unknown(f"no logical device `{name}`", name, [one.inst for one in devices])
        return found

    def _logical_node(self, ld: LogicalDevice, name: str) -> LogicalNode | None:
        found = next((one for one in ld.nodes if one.name == name), None)
        if found is None:
            self._unknown(f"no logical node `{name}` in {ld.inst}", name, [one.name for one in ld.nodes])
        return found

    def _unknown(self, message: str, word: str, known: list[str]) -> None:
        span = inside(self._place, self._key, word)
        self._draft.found.error("unknown-reference", span, message, hint=did_you_mean(nearest(word, known)))

    def _object_row(self, ld: LogicalDevice, ln: LogicalNode, path: tuple[str, ...]) -> None:
        found = find(ld, ln, path)
        if found is None:
            self._no_object(ld, ln, path)
            return
        owner, leaf = (found, None) if isinstance(found, DataObject) else found
        if owner.path[0] in OWN_OBJECTS and owner.path[0] != "PhyHealth":
            span = inside(self._place, self._key, owner.path[0])
            self._draft.found.error(
                "own-object", span, f"`{owner.path[0]}` is the server's own; nothing can be bound to it"
            )
            return
        point = None
        if self._row.source is not None:
            point = self._point(self._row.source, ("from",))
            if point is None:
                return
        self._ied.targets.append(Target(self._key, self._row, owner, leaf, point, len(path)))

    def _no_object(self, ld: LogicalDevice, ln: LogicalNode, path: tuple[str, ...]) -> None:
        """Say which step of the path there is not, and what there is instead."""
        known: list[str] = [one.name for one in ln.type.objects]
        where, members = f"{ld.inst}/{ln.name}", list(ln.type.objects)
        for depth, step in enumerate(path):
            member = next((one for one in members if one.name == step), None)
            if member is None:
                kind = "data object" if depth == 0 else "member"
                self._unknown(f"no {kind} `{step}` in {where}", step, known)
                return
            where += f".{step}"
            known = [one.name for one in member.members]
            members = [one for one in member.members if isinstance(one, DataObjectType)]
            if (
                depth + 1 < len(path)
                and path[depth + 1] in known
                and path[depth + 1] not in {one.name for one in members}
            ):
                break
        text = ".".join(path)
        span = inside(self._place, self._key, text)
        self._draft.found.error("no-leaf", span, f"`{text}` is no single attribute of {ld.inst}/{ln.name}")

    # ------------------------------------------------------------------ the right side

    def _value_place(self, keys: tuple[str, ...]) -> Span:
        located = self._ied.map_file
        return (
            located.at("points", self._key, *keys)
            if isinstance(self._given(), dict)
            else located.at("points", self._key)
        )

    def _given(self) -> object:
        return self._ied.map_file.data["points"][self._key]

    def _device(self, name: str, text: str, keys: tuple[str, ...]) -> DraftDevice | None:
        device = self._draft.devices.get(name)
        if device is None:
            span = inside(self._value_place(keys), text, name)
            hint = did_you_mean(nearest(name, list(self._draft.devices)))
            self._draft.found.error("unknown-device", span, f"no device `{name}`", hint=hint)
        return device

    def _point(self, text: str, keys: tuple[str, ...]) -> DraftPoint | None:
        device_name, dot, name = text.partition(".")
        device = self._device(device_name, text, keys)
        if device is None:
            return None
        point = device.points.get(name)
        if point is None:
            span = inside(self._value_place(keys), text, name if dot else text)
            wanted = (
                f"no point `{name}` of device `{device_name}`"
                if dot
                else f"`{text}` is a device, expected `device.point`"
            )
            hint = did_you_mean(nearest(name, list(device.points)) if dot else [])
            self._draft.found.error("unknown-point", span, wanted, hint=hint)
        return point

    # ------------------------------------------------------------------ a whole LN

    def _node_row(self, ld: LogicalDevice, ln: LogicalNode) -> None:
        source = self._row.source
        if source is None or "." in source:
            message = f"`{self._key}` is a whole logical node: it takes a device, and nothing else"
            self._draft.found.error("bad-row", self._place, message)
            return
        device = self._device(source, source, ("from",))
        if device is None:
            return
        proposals = _proposals(device, ln.ln_class)
        if not proposals:
            what = f"profile `{device.profile}`" if device.profile else f"device `{device.name}`, which has no profile,"
            self._draft.found.error(
                "nothing-proposed", self._value_place(("from",)), f"{what} proposes nothing for {ln.ln_class}"
            )
        for path, point in proposals.items():
            self._propose(ld, ln, path, point)

    def _propose(self, ld: LogicalDevice, ln: LogicalNode, path: tuple[str, ...], point: DraftPoint) -> None:
        negate = self._row.swap and path[0] in _DIRECTED
        if self._row.swap:
            path = (_SWAPPED.get(path[0], path[0]), *path[1:])
        found = find(ld, ln, path)
        if not isinstance(found, DataObject):
            self._ied.passed_over.append(f"{ld.inst}/{ln.name}.{'.'.join(path)}: {point.plan.name}")
            return
        self._ied.targets.append(Target(self._key, self._row, found, None, point, 0, negate))


def _proposals(device: DraftDevice, ln_class: str) -> dict[tuple[str, ...], DraftPoint]:
    found: dict[tuple[str, ...], DraftPoint] = {}
    for point in device.points.values():
        for proposal in point.proposes:
            proposed_class, _, path = proposal.partition(".")
            if proposed_class == ln_class and path:
                found.setdefault(tuple(path.split(".")), point)
    return found


def _keep_deepest(draft: Draft, ied: DraftIed) -> None:
    """A deeper row wins over a shallower one; two rows for the same thing are an error."""
    by_thing: dict[tuple[str, tuple[str, ...] | None], Target] = {}
    for target in ied.targets:
        thing = (target.object.reference, target.leaf.path if target.leaf else None)
        other = by_thing.get(thing)
        if other is not None and other.depth == target.depth:
            first = ied.map_file.key_at("points", other.key)
            message = f"`{target.object.reference}` is fed by `{other.key}` already"
            place = ied.map_file.key_at("points", target.key)
            draft.found.error("fed-twice", place, message, notes=[f"the other row is in line {first.line}"])
            continue
        if other is None or other.depth < target.depth:
            by_thing[thing] = target
    ied.targets = list(by_thing.values())
