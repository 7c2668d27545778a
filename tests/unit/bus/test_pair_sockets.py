"""Both ends between two gateways on real sockets: words and answers arrive, and only the peer is believed."""

import asyncio

import pytest

from bus.codec import MessageError
from bus.endpoint import Endpoint
from mms_gateway.runtime.preflight import fixed
from mms_server.redundancy.messages import Ack, Begin, Drop, File, PairMessage, Put, Role, Rows, Status, decode, encode
from mms_server.redundancy.sockets import PairEndpoint, PairLink
from tests.unit.bus.test_sockets import until

EVERY: list[PairMessage] = [
    Status("10.0.0.1:5563", Role.ACTIVE, 7, True),
    Begin("IED", 3),
    Rows("IED", 3, 1, (Put("k", "a", b"x"), Put("k", "b", None), File("b", 5, 6, b"y"), Drop("b", 4)), last=True),
    Ack("IED", 3, 1),
]


@pytest.mark.parametrize("message", EVERY)
def test_every_message_comes_back_and_no_part_of_it_is_one(message: PairMessage) -> None:
    frame = encode(message)
    assert decode(frame) == message
    for length in range(len(frame)):
        with pytest.raises(MessageError):
            decode(frame[:length])


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"M\x01\x90", "version 4d01, expected 5001"),
        (b"P\x02\x90", "version 5002, expected 5001"),
        (encode(File("b", 1 << 63, 0, b"")), "octets that are no message"),  # type: ignore[arg-type]
        (encode(Rows("IED", 1, 1, (File("b", 1 << 63, 0, b""),))), "octets that are no message"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(frame: bytes, reason: str) -> None:
    with pytest.raises(MessageError) as refused:
        decode(frame)
    assert refused.value.reason == reason


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_words_and_answers_find_their_way(host: str) -> None:
    heard: list[PairMessage] = []
    answers: list[PairMessage] = []

    async def run() -> None:
        listen = fixed(Endpoint(host, 0))
        link = PairLink(listen, answers.append)
        assert link.send(EVERY[0]) is False  # nobody is there, and nothing waits for somebody

        def take(who: bytes, message: PairMessage) -> None:
            heard.append(message)
            end.reply(who, EVERY[3])

        end = PairEndpoint(listen, listen, on_message=take, on_refused=lambda _reason: None)
        try:
            await until(lambda: link.send(EVERY[2]))
            await until(lambda: bool(answers))
        finally:
            link.close()
            end.close()

    asyncio.run(run())
    assert (heard, answers) == ([EVERY[2]], [EVERY[3]])


def test_nobody_but_the_peer_is_believed() -> None:
    heard: list[PairMessage] = []
    reasons: list[str] = []

    async def run() -> None:
        listen = fixed(Endpoint("127.0.0.1", 0))
        other = Endpoint("127.0.0.2", 5563)
        end = PairEndpoint(
            listen, other, on_message=lambda _who, message: heard.append(message), on_refused=reasons.append
        )
        link = PairLink(listen, heard.append)
        try:
            await until(lambda: link.send(EVERY[0]))
            await until(lambda: bool(reasons))
        finally:
            link.close()
            end.close()

    asyncio.run(run())
    assert (heard, reasons) == ([], ["not the peer: 127.0.0.1"])
