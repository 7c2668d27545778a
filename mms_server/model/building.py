"""Builder of layouts and initial values from the engineered server: one layout for all LNs that look alike."""

from collections.abc import Mapping
from typing import Final

from mapping.diagnostics import Diagnostics, Span
from mapping.model import FC, AttributeType, DataObjectType, LogicalDevice, LogicalNode, Override, Server
from mms_server.model import leaves
from mms_server.model.control_blocks import block_drafts
from mms_server.model.drafts import data_drafts, group_value
from mms_server.model.layout import Draft, Layout

ATTRIBUTES_LIMIT: Final = 2_000_000  # of all LNs
DISTINCT_LIMIT: Final = 250_000  # of all LN types: each is laid out once, and that is what costs
Blocks = Mapping[FC, list[Draft]]


class Layouts:
    """One layout for all LNs that look alike: of one type, with control blocks of the same names.

    Raises MappingError for a server with more attributes than the limits, which a few arrays of arrays can have.
    """

    def __init__(self, server: Server) -> None:
        _refuse_too_many(server)
        self._server = server
        self._by_key: dict[object, Layout] = {}
        self._data: dict[tuple[int, int], Blocks] = {}  # by LN type and active setting group

    def blocks(self, ld: LogicalDevice, ln: LogicalNode) -> Blocks:
        """The control blocks of `ln`."""
        return block_drafts(self._server, ld, ln)

    def of(self, ln: LogicalNode, blocks: Blocks, active_group: int) -> Layout:
        """The layout of `ln`, which has these `blocks`; settings begin as the active group has them."""
        data_key = (id(ln.type), active_group)
        key = (*data_key, tuple((fc, tuple(draft.name for draft in drafts)) for fc, drafts in blocks.items()))
        if key not in self._by_key:
            if data_key not in self._data:
                self._data[data_key] = data_drafts(ln.type, active_group)
            self._by_key[key] = Layout(_root(self._data[data_key], blocks))
        return self._by_key[key]


def _root(data: Blocks, blocks: Blocks) -> Draft:
    groups = [Draft(fc.value, [*data.get(fc, []), *blocks.get(fc, [])]) for fc in FC if fc in data or fc in blocks]
    return Draft("", groups)


def initial_values(layout: Layout, ln: LogicalNode, blocks: Blocks, active_group: int) -> list[object]:
    """The value of every node of `ln`, None for inner ones: the type's default, the instance's own, the blocks' attributes."""
    values: list[object] = list(layout.defaults)
    for path, override in ln.overrides.items():
        for index in layout.paths.get(path, ()):
            _lay_override(layout, index, override, active_group, values)
    for fc, drafts in blocks.items():
        for draft in drafts:
            _lay_block(draft, layout.by_suffix[f"${fc.value}${draft.name}".encode()].index, values)
    return values


def _lay_override(layout: Layout, index: int, override: Override, active_group: int, values: list[object]) -> None:
    node = layout.nodes[index]
    if node.kind is None or not override.values:
        return
    group = active_group if node.fc is FC.SG else 1
    values[index] = leaves.initial(node.kind, group_value(override.values, group))


def _lay_block(draft: Draft, index: int, values: list[object]) -> int:
    if draft.kind is not None:
        values[index] = draft.default
        return index + 1
    index += 1
    for member in draft.members:
        index = _lay_block(member, index, values)
    return index


def _refuse_too_many(server: Server) -> None:
    below: dict[int, int] = {}
    by_type: dict[int, int] = {}
    total = 0
    for _, ln in server.nodes():
        if id(ln.type) not in by_type:
            by_type[id(ln.type)] = sum(_count(one, below) for one in ln.type.objects)
        total += by_type[id(ln.type)]
    for count, where, limit in ((total, "", ATTRIBUTES_LIMIT), (sum(by_type.values()), " distinct", DISTINCT_LIMIT)):
        if count > limit:
            found = Diagnostics()
            message = f"IED `{server.ied_name}` has {count}{where} attributes, expected at most {limit}"
            found.error("scl-too-large", Span(server.ied_name), message)
            found.raise_errors()


def _count(one: DataObjectType | AttributeType, below: dict[int, int]) -> int:
    """The leaves below a type, elements of arrays each; `below` remembers the sums of members that types share."""
    if not one.members:
        return max(one.count, 1)
    if id(one.members) not in below:
        below[id(one.members)] = sum(_count(member, below) for member in one.members)
    return max(one.count, 1) * below[id(one.members)]
