"""ZeroMQ: the two ends of a worker's traffic, in asyncio. With pair_sockets.py the only one that touches a ZeroMQ socket.

    worker      PUB  binds WORKER.pub     batches and heartbeats
                ROUTER binds WORKER.ask   snapshot requests and commands, answered to the subscriber that sent them
    subscriber  SUB and DEALER connect to each worker of the plan

A command is never kept for a worker that is not there: the DEALER has no queue before its connection stands.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import zmq

from bus import codec
from bus.codec import Message, MessageError
from bus.messages import (
    Command,
    CommandResult,
    Heartbeat,
    SampleBatch,
    Snapshot,
    SnapshotRequest,
)
from bus.topics import MESSAGE_LIMIT_OCTETS, TOPICS, publication_endpoint, request_endpoint

DRAIN_LIMIT: Final = 2_000  # messages of one pass, so that nothing else starves
_HEARTBEAT_MS: Final = 1_000


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, high_water: int) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, high_water)
    socket.setsockopt(zmq.RCVHWM, high_water)
    socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT_OCTETS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
    return socket


class Readable:
    """Calls `drain` in the running loop whenever a ZeroMQ socket may have something.

    ZeroMQ's descriptor signals changes, not states: after each pass the socket is asked, and asked again later if
    the pass ended before it was empty.
    """

    def __init__(self, socket: zmq.Socket[bytes], drain: Callable[[], bool]) -> None:
        self._socket = socket
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.Handle | None = None
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._pass)
        self.poke()

    def poke(self) -> None:
        """Look again soon; needed after a send, which may swallow the descriptor's signal."""
        if self._again is None:
            self._again = self._loop.call_soon(self._pass)

    def _pass(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if not self._socket.closed and self._drain():
            self.poke()

    def close(self) -> None:
        """Listen no more."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._descriptor)


class WorkerEndpoint:
    """A worker's end: publishes, answers snapshots, takes commands.

    `on_command` is awaited with a command and with `answer`, which it may call more than once (ACCEPTED, then PROVEN).
    """

    def __init__(
        self,
        run_dir: Path,
        worker: str,
        revision: str,
        *,
        snapshot: Callable[[], Snapshot],
        on_command: Callable[[Command, Callable[[CommandResult], None]], Awaitable[None]],
    ) -> None:
        self._revision = revision
        self._snapshot = snapshot
        self._on_command = on_command
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._publisher = _socket(self._context, zmq.PUB, TOPICS["batches"].high_water)
        self._router = _socket(self._context, zmq.ROUTER, TOPICS["commands"].high_water)
        for socket, endpoint in (
            (self._publisher, publication_endpoint(run_dir, worker)),
            (self._router, request_endpoint(run_dir, worker)),
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(endpoint.removeprefix("ipc://"))  # noqa: PTH108 - left by an instance that was killed
            socket.bind(endpoint)
        self.refused = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._readable = Readable(self._router, self._asked)

    def publish(self, message: SampleBatch | Heartbeat) -> None:
        """Send to all subscribers; those that do not keep up see a gap in the sequence."""
        self._publisher.send(codec.encode(message), zmq.NOBLOCK)

    def _asked(self) -> bool:
        for _ in range(DRAIN_LIMIT):
            try:
                peer, *frames = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            try:
                message = codec.decode_request(frames[-1] if frames else b"", self._revision)
            except MessageError:
                self.refused += 1
                continue
            if isinstance(message, SnapshotRequest):
                self._reply(peer, self._snapshot())
            else:
                self._take(peer, message)
        return True

    def _take(self, peer: bytes, command: Command) -> None:
        task = asyncio.ensure_future(self._on_command(command, lambda result: self._reply(peer, result)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _reply(self, peer: bytes, message: Snapshot | CommandResult) -> None:
        with contextlib.suppress(zmq.Again):  # the subscriber does not read: it has a deadline of its own
            self._router.send_multipart([peer, codec.encode(message)], zmq.NOBLOCK)
        self._readable.poke()

    def close(self) -> None:
        """Close both sockets and remove their files."""
        self._readable.close()
        for task in self._tasks:
            task.cancel()
        for socket in (self._publisher, self._router):
            endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
            socket.close(0)
            path = endpoint.rstrip(b"\0").decode() if isinstance(endpoint, bytes) else str(endpoint)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.removeprefix("ipc://"))  # noqa: PTH108
        self._context.term()


class Subscriber:
    """A subscriber's end: receives from every worker of a plan, requests snapshots, sends commands.

    `revisions` are the plan's, by worker. `on_messages` gets what was decoded in the order of arrival; `on_refused` the
    reason why a frame was refused.
    """

    def __init__(
        self,
        run_dir: Path,
        revisions: Mapping[str, str],
        *,
        on_messages: Callable[[list[Message]], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._run_dir = run_dir
        self._revisions: Mapping[str, str] = {}
        self._on_messages = on_messages
        self._on_refused = on_refused
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sub = _socket(self._context, zmq.SUB, TOPICS["batches"].high_water)
        self._sub.setsockopt(zmq.SUBSCRIBE, b"")
        self._dealers: dict[str, zmq.Socket[bytes]] = {}
        self._readables = {"": Readable(self._sub, lambda: self._drain(self._sub))}
        self.follow(revisions)

    def follow(self, revisions: Mapping[str, str]) -> None:
        """Receive from these workers under these revisions from now on; what runs with a worker that stays goes on."""
        for worker in self._revisions.keys() - revisions.keys():
            self._sub.disconnect(publication_endpoint(self._run_dir, worker))
            self._readables.pop(worker).close()
            self._dealers.pop(worker).close(0)
        for worker in revisions.keys() - self._revisions.keys():
            self._sub.connect(publication_endpoint(self._run_dir, worker))
            dealer = _socket(self._context, zmq.DEALER, TOPICS["commands"].high_water)
            dealer.setsockopt(zmq.IMMEDIATE, 1)
            dealer.setsockopt(zmq.RECONNECT_IVL, 50)
            dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
            dealer.connect(request_endpoint(self._run_dir, worker))
            self._dealers[worker] = dealer
            self._readables[worker] = Readable(dealer, partial(self._drain, dealer))
        self._revisions = dict(revisions)

    def _drain(self, socket: zmq.Socket[bytes]) -> bool:
        messages: list[Message] = []
        more = True
        for _ in range(DRAIN_LIMIT):
            try:
                frame = socket.recv_multipart(zmq.NOBLOCK)[-1]
            except zmq.Again:
                more = False
                break
            try:
                messages.append(codec.decode(frame, self._revisions))
            except MessageError as refused:
                self._on_refused(refused.reason)
        if messages:
            self._on_messages(messages)
        return more

    def request_snapshot(self, worker: str) -> bool:
        """Ask `worker` for a snapshot; False if it is not there."""
        return self._send(worker, SnapshotRequest(self._revisions[worker]))

    def send_command(self, worker: str, command: Command) -> bool:
        """Send `command`; False, and nothing sent, if `worker` is not there. Its results come as messages."""
        return self._send(worker, command)

    def _send(self, worker: str, message: SnapshotRequest | Command) -> bool:
        try:
            self._dealers[worker].send(codec.encode(message), zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._readables[worker].poke()
        return True

    def close(self) -> None:
        """Close every socket."""
        for readable in self._readables.values():
            readable.close()
        for socket in (self._sub, *self._dealers.values()):
            socket.close(0)
        self._context.term()
