"""YAML in which every value remembers its place: file, line, column, length.

Of YAML 1.2's core schema, strictly: only `true` and `false` are booleans, `on off yes no` are words, and what YAML 1.1
read as something else (`012`, `1:30`) is refused rather than guessed. Duplicate keys, tags and loops are refused too.
Only `<<: *anchor` is taken over from YAML 1.1, since people know it from other tools: what stands beside it wins.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mapping.diagnostics import Diagnostics, Span
from mapping.located_yaml.nodes import Composer, Mark, Node, TooLargeError

SIZE_LIMIT: Final = 16 * 1024 * 1024
DIGITS_LIMIT: Final = 20  # of an integer: 2^64 has that many
Path_ = tuple[str | int, ...]
Entries = tuple[tuple[Node, Node], ...]

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL: Final = re.compile(r"0x[0-9A-Fa-f]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAB: Final = re.compile(r" *\t")
_AMBIGUOUS: Final = re.compile(r"[-+]?0[0-9]+|[-+]?[0-9]+(:[0-5]?[0-9])+|0[ob][0-9_]+")


@dataclass(slots=True)
class Located:
    """A file's data, and where each part of it stands: `values` by path, `keys` for mapping keys.

    `broken`: ranges that are none, and so have no members; that is said already.
    """

    file: str
    data: Any = None
    values: dict[Path_, Span] = field(default_factory=dict)
    keys: dict[Path_, Span] = field(default_factory=dict)
    broken: set[Path_] = field(default_factory=set)

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

    def may_have(self, *path: str) -> bool:
        """True if something stands at `path`, or if what stands there may have been meant by a broken range."""
        return path in self.values or any(_may_mean(one, path) for one in self.broken)

    def may_have_more(self, *path: str) -> bool:
        """True if a broken range stands in the mapping at `path`: nobody knows what it would have there."""
        return any(_may_mean(one[:-1], path) for one in self.broken)

    def names(self, *path: str) -> list[str]:
        """The keys of the mapping at `path`; none if there is no mapping."""
        data = self.data
        for step in path:
            data = data.get(step) if isinstance(data, dict) else None
        return list(data) if isinstance(data, dict) else []


def _may_mean(written: Path_, path: Path_) -> bool:
    """True if `written`, which may have ranges in it, may be `path`."""
    steps = ((str(one), str(other)) for one, other in zip(written, path, strict=False))
    alike = (one == other or ("[" in one and other.startswith(one.partition("[")[0])) for one, other in steps)
    return len(written) == len(path) and all(alike)


def inside(span: Span, text: str, word: str) -> Span:
    """The place of `word` within the scalar `text` that stands at `span`; `span` itself if it is not plainly there."""
    at = text.find(word)
    if at < 0 or span.length < len(text) or span.template:
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
        root = Composer(text).document()
    except TooLargeError as error:
        found.error("yaml-too-deep", _span(located.file, error.start, error.start), str(error))
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = whole if mark is None else _span(located.file, mark, mark)
        tab = mark is not None and _TAB.match("".join(text.splitlines()[mark.line : mark.line + 1]))
        problem = "a tab in the indentation, expected spaces" if tab else error.problem or "no YAML"
        found.error("yaml-syntax", span, problem.strip())
        return None
    except yaml.YAMLError as error:
        found.error("yaml-syntax", whole, str(error).splitlines()[0])
        return None
    if root is None:
        found.error("file-empty", whole, "an empty file")
        return None
    reader = _Reader(located, found)
    located.data = reader.read(root, ())
    return located


def _span(file: str, start: Mark, end: Mark) -> Span:
    """The span from mark to mark; of a value over several lines, its first character."""
    length = end.column - start.column if end.line == start.line else 1
    return Span(file, start.line + 1, start.column + 1, max(length, 1))


def _merges(key: Node) -> bool:
    return key.text == "<<" and key.style == ""


class _Reader:
    """Makes plain data of nodes, and notes where each came from."""

    def __init__(self, located: Located, found: Diagnostics) -> None:
        self._located = located
        self._found = found

    def read(self, node: Node, path: Path_) -> Any:
        span = self._located.values[path] = _span(self._located.file, node.start, node.end)
        if node.tag is not None:
            self._found.error("yaml-tag", span, f"the tag `{node.tag}`, expected none")
            return None
        if node.pairs is not None:
            return self._mapping(node.pairs, path)
        if node.items is not None:
            return [self.read(one, (*path, index)) for index, one in enumerate(node.items)]
        return self._scalar(node.text, node.style, span)

    def _mapping(self, pairs: Entries, path: Path_) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in self._merged(pairs):
            span = _span(self._located.file, key_node.start, key_node.end)
            if key_node.items is not None or key_node.pairs is not None:
                self._found.error("yaml-key", span, "a key that is no scalar")
                continue
            key = key_node.text
            if key in data:
                first = self._located.keys[(*path, key)].line
                self._found.error("duplicate-key", span, f"a second `{key}`", notes=[f"the first is in line {first}"])
                continue
            self._located.keys[(*path, key)] = span
            data[key] = self.read(value_node, (*path, key))
        return data

    def _merged(self, pairs: Entries) -> Entries:
        """`pairs`, and behind them those of the mappings that `<<` names whose keys are not there yet."""
        own = [pair for pair in pairs if not _merges(pair[0])]
        there = {key.text for key, _ in own}
        for key_node, value_node in pairs:
            if not _merges(key_node):
                continue
            for source in value_node.items or (value_node,):
                if source.pairs is None:
                    span = _span(self._located.file, key_node.start, key_node.end)
                    self._found.error("yaml-merge", span, "`<<` of what is no mapping, expected one as `*feeder`")
                    continue
                more = [pair for pair in self._merged(source.pairs) if pair[0].text not in there]
                there |= {key.text for key, _ in more}
                own += more
        return tuple(own)

    def _scalar(self, text: str, style: str, span: Span) -> Any:
        if style in ("'", '"', "|", ">"):
            return text
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
            return self._number(text, span)
        if _AMBIGUOUS.fullmatch(text):
            hint = "write it without the leading zero, or in quotes if it is text"
            self._found.error("ambiguous-number", span, f"`{text}` is no number in YAML 1.2", hint=hint)
            return text
        return self._number(text, span) if _FLOAT.fullmatch(text) else text

    def _number(self, text: str, span: Span) -> int | float:
        """The number that `text` is; one that no register and no unit could need is said, and counts as 1."""
        number: int | float = math.inf
        if _FLOAT.fullmatch(text) and not _INTEGER.fullmatch(text):
            number = float(text)
        elif len(text) <= DIGITS_LIMIT:
            number = int(text, 16 if _HEXADECIMAL.fullmatch(text) else 10)
        if math.isinf(number):
            self._found.error("bad-number", span, "a number beyond any that can be meant")
            return 1
        return number
