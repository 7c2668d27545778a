"""The reason why a value does not fit a schema, in our words: pydantic gives the kind of mistake, its wording changes."""

import re
from typing import Final

from pydantic_core import ErrorDetails

_REASONS: Final = {
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "none_required": "expected nothing",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected an integer",
    "int_parsing": "expected an integer",
    "int_parsing_size": "expected an integer",
    "int_from_float": "expected an integer",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "string_type": "expected a text",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "greater_than": "expected more than {gt:.15g}",
    "greater_than_equal": "expected at least {ge:.15g}",
    "less_than": "expected less than {lt:.15g}",
    "less_than_equal": "expected at most {le:.15g}",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "expected the form `{pattern}`",
    "too_short": "expected at least {min_length} entries",
    "too_long": "expected at most {max_length} entries",
}  # fmt: skip
_CHOICE: Final = re.compile(r"'([^']*)'|(\d+)")


def reason(detail: ErrorDetails) -> str:
    """The reason as `expected at most 255`; that of a validator of ours as the validator gives it."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            *others, last = (f"`{text or number}`" for text, number in _CHOICE.findall(context["expected"]))
            return f"expected {', '.join(others)} or {last}" if others else f"expected {last}"
        case kind if kind in _REASONS:
            return _REASONS[kind].format_map(context)
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]
