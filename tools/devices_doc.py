"""docs/devices.md: the device profiles that come with the gateway, generated from them; `--check` says if it is out of date."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mapping.diagnostics import Diagnostics, render
from mapping.located_yaml.located import load
from mapping.located_yaml.validated import validated
from mapping.schema.profile import Point, Profile, ProfileDefaults
from tools.pages import keep

FOLDER: Final = Path(__file__).parents[1] / "hw_configs" / "devices"
PATH: Final = Path(__file__).parents[1] / "docs" / "devices.md"
_HEAD: Final = """# Device profiles

Generated from `hw_configs/devices` by `python -m tools.devices_doc`; do not edit. `profile:` in site.yaml takes the name of
a profile or one of its aliases; a file of that name in `devices/` beside site.yaml wins. Peculiarities of a device, and
disagreements of its sources, stand at the head of its profile. Points are named quantity, then phase; import is what the load
behind the meter consumes and becomes `Dmd`, export `Sup`: `swap: true` in map.yaml turns an incoming feeder round. SunSpec
devices have no profile here: `mms-gateway sunspec HOST` writes theirs.

| profile | device | aliases | manual | points | proposes | told by | asked |
|---|---|---|---|---|---|---|---|
"""

_ASKED: Final = {
    "order": "words {}",
    "max_registers": "at most {} registers",
    "pause": "{} ms before each request",
    "timeout": "{} ms to answer",
    "max_gap": "holes to {} registers",
    "exact": "nothing but its points",
}
"""Ways to request from a device, by the key of its profile's defaults."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A profile with what it inherits."""

    profile: Profile
    points: dict[str, Point]
    defaults: list[ProfileDefaults]
    identified: str


def document(folder: Path = FOLDER) -> str:
    """The whole page. Raises ValueError for a profile that is none."""
    profiles = {path.stem: _profile(path) for path in sorted(folder.glob("*.yaml"))}
    rows = {name: _row(name, _whole(name, profiles)) for name in profiles}
    ordered = sorted(rows, key=lambda name: (profiles[name].device.maker.lower(), name))
    return _HEAD + "\n".join(rows[name] for name in ordered) + f"\n\n{len(rows)} profiles.\n"


def _profile(path: Path) -> Profile:
    found = Diagnostics()
    located = load(path, found)
    profile = None if located is None else validated(located, Profile, found)
    if profile is None or found.found:
        raise ValueError(render(found.found))
    return profile


def _whole(name: str, profiles: dict[str, Profile]) -> _Whole:
    chain = [profiles[name]]
    while chain[-1].base is not None:
        chain.append(profiles[chain[-1].base])
    points: dict[str, Point] = {}
    for profile in reversed(chain):
        for point_name, point in profile.points.items():
            if point is None:
                points.pop(point_name)
            else:
                points[point_name] = point
    identify = next((profile.identify for profile in chain if profile.identify is not None), None)
    told = "" if identify is None else f"{identify.read.table} {identify.read.address}"
    return _Whole(chain[0], points, [profile.defaults for profile in chain], told)


def _row(name: str, whole: _Whole) -> str:
    device = whole.profile.device
    proposed = {one for point in whole.points.values() for one in point.proposes}
    classes = " ".join(sorted({one.partition(".")[0] for one in proposed}))
    cells = (
        f"`{name}`",
        f"{device.maker} {device.model}",
        ", ".join(device.aliases),
        device.manual or "",
        str(len(whole.points)),
        f"{len(proposed)}: {classes}" if proposed else "",
        whole.identified,
        _asked(whole.defaults),
    )
    return f"| {' | '.join(cells)} |"


def _asked(layers: list[ProfileDefaults]) -> str:
    """How it is asked, where that is not as any device."""
    values = {key: _first(layers, key) for key in _ASKED}
    texts = [text.format(values[key]) for key, text in _ASKED.items() if values[key]]
    return ", ".join([*texts, *(["no hole read along"] if values["max_gap"] == 0 else [])])


def _first(layers: list[ProfileDefaults], key: str) -> int | str | None:
    """Value of the first layer that has the key: the profile itself before its bases."""
    return next((value for layer in layers for value in [getattr(layer, key)] if value is not None), None)


if __name__ == "__main__":
    sys.exit(keep(PATH, document(), "tools.devices_doc", sys.argv[1:]))
