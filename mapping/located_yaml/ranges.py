"""Ranges of names: a key `feeder[1..40]` stands for forty of them, and `{n}` in its value for the number of each.

    feeder[1..40]: {line: rs485-1, unit: "{n}", profile: eastron-sdm630}
    feeder7:       {profile: eastron-sdm120}                the keys of one name win over those of its range

A whole `{n}`, or `{2 * n + 100}`, becomes a number; within a text it is put in its place, as the key counts (`[01..40]`: 01).
Every member keeps the place of what it was made from, so that a diagnostic shows the line that somebody wrote; the same
fault of forty members is said once.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from mapping.diagnostics import Diagnostics, Span
from mapping.located_yaml.located import Located, Path_

MEMBERS_LIMIT: Final = 1000
SITE: Final = (("lines",), ("devices",))
_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")
_RANGE: Final = re.compile(r"([0-9]{1,6})\.\.([0-9]{1,6})")
_NUMBER: Final = re.compile(r"\{([0-9n+*() -]*n[0-9n+*() -]*)\}")
_OPERATORS: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}


def expand_site(located: Located, found: Diagnostics) -> None:
    """Put the members of every range of a site.yaml in its place: points of devices, then lines and devices.

    So a range of points within a range of devices counts for itself.
    """
    for device in located.names("devices"):
        expand(located, ("devices", device, "points"), found)
    for section in SITE:
        expand(located, section, found, merge=True)


def expand_map(located: Located, found: Diagnostics) -> None:
    """Put the members of every range of a map.yaml in its place: rows, and what is left unmapped."""
    expand(located, ("points",), found)
    expand(located, ("unmapped",), found)


def expand_profile(located: Located, found: Diagnostics) -> None:
    """Put the members of every range of a profile in its place: its points."""
    expand(located, ("points",), found)


def expand(located: Located, path: Path_, found: Diagnostics, *, merge: bool = False) -> None:
    """Put its members in the place of every range among the keys of the mapping at `path`, or the items of the list.

    `merge`: the keys of what is said of one member are laid over those of the range; otherwise it replaces them.
    """
    data = _at(located.data, path)
    if isinstance(data, list):
        _replace(located, path, _items(located, path, found, data))
    if isinstance(data, dict) and any(_is_range(key) for key in data):
        _replace(located, path, _members(located, path, found, data, merge=merge))


def _members(located: Located, path: Path_, found: Diagnostics, data: dict[str, Any], *, merge: bool) -> dict[str, Any]:
    members: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for key, value in data.items():
        if not _is_range(key):
            continue
        places = _Places(located, (*path, key))
        for name, text, number in _numbers(located, path, found, key):
            if name in members:
                message = f"`{name}` is one of `{origin[name]}` already"
                found.error("duplicate-key", located.key_at(*path, key), message)
                break
            members[name] = _filled(located, (*path, key), found, value, text, number)
            origin[name] = key
            places.copy((*path, name))
    whole: dict[str, Any] = {}
    for key, value in data.items():
        if _is_range(key):
            whole |= {name: members[name] for name in members if origin[name] == key and name not in whole}
        else:
            whole[key] = _laid(members[key], value) if merge and key in members else value
    return whole


def _items(located: Located, path: Path_, found: Diagnostics, data: list[Any]) -> list[Any]:
    whole: list[Any] = []
    places = []
    for index, item in enumerate(data):
        place = located.at(*path, index)
        if isinstance(item, str) and _is_range(item):
            names = [name for name, _, _ in _numbers(located, path, found, item, index)]
            whole += names
            places += [replace(place, template=True)] * len(names)
        else:
            whole.append(item)
            places.append(place)
    located.values |= {(*path, index): place for index, place in enumerate(places)}
    return whole


def _laid(template: Any, over: Any) -> Any:
    """The keys of one member laid over those of its range, key by key; its points name by name."""
    if not (isinstance(template, dict) and isinstance(over, dict)):
        return over
    below, above = template.get("points"), over.get("points")
    whole = template | over
    return whole | {"points": below | above} if isinstance(below, dict) and isinstance(above, dict) else whole


# ---------------------------------------------------------------------- keys


def _is_range(key: str) -> bool:
    """True if something in brackets counts; `[MX]` does not, that is refused where it is looked up."""
    return any(re.search(r"[0-9]|\.\.", inner) for inner in _BRACKETS.findall(key))


def _numbers(
    located: Located, path: Path_, found: Diagnostics, key: str, index: int | None = None
) -> Iterator[tuple[str, str, int]]:
    """Each member's name, its number as the name has it, and as a number."""
    brackets = list(_BRACKETS.finditer(key))
    match = _RANGE.fullmatch(brackets[0].group(1))
    objection = _objection(match, len(brackets))
    if match is None or objection is not None:
        place = located.key_at(*path, key) if index is None else located.at(*path, index)
        found.error("bad-range", place, f"`{key}` {objection}")
        located.broken.add((*path, key))
        return
    width = len(match.group(1)) if match.group(1).startswith("0") else 1
    for number in range(int(match.group(1)), int(match.group(2)) + 1):
        text = f"{number:0{width}d}"
        yield f"{key[: brackets[0].start()]}{text}{key[brackets[0].end() :]}", text, number


def _objection(match: re.Match[str] | None, brackets: int) -> str | None:
    """The fault of a range; None if it has none."""
    if match is None or brackets > 1:
        return "is no range, expected one as `feeder[1..40]`"
    first, last = int(match.group(1)), int(match.group(2))
    if first > last:
        return "counts down, expected the lower number first"
    if last - first >= MEMBERS_LIMIT:
        return f"are {last - first + 1}, expected at most {MEMBERS_LIMIT}"
    return None


# ---------------------------------------------------------------------- what they hold


def _filled(located: Located, path: Path_, found: Diagnostics, value: Any, text: str, number: int) -> Any:
    """`value` with the number of one member in it."""
    if isinstance(value, dict):
        return {key: _filled(located, (*path, key), found, one, text, number) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(located, (*path, index), found, one, text, number) for index, one in enumerate(value)]
    if not isinstance(value, str) or "{" not in value:
        return value
    try:
        whole = _NUMBER.fullmatch(value)
        if whole is not None:
            return _computed(whole.group(1), number)
        return _NUMBER.sub(lambda one: text if one.group(1) == "n" else str(_computed(one.group(1), number)), value)
    except ValueError as error:
        found.error("bad-range", replace(located.at(*path), template=True), str(error))
        return value


def _computed(text: str, n: int) -> int:
    """The value of `text`, sums and products of whole numbers and `n`. Raises ValueError."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, n)
    except (SyntaxError, RecursionError, TypeError) as error:
        raise ValueError(f"`{{{text}}}` is no number, expected one as `{{n}}` or `{{2 * n + 100}}`") from error


def _value(node: ast.expr, n: int) -> int:
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.Name(id="n"):
            return n
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, n), _value(right, n))
    raise TypeError


# ---------------------------------------------------------------------- places


class _Places:
    """The places of a range and of all in it."""

    def __init__(self, located: Located, template: Path_) -> None:
        self._of = [(places, list(_below(places, template))) for places in (located.values, located.keys)]

    def copy(self, member: Path_) -> None:
        """Give `member`, and all in it that nobody has written of itself, these places."""
        for places, below in self._of:
            for rest, span in below:
                places.setdefault((*member, *rest), span)


def _below(places: dict[Path_, Span], template: Path_) -> Iterator[tuple[Path_, Span]]:
    length = len(template)
    for path, span in places.items():
        if path[:length] == template:
            yield path[length:], replace(span, template=True)


def _at(data: Any, path: Path_) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _replace(located: Located, path: Path_, value: Any) -> None:
    owner = _at(located.data, path[:-1])
    owner[path[-1]] = value
