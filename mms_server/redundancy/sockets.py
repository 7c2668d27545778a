"""ZeroMQ between the two gateways of a pair: a ROUTER where each listens, DEALERs to where the other one does. Shell."""

import contextlib
import socket as network
from collections.abc import Callable
from typing import Final

import zmq

from bus.codec import MessageError
from bus.endpoint import Endpoint
from bus.sockets import DRAIN_LIMIT, Readable
from bus.topics import MESSAGE_LIMIT_OCTETS
from mms_server.redundancy import messages
from mms_server.redundancy.messages import PairMessage

HIGH_WATER: Final = 1_000
_HEARTBEAT_MS: Final = 500
_LINGER_MS: Final = 300  # what was said last should still arrive


def resolved(address: Endpoint) -> tuple[str, set[str]]:
    """`address` as ZeroMQ has it, and every numeric address of its host. Raises OSError if it has none."""
    found = network.getaddrinfo(address.host, address.port, type=network.SOCK_STREAM)
    numeric = [str(entry[4][0]) for entry in found]
    return f"tcp://{Endpoint(numeric[0], address.port)}", set(numeric)


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, endpoint: str) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT_OCTETS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2 * _HEARTBEAT_MS)
    socket.setsockopt(zmq.IPV6, int("[" in endpoint))
    return socket


class PairEndpoint:
    """ROUTER that listens for the other gateway: its status, and the streams of its MMS servers. Others are refused."""

    def __init__(
        self,
        listen: Endpoint,
        peer: Endpoint,
        *,
        on_message: Callable[[bytes, PairMessage], None],
        on_refused: Callable[[str], None],
    ) -> None:
        """`on_message` gets the sender's routing id, for `reply`. Raises OSError for an address that cannot be used."""
        endpoint, _ = resolved(listen)
        _, self._allowed = resolved(peer)
        self._on_message = on_message
        self._on_refused = on_refused
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = _socket(self._context, zmq.ROUTER, endpoint)
        try:
            self._router.bind(endpoint)
        except zmq.ZMQError as error:
            self._router.close(0)
            self._context.term()
            raise OSError(error.errno, str(error), str(listen)) from error
        self._readable = Readable(self._router, self.drain)

    def drain(self) -> bool:
        """Take what has arrived; True if more may wait."""
        for _ in range(DRAIN_LIMIT):
            try:
                frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return False
            source = str(frames[-1].get("Peer-Address"))
            try:
                if source not in self._allowed:
                    raise MessageError(f"not the peer: {source}")
                message = messages.decode(frames[-1].bytes)
            except MessageError as refused:
                self._on_refused(refused.reason)
                continue
            self._on_message(frames[0].bytes, message)
        return True

    def reply(self, who: bytes, message: PairMessage) -> None:
        """Answer the sender with that routing id; the answer is lost if the sender has gone."""
        with contextlib.suppress(zmq.Again):
            self._router.send_multipart([who, messages.encode(message)], zmq.NOBLOCK)
        self._readable.poke()

    def close(self) -> None:
        """Listen no more."""
        self._readable.close()
        self._router.close(0)
        self._context.term()


class PairLink:
    """DEALER that sends to the other gateway if it is there; nothing is kept for one that is not."""

    def __init__(self, peer: Endpoint, on_message: Callable[[PairMessage], None]) -> None:
        """Raises OSError for a host that has no address."""
        endpoint, _ = resolved(peer)
        self._on_message = on_message
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = _socket(self._context, zmq.DEALER, endpoint)
        self._dealer.setsockopt(zmq.IMMEDIATE, 1)
        self._dealer.setsockopt(zmq.RECONNECT_IVL, 100)
        self._dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        self._dealer.connect(endpoint)
        self._readable = Readable(self._dealer, self._drain)

    def send(self, message: PairMessage) -> bool:
        """Send `message`; False, and nothing sent, if the other gateway is not there or does not keep up."""
        try:
            self._dealer.send(messages.encode(message), zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._readable.poke()
        return True

    def _drain(self) -> bool:
        for _ in range(DRAIN_LIMIT):
            try:
                frame = self._dealer.recv(zmq.NOBLOCK)
            except zmq.Again:
                return False
            with contextlib.suppress(MessageError):  # from an older or a newer version: as if nobody answered
                self._on_message(messages.decode(frame))
        return True

    def close(self) -> None:
        """Close the socket."""
        self._readable.close()
        self._dealer.close(_LINGER_MS)
        self._context.term()
