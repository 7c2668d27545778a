"""Frames: what was said is what is heard, and what is not believed says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import codec
from bus.codec import MessageError
from bus.messages import (
    Command,
    CommandResult,
    ConditionState,
    Heartbeat,
    LineState,
    Outcome,
    Request,
    Sample,
    SampleBatch,
    Snapshot,
    SnapshotRequest,
)

SAMPLE = Sample(3, 230.5, 0, 1_700_000_000_000_000_000)
PLAN = {"v": "other", "w": "r"}
MESSAGES: list[codec.Message | Request] = [
    SampleBatch("w", 1, "r", 2, 3, 10, (SAMPLE, Sample(4, None, 0x0A00, 5, "no answer"))),
    Heartbeat("w", 1, "r", 2, 3, (), (), {"lan.requests": 7}),
    Heartbeat(
        "w",
        1,
        "r",
        2,
        3,
        (LineState("rs", True, 5, "", 0.5, 0.0, (ConditionState("late-answers", 5, 2, "one"),)),),
        (),
        {},
    ),
    SnapshotRequest("r"),
    Snapshot("w", 1, "r", 2, 3, 10, (SAMPLE,), (12,)),
    Command("mms", 1, "r", 3, True, "boot", 5, 6),
    CommandResult("mms", 1, Outcome.EXCEPTION, 2, "exception 2", 5, "w"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_frame(message: codec.Message | Request) -> None:
    frame = codec.encode(message)
    asked = isinstance(message, SnapshotRequest | Command)
    assert (codec.decode_request(frame, "r") if asked else codec.decode(frame, PLAN)) == message


@pytest.mark.parametrize("value", [True, False, 0, -1, 1 << 63, 1.5, "on", None])
def test_a_value_keeps_its_kind(value: bool | float | str | None) -> None:
    batch = SampleBatch("w", 1, "r", 1, 1, 0, (Sample(0, value, 0, 0),))
    decoded = codec.decode(codec.encode(batch), PLAN)
    assert isinstance(decoded, SampleBatch)
    assert (decoded.samples[0].value, type(decoded.samples[0].value)) == (value, type(value))


def test_a_message_of_another_revision_is_refused() -> None:
    with pytest.raises(MessageError, match=r"^revision r, expected s$"):
        codec.decode(codec.encode(MESSAGES[0]), {"v": "r", "w": "s"})
    with pytest.raises(MessageError, match=r"^revision r, expected s$"):
        codec.decode_request(codec.encode(SnapshotRequest("r")), "s")


def test_a_command_of_another_revision_is_heard_so_that_it_can_be_answered() -> None:
    command = Command("mms", 1, "r", 3, True, "boot", 5, 6)
    assert codec.decode_request(codec.encode(command), "s") == command


def test_a_worker_that_the_plan_lacks_is_refused() -> None:
    with pytest.raises(MessageError, match=r"^worker w, which the plan lacks$"):
        codec.decode(codec.encode(MESSAGES[0]), {"v": "r"})


def test_an_answer_is_no_question() -> None:
    with pytest.raises(MessageError, match=r"^octets that are no message$"):
        codec.decode_request(codec.encode(MESSAGES[0]), "r")


def test_a_message_of_another_schema_is_refused() -> None:
    frame = codec.encode(MESSAGES[0])
    with pytest.raises(MessageError, match=r"^schema 4d63, expected 4d01$"):
        codec.decode(frame[:1] + b"c" + frame[2:], PLAN)


def test_a_frame_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(MessageError, match=r"expected at most 16777216$"):
        codec.decode(bytes(16 * 1024 * 1024 + 1), PLAN)


def test_a_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(MessageError, match=r"^octets that are no message$"):
        codec.decode(bytes.fromhex("4d0191a400000080"), PLAN)


@given(st.binary(max_size=200))
def test_no_octets_are_half_understood(octets: bytes) -> None:
    with pytest.raises(MessageError):
        codec.decode(b"\x4d\x01" + octets, PLAN)
