"""What is shown instead of the process: substitution, blocking, and the mode (IEC 61850-7-2 substitution, 7-3, 7-4 annex A).

    subEna       value and quality are subVal (subMag, subCVal) and subQ, with `substituted`
    blkEna       all of the object stays as it was; quality is questionable at best, with `oldData` and `operatorBlocked`
    Beh          test and test/blocked: quality has `test`; off: it is invalid

The process goes on underneath: what it says is kept, and shown again when nothing covers it any more. Beh follows Mod, of
the LN and of its LLN0. Substitution outlives the association that made it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bus import quality
from mapping.model import FC
from mms_server.acsi.behaviour import Behaviour
from mms_server.mms.data import Scalar
from mms_server.model.layout import Layout, Node
from mms_server.model.tree import DataModel, PlacedNode

ON, BLOCKED, TEST, TEST_BLOCKED, OFF = 1, 2, 3, 4, 5
_NOT_HELD: Final = frozenset({b"q", b"origin", b"ctlNum", b"stSeld"})  # by blkEna: quality, and what control shows
_VALUES: Final = {"subVal": ("stVal", "valWTr"), "subMag": ("mag", "instMag", "mxVal"), "subCVal": ("cVal", "instCVal")}
_OLD: Final = quality.Quality(quality.QUESTIONABLE | quality.OLD_DATA)
Pair = tuple[int, object]


@dataclass(eq=False, slots=True)
class _Covered:
    """One data object: what may cover it, and what it covers.

    `values` are (leaf of the object, leaf under SV), `held` the leaves that blkEna holds.
    """

    q: int | None
    beh: int | None
    sub_ena: int | None = None
    sub_q: int | None = None
    blk_ena: int | None = None
    values: list[tuple[int, int]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def at(self, base: int, beh: int | None) -> "_Covered":
        """This object of a layout in the LN at `base`."""
        moved = [None if one is None else base + one for one in (self.q, self.sub_ena, self.sub_q, self.blk_ena)]
        pairs = [(base + leaf, base + sub) for leaf, sub in self.values]
        held = [base + leaf for leaf in self.held]
        return _Covered(moved[0], beh, moved[1], moved[2], moved[3], pairs, held)


class Overlay(Behaviour):
    """All that covers the process in one server."""

    def __init__(self, model: DataModel) -> None:
        self._model = model
        self._values = model.cache.values
        self._raw: dict[int, Scalar] = {}  # what the process says of leaves that are covered
        self._frozen: dict[int, Scalar] = {}  # what it said of leaves when they were blocked
        self._by_control: dict[int, list[_Covered]] = {}  # by the leaf that decides
        self._by_leaf: dict[int, _Covered] = {}
        self._modes: dict[int, list[tuple[int, int, int | None]]] = {}  # Mod -> (Beh, Mod of the LN, Mod of LLN0)
        self._objects: dict[Layout, list[_Covered]] = {}  # what each layout has, by its indexes
        for placed in model.nodes():
            self._place(placed)
        self._objects.clear()
        self._deciding = self._by_control.keys() | self._modes.keys()
        self._cover()

    def _place(self, placed: PlacedNode) -> None:
        beh = _leaf(placed, b"$ST$Beh$stVal")
        self._place_mode(placed, beh)
        objects = self._objects.get(placed.layout)
        if objects is None:
            objects = self._objects[placed.layout] = list(_objects_of(placed.layout))
        for one in objects:
            self._index(one.at(placed.base, beh))

    def _index(self, covered: _Covered) -> None:
        controls = [covered.sub_ena, covered.sub_q, covered.blk_ena, covered.beh, *(sub for _, sub in covered.values)]
        for slot in controls:
            if slot is not None:
                self._by_control.setdefault(slot, []).append(covered)
        for leaf in (covered.q, *(leaf for leaf, _ in covered.values), *covered.held):
            if leaf is not None:
                self._by_leaf[leaf] = covered

    def _place_mode(self, placed: PlacedNode, beh: int | None) -> None:
        own = _leaf(placed, b"$ST$Mod$stVal")
        lln0 = placed.domain.nodes.get(b"LLN0")
        top = None if lln0 is None or lln0 is placed else _leaf(lln0, b"$ST$Mod$stVal")
        if beh is None:
            return
        for slot in (own, top):
            if slot is not None:
                self._modes.setdefault(slot, []).append((beh, -1 if own is None else own, top))

    # ------------------------------------------------------------------ what comes

    def covers(self) -> bool:
        """True if there is anything in the model that could cover something."""
        return bool(self._by_control or self._modes)

    def process(self, slot: int) -> Scalar:
        """What the process says of the leaf at `slot`, whatever is shown."""
        return self._raw[slot] if slot in self._raw else self._values[slot]  # type: ignore[return-value]

    def applied(self, pairs: list[Pair]) -> list[Pair]:
        """`pairs` as they are shown: what is covered keeps what covers it. Raises TypeError or ValueError, as a commit."""
        raw, cache = self._raw, self._model.cache
        if not raw:
            return pairs
        checked = [(slot, cache.check(slot, value)) for slot, value in pairs]  # all or none, also underneath
        raw.update((slot, value) for slot, value in checked if slot in raw)
        return [(slot, self._shown(slot) if slot in raw else value) for slot, value in checked]

    def follow(self, slots: Iterable[int]) -> list[Pair]:
        """What else changes now that these leaves have: Beh after Mod, and what is covered or uncovered."""
        pairs: list[Pair] = []
        touched = self._deciding.intersection(slots)
        for slot in touched & self._modes.keys():
            for beh, own, top in self._modes[slot]:
                modes = [_mode(self._values[one]) for one in (own, top) if one is not None and one >= 0]
                pairs.append((beh, derived(modes)))
        if pairs:
            return pairs  # Beh decides in its turn
        seen: set[int] = set()
        for slot in touched & self._by_control.keys():
            for covered in self._by_control[slot]:
                if id(covered) not in seen:
                    seen.add(id(covered))
                    pairs += self._refreshed(covered)
        return pairs

    def _cover(self) -> None:
        """Let what the file says hold from the start: Beh after a Mod that is not on, substitutions, blocks."""
        commit, values = self._model.cache.commit, self._values
        commit(self.follow([slot for slot in self._modes if _mode(values[slot]) != ON]))
        commit(self.follow(self._by_control))

    def _refreshed(self, covered: _Covered) -> list[Pair]:
        pairs: list[Pair] = []
        substituted, blocked = self._on(covered.sub_ena), self._on(covered.blk_ena)
        for leaf in covered.held:
            if blocked:
                self._frozen.setdefault(leaf, self.process(leaf))
            else:
                self._frozen.pop(leaf, None)
        hidden = {leaf for leaf, _ in covered.values} if substituted else set()
        for leaf in dict.fromkeys((*(leaf for leaf, _ in covered.values), *covered.held)):
            pairs += self._covered_or_not(leaf, leaf in hidden or leaf in self._frozen)
        if covered.q is not None:
            pairs += self._covered_or_not(covered.q, substituted or blocked or self._beh(covered) != ON)
        return pairs

    def _covered_or_not(self, leaf: int, covered: bool) -> list[Pair]:
        if covered:
            self._raw.setdefault(leaf, self._values[leaf])  # type: ignore[arg-type]
            return [(leaf, self._shown(leaf))]
        return [(leaf, self._raw.pop(leaf))] if leaf in self._raw else []

    def _shown(self, leaf: int) -> Scalar:
        """What a covered leaf shows."""
        covered, raw = self._by_leaf[leaf], self._raw[leaf]
        substituted = self._on(covered.sub_ena)
        if leaf != covered.q:
            instead = next((sub for own, sub in covered.values if own == leaf), None) if substituted else None
            return self._frozen[leaf] if instead is None else self._values[instead]  # type: ignore[return-value]
        judged = int(str(raw))
        if substituted:
            judged = 0 if covered.sub_q is None else int(str(self._values[covered.sub_q]))
            judged |= quality.SUBSTITUTED
        if self._on(covered.blk_ena):
            judged = (judged if substituted else quality.worst(judged, _OLD)) | quality.OPERATOR_BLOCKED
        beh = self._beh(covered)
        if beh in (TEST, TEST_BLOCKED):
            judged |= quality.TEST
        return quality.worst(judged, quality.INVALID) if beh == OFF else judged

    def _on(self, slot: int | None) -> bool:
        return slot is not None and self._values[slot] is True

    def _beh(self, covered: _Covered) -> int:
        return ON if covered.beh is None else _mode(self._values[covered.beh])


def _mode(value: object) -> int:
    """A mode as the model has it; on for what is none."""
    return value if isinstance(value, int) and ON <= value <= OFF and not isinstance(value, bool) else ON


def derived(modes: list[int]) -> int:
    """Beh of an LN whose own Mod and whose LLN0's Mod are `modes` (IEC 61850-7-4, annex A)."""
    if OFF in modes:
        return OFF
    blocked = any(mode in (BLOCKED, TEST_BLOCKED) for mode in modes)
    test = any(mode in (TEST, TEST_BLOCKED) for mode in modes)
    return {(True, True): TEST_BLOCKED, (True, False): TEST, (False, True): BLOCKED, (False, False): ON}[test, blocked]


def _leaf(placed: PlacedNode, suffix: bytes) -> int | None:
    index = _index_of(placed.layout, suffix)
    return None if index is None else placed.base + index


def _index_of(layout: Layout, suffix: bytes) -> int | None:
    node = layout.by_suffix.get(suffix)
    return None if node is None or node.kind is None else node.index


def _objects_of(layout: Layout) -> Iterable[_Covered]:
    """The data objects of a layout that something can cover, by its indexes."""
    for suffix, node in layout.by_suffix.items():
        if node.name != b"q" or node.fc not in (FC.ST, FC.MX) or suffix.count(b"$") < 3:
            continue
        path = suffix[3:].rpartition(b"$")[0]  # `$DO` or `$DO$SDO`
        if path in (b"$Beh", b"$Mod"):
            continue
        sub_ena = _index_of(layout, b"$SV" + path + b"$subEna")
        blk_ena = _index_of(layout, b"$BL" + path + b"$blkEna")
        yield _Covered(
            node.index,
            None,
            sub_ena,
            _index_of(layout, b"$SV" + path + b"$subQ"),
            blk_ena,
            [] if sub_ena is None else list(_paired(layout, path, suffix[:3])),
            [] if blk_ena is None else list(_held(layout.by_suffix[suffix[:3] + path])),
        )


def _held(node: Node) -> Iterable[int]:
    """The leaves of an object that blkEna holds: its value with all that goes with it, but nothing of objects inside it."""
    for child in node.children:
        if child.kind is not None:
            if child.name not in _NOT_HELD:
                yield child.index
        elif child.name not in _NOT_HELD and child.child(b"q") is None:
            yield from _held(child)


def _paired(layout: Layout, path: bytes, fc: bytes) -> Iterable[tuple[int, int]]:
    """The leaves of the object at `path` that substitution covers, each with that which stands for it."""
    for name, targets in _VALUES.items():
        sub = layout.by_suffix.get(b"$SV" + path + b"$" + name.encode())
        for target in targets if sub is not None else ():
            node = layout.by_suffix.get(fc + path + b"$" + target.encode())
            if node is not None and sub is not None:
                yield from _alike(node, sub)


def _alike(node: Node, sub: Node) -> Iterable[tuple[int, int]]:
    if node.kind is not None:
        if sub.kind == node.kind:
            yield node.index, sub.index
        return
    for child in node.children:
        other = sub.child(child.name)
        if other is not None:
            yield from _alike(child, other)
