"""The load generator: one loop over all connections, every octet of every answer compared with the first one's.

The first answer is taken apart and checked; the ones that follow are the same octets, since the requests are, invokeID
included. So the generator costs a system call and a comparison for each, and is not the limit.
"""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.client import Client

CHUNK = 1 << 18


@dataclass
class Load:
    """Result of a run: number of responses, seconds, and with one request outstanding the latency of each."""

    answers: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Talk:
    recv: Callable[[int], bytes]
    send: Callable[[bytes], None]
    rest: int = 0  # octets of the next answer that have come
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


def run(
    clients: list[Client], request: bytes, expected: bytes, *, outstanding: int, seconds: float, timed: bool = False
) -> Load:
    """Ask for `seconds`, `outstanding` requests at a time on each connection. Raises RuntimeError for any other answer.

    `timed`: each answer's latency is kept, with one request outstanding, and the generator sleeps until it comes, as clients
    do. Otherwise it never sleeps, so as not to be the limit.
    """
    wait_s = 1.0 if timed else 0.0
    size = len(expected)
    chunk = min(CHUNK, max(size * outstanding, 4096))  # a larger buffer costs more to make than to fill
    stream = expected * (chunk // size + 2)
    poll = select.epoll()
    talks: dict[int, _Talk] = {}
    load = Load()
    clock, latencies = time.perf_counter, load.latencies
    started = clock()
    for client in clients:
        client.socket.setblocking(False)
        talks[client.socket.fileno()] = _Talk(client.socket.recv, client.socket.sendall, asked_at=clock())
        poll.register(client.socket, select.EPOLLIN)
        client.socket.sendall(request * outstanding)
    end = started + seconds
    owed, answers = len(clients) * outstanding, 0
    while owed:
        now = clock()
        for number, _ in poll.poll(wait_s):
            talk = talks[number]
            octets = talk.recv(chunk)
            if octets == expected and not talk.rest:
                done = 1
            else:
                done, talk.rest = _compared(octets, talk.rest, size, stream)
            if timed and done:
                latencies.append(clock() - talk.asked_at)
                talk.asked_at = clock()
            answers += done
            if now >= end:
                owed -= done
            elif done:
                talk.send(request if done == 1 else request * done)
        if now > end + 10:
            raise RuntimeError(f"{owed} answers did not come")
    load.answers, load.seconds = answers, clock() - started
    poll.close()
    for client in clients:
        client.socket.setblocking(True)
        client.socket.settimeout(5)
    return load


def _compared(octets: bytes, rest: int, size: int, stream: bytes) -> tuple[int, int]:
    """How many answers `octets` complete, and how far they go into the next. `rest`: where in an answer they begin."""
    if not octets or octets != stream[rest : rest + len(octets)]:
        raise RuntimeError("another answer than the first")
    return divmod(rest + len(octets), size)


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
