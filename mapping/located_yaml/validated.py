"""Validation of located YAML against a model of the schema: pydantic's findings become diagnostics at their place.

A part that does not fit becomes a diagnostic and is left out, and the rest is validated again: one typing error hides no
other.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.located_yaml.located import Located, Path_, inside
from mapping.located_yaml.validation_text import reason

_Model = TypeVar("_Model", bound=BaseModel)
_UNKNOWN: Final = "extra_forbidden"
_ALIKE: Final = 0.55  # of the letters of both are in common, in order
_QUOTED: Final = re.compile(r"`([^`]+)`")


def nearest(name: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Up to `count` of the `known` names that look like `name`, nearest first."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.lower())
    at_most: list[tuple[float, str]] = []  # how near each can be, which is quickly told
    for one in known:
        matcher.set_seq1(one.lower())
        if matcher.real_quick_ratio() >= _ALIKE and (bound := matcher.quick_ratio()) >= _ALIKE:
            at_most.append((bound, one))
    found: list[tuple[float, str]] = []
    for bound, one in sorted(at_most, key=_nearness):
        if len(found) == count and bound <= found[-1][0]:
            break
        matcher.set_seq1(one.lower())
        found = sorted([*found, (matcher.ratio(), one)], key=_nearness)[:count]
    return [one for ratio, one in found if ratio >= _ALIKE]


def _nearness(pair: tuple[float, str]) -> float:
    return -pair[0]


def validated(
    located: Located,
    model: type[_Model],
    found: Diagnostics,
    *,
    data: Any = ...,
    path: Path_ = (),
    wrong: set[Path_] | None = None,
) -> _Model | None:
    """`located`'s data (or `data`, the part of it at `path`) as `model`, without the parts that became diagnostics.

    A point or a row with a mistake in it is left out whole. None if nothing is left that could be a `model`. The
    paths of the mistakes are added to `wrong`.
    """
    given = located.data if data is ... else data
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False)
    _say_all(located, model, found, details, given, path)
    if wrong is not None:
        wrong |= {(*path, *_real(detail["loc"], given)) for detail in details}
    while given is not None:
        given = _without(given, [_owner(detail, given) for detail in details])
        try:
            return model.model_validate(given)
        except ValidationError as error:  # what was left out was required: its owner goes too, silently
            details = error.errors(include_url=False)
    return None


# ---------------------------------------------------------------------- what is left


def _real(loc: Sequence[int | str], given: Any) -> Path_:
    """The part of an error's location that the data has: pydantic adds names of its own for unions and keys."""
    real: Path_ = ()
    for step in loc:
        within = isinstance(step, int) and step < len(given) if isinstance(given, list) else False
        if within or (isinstance(given, dict) and step in given):
            real, given = (*real, step), given[step]
    return real


def _owner(detail: ErrorDetails, given: Any) -> Path_:
    """The path that an error makes useless: the point or row that it is in, the value, the mapping that lacks a key."""
    path = _real(detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"], given)
    return path[: path.index("points") + 2] if "points" in path else path


def _without(given: Any, paths: Sequence[Path_]) -> Any:
    """`given` without the parts at `paths`; None if that is all of it."""
    if () in paths:
        return None
    heads = {path[0] for path in paths}
    below = {head: [path[1:] for path in paths if path[0] == head] for head in heads}
    if isinstance(given, dict):
        pairs = {key: _without(value, below[key]) if key in heads else value for key, value in given.items()}
        return {key: value for key, value in pairs.items() if key not in heads or value is not None}
    kept = [_without(value, below[index]) if index in heads else value for index, value in enumerate(given)]
    return [value for index, value in enumerate(kept) if index not in heads or value is not None]


# ---------------------------------------------------------------------- what is said


def _say_all(
    located: Located, model: type[BaseModel], found: Diagnostics, details: list[ErrorDetails], given: Any, path: Path_
) -> None:
    unknown: dict[Path_, list[str]] = {}
    for detail in details:
        if detail["type"] == _UNKNOWN:
            unknown.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    said = {finding.span for finding in found}
    for detail in details:
        name = str(detail["loc"][-1]) if detail["loc"] else ""
        if detail["type"] == "missing" and nearest(name, unknown.get(detail["loc"][:-1], [])):
            continue  # it is there, misspelt: that is said already
        finding = Diagnostics()
        _say(located, model, finding, detail, (*path, *_real(detail["loc"], given)))
        span = finding.found[0].span
        if span not in said or detail["type"] == "missing":  # a union refuses once for each of its members
            found.add(finding.found[0])
        said.add(span)


def _say(located: Located, model: type[BaseModel], found: Diagnostics, detail: ErrorDetails, where: Path_) -> None:
    name = str(where[-1]) if where else ""
    match detail["type"]:
        case "extra_forbidden":
            hint = did_you_mean(nearest(name, _keys(model, detail["loc"][:-1])))
            found.error("unknown-key", located.key_at(*where), f"unknown key `{name}`", hint=hint)
        case "missing":
            span = located.key_at(*where) if where else Span(located.file)
            found.error("missing-key", span, f"`{detail['loc'][-1]}` is missing")
        case "value_error":
            message = reason(detail)
            quoted = _QUOTED.search(message)
            word = quoted.group(1) if quoted else None
            place = located.key_at(*where) if detail["loc"][-1:] == ("[key]",) else _said_of(located, where, word)
            found.error("bad-value", place, message)
        case "string_pattern_mismatch" if detail["loc"][-1:] == ("[key]",):
            found.error("bad-name", located.key_at(*where), f"`{name}` is no name: letters, digits, `_` and `-`")
        case _:
            given = detail["input"]
            shown = f"`{given}`" if isinstance(given, str | int | float | bool) else _SHAPES.get(type(given), "this")
            expected = reason(detail)
            if detail["loc"][-1:] == ("int",):  # of a union: it may be a float as well
                expected = expected.replace("an integer", "a number")
            message = f"{shown} does not fit {f'`{name}`' if name else 'the file'}: {expected}"
            found.error("bad-value", _narrowed(located, where, given), message)


def _said_of(located: Located, where: Path_, word: str | None) -> Span:
    """The key that a message names first, the word within the scalar, or the whole of what stands there."""
    if word is not None and (*where, word) in located.keys:
        return located.key_at(*where, word)
    return _narrowed(located, where, word)


def _narrowed(located: Located, where: Path_, given: object) -> Span:
    """The word within the scalar that does not fit, or the whole of what stands there."""
    place, there = located.at(*where), located.data
    if _real(where, there) != where:
        return place  # laid over the file: nothing of it stands there
    for step in where:
        there = there[step]
    return inside(place, there, given) if isinstance(there, str) and isinstance(given, str) else place


_SHAPES: Final = {dict: "a mapping", list: "a list", type(None): "nothing"}


def _keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that the schema knows where an unknown one stood."""
    schema = _schema(model)
    node = schema
    for step in loc:
        node = _resolved(schema, node)
        patterns = node.get("patternProperties", {}).values()
        below = node.get("properties", {}).get(step) or node.get("additionalProperties") or next(iter(patterns), None)
        if not isinstance(below, dict):
            return []
        node = below
    return list(_resolved(schema, node).get("properties", {}))


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for choice in (node, *node.get("anyOf", []), *node.get("allOf", [])):
        reference = choice.get("$ref")
        if reference:
            return dict(schema["$defs"][reference.rpartition("/")[2]])
    keyed = ("properties", "additionalProperties", "patternProperties")
    return next((one for one in node.get("anyOf", []) if any(key in one for key in keyed)), node)
