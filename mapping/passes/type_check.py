"""Type check: the points that an attribute can carry, and the values that it can be given (pure).

point is a        attribute may be                                             otherwise
bool              BOOLEAN, an integer (0, 1), Dbpos (off, on)                  `values:`
number            a float, an integer, Enum by ordinal; Dbpos, Tcmd if whole   `values:`
text              a string; of an instrument or a readout a float or an integer too   `values:`
text by `enum:`   an Enum, Dbpos or Tcmd that has all of its names, too        `values:`
"""

import math
from collections.abc import Mapping
from typing import Final

from bus.messages import Value
from mapping.model import STRING_LIMITS, AttributeType, BasicType, Scalar
from mapping.passes.draft import DraftPoint
from mapping.plan import Obis, Own, Register, Reply

ValueTable = tuple[tuple[Value, Value], ...]
HEALTH: Final[ValueTable] = ((True, 1), (False, 3))
"""`online` as PhyHealth: Ok, Alarm."""

FLOATS: Final = (BasicType.FLOAT32, BasicType.FLOAT64)
_SIGNED: Final = {
    BasicType.INT8: 8, BasicType.INT16: 16, BasicType.INT24: 24, BasicType.INT32: 32, BasicType.INT64: 64,
    BasicType.INT128: 128,
}  # fmt: skip
_UNSIGNED: Final = {BasicType.INT8U: 8, BasicType.INT16U: 16, BasicType.INT24U: 24, BasicType.INT32U: 32}
_CODED: Final[Mapping[BasicType, Mapping[str, int]]] = {
    BasicType.DBPOS: {"intermediate-state": 0, "off": 1, "on": 2, "bad-state": 3, "intermediate": 0, "bad": 3},
    BasicType.TCMD: {"stop": 0, "lower": 1, "higher": 2},
}
_STRINGS: Final = (
    BasicType.VIS_STRING_32, BasicType.VIS_STRING_64, BasicType.VIS_STRING_65, BasicType.VIS_STRING_129,
    BasicType.VIS_STRING_255, BasicType.UNICODE_255,
)  # fmt: skip
_LARGEST_FLOAT32: Final = 3.4028235e38


def numeric(attribute: AttributeType) -> bool:
    """True if it is a float or an integer that no names stand for."""
    return attribute.basic in FLOATS or attribute.basic in _SIGNED or attribute.basic in _UNSIGNED


def textual(attribute: AttributeType) -> bool:
    """True if it is a string."""
    return attribute.basic in _STRINGS


def naturally(point: DraftPoint, attribute: AttributeType) -> ValueTable | None:
    """The attribute's value for each of `point` without `values:`; () if as it is, or by scale; None if it cannot."""
    basic = attribute.basic
    match point.kind:
        case "bool" if basic is BasicType.BOOLEAN:
            return ()
        case "bool" if basic is BasicType.DBPOS:
            return ((False, 1), (True, 2))
        case "bool" if numeric(attribute) and basic not in FLOATS:
            return ((False, 0), (True, 1))
        case "number" if numeric(attribute) or basic is BasicType.ENUM or (basic in _CODED and _whole(point)):
            return ()
        case "text" if point.names and not textual(attribute):
            return _by_name(point, attribute)
        case "text" if textual(attribute) or (numeric(attribute) and isinstance(point.plan.source, Reply | Obis)):
            return ()
    return None


def _by_name(point: DraftPoint, attribute: AttributeType) -> ValueTable | None:
    """Each name of `point` and the value of that name; None if the attribute lacks one."""
    pairs = tuple((name, attribute_value(attribute, name)) for name in point.names)
    return pairs if all(value is not None for _, value in pairs) else None


def _whole(point: DraftPoint) -> bool:
    source, plan = point.plan.source, point.plan
    scaled = (plan.scale, plan.offset) != (1.0, 0.0) or plan.scale_from is not None
    return isinstance(source, Register) and not source.type.startswith("float") and not scaled


def commanded(point: DraftPoint, control: AttributeType) -> ValueTable | None:
    """The value of `point` for each of `ctlVal`; () if as it is, or by scale; None if it cannot be written there."""
    boolean = control.basic is BasicType.BOOLEAN
    match point.kind:
        case "bool" if boolean:
            return ()
        case "number" if boolean:
            return ((False, 0), (True, 1))
        case "number" if numeric(control) or control.basic in (BasicType.ENUM, *_CODED):
            return ()
        case "text" if point.names:
            turned = ((control_value(control, name), name) for name in point.names)
            return tuple(pair for pair in turned if pair[0] is not None) or None
    return None


def is_online(point: DraftPoint) -> bool:
    """True for the point that tells whether its device answers."""
    return isinstance(point.plan.source, Own) and point.plan.source.name == "online"


def point_value(point: DraftPoint, key: str) -> Value:
    """The value of `point` that a key of `values:` means; None if it can never have that."""
    if point.kind == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(key)
    if point.names:
        return key if key in point.names else None
    number = _number(key)
    if point.kind == "number":
        return number
    return key if number is None or isinstance(point.plan.source, Register) else number


def _number(text: str) -> int | float | None:
    for read in (int, float):
        try:
            number: int | float = read(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def names(attribute: AttributeType) -> list[str]:
    """The names that its values have, for hints; none for plain numbers."""
    if attribute.basic is BasicType.BOOLEAN:
        return ["true", "false"]
    if attribute.basic is BasicType.ENUM and attribute.enum:
        return list(attribute.enum.ordinals)
    return list(_CODED.get(attribute.basic, {}))


def attribute_value(attribute: AttributeType, given: Scalar) -> Value:
    """`given`, a name or a value, as `attribute` holds it; None if it cannot."""
    basic = attribute.basic
    if basic is BasicType.BOOLEAN:
        return given if isinstance(given, bool) else None
    if basic in _STRINGS:
        return given if isinstance(given, str) and _fits(basic, given) else None
    named = attribute.enum.ordinals if basic is BasicType.ENUM and attribute.enum else _CODED.get(basic)
    if named is not None and isinstance(given, str):
        return {name.strip(): ordinal for name, ordinal in named.items()}.get(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if named is not None:
        return int(given) if given in named.values() else None
    if basic in FLOATS:
        return float(given) if basic is BasicType.FLOAT64 or abs(given) <= _LARGEST_FLOAT32 else None
    return int(given) if float(given).is_integer() and _in_range(basic, int(given)) else None


def control_value(attribute: AttributeType, given: Scalar) -> Value:
    """As `attribute_value`; the boolean ctlVal of a double point takes its positions, off and on."""
    if attribute.basic is BasicType.BOOLEAN and isinstance(given, str):
        return {"off": False, "on": True}.get(given)
    return attribute_value(attribute, given)


def _fits(basic: BasicType, text: str) -> bool:
    return len(text) <= STRING_LIMITS[basic] and (basic is BasicType.UNICODE_255 or text.isascii())


def _in_range(basic: BasicType, value: int) -> bool:
    if basic in _UNSIGNED:
        return 0 <= value < 1 << _UNSIGNED[basic]
    return basic in _SIGNED and -1 << _SIGNED[basic] - 1 <= value < 1 << _SIGNED[basic] - 1
