"""A text that two regular expressions match both, by walking through both at once (pure).

    S (?P<state>[SD]) .*   ──► automaton ─┐
                                          ├─► pairs of states, breadth first ──► the shortest text, or None
    (?P<value>[0-9.]+)     ──► automaton ─┘

Known are the forms that replies of instruments need: characters, escapes, classes, groups, alternatives, repetitions. Texts are
ASCII without ends of a line. `re.fullmatch` judges the result, as for examples (D115); of any other form nothing is said.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

STATES_LIMIT: Final = 1000  # of one expression
COPIES_LIMIT: Final = 64  # of one repetition: beyond that it has no end
_SIGNS: Final = "".join(map(chr, (*range(0x30, 0x7F), *range(0x20, 0x30), 9)))  # a digit or a letter rather than a sign
_EMPTY: Final = ("A", "Z", "b", "B")  # escapes that match a place, not a character
_REPEAT: Final = re.compile(r"([*+?]|\{([0-9]*)(,?)([0-9]*)\})[?+]?")
_OPENING: Final = re.compile(r"\?P<[A-Za-z_][A-Za-z0-9_]*>|\?:|(?!\?)")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|[^0-9])")


def common_text(one: str, other: str) -> str | None:
    """The shortest text that `one` and `other` match whole; None if there is none, or none can be found."""
    try:
        found = _shortest(_Automaton.of(one), _Automaton.of(other))
    except ValueError:
        return None
    both = found is not None and re.fullmatch(one, found) is not None and re.fullmatch(other, found) is not None
    return found if both else None


@dataclass(slots=True)
class _Automaton:
    """States by number, with edges that take one of some characters (None: nothing). It begins at 0 and ends at `end`."""

    edges: list[list[tuple[str | None, int]]] = field(default_factory=lambda: [[]])
    end: int = 0

    @classmethod
    def of(cls, pattern: str) -> "_Automaton":
        """The automaton of `pattern`. Raises ValueError for a form that is not known."""
        made = cls()
        reader = _Reader(pattern, made)
        made.end = reader.alternatives(0)
        reader.ends()
        return made

    def state(self) -> int:
        """A new state."""
        if len(self.edges) >= STATES_LIMIT:
            raise ValueError("too many states")
        self.edges.append([])
        return len(self.edges) - 1

    def reached(self, states: frozenset[int]) -> frozenset[int]:
        """`states`, and those that nothing is taken to reach."""
        found, pending = set(states), list(states)
        while pending:
            fresh = {to for takes, to in self.edges[pending.pop()] if takes is None} - found
            found |= fresh
            pending += fresh
        return frozenset(found)

    def after(self, states: frozenset[int], sign: str) -> frozenset[int]:
        """The states behind `sign`."""
        return self.reached(frozenset(to for one in states for takes, to in self.edges[one] if takes and sign in takes))


def _shortest(one: _Automaton, other: _Automaton) -> str | None:
    begin = (one.reached(frozenset({0})), other.reached(frozenset({0})))
    seen, pending = {begin}, deque([(begin, "")])
    while pending and len(seen) < STATES_LIMIT:
        (here, there), text = pending.popleft()
        if one.end in here and other.end in there:
            return text
        for sign in _SIGNS:
            both = (one.after(here, sign), other.after(there, sign))
            if all(both) and both not in seen:
                seen.add(both)
                pending.append((both, text + sign))
    return None


class _Reader:
    """Reads an expression from left to right into an automaton; each method gets the state before, and gives the one behind."""

    def __init__(self, pattern: str, into: _Automaton) -> None:
        self._pattern = pattern
        self._into = into
        self._at = 0

    def ends(self) -> None:
        """Raise ValueError unless all was read."""
        if self._at < len(self._pattern):
            raise ValueError("a parenthesis too many")

    def alternatives(self, before: int) -> int:
        """All of several alternatives, with `|` between them."""
        behind = self._into.state()
        for _ in self._bars():
            self._join(self._sequence(before), behind)
        return behind

    def _bars(self) -> Iterator[None]:
        yield
        while self._pattern.startswith("|", self._at):
            self._at += 1
            yield

    def _sequence(self, before: int) -> int:
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            before = self._repeated(before)
        return before

    def _repeated(self, before: int) -> int:
        """One item as often as it is repeated: it is read again for each time."""
        start = self._at
        once = self._into.state()
        self._join(before, once)
        behind = self._item(once)
        least, most = self._times()
        end = self._at
        if (least, most) == (1, 1):
            return behind
        if least == 0:
            self._join(once, behind)
        times = most or max(least, 1)
        for done in range(1, min(times, COPIES_LIMIT)):
            self._at = start
            earlier, behind = behind, self._item(behind)
            if done >= least:
                self._join(earlier, behind)
        if most is None or most > COPIES_LIMIT:
            self._at = start
            loop = self._into.state()
            self._join(behind, loop)
            self._join(self._item(loop), loop)
            behind = loop
        self._at = end
        return behind

    def _times(self) -> tuple[int, int | None]:
        """How often what stands before is repeated: at least, and at most."""
        match = _REPEAT.match(self._pattern, self._at)
        if match is None:
            return 1, 1
        self._at = match.end()
        if match[2] is None:
            return {"*": (0, None), "?": (0, 1), "+": (1, None)}[match[1]]
        least = int(match[2] or 0)
        return least, least if not match[3] else int(match[4]) if match[4] else None

    def _item(self, before: int) -> int:
        one = self._pattern[self._at]
        if one == "(":
            return self._group(before)
        token = self._token(one)
        self._at += len(token)
        behind = self._into.state()
        if token in ("^", "$") or (token[0] == "\\" and token[1] in _EMPTY):
            self._join(before, behind)
        else:
            taken = "".join(sign for sign in _SIGNS if re.fullmatch(token, sign))
            self._into.edges[before].append((taken, behind))
        return behind

    def _token(self, one: str) -> str:
        """The class, the escape or the character here. Raises ValueError for a reference to a group."""
        match = {"[": _CLASS, "\\": _ESCAPE}.get(one, re.compile(r".", re.DOTALL)).match(self._pattern, self._at)
        if match is None:
            raise ValueError("a form that is not known")
        return match[0]

    def _group(self, before: int) -> int:
        opening = _OPENING.match(self._pattern, self._at + 1)
        if opening is None:
            raise ValueError("a group that is not known")
        self._at = opening.end()
        behind = self.alternatives(before)
        self._at += 1  # the parenthesis
        return behind

    def _join(self, one: int, other: int) -> None:
        self._into.edges[one].append((None, other))
