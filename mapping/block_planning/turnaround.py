"""Turnaround of devices, the time from request to response as measured: kept in steps beside the site's state.

    state/turnaround-WORKER.json    {"feeder1": {"unit": 1, "milliseconds": 20}}

The planner reckons with it at the next start or reload: a slow device makes it worth while to read a larger hole along.
Steps, so that a plan does not change with every millisecond (D54).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

STEPS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Turnaround(msgspec.Struct, frozen=True):
    """The turnaround measured of one device, and its unit address."""

    unit: int
    milliseconds: int


Measured = dict[str, Turnaround]


def step(seconds: float) -> int:
    """The step that is nearest above `seconds`, in milliseconds; the highest for whatever is longer."""
    return next((one for one in STEPS_MS if seconds * 1000 <= one), STEPS_MS[-1])


def file_of(state_dir: Path, worker: str) -> Path:
    """The path of the file in which a worker keeps its measurements."""
    return state_dir / f"turnaround-{worker}.json"


def load(paths: Iterable[Path]) -> tuple[Measured, list[str]]:
    """The measurements in the files, and the reason for each file that has none: its devices are measured again."""
    found: Measured = {}
    problems = []
    for path in sorted(paths):
        try:
            found |= msgspec.json.decode(path.read_bytes(), type=Measured)
        except (OSError, msgspec.MsgspecError) as error:
            problems.append(f"{path} is passed over: {error}")
    return found, problems


def of_site(state_dir: Path) -> tuple[Measured, list[str]]:
    """The measurements of all workers of a site, and the reason for each file that could not be read."""
    return load(state_dir.glob("turnaround-*.json"))


def save(path: Path, measured: Measured) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=2))
    fresh.replace(path)
