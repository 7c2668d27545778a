"""The log's lines about refused peers, in virtual time."""

import asyncio

import pytest

from mms_server.network.refused_peers import LINES, PERIOD_S, Refusals
from tests.support.wire import run


def peer(number: int) -> dict[str, object]:
    return {"assoc": number, "peer": f"127.0.0.1:{number}"}


def test_a_flood_of_refused_peers_is_counted_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        refusals = Refusals()
        for number in range(1000):
            refusals.say(peer(number), "no association: %s", number)
        assert caplog.messages == [f"no association: {number}" for number in range(LINES)]
        caplog.clear()
        await asyncio.sleep(PERIOD_S + 1)
        assert caplog.messages == ["980 more peers were refused in the last 10 s"]
        caplog.clear()
        refusals.say(peer(1), "no TLS: %s", "later")
        await asyncio.sleep(PERIOD_S + 1)
        assert caplog.messages == ["no TLS: later"]

    run(scenario())


def test_what_was_counted_is_said_when_the_server_stops(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        refusals = Refusals()
        for number in range(LINES + 1):
            refusals.say(peer(number), "connection refused: %s", number)
        caplog.clear()
        refusals.end()
        assert caplog.messages == ["1 more peers were refused in the last 10 s"]
        await asyncio.sleep(PERIOD_S + 1)
        assert len(caplog.messages) == 1

    run(scenario())
