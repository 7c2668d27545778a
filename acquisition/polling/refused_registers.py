"""Registers that a device refuses by themselves (exceptions 2 and 3): found by bisection, kept over restarts.

    state/holes-WORKER.json    {"feeder1": {"unit": 1, "profile": "eastron-sdm630", "identity": "...", "holes": [...]}}

They are kept for a device of that name, unit and profile, with its identity (function 43/14 or 17, if it has one of
them): of another device in its place all registers are requested (D46).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mapping.plan import DevicePlan, RegisterBlock, Table


class RefusedRange(msgspec.Struct, frozen=True):
    """Registers of a value that a device does not have, and the exception code of its refusal."""

    table: Table
    address: int
    count: int
    code: int

    def place(self) -> str:
        """The range as people write it."""
        end = self.address + self.count - 1
        return f"{self.table} {self.address}" + (f"..{end}" if self.count > 1 else "")


class DeviceRefusals(msgspec.Struct, frozen=True):
    """Refused ranges of one device, and its identity."""

    unit: int
    profile: str | None
    ranges: tuple[RefusedRange, ...] = msgspec.field(name="holes")
    identity: str = ""  # empty: it has given none


KnownRefusals = dict[str, DeviceRefusals]


def cut(block: RegisterBlock, start: int, end: int) -> RegisterBlock:
    """The part of `block` from `start` to before `end`."""
    return RegisterBlock(block.table, start, end - start, block.every_ms, block.points)


def refusals_of(device: DevicePlan, ranges: Sequence[RefusedRange], identity: str) -> DeviceRefusals:
    """Entry of `device`, whose identity is `identity`: its refused ranges in order."""
    ordered = tuple(sorted(ranges, key=lambda one: (one.table, one.address)))
    return DeviceRefusals(device.unit, device.profile, ordered, identity)


def known(kept: KnownRefusals, devices: Iterable[DevicePlan]) -> dict[str, DeviceRefusals]:
    """Entries of those `devices` that have the unit and the profile that they had."""
    return {
        device.name: found
        for device in devices
        if (found := kept.get(device.name)) and (found.unit, found.profile) == (device.unit, device.profile)
    }


def load(path: Path) -> KnownRefusals:
    """Entries in the file `path`; none if it is not there. Raises ValueError for a file of another form, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KnownRefusals)
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from error


def save(path: Path, kept: KnownRefusals) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2))
    fresh.replace(path)


def report(state_dir: Path) -> str:
    """Refused registers of all workers of a site, a line for each; empty if there are none. Raises ValueError, OSError."""
    rows = [
        f"  {name:<16} {one.place():<26} exception {one.code}"
        for path in sorted(state_dir.glob("holes-*.json"))
        for name, found in load(path).items()
        for one in found.ranges
    ]
    head = "refused by the devices, asked for again daily and whenever they come back:"
    return "\n".join([head, *rows]) if rows else ""


def file_of(state_dir: Path, worker: str) -> Path:
    """File in which a worker keeps them."""
    return state_dir / f"holes-{worker}.json"
