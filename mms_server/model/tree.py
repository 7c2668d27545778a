"""The data model of one server: every logical node placed in one number space of slots.

    slot of a variable = base of its LN + index in the LN's layout

The model says what exists; `cache` says what it is worth now.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from mapping.model import FC, DataSetMember, LogicalDevice, LogicalNode, Server
from mapping.references import ObjectReference
from mms_server.mms.names import ObjectName
from mms_server.model import names
from mms_server.model.building import Layouts, initial_values
from mms_server.model.cache import Cache
from mms_server.model.datasets import DataSet, PlacedMember
from mms_server.model.layout import Layout, Node
from mms_server.model.read_plans import Plans

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """An LN at its place: its layout and the slot of its first node."""

    domain: "Domain"
    name: bytes
    layout: Layout
    base: int
    source: LogicalNode


class Domain:
    """One logical device: its LNs by name, and the names sorted as a client pages through them."""

    __slots__ = ("data_sets", "inst", "journals", "name", "nodes", "sorted_nodes")

    def __init__(self, device: LogicalDevice) -> None:
        self.name = device.name.encode("ascii", "replace")
        self.inst = device.inst
        self.nodes: dict[bytes, PlacedNode] = {}
        self.sorted_nodes: list[bytes] = sorted(ln.name.encode("ascii", "replace") for ln in device.nodes)
        self.data_sets: dict[bytes, DataSet] = {}  # by `LN$name`
        self.journals = sorted(
            f"{ln.name}${log}".encode("ascii", "replace") for ln in device.nodes for log in ln.log_names
        )

    def slot(self, item: bytes) -> int:
        """The slot of `LN$FC$DO...`, UNKNOWN if there is none."""
        ln, dollar, rest = item.partition(b"$")
        placed = self.nodes.get(ln)
        if placed is None:
            return UNKNOWN
        node = placed.layout.by_suffix.get(dollar + rest)
        return UNKNOWN if node is None else placed.base + node.index


class DataModel:
    """All domains of a server, and the cache of their values. Raises MappingError for a server too large to be one."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.domains: dict[bytes, Domain] = {}
        self.plans = Plans()
        self._by_inst: dict[str, Domain] = {}
        self._placed: list[PlacedNode] = []  # by slot
        layouts = Layouts(server)
        nodes: list[Node] = []
        values: list[object] = []
        for device in server.devices:
            domain = Domain(device)
            self.domains[domain.name] = domain
            self._by_inst.setdefault(device.inst, domain)
            active_group = next((ln.setting_control.act_sg for ln in device.nodes if ln.setting_control), 1)
            for ln in device.nodes:
                blocks = layouts.blocks(device, ln)
                layout = layouts.of(ln, blocks, active_group)
                self._place(PlacedNode(domain, ln.name.encode("ascii", "replace"), layout, len(nodes), ln))
                nodes += layout.nodes
                values += initial_values(layout, ln, blocks, active_group)
        self.cache = Cache(nodes, values)
        self.locked = {slot for placed in self._placed for slot in _locked(placed)}  # no client may change these
        self.given = {slot for placed in self._placed for slot in _given(placed)}  # the file has a value for these
        for placed in self._placed:
            self._place_data_sets(placed)

    def _place(self, placed: PlacedNode) -> None:
        placed.domain.nodes[placed.name] = placed
        self._placed.append(placed)

    def _place_data_sets(self, placed: PlacedNode) -> None:
        for one in placed.source.data_sets:
            members = [member for drawn in one.members if (member := self._member(drawn)) is not None]
            name = placed.name + b"$" + one.name.encode("ascii", "replace")
            placed.domain.data_sets[name] = DataSet(name, tuple(members), deletable=False)

    def _member(self, drawn: DataSetMember) -> PlacedMember | None:
        domain, item = drawn.domain.encode("ascii", "replace"), drawn.item.encode("ascii", "replace")
        component = (drawn.component or "").encode("ascii", "replace")
        slot = self.slot(domain, item)
        if slot == UNKNOWN or drawn.index is None:
            return None if slot == UNKNOWN else PlacedMember(slot, domain, item)
        node = self.node(slot)
        if not node.array or drawn.index >= len(node.offsets):
            return None
        slot += node.offsets[drawn.index]
        below = self.node(slot).below(component)
        return None if below is None else PlacedMember(slot + below, domain, item, (drawn.index, component))

    # ------------------------------------------------------------------ by MMS name

    def slot(self, domain: bytes, item: bytes) -> int:
        """The slot of an MMS variable, UNKNOWN if there is none."""
        found = self.domains.get(domain)
        return UNKNOWN if found is None else found.slot(item)

    def data_set(self, name: ObjectName) -> DataSet | None:
        """The data set of that name, None if there is none."""
        domain = None if name.domain is None else self.domains.get(name.domain)
        return None if domain is None else domain.data_sets.get(name.item)

    # ------------------------------------------------------------------ by reference

    def find(self, reference: str) -> int:
        """The slot of an ACSI reference `LD/LN.DO.DA`, the LD by inst or full name; ` [FC]` where the name does not decide.

        Raises KeyError whose text names the nearest names.
        """
        placed, path, fc = self._located(reference)
        return placed.base + names.index_of(placed.layout, path, fc, reference)

    def find_all(self, reference: str) -> list[int]:
        """The slots of an ACSI reference under every functional constraint that has it. Raises KeyError."""
        placed, path, fc = self._located(reference)
        return [placed.base + index for index in names.indexes_of(placed.layout, path, fc, reference).values()]

    def _located(self, reference: str) -> tuple[PlacedNode, list[str], str | None]:
        text, _, bracket = reference.partition(" [")
        ld, slash, rest = text.partition("/")
        domain = self.domain(ld)
        if not slash or domain is None:
            known = [*self._by_inst, *(name.decode() for name in self.domains)]
            raise KeyError(names.missing(f"logical device in `{reference}`", ld, known))
        ln, *path = rest.split(".")
        placed = domain.nodes.get(ln.encode("ascii", "replace"))
        if placed is None:
            raise KeyError(names.missing(f"logical node in `{reference}`", ln, [one.decode() for one in domain.nodes]))
        return placed, path, bracket.rstrip("]") or None

    def domain(self, name: str) -> Domain | None:
        """The LD called `name`, in full or by its inst."""
        return self.domains.get(name.encode("ascii", "replace")) or self._by_inst.get(name)

    def placed(self, slot: int) -> PlacedNode:
        """The LN that a slot belongs to."""
        return self._placed[bisect_right(self._placed, slot, key=lambda one: one.base) - 1]

    def reference(self, slot: int) -> ObjectReference:
        """The ACSI reference of a slot, with its functional constraint."""
        placed = self.placed(slot)
        fc, path = names.path_to(placed.layout, slot - placed.base)
        return ObjectReference(placed.domain.name.decode(), placed.name.decode(), path, fc)

    # ------------------------------------------------------------------ by slot

    def node(self, slot: int) -> Node:
        """The layout's node at `slot`."""
        return self.cache.nodes[slot]

    def plain_reference(self, slot: int) -> str:
        """The ACSI reference of a slot without its functional constraint: `LD/LN.DO.DA`."""
        return str(replace(self.reference(slot), fc=None))

    def value(self, slot: int, instead: Mapping[int, object] = MappingProxyType({})) -> object:
        """The value of a slot in Python: a leaf's value, a dict of members, a list of elements.

        Leaves in `instead` have the values given there.
        """
        node = self.node(slot)
        if node.kind is not None:
            return instead[slot] if slot in instead else self.cache.values[slot]
        parts = [self.value(slot + offset, instead) for offset in node.offsets]
        if node.array:
            return parts
        return {child.name.decode(): part for child, part in zip(node.children, parts, strict=True)}

    def nodes(self) -> Iterator[PlacedNode]:
        """Every LN at its place."""
        return iter(self._placed)

    def triggering(self, slot: int) -> list[int]:
        """The leaves at and below `slot` whose change can be an event."""
        nodes = self.cache.nodes
        return [one for one in range(slot, slot + nodes[slot].size) if nodes[one].triggers]

    def leaves(self, fc: FC | None = None) -> Iterator[int]:
        """The slots of all leaves, of one functional constraint if `fc` is given."""
        nodes = self.cache.nodes
        return (slot for slot, node in enumerate(nodes) if node.kind is not None and fc in (None, node.fc))


def _locked(placed: PlacedNode) -> Iterator[int]:
    """The leaves of an LN whose valKind is not Set: its type's, as its instance has them."""
    locked = set(placed.layout.locked)
    for path, override in placed.source.overrides.items():
        if override.val_kind is not None:
            change = locked.difference_update if override.val_kind == "Set" else locked.update
            change(placed.layout.paths.get(path, ()))
    return (placed.base + index for index in locked)


def _given(placed: PlacedNode) -> Iterator[int]:
    """The leaves of an LN that have a Val in the file."""
    overridden = (
        index
        for path, override in placed.source.overrides.items()
        if override.values
        for index in placed.layout.paths.get(path, ())
    )
    return (placed.base + index for index in {*placed.layout.given, *overridden})
