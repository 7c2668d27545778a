"""Lookup of typed names: a line or a device of a compiled site, or an error with the names that there are."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from acquisition.drivers.registry import driver_of
from mapping import plan as plans
from mapping.compile import Compiled, site_file
from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.plan import DevicePlan, LinePlan, PointPlan
from mms_gateway.runtime import instance_file
from mms_gateway.sites import compiled, say

_Thing = TypeVar("_Thing")


class NotThereError(Exception):
    """A typed name that names nothing, or cannot be used now; the text is for the person at the keyboard."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site for a command that only looks: its lines and devices, also while map.yaml is still wrong."""

    site: Path
    compiled: Compiled
    state_dir: Path

    def lines(self) -> list[LinePlan]:
        """Every line."""
        return [line for worker in self.compiled.workers for line in worker.lines]

    def line(self, name: str) -> LinePlan:
        """The line `name`. Raises NotThereError."""
        return self._one("line", name, {line.name: line for line in self.lines()})

    def device(self, name: str) -> tuple[LinePlan, DevicePlan]:
        """The device `name` and its line. Raises NotThereError."""
        return self._one("device", name, {one.name: (line, one) for line in self.lines() for one in line.devices})

    def _one(self, kind: str, name: str, known: dict[str, _Thing]) -> _Thing:
        return known[_known(kind, name, list(known), f" in {self.site}")]

    def free(self, line: LinePlan, *, beside: bool = False) -> None:
        """Nothing if the line may be asked by hand. Raises NotThereError if the running gateway holds it.

        `beside`: devices on a network may be asked beside the gateway, unless they take one client at a time.
        """
        held = held_lines(self.state_dir).get(line.name)
        shared = beside and not driver_of(line.protocol).serial and held is not None
        if held is None or (shared and not any(device.polling.close_after for device in held.devices)):
            return
        raise NotThereError(
            f"line `{line.name}` is held by the running gateway: end that first, or use `mms-gateway watch {self.site}`"
        )


def place(site: Path, *, lines: Path | None = None, state_dir: Path | None = None) -> Place:
    """The site at `site`. Its errors are one line on stderr if its lines can be used all the same."""
    result = compiled(site, lines)
    if not result.workers:
        say(result.diagnostics.found)
        raise NotThereError(f"{site_file(site)} has no line that could be used")
    if result.diagnostics.errors:
        count = len(result.diagnostics.errors)
        sys.stderr.write(f"mms-gateway: {count} errors in this site, `mms-gateway check {site}` shows them\n")
    return Place(site, result, state_of(site, state_dir))


def state_of(site: Path, state_dir: Path | None) -> Path:
    """The state folder: the given one, or that beside site.yaml."""
    return state_dir or site_file(site).parent / "state"


def held_lines(state_dir: Path) -> dict[str, LinePlan]:
    """The lines of the gateway that runs with this state folder, by name; none if none runs."""
    found = instance_file.running(state_dir)
    if found is None:
        return {}
    plan = plans.load(Path(found.plan_file))
    return {line.name: line for worker in plan.workers for line in worker.lines}


def points_of(device: DevicePlan, names: list[str]) -> list[PointPlan]:
    """The points `names` of the device, all if none is named. Raises NotThereError."""
    known = {point.local_name: point for point in device.points}
    if not names:
        return list(known.values())
    return [known[_known("point", name, list(known), f" of {device.name}")] for name in names]


def _known(kind: str, name: str, known: list[str], where: str) -> str:
    if name in known:
        return name
    hint = did_you_mean(nearest(name, known)) or (f"there are {', '.join(known[:12])}" if known else "there is none")
    raise NotThereError(f"no {kind} `{name}`{where}: {hint}")
