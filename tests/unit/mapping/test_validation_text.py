"""The reasons why values do not fit a schema: in our words, not in the library's."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mapping.located_yaml import validation_text


def _refused(value: int) -> int:
    raise ValueError(f"`{value}` is odd")


class Schema(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    switch: bool = True
    whole: int = 0
    number: Annotated[float, Field(gt=0, lt=10, allow_inf_nan=False)] = 1
    unit: Annotated[int, Field(ge=0, le=255)] = 0
    text: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    name: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    several: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    by_name: dict[str, int] = {}
    parity: Literal["none", "even", "odd"] = "none"
    function: Literal[15, 16] = 15
    only: Literal["a"] = "a"
    even: Annotated[int, AfterValidator(_refused)] = 0


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("switch", "on", "expected true or false"),
        ("whole", "1", "expected an integer"),
        ("whole", 1.5, "expected an integer"),
        ("number", "1", "expected a number"),
        ("number", float("nan"), "expected a finite number"),
        ("number", 0.0, "expected more than 0"),
        ("number", 10.0, "expected less than 10"),
        ("unit", -1, "expected at least 0"),
        ("unit", 256, "expected at most 255"),
        ("text", 5, "expected a text"),
        ("text", "a", "expected at least 2 characters"),
        ("text", "abcd", "expected at most 3 characters"),
        ("name", "A", "expected the form `^[a-z]+$`"),
        ("several", {}, "expected a list"),
        ("several", [], "expected at least 1 entries"),
        ("several", [1, 2, 3], "expected at most 2 entries"),
        ("by_name", [], "expected a mapping"),
        ("parity", "mark", "expected `none`, `even` or `odd`"),
        ("function", 5, "expected `15` or `16`"),
        ("only", "b", "expected `a`"),
        ("even", 3, "`3` is odd"),
        ("extra", 1, "unknown key"),
    ],
)
def test_the_reason_is_in_our_words(key: str, value: Any, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Schema.model_validate({key: value})
    assert [validation_text.reason(detail) for detail in refused.value.errors(include_url=False)] == [reason]
