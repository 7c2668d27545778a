"""The fastest master that keeps the silence of 3.5 characters: a busy wait and nothing else. No code of the gateway's.

python -m bench.ideal_master PORT BAUD READS SECONDS        prints how many answers a second it got

READS are unit:address:count, with commas, asked one after the other.
"""

import os
import sys
import time
import tty

from bench.paced_slave import BITS, crc


def main() -> int:
    port, baud, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[4])
    reads = [tuple(map(int, read.split(":"))) for read in sys.argv[3].split(",")]
    character_s = BITS / baud
    silence_s = 0.00175 if baud > 19200 else 3.5 * character_s
    requests = []
    for unit, address, count in reads:
        request = bytes((unit, 3)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
        requests.append((request + crc(request), 5 + 2 * count))
    line = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    answers, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        request, octets = requests[answers % len(requests)]
        os.write(line, request)
        got = b""
        while len(got) < octets:
            got += os.read(line, 4096)
        answers += crc(got[:-2]) == got[-2:]
        free = time.perf_counter() + silence_s
        while time.perf_counter() < free:
            pass
    sys.stdout.write(f"{answers / (time.perf_counter() - started):.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
