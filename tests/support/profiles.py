"""Device profiles in tests: each compiled with a model that has all that it proposes."""

from pathlib import Path
from typing import Any, Final

import yaml

from mapping.diagnostics import Diagnostics
from mapping.located_yaml.located import load
from mapping.plan import DevicePlan
from tests.support.proposals import classes, icd, references
from tests.support.sites import compile_folder

DEVICES: Final = Path(__file__).parents[2] / "hw_configs" / "devices"
NAMES: Final = sorted(path.stem for path in DEVICES.glob("*.yaml"))


def written(name: str) -> dict[str, Any]:
    """The file of the profile `name`, as it is written."""
    found: dict[str, Any] = yaml.load((DEVICES / f"{name}.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    return found


def typed(name: str) -> Any:
    """The file of the profile `name`, as the compiler takes it."""
    located = load(DEVICES / f"{name}.yaml", Diagnostics())
    if located is None:
        raise AssertionError(name)
    return located.data


def chain(name: str) -> list[dict[str, Any]]:
    """The profile's file and those of its bases, itself first."""
    found = [written(name)]
    while "base" in found[-1]:
        found.append(written(found[-1]["base"]))
    return found


def in_text(name: str) -> bool:
    """True for an instrument that is asked in text."""
    return any("request" in point for file in chain(name) for point in (file.get("points") or {}).values())


def points(name: str) -> dict[str, dict[str, Any]]:
    """All points of the profile, those of its bases too, as they are written."""
    found: dict[str, Any] = {}
    for file in reversed(chain(name)):
        found |= file.get("points") or {}
    return {point: keys for point, keys in found.items() if keys != "null"}


def proposed(name: str) -> list[str]:
    """Data objects that the profile proposes, LNCLASS.DO[.SDO], each once."""
    found: dict[str, None] = {}
    for keys in points(name).values():
        given = keys.get("proposes", [])
        found |= dict.fromkeys([given] if isinstance(given, str) else given)
    return list(found)


def compiled(name: str, folder: Path) -> tuple[DevicePlan, str, set[str]]:
    """The plan of a device of that profile, what the compiler found, and the data objects that are fed."""
    line = "text" if in_text(name) else "rtu"
    (folder / "site.yaml").write_text(
        'site: one\nieds:\n  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}\n'
        "lines:\n  rtu: {protocol: modbus-rtu, port: /dev/nowhere}\n"
        "  text: {protocol: serial-ascii, port: /dev/nothing}\n"
        f"devices:\n  meter: {{line: {line}, profile: {name}, every: 60s}}\n",
        encoding="utf-8",
    )
    (folder / "io.icd").write_text(icd(proposed(name)), encoding="utf-8")
    rows = [f"  LD0/{ln_class}1: meter" for ln_class in classes(proposed(name))]
    (folder / "map.yaml").write_text("\n".join(["points:", "  LD0/GGIO9.Ind1: meter.online", *rows]), encoding="utf-8")
    found = compile_folder(folder)
    text = "\n".join(str(one) for one in found.diagnostics.found)
    if found.plan is None:
        raise AssertionError(text)
    plan = next(device for worker in found.plan.workers for line in worker.lines for device in line.devices)
    return plan, text, {binding.reference for binding in found.plan.ieds[0].objects} & references(proposed(name))
