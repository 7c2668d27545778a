"""The data model of one server: every logical node placed in one number space of slots.

    slot of a variable = base of its LN + index in the LN's layout

The model says what exists; `cache` says what it is worth now.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mapping.model import FC, LogicalDevice, LogicalNode, Override, Scalar, Server
from mms_server.mms.names import ObjectName
from mms_server.model import leaves
from mms_server.model.cache import Cache
from mms_server.model.control_blocks import block_drafts
from mms_server.model.datasets import DataSet, Member
from mms_server.model.drafts import data_drafts, group_value
from mms_server.model.layout import Draft, Layout, Node

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """An LN at its place: its layout and the slot of its first node."""

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
        self.sorted_nodes: list[bytes] = []
        self.data_sets: dict[bytes, DataSet] = {}  # by `LN$name`
        self.journals: list[bytes] = []

    def slot(self, item: bytes) -> int:
        """The slot of `LN$FC$DO...`, UNKNOWN if there is none."""
        ln, dollar, rest = item.partition(b"$")
        placed = self.nodes.get(ln)
        if placed is None:
            return UNKNOWN
        node = placed.layout.by_suffix.get(dollar + rest)
        return UNKNOWN if node is None else placed.base + node.index


class DataModel:
    """All domains of a server, and the cache of their values."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.domains: dict[bytes, Domain] = {}
        self.plans: dict[bytes, object] = {}  # compiled requests by their body, filed by the services
        self._by_inst: dict[str, Domain] = {}
        layouts = _Layouts(server)
        nodes: list[Node] = []
        values: list[object] = []
        for device in server.devices:
            domain = Domain(device)
            self.domains[domain.name] = domain
            self._by_inst.setdefault(device.inst, domain)
            active = next((ln.setting_control.act_sg for ln in device.nodes if ln.setting_control), 1)
            for ln in device.nodes:
                layout = layouts.of(device, ln)
                placed = PlacedNode(ln.name.encode("ascii", "replace"), layout, len(nodes), ln)
                domain.nodes[placed.name] = placed
                nodes.extend(layout.nodes)
                values.extend(_values(layout, ln.overrides, layouts.blocks(device, ln), active))
            domain.sorted_nodes = sorted(domain.nodes)
            domain.journals = sorted(f"{ln.name}${log}".encode() for ln in device.nodes for log in ln.log_names)
        self.cache = Cache(nodes, values)
        for device in server.devices:
            self._place_data_sets(device)

    # ------------------------------------------------------------------ finding

    def slot(self, domain: bytes, item: bytes) -> int:
        """The slot of an MMS variable, UNKNOWN if there is none."""
        found = self.domains.get(domain)
        return UNKNOWN if found is None else found.slot(item)

    def data_set(self, name: ObjectName) -> DataSet | None:
        """The data set of that name, None if there is none."""
        domain = None if name.domain is None else self.domains.get(name.domain)
        return None if domain is None else domain.data_sets.get(name.item)

    def forget_plans(self) -> None:
        """Drop the compiled requests: data sets have changed, or there are too many."""
        self.plans.clear()

    def node(self, slot: int) -> Node:
        """The layout's node at `slot`."""
        return self.cache.nodes[slot]

    def find(self, reference: str) -> int:
        """The slot of an ACSI reference `LD/LN.DO.DA`, the LD by inst or full name; ` [FC]` where the name does not decide.

        Raises KeyError whose text names the nearest names.
        """
        text, _, bracket = reference.partition(" [")
        fc = bracket.rstrip("]") if bracket else None
        ld, slash, rest = text.partition("/")
        domain = self.domain(ld)
        if not slash or domain is None:
            raise KeyError(_missing("logical device", ld, [*self._by_inst, *(name.decode() for name in self.domains)]))
        ln, *path = rest.split(".")
        placed = domain.nodes.get(ln.encode())
        if placed is None:
            raise KeyError(_missing(f"logical node in {ld}", ln, [name.decode() for name in domain.nodes]))
        return placed.base + _walk(placed.layout, path, fc, reference)

    def domain(self, name: str) -> Domain | None:
        """The LD called `name`, in full or by its inst."""
        return self.domains.get(name.encode()) or self._by_inst.get(name)

    def reference(self, slot: int) -> str:
        """The MMS form of a named slot, `LD/LN$FC$DO`, for logs and errors."""
        for domain in self.domains.values():
            for placed in domain.nodes.values():
                if placed.base <= slot < placed.base + placed.layout.size:
                    suffix = self.node(slot).suffix
                    return f"{domain.name.decode()}/{placed.name.decode()}{(suffix or b'(element)').decode()}"
        raise KeyError(slot)

    def value(self, slot: int) -> object:
        """What a slot is worth in Python: a leaf's value, a dict of members, a list of elements."""
        node = self.node(slot)
        if node.kind is not None:
            return self.cache.values[slot]
        parts = [self.value(slot + offset) for offset in node.offsets]
        if node.array:
            return parts
        return {child.name.decode(): part for child, part in zip(node.children, parts, strict=True)}

    # ------------------------------------------------------------------ building

    def _place_data_sets(self, device: LogicalDevice) -> None:
        domain = self.domains[device.name.encode("ascii", "replace")]
        for ln in device.nodes:
            for one in ln.data_sets:
                members = []
                for member in one.members:
                    slot = self._member_slot(
                        member.domain.encode(), member.item.encode(), member.index, member.component
                    )
                    if slot != UNKNOWN:
                        selection = None if member.index is None else (member.index, (member.component or "").encode())
                        members.append(Member(slot, member.domain.encode(), member.item.encode(), selection))
                name = f"{ln.name}${one.name}".encode()
                domain.data_sets[name] = DataSet(name, tuple(members), deletable=False)

    def _member_slot(self, domain: bytes, item: bytes, index: int | None, component: str | None) -> int:
        slot = self.slot(domain, item)
        if slot == UNKNOWN or index is None:
            return slot
        node = self.node(slot)
        if not node.array or index >= len(node.children):
            return UNKNOWN
        slot += node.offsets[index]
        for name in filter(None, (component or "").split("$")):
            child = self.node(slot).child(name.encode())
            if child is None:
                return UNKNOWN
            slot += child.up
        return slot


class _Layouts:
    """One layout for all LNs that look alike: of one type, with control blocks of the same names."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._by_key: dict[object, Layout] = {}
        self._data: dict[int, dict[FC, list[Draft]]] = {}
        self._blocks: dict[int, dict[FC, list[Draft]]] = {}

    def blocks(self, ld: LogicalDevice, ln: LogicalNode) -> dict[FC, list[Draft]]:
        if not (ln.reports or ln.logs or ln.setting_control or ln.gooses or ln.sampled_values):
            return {}
        if id(ln) not in self._blocks:
            self._blocks[id(ln)] = block_drafts(self._server, ld, ln)
        return self._blocks[id(ln)]

    def of(self, ld: LogicalDevice, ln: LogicalNode) -> Layout:
        blocks = self.blocks(ld, ln)
        key = (id(ln.type), tuple((fc, tuple(draft.name for draft in drafts)) for fc, drafts in blocks.items()))
        if key not in self._by_key:
            if id(ln.type) not in self._data:
                self._data[id(ln.type)] = data_drafts(ln.type)
            self._by_key[key] = Layout(_root(self._data[id(ln.type)], blocks))
        return self._by_key[key]


def _root(data: Mapping[FC, list[Draft]], blocks: Mapping[FC, list[Draft]]) -> Draft:
    groups = [Draft(fc.value, data.get(fc, []) + blocks.get(fc, [])) for fc in FC if fc in data or fc in blocks]
    return Draft("", groups)


def _values(
    layout: Layout, overrides: Mapping[str, Override], blocks: Mapping[FC, list[Draft]], active_group: int
) -> list[object]:
    values: list[object] = list(layout.defaults)
    for path, override in overrides.items():
        for index in layout.paths.get(path, ()) if override.values else ():
            node = layout.nodes[index]
            if node.kind is not None:
                value = group_value(override.values, active_group if node.fc is FC.SG else 1, _first(override.values))
                values[index] = leaves.cache_value(node.kind, value)
    for fc, drafts in blocks.items():
        for draft in drafts:
            start = layout.by_suffix[f"${fc.value}${draft.name}".encode()].index
            _lay_values(draft, values, start)
    return values


def _first(values: Mapping[int, Scalar]) -> Scalar:
    return next(iter(values.values()))


def _lay_values(draft: Draft, values: list[object], index: int) -> int:
    if draft.kind is not None:
        values[index] = draft.default
        return index + 1
    index += 1
    for member in draft.members:
        index = _lay_values(member, values, index)
    return index


def _walk(layout: Layout, path: list[str], fc: str | None, reference: str) -> int:
    found = [
        index
        for group in layout.nodes[0].children
        if (fc is None or group.name.decode() == fc) and (index := _below(layout, group, path)) is not None
    ]
    if not path and fc is None:
        return 0
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(layout.nodes[index].fc.value for index in found if layout.nodes[index].fc)  # type: ignore[union-attr]
        raise KeyError(f"`{reference}` is there under {names}: say which, as `{reference} [{names.partition(',')[0]}]`")
    known = {child.name.decode() for group in layout.nodes[0].children for child in group.children}
    if path and path[0].partition("(")[0] not in known:
        raise KeyError(_missing(f"data object in `{reference}`", path[0], sorted(known)))
    raise KeyError(_missing(f"attribute in `{reference}`", path[-1] if path else "", _names_along(layout, path, fc)))


def _below(layout: Layout, group: Node, path: list[str]) -> int | None:
    node = group
    for step in path:
        name, _, index = step.partition("(")
        child = node.child(name.encode())
        if child is not None and index:
            number = index.rstrip(")")
            inside = child.array and number.isdecimal() and int(number) < len(child.children)
            child = child.children[int(number)] if inside else None
        if child is None:
            return None
        node = child
    return node.index


def _names_along(layout: Layout, path: list[str], fc: str | None) -> list[str]:
    names: set[str] = set()
    for group in layout.nodes[0].children:
        if fc is not None and group.name.decode() != fc:
            continue
        node: Node | None = group
        for step in path:
            below = node.child(step.partition("(")[0].encode()) if node else None
            if below is None and node is not None:
                names.update(child.name.decode() for child in node.children)
            node = below
    return sorted(names)


def _missing(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"no {what} is called `{name}`" + (
        f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    )


def iterate_leaves(model: DataModel, fc: FC | None = None) -> Iterator[int]:
    """The slots of all leaves, of one functional constraint if `fc` is given."""
    return (
        slot for slot, node in enumerate(model.cache.nodes) if node.kind is not None and (fc is None or node.fc is fc)
    )
