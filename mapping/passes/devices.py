"""Pass 1, devices: a device's own keys over its profile's over the defaults, and its points numbered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.located_yaml.located import Located, Path_, load
from mapping.located_yaml.ranges import expand_profile
from mapping.located_yaml.validated import nearest, validated
from mapping.passes.draft import Draft, DraftDevice, DraftPoint
from mapping.plan import (
    Computed,
    Counter,
    Identify,
    Obis,
    Order,
    Own,
    PointPlan,
    PollSettings,
    Register,
    Reply,
    Resync,
    Simulation,
)
from mapping.protocols import EVERY_MS, Protocol
from mapping.schema.profile import INTEGERS, Point, Profile, ProfileDefaults, Simulate
from mapping.schema.profile import Counter as CounterSpec
from mapping.schema.profile import Register as RegisterSpec
from mapping.schema.site import Device

BASES_LIMIT: Final = 8
LEAST_STALE_MS: Final = 2000
VOUCHED_FOR_MS: Final = 10 * 365 * 24 * 3600 * 1000
"""A device's own points are told when they change, and hold for as long as their worker is heard."""
OWN_POINTS: Final[tuple[Literal["online", "last_error"], ...]] = ("online", "last_error")


class Profiles:
    """Device profiles by name or alias: beside the site first, then those that come with the gateway."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._folders = [draft.site_path.parent / "devices", Path(str(files("hw_configs"))) / "devices"]
        self._read: dict[str, tuple[Profile, Located] | None] = {}

    def chain(self, name: str, asking: Span) -> list[tuple[Profile, Located]]:
        """The profile and its bases, itself first; empty, and said, if one of them cannot be had."""
        chain: list[tuple[Profile, Located]] = []
        wanted: str | None = name
        while wanted is not None:
            found = self._one(wanted, asking)
            if found is None:
                return []
            if found in chain or len(chain) == BASES_LIMIT:
                self._draft.found.error("profile-cycle", asking, f"profile `{name}` has itself as base, or too many")
                return []
            chain.append(found)
            wanted = found[0].base
            asking = found[1].at("base")
        return chain

    def _one(self, name: str, asking: Span) -> tuple[Profile, Located] | None:
        if name not in self._read:
            path = self._path(name, asking)
            located = None if path is None else load(path, self._draft.found)
            if located is not None:
                expand_profile(located, self._draft.found)
            profile = None if located is None else validated(located, Profile, self._draft.found)
            self._read[name] = None if located is None or profile is None else (profile, located)
        return self._read[name]

    def _path(self, name: str, asking: Span) -> Path | None:
        paths = [path for folder in self._folders for path in sorted(folder.glob("*.yaml"))]
        by_name = {path.stem: path for path in reversed(paths)}
        if name in by_name:
            return by_name[name]
        by_alias = {alias: path for path in reversed(paths) for alias in _aliases(path)}
        if name in by_alias:
            return by_alias[name]
        hint = did_you_mean(nearest(name, [*by_name, *by_alias]))
        self._draft.found.error("unknown-profile", asking, f"no device profile `{name}`", hint=hint)
        return None


def _aliases(path: Path) -> list[str]:
    """Other names of the profile at `path`; a broken file has none: that is said when somebody asks for it."""
    located = load(path, Diagnostics())
    device = located.data.get("device") if located is not None and isinstance(located.data, dict) else None
    aliases = device.get("aliases") if isinstance(device, dict) else None
    return [alias for alias in aliases if isinstance(alias, str)] if isinstance(aliases, list) else []


# ---------------------------------------------------------------------- one device


def load_device(draft: Draft, profiles: Profiles, name: str, device: Device, located: Located) -> None:
    """Add `device` of site.yaml, with all of its points, to the draft."""
    place = located.at("devices", name, "profile")
    chain = profiles.chain(device.profile, place) if device.profile is not None else []
    layers = [profile.defaults for profile, _ in chain]
    order: Order = next((one.order for one in layers if one.order), "abcd")
    proof = next((profile.identify for profile, _ in chain if profile.identify), None)
    drafted = _drafted(name, device, layers, draft.protocol_of(device.line))
    drafted.identify = None if proof is None else Identify(_register(proof.read, order), proof.equals, proof.match)
    _resync(drafted, chain)
    mistaken = any(path[:2] == ("devices", name) and len(path) == 3 for path in draft.wrong)
    more = located.may_have_more("devices", name, "points") or any(file.may_have_more("points") for _, file in chain)
    drafted.half_known = mistaken or more or (device.profile is not None and not chain)
    points: dict[str, _Written] = {}
    for profile, file in reversed(chain):
        _lay(draft, points, profile.points, file, ("points",), whole=not drafted.half_known)
    _lay(draft, points, device.points, located, ("devices", name, "points"), whole=not drafted.half_known)
    for own in OWN_POINTS:
        if points.pop(own, None) is not None:
            span = located.key_at("devices", name, "points", own)
            draft.found.error("reserved-point", span, f"every device has a point `{own}` of its own")
    drafted.left_out = _left_out([*chain, (device, located)], name)
    draft.devices[name] = drafted
    for point_name, written in points.items():
        _point(draft, drafted, point_name, written, order, in_site=point_name in device.points)
    for own in OWN_POINTS:
        _own_point(draft, drafted, own)
    _Checks(draft, drafted, device, located).all()


def _resync(drafted: DraftDevice, chain: list[tuple[Profile, Located]]) -> None:
    """Take the `resync` of the first profile that has one."""
    for profile, file in chain:
        if profile.resync is not None:
            given = profile.resync
            drafted.resync = Resync(given.request, given.reply, given.end)
            drafted.resync_file = file
            return


def _drafted(name: str, device: Device, layers: list[ProfileDefaults], protocol: Protocol | None) -> DraftDevice:
    def key(attribute: str, otherwise: Any) -> Any:
        given = (getattr(layer, attribute) for layer in (device, *layers))
        return next((value for value in given if value is not None), otherwise)

    every = key("every", EVERY_MS if protocol is None else protocol.every_ms)
    return DraftDevice(
        name=name,
        line=device.line,
        unit=device.unit,
        profile=device.profile,
        every_ms=every,
        stale_after_ms=key("stale_after", max(3 * every, LEAST_STALE_MS)),
        polling=_polling(key, protocol),
        address=device.address,
        clock=key("clock", None),
        fallback=None
        if device.fallback is None
        else (device.fallback.line, device.unit if device.fallback.unit is None else device.fallback.unit),
    )


def _polling(key: Callable[[str, Any], Any], protocol: Protocol | None) -> PollSettings:
    """The settings as the site, its profiles and the protocol give them, in this order."""
    otherwise = PollSettings() if protocol is None else PollSettings(timeout_ms=protocol.timeout_ms)
    found = PollSettings(
        **{field: key(field.removesuffix("_ms"), getattr(otherwise, field)) for field in PollSettings.__struct_fields__}
    )
    alone = protocol is None or not protocol.tagged or found.pause_ms or found.close_after
    return msgspec.structs.replace(found, pipeline=1) if alone else found


@dataclass(frozen=True, slots=True)
class _Written:
    """A point, and where it is written."""

    point: Point
    file: Located
    path: Path_


def _lay(
    draft: Draft,
    points: dict[str, _Written],
    over: Mapping[str, Point | None],
    file: Located,
    path: Path_,
    *,
    whole: bool,
) -> None:
    """Lay the points of one file over those so far; null takes one away. `whole`: all that are below are known."""
    for name, point in over.items():
        if point is not None:
            points[name] = _Written(point, file, (*path, name))
        elif points.pop(name, None) is None and whole:
            hint = did_you_mean(nearest(name, list(points)))
            draft.found.error("unknown-point", file.key_at(*path, name), f"no point `{name}` to take away", hint=hint)


def _left_out(layers: Sequence[tuple[Profile | Device, Located]], device: str) -> frozenset[str]:
    """The names of points that are written, but so wrong that no file's model has them."""
    found: set[str] = set()
    for layer, file in layers:
        path = ("points",) if isinstance(layer, Profile) else ("devices", device, "points")
        found |= set(file.names(*path)) - layer.points.keys()
    return frozenset(found)


def _next_number(draft: Draft) -> int:
    draft.numbered += 1
    return draft.numbered - 1


def _point(draft: Draft, device: DraftDevice, name: str, written: _Written, order: Order, *, in_site: bool) -> None:
    number, point = _next_number(draft), written.point
    every = point.every or device.every_ms
    readable = point.write is None or point.read is not None
    plan = PointPlan(
        number=number,
        name=f"{device.name}.{name}",
        unit=point.unit,
        source=_source(device, point, order),
        polled=False,
        stale_after_ms=max(device.stale_after_ms, 3 * every if point.every else 0),
        every_ms=every,
        scale=float(point.scale),
        offset=float(point.offset),
        absent=tuple(_absent(point, raw) for raw in point.absent),
        write=None if point.write is None else _register(point.write, order),
        write_with=point.write_with,
        readable=readable,
        enum=tuple((int(raw), text) for raw, text in point.enum.items()),
        minimum=None if point.min is None else float(point.min),
        maximum=None if point.max is None else float(point.max),
        counter=_counter(point.counter),
        simulate=None if point.simulate is None else _simulation(point.simulate),
    )
    device.points[name] = DraftPoint(plan, tuple(point.proposes), point, written.file, written.path)
    if in_site and readable:
        draft.used.add(number)


def _absent(point: Point, raw: float | str) -> int | float | str:
    """`raw` as it is decoded: manuals print the pattern 0x8000 for what an int16 reads as -32768."""
    register = point.read or point.write
    bits = None if register is None or not register.type.startswith("int") else INTEGERS.get(register.type)
    if bits is None or isinstance(raw, str) or raw < 1 << bits - 1:
        return raw
    return raw - (1 << bits)


def _simulation(given: Simulate) -> Simulation:
    return Simulation(
        given.after, given.follows, tuple(given.values.items()), given.up, given.down, given.min, given.max
    )


def _counter(spec: bool | CounterSpec) -> Counter | None:
    if isinstance(spec, CounterSpec):
        return Counter(None if spec.rolls_at is None else float(spec.rolls_at))
    return Counter() if spec else None


def _source(device: DraftDevice, point: Point, order: Order) -> Register | Reply | Obis | Computed:
    if point.expr is not None:
        return Computed(point.expr, device.name, ())
    if point.obis is not None:
        return Obis(f"/?{device.address or ''}!\r\n", point.obis)
    if point.request is not None:
        return Reply(point.request, point.reply or "", point.value or "", tuple(point.good_if.items()), point.end)
    register = point.read or point.write
    assert register is not None  # noqa: S101 - the schema demands one
    return _register(register, order)


def _own_point(draft: Draft, device: DraftDevice, name: Literal["online", "last_error"]) -> None:
    number = _next_number(draft)
    plan = PointPlan(number, f"{device.name}.{name}", "", Own(name), True, VOUCHED_FOR_MS, device.every_ms)
    device.points[name] = DraftPoint(plan)


def _register(spec: RegisterSpec, order: Order) -> Register:
    return Register(spec.table, spec.address, spec.type, spec.count, spec.order or order, spec.low_bit, spec.high_bit)


# ---------------------------------------------------------------------- what cannot work

_ASKED: Final[dict[type, str]] = {
    Register: "is a register",
    Reply: "asks in text",
    Obis: "is a line of a readout",
}


def _writes_bits(plan: PointPlan) -> bool:
    """True for a point that is written with Modbus function 22: it changes bits of one register, and leaves the others."""
    return plan.write is not None and plan.write.table == "holding" and plan.write.type in ("bit", "bits")


class _Checks:
    """Checks of a device as a whole, for faults that none of its parts shows."""

    def __init__(self, draft: Draft, drafted: DraftDevice, device: Device, located: Located) -> None:
        self._draft = draft
        self._drafted = drafted
        self._device = device
        self._located = located
        self._protocol = draft.protocol_of(device.line)

    def all(self) -> None:
        self._line()
        self._fallback()
        self._unit()
        self._address()
        self._identify()
        self._silence()
        self._pipeline()
        self._exact()
        for name, point in self._drafted.points.items():
            if not self._point(name, point.plan):
                return  # the others of a wrong profile are wrong for the same reason

    def _line(self) -> None:
        name = self._device.line
        if not self._draft.mentions("lines", name):
            known = [] if self._draft.site is None else list(self._draft.site.lines)
            hint = did_you_mean(nearest(name, known))
            self._draft.found.error("unknown-line", self._at("line"), f"no line `{name}`", hint=hint)

    def _fallback(self) -> None:
        fallback = self._device.fallback
        if fallback is None:
            return
        place = self._located.at("devices", self._drafted.name, "fallback", "line")
        lines = self._draft.lines
        both = (self._protocol, self._draft.protocol_of(fallback.line))  # either may be wrong itself
        if not self._draft.mentions("lines", fallback.line):
            hint = did_you_mean(nearest(fallback.line, list(lines)))
            self._draft.found.error("unknown-line", place, f"no line `{fallback.line}`", hint=hint)
        elif fallback.line == self._device.line:
            self._draft.found.error("bad-value", place, f"line `{fallback.line}` is the device's first path")
        elif not all(one is None or one.modbus for one in both):
            named = " and ".join("" if one is None else one.name for one in both)
            self._draft.found.error("bad-value", place, f"a device has two paths by Modbus only, not by {named}")
        else:
            keys_of = [lines.get(one, {}) for one in (self._device.line, fallback.line)]
            workers = {str(keys["worker"]) for keys in keys_of if "worker" in keys}
            if len(workers) > 1:
                message = f"both paths to a device are in one worker, not in {' and '.join(sorted(workers))}"
                self._draft.found.error("other-worker", place, message)

    def _unit(self) -> None:
        if self._protocol is not None and self._protocol.broadcast and self._drafted.unit == 0:
            self._draft.found.error("bad-value", self._at("unit"), "unit 0 is everybody: nobody answers it")

    def _address(self) -> None:
        if self._device.address is not None and self._protocol is not None and not self._protocol.address:
            takers = " or ".join(name for name, one in sorted(self._draft.protocols.items()) if one.address)
            message = (
                f"`address` is a meter's on a line that is {takers}, "
                f"but line `{self._device.line}` is {self._protocol.name}"
            )
            self._draft.found.error(
                "bad-value", self._at("address"), message, hint="the number of a device is its `unit`"
            )

    def _identify(self) -> None:
        if self._drafted.identify is not None and self._protocol is not None and not self._protocol.modbus:
            line = f"line `{self._device.line}` is {self._protocol.name}"
            message = f"the profile identifies its device by a register, but {line}"
            self._draft.found.error("bad-point", self._at("profile"), message)

    def _silence(self) -> None:
        every, stale = self._drafted.every_ms, self._drafted.stale_after_ms
        if stale < every:
            message = f"no value is good after {stale} ms, but the next comes after {every} ms"
            self._draft.found.warning("stale-before-due", self._at("stale_after"), message)

    def _pipeline(self) -> None:
        if self._device.pipeline not in (None, 1) and self._protocol is not None and not self._protocol.tagged:
            line = f"line `{self._device.line}` is {self._protocol.name}"
            message = f"`pipeline` needs answers with a transaction id, but {line}"
            hint = "take it away: one request at a time is all that such a line can do"
            self._draft.found.error("bad-value", self._at("pipeline"), message, hint=hint)

    def _exact(self) -> None:
        if self._device.exact is None and self._device.max_gap and self._drafted.polling.exact:
            message = f"`max_gap: {self._device.max_gap}` reads gaps along, but the profile says `exact: true`"
            hint = "`exact: false` beside it, if the device answers what lies between"
            self._draft.found.error("bad-value", self._at("max_gap"), message, hint=hint)

    def _point(self, name: str, plan: PointPlan) -> bool:
        place = self._at("points", name) if self._device.points.get(name) else self._at("profile")
        source, protocol = plan.source, self._protocol
        if protocol is not None and not isinstance(source, Own | Computed | protocol.asks):
            message = f"`{plan.name}` {_ASKED[type(source)]}, but line `{self._device.line}` is {protocol.name}"
        elif protocol is not None and (misfit := protocol.misfit(plan)) is not None:
            message = f"`{plan.name}`: {misfit}"
        elif protocol is not None and not protocol.modbus and _writes_bits(plan):
            message = (
                f"`{plan.name}` writes a bit of a register, but line `{self._device.line}` is {protocol.name}, "
                "which writes whole registers"
            )
        elif isinstance(source, Register) and source.count > (limit := self._registers_limit(protocol)):
            message = f"`{plan.name}` takes {source.count} registers, over the {limit} of one request"
        elif strangers := self._strangers(plan):
            message = f"`{plan.name}` is simulated by `{strangers[0]}`, which is no point of the device"
        else:
            return True
        self._draft.found.error("bad-point", place, message)
        return False

    def _registers_limit(self, protocol: Protocol | None) -> int:
        """The most registers of one request to the device."""
        limit = self._drafted.polling.max_registers
        return limit if protocol is None else min(limit, protocol.framing.registers)

    def _strangers(self, plan: PointPlan) -> list[str]:
        how = plan.simulate
        named = [] if how is None else [one for one in (how.follows, how.up, how.down) if one is not None]
        return [one for one in named if one not in self._drafted.points]

    def _at(self, *keys: str) -> Span:
        return self._located.key_at("devices", self._drafted.name, *keys)
