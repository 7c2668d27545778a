"""Ours and libIEC61850's server side by side, in turns, on this machine.

    python -m bench [--peer PYTHON] [--mode MODE ...] [--rounds N] [--seconds S] [--out FOLDER]

PYTHON: an environment with pyiec61850-ng (`make peer`); without it only ours. Each round asks ours, then the peer; what
is told are medians with minimum and maximum, and the ratio of the medians. The table and the plots go into FOLDER.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from pathlib import Path

from bench import table
from bench.modes import MODES, PEER_CLIENTS, Side
from bench.processes import ServerProcess

MEASURANDS = 1000
OURS_CLIENTS = 1000
_ports = itertools.count(10_300)


def main() -> int:
    """Run the rounds, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--peer", help="Python of an environment with pyiec61850-ng")
    parser.add_argument("--mode", action="append", choices=sorted(MODES), help="only this mode; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    given = parser.parse_args()
    measured: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for mode in given.mode or MODES:
        with _started(None, MEASURANDS) as ours:
            sides = [Side(ours, lambda count: _started(None, count), OURS_CLIENTS)]
            if given.peer is None:
                _rounds(mode, sides, given, measured)
                continue
            with _started(given.peer, MEASURANDS) as peer:
                sides.append(Side(peer, lambda count: _started(given.peer, count), PEER_CLIENTS))
                _rounds(mode, sides, given, measured)
    rows = table.rows(measured)
    sys.stdout.write(table.text(rows))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "table.md").write_text(table.text(rows), encoding="utf-8")
    table.plots(rows, given.out)
    return 0


def _started(peer: str | None, measurands: int) -> ServerProcess:
    return ServerProcess(measurands, peer, next(_ports))


def _rounds(
    mode: str, sides: list[Side], given: argparse.Namespace, measured: dict[str, dict[str, list[float]]]
) -> None:
    for number in range(given.rounds):
        for side in sides:
            for name, value in MODES[mode](side, given.seconds).items():
                measured[name][side.server.name].append(value)
        sys.stderr.write(f"{mode}: round {number + 1} of {given.rounds}\n")


if __name__ == "__main__":
    sys.exit(main())
