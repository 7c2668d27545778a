"""Resynchronization of a line of text: which line may answer which question, and when the question is asked again."""

import re

from acquisition.drivers.base import Question
from acquisition.drivers.device_side import AnsweringDevice
from acquisition.drivers.registry import by_protocol
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_text import LateText
from acquisition.exchange.identity.resynchronization import UNANSWERED_S, Resynchronization
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import LinePlan
from tests.support.text_scenes import RESYNC, instrument

ACTUAL, VERSION = Question("Q0?\r\n"), Question("VER?\r\n")
KNOWN, SILENT = instrument(RESYNC), instrument(None)


def resynchronization() -> Resynchronization:
    return Resynchronization.of(LinePlan("bench", "serial-ascii", {}, (KNOWN,)))


def test_a_line_that_matches_answers_its_own_question_only_and_any_other_line_all_others() -> None:
    found = resynchronization()
    assert (found.may_answer(VERSION, "V1.2"), found.may_answer(VERSION, "123")) == (True, False)
    assert (found.may_answer(ACTUAL, "V1.2"), found.may_answer(ACTUAL, "123")) == (False, True)
    assert (found.asks(VERSION), found.asks(ACTUAL)) == (True, False)
    without = Resynchronization.of(LinePlan("bench", "serial-ascii", {}, (SILENT,)))
    assert without.may_answer(ACTUAL, "V1.2")
    assert (found.is_known, without.is_known) == (True, False)


def test_a_device_that_did_not_reply_is_not_asked_for_a_minute() -> None:
    found = resynchronization()
    assert found.question(KNOWN, 0.0) == VERSION
    found.unanswered(KNOWN, 0.0)
    assert found.question(KNOWN, UNANSWERED_S - 0.01) is None
    assert found.question(KNOWN, UNANSWERED_S) == VERSION
    assert found.question(SILENT, 0.0) is None


def test_a_line_behind_all_that_are_missing_settles_them() -> None:
    text = LateText()
    text.expect(ACTUAL, 0.0, 60.0)
    text.expect(ACTUAL, 1.0, 61.0)
    text.settle_all()
    assert not text.any(2.0)


def test_a_harmless_line_makes_its_unit_doubtful_and_takes_nothing_back() -> None:
    doubts = Doubts()
    doubts.rests(ACTUAL, 1, 0.0, proven=False)
    assert (doubts.resting(1), doubts.resting(2)) == (1, 0)
    doubts.harmless(1, 1.0)
    assert doubts.is_doubtful(1, 2.0)
    assert (doubts.taken_back(), doubts.resting(1), doubts.hold) == ([], 1, False)
    doubts.surplus(1, 1.0)
    assert (doubts.taken_back(), doubts.resting(1), doubts.hold) == ([ACTUAL], 0, True)


def test_a_simulated_instrument_replies_to_the_question_of_its_profile() -> None:
    device = SimulatedDevice(KNOWN)
    device.tick(1_700_000_000)
    devices: dict[int, AnsweringDevice] = {1: device}
    side = by_protocol()["serial-ascii"].devices(devices, {})
    turn = side.take(bytearray(b"VER?\r\n"))
    assert turn is not None
    assert re.fullmatch(RESYNC.pattern + "\r\n", turn.answer().decode())
    assert SimulatedDevice(SILENT).line(VERSION.text) is None
