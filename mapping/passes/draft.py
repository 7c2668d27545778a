"""Draft of a plan: the passes fill it, from files to bindings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mapping import model
from mapping.block_planning.turnaround import Measured
from mapping.diagnostics import Diagnostics, Span
from mapping.located_yaml.located import Located, Path_
from mapping.passes.value_attributes import DataObject, Leaf
from mapping.plan import (
    CommandBinding,
    Computed,
    Identify,
    Obis,
    ObjectBinding,
    Own,
    PointPlan,
    PollSettings,
    Preset,
    Reply,
    Resync,
    SettingBinding,
)
from mapping.protocols import Protocol, Protocols
from mapping.schema.map import Map, Row
from mapping.schema.profile import Point
from mapping.schema.site import Ied, Site

TCP_WORKER: Final = "tcp"


@dataclass(slots=True)
class DraftPoint:
    """A point of a device, numbered; `proposes` are the data objects that its profile says it is."""

    plan: PointPlan
    proposes: tuple[str, ...] = ()
    spec: Point | None = None  # as written, in `file` at `path`; None: the worker's own
    file: Located | None = None
    path: Path_ = ()
    computed_kind: str = "number"

    def at(self, *keys: str) -> Span:
        """The place where it, or that key of it, is written."""
        assert self.file is not None  # noqa: S101 - nothing is said of the worker's own
        return self.file.at(*self.path, *keys) if keys else self.file.key_at(*self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that its values are, if it has an `enum`."""
        return tuple(name for _, name in self.plan.enum)

    @property
    def kind(self) -> str:
        """Kind of its values: a bool, a number or a text."""
        source = self.plan.source
        if isinstance(source, Computed):
            return self.computed_kind
        if self.plan.enum:
            return "text"
        if isinstance(source, Own):
            return "bool" if source.name == "online" else "text"
        if isinstance(source, Reply | Obis):
            return "text" if self.plan.unit == "" else "number"
        return {"bool": "bool", "bit": "bool", "string": "text"}.get(source.type, "number")


@dataclass(slots=True)
class DraftDevice:
    """A device with its profile laid under it."""

    name: str
    line: str
    unit: int
    profile: str | None
    every_ms: int
    stale_after_ms: int
    polling: PollSettings
    fallback: tuple[str, int] | None = None  # line and unit of the second path
    address: str | None = None  # of a meter that is read out
    clock: str | None = None  # the point that shows its own clock
    identify: Identify | None = None
    resync: Resync | None = None
    resync_file: Located | None = None  # the profile that has it
    left_out: frozenset[str] = frozenset()  # names of points that are written, but wrong: that is said already
    half_known: bool = False  # its profile cannot be had, or a key of it is wrong: any point may be one of its
    points: dict[str, DraftPoint] = field(default_factory=dict)


@dataclass(slots=True)
class Target:
    """A row resolved: the data object (or the one leaf of it) and the point that feeds it."""

    key: str  # the row's key in map.yaml
    row: Row
    object: DataObject
    leaf: Leaf | None  # the single attribute that the row names; None for the object whole
    point: DraftPoint | None  # None: a constant, or a command alone
    depth: int  # of the row's key: a deeper row wins
    negate: bool = False


@dataclass(slots=True)
class DraftIed:
    """One IED: its files, its model, and what the map binds."""

    name: str
    settings: Ied
    scl_path: Path
    map_file: Located
    map: Map
    server: model.Server
    targets: list[Target] = field(default_factory=list)
    objects: list[ObjectBinding] = field(default_factory=list)
    presets: list[Preset] = field(default_factory=list)
    unfed: list[str] = field(default_factory=list)
    commands: list[CommandBinding] = field(default_factory=list)
    settings_bound: list[SettingBinding] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)  # proposals that the LN lacks, for people


@dataclass(slots=True)
class Draft:
    """A site while it is compiled."""

    site_path: Path
    protocols: Protocols
    lines_path: Path | None
    found: Diagnostics = field(default_factory=Diagnostics)
    site_file: Located | None = None
    site: Site | None = None
    wrong: set[Path_] = field(default_factory=set)  # where site.yaml has mistakes
    lines: dict[str, dict[str, str | int | float | bool]] = field(default_factory=dict)
    devices: dict[str, DraftDevice] = field(default_factory=dict)
    numbered: int = 0  # points that have a number
    ieds: list[DraftIed] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # points that something needs
    measured: Measured = field(default_factory=dict)  # how long devices think, by name

    def worker_of(self, line: str) -> str:
        """The worker that polls the line: itself, if it is a serial one, or the one of all TCP lines.

        Both paths to a device are in one worker: the one that is named, or that of the first serial line among them.
        """
        joined = self._joined(line)
        named = next((str(keys["worker"]) for _, keys in joined if keys.get("worker")), None)
        return named or next((name for name, _ in joined if self.is_serial(name)), TCP_WORKER)

    def protocol_of(self, line: str) -> Protocol | None:
        """The protocol of the line; None for a line that is wrong or none: that is said already."""
        keys = self.lines.get(line)
        return None if keys is None else self.protocols[str(keys["protocol"])]

    def is_serial(self, line: str) -> bool:
        """True for a line on a serial port."""
        protocol = self.protocol_of(line)
        return protocol is not None and protocol.serial

    def _joined(self, line: str) -> list[tuple[str, dict[str, str | int | float | bool]]]:
        """The lines that devices with two paths tie to `line`, itself among them, in the order of the site."""
        pairs = [(one.line, one.fallback[0]) for one in self.devices.values() if one.fallback is not None]
        tied = {line}
        while more := {name for pair in pairs if not tied.isdisjoint(pair) for name in pair} - tied:
            tied |= more
        return [(name, keys) for name, keys in self.lines.items() if name in tied]

    def mentions(self, *path: str) -> bool:
        """True if site.yaml has something at `path`, sound or not."""
        return self.site_file is not None and self.site_file.may_have(*path)
