"""The value cache: each leaf's value and its encoded Data; inner nodes keep theirs until a leaf below changes.

A read joins octets that exist. A change of a leaf clears the octets of what stands above it and stops at the first that
is clear already, which is right because of the one invariant: an encoded node has only encoded children. Whole LNs are
encoded for each reader and not kept; only a full browse asks for them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, cast

from mms_server.mms.data import Scalar
from mms_server.model.layout import DCHG, DUPD, QCHG, Node
from mms_server.stack import ber

_NOT_KEPT: Final = 0  # index of the LN itself in its layout


class Changes(NamedTuple):
    """What a commit changed, by leaf slot: values, qualities, and values written again though equal."""

    dchg: list[int]
    qchg: list[int]
    dupd: list[int]


class Cache:
    """Values and octets by slot. `nodes[slot]` is the layout's node there."""

    __slots__ = ("encodings", "nodes", "octets", "values")

    def __init__(self, nodes: list[Node], values: list[object]) -> None:
        self.nodes = nodes
        self.values = values
        self.octets: list[bytes | None] = [None] * len(nodes)
        self.encodings = 0  # leaves encoded since the start: growth is tested by counting
        shared: dict[bytes, bytes] = {}  # most leaves begin alike
        for slot, node in enumerate(nodes):
            if node.kind is not None:
                encoded = node.kind.encode(cast("Scalar", values[slot]))
                self.octets[slot] = shared.setdefault(encoded, encoded)

    def read(self, slot: int) -> bytes:
        """The Data of the node at `slot`."""
        octets = self.octets[slot]
        return octets if octets is not None else self._encode(slot)

    def _encode(self, slot: int) -> bytes:
        node = self.nodes[slot]
        octets = ber.tlv(
            node.tag, b"".join([self.octets[slot + offset] or self._encode(slot + offset) for offset in node.offsets])
        )
        if node.index != _NOT_KEPT:
            self.octets[slot] = octets
        return octets

    def check(self, slot: int, value: object) -> Scalar:
        """`value` as the leaf at `slot` keeps it. Raises TypeError or ValueError."""
        kind = self.nodes[slot].kind
        if kind is None:
            raise TypeError("a structure, expected one of its attributes")
        return kind.check(value)

    def commit(self, pairs: Iterable[tuple[int, object]], *, force: bool = False) -> Changes:
        """Take new values for leaves, all or none; compared on the wire, so a NaN that stays is no change.

        With `force` an equal value counts as changed.
        Raises TypeError or ValueError for a value that does not fit its leaf; nothing is changed then.
        """
        checked = [(slot, self.check(slot, value)) for slot, value in pairs]
        changes = Changes([], [], [])
        for slot, value in checked:
            self._set(slot, value, changes, force)
        return changes

    def _set(self, slot: int, value: Scalar, changes: Changes, force: bool) -> None:
        node = self.nodes[slot]
        encoded = node.kind.encode(value)  # type: ignore[union-attr]
        self.encodings += 1
        if node.triggers & DUPD:
            changes.dupd.append(slot)
        if encoded == self.octets[slot] and not force:
            return
        self.octets[slot], self.values[slot] = encoded, value
        if node.triggers & DCHG:
            changes.dchg.append(slot)
        if node.triggers & QCHG:
            changes.qchg.append(slot)
        self._clear_above(slot)

    def _clear_above(self, slot: int) -> None:
        nodes, octets = self.nodes, self.octets
        up = nodes[slot].up
        while up:
            slot -= up
            if octets[slot] is None:
                return
            octets[slot] = None
            up = nodes[slot].up
