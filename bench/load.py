"""The load generator: one loop over all connections, every octet of every answer compared with the first one's.

The first answer is taken apart and checked; the ones that follow are the same octets, since the requests are, invokeID
included. So the generator costs a system call and a comparison for each, and is not the limit.
"""

import select
import socket
import time
from dataclasses import dataclass, field

from tests.support.client import Client

CHUNK = 1 << 18


@dataclass
class Load:
    """What came of a run: answers, how long it took, and with one request outstanding how long each took."""

    answers: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)


@dataclass
class _Talk:
    socket: socket.socket
    got: int = 0
    asked_at: float = 0.0


def associated(port: int, count: int) -> list[Client]:
    """So many clients."""
    clients = []
    for _ in range(count):
        client = Client(port)
        if not client.associate():
            raise RuntimeError("the server takes no more clients")
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(client)
    return clients


def answer_to(client: Client, request: bytes) -> tuple[bytes, bytes]:
    """The answer to `request`: all octets as they came, and the TSDU in them."""
    client.socket.sendall(request)
    raw = bytearray()
    recv = client.socket.recv

    class _Tap:
        def recv(self, count: int) -> bytes:
            octets = recv(count)
            raw.extend(octets)
            return octets

    real, client.socket = client.socket, _Tap()  # type: ignore[assignment]
    tsdu = client.tsdu()
    client.socket = real
    return bytes(raw), tsdu


def run(clients: list[Client], request: bytes, expected: bytes, *, outstanding: int, seconds: float) -> Load:
    """Ask for `seconds`, `outstanding` requests at a time on each connection. Raises RuntimeError for any other answer."""
    size = len(expected)
    stream = expected * (CHUNK // size + 2)
    poll = select.epoll()
    talks: dict[int, _Talk] = {}
    load = Load()
    started = time.perf_counter()
    for client in clients:
        client.socket.setblocking(False)
        talks[client.socket.fileno()] = _Talk(client.socket, asked_at=time.perf_counter())
        poll.register(client.socket, select.EPOLLIN)
        client.socket.sendall(request * outstanding)
    end = started + seconds
    owed = len(clients) * outstanding
    while owed:
        now = time.perf_counter()
        for number, _ in poll.poll(1.0):
            talk = talks[number]
            octets = talk.socket.recv(CHUNK)
            at = talk.got % size
            if not octets or octets != stream[at : at + len(octets)]:
                raise RuntimeError("another answer than the first")
            done = (at + len(octets)) // size
            talk.got += len(octets)
            load.answers += done
            owed -= done
            if outstanding == 1 and done:
                load.latencies.append(time.perf_counter() - talk.asked_at)
            if now < end and done:
                talk.asked_at = time.perf_counter()
                owed += done
                talk.socket.sendall(request * done)
        if now > end + 10:
            raise RuntimeError(f"{owed} answers did not come")
    load.seconds = time.perf_counter() - started
    poll.close()
    for client in clients:
        client.socket.setblocking(True)
        client.socket.settimeout(5)
    return load


def drain(clients: list[Client], seconds: float) -> int:
    """The octets that come by themselves within `seconds`."""
    poll = select.epoll()
    sockets = {client.socket.fileno(): client.socket for client in clients}
    for one in sockets.values():
        one.setblocking(False)
        poll.register(one, select.EPOLLIN)
    end, octets = time.perf_counter() + seconds, 0
    while (left := end - time.perf_counter()) > 0:
        for number, _ in poll.poll(left):
            octets += len(sockets[number].recv(CHUNK))
    poll.close()
    return octets
