"""Late lines of text: which question may be asked while a line is missing."""

from acquisition.drivers.base import Question, Text
from acquisition.exchange.identity.late_text import LATE_LIMIT, QUESTIONS_LIMIT, LateText

VOLTAGE, CURRENT = Question("MEAS:VOLT?", "\n"), Question("MEAS:CURR?", "\n")


def test_while_a_line_is_missing_only_its_own_question_is_asked() -> None:
    text = LateText()
    assert (text.may_ask(VOLTAGE, 0.0), text.may_ask(CURRENT, 0.0)) == (True, True)
    text.expect(VOLTAGE, 0.0, 60.0)
    assert (text.may_ask(VOLTAGE, 1.0), text.may_ask(CURRENT, 1.0)) == (True, False)
    assert (text.may_ask(CURRENT, 59.9), text.may_ask(CURRENT, 60.0)) == (False, True)


def test_lines_of_two_questions_that_are_missing_let_neither_be_asked() -> None:
    text = LateText()
    text.expect(VOLTAGE, 0.0, 60.0)
    text.expect(CURRENT, 0.0, 61.0)
    assert (text.may_ask(VOLTAGE, 1.0), text.may_ask(CURRENT, 1.0)) == (False, False)
    assert (text.may_ask(VOLTAGE, 60.5), text.may_ask(CURRENT, 60.5)) == (False, True)


def test_a_line_that_nobody_waits_for_is_that_of_the_first_question() -> None:
    text = LateText()
    text.expect(VOLTAGE, 0.0, 60.0)
    text.expect(CURRENT, 0.0, 60.0)
    text.settle()
    assert (text.may_ask(VOLTAGE, 1.0), text.may_ask(CURRENT, 1.0)) == (False, True)
    text.settle()
    text.settle()  # one that nobody knows
    assert (text.may_ask(VOLTAGE, 1.0), text.may_ask(CURRENT, 1.0)) == (True, True)


def test_each_try_of_a_question_may_still_be_answered() -> None:
    text = LateText()
    for _ in range(2):
        text.expect(VOLTAGE, 0.0, 60.0)
    text.settle()
    assert not text.may_ask(CURRENT, 1.0)
    text.settle()
    assert text.may_ask(CURRENT, 1.0)


def test_an_instrument_with_one_question_rests_on_nothing_and_one_with_two_rests_on_silence() -> None:
    text = LateText()
    for _ in range(2):
        text.sent(VOLTAGE, 0.0)
        assert not text.rests_on_silence(VOLTAGE)
    text.sent(CURRENT, 0.0)
    assert (text.rests_on_silence(VOLTAGE), text.rests_on_silence(CURRENT)) == (True, True)


def test_of_more_missing_lines_than_are_kept_the_oldest_is_forgotten() -> None:
    text = LateText()
    text.expect(VOLTAGE, 0.0, 60.0)
    for _ in range(LATE_LIMIT - 1):
        text.expect(CURRENT, 0.0, 60.0)
    assert not text.may_ask(CURRENT, 1.0)
    text.expect(CURRENT, 0.0, 60.0)
    assert text.may_ask(CURRENT, 1.0)


def test_of_more_questions_than_are_kept_the_newest_is_not_kept_and_rests_on_silence() -> None:
    text = LateText()
    for number in range(QUESTIONS_LIMIT + 1):
        text.sent(Question(f"Q{number}?", "\n"), 0.0)
    assert len(text._questions) == QUESTIONS_LIMIT
    assert text.rests_on_silence(Question(f"Q{QUESTIONS_LIMIT}?", "\n"))


def test_a_question_that_is_asked_again_may_be_answered_by_the_line_of_its_first_try() -> None:
    text = LateText()
    text.expect(VOLTAGE, 1.0, 5.0)
    text.expect(VOLTAGE, 3.0, 7.0)
    assert (text.owed(VOLTAGE, 4.0), text.owed(CURRENT, 4.0)) == (1.0, None)
    assert (text.owed(VOLTAGE, 5.0), text.owed(VOLTAGE, 7.0)) == (3.0, None)
    assert (text.any(6.9), text.any(7.0)) == (True, False)


def test_a_second_line_that_differs_from_the_answer_contradicts_it_once_and_those_in_a_row_are_counted() -> None:
    text = LateText()
    for count in (1, 2):
        text.accepted(VOLTAGE, Text("230.1"))
        assert text.contradictions(VOLTAGE, Text("230.1"), 1.0) == 0
        assert [text.contradictions(VOLTAGE, Text("5.0"), 1.0) for _ in range(2)] == [count, count]
    text.accepted(VOLTAGE, Text("230.1"))
    text.accepted(VOLTAGE, Text("230.2"))  # nothing contradicted the one before
    assert text.contradictions(VOLTAGE, Text("5.0"), 1.0) == 1


def test_while_a_line_is_missing_no_other_line_contradicts_an_answer() -> None:
    text = LateText()
    text.expect(VOLTAGE, 0.0, 60.0)
    text.accepted(VOLTAGE, Text("230.1"))
    assert text.contradictions(VOLTAGE, Text("5.0"), 1.0) == 0
    assert text.contradictions(VOLTAGE, Text("5.0"), 60.0) == 1


def test_a_question_was_asked_since_a_time_first_and_last() -> None:
    text = LateText()
    for at in (1.0, 2.0, 3.0):
        text.sent(VOLTAGE, at)
    assert (text.asked_alike(VOLTAGE, 1.0, first=True), text.asked_alike(VOLTAGE, 1.0, first=False)) == (2.0, 3.0)
    assert (text.asked_alike(VOLTAGE, 3.0, first=True), text.asked_alike(CURRENT, 0.0, first=True)) == (None, None)
