"""ACSI names within a logical node: from `TotW.mag.f` to its index in the layout, and back (IEC 61850-7-2, ObjectReference).

The functional constraint stands beside the name there and inside it in MMS; it may be left out where one alone has the name.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from mapping.diagnostics import did_you_mean
from mapping.model import FC
from mapping.references import nearest
from mms_server.model.layout import Layout, Node


def index_of(layout: Layout, path: Sequence[str], fc: str | None, reference: str) -> int:
    """The index of `path`, under `fc` if that is said; an empty path is the LN, or the whole of `fc`.

    Raises KeyError that names the nearest names, or the functional constraints that have the name.
    """
    found = indexes_of(layout, path, fc, reference)
    if len(found) > 1:
        raise KeyError(
            f"`{reference}` is there under {', '.join(found)}: say which, as `{reference} [{next(iter(found))}]`"
        )
    return next(iter(found.values()))


def indexes_of(layout: Layout, path: Sequence[str], fc: str | None, reference: str) -> dict[str, int]:
    """The indexes of `path` by the functional constraints under which it is there, at least one.

    Raises KeyError that names the nearest names.
    """
    if not path and fc is None:
        return {"": 0}
    groups = [group for group in layout.nodes[0].children if fc in (None, group.name.decode())]
    found = {group.name.decode(): node.index for group in groups if (node := _below(group, path)) is not None}
    if not found:
        raise KeyError(_unknown(groups, path, reference))
    return found


def _below(group: Node, path: Iterable[str]) -> Node | None:
    node: Node | None = group
    for step in path:
        name, bracket, rest = step.partition("(")
        node = node.child(name.encode()) if node else None
        if node is not None and bracket:
            node = _element(node, rest.removesuffix(")"))
    return node


def _element(node: Node, number: str) -> Node | None:
    inside = node.array and number.isascii() and number.isdecimal() and int(number) < len(node.children)
    return node.children[int(number)] if inside else None


def _unknown(groups: Sequence[Node], path: Sequence[str], reference: str) -> str:
    """The message for an unknown path: the first step that is not in the model, and the names at that place."""
    if not groups:
        return f"no such functional constraint in `{reference}`"
    for length in range(len(path)):
        reached = [node for group in groups if (node := _below(group, path[:length])) is not None]
        if not any(_below(node, path[length : length + 1]) for node in reached):
            name = path[length].partition("(")[0]
            known = {child.name.decode(): child for node in reached for child in node.children if not node.array}
            return (
                _bad_index(known[name], reference) if name in known else missing(f"name in `{reference}`", name, known)
            )
    raise AssertionError("unreachable: the path was not found")


def _bad_index(node: Node, reference: str) -> str:
    there = f"elements 0..{len(node.children) - 1}" if node.array else "no elements"
    return f"`{node.name.decode()}` in `{reference}` has {there}"


def missing(what: str, name: str, known: Iterable[str]) -> str:
    """The text for a `name` that is not among the `known` ones."""
    hint = did_you_mean(nearest(name, known))
    return f"no {what} is called `{name}`" + (f"; {hint}" if hint else "")


def path_to(layout: Layout, index: int) -> tuple[FC | None, tuple[str, ...]]:
    """The functional constraint and the path of a node: `(MX, ("HA", "phsAHar(7)", "cVal"))`."""
    node, steps = layout.nodes[0], list[str]()
    while node.index != index:
        position = bisect_right(node.offsets, index - node.index) - 1
        child = node.children[position]
        if node.array:
            steps[-1] += f"({position})"
        else:
            steps.append(child.name.decode())
        node = child
    return node.fc, tuple(steps[1:])
