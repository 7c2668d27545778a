"""A register as text: `TABLE ADDRESS TYPE [ORDER]`, for instance `holding 100 float32 cdab`."""

import re
from typing import Any, Final, get_args

from mapping.plan import Order, Table

_WORDS: Final = {
    "bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float16": 1,
    "float32": 2, "float64": 4, "bcd16": 1, "bcd32": 2, "sbcd16": 1, "sbcd32": 2, "bit": 1, "bits": 1,
    "time:unix32": 2, "time:unix64": 4, "time:iec870": 4,
}  # fmt: skip
_TYPE: Final = re.compile(r"(mod10|string|bit|bits)(?::([0-9]+)(?:-([0-9]+))?)?|([a-z]+[0-9]*|time:[a-z]+[0-9]+)")
KNOWN_TYPES: Final = (
    "bool int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 bcd16 bcd32 sbcd16 sbcd32 mod10:N string:N "
    "bit:N bits:A-B time:unix32 time:unix64 time:iec870"
)
_KEYS: Final = frozenset({"table", "address", "type", "order"})
REGISTER_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": r"^(coil|discrete|input|holding) [0-9]+ \S+( (abcd|cdab|badc|dcba))?$"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["table", "address", "type"],
            "properties": {
                "table": {"enum": list(get_args(Table))},
                "address": {"type": "integer", "minimum": 0, "maximum": 65535},
                "type": {"type": "string"},
                "order": {"enum": list(get_args(Order))},
            },
        },
    ]
}


def long_form(given: Any) -> Any:
    """The long form of a register, its type taken apart; whatever is no register is left for the model to refuse.

    Raises ValueError for text that is none.
    """
    if isinstance(given, str):
        parts = given.split()
        if not 3 <= len(parts) <= 4 or not parts[1].isdecimal():
            raise ValueError(
                f"`{given}` is no register, expected `TABLE ADDRESS TYPE [ORDER]` as `holding 100 float32`"
            )
        given = {"table": parts[0], "address": int(parts[1]), "type": parts[2]} | (
            {"order": parts[3]} if parts[3:] else {}
        )
    if isinstance(given, dict):
        for key in given.keys() - _KEYS:
            raise ValueError(f"unknown key `{key}` of a register, expected `table`, `address`, `type` and `order`")
        if isinstance(given.get("type"), str):
            return given | _typed(given["type"])
    return given


def _typed(text: str) -> dict[str, Any]:
    match = _TYPE.fullmatch(text)
    name, first, last = (match.group(1), match.group(2), match.group(3)) if match else (None, None, None)
    if name in ("string", "mod10"):
        if first is None or last is not None:
            raise ValueError(f"`{text}` does not say how many registers, expected `{name}:N`")
        return {"type": name, "count": int(first)}
    if name == "bit" and first is not None and last is None:
        return {"type": "bit", "count": 1, "low_bit": int(first), "high_bit": int(first)}
    if name == "bits" and first is not None and last is not None:
        return {"type": "bits", "count": 1, "low_bit": int(first), "high_bit": int(last)}
    if text not in _WORDS or name is not None:
        raise ValueError(f"`{text}` is no type, expected one of {KNOWN_TYPES}")
    return {"type": text, "count": _WORDS[text]}
