"""Our server as an OS process of the bench: `python -m bench.ours FILE`; orders come on stdin, a line each.

rate N COUNT   from now on N commits a second, each of the first COUNT measurands (value and time); 0 ends them
"""

import asyncio
import gc
import struct
import sys
import time

T0 = time.perf_counter()

from bench import model  # noqa: E402 - the start-up of everything below is measured
from bus.quality import UtcTime  # noqa: E402
from mms_server import IedServer  # noqa: E402
from mms_server.network.event_loop import loop_factory  # noqa: E402


async def serve(path: str) -> None:
    """Serve until stdin ends."""
    server = IedServer.from_scl(path)
    orders: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with server.serving(0, "127.0.0.1"):
        sys.stdout.write(f"ready {server.port} {time.perf_counter() - T0:.4f}\n")
        sys.stdout.flush()
        loop.add_reader(sys.stdin.fileno(), lambda: orders.put_nowait(sys.stdin.readline()))
        feeding: asyncio.Task[None] | None = None
        while order := await orders.get():
            if feeding is not None:
                feeding.cancel()
            _, rate, count = order.split()
            feeding = loop.create_task(_feed(server, float(rate), int(count))) if float(rate) else None


async def _feed(server: IedServer, rate: float, count: int) -> None:
    handles = [
        (server.handle(f"MAIN/{one}.mag.f"), server.handle(f"MAIN/{one}.t"))
        for one in (item.replace("$MX$", ".") for item in model.members(count))
    ]
    loop, tick = asyncio.get_running_loop(), 0
    started = loop.time()
    while True:
        tick += 1
        value, stamp = struct.unpack(">f", struct.pack(">f", float(tick)))[0], UtcTime.of(time.time())
        pairs: list[tuple[object, object]] = []
        for f, t in handles:
            pairs += ((f, value), (t, stamp))
        server.update(pairs)  # type: ignore[arg-type]
        await asyncio.sleep(max(started + tick / rate - loop.time(), 0))


if __name__ == "__main__":
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(sys.argv[1]))
