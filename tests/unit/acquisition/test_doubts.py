"""Doubts about accepted reads: which are taken back, and when a unit is inconsistent."""

from acquisition.drivers.base import Read
from acquisition.exchange.identity.asked_reads import signature_of
from acquisition.exchange.identity.doubts import ACCEPTED_WITHIN_S, KEPT_LIMIT, SURPLUS_S, Doubts

FIRST, SECOND, LONGER = Read(1, "holding", 0, 4), Read(1, "holding", 20, 4), Read(1, "holding", 0, 5)
ELSEWHERE = Read(2, "holding", 0, 4)


def accept(doubts: Doubts, read: Read, now: float, *, proven: bool) -> None:
    doubts.accepted(read, signature_of(read), now, proven=proven)


def test_reads_that_rest_on_silence_are_taken_back_once_a_surplus_response_of_their_unit_comes() -> None:
    doubts = Doubts()
    for read in (FIRST, SECOND, ELSEWHERE):
        accept(doubts, read, 1.0, proven=False)
    assert (doubts.taken_back(), doubts.hold) == ([], False)
    doubts.surplus(1, 1.1)
    assert (doubts.taken_back(), doubts.hold) == ([FIRST, SECOND], True)
    assert doubts.taken_back() == []
    doubts.surplus(2, 1.2)
    assert doubts.taken_back() == [ELSEWHERE]


def test_a_proven_read_proves_those_before_it() -> None:
    doubts = Doubts()
    accept(doubts, FIRST, 1.0, proven=False)
    accept(doubts, LONGER, 1.1, proven=True)
    accept(doubts, SECOND, 1.2, proven=False)
    doubts.surplus(1, 1.3)
    assert doubts.taken_back() == [SECOND]


def test_a_surplus_response_takes_nothing_back_of_what_is_proven_and_holds_nothing() -> None:
    doubts = Doubts()
    accept(doubts, FIRST, 1.0, proven=True)
    doubts.surplus(1, 1.1)
    assert (doubts.taken_back(), doubts.hold) == ([], False)


def test_a_unit_is_doubtful_for_a_minute_after_its_last_surplus_response() -> None:
    doubts = Doubts()
    assert not doubts.is_doubtful(1, 0.0)
    doubts.surplus(1, 1.0)
    assert (doubts.is_doubtful(1, SURPLUS_S), doubts.is_doubtful(2, 1.0)) == (True, False)
    doubts.surplus(1, 10.0)
    assert doubts.is_doubtful(1, 9.9 + SURPLUS_S)
    assert not doubts.is_doubtful(1, 10.0 + SURPLUS_S)


def test_other_data_with_the_signature_of_an_accepted_read_takes_it_back_and_its_unit_is_inconsistent() -> None:
    doubts = Doubts()
    accept(doubts, FIRST, 1.0, proven=True)
    doubts.stranger(1, signature_of(FIRST), 1.1)
    assert doubts.taken_back() == [FIRST]
    assert doubts.is_inconsistent(1, 1.1, 0.06)
    assert not doubts.is_inconsistent(2, 1.1, 0.06)
    assert not doubts.is_inconsistent(1, 1.17, 0.06)
    assert doubts.is_inconsistent(1, 1.17, 0.2)


def test_other_data_of_another_signature_or_two_seconds_later_belongs_to_no_accepted_read() -> None:
    doubts = Doubts()
    accept(doubts, FIRST, 1.0, proven=True)
    doubts.stranger(1, signature_of(LONGER), 1.1)
    doubts.stranger(1, signature_of(FIRST), 1.0 + ACCEPTED_WITHIN_S)
    assert (doubts.taken_back(), doubts.is_inconsistent(1, 3.0, 60.0)) == ([], False)
    assert doubts.is_doubtful(1, 3.0)


def test_only_the_last_accepted_read_of_a_signature_is_taken_back() -> None:
    doubts = Doubts()
    for at, read in ((1.0, FIRST), (1.1, SECOND)):
        accept(doubts, read, at, proven=True)
    doubts.stranger(1, signature_of(FIRST), 1.2)
    assert doubts.taken_back() == [SECOND]


def test_of_more_reads_by_silence_than_are_kept_the_newest_are_taken_back() -> None:
    doubts = Doubts()
    for at in range(KEPT_LIMIT + 1):
        accept(doubts, Read(1, "holding", at, 4), 1.0, proven=False)
    doubts.surplus(1, 1.1)
    found = [one for one in doubts.taken_back() if isinstance(one, Read)]
    assert (len(found), found[0].address, found[-1].address) == (KEPT_LIMIT, 1, KEPT_LIMIT)


def test_a_read_that_many_strangers_put_in_doubt_is_taken_back_once() -> None:
    doubts = Doubts()
    accept(doubts, FIRST, 1.0, proven=True)
    for _ in range(1000):
        doubts.stranger(1, signature_of(FIRST), 1.1)
    assert doubts.taken_back() == [FIRST]
