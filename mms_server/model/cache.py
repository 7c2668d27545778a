"""The value cache: each leaf's value and its encoded Data; inner nodes keep theirs until a leaf below changes.

A read joins octets that exist. A change of a leaf clears the octets of what stands above it and stops at the first that
is clear already, which is right because of the one invariant: an encoded node has only encoded children. Octets are kept
where that pays: of leaves, of data objects, of functional constraints. Whole LNs are encoded for each reader (only a full
browse asks for them), and so is what lies inside an object of fixed size, which is put together from its leaves in one step.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, cast

from bus.quality import Stamp
from mms_server.mms.data import Scalar
from mms_server.model.layout import DCHG, DUPD, QCHG, Node
from mms_server.stack import ber

SlotValue = tuple[int, object]
"""The slot of a leaf and the value that it is to have."""

Commit = Callable[[list[SlotValue], Stamp], object]
"""Takes new values for leaves, in one commit of the engine: reports and logs follow."""

_NO_LEAF: Final = "a structure, expected one of its attributes"


class Changes(NamedTuple):
    """The changes of one commit by leaf slot: values, qualities, and values written again though equal."""

    dchg: list[int]
    qchg: list[int]
    dupd: list[int]


class Cache:
    """Values and octets by slot. `nodes[slot]` is the layout's node there."""

    __slots__ = ("encodings", "nodes", "octets", "values", "version")

    def __init__(self, nodes: list[Node], values: list[object]) -> None:
        self.nodes = nodes
        self.values = values
        self.octets: list[bytes | None] = [None] * len(nodes)
        self.version = 0  # grows with every change: whoever keeps what he has joined looks at it
        self.encodings = 0  # leaves encoded since the start: growth is tested by counting
        shared: dict[bytes, bytes] = {}  # most leaves begin alike
        last: dict[Node, tuple[object, bytes]] = {}  # by the layout's leaf, what it was in the LN before
        for slot, (node, value) in enumerate(zip(nodes, values, strict=True)):
            if node.kind is None:
                continue
            known = last.get(node)
            if known is None or known[0] is not value:
                encoded = node.kind.encode(cast("Scalar", value))
                known = last[node] = (value, shared.setdefault(encoded, encoded))
            self.octets[slot] = known[1]

    def read(self, slot: int) -> bytes:
        """The Data of the node at `slot`."""
        octets = self.octets[slot]
        return octets if octets is not None else self._encode(slot)

    def _encode(self, slot: int) -> bytes:
        node, known = self.nodes[slot], self.octets
        if node.pieces:  # all leaves, which are always encoded
            octets = b"".join([piece if piece.__class__ is bytes else known[slot + piece] for piece in node.pieces])  # type: ignore[operator, misc]
        else:
            inner = [known[slot + offset] or self._encode(slot + offset) for offset in node.offsets]
            octets = ber.tlv(node.tag, b"".join(inner))
        if node.kept:
            known[slot] = octets
        return octets

    def check(self, slot: int, value: object) -> Scalar:
        """`value` as the leaf at `slot` keeps it. Raises TypeError or ValueError."""
        kind = self.nodes[slot].kind
        if kind is None:
            raise TypeError(_NO_LEAF)
        return kind.check(value)

    def commit(self, pairs: Iterable[SlotValue], *, force: bool = False) -> Changes:
        """Take new values for leaves, all or none; compared on the wire, so a NaN that stays is no change.

        With `force` an equal value counts as changed.
        Raises TypeError or ValueError for a value that does not fit its leaf; nothing is changed then.
        """
        nodes, changes = self.nodes, Changes([], [], [])
        taken = []
        for slot, value in pairs:
            kind = nodes[slot].kind
            if kind is None:
                raise TypeError(_NO_LEAF)
            taken.append((slot, *kind.taken(value)))
        self.encodings += len(taken)
        for slot, checked, encoded in taken:
            triggers = nodes[slot].triggers
            if triggers & DUPD:
                changes.dupd.append(slot)
            if encoded == self.octets[slot] and not force:
                continue
            self.octets[slot], self.values[slot] = encoded, checked
            self.version += 1
            if triggers & DCHG:
                changes.dchg.append(slot)
            if triggers & QCHG:
                changes.qchg.append(slot)
            self._clear_above(slot)
        return changes

    def _clear_above(self, slot: int) -> None:
        nodes, octets = self.nodes, self.octets
        above = nodes[slot].above
        while above:
            slot -= above
            if octets[slot] is None:
                return
            octets[slot] = None
            above = nodes[slot].above
