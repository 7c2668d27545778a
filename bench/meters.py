"""Many Modbus TCP meters in one worker: polls a second, jitter of the period, core and memory.

    python -m bench.meters [--meters 1000] [--points 50] [--every-ms 1000] [--seconds 20]

Each meter has a connection of its own and a block of float32 points. The jitter is how far apart from its period two
exchanges of a meter are.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench.lines import cpu_s, heard, worker
from mapping.plan import (
    DevicePlan,
    LinePlan,
    Plan,
    PointPlan,
    PollSettings,
    Register,
    RegisterBlock,
    WorkerPlan,
    sealed,
)
from mms_gateway.runtime.processes import environment


def meter(index: int, port: int, points: int, every_ms: int) -> LinePlan:
    """A line with one meter on it."""
    numbers = range(index * points, (index + 1) * points)
    plans = tuple(
        PointPlan(
            number, f"m{index}.p{at}", "W", Register("holding", 2 * at, "float32", 2), True, 3000, every_ms, scale=0.1
        )
        for at, number in enumerate(numbers)
    )
    limit = 60  # values of one read
    blocks = tuple(
        RegisterBlock("holding", 2 * at, 2 * min(limit, points - at), every_ms, tuple(numbers[at : at + limit]))
        for at in range(0, points, limit)
    )
    device = DevicePlan(f"m{index}", 1, None, PollSettings(), plans, blocks)
    return LinePlan(f"l{index}", "modbus-tcp", {"host": "127.0.0.1", "port": port}, (device,))


def rss_mib(pid: int) -> float:
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")) / 1024


def measure(meters: int, points: int, every_ms: int, seconds: float, port: int) -> None:
    lines = tuple(meter(index, port, points, every_ms) for index in range(meters))
    plan = sealed(Plan("bench", "", (WorkerPlan("w", lines),), ()))
    with worker(plan) as (process, socket):
        for _ in heard(socket, plan.revisions(), time.perf_counter() + 8):
            pass  # it starts and connects
        used, started, last = cpu_s(process.pid), time.perf_counter(), dict[int, int]()
        late_ms: list[float] = []
        batches = 0
        for batch in heard(socket, plan.revisions(), started + seconds):
            batches += 1
            first = batch.samples[0].point
            if first in last:
                late_ms.append(abs((batch.monotonic_ns - last[first]) / 1e6 - every_ms))
            last[first] = batch.monotonic_ns
        used = cpu_s(process.pid) - used
        memory = rss_mib(process.pid)
    late_ms.sort()
    wanted = meters * 1000 / every_ms
    sys.stdout.write(
        f"{meters} meters of {points} points every {every_ms} ms: {batches / seconds:.1f} polls/s of {wanted:.0f},"
        f" jitter median {late_ms[len(late_ms) // 2]:.1f} ms, 99 % {late_ms[int(0.99 * len(late_ms))]:.1f} ms,"
        f" {used / seconds:.0%} of a core, {used / batches * 1e6:.0f} us a poll, {memory:.0f} MiB\n"
    )


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--every-ms", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    command = [sys.executable, "-m", "bench.tcp_meters"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline().split()[1])
        measure(given.meters, given.points, given.every_ms, given.seconds, port)
        server.stdin.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
