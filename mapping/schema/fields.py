"""Field types that the files of a site share: durations, names, paths, expressions."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
_UNITS_MS: Final = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Strict(BaseModel):
    """A closed, frozen model: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def milliseconds(text: object) -> int:
    """`500ms`, `1s`, `1.5s` or `2m` in milliseconds; the number 0 too. Raises ValueError."""
    if text == 0 and not isinstance(text, bool):
        return 0
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"`{text}` is no duration, expected one as 500ms, 1s or 2m")
    return round(float(match.group(1)) * _UNITS_MS[match.group(2)])


def _positive(text: object) -> int:
    value = milliseconds(text)
    if value < 1:
        raise ValueError("a duration of nothing, expected at least 1ms")
    return value


_DURATION_SCHEMA: Final = WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m)$"})
Milliseconds = Annotated[int, BeforeValidator(milliseconds), _DURATION_SCHEMA]
Period = Annotated[int, BeforeValidator(_positive), _DURATION_SCHEMA]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Number = int | float
Plain = bool | int | float | str
Permission = Literal["allow", "deny"]


@dataclass(frozen=True)
class RelativePath:
    """Marks the setting of a line that is a file: its path is relative to site.yaml, and it must be there."""


SiteFile = Annotated[str, Field(min_length=1), RelativePath()]


def one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    """The JSON Schema of one `item` or a list of them."""
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item}]})


def expression(text: str) -> re.Pattern[str]:
    """The regular expression in `text`. Raises ValueError."""
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"`{text}` is no expression: {error}") from error
