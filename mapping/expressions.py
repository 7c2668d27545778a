"""Expressions over points, as in `allow_if: not io1.local and feeder1.voltage_l1 > 180` (pure; compiled once).

    a if b else c    or and not    == != < <= > >=    + - * /    min(a, b)  max(a, b)  abs(a)  sqrt(a)
    device.point  number  true  false  'text'    in a device's own `expr:` the name of a point alone

A whitelist of Python's own syntax tree: nothing else can be said. A point that is not good makes the whole unknown. The
dash of a device's name (`meter-1.voltage`) stands without blanks; a minus before a point has one on its right.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bus.messages import Value

DEPTH: Final = 40
LONGEST: Final = 1000
Values = Mapping[str, Value]
_Evaluate = Callable[[Values], Any]

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip


def _root(of: float) -> float:
    if of < 0:
        raise ValueError(f"the square root of {of:g}")
    return math.sqrt(of)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {"min": min, "max": max, "abs": abs, "sqrt": _root}
_SINGLE: Final = ("abs", "sqrt")
_NAMES: Final = {"true": True, "false": False}


_DASHED: Final = re.compile(r"(?<![\w.'\"-])[A-Za-z_]\w*(?:-\w+)+(?=\.[A-Za-z_])")
_DASH: Final = "\u01c0"  # a letter to Python, of the same width, for the dash of a name


class ExpressionError(ValueError):
    """A fault in the text of an expression; `column` counts from 0."""

    def __init__(self, reason: str, column: int = 0, word: str = "") -> None:
        super().__init__(reason)
        self.column = column
        self.word = word


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression: its text, the points that it names, and its value for theirs."""

    text: str
    points: tuple[str, ...]
    _evaluate: _Evaluate
    _tree: ast.expr
    _device: str

    def holds(self, values: Values) -> bool:
        """True if it is true of `values`; False if it is not, if a point is missing, or if it cannot be computed."""
        if any(values.get(point) is None for point in self.points):
            return False
        try:
            return self._evaluate(values) is True
        except (TypeError, ValueError, ArithmeticError):
            return False  # a text compared with a number, a division by zero: not known to be true

    def value(self, values: Values) -> bool | int | float | str:
        """The value of the expression for `values`. Raises ValueError, with the reason, if it has none."""
        try:
            found: bool | int | float | str = self._evaluate(values)
        except ZeroDivisionError:
            raise ValueError("division by zero") from None
        except ArithmeticError as error:
            raise ValueError("beyond any number") from error
        except TypeError as error:
            raise ValueError("a text and a number do not go together") from error
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError("beyond any number")
        return found

    def kind(self, kind_of: Callable[[str], str]) -> str:
        """The kind of its value: a bool, a number or a text. `kind_of` gives that of a point. Raises ExpressionError."""
        return _kind(self._tree, lambda node: kind_of(_point_name(node, self._device) or ""))


def compile_expression(text: str, device: str = "") -> Expression:
    """The expression that `text` is; a name alone is a point of `device`, if one is given. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(f"{len(text)} characters, expected at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # a number that runs into a word: `1if`
            tree = ast.parse(_DASHED.sub(lambda found: found[0].replace("-", _DASH), text.strip()), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        column = (error.offset or 1) - 1 if isinstance(error, SyntaxError) else 0
        raise ExpressionError("no expression", column) from error
    points: dict[str, None] = {}
    evaluate = _compiled(tree.body, points, device, 0)
    return Expression(text.strip(), tuple(points), evaluate, tree.body, device)


def _compiled(node: ast.expr, points: dict[str, None], device: str, depth: int) -> _Evaluate:
    if depth > DEPTH:
        raise ExpressionError(f"deeper than {DEPTH}", node.col_offset)

    def inner(one: ast.expr) -> _Evaluate:
        return _compiled(one, points, device, depth + 1)

    found = _logic(node, inner) or _arithmetic(node, inner) or _leaf(node, points, device)
    if found is None:
        word = ast.unparse(node).replace(_DASH, "-")
        raise ExpressionError(f"`{word}` is nothing that an expression may hold", node.col_offset, word)
    return found


def _logic(node: ast.expr, inner: Callable[[ast.expr], _Evaluate]) -> _Evaluate | None:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            every = [inner(part) for part in parts]
            return lambda values: all(_truth(one(values)) for one in every)
        case ast.BoolOp(op=ast.Or(), values=parts):
            some = [inner(part) for part in parts]
            return lambda values: any(_truth(one(values)) for one in some)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            negated = inner(operand)
            return lambda values: not _truth(negated(values))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            return _comparison(inner(left), [_COMPARE[type(op)] for op in ops], [inner(one) for one in others])
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            asked, then, instead = inner(test), inner(body), inner(otherwise)
            return lambda values: then(values) if _truth(asked(values)) else instead(values)
    return None


def _arithmetic(node: ast.expr, inner: Callable[[ast.expr], _Evaluate]) -> _Evaluate | None:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            minus = inner(operand)
            return lambda values: -_number(minus(values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            first, second, apply = inner(left), inner(right), _BINARY[type(op)]
            return lambda values: apply(_number(first(values)), _number(second(values)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if _callable(name, len(arguments)):
            function, given = _FUNCTIONS[name], [inner(one) for one in arguments]
            return lambda values: function(*(_number(one(values)) for one in given))
    return None


def _callable(name: str, arguments: int) -> bool:
    return arguments == 1 if name in _SINGLE else name in _FUNCTIONS and arguments > 1


def _leaf(node: ast.expr, points: dict[str, None], device: str) -> _Evaluate | None:
    match node:
        case ast.Name(id=name) if name in _NAMES:
            known = _NAMES[name]
            return lambda _values: known
        case ast.Constant(value=constant) if isinstance(constant, int | float | str):
            meant = constant.replace(_DASH, "-") if isinstance(constant, str) else constant
            return lambda _values: meant
    point = _point_name(node, device)
    return None if point is None else _point(point, points)


def _point_name(node: ast.expr, device: str) -> str | None:
    """`device.point` if `node` is one, else None."""
    match node:
        case ast.Attribute(value=ast.Name(id=named), attr=point):
            return f"{named.replace(_DASH, '-')}.{point}"
        case ast.Name(id=point) if device and point not in _NAMES and _DASH not in point:
            return f"{device}.{point}"
    return None


def _comparison(left: _Evaluate, operators: list[Callable[[Any, Any], bool]], others: list[_Evaluate]) -> _Evaluate:
    def compared(values: Values) -> bool:
        before = left(values)
        for apply, one in zip(operators, others, strict=True):
            after = one(values)
            if not apply(before, after):
                return False
            before = after
        return True

    return compared


def _point(name: str, points: dict[str, None]) -> _Evaluate:
    points.setdefault(name)
    return lambda values: values[name]


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r}, expected true or false")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r}, expected a number")
    return value


# ---------------------------------------------------------------------- kinds


def _kind(node: ast.expr, kind_of: Callable[[ast.expr], str]) -> str:
    """The kind of the value of `node`; every part of it must be of the kind that its place needs."""
    match node:
        case ast.BoolOp(values=parts):
            return _demand(parts, "bool", kind_of)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _demand([operand], "bool", kind_of)
        case ast.UnaryOp(operand=operand):
            return _demand([operand], "number", kind_of)
        case ast.BinOp(left=left, right=right):
            return _demand([left, right], "number", kind_of)
        case ast.Call(args=arguments):
            return _demand(arguments, "number", kind_of)
        case ast.Compare(left=left, comparators=others):
            _demand(others, _kind(left, kind_of), kind_of)
            return "bool"
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            _demand([test], "bool", kind_of)
            return _demand([otherwise], _kind(body, kind_of), kind_of)
    return _leaf_kind(node) or kind_of(node)


def _demand(parts: list[ast.expr], wanted: str, kind_of: Callable[[ast.expr], str]) -> str:
    for part in parts:
        found = _kind(part, kind_of)
        if found != wanted:
            word = ast.unparse(part).replace(_DASH, "-")
            expected = "true or false" if wanted == "bool" else f"a {wanted}"
            raise ExpressionError(f"`{word}` is a {found}, expected {expected}", part.col_offset, word)
    return wanted


def _leaf_kind(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=value):
            return {bool: "bool", str: "text"}.get(type(value), "number")
        case ast.Name(id=name) if name in _NAMES:
            return "bool"
    return None
