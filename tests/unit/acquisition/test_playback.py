"""A recording as the answers that it holds."""

import pytest

from acquisition.simulate.playback import Answer, Playback, parse

RTU = ['{"line": "a", "protocol": "modbus-rtu", "settings": {"port": "/dev/x", "baudrate": 9600}}']
TCP = ['{"line": "b", "protocol": "modbus-tcp", "settings": {"host": "h", "port": 502}}']


def played(playback: Playback, *requests: str) -> list[Answer | None]:
    return [playback.take(bytearray.fromhex(one)) for one in requests]


def test_answers_come_in_order_and_the_last_one_stays() -> None:
    frames = [
        '{"at": 1.0, "out": "0103"}',
        '{"at": 1.5, "in": "aa"}',
        '{"at": 2.0, "out": "0103"}',
        '{"at": 2.25, "in": "bb"}',
    ]
    playback = parse([*RTU, *frames])
    assert played(playback, "0103", "0103", "0103") == [
        Answer(0.5, b"\xaa"),
        Answer(0.25, b"\xbb"),
        Answer(0.25, b"\xbb"),
    ]


def test_an_answer_in_pieces_comes_whole_when_its_last_piece_came() -> None:
    playback = parse([*RTU, '{"at": 0, "out": "01"}', '{"at": 0.1, "in": "aa"}', '{"at": 0.2, "in": "bb"}'])
    assert played(playback, "01") == [Answer(0.2, b"\xaa\xbb")]


def test_a_request_without_an_answer_is_met_with_silence_and_an_unknown_one_is_dropped() -> None:
    playback = parse([*RTU, '{"at": 0, "out": "0103"}'])
    buffer = bytearray.fromhex("ff0103")
    assert playback.take(buffer) == Answer(0.0, b"")
    assert (playback.take(bytearray.fromhex("ff")), buffer) == (None, bytearray())


def test_the_rest_of_a_request_is_waited_for() -> None:
    playback = parse([*RTU, '{"at": 0, "out": "010304"}', '{"at": 1, "in": "cc"}'])
    buffer = bytearray.fromhex("0103")
    assert playback.take(buffer) is None
    buffer += b"\x04"
    assert playback.take(buffer) == Answer(1.0, b"\xcc")


def test_a_transaction_id_does_not_count_and_is_answered() -> None:
    playback = parse([*TCP, '{"at": 0, "out": "0001000000020111"}', '{"at": 0.5, "in": "00010000000401110000"}'])
    assert played(playback, "beef000000020111") == [Answer(0.5, bytes.fromhex("beef0000000401110000"))]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "an empty recording"),
        (["nonsense"], "line 1 is no head of a recording"),
        (["{}"], "line 1 is no head of a recording"),
        ([*RTU, '{"at": 1}'], "line 2 is no frame of a recording"),
        ([*RTU, '{"at": 1, "out": "xy"}'], "line 2 is no frame of a recording"),
    ],
)
def test_what_is_no_recording_is_said(lines: list[str], text: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is compared
        parse(lines)
    assert str(raised.value) == text
