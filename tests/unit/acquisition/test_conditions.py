"""Conditions of a line: when they begin and end, how often they showed, and from which responses they are told."""

import random

import pytest

from acquisition.drivers.base import Read
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.attribution.attribution import Attribution
from acquisition.exchange.attribution.transaction_ids import next_tag
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.channel_faults import HELD_WITHIN_S, STRANGERS, ChannelFaults
from acquisition.exchange.identity.conditions import ENDS_AFTER_S, EVIDENCE_LIMIT, LineConditions
from acquisition.exchange.responses import Responses

READ = (1, "holding", 20)
OTHER = (1, "holding", 22)


def named(faults: ChannelFaults, now: float) -> dict[str, int]:
    """How often each condition has shown."""
    return {one.name: one.count for one in faults.conditions.all(now)}


# ---------------------------------------------------------------------- one condition


def test_a_condition_begins_once_and_is_counted() -> None:
    conditions = LineConditions()
    conditions.note("late-answers", "the first", 10.0)
    assert [one.evidence for one in conditions.begun()] == ["the first"]
    conditions.note("late-answers", "the second", 20.0)
    assert conditions.begun() == ()
    (found,) = conditions.all(20.0)
    assert (found.name, found.since, found.count, found.evidence) == ("late-answers", 10.0, 2, "the second")


def test_a_condition_ends_ten_minutes_after_its_last_sign_and_may_begin_again() -> None:
    conditions = LineConditions()
    conditions.note("late-answers", "one", 0.0)
    conditions.note("late-answers", "two", 300.0)
    conditions.begun()
    assert conditions.ended(299.9 + ENDS_AFTER_S) == ()
    assert [one.count for one in conditions.ended(300.0 + ENDS_AFTER_S)] == [2]
    assert (conditions.ended(1000.0), conditions.all(1000.0)) == ((), ())
    conditions.note("late-answers", "three", 1000.0)
    assert [(one.since, one.count) for one in conditions.begun()] == [(1000.0, 1)]


def test_two_conditions_are_told_each_and_the_oldest_comes_first() -> None:
    conditions = LineConditions()
    conditions.note("surplus-frames", "one", 1.0)
    conditions.note("late-answers", "two", 2.0)
    conditions.note("surplus-frames", "three", 3.0)
    assert [one.name for one in conditions.all(3.0)] == ["surplus-frames", "late-answers"]
    assert len(conditions.begun()) == 2


def test_evidence_has_a_bound() -> None:
    conditions = LineConditions()
    conditions.note("late-answers", "x" * 1000, 1.0)
    assert len(conditions.all(1.0)[0].evidence) == EVIDENCE_LIMIT


# ---------------------------------------------------------------------- from responses


def test_a_late_answer_is_told_with_its_delay() -> None:
    faults = ChannelFaults("second-master")
    faults.sent(10.0)
    faults.sent(10.4)
    faults.late("unit 1, function 3, 20 octets", 10.0, 10.9)
    (found,) = faults.conditions.all(11.0)
    assert (found.name, found.evidence) == ("late-answers", "unit 1, function 3, 20 octets: 900 ms after its request")


@pytest.mark.parametrize(("after_s", "name"), [(0.9 * HELD_WITHIN_S, "holds-answers"), (1.1 * HELD_WITHIN_S, None)])
def test_three_answers_in_a_row_right_after_the_next_request_were_held(after_s: float, name: str | None) -> None:
    faults = ChannelFaults("shared-line")
    faults.sent(0.0)
    for turn in range(1, 4):
        faults.sent(float(turn))
        faults.late("one", turn - 1.0, turn + after_s)
    assert ("holds-answers" in named(faults, 4.0)) == (name == "holds-answers")
    assert named(faults, 4.0)["late-answers"] == (2 if name else 3)


def test_answers_right_after_a_request_that_is_not_the_next_one_were_not_held() -> None:
    faults = ChannelFaults("shared-line")
    faults.sent(0.0)
    faults.sent(0.5)
    for turn in range(1, 10):
        faults.sent(float(turn))
        faults.late("one", turn - 1.0 if turn > 1 else 0.0, turn + 0.01)
        faults.sent(turn + 0.5)
    assert named(faults, 10.0) == {"late-answers": 9}


@pytest.mark.parametrize("name", ["second-master", "shared-line"])
def test_four_strangers_are_another_master_and_three_are_none(name: str) -> None:
    faults = ChannelFaults("second-master" if name == "second-master" else "shared-line")
    for turn in range(STRANGERS - 1):
        faults.stranger_came(READ, float(turn))
    assert named(faults, 5.0) == {}
    faults.stranger_came(READ, 5.0)
    faults.stranger_came(READ, 6.0)
    assert named(faults, 6.0) == {name: STRANGERS + 1}


def test_strangers_of_three_hours_are_no_other_master() -> None:
    faults = ChannelFaults("second-master")
    for turn in range(20):
        faults.stranger_came(READ, turn * ENDS_AFTER_S)
        assert named(faults, turn * ENDS_AFTER_S) == {}


def test_a_stranger_to_each_read_at_one_lag_is_a_second_device() -> None:
    faults = ChannelFaults("second-master")
    for turn in range(4):
        signature = OTHER if turn % 2 else READ
        faults.accepted(signature, float(turn))
        faults.stranger_came(signature, turn + 0.115)
    (found,) = faults.conditions.all(4.0)
    expected = "unit 1, function 3, 22 octets: two answers with different data, 115 ms apart"
    assert (found.name, found.evidence) == ("two-devices", expected)


def test_a_second_device_that_is_slower_than_the_polls_is_known_by_its_lag() -> None:
    faults = ChannelFaults("second-master")
    draw = random.Random(1)
    sent = [(turn * 0.025, draw.choice((READ, OTHER))) for turn in range(200)]
    for at, signature, stranger in sorted(
        [(at, one, False) for at, one in sent] + [(at + 0.117, one, True) for at, one in sent]
    ):
        (faults.stranger_came if stranger else faults.accepted)(signature, at)
    assert list(named(faults, 10.0)) == ["two-devices"]
    assert named(faults, 10.0)["two-devices"] > 190


@pytest.mark.parametrize("period_s", [0.025, 0.3, 0.5, 1.0, 3.0])
def test_a_second_master_is_told_from_a_second_device_whatever_the_period_of_the_polls(period_s: float) -> None:
    draw = random.Random(7)
    faults = ChannelFaults("second-master")
    events = [(turn * period_s, False) for turn in range(round(60 / period_s))]
    events += [(turn + 0.2 * draw.random(), True) for turn in range(60)]
    for at, stranger in sorted(events):
        (faults.stranger_came if stranger else faults.accepted)(READ, at)
    found = named(faults, 60.0)
    assert found["second-master"] > 4 * found.get("two-devices", 0)


def test_strangers_that_leave_out_a_read_are_another_master() -> None:
    faults = ChannelFaults("second-master")
    for turn in range(30):
        faults.accepted(READ, float(turn))
        if turn % 2 == 0:
            faults.stranger_came(READ, turn + 0.2)
    assert list(named(faults, 31.0)) == ["second-master"]


def test_more_strangers_than_reads_are_another_master() -> None:
    faults = ChannelFaults("second-master")
    for turn in range(30):
        faults.accepted(READ, 3.0 * turn)
        for part in range(2):
            faults.stranger_came(READ, 3.0 * turn + 0.2 + part)
    assert list(named(faults, 91.0)) == ["second-master"]


def test_what_a_line_sees_is_bounded_by_its_units() -> None:
    faults = ChannelFaults("second-master")
    for turn in range(20_000):
        faults.accepted((turn % 256, "holding", 20), turn * 0.01)
        faults.stranger_came((turn % 256, "holding", 20), turn * 0.01 + 0.001)
    assert len(faults._units) == 256
    assert max(len(one.reads) for one in faults._units.values()) <= 64


@pytest.mark.parametrize(("own_id", "expected"), [(True, ["gateway-gives-up"]), (False, [])])
def test_a_response_of_the_wrong_size_under_the_right_id_shows_a_gateway_that_gave_up(
    own_id: bool, expected: list[str]
) -> None:
    spec = by_protocol()["modbus-tcp"]
    attribution = Attribution(spec, Counters(), 0, behind="gateway")
    responses = Responses(spec, spec.make(), Counters(), attribution)
    read = Read(1, "holding", 0, 2)
    responses.sent(read, responses.encode(read), 1.0)
    tag = next_tag(0) if own_id else 5
    responses.receive(tag.to_bytes(2, "big") + bytes.fromhex("00000009010306000100020003"))
    assert responses.next(read, 1.1) is None
    assert [one.name for one in attribution.faults.conditions.all(1.1)] == expected
