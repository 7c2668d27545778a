"""An RTU device at the far end of a pseudo-terminal, paced as a wire: its own process, no code of the gateway's.

    python -m bench.paced_slave BAUD [--late SHARE --timeout S --seed N]

Prints `port PATH`, serves until its input ends, and then prints one JSON object: what it saw on the wire. Characters have
10 bits. A request is heard when its last character would have ended; the answer begins 5 ms later and its characters
come one after the other, in pieces of at most half a millisecond. Registers say who held them and when:

    register A of unit U     even A: U << 12 | A, modulo 65536         odd A: the host's monotonic clock in ms, modulo 65536

The gap before a request runs from the end of the last character on the wire to the request's first.
"""

import argparse
import contextlib
import heapq
import json
import os
import random
import select
import sys
import time
import tty

BITS = 10
TURNAROUND_S = 0.005
PIECE_S = 0.0005
SPIN_S = 0.0002


def crc(octets: bytes) -> bytes:
    value = 0xFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


class Wire:
    """The line's time: what was heard, and what is to be said when."""

    def __init__(self, master: int, baud: int, late: float, timeout_s: float, seed: int) -> None:
        self.master = master
        self.character_s = BITS / baud
        self.silence_s = 0.00175 if baud > 19200 else 3.5 * self.character_s
        self.late, self.timeout_s = late, timeout_s
        self.free_at = 0.0
        self.random = random.Random(seed)
        self.quiet_since = time.monotonic()
        self.busy_until = 0.0
        self.requests = self.short = self.delayed = 0
        self.shortest = 1.0
        self.reads: set[tuple[int, int, int]] = set()  # unit, address, count
        self.said: list[tuple[float, int, bytes]] = []  # a heap: when the last character ends, order, octets

    def hear(self, octets: bytes, now: float) -> None:
        """A request frame, as the master's port sends it: its characters from `now` on."""
        gap = now - self.quiet_since
        self.requests += 1
        self.shortest = min(self.shortest, gap)
        self.short += gap < self.silence_s
        ended = now + len(octets) * self.character_s
        self.quiet_since = ended
        if len(octets) != 8 or crc(octets[:6]) != octets[6:] or octets[1] != 3:
            return
        address, count = int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:6], "big")
        self.reads.add((octets[0], address, count))
        held = int(ended * 1000) & 0xFFFF
        words = [held if at % 2 else (octets[0] << 12 | at) & 0xFFFF for at in range(address, address + count)]
        answer = octets[:2] + bytes((2 * count,)) + b"".join(word.to_bytes(2, "big") for word in words)
        answer += crc(answer)
        begins = max(ended, self.free_at) + self.turnaround()
        self.free_at = begins + len(answer) * self.character_s  # one device answers in order, however late
        pieces = max(1, round(PIECE_S / self.character_s))
        for at in range(0, len(answer), pieces):
            piece = answer[at : at + pieces]
            heapq.heappush(self.said, (begins + (at + len(piece)) * self.character_s, self.requests * 1000 + at, piece))

    def turnaround(self) -> float:
        if self.random.random() >= self.late:
            return TURNAROUND_S
        self.delayed += 1
        return self.timeout_s * self.random.choice((1.05, 1.2, 1.5, 2.0, 3.0, 8.0))

    def run(self) -> None:
        """Until standard input ends."""
        while True:
            until = self.said[0][0] if self.said else None
            wait = None if until is None else max(until - time.monotonic() - SPIN_S, 0.0)
            ready, _, _ = select.select([self.master, sys.stdin], [], [], wait)
            if self.master in ready:
                now = time.monotonic()
                with contextlib.suppress(OSError):
                    self.hear(os.read(self.master, 4096), now)
            elif sys.stdin in ready:
                return
            elif until is not None:
                while time.monotonic() < until:
                    pass
                _, _, piece = heapq.heappop(self.said)
                os.write(self.master, piece)
                self.quiet_since = time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("baud", type=int)
    parser.add_argument("--late", type=float, default=0.0, help="share of answers that come after the time-out")
    parser.add_argument("--timeout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    master, slave = os.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    sys.stdout.write(f"port {os.ttyname(slave)}\n")
    sys.stdout.flush()
    wire = Wire(master, given.baud, given.late, given.timeout, given.seed)
    wire.run()
    counts = {"requests": wire.requests, "short": wire.short, "shortest_s": wire.shortest, "delayed": wire.delayed}
    seen = {**counts, "reads": sorted(wire.reads)}
    sys.stdout.write(json.dumps(seen) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
