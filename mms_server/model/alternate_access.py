"""Alternate access: resolves the selections inside a variable, and joins their Data (ISO 9506-2, AlternateAccess).

One selection gives its part; several give a structure of them. A range, or all elements, gives an array; an inner selection
is then taken of each element. Elements of an array are all alike, so the first one decides if a selection exists. The Data
are joined for each answer, and only as far as the answer has room: a short request can ask for more than a machine holds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mms_server.mms import data
from mms_server.mms.access import AccessSelection, Choice, Component, Everything, Range
from mms_server.model.cache import Cache
from mms_server.model.layout import Node
from mms_server.stack import ber


class ResolvedAccess(NamedTuple):
    """`selections` inside the variable at `slot`, all of which exist."""

    slot: int
    selections: tuple[AccessSelection, ...]


def select(nodes: Sequence[Node], slot: int, selections: tuple[AccessSelection, ...]) -> int | ResolvedAccess | None:
    """`selections` inside the variable at `slot`, resolved: a slot if they lead to one; None if any does not exist."""
    while len(selections) == 1 and not _of_elements(selections[0].choice):
        offset = _chosen(nodes[slot], selections[0].choice)
        if not offset:
            return None
        slot += offset[0]
        selections = selections[0].inner
    if not selections:
        return slot
    return ResolvedAccess(slot, selections) if _exist(nodes, slot, selections) else None


def _of_elements(choice: Choice) -> bool:
    return isinstance(choice, Everything) or (isinstance(choice, Range) and not choice.single)


def _chosen(node: Node, choice: Choice) -> Sequence[int]:
    """The offsets of what `choice` takes of `node`; none if it does not exist."""
    match choice:
        case Component(name):
            offset = node.below(name)
            return (offset,) if offset else ()
        case Range(low, length, _):
            inside = node.array and 0 < length <= len(node.offsets) - low
            return node.offsets[low : low + length] if inside else ()
        case Everything():
            return node.offsets if node.array else ()


def _exist(nodes: Sequence[Node], slot: int, selections: Iterable[AccessSelection]) -> bool:
    for selection in selections:
        offsets = _chosen(nodes[slot], selection.choice)
        if not offsets or not _exist(nodes, slot + offsets[0], selection.inner):
            return False
    return True


def octets(cache: Cache, resolved: int | ResolvedAccess, room: int) -> bytes | None:
    """The Data of a resolved access; None if they are longer than `room`."""
    if isinstance(resolved, int):
        return cache.read(resolved)
    slot, selections = resolved
    if not selections:
        return cache.read(slot)
    if len(selections) > 1:
        return _joined(cache, data.STRUCTURE, (ResolvedAccess(slot, (one,)) for one in selections), room)
    choice, inner = selections[0].choice, selections[0].inner
    offsets = _chosen(cache.nodes[slot], choice)
    if _of_elements(choice):
        return _joined(cache, data.ARRAY, (ResolvedAccess(slot + offset, inner) for offset in offsets), room)
    return octets(cache, ResolvedAccess(slot + offsets[0], inner), room)


def _joined(cache: Cache, tag: int, parts: Iterable[ResolvedAccess], room: int) -> bytes | None:
    taken: list[bytes] = []
    for part in parts:
        one = octets(cache, part, room)
        if one is None or (room := room - len(one)) < 0:
            return None
        taken.append(one)
    return ber.tlv(tag, b"".join(taken))
