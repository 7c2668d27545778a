"""YAML in which every value remembers its place: file, line, column, length.

Of YAML 1.2's core schema, strictly: only `true` and `false` are booleans, `on off yes no` are words, and what YAML 1.1
read as something else (`012`, `1:30`) is refused rather than guessed. Duplicate keys, tags and loops are refused too.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mapping.diagnostics import Diagnostics, Span

SIZE_LIMIT: Final = 16 * 1024 * 1024
DEPTH_LIMIT: Final = 24
NODES_LIMIT: Final = 1_000_000
Path_ = tuple[str | int, ...]

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL: Final = re.compile(r"0x[0-9A-Fa-f]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_AMBIGUOUS: Final = re.compile(r"[-+]?0[0-9]+|[-+]?[0-9]+(:[0-5]?[0-9])+|0[ob][0-9_]+")
_STANDARD_TAG: Final = "tag:yaml.org,2002:"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Located:
    """A file's data, and where each part of it stands: `values` by path, `keys` for mapping keys."""

    file: str
    data: Any = None
    values: dict[Path_, Span] = field(default_factory=dict)
    keys: dict[Path_, Span] = field(default_factory=dict)

    def at(self, *path: str | int) -> Span:
        """The place of the value at `path`, or of the nearest part of the file above it."""
        while path:
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values.get((), Span(self.file))

    def key_at(self, *path: str | int) -> Span:
        """The place of the key at `path`, or of its value."""
        return self.keys.get(path) or self.at(*path)


def inside(span: Span, text: str, word: str) -> Span:
    """The place of `word` within the scalar `text` that stands at `span`; `span` itself if it is not plainly there."""
    at = text.find(word)
    if at < 0 or span.length < len(text):
        return span
    quote = 1 if span.length == len(text) + 2 else 0
    return Span(span.file, span.line, span.column + quote + at, max(len(word), 1))


def load(path: Path, found: Diagnostics) -> Located | None:
    """The YAML file at `path`; None, and said, if it cannot be read."""
    located = Located(str(path))
    whole = Span(str(path))
    try:
        if path.stat().st_size > SIZE_LIMIT:
            found.error("file-too-large", whole, f"over {SIZE_LIMIT} octets")
            return None
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        found.error("file-not-utf8", whole, f"not UTF-8, at octet {error.start}")
        return None
    except OSError as error:
        found.error("file-unreadable", whole, f"cannot be read: {(error.strerror or str(error)).lower()}")
        return None
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = whole if mark is None else Span(str(path), mark.line + 1, mark.column + 1)
        found.error("yaml-syntax", span, (error.problem or "no YAML").strip())
        return None
    except (yaml.YAMLError, RecursionError) as error:
        found.error("yaml-syntax", whole, str(error).splitlines()[0])
        return None
    if root is None:
        found.error("file-empty", whole, "an empty file")
        return None
    reader = _Reader(located, found)
    located.data = reader.read(root, (), 0)
    return located


class _Reader:
    """Makes plain data of composed nodes, and notes where each came from."""

    def __init__(self, located: Located, found: Diagnostics) -> None:
        self._located = located
        self._found = found
        self._nodes = 0

    def read(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        self._nodes += 1
        span = self._span(node)
        self._located.values[path] = span
        if depth > DEPTH_LIMIT or self._nodes > NODES_LIMIT:
            if self._nodes <= NODES_LIMIT + 1:
                self._found.error(
                    "yaml-too-deep", span, f"deeper than {DEPTH_LIMIT} levels, or over {NODES_LIMIT} values"
                )
                self._nodes = NODES_LIMIT + 2
            return None
        if not node.tag.startswith(_STANDARD_TAG) or node.tag.rpartition(":")[2] not in _TAGS:
            self._found.error("yaml-tag", span, f"the tag `{node.tag}`, expected none")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(one, (*path, index), depth + 1) for index, one in enumerate(node.value)]
        return self._scalar(str(node.value), getattr(node, "style", None), span)

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._found.error("yaml-key", self._span(key_node), "a key that is no scalar")
                continue
            key = str(key_node.value)
            span = self._span(key_node)
            if key in data:
                first = self._located.keys[(*path, key)].line
                self._found.error("duplicate-key", span, f"a second `{key}`", notes=[f"the first is in line {first}"])
                continue
            self._located.keys[(*path, key)] = span
            data[key] = self.read(value_node, (*path, key), depth + 1)
        return data

    def _scalar(self, text: str, style: str | None, span: Span) -> Any:
        if style in ("'", '"', "|", ">"):
            return text
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 16)
        if _AMBIGUOUS.fullmatch(text):
            hint = "write it without the leading zero, or in quotes if it is text"
            self._found.error("ambiguous-number", span, f"`{text}` is no number in YAML 1.2", hint=hint)
            return text
        return float(text) if _FLOAT.fullmatch(text) else text

    def _span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Span(self._located.file, start.line + 1, start.column + 1, max(length, 1))


_TAGS: Final = frozenset({"map", "seq", "str", "int", "float", "bool", "null", "timestamp"})
