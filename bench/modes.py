"""Modes of measurement: each takes a server's Python (None: ours) and gives numbers by name, for one round.

A server with other model sizes, or that must start fresh, is started within its mode; the others share one process a
side for all rounds, and are asked in turns.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import load, model, octets
from bench.processes import ServerProcess
from tests.support.client import Client
from tests.support.engine_client import name, read_request, tlv, variable

Numbers = dict[str, float]
CONNECTIONS = ((1, 1, 0), (1, 1, 1), (1, 1, 3), (1, 1, 4), (5, 1, 0), (5, 5, 0), (10, 1, 0), (50, 1, 0), (50, 5, 0))
"""Clients that ask, requests outstanding for each, idle ones beside them."""
PEER_CLIENTS = 5  # at most: compiled into the wheel


@dataclass(frozen=True)
class Side:
    """One of the two servers: running, and how another of its kind is started."""

    server: ServerProcess
    start: Callable[[int], ServerProcess]
    clients_limit: int


def _read(
    side: Side, request: bytes, count: int, clients: int, outstanding: int, seconds: float, idle: int = 0
) -> Numbers:
    server = side.server
    bystanders = load.associated(server.port, min(idle, side.clients_limit - 1))
    asking = load.associated(server.port, min(clients, side.clients_limit - len(bystanders)))
    expected, tsdu = load.answer_to(asking[0], request)
    octets.check_read(tsdu, count)
    before = server.cpu_s()
    result = load.run(asking, request, expected, outstanding=outstanding, seconds=seconds)
    cpu = (server.cpu_s() - before) / result.answers
    for client in (*asking, *bystanders):
        client.close()
    _settle(side)
    return {"rate": result.answers / result.seconds, "cpu_us": cpu * 1e6}


def _settle(side: Side) -> None:
    """Wait until the server has let go of the last clients: one that takes few has room again."""
    if side.clients_limit > PEER_CLIENTS:
        return
    for _ in range(100):
        time.sleep(0.02)
        try:
            clients = load.associated(side.server.port, side.clients_limit)
        except (RuntimeError, OSError):
            continue
        for client in clients:
            client.close()
        time.sleep(0.1)
        return


def reads(side: Side, seconds: float) -> Numbers:
    """Reads of 1, 20, 100 and 1,000 values; clients, requests outstanding, idle connections beside them."""
    numbers: Numbers = {}
    one = octets.read_values(1)
    for clients, outstanding, idle in CONNECTIONS:
        found = _read(side, one, 1, clients, outstanding, seconds, idle)
        key = f"read 1, {clients} clients, {outstanding} outstanding" + (f", {idle} idle beside" if idle else "")
        numbers[f"{key}: rate"], numbers[f"{key}: CPU us"] = found["rate"], found["cpu_us"]
    for label, request, count in (
        ("read 20 values", octets.read_values(20), 20),
        ("data set of 100", octets.read_set(100), 100),
        ("data set of 1000", octets.read_set(1000), 1000),
    ):
        found = _read(side, request, count, 5, 1, seconds)
        numbers[f"{label}, 5 clients: rate"], numbers[f"{label}, 5 clients: CPU us"] = found["rate"], found["cpu_us"]
    return numbers


def reads_while_fed(side: Side, seconds: float) -> Numbers:
    """How long a Read takes while 10,000 values a second are committed."""
    server = side.server
    asking = load.associated(server.port, 1)
    request = octets.read_steady()
    expected, tsdu = load.answer_to(asking[0], request)
    octets.check_read(tsdu, 1)
    server.order(10, 1000)
    time.sleep(0.3)
    times = sorted(load.run(asking, request, expected, outstanding=1, seconds=seconds, timed=True).latencies)
    server.order(0, 0)
    asking[0].close()
    _settle(side)
    return {
        "read while 10,000 values/s: p50 ms": 1000 * statistics.median(times),
        "read while 10,000 values/s: p99 ms": 1000 * times[int(len(times) * 0.99)],
    }


def associations(side: Side, seconds: float) -> Numbers:
    """Associations a second, one after the other."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        load.associated(side.server.port, 1)[0].close()
        count += 1
        if side.clients_limit <= PEER_CLIENTS:
            time.sleep(0)
    took = time.perf_counter() - started
    _settle(side)
    return {"associations a second": count / took}


def reports(side: Side, seconds: float) -> Numbers:
    """Reported values a second, fed faster than can be reported."""
    numbers: Numbers = {}
    for clients in (1, 10):
        listening = load.associated(side.server.port, min(clients, side.clients_limit))
        for number, client in enumerate(listening, 1):
            octets.enable(client, number)
        for rate in (10, 100, 10_000):
            before = side.server.cpu_s()
            side.server.order(rate, 1000)
            load.drain(listening, 0.2)  # until it runs evenly
            got = load.drain(listening, seconds)
            side.server.order(0, 0)
            load.drain(listening, 0.3)
            key = f"reports, {clients} clients, {'saturated' if rate > 1000 else f'fed {rate * 1000:,}/s'}"
            numbers[f"{key}: values/s"] = got / seconds / (octets.DATA_OCTETS + 4)
            numbers[f"{key}: CPU share"] = (side.server.cpu_s() - before) / (seconds + 0.5)
        for client in listening:
            client.close()
        _settle(side)
    return numbers


def browse(side: Side, _: float) -> Numbers:
    """Start, everything a browser asks, and memory after it, by model size."""
    numbers: Numbers = {}
    for measurands in (100, 1_000, 10_000):
        with side.start(measurands) as server:
            numbers[f"start with {measurands:,}: s"] = server.start_s
            client = load.associated(server.port, 1)[0]
            client.socket.settimeout(120)
            started = time.perf_counter()
            _browse(client, measurands)
            numbers[f"browse {measurands:,}: s"] = time.perf_counter() - started
            numbers[f"memory after browsing {measurands:,}: MiB"] = server.memory_mib()
            client.close()
    return numbers


def _browse(client: Client, measurands: int) -> None:
    if octets.names(client, 9, None) != [model.DOMAIN.encode()]:
        raise RuntimeError("not the domain that is there")
    variables = octets.names(client, 0, model.DOMAIN)
    logical_nodes = [one for one in variables if b"$" not in one]
    if len(logical_nodes) != model.nodes_of(measurands) + 1:
        raise RuntimeError(f"{len(logical_nodes)} logical nodes")
    for ln in map(bytes.decode, logical_nodes):
        body = tlv(0xA0, name(model.DOMAIN, ln))
        octets.service_of(client.ask(octets.ACCESS_ATTRIBUTES, body))
        read = read_request(variable(model.DOMAIN, ln))
        octets.check_read(client.ask(octets.READ, read), 1)
    for one in octets.names(client, 2, model.DOMAIN):
        octets.service_of(client.ask(octets.LIST_ATTRIBUTES, name(model.DOMAIN, one.decode())))


MODES: dict[str, Callable[[Side, float], Numbers]] = {
    "reads": reads,
    "fed": reads_while_fed,
    "associations": associations,
    "reports": reports,
    "browse": browse,
}
