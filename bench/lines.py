"""RTU polling on a paced line: our worker and an ideal master, in turns, on the same line.

    python -m bench.lines [--seconds S] [--baud B ...] [--registers N ...]
    python -m bench.lines --shapes                        the lines of several blocks and meters, in line_shapes
    python -m bench.lines --late 0.01 --reads 10000       answers that come after the time-out: no wrong value

Each row: answers a second of both, their ratio, the shortest gap before a request of ours in milliseconds beside the
silence that the rules ask for, and the share of a core that our worker used.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from bench.line_shapes import SHAPES, shape
from bus import codec, quality, topics
from bus.messages import Sample, SampleBatch
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
from mapping.plan import save as save_plan
from mms_gateway.runtime.processes import environment

BAUDS = (9600, 19200, 115200)
SIZES = (2, 10, 50, 125)


@contextmanager
def slave(baud: int, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The paced device; gives its process and its port."""
    command = [sys.executable, "-m", "bench.paced_slave", str(baud), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[1]
        except BaseException:
            process.kill()
            raise


def seen(process: subprocess.Popen[str]) -> dict[str, Any]:
    """End the device; the counts of its requests, and `reads`, those that differ."""
    found: dict[str, Any] = json.loads(process.communicate(timeout=10)[0])
    return found


def meter_of(registers: int, timeout_ms: int, retries: int) -> DevicePlan:
    """One device of one block, asked for as often as the line can."""
    points = tuple(
        PointPlan(at, f"meter.r{at}", "", Register("holding", at, "uint16", 1), True, 3000, 1)
        for at in range(registers)
    )
    block = RegisterBlock("holding", 0, registers, 1, tuple(range(registers)))
    return DevicePlan("meter", 1, None, PollSettings(timeout_ms=timeout_ms, retries=retries), points, (block,))


def plan_of(port: str, baud: int, devices: tuple[DevicePlan, ...]) -> Plan:
    """A line with `devices`."""
    line = LinePlan("line", "modbus-rtu", {"port": port, "baudrate": baud}, devices)
    return sealed(Plan("bench", "", (WorkerPlan("w", (line,)),), ()))


@contextmanager
def worker(plan: Plan) -> Iterator[tuple[subprocess.Popen[bytes], "zmq.Socket[bytes]"]]:
    """Our worker in its own process, and what it publishes."""
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        save_plan(plan, Path(folder) / "site.plan")
        socket.connect(topics.publication_endpoint(Path(folder), plan.workers[0].name))
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        command = [sys.executable, "-m", "acquisition", "--plan", f"{folder}/site.plan", "--run-dir", folder]
        with subprocess.Popen(
            [*command, "--worker", plan.workers[0].name], stdout=subprocess.DEVNULL, env=environment()
        ) as process:
            try:
                yield process, socket
            finally:
                process.terminate()


def heard(socket: "zmq.Socket[bytes]", revisions: dict[str, str], until: float) -> Iterator[SampleBatch]:
    """The batches that come before `until`. Raises codec.MessageError for what is not of this plan."""
    while (left := until - time.perf_counter()) > 0:
        if socket.poll(round(max(left, 0.0) * 1000)):
            message = codec.decode(socket.recv(), revisions)
            if isinstance(message, SampleBatch):
                yield message


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(port: str, baud: int, devices: tuple[DevicePlan, ...], seconds: float) -> tuple[float, float]:
    """Blocks a second, and the share of a core."""
    plan = plan_of(port, baud, devices)
    with worker(plan) as (process, socket):
        for _ in zip(range(3), heard(socket, plan.revisions(), time.perf_counter() + 10), strict=False):
            pass
        first, used = time.perf_counter(), cpu_s(process.pid)
        times = [batch.monotonic_ns for batch in heard(socket, plan.revisions(), first + seconds)]
        used = cpu_s(process.pid) - used
    return (len(times) - 1) / (times[-1] - times[0]) * 1e9, used / seconds


def compare(name: str, baud: int, devices: tuple[DevicePlan, ...], seconds: float) -> float:
    reads = ",".join(
        f"{device.unit}:{block.address}:{block.count}"
        for device in devices
        for block in device.blocks
        if isinstance(block, RegisterBlock)
    )
    with slave(baud) as (process, port):
        command = [sys.executable, "-m", "bench.ideal_master", port, str(baud), reads, str(seconds)]
        ideal = float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout)
        seen(process)
    with slave(baud) as (process, port):
        rate, used = ours(port, baud, devices, seconds)
        wire = seen(process)
    silence_ms = 1.75 if baud > 19200 else 3500 * 10 / baud
    sys.stdout.write(
        f"{baud:>7} {name:>28} {rate:>8.2f} {ideal:>8.2f} {rate / ideal:>7.1%}"
        f" {wire['shortest_s'] * 1000:>9.3f} {silence_ms:>8.3f} {wire['short']:>6.0f} {used:>6.1%}\n"
    )
    sys.stdout.flush()
    return rate / ideal


def late(baud: int, registers: int, share: float, reads: int, timeout_ms: int) -> int:
    """How many values with good quality were none that the device held when it was asked."""
    with slave(baud, "--late", str(share), "--timeout", str(timeout_ms / 1000)) as (process, port):
        plan = plan_of(port, baud, (meter_of(registers, timeout_ms, 1),))
        wrong = good = bad = 0
        longest_ms = timeout_ms + (13 + 2 * registers) * 10_000 / baud
        with worker(plan) as (_, socket):
            for batch in heard(socket, plan.revisions(), time.perf_counter() + 3600):
                samples = [one for one in batch.samples if one.point < registers]
                if not samples:
                    continue
                if not all(quality.is_good(quality.Quality(one.quality)) for one in samples):
                    bad += 1
                    continue
                good += 1
                now_ns = time.time_ns()
                wrong += not all(_held(one, batch.monotonic_ns, longest_ms, now_ns) for one in samples)
                if good + bad >= reads:
                    break
        wire = seen(process)
    sys.stdout.write(
        f"{baud} baud, {registers} registers: {wire['requests']:.0f} requests, {wire['delayed']:.0f} answers late,"
        f" {good} reads good, {bad} bad, {wrong} wrong; {wire['short']:.0f} gaps too short\n"
    )
    return wrong


def _held(sample: Sample, monotonic_ns: int, longest_ms: float, now_ns: int) -> bool:
    """True if the device held that value when it was asked, or at the time that its stamp says.

    The stamp is the middle of the time since the oldest request that the answer may belong to.
    """
    value = int(sample.value or 0)
    if sample.point % 2 == 0:
        return value == 1 << 12 | sample.point
    claimed_ms = 2 * (now_ns - sample.time_ns) / 1e6
    return (monotonic_ns // 1_000_000 - value) % 0x10000 <= max(longest_ms, claimed_ms)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0, help="of each master on each row")
    parser.add_argument("--baud", type=int, nargs="*", default=BAUDS)
    parser.add_argument("--registers", type=int, nargs="*", default=SIZES)
    parser.add_argument("--shapes", action="store_true", help="lines of several blocks and meters")
    parser.add_argument("--late", type=float, help="share of answers that come after the time-out")
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument(
        "--timeout", type=int, default=60, help="ms; a host that stands still for longer spoils `--late`"
    )
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        if given.late is not None:
            return 1 if late(given.baud[-1], given.registers[0], given.late, given.reads, given.timeout) else 0
        head = ("baud", "line", "ours/s", "ideal/s", "ratio", "gap ms", "silence", "short", "core")
        sys.stdout.write("{:>7} {:>28} {:>8} {:>8} {:>7} {:>28} {:>8} {:>6} {:>6}\n".format(*head))
        lines: dict[str, tuple[DevicePlan, ...]] = {
            f"{size} registers": (meter_of(size, 500, 1),) for size in given.registers
        }
        if given.shapes:
            lines = {name: shape(name, 10) for name in SHAPES}
        ratios = [compare(name, baud, line, given.seconds) for baud in given.baud for name, line in lines.items()]
        sys.stdout.write(f"least ratio {min(ratios):.1%}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
