"""A text that two expressions match both."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.common_text import common_text

NUMBER = r"(?P<value>-?[0-9.]+)"


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (NUMBER, NUMBER, "0"),
        (NUMBER, r"(?P<version>[0-9]+\.[0-9]+)", "0.0"),
        (NUMBER, r"VERSION (?P<version>.+)", None),
        (r"S [SD] +-?[0-9.]+ kg", r"S S .*", "S S 0 kg"),
        (r"S [SD] +-?[0-9.]+ kg", r"I4 A \".*\"", None),
        (r"a{2,3}", r"a{3,}", "aaa"),
        (r"a{2}", r"a{3,}", None),
        (r"(?:ab)*c", r"abab.", "ababc"),
        (r"a{100}", r"a+", None),  # more copies than are walked through, and fullmatch judges
        (r"\d+|OK", r"O\w", "OK"),
        (r"[^0-9]+", NUMBER, "."),
        (r"[^0-9.\-]+", NUMBER, None),
        (r"[]\]a]", r"\]", "]"),
        (r"\x41B", r"AB?", "AB"),
        (r"^A$", r"\AA\Z", "A"),
        (r"", r"a?", ""),
        (r"a", r"b", None),
        (r"(a)\1", r"aa", None),  # a form that is not known: nothing is said
        (r"(?=a)a", r"a", None),
        (r"(?i)a", r"a", None),
        (r"\bA", r"A", "A"),
        (r"A\BB", r"AB", "AB"),
        (r"A\b_", r"A_", None),  # fullmatch judges
    ],
)
def test_the_shortest_text_of_both_is_found_and_none_where_there_is_none(
    one: str, other: str, text: str | None
) -> None:
    assert common_text(one, other) == text
    assert (common_text(other, one) is None) is (text is None)


PIECES = st.sampled_from(["a", "b", "[ab]", "[^a]", "(ab|c)", "a?", "b*", "c+", "(?:a|bc){1,2}", "."])
PATTERNS = st.lists(PIECES, max_size=4).map("".join)


@given(PATTERNS, PATTERNS, st.text("abc", max_size=4))
def test_no_text_that_both_match_is_missed(one: str, other: str, text: str) -> None:
    if re.fullmatch(one, text) and re.fullmatch(other, text):
        found = common_text(one, other)
        assert found is not None
        assert len(found) <= len(text)


def test_an_expression_with_too_many_states_is_not_walked_through() -> None:
    assert common_text("(a{60}){60}", "a*") is None
