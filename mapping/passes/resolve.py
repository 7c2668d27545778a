"""Pass 2: each row of map.yaml finds what it names, in the SCL file and among the devices."""

from collections.abc import Sequence

from mapping.diagnostics import Span, did_you_mean
from mapping.located_yaml.located import inside
from mapping.located_yaml.validated import nearest
from mapping.model import AttributeType, DataObjectType, LogicalDevice, LogicalNode
from mapping.passes.draft import Draft, DraftDevice, DraftIed, DraftPoint, Target
from mapping.passes.point_lookup import Miss, find_device, find_point
from mapping.passes.value_attributes import OWN_NODES, OWN_OBJECTS, DataObject, find
from mapping.references import ObjectReference
from mapping.schema.map import Row

_SWAPPED = {"SupWh": "DmdWh", "DmdWh": "SupWh", "SupVArh": "DmdVArh", "DmdVArh": "SupVArh"}
_DIRECTED = frozenset({"TotW", "TotVAr", "W", "VAr"})


def resolve_rows(draft: Draft) -> None:
    """Fill `targets` of every IED; a deeper row replaces a row above it."""
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
            self._say("bad-reference", self._place, str(error))
            return
        if reference.fc is not None:
            word = f"[{reference.fc.value}]"
            self._say("bad-reference", inside(self._place, self._key, word), "a row names no functional constraint")
            return
        ld = self._logical_device(reference.ld)
        ln = None if ld is None else self._logical_node(ld, reference.ln)
        if ld is None or ln is None:
            return
        if ln.ln_class in OWN_NODES:
            self._own(ln.name)
        elif reference.path:
            self._object_row(ld, ln, reference.path)
        else:
            self._node_row(ld, ln)

    def _say(self, code: str, place: Span, message: str, hint: str | None = None) -> None:
        self._draft.found.error(code, place, message, hint=hint)

    def _own(self, word: str) -> None:
        place = inside(self._place, self._key, word)
        self._say("own-object", place, f"`{word}` is the server's own; nothing can be bound to it")

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
            self._own(owner.path[0])
            return
        if self._row.swap:
            place = self._ied.map_file.key_at("points", self._key, "swap")
            self._say("bad-row", place, "`swap` turns a whole logical node round; `scale: -1` one data object")
            return
        point = None
        if self._row.source is not None:
            point = self._point(self._row.source, f"{ln.ln_class}.{'.'.join(path)}")
            if point is None:
                return
        self._ied.targets.append(Target(self._key, self._row, owner, leaf, point, len(path)))

    def _no_object(self, ld: LogicalDevice, ln: LogicalNode, path: tuple[str, ...]) -> None:
        """Say which step of the path there is not, and what there is instead."""
        where = f"{ld.inst}/{ln.name}"
        members: Sequence[AttributeType | DataObjectType] = ln.type.objects
        for depth, step in enumerate(path):
            name = step.partition("(")[0]
            member = next((one for one in members if one.name == name), None)
            if member is None:
                kind = "member" if depth else "data object"
                self._unknown(f"no {kind} `{step}` in {where}", step, [one.name for one in members])
                return
            if member.count:
                place = inside(self._place, self._key, step)
                self._say("no-leaf", place, f"`{name}` in {where} is an array, which no row can feed")
                return
            where, members = f"{where}.{step}", member.members
        text = ".".join(path)
        hint = did_you_mean([f"{text}.{one.name}" for one in members[:3]])
        self._say(
            "no-leaf", inside(self._place, self._key, text), f"`{text}` is a structure, no single attribute", hint
        )

    # ------------------------------------------------------------------ the right side

    def _miss(self, miss: Miss, text: str) -> None:
        place = inside(from_place(self._ied, self._key), text, miss.word)
        self._say(miss.code, place, miss.message, miss.hint)

    def _device(self, name: str) -> DraftDevice | None:
        device = find_device(self._draft, name)
        if isinstance(device, Miss):
            self._miss(device, name)
            return None
        return device

    def _point(self, text: str, proposal: str) -> DraftPoint | None:
        point = find_point(self._draft, text, proposal)
        if isinstance(point, Miss):
            self._miss(point, text)
            return None
        if point is not None and not point.plan.readable:
            message = f"`{text}` has no `read`: it can be commanded, and shows nothing"
            self._say("not-readable", from_place(self._ied, self._key), message)
            return None
        return point

    # ------------------------------------------------------------------ a whole LN

    def _node_row(self, ld: LogicalDevice, ln: LogicalNode) -> None:
        row = self._row
        if row.source is None or "." in row.source or row.values or row.command:
            message = f"`{self._key}` is a whole logical node: it takes a device, `swap`, `scale` and `deadband`"
            self._say("bad-row", self._place, message)
            return
        device = self._device(row.source)
        if device is None:
            return
        proposals = _proposals(device, ln.ln_class)
        if not proposals and not device.half_known:
            what = f"profile `{device.profile}`" if device.profile else f"device `{device.name}`, which has no profile,"
            place = from_place(self._ied, self._key)
            self._say("nothing-proposed", place, f"{what} proposes nothing for {ln.ln_class}")
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


def from_place(ied: DraftIed, key: str) -> Span:
    """The place of the source in the row `key`: its `from`, or the whole of a short row."""
    return ied.map_file.values.get(("points", key, "from")) or ied.map_file.at("points", key)


def _keep_deepest(draft: Draft, ied: DraftIed) -> None:
    """A deeper row wins over a shallower one; two rows for the same thing are an error, said once for the two."""
    by_thing: dict[tuple[str, tuple[str, ...] | None], Target] = {}
    said: set[tuple[str, str]] = set()
    for target in ied.targets:
        thing = (target.object.reference, target.leaf.path if target.leaf else None)
        other = by_thing.get(thing)
        if other is None or other.depth < target.depth:
            by_thing[thing] = target
        elif other.depth == target.depth and (other.key, target.key) not in said:
            said.add((other.key, target.key))
            first = ied.map_file.key_at("points", other.key)
            message = f"`{target.object.reference}` is fed by `{other.key}` already"
            place = ied.map_file.key_at("points", target.key)
            draft.found.error("fed-twice", place, message, notes=[f"the other row is in line {first.line}"])
    ied.targets = list(by_thing.values())
