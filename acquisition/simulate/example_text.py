"""An example of a regular expression: the plainest text that it matches, with the named groups as given (pure).

Known are the forms that replies of instruments need: characters and escapes, classes, groups, alternatives, repetitions,
and the anchors of a text. Any other form is an error that names the expression (D115).
"""

import re
from collections.abc import Mapping
from typing import Final

_CLASSES: Final = {"d": "0", "s": " ", "w": "a", "D": "a", "S": "a", "W": " "}
_CONTROLS: Final = {"t": "\t", "r": "\r", "n": "\n", "f": "\f", "v": "\v"}
_EMPTY: Final = ("A", "Z", "b", "B")  # escapes that match a place, not a character
_CANDIDATES: Final = (*map(chr, range(0x30, 0x7F)), *map(chr, range(0x100)))  # a digit or a letter rather than a sign
_REPEAT: Final = re.compile(r"([*+?]|\{([0-9]*)(?:,[0-9]*)?\})[?+]?")
_NAMED: Final = re.compile(r"\?P<([A-Za-z_][A-Za-z0-9_]*)>")
_HEXADECIMAL: Final = re.compile(r"x([0-9A-Fa-f]{2})")


def example(pattern: str, groups: Mapping[str, str]) -> str:
    """A text that `pattern` matches whole, with `groups` (by name) in it. Raises ValueError if none can be made."""
    text = _Reader(pattern, groups).whole()
    if re.fullmatch(pattern, text) is None:
        given = ", ".join(f"{name}={value!r}" for name, value in groups.items())
        raise ValueError(f"no example of `{pattern}` can be made with {given or 'no group'}: `{text}` is none")
    return text


class _Reader:
    """Reads an expression once, from left to right."""

    def __init__(self, pattern: str, groups: Mapping[str, str]) -> None:
        self._pattern = pattern
        self._groups = groups
        self._at = 0

    def whole(self) -> str:
        return self._alternatives()

    def _next(self) -> str:
        """The character here, which is passed; empty at the end."""
        one = self._pattern[self._at : self._at + 1]
        self._at += len(one)
        return one

    def _alternatives(self) -> str:
        """The first of several alternatives; all are read."""
        first = self._sequence()
        while self._pattern.startswith("|", self._at):
            self._at += 1
            self._sequence()
        return first

    def _sequence(self) -> str:
        parts = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            part = self._item()
            parts.append(part * self._least())
        return "".join(parts)

    def _least(self) -> int:
        """The least number of times that what stands before is repeated."""
        match = _REPEAT.match(self._pattern, self._at)
        if match is None:
            return 1
        self._at = match.end()
        return {"*": 0, "?": 0, "+": 1}[match[1]] if match[2] is None else int(match[2] or 0)

    def _item(self) -> str:
        one = self._next()
        if one == "(":
            return self._group()
        if one == "[":
            return self._class()
        if one == "\\":
            return self._escape()
        return {".": "a", "^": "", "$": ""}.get(one, one)

    def _group(self) -> str:
        named = _NAMED.match(self._pattern, self._at)
        if named is not None:
            self._at = named.end()
        elif self._pattern.startswith("?:", self._at):
            self._at += 2
        elif self._pattern.startswith("?", self._at):
            raise ValueError(f"no example of `{self._pattern}` can be made: its group at {self._at - 1} is not known")
        inner = self._alternatives()
        self._at += 1  # the parenthesis
        return inner if named is None else self._groups.get(named[1], inner)

    def _class(self) -> str:
        """A character that is in the class."""
        end = self._pattern.index("]", self._at + 1 + self._pattern.startswith("^", self._at))
        while self._escaped(end):
            end = self._pattern.index("]", end + 1)
        text = self._pattern[self._at - 1 : end + 1]
        self._at = end + 1
        found = next((one for one in _CANDIDATES if re.fullmatch(text, one)), None)
        if found is None:
            raise ValueError(
                f"no example of `{self._pattern}` can be made: its class `{text}` has no character of Latin-1"
            )
        return found

    def _escaped(self, at: int) -> bool:
        before = self._pattern[self._at : at]
        return bool((len(before) - len(before.rstrip("\\"))) % 2)

    def _escape(self) -> str:
        code = _HEXADECIMAL.match(self._pattern, self._at)
        if code is not None:
            self._at = code.end()
            return chr(int(code[1], 16))
        one = self._next()
        if one.isdigit():
            raise ValueError(f"no example of `{self._pattern}` can be made: it refers to a group of its own")
        return "" if one in _EMPTY else _CLASSES.get(one) or _CONTROLS.get(one, one)
