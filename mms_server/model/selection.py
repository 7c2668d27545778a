"""Alternate access: which slots a selection inside a variable means, and how their Data are put together.

One selection gives what it selects; several give a structure of them. A range, or all elements, gives an array; what
is selected inside is then taken of each element.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mms_server.mms import data
from mms_server.mms.access import Component, Everything, Range, Selection
from mms_server.model.cache import Cache
from mms_server.stack import ber


@dataclass(frozen=True, slots=True)
class Compound:
    """An array or structure made for one answer, of slots and of further compounds."""

    tag: int
    parts: tuple["int | Compound", ...]


Selected = int | Compound


def select(cache: Cache, slot: int, selections: Sequence[Selection]) -> Selected | None:
    """What `selections` mean inside the variable at `slot`; None if something of it does not exist."""
    if not selections:
        return slot
    parts = [_one(cache, slot, selection) for selection in selections]
    if len(parts) == 1:
        return parts[0]
    return Compound(data.STRUCTURE, tuple(part for part in parts if part is not None)) if None not in parts else None


def _one(cache: Cache, slot: int, selection: Selection) -> Selected | None:
    node = cache.nodes[slot]
    match selection.choice:
        case Component(name):
            child = node.child(name)
            return None if child is None else select(cache, slot + child.up, selection.inner)
        case Range(low, _, True):
            inside = node.array and low < len(node.offsets)
            return select(cache, slot + node.offsets[low], selection.inner) if inside else None
        case Range(low, length, _):
            return _elements(cache, slot, low, length, selection.inner)
        case Everything():
            return _elements(cache, slot, 0, len(node.offsets), selection.inner)


def _elements(cache: Cache, slot: int, low: int, length: int, inner: Sequence[Selection]) -> Selected | None:
    node = cache.nodes[slot]
    if not node.array or length < 1 or low + length > len(node.offsets):
        return None
    parts = [select(cache, slot + offset, inner) for offset in node.offsets[low : low + length]]
    return Compound(data.ARRAY, tuple(part for part in parts if part is not None)) if None not in parts else None


def octets(cache: Cache, selected: Selected) -> bytes:
    """The Data of what was selected."""
    if isinstance(selected, int):
        return cache.read(selected)
    return ber.tlv(selected.tag, b"".join([octets(cache, part) for part in selected.parts]))
