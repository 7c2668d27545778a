"""Reads a second of one float and of a data set: ours and libIEC61850's server, in turns, on this machine.

    python -m bench.reads [--peer PYTHON]      PYTHON: an environment with pyiec61850-ng; without it only ours

Prints medians with minimum and maximum. The load generator is raw octets over one connection, one request outstanding.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from mms_server import IedServer
from tests.support.client import Client
from tests.support.engine_client import read_request, variable

ROUNDS = 5
READS = 3000
MODEL = Path(__file__).parents[1] / "hw_configs" / "demo" / "demo.icd"
PEER_PORT = 10199
PEER = """
import sys, time
import pyiec61850.pyiec61850 as p
model = p.IedModel_create("DEMO")
ld = p.LogicalDevice_create("MAIN", model)
p.LogicalNode_create("LLN0", ld)
ln = p.LogicalNode_create("MMXU1", ld)
p.CDC_MV_create("TotW", p.toModelNode(ln), 0, False)
server = p.IedServer_create(model)
p.IedServer_start(server, int(sys.argv[1]))
print("ready" if p.IedServer_isRunning(server) else "failed", flush=True)
sys.stdin.read()
p.IedServer_stop(server)
"""


def rate(port: int, body: bytes) -> float:
    """Reads a second, every answer checked for being one."""
    client = Client(port)
    client.associate()
    started = time.perf_counter()
    for _ in range(READS):
        if b"\xa1" not in client.ask(0xA4, body):
            raise RuntimeError("no answer to a Read")
    took = time.perf_counter() - started
    client.close()
    return READS / took


def main() -> int:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="Python of an environment with pyiec61850-ng")
    given = parser.parse_args()
    body = read_request(variable("DEMOMAIN", "MMXU1$MX$TotW$mag$f"))
    ours = IedServer.from_scl(MODEL)
    ours.start(port=0, host="127.0.0.1")
    peer = None if given.peer is None else _peer(given.peer)
    rates: dict[str, list[float]] = {"ours": [], "libIEC61850": []}
    for _ in range(ROUNDS):
        rates["ours"].append(rate(ours.port or 0, body))
        if peer is not None:
            rates["libIEC61850"].append(rate(PEER_PORT, body))
    for name, measured in rates.items():
        if measured:
            median = statistics.median(measured)
            sys.stdout.write(f"{name:<12} {median:>8.0f} reads/s  (min {min(measured):.0f}, max {max(measured):.0f})\n")
    if rates["libIEC61850"]:
        ratio = statistics.median(rates["ours"]) / statistics.median(rates["libIEC61850"])
        sys.stdout.write(f"ratio ours / libIEC61850: {ratio:.2f}\n")
    ours.stop()
    if peer is not None and peer.stdin is not None:
        peer.stdin.close()
        peer.wait(5)
    return 0


def _peer(python: str) -> subprocess.Popen[str]:
    peer = subprocess.Popen(
        [python, "-c", PEER, str(PEER_PORT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if peer.stdout is None or "ready" not in peer.stdout.readline():
        raise RuntimeError("the peer did not start")
    for _ in range(50):
        try:
            socket.create_connection(("127.0.0.1", PEER_PORT), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return peer
    raise RuntimeError("the peer does not listen")


if __name__ == "__main__":
    sys.exit(main())
