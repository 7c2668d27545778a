"""Receive buffer of a port: octets that came apart are taken apart, and what nobody takes is bounded."""

import asyncio

import pytest

from acquisition.transport.errors import NoConnectionError
from acquisition.transport.receive_buffer import APART_S, UNREAD_LIMIT, ReceiveBuffer
from tests.support.wire import run


def test_octets_that_came_apart_are_taken_apart_each_with_their_own_time() -> None:
    async def scenario() -> None:
        buffer, loop = ReceiveBuffer(), asyncio.get_running_loop()
        began = loop.time()
        buffer.put(b"one")
        await asyncio.sleep(APART_S / 2)
        buffer.put(b"!")
        await asyncio.sleep(1.0)
        buffer.put(b"two")
        await asyncio.sleep(5.0)  # nobody looks meanwhile
        assert await buffer.take(0) == b"one!"
        assert buffer.came_at == pytest.approx(began + APART_S / 2)
        assert await buffer.take(0) == b"two"
        assert buffer.came_at == pytest.approx(began + APART_S / 2 + 1.0)
        assert await buffer.take(0) == b""

    run(scenario())


def test_of_octets_that_nobody_takes_the_newest_are_kept() -> None:
    async def scenario() -> None:
        buffer = ReceiveBuffer()
        for part in (b"old" * 10_000, b"x" * UNREAD_LIMIT, b"end"):
            buffer.put(part)
            await asyncio.sleep(2 * APART_S)
        assert await buffer.take(0) == b"end"
        assert await buffer.take(0) == b""
        buffer.put(b"x" * UNREAD_LIMIT + b"end")  # all of it at once
        assert await buffer.take(0) == b"x" * (UNREAD_LIMIT - 3) + b"end"

    run(scenario())


def test_a_connection_that_ended_gives_what_came_before_its_end() -> None:
    async def scenario() -> None:
        buffer = ReceiveBuffer()
        buffer.put(b"last")
        buffer.fail("closed")
        assert await buffer.take(1.0) == b"last"
        with pytest.raises(NoConnectionError, match="closed"):
            await buffer.take(1.0)

    run(scenario())
