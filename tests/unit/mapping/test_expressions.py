"""Expressions over points: what they give, and what they may not hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.expressions import ExpressionError, compile_expression

VALUES = {"io1.local": False, "feeder1.voltage": 231.5, "io1.mode": "auto", "io1.count": 3}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("true", True), ("not io1.local", True), ("io1.local", False), ("feeder1.voltage > 180", True),
        ("180 < feeder1.voltage <= 231.5", True), ("not io1.local and feeder1.voltage > 240", False),
        ("io1.local or io1.count == 3", True), ("io1.mode == 'auto'", True), ("io1.mode != 'auto'", False),
        ("max(io1.count, 5) - 1 == 4", True), ("abs(-io1.count) * 2 / 3 == 2", True),
        ("io1.count", False), ("io1.mode > 3", False), ("io1.count / 0 > 1", False), ("io1.local + 1 == 1", False),
        ("io1.count and true", False),
    ],
)  # fmt: skip
def test_what_an_expression_gives(text: str, holds: bool) -> None:
    assert compile_expression(text).holds(VALUES) is holds


def test_the_dash_of_a_devices_name_is_no_minus() -> None:
    names = {"bay-1-b.closed": True, "io1.count": 3, "io2.count": 5}
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
        ("x := 1", "no expression"), ("1 if io1.a else 2", "`1 if io1.a else 2` is nothing that an expression may hold"),
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
