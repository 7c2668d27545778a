"""Expressions over points: their values, and the syntax that they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.expressions import ExpressionError, compile_expression

VALUES: dict[str, bool | float | str | None] = {
    "io1.local": False,
    "feeder1.voltage": 231.5,
    "io1.mode": "auto",
    "io1.count": 3,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("true", True), ("not io1.local", True), ("io1.local", False), ("feeder1.voltage > 180", True),
        ("180 < feeder1.voltage <= 231.5", True), ("not io1.local and feeder1.voltage > 240", False),
        ("io1.local or io1.count == 3", True), ("io1.mode == 'auto'", True), ("io1.mode != 'auto'", False),
        ("max(io1.count, 5) - 1 == 4", True), ("abs(-io1.count) * 2 / 3 == 2", True),
        ("sqrt(io1.count + 1) == 2", True), ("(1 if io1.local else 2) == 2", True), ("sqrt(-1) == 1", False),
        ("io1.count", False), ("io1.mode > 3", False), ("io1.count / 0 > 1", False), ("io1.local + 1 == 1", False),
        ("io1.count and true", False),
    ],
)  # fmt: skip
def test_what_an_expression_gives(text: str, holds: bool) -> None:
    assert compile_expression(text).holds(VALUES) is holds


def test_the_dash_of_a_devices_name_is_no_minus() -> None:
    names: dict[str, bool | float] = {"bay-1-b.closed": True, "io1.count": 3, "io2.count": 5}
    assert compile_expression("bay-1-b.closed and io2.count-io1.count == 2 and -io1.count < 0").holds(names)
    assert compile_expression("not bay-1-b.closed or 'a-b.c' == 'a-b.c'").points == ("bay-1-b.closed",)
    with pytest.raises(ExpressionError, match=r"^`bay-1\.a\.b` is nothing that an expression may hold$"):
        compile_expression("bay-1.a.b")


def test_a_point_that_is_missing_or_says_nothing_makes_it_unknown() -> None:
    expression = compile_expression("not io1.local or io1.gone")
    assert expression.points == ("io1.local", "io1.gone")
    assert not expression.holds(VALUES)
    assert not expression.holds(VALUES | {"io1.gone": None})
    assert expression.holds(VALUES | {"io1.gone": False})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no expression"), ("io1.local and", "no expression"), ("io1", "`io1` is nothing that an expression may hold"),
        ("__import__('os')", "`__import__('os')` is nothing that an expression may hold"),
        ("io1.local.x", "`io1.local.x` is nothing that an expression may hold"),
        ("[1, 2]", "`[1, 2]` is nothing that an expression may hold"),
        ("(lambda: 1)()", "`(lambda: 1)()` is nothing that an expression may hold"),
        ("io1.a ** 9", "`io1.a ** 9` is nothing that an expression may hold"),
        ("x := 1", "no expression"), ("1if io1.a else 2", "no expression"),
        ("sqrt(io1.a, 2)", "`sqrt(io1.a, 2)` is nothing that an expression may hold"),
        ("min(io1.a)", "`min(io1.a)` is nothing that an expression may hold"),
        ("9" * 1001, "1001 characters, expected at most 1000"),
        ("not " * 60 + "io1.a", "deeper than 40"),
    ],
)  # fmt: skip
def test_what_an_expression_may_not_hold(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert str(refused.value) == reason


@given(st.text(max_size=60))
def test_no_text_does_anything_but_compile_or_be_refused(text: str) -> None:
    try:
        compile_expression(text).holds(VALUES)
    except ExpressionError:
        return


KINDS = {"io1.local": "bool", "io1.voltage": "number", "io1.current": "number", "io1.mode": "text"}


def test_a_name_alone_is_a_point_of_the_device_itself() -> None:
    expression = compile_expression("voltage * io2.current if not local else 0", "io1")
    assert expression.points == ("io1.local", "io1.voltage", "io2.current")
    assert expression.value({"io1.local": False, "io1.voltage": 230, "io2.current": 2}) == 460
    assert expression.value({"io1.local": True, "io1.voltage": 230, "io2.current": 2}) == 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("voltage * current", "number"), ("voltage > 180 and not local", "bool"), ("mode", "text"), ("local", "bool"),
        ("true", "bool"), ("'on' if local else 'off'", "text"), ("min(voltage, 3)", "number"), ("-current", "number"),
    ],
)  # fmt: skip
def test_an_expression_has_the_kind_of_what_it_gives(text: str, kind: str) -> None:
    assert compile_expression(text, "io1").kind(KINDS.__getitem__) == kind


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("voltage + local", "`local` is a bool, expected a number"),
        ("not voltage", "`voltage` is a number, expected true or false"),
        ("mode > 3", "`3` is a number, expected a text"),
        ("1 if voltage else 2", "`voltage` is a number, expected true or false"),
        ("1 if local else 'two'", "`'two'` is a text, expected a number"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_told(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text, "io1").kind(KINDS.__getitem__)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / io1.count", "division by zero"),
        ("sqrt(io1.count - 4)", "the square root of -4"),
        ("io1.mode > 3", "a text and a number do not go together"),
    ],
)
def test_what_has_no_value_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        compile_expression(text).value({"io1.count": 0, "io1.mode": "auto"})


def test_a_devices_dash_and_a_minus_between_points_are_told_apart() -> None:
    expression = compile_expression("voltage - meter-1.voltage-current", "io1")
    assert expression.points == ("io1.voltage", "meter-1.voltage", "io1.current")
    assert expression.value({"io1.voltage": 9, "meter-1.voltage": 4, "io1.current": 2}) == 3
