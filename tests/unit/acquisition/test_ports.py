"""Ports: what becomes of octets that nobody takes."""

import asyncio
import os
import socket
import tty
from collections.abc import Iterator

import pytest

from acquisition.transport.errors import NoConnectionError
from acquisition.transport.ports import SerialPort, TcpPort


@pytest.fixture
def host() -> Iterator[socket.socket]:
    """A host that takes a few thousand octets and no more."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        yield listening


async def written(host: socket.socket, count: int) -> socket.socket:
    """The host's end of a connection on which so many octets were written before it was closed."""
    port = TcpPort({"host": "127.0.0.1", "port": host.getsockname()[1]})
    await port.open()
    peer, _ = host.accept()
    await port.write(bytes(count))
    if count < 1000:
        assert peer.recv(count, socket.MSG_PEEK)  # it has come, and is acknowledged
    await port.close()
    return peer


def drained(peer: socket.socket) -> int:
    """How many octets come until the other end has closed in order."""
    count = 0
    while octets := peer.recv(65_536):
        count += len(octets)
    return count


def test_what_a_host_has_not_taken_is_thrown_away_when_the_connection_is_closed(host: socket.socket) -> None:
    with asyncio.run(written(host, 60_000)) as peer, pytest.raises(ConnectionResetError):
        drained(peer)


def test_a_connection_is_closed_orderly_when_everything_was_taken(host: socket.socket) -> None:
    with asyncio.run(written(host, 12)) as peer:
        assert drained(peer) == 12


def test_octets_that_are_read_before_the_loop_calls_for_them_are_no_end_of_the_port() -> None:
    master, slave = os.openpty()
    tty.setraw(master)

    async def scenario() -> bytes:
        port = SerialPort({"port": os.ttyname(slave)})
        await port.open()
        got = b""
        for octet in range(50):
            os.write(master, bytes((octet,)))
            await asyncio.sleep(0)  # the loop has seen it, and its call waits behind us
            got += await port.read(0)
            await asyncio.sleep(0)
            got += await port.read(0)  # raises where the port is taken for lost
        os.close(master)
        with pytest.raises(NoConnectionError, match="port lost"):
            await port.read(2)
        await port.close()
        return got

    assert asyncio.run(scenario()) == bytes(range(50))
    os.close(slave)
