"""Registers that a device refuses by themselves (exceptions 2 and 3): found by halving, and remembered over restarts (pure).

    state/holes-WORKER.json    {"feeder1": {"unit": 1, "profile": "eastron-sdm630", "identity": "...", "holes": [...]}}

They are remembered for a device of that name, unit and profile, and for what it says it is (function 43/14 or 17, if it
does): another one in its place is asked for all it should have.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mapping.plan import DevicePlan, RegisterBlock, Table


class Hole(msgspec.Struct, frozen=True):
    """A value that a device does not have: where it would be, and the exception that says so."""

    table: Table
    address: int
    count: int
    code: int

    def place(self) -> str:
        """As people write it."""
        end = self.address + self.count - 1
        return f"{self.table} {self.address}" + (f"..{end}" if self.count > 1 else "")


class DeviceHoles(msgspec.Struct, frozen=True):
    """The holes of one device, and which one it was."""

    unit: int
    profile: str | None
    holes: tuple[Hole, ...]
    identity: str = ""  # what it said it was; empty: it did not say


Remembered = dict[str, DeviceHoles]


def cut(block: RegisterBlock, start: int, end: int) -> RegisterBlock:
    """The part of `block` from `start` to before `end`."""
    return RegisterBlock(block.table, start, end - start, block.every_ms, block.points)


def noted(device: DevicePlan, holes: Sequence[Hole], identity: str) -> DeviceHoles:
    """What is remembered of `device`, which says that it is `identity`."""
    ordered = tuple(sorted(holes, key=lambda hole: (hole.table, hole.address)))
    return DeviceHoles(device.unit, device.profile, ordered, identity)


def known(remembered: Remembered, devices: Iterable[DevicePlan]) -> dict[str, DeviceHoles]:
    """What is remembered of those `devices` that have the unit and the profile that they had."""
    return {
        device.name: found
        for device in devices
        if (found := remembered.get(device.name)) and (found.unit, found.profile) == (device.unit, device.profile)
    }


def load(path: Path) -> Remembered:
    """What is remembered in `path`; nothing if it is not there. Raises ValueError for a file that says nothing sound."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Remembered)
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from error


def save(path: Path, remembered: Remembered) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(remembered), indent=2))
    fresh.replace(path)


def report(state_dir: Path) -> str:
    """What all workers of a site remember, a line for each register; empty if nothing. Raises ValueError, OSError."""
    rows = [
        f"  {name:<16} {hole.place():<26} exception {hole.code}"
        for path in sorted(state_dir.glob("holes-*.json"))
        for name, found in load(path).items()
        for hole in found.holes
    ]
    head = "refused by the devices, asked for again daily and whenever they come back:"
    return "\n".join([head, *rows]) if rows else ""


def file_of(state_dir: Path, worker: str) -> Path:
    """Where a worker's holes are remembered."""
    return state_dir / f"holes-{worker}.json"
