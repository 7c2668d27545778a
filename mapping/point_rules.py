"""Which forms of a point go together, and which do not (pure): one sentence for the engineer, or None."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mapping.schema.site import Point, Register

_WHOLE: Final = frozenset(
    {
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bcd16",
        "bcd32",
        "sbcd16",
        "sbcd32",
        "bit",
        "bits",
        "bool",
    }
)
_COUNTING: Final = frozenset(
    {"uint16", "uint32", "uint64", "int32", "int64", "bcd16", "bcd32", "mod10", "float32", "float64"}
)
_WORDS: Final = frozenset({"bool", "bit", "string"})
INTEGERS: Final = {"int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64}
"""The integer types, and how many bits each has."""
_OF_REGISTERS: Final = ("write_with", "enum", "scale_from", "counter", "together", "absent", "scale", "offset", "every")


def form_objection(point: "Point") -> str | None:
    """Why the forms that `point` has cannot be together; None if they can."""
    register = point.read or point.write
    return (
        _computed(point)
        or _limits(point, register)
        or _named(point, register)
        or _scaled(point, register)
        or _absent(point, register)
        or _counted(point, register)
    )


def _computed(point: "Point") -> str | None:
    if point.expr is None:
        return None
    if point.read or point.write or point.request is not None or point.obis is not None:
        return "both `expr` and something to ask the device for, expected one of them"
    wrong = next((key for key in _OF_REGISTERS if key in point.model_fields_set), None)
    return (
        None if wrong is None else f"`{wrong}` beside `expr`: what is computed has `unit`, `min`, `max` and `proposes`"
    )


def _limits(point: "Point", register: "Register | None") -> str | None:
    if point.min is None and point.max is None:
        return None
    if point.min is not None and point.max is not None and point.min > point.max:
        return f"`min` {point.min} is above `max` {point.max}"
    if point.enum or (register is not None and (register.type in _WORDS or register.table in ("coil", "discrete"))):
        return "`min` and `max` are of numbers"
    return None


def _named(point: "Point", register: "Register | None") -> str | None:
    if not point.enum:
        return None
    if register is None:
        return "`enum` needs a register: a text is its own name"
    for one in (point.read, point.write):
        if one is not None and one.type not in _WHOLE:
            return f"`enum` of a {one.type}, expected a whole number"
    other = next(
        (key for key in ("unit", "scale", "offset", "scale_from", "counter") if key in point.model_fields_set), None
    )
    if other is not None:
        return f"`{other}` beside `enum`: a name has none"
    names = list(point.enum.values())
    twice = next((name for name in names if names.count(name) > 1), None)
    return (
        None
        if twice is None or point.write is None
        else f"`{twice}` stands for two values: which one is to be written?"
    )


def _scaled(point: "Point", register: "Register | None") -> str | None:
    if point.scale_from is None:
        return None
    if register is None or register.type in _WORDS or register.type.startswith("time:"):
        return "`scale_from` needs a register with a number"
    return None


def _absent(point: "Point", register: "Register | None") -> str | None:
    """What would never be met would let a device's word for "nothing" pass for a measurement."""
    if not point.absent or register is None:
        return None
    if register.type in _WORDS and not point.enum:
        return "`absent` is of numbers"
    word = next((one for one in point.absent if isinstance(one, str) and one != "nan"), None)
    if word is not None:
        return f"`absent` of `{word}`, expected a number or nan"
    bits = INTEGERS.get(register.type)
    if bits is None:
        return None
    least = -(1 << bits - 1) if register.type.startswith("int") else 0
    never = next((one for one in point.absent if not isinstance(one, str) and not least <= one < 1 << bits), None)
    return None if never is None else f"`absent` {never} is nothing that a {register.type} can hold"


def _counted(point: "Point", register: "Register | None") -> str | None:
    if not point.counter:
        return None
    if register is not None and register.type not in _COUNTING:
        return f"`counter` of a {register.type}, expected a number that counts up"
    return "`counter` beside `write`: a counter is not set" if point.write is not None else None
