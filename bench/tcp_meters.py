"""Many Modbus TCP meters on one port: every register read gets the next count in each register. No code of the gateway's.

python -m bench.tcp_meters        prints `port PORT`, serves until its input ends
"""

import asyncio
import sys


class Meter(asyncio.Protocol):
    """One connection: whole requests in, answers out."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._buffer = b""
        self._count = 0

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        while len(buffer) >= 12:
            count = int.from_bytes(buffer[10:12], "big")
            self._count = self._count + 1 & 0xFFFF
            answer = bytes((buffer[7], 2 * count)) + self._count.to_bytes(2, "big") * count
            self._transport.write(buffer[:4] + (len(answer) + 1).to_bytes(2, "big") + buffer[6:7] + answer)
            buffer = buffer[12:]
        self._buffer = buffer


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Meter, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"port {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
