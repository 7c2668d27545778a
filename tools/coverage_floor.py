"""Coverage by room: statements and branches that the tests run through, and the floor below which no room may fall.

python -m tools.coverage_floor REPORT [--raise]

REPORT is coverage's JSON. One line a room (a package of the top level), with the percentage of its statements and branches
together; exit code 1 if a room is below its floor in tests/coverage_floor.toml, or has none. --raise writes floors that are
higher by now, in whole per cent rounded down, and lowers none.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FLOORS: Final = Path(__file__).parents[1] / "tests" / "coverage_floor.toml"
_HEAD: Final = """\
# Per cent of statements and branches that `make coverage` runs through, by room. `python -m tools.coverage_floor REPORT --raise`
# writes higher ones; none is lowered.
"""


@dataclass
class Room:
    """The counts of one package; `run` are statements and branches that were run through."""

    statements: int = 0
    branches: int = 0
    run: int = 0

    @property
    def percent(self) -> float:
        """0..100; 100 for a room without a statement."""
        there = self.statements + self.branches
        return 100.0 * self.run / there if there else 100.0


def rooms(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Room]:
    """The rooms of coverage's `files`, by name in alphabetical order."""
    found: dict[str, Room] = {}
    for path, counted in sorted(files.items()):
        summary, room = counted["summary"], found.setdefault(Path(path).parts[0], Room())
        room.statements += summary["num_statements"]
        room.branches += summary["num_branches"]
        room.run += summary["covered_lines"] + summary["covered_branches"]
    return found


def lines(found: Mapping[str, Room], floors: Mapping[str, int]) -> list[str]:
    """The table, one line a room."""
    width = max(map(len, found))
    return [
        f"{name:{width}}  {room.statements:6} statements  {room.branches:5} branches"
        f"  {room.percent:5.1f} % covered  floor {floors.get(name, 'none'):>4}"
        for name, room in found.items()
    ]


def faults(found: Mapping[str, Room], floors: Mapping[str, int]) -> list[str]:
    """One line for each room below its floor, without a floor, or with a floor and without a file."""
    return [
        *(f"{name} has no floor in {FLOORS.name}" for name in found if name not in floors),
        *(f"{name} has a floor and no file" for name in floors if name not in found),
        *(
            f"{name} is covered to {found[name].percent:.2f} %, its floor is {floor} %"
            for name, floor in floors.items()
            if name in found and found[name].percent < floor
        ),
    ]


def raised(found: Mapping[str, Room], floors: Mapping[str, int]) -> dict[str, int]:
    """The floors of the rooms that are there: those of today, or what is covered by now in whole per cent if that is more."""
    return {name: max(int(room.percent), floors.get(name, 0)) for name, room in found.items()}


def text(floors: Mapping[str, int]) -> str:
    """The file of floors."""
    return _HEAD + "".join(f"{name} = {floor}\n" for name, floor in sorted(floors.items()))


def main(arguments: Iterable[str]) -> int:
    """Print the table; 0 if every room keeps its floor."""
    report, *options = arguments
    found = rooms(json.loads(Path(report).read_text(encoding="utf-8"))["files"])
    floors: dict[str, int] = tomllib.loads(FLOORS.read_text(encoding="utf-8")) if FLOORS.exists() else {}
    if "--raise" in options:
        floors = raised(found, floors)
        FLOORS.write_text(text(floors), encoding="utf-8")
    sys.stdout.writelines(f"{line}\n" for line in lines(found, floors))
    below = faults(found, floors)
    sys.stderr.writelines(f"{fault}\n" for fault in below)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
