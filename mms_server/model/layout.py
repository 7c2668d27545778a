"""The layout of a logical node: every node below it numbered depth-first, shared by all LNs of one type.

    0 MMXU1   1 $MX   2 $MX$TotW   3 $MX$TotW$mag   4 $MX$TotW$mag$f   5 $MX$TotW$q   6 $MX$TotW$t   ...

Leaves and inner nodes share one number space, so a named variable is the range [index, index + size). An LN instance
adds its base to the index: that sum is the slot. Elements of an array are nodes too, but have no names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mapping.model import FC
from mms_server.mms import data
from mms_server.mms.data import Kind, Scalar
from mms_server.stack import ber

_OBJECT: Final = 2  # dollars in the suffix of a data object: `$MX$TotW`
_PIECES_LIMIT: Final = 64
DCHG: Final = 1
QCHG: Final = 2
DUPD: Final = 4


@dataclass(slots=True)
class Draft:
    """A node to be laid out. A leaf has a `kind` and a `default`; an array's members are its elements, all alike."""

    name: str
    members: Sequence["Draft"] = ()
    kind: Kind | None = None
    default: Scalar = False
    triggers: int = 0  # DCHG | QCHG | DUPD: what a change of the leaf means
    array: bool = False
    path: str = ""  # the dotted path by which the SCL file overrides the leaf; empty if it cannot
    locked: bool = False  # valKind other than Set: no client may change it
    given: bool = False  # the file has a Val
    groups: Mapping[int, Scalar] = field(
        default_factory=dict
    )  # of a setting: its value in each group that the file names


class Node:
    """One node of a layout; all numbers are relative to the LN."""

    __slots__ = (
        "above",
        "children",
        "description",
        "fc",
        "index",
        "kept",
        "kind",
        "name",
        "offsets",
        "pieces",
        "size",
        "suffix",
        "tag",
        "triggers",
        "up",
    )

    def __init__(self, index: int, up: int, draft: Draft, suffix: bytes | None, fc: FC | None) -> None:
        self.index = index
        self.up = up  # index minus the parent's index; 0 for the LN itself
        self.name = draft.name.encode("ascii", "replace")
        self.kind = draft.kind
        self.triggers = draft.triggers
        self.tag = data.ARRAY if draft.array else data.STRUCTURE
        self.suffix = suffix  # `$MX$TotW`; None below an array
        self.fc = fc
        self.children: tuple[Node, ...] = ()
        self.offsets: tuple[int, ...] = ()  # of the children, from this node
        self.size = 1
        self.description = b""  # its TypeDescription
        self.kept = False  # the cache keeps its octets: of every leaf, of inner nodes where that pays
        self.above = 0  # index minus that of the nearest node above whose octets are kept; 0 if there is none
        self.pieces: tuple[bytes | int, ...] = ()  # of a node of fixed size: its headers, and the offsets of its leaves

    @property
    def array(self) -> bool:
        """True if its children are the elements of an array."""
        return self.tag == data.ARRAY

    def child(self, name: bytes) -> "Node | None":
        """The member `name` of a structure."""
        return None if self.array else next((node for node in self.children if node.name == name), None)

    def below(self, path: bytes) -> int | None:
        """The offset from this node to the one at `DO$DA$...`: 0 for an empty path, None if there is none."""
        node: Node | None = self
        for name in path.split(b"$") if path else ():
            node = node.child(name) if node else None
        return None if node is None else node.index - self.index


class Layout:
    """All nodes of an LN in order, found by index or by the part of the item behind the LN's name."""

    __slots__ = ("by_suffix", "defaults", "given", "groups", "locked", "nodes", "paths", "suffixes")

    def __init__(self, root: Draft) -> None:
        self.nodes: list[Node] = []
        self.by_suffix: dict[bytes, Node] = {}
        self.defaults: list[Scalar | None] = []  # by index; None for inner nodes
        self.paths: dict[str, list[int]] = {}  # SCL path -> the leaves that it overrides (SG and SE: two)
        self.locked: set[int] = set()  # leaves that no client may change
        self.given: set[int] = set()  # leaves for which the file has a value
        self.groups: dict[int, Mapping[int, Scalar]] = {}  # settings whose values differ by group
        self._settle(self._lay(root, 0, b"", None), 0, inside=True)
        self.suffixes = sorted(self.by_suffix)

    @property
    def size(self) -> int:
        """The number of slots of an instance."""
        return len(self.nodes)

    def _lay(self, draft: Draft, parent: int, suffix: bytes | None, fc: FC | None) -> Node:
        index = len(self.nodes)
        node = Node(index, index - parent, draft, suffix, fc)
        self.nodes.append(node)
        self.defaults.append(None if draft.kind is None else draft.default)
        if suffix is not None:
            self.by_suffix[suffix] = node
        if draft.kind is not None:
            node.description = draft.kind.description
            if draft.locked:
                self.locked.add(index)
            if draft.given:
                self.given.add(index)
            if draft.groups:
                self.groups[index] = draft.groups
            if draft.path:
                self.paths.setdefault(draft.path, []).append(index)
            return node
        node.children = tuple(self._members(draft, node, suffix, fc))
        node.offsets = tuple(child.index - index for child in node.children)
        node.size = len(self.nodes) - index
        node.description = _described(node)
        if suffix is not None and suffix.count(b"$") >= _OBJECT:
            node.pieces, _ = _pieces(node)
        return node

    def _settle(self, node: Node, above: int, *, inside: bool) -> None:
        """Decide where the cache keeps octets: not of the LN, nor inside of what is put together in one step."""
        node.above = node.index - above if above else 0
        node.kept = node.kind is not None or not inside
        below = node.index if node.kept else above
        for child in node.children:
            self._settle(child, below, inside=(node.kept and bool(node.pieces)) or (inside and node.index != 0))

    def _members(self, draft: Draft, node: Node, suffix: bytes | None, fc: FC | None) -> Iterator[Node]:
        for member in draft.members:
            below = None if suffix is None or draft.array else suffix + b"$" + member.name.encode("ascii", "replace")
            yield self._lay(member, node.index, below, FC(member.name) if fc is None and node.index == 0 else fc)


def _pieces(node: Node) -> tuple[tuple[bytes | int, ...], int]:
    """The pieces that the octets of `node` are joined from, and their number; none if it depends on values."""
    pieces: list[bytes | int] = []
    octets = 0
    for child, offset in zip(node.children, node.offsets, strict=True):
        below, size = ((0,), child.kind.fixed_octets) if child.kind is not None else _pieces(child)
        if not size or len(pieces) + len(below) > _PIECES_LIMIT:
            return (), 0
        octets += size
        pieces += [piece + offset if isinstance(piece, int) else piece for piece in below]
    header = bytes((node.tag,)) + ber.length(octets)
    if pieces and isinstance(pieces[0], bytes):
        header += pieces.pop(0)  # type: ignore[operator]
    return (header, *pieces), len(bytes((node.tag,)) + ber.length(octets)) + octets


def _described(node: Node) -> bytes:
    if node.array:
        return data.array_description(
            len(node.children), node.children[0].description if node.children else b"\x83\x00"
        )
    return data.structure_description([(child.name, child.description) for child in node.children])
