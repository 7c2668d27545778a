"""Pass 1: read site.yaml, the lines of an overlay, device profiles, map.yaml and SCL files."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from mapping import model
from mapping.diagnostics import MappingError, Span, did_you_mean
from mapping.located import Located, load
from mapping.passes.draft import Draft, DraftDevice, DraftIed, DraftPoint
from mapping.plan import Identify, Order, Own, PointPlan, Register, Reply
from mapping.schema import Device, Map, Point, Profile, ProfileDefaults, Site
from mapping.schema import Register as RegisterSpec
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mapping.validated import nearest, validated

PROFILE_DEPTH: Final = 8
DEFAULT_EVERY_MS: Final = 1000
DEFAULT_TIMEOUT_MS: Final = 500
LEAST_STALE_MS: Final = 2000


def load_files(draft: Draft) -> None:
    """Fill the draft with what the files say; whatever is wrong with one file is said, and the others are read."""
    located = load(draft.site_path, draft.found)
    if located is None:
        return
    draft.site_file = located
    draft.site = validated(located, Site, draft.found)
    if draft.site is None:
        return
    _lines(draft, draft.site, located)
    profiles = _Profiles(draft)
    for name, device in draft.site.devices.items():
        _device(draft, profiles, name, device, located)
    for name in draft.site.ieds:
        _ied(draft, draft.site, name, located)


# ---------------------------------------------------------------------- lines


def _lines(draft: Draft, site: Site, located: Located) -> None:
    overlay = _overlay(draft)
    for name, given in site.lines.items():
        keys = dict(given)
        protocol = keys.pop("protocol", None)
        model_of = draft.settings_by_protocol.get(protocol) if isinstance(protocol, str) else None
        if model_of is None:
            known = sorted(draft.settings_by_protocol)
            if protocol is None:
                draft.found.error("missing-key", located.key_at("lines", name), "`protocol` is missing")
            else:
                hint = did_you_mean(nearest(str(protocol), known)) or f"there are {', '.join(known)}"
                span = located.at("lines", name, "protocol")
                draft.found.error("unknown-protocol", span, f"no driver for protocol `{protocol}`", hint=hint)
            continue
        settings = validated(located, model_of, draft.found, data=keys, path=("lines", name))
        if settings is not None:
            merged = settings.model_dump(exclude_none=True) | overlay.get(name, {})
            draft.lines[name] = {"protocol": str(protocol), **merged}


def _overlay(draft: Draft) -> dict[str, dict[str, Any]]:
    """The lines of `--lines FILE`, laid over the site's: where simulated devices answer."""
    if draft.lines_path is None:
        return {}
    located = load(draft.lines_path, draft.found)
    lines = located.data.get("lines") if located and isinstance(located.data, dict) else None
    if located is not None and not (isinstance(lines, dict) and all(isinstance(one, dict) for one in lines.values())):
        draft.found.error("bad-value", Span(str(draft.lines_path)), "no `lines:` with a mapping for each line")
        return {}
    return dict(lines or {})


# ---------------------------------------------------------------------- devices


class _Profiles:
    """Device profiles by name: beside the site first, then those that come with the gateway."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._folders = [draft.site_path.parent / "devices", Path(str(files("hw_configs"))) / "devices"]
        self._read: dict[str, Profile | None] = {}

    def find(self, name: str, asking: Span) -> list[Profile]:
        """The profile and its bases, itself first; empty, and said, if it cannot be had."""
        chain: list[Profile] = []
        wanted: str | None = name
        while wanted is not None:
            if len(chain) >= PROFILE_DEPTH:
                self._draft.found.error("profile-cycle", asking, f"profile `{name}` has itself as base, or too many")
                return []
            profile = self._one(wanted, asking)
            if profile is None:
                return []
            chain.append(profile)
            wanted = profile.base
        return chain

    def _one(self, name: str, asking: Span) -> Profile | None:
        if name not in self._read:
            path = next((one for folder in self._folders if (one := folder / f"{name}.yaml").is_file()), None)
            if path is None:
                known = sorted(file.stem for folder in self._folders for file in folder.glob("*.yaml"))
                hint = did_you_mean(nearest(name, known))
                self._draft.found.error("unknown-profile", asking, f"no device profile `{name}`", hint=hint)
            located = None if path is None else load(path, self._draft.found)
            self._read[name] = None if located is None else validated(located, Profile, self._draft.found)
        return self._read[name]


def _device(draft: Draft, profiles: _Profiles, name: str, device: Device, located: Located) -> None:
    site = draft.site
    if site is not None and device.line not in site.lines:
        hint = did_you_mean(nearest(device.line, list(site.lines)))
        draft.found.error("unknown-line", located.at("devices", name, "line"), f"no line `{device.line}`", hint=hint)
    span = located.at("devices", name, "profile")
    chain = profiles.find(device.profile, span) if device.profile is not None else []
    layers: list[Device | ProfileDefaults] = [device, *(profile.defaults for profile in chain)]

    def key(attribute: str, otherwise: Any) -> Any:
        return next((value for layer in layers if (value := getattr(layer, attribute)) is not None), otherwise)

    every = key("every", DEFAULT_EVERY_MS)
    order: Order = next((one.defaults.order for one in chain if one.defaults.order), "abcd")
    proof = next((one.identify for one in chain if one.identify), None)
    drafted = DraftDevice(
        name=name,
        line=device.line,
        unit=device.unit,
        profile=device.profile,
        every_ms=every,
        timeout_ms=key("timeout", DEFAULT_TIMEOUT_MS),
        retries=key("retries", 1),
        stale_after_ms=key("stale_after", max(3 * every, LEAST_STALE_MS)),
        pause_ms=key("pause", 0),
        max_registers=key("max_registers", 125),
        max_gap=key("max_gap", None),
        close_after=key("close_after", False),
        command_timeout_ms=key("command_timeout", None),
        identify=None if proof is None else Identify(_register(proof.read, order), proof.equals, proof.match),
    )
    draft.devices[name] = drafted
    from_profile: dict[str, Point] = {}
    for profile in reversed(chain):
        from_profile |= profile.points
    for point_name, point in (from_profile | device.points).items():
        _point(draft, drafted, point_name, point, order, polled=point_name in device.points)
    for own in ("online", "last_error"):
        _own_point(draft, drafted, own)


def _number(draft: Draft) -> int:
    return sum(len(device.points) for device in draft.devices.values())


def _point(draft: Draft, device: DraftDevice, name: str, point: Point, order: Order, *, polled: bool) -> None:
    source: Register | Reply
    if point.request is not None:
        good_if = tuple(point.good_if.items())
        source = Reply(point.request, point.reply or "", point.value or "", good_if, point.end)
    else:
        read_from = point.read or point.write
        assert read_from is not None  # noqa: S101 - the schema demands one
        source = _register(read_from, order)
    number = _number(draft)
    every = point.every or device.every_ms
    plan = PointPlan(
        number=number,
        name=f"{device.name}.{name}",
        unit=point.unit,
        source=source,
        polled=False,
        stale_after_ms=max(device.stale_after_ms, 3 * every if point.every else 0),
        every_ms=every,
        scale=float(point.scale),
        offset=float(point.offset),
        absent=tuple(point.absent),
        write=None if point.write is None else _register(point.write, order),
        write_with=point.write_with,
    )
    device.points[name] = DraftPoint(plan, tuple(point.proposes), plan.write)
    if polled and (point.read is not None or point.request is not None):
        draft.used.add(number)


def _own_point(draft: Draft, device: DraftDevice, name: Any) -> None:
    if name in device.points and draft.site_file is not None:
        span = draft.site_file.key_at("devices", device.name, "points", name)
        draft.found.error("reserved-point", span, f"every device has a point `{name}` of its own")
        return
    number = _number(draft)
    plan = PointPlan(number, f"{device.name}.{name}", "", Own(name), True, device.stale_after_ms, device.every_ms)
    device.points[name] = DraftPoint(plan, (), None)


def _register(spec: RegisterSpec, order: Order) -> Register:
    return Register(spec.table, spec.address, spec.type, spec.count, spec.order or order, spec.low_bit, spec.high_bit)


# ---------------------------------------------------------------------- IEDs


def _ied(draft: Draft, site: Site, name: str, located: Located) -> None:
    settings = site.ieds[name]
    folder = draft.site_path.parent
    scl_path = folder / settings.scl
    map_file = load(folder / settings.map, draft.found)
    described = _server(draft, name, scl_path, settings.access_point, located)
    mapped = None if map_file is None else validated(map_file, Map, draft.found)
    if described is not None and map_file is not None and mapped is not None:
        draft.ieds.append(DraftIed(name, settings, scl_path, map_file, mapped, described))


def _server(draft: Draft, ied: str, path: Path, access_point: str | None, located: Located) -> model.Server | None:
    if not path.is_file():
        draft.found.error("no-file", located.at("ieds", ied, "scl"), f"no SCL file `{path}`")
        return None
    before = len(draft.found.found)
    try:
        return server(read(path, draft.found), ied, access_point, draft.found)
    except MappingError:
        codes = {finding.code for finding in draft.found.found[before:]}
        if codes & {"scl-unknown-ied", "scl-unknown-access-point"}:
            last = draft.found.found.pop()
            where = (
                located.key_at("ieds", ied) if "scl-unknown-ied" in codes else located.at("ieds", ied, "access_point")
            )
            draft.found.error(last.code, where, f"{last.message} in {path.name}", notes=last.notes, hint=last.hint)
        return None
