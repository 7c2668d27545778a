"""A server's connections without a network: what a peer sends is handed over, what it would get is kept, time stands still."""

import asyncio

from bus.quality import Stamp
from bus.system_clock import SystemClock
from mms_server.engine import Engine
from mms_server.network.access_control import Access
from mms_server.network.connection.connection import Connection
from mms_server.network.server import MmsServer
from tests.support.client import CONNECT, CR
from tests.support.engine_client import CLOCK


class StandingClock(SystemClock):
    """Time stands still: what is stamped is the same on both sides."""

    def now(self) -> Stamp:
        return CLOCK.now()


class Pipe(asyncio.Transport):
    """Transport in memory: keeps the octets that a connection writes; its peer stops reading once `high` octets wait."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.written = bytearray()
        self.high = 1 << 30
        self._unread = 0
        self._paused = self._closed = False
        self._reading = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 50000) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The test says what waits."""

    def get_write_buffer_size(self) -> int:
        return self._unread

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self._unread += len(data)
        if self._unread > self.high and not self._paused:
            self._paused = True
            self.connection.pause_writing()

    def read(self, left: int = 0) -> bool:
        """The peer reads all but `left` octets; False if there was nothing to read."""
        unread, self._unread = self._unread, min(left, self._unread)
        if self._paused and not left:
            self._paused = False
            self.connection.resume_writing()
        return unread > left

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    abort = close

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True


class MemoryServer:
    """A server of `engine`, and its clients' pipes by number."""

    def __init__(self, engine: Engine, kind: type[MmsServer] = MmsServer) -> None:
        self.engine = engine
        self.server = kind(engine, Access(), clock=StandingClock())
        self.pipes: list[Pipe] = []

    def connect(self) -> Pipe:
        """One connection more; within a running loop."""
        connection = Connection(self.server)
        pipe = Pipe(connection)
        connection.connection_made(pipe)
        self.pipes.append(pipe)
        return pipe

    async def associate(self) -> Pipe:
        """One client more."""
        pipe = self.connect()
        for octets in (CR, CONNECT):
            pipe.connection.data_received(octets)
            await turns()
        return pipe

    async def send(self, number: int, octets: bytes) -> None:
        """Let client `number` send, as soon as it is listened to."""
        pipe = self.pipes[number]
        while not pipe.is_reading() and not pipe.is_closing():
            pipe.read()
            await turns()
        if not pipe.is_closing():
            pipe.connection.data_received(octets)


async def turns() -> None:
    """Let the loop come round a few times."""
    for _ in range(5):
        await asyncio.sleep(0)
