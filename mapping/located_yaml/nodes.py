"""A YAML document as nodes with marks, made of the parser's events, within bounds.

    events of libyaml ──► Node ──► located.py makes data of it

PyYAML's own composer recurses as deep as the file tells it to, and the OS process dies of a file of brackets. Here depth
and size are bounded while reading, and what an alias repeats counts each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

DEPTH_LIMIT: Final = 24
NODES_LIMIT: Final = 300_000
Mark = Any  # libyaml's mark or PyYAML's: `line` and `column`, from 0
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the file: a scalar's text and style, or what a sequence or a mapping holds."""

    start: Mark
    end: Mark
    tag: str | None
    text: str = ""
    style: str = ""
    items: "tuple[Node, ...] | None" = None
    pairs: "tuple[tuple[Node, Node], ...] | None" = None
    size: int = 1  # nodes in it, each use of an alias counted
    height: int = 0  # levels below it, aliases followed


class TooLargeError(ValueError):
    """Deeper or larger than any configuration; stops the reading before it costs."""

    def __init__(self, start: Mark) -> None:
        super().__init__(f"deeper than {DEPTH_LIMIT} levels, or over {NODES_LIMIT} values")
        self.start = start


class Composer:
    """Nodes from the parser's events. PyYAML's own composer recurses as deep as the file tells it to, and crashes."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}
        self._size = 0

    def document(self) -> Node | None:
        """The only document; None if there is nothing. Raises yaml.YAMLError, TooLargeError."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise yaml.MarkedYAMLError(problem="a second document, expected one", problem_mark=after.start_mark)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            node = self._repeated(event)
            self._size += node.size
        else:
            self._size += 1
            self._bound(event, depth)
            node = self._fresh(event, depth)
        self._bound(event, depth + node.height)
        return node

    def _repeated(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise yaml.MarkedYAMLError(problem=f"no anchor `{event.anchor}` before", problem_mark=event.start_mark)
        return node

    def _bound(self, event: Any, depth: int) -> None:
        if depth > DEPTH_LIMIT or self._size > NODES_LIMIT:
            raise TooLargeError(event.start_mark)

    def _fresh(self, event: Any, depth: int) -> Node:
        before = self._size - 1
        if isinstance(event, yaml.ScalarEvent):
            node = Node(event.start_mark, event.end_mark, event.tag, event.value, event.style or "")
        else:
            below: list[Node] = []
            while not isinstance(inner := next(self._events), yaml.CollectionEndEvent):
                below.append(self._node(inner, depth + 1))
            items = tuple(below) if isinstance(event, yaml.SequenceStartEvent) else None
            pairs = None if items is not None else tuple(zip(below[::2], below[1::2], strict=True))
            height = 1 + max((one.height for one in below), default=-1)
            size = self._size - before
            node = Node(event.start_mark, inner.end_mark, event.tag, "", "", items, pairs, size, height)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node
