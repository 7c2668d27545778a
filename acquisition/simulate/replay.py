"""A recorded line on a real port: a pseudo-terminal where it was serial, a TCP port where it was a connection. Shell."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from typing import Any, Final

from acquisition.simulate.playback import Answer, Playback

_OCTETS: Final = 4096


class Replay:
    """Answers as the recording does; `start` tells where."""

    def __init__(self, playback: Playback, port: int = 0) -> None:
        self._playback = playback
        self._wanted = port
        self._server: asyncio.Server | None = None
        self._descriptors: tuple[int, ...] = ()
        self._turns: set[asyncio.Task[None]] = set()

    async def start(self) -> dict[str, Any]:
        """Answer; what to lay over the site's line. Raises OSError, or ValueError for a line that neither port can be."""
        spec = self._playback.spec
        if spec.transport == "tcp":
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._wanted)
            port = self._server.sockets[0].getsockname()[1]
            return {"host": "127.0.0.1", "port": port}
        if spec.serial:
            return {"port": self._terminal()}
        raise ValueError(f"a recording of a {spec.name} line cannot be replayed")

    def _terminal(self) -> str:
        master, slave = os.openpty()
        self._descriptors = (master, slave)
        tty.setraw(master)
        tty.setraw(slave)
        os.set_blocking(master, False)
        buffer = bytearray()

        def read() -> None:
            with contextlib.suppress(BlockingIOError, OSError):
                buffer.extend(os.read(master, _OCTETS))
            self._take(buffer, lambda octets: _write(master, octets))

        asyncio.get_running_loop().add_reader(master, read)
        return os.ttyname(slave)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = bytearray()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while octets := await reader.read(_OCTETS):
                buffer += octets
                self._take(buffer, writer.write)
        writer.close()

    def _take(self, buffer: bytearray, write: Callable[[bytes], None]) -> None:
        while (answer := self._playback.take(buffer)) is not None:
            task = asyncio.ensure_future(_answer(answer, write))
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)

    async def stop(self) -> None:
        """Answer no more."""
        for task in self._turns:
            task.cancel()
        if self._server is not None:
            self._server.close()
        if self._descriptors:
            asyncio.get_running_loop().remove_reader(self._descriptors[0])
        for descriptor in self._descriptors:
            os.close(descriptor)


async def _answer(answer: Answer, write: Callable[[bytes], None]) -> None:
    await asyncio.sleep(answer.delay_s)
    if answer.octets:
        write(answer.octets)


def _write(descriptor: int, octets: bytes) -> None:
    with contextlib.suppress(BlockingIOError, OSError):
        os.write(descriptor, octets)
