"""Resynchronization of a line of text: a question whose reply is told from all others, against silence alone."""

import pytest

from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.simulate.faults.line_faults import Duplicate, LineFault, Loss, Queue
from bus import quality
from tests.support.text_scenes import EVERY_MS, RESYNC, TextLine, instrument

ROOM_MS = 400  # a period that leaves room for silence
FAULT_S = 20.0
ORDER_S = 0.55  # for so long readings rest on silence before they are proven, with the exchange that shows it
TWINS = Duplicate(ms=40, share=0.05)
SLOW_TWINS = Duplicate(ms=1000, share=0.05)
SHIFT = Queue(depth=8, surplus=1)


def with_fault(line: TextLine, fault: LineFault) -> TextLine:
    """`line` after a second without and 20 s with `fault`."""
    line.run(1.0)
    line.channel.begin(fault, line.time.now)
    line.run(FAULT_S)
    line.channel.end(line.time.now)
    return line


@pytest.mark.parametrize("protocol", ["serial-ascii", "tcp-ascii"])
@pytest.mark.parametrize("fault", [TWINS, SLOW_TWINS, SHIFT], ids=["twins", "slow twins", "one behind"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_room_one_exchange_is_wrong_at_most_and_is_invalid_within_the_next(
    protocol: str, fault: LineFault, seed: int
) -> None:
    line = with_fault(TextLine(instrument(RESYNC, every_ms=ROOM_MS), protocol=protocol, seed=seed), fault)
    wrong = line.wrong_exchanges()
    assert len(wrong) <= 1
    assert all(line.exchanges_until_replaced(one) <= 1 for one in wrong)


@pytest.mark.parametrize("fault", [TWINS, SLOW_TWINS, SHIFT], ids=["twins", "slow twins", "one behind"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_a_full_line_the_first_contact_is_taken_back_within_half_a_second_and_nothing_is_wrong_afterwards(
    fault: LineFault, seed: int
) -> None:
    line = with_fault(TextLine(instrument(RESYNC), seed=seed), fault)
    wrong = line.wrong_exchanges()
    assert all(one.at - wrong[0].at <= ORDER_S for one in wrong)
    line.run(2 * HOLD_LIMIT_S)  # a line that came last, and was taken back, is good again two windows later
    last = {reading.point: quality.is_good(reading.reading.quality) for one in line.published for reading in one.read}
    assert all(last.values())


@pytest.mark.parametrize("every_ms", [EVERY_MS, ROOM_MS])
@pytest.mark.parametrize("fault", [TWINS, SLOW_TWINS, SHIFT], ids=["twins", "slow twins", "one behind"])
def test_more_is_good_than_where_silence_alone_tells_lines_apart(fault: LineFault, every_ms: int) -> None:
    by_silence = with_fault(TextLine(instrument(None, every_ms=every_ms)), fault)
    resynchronized = with_fault(TextLine(instrument(RESYNC, every_ms=every_ms)), fault)
    assert len(resynchronized.good()) > 1.3 * len(by_silence.good())


def test_a_lost_line_costs_one_time_out_where_the_question_shows_that_it_comes_no_more() -> None:
    loss = Loss(share=0.02)
    by_silence = with_fault(TextLine(instrument(None)), loss)
    resynchronized = with_fault(TextLine(instrument(RESYNC)), loss)
    assert len(resynchronized.good()) > 2 * len(by_silence.good())
    assert resynchronized.wrong_exchanges() == []


def test_on_a_network_a_later_line_does_not_show_that_an_earlier_one_comes_no_more() -> None:
    network = with_fault(TextLine(instrument(RESYNC), protocol="tcp-ascii"), Loss(share=0.02))
    wire = with_fault(TextLine(instrument(RESYNC), protocol="tcp-ascii", path="wire"), Loss(share=0.02))
    assert len(wire.good()) > 2 * len(network.good())


def test_on_a_sound_line_with_room_the_question_is_asked_once_when_the_line_begins() -> None:
    line = TextLine(instrument(RESYNC, every_ms=ROOM_MS))
    line.run(30.0)
    assert line.instrument.versions == 1
    assert line.wrong_exchanges() == []


def test_on_a_sound_full_line_the_question_is_asked_twice_a_second() -> None:
    line = TextLine(instrument(RESYNC))
    line.run(30.0)
    assert 55 <= line.instrument.versions <= 61
    without = TextLine(instrument(None))
    without.run(30.0)
    assert len(line.good()) > len(without.good())  # an exchange is shorter than the silence


def test_an_instrument_that_does_not_know_the_question_is_polled_and_asked_again_after_a_minute() -> None:
    line = TextLine(instrument(RESYNC))
    line.instrument.knows_version = False
    line.channel.begin(SHIFT, line.time.now)
    line.run(90.0)
    assert line.instrument.versions <= 3
    assert len(line.good(line.time.now - 10.0)) > 50
    assert line.wrong_exchanges() == []


def test_with_a_single_question_nothing_but_its_own_line_can_come() -> None:
    line = TextLine(instrument(RESYNC, questions=1))
    line.run(20.0)
    assert line.instrument.versions == 1  # when the line begins


def test_the_condition_of_the_line_names_the_line_that_came_too_many() -> None:
    line = with_fault(TextLine(instrument(RESYNC)), SHIFT)
    (condition,) = [one for one in line.line.state().conditions if one.name == "surplus-frames"]
    assert "came where the line to `VER?` was due" in condition.evidence
