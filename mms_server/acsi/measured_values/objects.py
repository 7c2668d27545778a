"""Measured objects: the leaves of an MV or CMV that its deadband and range need (IEC 61850-7-3, MV and CMV).

    MV   instMag, mag,    range             CF: db, dbRef, zeroDb, zeroDbRef, rangeC, sVC
    CMV  instCVal, cVal,  range, rangeAng       the same for the magnitude; dbAng, dbAngRef, rangeAngC, angSVC for the angle

They are found by structure, at any depth and in arrays: an object under MX that has `q` and `mag` or `cVal`. Those without
a deadband and without limits are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bus.quality import Quality
from mms_server.acsi.measured_values.deadband import Bounds
from mms_server.model.layout import Layout, Node
from mms_server.model.tree import DataModel, PlacedNode

LIMITS: Final = ("hhLim", "hLim", "lLim", "llLim", "min", "max")
Leaf = tuple[int | None, int]  # of the instantaneous value, where there is one, and of that which is shown


@dataclass(eq=False, slots=True)
class MeasuredNumber:
    """A magnitude or an angle. Slots are None for attributes that the type does not have.

    `leaves` are its `f` and `i`; the first one decides, and limits are those of the same name.
    """

    leaves: list[Leaf]
    angle: bool
    db: int | None = None
    db_ref: int | None = None
    zero_db: int | None = None
    zero_ref: int | None = None
    range: int | None = None
    lim_db: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    scale: int | None = None  # scaleFactor: references are in the unit, an `i` counts in steps of so much

    @property
    def inst(self) -> int | None:
        """The leaf of the instantaneous value that decides."""
        return self.leaves[0][0]

    @property
    def shown(self) -> int:
        """The leaf that follows it."""
        return self.leaves[0][1]

    def settings(self) -> Iterator[int]:
        """The leaves of its configuration."""
        single = (self.db, self.db_ref, self.zero_db, self.zero_ref, self.lim_db, self.scale)
        yield from (slot for slot in single if slot is not None)
        yield from self.limits.values()


class MeasuredObject:
    """One data object: its numbers, the magnitude first, and the last process quality."""

    __slots__ = (
        "beyond", "bounds", "by_inst", "fed", "has_deadband", "inst", "leaves", "numbers", "process_q", "q", "settings",
        "shown", "t", "values",
    )  # fmt: skip

    def __init__(self, q: int, t: int | None, numbers: list[MeasuredNumber]) -> None:
        self.q = q
        self.t = t
        self.numbers = numbers
        self.leaves = [leaf for one in numbers for leaf in one.leaves]
        self.inst = frozenset(inst for inst, _ in self.leaves if inst is not None)
        self.shown = frozenset(shown for _, shown in self.leaves)
        self.values = self.inst | self.shown
        self.settings = frozenset(slot for one in numbers for slot in one.settings())
        self.has_deadband = any(one.db is not None or one.zero_db is not None for one in numbers)
        self.bounds: list[Bounds] | None = None  # of the numbers, as configured; None: to be looked at again
        self.process_q: Quality | None = None  # the process quality; None before the first
        self.fed = False  # a value has come
        self.by_inst = False  # the last value came as instMag or instCVal
        self.beyond = False  # the magnitude is below min or above max

    @property
    def idle(self) -> bool:
        """True if no shown value depends on another one: an embedding program feeds all that there is."""
        return not self.inst and not any(one.limits for one in self.numbers)


def found(model: DataModel) -> Iterator[MeasuredObject]:
    """The measured objects of a server that have a deadband or limits."""
    without: set[Layout] = set()  # what one LN of a layout does not have, none has
    for placed in model.nodes():
        measured = placed.layout.by_suffix.get(b"$MX")
        if measured is None or placed.layout in without:
            continue
        objects = list(_below(placed, measured, placed.layout.by_suffix.get(b"$CF")))
        if not objects:
            without.add(placed.layout)
        yield from objects


def _below(placed: PlacedNode, node: Node, config: Node | None) -> Iterator[MeasuredObject]:
    """The objects at and below `node`; `config` is the node under CF at the same place."""
    q = _slot(placed, node, b"q")
    if q is not None and (node.child(b"mag") or node.child(b"cVal")):
        numbers = [one for one in _numbers(placed, node, config) if one.leaves]
        one = MeasuredObject(q, _slot(placed, node, b"t"), numbers)
        if one.settings:
            yield one
        return
    for at, child in enumerate(node.children):
        if child.kind is None:
            yield from _below(placed, child, _beside(config, child, at if node.array else None))


def _beside(config: Node | None, child: Node, at: int | None) -> Node | None:
    if config is None or at is None:
        return None if config is None else config.child(child.name)
    return config.children[at] if config.array and at < len(config.children) else None


def _numbers(placed: PlacedNode, node: Node, config: Node | None) -> Iterator[MeasuredNumber]:
    if node.child(b"mag") is not None:
        yield _number(placed, node, config, (b"instMag",), (b"mag",), angle=False)
        return
    yield _number(placed, node, config, (b"instCVal", b"mag"), (b"cVal", b"mag"), angle=False)
    angle = _number(placed, node, config, (b"instCVal", b"ang"), (b"cVal", b"ang"), angle=True)
    if angle.db is None:
        angle.db = _slot(placed, config, b"db")
    yield angle


def _number(
    placed: PlacedNode,
    node: Node,
    config: Node | None,
    inst: tuple[bytes, ...],
    shown: tuple[bytes, ...],
    *,
    angle: bool,
) -> MeasuredNumber:
    def setting(*path: bytes) -> int | None:
        return _slot(placed, config, *path)

    names = [name for name in (b"f", b"i") if _slot(placed, node, *shown, name) is not None]
    leaves = [(_slot(placed, node, *inst, name), placed.base + _at(node, *shown, name).index) for name in names]
    number = MeasuredNumber(leaves, angle)
    if not names:
        return number
    limits = b"rangeAngC" if angle else b"rangeC"
    number.db, number.db_ref = (
        (setting(b"dbAng"), setting(b"dbAngRef")) if angle else (setting(b"db"), setting(b"dbRef"))
    )
    number.range = _slot(placed, node, b"rangeAng" if angle else b"range")
    number.lim_db = setting(limits, b"limDb")
    for name in LIMITS:
        slot = setting(limits, name.encode(), names[0])
        if slot is not None:
            number.limits[name] = slot
    if names[0] == b"i":
        own = b"sVC" if len(shown) == 1 else b"angSVC" if angle else b"magSVC"
        number.scale = setting(own, b"scaleFactor")
    if not angle:
        number.zero_db, number.zero_ref = setting(b"zeroDb"), setting(b"zeroDbRef")
    return number


def _at(node: Node, *path: bytes) -> Node:
    for name in path:
        below = node.child(name)
        assert below is not None  # noqa: S101 - it was found before
        node = below
    return node


def _slot(placed: PlacedNode, node: Node | None, *path: bytes) -> int | None:
    """The slot of the leaf at `path` below `node`; None if there is none."""
    for name in path:
        node = None if node is None else node.child(name)
    return None if node is None or node.kind is None else placed.base + node.index
