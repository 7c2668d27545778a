"""Latency from a register to a client: from the last octet of a Modbus response until its value is in a report.

    python -m bench.latency [--meters N] [--points N] [--every MS] [--seconds S]

The field is ours alone: one Modbus TCP server with a port for each meter, whose registers count. The gateway runs as users
run it (supervisor, worker, bus, MMS server), a client with an unbuffered report notes when each count arrives. A report leaves
after the cache has the value, so what is told is more than the way to the cache. Beside it, at the same time and on the same
field, a raw pipe: pymodbus' client, pyzmq's PUB and SUB, in processes of their own.
"""

import argparse
import asyncio
import multiprocessing
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench import load, model, octets
from mms_gateway.runtime.processes import environment
from tests.support.client import Client

SETTLE_S = 3.0


class Field:
    """Meters on ports of their own. Each reply carries a count that no other has, as every float32 in it."""

    def __init__(self) -> None:
        self.count = 0
        self.sent: dict[int, float] = {}
        self.ports: list[int] = []

    async def serve(self, meters: int) -> None:
        """Listen; `ports` says where."""
        for _ in range(meters):
            server = await asyncio.get_running_loop().create_server(lambda: _Meter(self), "127.0.0.1", 0)
            self.ports.append(server.sockets[0].getsockname()[1])


class _Meter(asyncio.Protocol):
    def __init__(self, field: Field) -> None:
        self._field = field
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        while len(data) >= 12:
            request, data = data[:12], data[12:]
            registers = int.from_bytes(request[10:12], "big")
            field = self._field
            field.count += 1
            body = struct.pack(">f", float(field.count)) * (-(-registers // 2))
            pdu = bytes((request[6], request[7], 2 * registers)) + body[: 2 * registers]
            self._transport.write(request[:4] + len(pdu).to_bytes(2, "big") + pdu)
            field.sent[field.count] = time.monotonic()


def site(folder: Path, ports: list[int], points: int, every_ms: int) -> None:
    """A site of these meters; each of their points is a measured value."""
    (folder / "bench.icd").write_text(model.icd(points * len(ports)))
    members = [one.replace("$MX$", ".") for one in model.members(points * len(ports))]
    lines, devices, rows = [], [], []
    for number, port in enumerate(ports):
        lines.append(f"  lan-{number}: {{protocol: modbus-tcp, host: 127.0.0.1, port: {port}}}")
        devices.append(f"  meter{number}:\n    line: lan-{number}\n    every: {every_ms}ms\n    points:")
        devices += [f"      p{point}: {{read: holding {2 * point} float32}}" for point in range(points)]
        rows += [f"  MAIN/{members[number * points + point]}: meter{number}.p{point}" for point in range(points)]
    listed = "\n".join
    (folder / "site.yaml").write_text(
        'site: bench\nieds:\n  BENCH: {scl: bench.icd, map: map.yaml, listen: "127.0.0.1:0"}\n'
        f"lines:\n{listed(lines)}\ndevices:\n{listed(devices)}\n"
    )
    (folder / "map.yaml").write_text(f"points:\n{listed(rows)}\n")


def listen(client: Client, seen: dict[int, float], ended: threading.Event) -> None:
    """Note when each count is first in a report."""
    client.socket.settimeout(0.5)
    while not ended.is_set():
        try:
            tsdu = client.tsdu()
        except TimeoutError:
            continue
        now, at = time.monotonic(), 0
        while (at := tsdu.find(b"\x87\x05\x08", at)) >= 0:
            count = int(struct.unpack_from(">f", tsdu, at + 3)[0])
            seen.setdefault(count, now)
            at += 7


def children(parent: int) -> dict[str, tuple[float, float]]:
    """Seconds of processor and MiB of memory of each child, by its module."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = stat.with_name("cmdline").read_bytes().split(b"\0")
            resident = stat.with_name("statm").read_text().split()[1]
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == parent and b"-m" in words:
            ticks = int(fields[11]) + int(fields[12])
            module = words[words.index(b"-m") + 1].decode()
            found[module] = (ticks / os.sysconf("SC_CLK_TCK"), int(resident) * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return found


def raw_poller(port: int, points: int, every_s: float, address: str) -> None:
    """The first half of the raw pipe: pymodbus asks, PUB says."""
    import zmq
    from pymodbus.client import AsyncModbusTcpClient

    async def poll() -> None:
        publisher: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        publisher.bind(address)
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        while True:
            started = time.monotonic()
            answer = await client.read_holding_registers(0, count=2 * points, device_id=1)
            high, low = answer.registers[:2]
            publisher.send(struct.pack(">HH", high, low))
            await asyncio.sleep(max(started + every_s - time.monotonic(), 0))

    asyncio.run(poll())


def raw_listener(address: str, said: Any) -> None:
    """The second half: SUB hears, and notes when."""
    import zmq

    subscriber: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(address)
    while True:
        count = int(struct.unpack(">f", subscriber.recv())[0])
        said.put((count, time.monotonic()))


async def measured(given: argparse.Namespace, folder: Path) -> tuple[list[float], list[float]]:
    """The milliseconds of the gateway and of the raw pipe."""
    field = Field()
    await field.serve(given.meters + 1)
    site(folder, field.ports[:-1], given.points, given.every)
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mms_gateway", "run", str(folder), "--state-dir", str(folder / "state"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    assert gateway.stdout is not None
    ready = (await asyncio.wait_for(gateway.stdout.readline(), 60)).decode()
    client = await asyncio.to_thread(load.associated, int(ready.split("mms=")[1].split()[0].rpartition(":")[2]), 1)
    await asyncio.to_thread(octets.enable, client[0], 1)
    seen: dict[int, float] = {}
    ended = threading.Event()
    threading.Thread(target=listen, args=(client[0], seen, ended), daemon=True).start()
    spawn = multiprocessing.get_context("spawn")
    said = spawn.Queue()
    address = f"ipc://{folder}/raw"
    raw = [
        spawn.Process(target=raw_listener, args=(address, said), daemon=True),
        spawn.Process(
            target=raw_poller, args=(field.ports[-1], given.points, given.every / 1000, address), daemon=True
        ),
    ]
    for process in raw:
        process.start()
    await asyncio.sleep(SETTLE_S)
    first, before = field.count, children(gateway.pid)
    await asyncio.sleep(given.seconds)
    for module, (spent, memory) in children(gateway.pid).items():
        share = (spent - before[module][0]) / given.seconds
        sys.stdout.write(f"{module:<22} {share:6.1%} of a core   {memory:6.1f} MiB\n")
    sys.stdout.write(f"replies of the field   {(field.count - first) / given.seconds:6.1f} a second\n")
    for process in raw:
        process.terminate()
    gateway.send_signal(signal.SIGTERM)
    await gateway.wait()
    ended.set()
    heard: dict[int, float] = {}
    while not said.empty():
        count, at = said.get()
        heard[count] = at
    ours = [1000 * (at - field.sent[count]) for count, at in seen.items() if count > first and count in field.sent]
    raws = [1000 * (at - field.sent[count]) for count, at in heard.items() if count > first and count in field.sent]
    return ours, raws


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency")
    parser.add_argument("--meters", type=int, default=2)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--every", type=int, default=50, help="milliseconds between polls of one meter")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ours, raw = asyncio.run(measured(given, Path(name)))
    for label, times in (("register to report", ours), ("raw pymodbus + pyzmq", raw)):
        ordered = sorted(times)
        tail = ordered[int(len(ordered) * 0.99)]
        sys.stdout.write(
            f"{label:<22} {len(ordered):>6} values   median {statistics.median(ordered):6.2f} ms   99 % {tail:6.2f} ms\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
