"""Every device profile that there is, compiled as a device of its own: for a bench without a site, and to compare with."""

import shutil
import tempfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel

from acquisition.drivers.registry import protocols
from mapping.compile import Compiled, compile_site, site_file
from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.plan import DevicePlan
from mapping.protocols import Protocol
from mms_gateway.commissioning.explain.name_lookup import NotThereError


class _NoSettings(BaseModel):
    """The settings of a line that carries nothing."""


def profile_device(name: str, site: Path | None = None) -> DevicePlan:
    """A device of the profile `name`, one beside `site` before one of the gateway's own. Raises NotThereError."""
    for protocol in _benches():
        found = _devices(_compiled(site, protocol, name))
        if found:
            return found[0]
    known = profile_names(site)
    raise NotThereError(f"no device profile `{name}`: {did_you_mean(nearest(name, known)) or ', '.join(known)}")


def register_profiles(site: Path | None = None) -> list[DevicePlan]:
    """A device of every profile whose points are Modbus registers, named as the profile."""
    bench = next(one for one in _benches() if one.modbus)
    return [device for name in profile_names(site) for device in _devices(_compiled(site, bench, name))]


def _benches() -> list[Protocol]:
    """A protocol for each kind of points that lines are asked for, Modbus first; none needs settings here."""
    kinds: dict[object, Protocol] = {}
    for one in sorted(protocols().values(), key=lambda one: not one.modbus):
        kinds.setdefault((one.asks, one.misfit), one)
    return [replace(one, settings=_NoSettings) for one in kinds.values()]


def profile_names(site: Path | None = None) -> list[str]:
    """The names of all profiles, those beside `site` too."""
    folders = [Path(str(files("hw_configs"))) / "devices"]
    if site is not None:
        folders.append(site_file(site).parent / "devices")
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def _compiled(site: Path | None, protocol: Protocol, profile: str) -> Compiled:
    """A site of one device of the profile on a line of that protocol, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mms-gateway-") as folder:
        own = None if site is None else site_file(site).parent / "devices"
        if own is not None and own.is_dir():
            shutil.copytree(own, Path(folder) / "devices")
        lines = {"bench": {"protocol": protocol.name}}
        devices = {profile: {"line": "bench", "profile": profile}}
        text = yaml.safe_dump({"site": "bench", "ieds": {}, "lines": lines, "devices": devices})
        (Path(folder) / "site.yaml").write_text(text, encoding="utf-8")
        return compile_site(Path(folder), {protocol.name: protocol})


def _devices(result: Compiled) -> list[DevicePlan]:
    if result.diagnostics.errors:
        return []
    return [device for worker in result.workers for line in worker.lines for device in line.devices]
