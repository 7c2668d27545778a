"""From located YAML to a model of the schema: pydantic's findings become diagnostics at their place."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rapidfuzz import process

from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.located import Located

_Model = TypeVar("_Model", bound=BaseModel)


def nearest(name: str, known: Sequence[str], count: int = 3) -> list[str]:
    """Up to `count` of the `known` names that look like `name`."""
    return [str(found[0]) for found in process.extract(name, known, limit=count, score_cutoff=60)]


def validated(
    located: Located, model: type[_Model], found: Diagnostics, *, data: Any = ..., path: tuple[str | int, ...] = ()
) -> _Model | None:
    """`located`'s data (or `data`, the part of it at `path`) as `model`; None, and said, if it is none."""
    try:
        return model.model_validate(located.data if data is ... else data)
    except ValidationError as error:
        said = {finding.span for finding in found}
        for detail in error.errors(include_url=False):
            finding = Diagnostics()
            _say(located, model, finding, detail, path)
            if finding.found[0].span not in said:  # one fault, one diagnostic: a union refuses once for each member
                found.found += finding.found
            said.add(finding.found[0].span)
        return None


def _say(
    located: Located, model: type[BaseModel], found: Diagnostics, detail: ErrorDetails, path: tuple[str | int, ...]
) -> None:
    where = (*path, *_real(located, path, detail["loc"]))
    name = str(where[-1]) if where else ""
    match detail["type"]:
        case "extra_forbidden":
            hint = did_you_mean(nearest(name, _keys(model, detail["loc"][:-1])))
            found.error("unknown-key", located.key_at(*where), f"unknown key `{name}`", hint=hint)
        case "missing":
            owner = (*path, *_real(located, path, detail["loc"][:-1]))
            span = located.key_at(*owner) if owner else Span(located.file)
            found.error("missing-key", span, f"`{detail['loc'][-1]}` is missing")
        case "value_error":
            found.error("bad-value", located.at(*where), detail["msg"].removeprefix("Value error, "))
        case _:
            shown = (
                detail["input"]
                if isinstance(detail["input"], str | int | float | bool)
                else type(detail["input"]).__name__
            )
            message = f"`{shown}` does not fit `{name}`: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
            found.error("bad-value", located.at(*where), message)


def _real(located: Located, path: tuple[str | int, ...], loc: tuple[int | str, ...]) -> tuple[str | int, ...]:
    """The part of an error's location that the file has: pydantic adds names of its own for unions and keys."""
    real: tuple[str | int, ...] = ()
    for step in loc:
        if (*path, *real, step) in located.values or (*path, *real, step) in located.keys:
            real = (*real, step)
    return real or loc[:1] if loc else ()


def _keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that the schema knows where an unknown one stood."""
    schema = model.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for step in loc:
        node = _resolved(schema, node)
        below = node.get("properties", {}).get(step) or node.get("additionalProperties")
        if not isinstance(below, dict):
            return []
        node = below
    return list(_resolved(schema, node).get("properties", {}))


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for choice in (node, *node.get("anyOf", []), *node.get("allOf", [])):
        reference = choice.get("$ref")
        if reference:
            return dict(schema["$defs"][reference.rpartition("/")[2]])
    return next((one for one in node.get("anyOf", []) if "properties" in one or "additionalProperties" in one), node)
