"""Reports to ten clients of 5,000 measurands a second: their delay, the share of a core, the memory.

    python -m bench.clients [--clients 10] [--points 5000] [--seconds 20]

Every second each point gets a new value, in 20 commits as a field's exchanges bring them; each commit is one report to each
client, of a block of its own. The clients are another process. Prints milliseconds from commit to last octet.
"""

import argparse
import multiprocessing
import selectors
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from mapping.model import DataSet, DataSetMember, LogicalNodeType, ReportControl
from mms_server import IedServer
from tests.support import models
from tests.support.client import Client
from tests.support.wire_data import boolean, unsigned

LD: Final = "DEMOLD0"
COMMITS: Final = 20  # a second
IN_A_NODE: Final = 50


@dataclass(frozen=True, slots=True)
class Load:
    """How many of what."""

    clients: int
    points: int
    seconds: int

    @property
    def in_a_commit(self) -> int:
        """Points of one commit, and members of one data set."""
        return self.points // COMMITS

    def references(self) -> list[str]:
        """Every point, `LN.DO`."""
        return [f"GGIO{at // IN_A_NODE + 1}.AnIn{at % IN_A_NODE + 1}" for at in range(self.points)]


def served(load: Load) -> IedServer:
    """A server with a data set for each commit, and a report control block of it for each client."""
    values = LogicalNodeType("GGIO", "GGIO", tuple(models.measured_value(f"AnIn{at + 1}") for at in range(IN_A_NODE)))
    items = [name.replace(".", "$MX$") for name in load.references()]
    sets = [
        DataSet(
            f"part{at}", tuple(DataSetMember(LD, item) for item in items[at * load.in_a_commit :][: load.in_a_commit])
        )
        for at in range(COMMITS)
    ]
    blocks = [
        ReportControl(f"part{at}", False, True, load.clients, None, f"part{at}", 1, 0, 0, 0b011001, 0b0111110110)
        for at in range(COMMITS)
    ]
    nodes = [models.node(values, str(at + 1)) for at in range(-(-load.points // IN_A_NODE))]
    return IedServer(models.server(models.lln0(data_sets=sets, reports=blocks), *nodes))


def listen(port: int, clients: int, reports: int, told: Connection) -> None:
    """The clients: enable, say so, and tell when each report of each was there."""
    waiting = selectors.DefaultSelector()
    for number in range(clients):
        client = Client(port, timeout_s=60)
        client.associate()
        for at in range(COMMITS):
            block = f"LLN0$RP$part{at}{number + 1:02d}"
            client.write(LD, (f"{block}$BufTm", unsigned(0)), (f"{block}$RptEna", boolean(True)))
        waiting.register(client.socket, selectors.EVENT_READ, _Ear(client))
    told.send("enabled")
    times: dict[int, list[float]] = {number: [] for number in range(clients)}
    ears = [key.data for key in waiting.get_map().values()]
    while any(len(times[number]) < reports for number in range(clients)):
        for key, _ in waiting.select(30):
            number = ears.index(key.data)
            times[number] += [time.monotonic()] * key.data.reports()
    told.send(list(times.values()))


class _Ear:
    """Counts the reports of one client, by the last TPDU of each."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._buffer = bytearray()

    def reports(self) -> int:
        """How many have come whole with what can be read now."""
        octets = self._client.socket.recv(1 << 20)
        if not octets:
            raise ConnectionError("the server has closed")
        self._buffer += octets
        count = 0
        while len(self._buffer) >= 4 and len(self._buffer) >= (length := int.from_bytes(self._buffer[2:4], "big")):
            count += self._buffer[6] >> 7
            del self._buffer[:length]
        return count


def main() -> int:
    """Run it and print what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=20)
    given = parser.parse_args()
    load = Load(given.clients, given.points, given.seconds)
    before = _memory()
    server = served(load)
    server.start(port=0, host="127.0.0.1")
    ours, theirs = multiprocessing.Pipe()
    spawned = multiprocessing.get_context("spawn")
    count = COMMITS * load.seconds
    peer = spawned.Process(target=listen, args=(server.port, load.clients, count, theirs), daemon=True)
    peer.start()
    ours.recv()
    committed, core_s = _feed(server, load)
    arrived = ours.recv()
    grown = _memory() - before
    late = sorted((there - at) * 1000 for times in arrived for there, at in zip(times, committed, strict=False))
    server.stop()
    peer.join(5)
    sys.stdout.write(
        f"{load.clients} clients, {load.points} points at 1 Hz, {len(late)} reports of {load.in_a_commit} values: "
        f"median {late[len(late) // 2]:.1f} ms, p99 {late[int(len(late) * 0.99)]:.1f} ms, max {late[-1]:.1f} ms; "
        f"{core_s / load.seconds:.0%} of a core, {grown:.0f} MiB for the model and its clients\n"
    )
    return 0


def _memory() -> float:
    """Resident memory of this OS process, MiB; the tests' own decoder is most of it before anything is served."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


def _feed(server: IedServer, load: Load) -> tuple[list[float], float]:
    """When each commit was made, and the processor time of it all."""
    points = [(server.handle(f"LD0/{one}.mag.f"), server.handle(f"LD0/{one}.t")) for one in load.references()]
    committed, began, worked = [], time.monotonic(), time.process_time()
    for turn in range(COMMITS * load.seconds):
        time.sleep(max(began + turn / COMMITS - time.monotonic(), 0))
        first, now = turn % COMMITS * load.in_a_commit, time.time()
        committed.append(time.monotonic())
        part = points[first : first + load.in_a_commit]
        server.update([pair for value, stamp in part for pair in ((value, float(turn + 1)), (stamp, now))])
    return committed, time.process_time() - worked


if __name__ == "__main__":
    sys.exit(main())
