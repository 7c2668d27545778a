"""Overrides of process values: substitution (SV), blocking (BL), quality by Beh (IEC 61850-7-2 substitution, 7-4 annex A).

    subEna       value and quality are subVal (subMag, subCVal) and subQ, with `substituted`
    blkEna       all of the object stays as it was; quality is questionable at best, with `oldData` and `operatorBlocked`
    Beh          test and test/blocked: quality has `test`; off: it is invalid

The values of the process are kept underneath and shown again when no override is left. Beh follows Mod, of the LN and of
its LLN0. Substitution outlives the association that made it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bus import quality
from mapping.model import FC
from mms_server.acsi.behaviour import Behaviour
from mms_server.mms.data import Scalar
from mms_server.model.cache import SlotValue
from mms_server.model.layout import Layout, Node
from mms_server.model.tree import DataModel, PlacedNode

ON, BLOCKED, TEST, TEST_BLOCKED, OFF = 1, 2, 3, 4, 5
_NOT_HELD: Final = frozenset({b"q", b"origin", b"ctlNum", b"stSeld"})  # by blkEna: quality, and what control shows
_VALUES: Final = {"subVal": ("stVal", "valWTr"), "subMag": ("mag", "instMag", "mxVal"), "subCVal": ("cVal", "instCVal")}
_OLD: Final = quality.Quality(quality.QUESTIONABLE | quality.OLD_DATA)


@dataclass(eq=False, slots=True)
class _Overridable:
    """One data object: its leaves, and the leaves of SV, BL and Beh that override them.

    `values` are (leaf of the object, leaf under SV), `held` the leaves that blkEna holds.
    """

    q: int | None
    beh: int | None
    sub_ena: int | None = None
    sub_q: int | None = None
    blk_ena: int | None = None
    values: list[tuple[int, int]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def at(self, base: int, beh: int | None) -> "_Overridable":
        """This object of a layout in the LN at `base`."""
        moved = [None if one is None else base + one for one in (self.q, self.sub_ena, self.sub_q, self.blk_ena)]
        pairs = [(base + leaf, base + sub) for leaf, sub in self.values]
        held = [base + leaf for leaf in self.held]
        return _Overridable(moved[0], beh, moved[1], moved[2], moved[3], pairs, held)


class Substitution(Behaviour):
    """All overrides of process values in one server."""

    def __init__(self, model: DataModel) -> None:
        self._model = model
        self._values = model.cache.values
        self._raw: dict[int, Scalar] = {}  # the process values of leaves that are overridden
        self._frozen: dict[int, Scalar] = {}  # their process values when they were blocked
        self._by_control: dict[int, list[_Overridable]] = {}  # by the leaf that decides
        self._by_leaf: dict[int, _Overridable] = {}
        self._modes: dict[int, list[tuple[int, int, int | None]]] = {}  # Mod -> (Beh, Mod of the LN, Mod of LLN0)
        self._objects: dict[Layout, list[_Overridable]] = {}  # the objects of each layout, by its indexes
        for placed in model.nodes():
            self._place(placed)
        self._objects.clear()
        self._deciding = self._by_control.keys() | self._modes.keys()
        self._apply()

    def _place(self, placed: PlacedNode) -> None:
        beh = _leaf(placed, b"$ST$Beh$stVal")
        self._place_mode(placed, beh)
        objects = self._objects.get(placed.layout)
        if objects is None:
            objects = self._objects[placed.layout] = list(_objects_of(placed.layout))
        for one in objects:
            self._index(one.at(placed.base, beh))

    def _index(self, target: _Overridable) -> None:
        controls = [target.sub_ena, target.sub_q, target.blk_ena, target.beh, *(sub for _, sub in target.values)]
        for slot in controls:
            if slot is not None:
                self._by_control.setdefault(slot, []).append(target)
        for leaf in (target.q, *(leaf for leaf, _ in target.values), *target.held):
            if leaf is not None:
                self._by_leaf[leaf] = target

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

    def has_overrides(self) -> bool:
        """True if the model has any leaf that could override a process value."""
        return bool(self._by_control or self._modes)

    def process(self, slot: int) -> Scalar:
        """The process value of the leaf at `slot`, overridden or not."""
        return self._raw[slot] if slot in self._raw else self._values[slot]  # type: ignore[return-value]

    def applied(self, pairs: list[SlotValue]) -> list[SlotValue]:
        """`pairs` as they are shown, overrides applied. Raises TypeError or ValueError, as a commit."""
        raw, cache = self._raw, self._model.cache
        if not raw:
            return pairs
        checked = [(slot, cache.check(slot, value)) for slot, value in pairs]  # all or none, also underneath
        raw.update((slot, value) for slot, value in checked if slot in raw)
        return [(slot, self._shown(slot) if slot in raw else value) for slot, value in checked]

    def follow(self, slots: Iterable[int]) -> list[SlotValue]:
        """The changes that follow from changes of `slots`: Beh after Mod, overrides that begin or end."""
        pairs: list[SlotValue] = []
        touched = self._deciding.intersection(slots)
        for slot in touched & self._modes.keys():
            for beh, own, top in self._modes[slot]:
                modes = [_mode(self._values[one]) for one in (own, top) if one is not None and one >= 0]
                pairs.append((beh, derived(modes)))
        if pairs:
            return pairs  # Beh decides in its turn
        seen: set[int] = set()
        for slot in touched & self._by_control.keys():
            for target in self._by_control[slot]:
                if id(target) not in seen:
                    seen.add(id(target))
                    pairs += self._refreshed(target)
        return pairs

    def _apply(self) -> None:
        """Apply the file's values at the start: Beh after a Mod that is not on, substitutions, blocks."""
        commit, values = self._model.cache.commit, self._values
        commit(self.follow([slot for slot in self._modes if _mode(values[slot]) != ON]))
        commit(self.follow(self._by_control))

    def _refreshed(self, target: _Overridable) -> list[SlotValue]:
        pairs: list[SlotValue] = []
        substituted, blocked = self._on(target.sub_ena), self._on(target.blk_ena)
        for leaf in target.held:
            if blocked:
                self._frozen.setdefault(leaf, self.process(leaf))
            else:
                self._frozen.pop(leaf, None)
        hidden = {leaf for leaf, _ in target.values} if substituted else set()
        for leaf in dict.fromkeys((*(leaf for leaf, _ in target.values), *target.held)):
            pairs += self._overridden(leaf, leaf in hidden or leaf in self._frozen)
        if target.q is not None:
            pairs += self._overridden(target.q, substituted or blocked or self._beh(target) != ON)
        return pairs

    def _overridden(self, leaf: int, override: bool) -> list[SlotValue]:
        if override:
            self._raw.setdefault(leaf, self._values[leaf])  # type: ignore[arg-type]
            return [(leaf, self._shown(leaf))]
        return [(leaf, self._raw.pop(leaf))] if leaf in self._raw else []

    def _shown(self, leaf: int) -> Scalar:
        """The value that an overridden leaf shows."""
        target, raw = self._by_leaf[leaf], self._raw[leaf]
        substituted = self._on(target.sub_ena)
        if leaf != target.q:
            instead = next((sub for own, sub in target.values if own == leaf), None) if substituted else None
            return self._frozen[leaf] if instead is None else self._values[instead]  # type: ignore[return-value]
        judged = int(str(raw))
        if substituted:
            judged = 0 if target.sub_q is None else int(str(self._values[target.sub_q]))
            judged |= quality.SUBSTITUTED
        if self._on(target.blk_ena):
            judged = (judged if substituted else quality.worst(judged, _OLD)) | quality.OPERATOR_BLOCKED
        beh = self._beh(target)
        if beh in (TEST, TEST_BLOCKED):
            judged |= quality.TEST
        return quality.worst(judged, quality.INVALID) if beh == OFF else judged

    def _on(self, slot: int | None) -> bool:
        return slot is not None and self._values[slot] is True

    def _beh(self, target: _Overridable) -> int:
        return ON if target.beh is None else _mode(self._values[target.beh])


def _mode(value: object) -> int:
    """A mode as the model has it; on for a value that is none."""
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


def _objects_of(layout: Layout) -> Iterable[_Overridable]:
    """The data objects of a layout that can be overridden, by its indexes."""
    for suffix, node in layout.by_suffix.items():
        if node.name != b"q" or node.fc not in (FC.ST, FC.MX) or suffix.count(b"$") < 3:
            continue
        path = suffix[3:].rpartition(b"$")[0]  # `$DO` or `$DO$SDO`
        if path in (b"$Beh", b"$Mod"):
            continue
        sub_ena = _index_of(layout, b"$SV" + path + b"$subEna")
        blk_ena = _index_of(layout, b"$BL" + path + b"$blkEna")
        yield _Overridable(
            node.index,
            None,
            sub_ena,
            _index_of(layout, b"$SV" + path + b"$subQ"),
            blk_ena,
            [] if sub_ena is None else list(_paired(layout, path, suffix[:3])),
            [] if blk_ena is None else list(_held(layout.by_suffix[suffix[:3] + path])),
        )


def _held(node: Node) -> Iterable[int]:
    """The leaves of an object that blkEna holds: its value and its attributes, without those of SDOs."""
    for child in node.children:
        if child.kind is not None:
            if child.name not in _NOT_HELD:
                yield child.index
        elif child.name not in _NOT_HELD and child.child(b"q") is None:
            yield from _held(child)


def _paired(layout: Layout, path: bytes, fc: bytes) -> Iterable[tuple[int, int]]:
    """The leaves of the object at `path` that substitution overrides, each with its substitute."""
    for name, names in _VALUES.items():
        sub = layout.by_suffix.get(b"$SV" + path + b"$" + name.encode())
        for own in names if sub is not None else ():
            node = layout.by_suffix.get(fc + path + b"$" + own.encode())
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
