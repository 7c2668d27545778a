"""Every device profile that there is, compiled as a device of its own: for a bench without a site, and to compare with."""

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

import yaml

from mapping.compile import Compiled, site_file
from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.plan import DevicePlan
from mms_gateway.commissioning.explain.name_lookup import NotThereError
from mms_gateway.sites import compiled

_LINES = {
    "registers": {"protocol": "modbus-tcp", "host": "127.0.0.1"},
    "text": {"protocol": "serial-ascii", "port": "none"},
    "readout": {"protocol": "iec62056-21", "port": "nothing"},
    "modules": {"protocol": "adam-ascii", "port": "nowhere"},
}


def profile_device(name: str, site: Path | None = None) -> DevicePlan:
    """A device of the profile `name`, one beside `site` before one of the gateway's own. Raises NotThereError."""
    for line in _LINES:
        found = _devices(_compiled(site, {name: {"line": line, "profile": name}}))
        if found:
            return found[0]
    known = profile_names(site)
    raise NotThereError(f"no device profile `{name}`: {did_you_mean(nearest(name, known)) or ', '.join(known)}")


def register_profiles(site: Path | None = None) -> list[DevicePlan]:
    """A device of every profile whose points are Modbus registers, named as the profile."""
    found = []
    for name in profile_names(site):
        found += _devices(_compiled(site, {name: {"line": "registers", "profile": name}}))
    return found


def profile_names(site: Path | None = None) -> list[str]:
    """The names of all profiles, those beside `site` too."""
    folders = [Path(str(files("hw_configs"))) / "devices"]
    if site is not None:
        folders.append(site_file(site).parent / "devices")
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def _compiled(site: Path | None, devices: dict[str, dict[str, str]]) -> Compiled:
    """A site of these devices alone, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mms-gateway-") as folder:
        own = None if site is None else site_file(site).parent / "devices"
        if own is not None and own.is_dir():
            shutil.copytree(own, Path(folder) / "devices")
        text = yaml.safe_dump({"site": "bench", "ieds": {}, "lines": _LINES, "devices": devices})
        (Path(folder) / "site.yaml").write_text(text, encoding="utf-8")
        return compiled(Path(folder))


def _devices(result: Compiled) -> list[DevicePlan]:
    if result.diagnostics.errors:
        return []
    return [device for worker in result.workers for line in worker.lines for device in line.devices]
