"""Reads that were sent lately: the window of a unit, its lag, and which reads look alike."""

import pytest

from acquisition.drivers.base import Read
from acquisition.exchange.identity.asked_reads import (
    CONTESTED_S,
    SIGNATURES_LIMIT,
    WINDOW_S,
    AskedReads,
    question_of,
    signature_of,
)
from acquisition.exchange.identity.lags import LAG_KEPT_S
from mapping.plan import Table

FIRST, SECOND = Read(1, "holding", 0, 10), Read(1, "holding", 20, 10)
LONGER = Read(1, "holding", 0, 11)


def test_a_window_is_sixty_milliseconds_or_two_longest_exchanges_or_two_lags_whichever_is_longest() -> None:
    asked = AskedReads()
    assert asked.window(1, 0.0) == WINDOW_S
    asked.took(0.02)
    assert asked.window(1, 0.0) == WINDOW_S
    asked.took(0.05)
    asked.took(0.01)
    assert asked.window(1, 0.0) == 0.1
    asked.lagged(1, 0.3, 0.0)
    assert (asked.window(1, 0.0), asked.window(2, 0.0)) == (0.6, 0.1)


def test_the_largest_lag_of_a_unit_counts_for_a_day() -> None:
    asked = AskedReads()
    asked.lagged(1, 0.3, 0.0)
    asked.lagged(1, 0.2, 100.0)
    asked.lagged(1, 0.1, 200.0)
    assert asked.lag(1, LAG_KEPT_S - 1) == 0.3
    assert asked.lag(1, LAG_KEPT_S) == 0.2
    assert asked.lag(1, LAG_KEPT_S + 100) == 0.1
    assert asked.lag(1, LAG_KEPT_S + 200) == 0.0
    asked.lagged(1, 0.1, LAG_KEPT_S + 201)
    asked.lagged(1, 0.4, LAG_KEPT_S + 203)
    assert asked.lag(1, LAG_KEPT_S + 204) == 0.4


def test_another_question_of_the_same_signature_looks_alike_within_the_window_and_no_longer() -> None:
    asked = AskedReads()
    asked.sent(FIRST, 1.0)
    assert asked.looks_alike(SECOND, 1.0 + WINDOW_S - 0.001)
    assert not asked.looks_alike(SECOND, 1.0 + WINDOW_S)
    asked.lagged(1, 0.5, 1.0)
    assert asked.looks_alike(SECOND, 1.9)


@pytest.mark.parametrize(
    ("read", "alike"),
    [
        (FIRST, False),
        (LONGER, False),
        (Read(1, "holding", 1, 10), True),
        (Read(1, "holding", 20, 9), False),
        (Read(1, "input", 20, 10), False),
        (Read(2, "holding", 20, 10), False),
    ],
    ids=["itself", "itself, longer", "one register on", "of another size", "of another table", "of another unit"],
)
def test_only_another_question_of_that_unit_table_and_size_looks_alike(read: Read, alike: bool) -> None:
    asked = AskedReads()
    asked.sent(FIRST, 1.0)
    assert asked.looks_alike(read, 1.01) is alike


def test_behind_a_gateway_a_read_of_another_unit_looks_alike_too() -> None:
    asked = AskedReads(any_unit=True)
    asked.sent(FIRST, 1.0)
    assert asked.looks_alike(Read(2, "holding", 20, 10), 1.01)
    assert asked.looks_alike(Read(2, "holding", 0, 10), 1.01)


@pytest.mark.parametrize(("count", "alike"), [(8, True), (1, True), (9, False), (16, False)])
def test_bits_look_alike_if_their_responses_have_as_many_octets(count: int, alike: bool) -> None:
    asked = AskedReads()
    asked.sent(Read(1, "coil", 0, 8), 1.0)
    assert asked.looks_alike(Read(1, "coil", 100, count), 1.01) is alike


def test_a_read_of_another_size_is_the_same_question_with_another_signature() -> None:
    assert question_of(FIRST) == question_of(LONGER) != question_of(SECOND)
    assert signature_of(FIRST) == signature_of(SECOND) != signature_of(LONGER)


def test_the_last_time_of_the_same_read_is_known_within_the_window() -> None:
    asked = AskedReads()
    assert asked.asked_alike(FIRST, 1.0) is None
    asked.sent(FIRST, 1.0)
    asked.sent(FIRST, 1.02)
    assert asked.asked_alike(FIRST, 1.03) == 1.02
    assert asked.asked_alike(LONGER, 1.03) is None
    assert asked.asked_alike(SECOND, 1.03) is None
    assert asked.asked_alike(FIRST, 1.02 + WINDOW_S) is None


def test_the_last_time_of_a_signature_is_that_of_any_question() -> None:
    asked = AskedReads()
    assert asked.last_of(signature_of(FIRST)) is None
    asked.sent(FIRST, 1.0)
    asked.sent(SECOND, 2.0)
    asked.sent(LONGER, 3.0)
    assert asked.last_of(signature_of(FIRST)) == 2.0


def test_questions_of_a_unit_are_counted_whatever_their_size() -> None:
    asked = AskedReads()
    for read in (FIRST, LONGER, FIRST, Read(2, "holding", 0, 1)):
        asked.sent(read, 1.0)
    assert (asked.questions(1), asked.questions(2), asked.questions(3)) == (1, 1, 0)
    asked.sent(SECOND, 1.0)
    assert asked.questions(1) == 2


def test_a_signature_of_somebody_else_is_contested_for_a_minute() -> None:
    asked = AskedReads()
    asked.contest(signature_of(FIRST), 1.0)
    assert asked.is_contested(SECOND, 1.0 + CONTESTED_S - 0.01)
    assert not asked.is_contested(SECOND, 1.0 + CONTESTED_S)
    assert not asked.is_contested(LONGER, 1.0)


def every_read(count: int) -> list[Read]:
    """As many reads, each of a signature of its own."""
    tables: tuple[Table, ...] = ("coil", "discrete", "holding", "input")
    return [Read(number // 400, tables[number // 100 % 4], 0, 8 * (number % 100 + 1)) for number in range(count)]


def test_of_more_signatures_than_are_kept_those_out_of_every_window_are_forgotten() -> None:
    asked, reads = AskedReads(), every_read(SIGNATURES_LIMIT + 2)
    for read in reads[: SIGNATURES_LIMIT + 1]:
        asked.sent(read, 0.0)
    assert len(asked._sent) == SIGNATURES_LIMIT + 1
    asked.sent(reads[-1], 100.0)
    assert len(asked._sent) == 1
    assert asked.questions(reads[0].unit) == 0


def test_a_read_within_its_window_is_not_forgotten() -> None:
    asked, reads = AskedReads(), every_read(SIGNATURES_LIMIT + 1)
    for read in reads:
        asked.sent(read, 0.0)
    asked.lagged(1, 300.0, 0.0)
    asked.sent(FIRST, 400.0)
    assert asked.looks_alike(Read(1, "coil", 5, 8), 400.0)
    assert asked.last_of(signature_of(Read(0, "coil", 0, 8))) is None


def test_of_more_contested_signatures_than_are_kept_the_one_that_was_not_heard_for_longest_is_forgotten() -> None:
    asked, reads = AskedReads(), every_read(SIGNATURES_LIMIT + 1)
    for read in (*reads[:-1], reads[0], reads[-1]):
        asked.contest(signature_of(read), 1.0)
    assert [asked.is_contested(one, 1.0) for one in (reads[0], reads[1], reads[2], reads[-1])] == [
        True,
        False,
        True,
        True,
    ]
