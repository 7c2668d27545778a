"""The Plan: all that runs, compiled from site, map, device profiles and SCL; immutable, one file, one revision.

    Plan ─┬─ workers ── lines ── devices ── points, blocks      what acquisition asks, and how it decodes the answer
          └─ ieds ── objects ── sources                         which attribute each point becomes

The file form is MessagePack (`save`, `load`). `revision` is a hash of everything else in it. Each worker has a revision of
its own, a hash of its part; every message on the bus carries it, so that no two OS processes understand a point's number
differently, and a worker whose part stays goes on when the rest changes.
"""

import hashlib
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from bus.messages import Value

FORMAT: Final = 2

Table = Literal["coil", "discrete", "input", "holding"]
RegisterType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
    "bcd16", "bcd32", "sbcd16", "sbcd32", "mod10", "string", "bit", "bits", "time:unix32", "time:unix64", "time:iec870",
]  # fmt: skip
Order = Literal["abcd", "cdab", "badc", "dcba"]
Priority = Literal["high", "normal", "low"]
Behind = Literal["gateway", "device"]
"""The end of a line whose responses have transaction ids: a gateway with devices behind it, or the device itself."""
LinePath = Literal["wire", "network"]
"""The way to the devices of a line: first in, first out and quick, or neither."""


class Register(msgspec.Struct, frozen=True, tag_field="kind", tag="register"):
    """The register of a quantity in a Modbus device: `count` registers (or one bit in coil and discrete tables)."""

    table: Table
    address: int  # zero-based protocol address
    type: RegisterType
    count: int
    order: Order = "abcd"
    low_bit: int = 0  # of `bit` and `bits`, inclusive, 0 the least significant after `order`
    high_bit: int = 0


class Reply(msgspec.Struct, frozen=True, tag_field="kind", tag="reply"):
    """The request to a serial instrument, and the part of its answer that is the value."""

    request: str  # with escapes resolved, sent as ASCII
    pattern: str  # regular expression, matched against the whole line
    group: str  # the named group that holds the value
    good_if: tuple[tuple[str, str], ...] = ()  # named group -> the text that makes the value good
    end: str = ""  # the line's end; empty means CR, LF or CR LF


class Obis(msgspec.Struct, frozen=True, tag_field="kind", tag="obis"):
    """The line of a meter's readout that has the value (IEC 62056-21)."""

    request: str  # the sign-on, with the meter's address where it has one
    code: str  # C.D.E, with medium and channel, and period, where they matter


class Own(msgspec.Struct, frozen=True, tag_field="kind", tag="own"):
    """A point that the worker itself makes, for every device."""

    name: Literal["online", "last_error"]


class Computed(msgspec.Struct, frozen=True, tag_field="kind", tag="computed"):
    """A point that the worker computes from others of its own, whenever one of them is read."""

    text: str  # an expression, see mapping.expressions
    device: str  # whose points its bare names are
    points: tuple[tuple[str, int], ...]  # `device.point` -> its number


class Counter(msgspec.Struct, frozen=True):
    """A point that only counts up: a value below the last one is a roll-over, or a reset."""

    span: float | None = None  # in `unit`, what it counts to before it begins anew; None: it never does


class ScaleFrom(msgspec.Struct, frozen=True):
    """The point that holds a point's scale: its value is a factor, or the power of ten of one."""

    point: int
    power: bool


class Simulation(msgspec.Struct, frozen=True):
    """The motion of a point in a simulated device: after `follows`, by `values`; or a step for each `up` and `down`."""

    after_ms: int
    follows: str | None = None
    values: tuple[tuple[str, Value], ...] = ()
    up: str | None = None
    down: str | None = None
    least: int = 0
    most: int = 0


class PointPlan(msgspec.Struct, frozen=True):
    """One acquired quantity. value = raw * factor * scale + offset, in `unit`; `factor` is that of `scale_from`."""

    number: int  # its index in the site, in every Sample
    name: str  # `device.point`
    unit: str
    source: Register | Reply | Obis | Own | Computed
    polled: bool  # False: known from the profile, but nothing uses it
    stale_after_ms: int
    every_ms: int
    scale: float = 1.0
    offset: float = 0.0
    absent: tuple[int | float | str, ...] = ()  # raw values, or "nan", that mean "no measurement"
    write: Register | None = None
    write_with: int | None = None  # a function code that the device insists on: 15 or 16
    readable: bool = True  # False: `source` is where it is written; nothing can be read there
    scale_from: ScaleFrom | None = None
    together: int | None = None  # points with the same number here come in one request
    enum: tuple[tuple[int, str], ...] = ()  # raw value -> the point's value, a name
    minimum: float | None = None  # in `unit`; what lies beyond is not believed
    maximum: float | None = None
    counter: Counter | None = None
    simulate: Simulation | None = None

    @property
    def asked(self) -> bool:
        """True if it comes from the device itself; the worker makes the others."""
        return not isinstance(self.source, Own | Computed)

    @property
    def local_name(self) -> str:
        """The name within its device."""
        return self.name.partition(".")[2]


class RegisterBlock(msgspec.Struct, frozen=True, tag_field="kind", tag="registers"):
    """One read request: `count` registers or bits from `address`; `points` are the numbers of those it carries."""

    table: Table
    address: int
    count: int
    every_ms: int
    points: tuple[int, ...]


class ReplyBlock(msgspec.Struct, frozen=True, tag_field="kind", tag="replies"):
    """One question to a serial instrument, or the readout of a meter, and the points that its answer may carry."""

    request: str
    end: str
    every_ms: int
    points: tuple[int, ...]


Block = RegisterBlock | ReplyBlock


class Identify(msgspec.Struct, frozen=True):
    """The proof that the profile is the device's: a register and the value or the pattern it must show."""

    register: Register
    equals: int | float | str | None = None
    match: str | None = None


class PollSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a device is talked to: the keys of site.yaml and of profiles (without `_ms`), with their defaults."""

    timeout_ms: int = 500  # of each try
    retries: int = 1
    pause_ms: int = 0  # least silence before a request to it
    max_registers: int = 125
    max_gap: int | None = None  # None: what the line's physics makes worth while
    exact: bool | None = None  # nothing is read that no point names; None: if no gap is
    close_after: bool = False
    command_timeout_ms: int | None = None
    pipeline: int = 1  # reads that may be asked for at once
    priority: Priority = "normal"

    @property
    def reads_exactly(self) -> bool:
        """True if no read has a register or bit that no point names."""
        return self.max_gap == 0 if self.exact is None else self.exact

    @property
    def gap(self) -> int | None:
        """The most registers between values that may be read along; None: what the line's physics makes worth while."""
        return 0 if self.exact else self.max_gap


class Resync(msgspec.Struct, frozen=True):
    """The question of an instrument in text whose reply is told from all others: a line that matches `pattern` is the reply."""

    request: str
    pattern: str  # matched against the whole line
    end: str = ""  # the line's end; empty means CR, LF or CR LF


class DevicePlan(msgspec.Struct, frozen=True):
    """One device: how to talk to it, its points and the blocks that read them."""

    name: str
    unit: int
    profile: str | None
    polling: PollSettings
    points: tuple[PointPlan, ...]
    blocks: tuple[Block, ...]
    identify: Identify | None = None
    clock: int | None = None  # the point that shows its own clock; None: what is read has the gateway's time
    turnaround_ms: int | None = None  # how long it thinks, as measured on a serial line; None: not known
    resync: Resync | None = None  # on a line of text; None: silence alone tells its lines apart


_Setting = str | int | float | bool | None
_BEHIND: Final[dict[_Setting, Behind]] = {"gateway": "gateway", "device": "device"}
_PATHS: Final[dict[_Setting, LinePath]] = {"wire": "wire", "network": "network"}


class LinePlan(msgspec.Struct, frozen=True):
    """One line. `settings` are the site's keys for it (port, baudrate, host ...), validated for its protocol."""

    name: str
    protocol: str
    settings: dict[str, str | int | float | bool]
    devices: tuple[DevicePlan, ...]
    fallbacks: tuple[
        DevicePlan, ...
    ] = ()  # devices of other lines of its worker, reached here when they are silent there

    @property
    def behind(self) -> Behind | None:
        """The responses that its transaction ids name; with several units those of a gateway, unless the site says otherwise."""
        several = len({one.unit for one in (*self.devices, *self.fallbacks)}) > 1
        given = self.settings.get("behind", "gateway" if several else None)
        return _BEHIND.get(given)

    @property
    def path(self) -> LinePath | None:
        """The way to its devices as the site has it; None: by its transport, and by what comes."""
        return _PATHS.get(self.settings.get("path"))


class WorkerPlan(msgspec.Struct, frozen=True):
    """One worker, an OS process of acquisition: a serial line, or a group of TCP lines."""

    name: str
    lines: tuple[LinePlan, ...]


class Deadband(msgspec.Struct, frozen=True):
    """The least change that moves `mag`: in the target's unit, or in percent of the last value."""

    value: float
    percent: bool = False


class Source(msgspec.Struct, frozen=True):
    """One point, and the leaves it becomes. A target is `DOMAIN/LN$FC$DO$DA`, the MMS form.

    A number becomes round-if-integer(value * scale + offset); otherwise `values` tells what each point value becomes.
    """

    point: int
    targets: tuple[str, ...]  # follow every sample
    held: tuple[str, ...] = ()  # follow when `deadband` is exceeded (`mag` beside `instMag`)
    scale: float = 1.0
    offset: float = 0.0
    values: tuple[tuple[Value, Value], ...] = ()
    deadband: Deadband | None = None


class ObjectBinding(msgspec.Struct, frozen=True):
    """One data object fed from the field: `q` is the worst of its sources, `t` the time of the latest change."""

    reference: str  # ACSI, `LD/LN.DO`, for people
    q: str | None
    t: str | None
    sources: tuple[Source, ...]


class Preset(msgspec.Struct, frozen=True):
    """A leaf whose value the map or the compiler gives: a constant, a unit."""

    target: str
    value: Value


class Proof(msgspec.Struct, frozen=True):
    """The point that shows that a command was done, if it is another than the one that is written.

    A number shows it within `tolerance`; without `values` and `scale`, as with a step command, it only has to move
    (`moves`): up for higher, down for lower.
    """

    point: int
    timeout_ms: int
    values: tuple[tuple[Value, Value], ...] = ()  # control value -> point value
    scale: float = 1.0
    offset: float = 0.0
    tolerance: float = 0.0
    moves: bool = False


class CommandBinding(msgspec.Struct, frozen=True):
    """The binding of a control to a point of the field."""

    reference: str  # ACSI, `LD/LN.DO`
    point: int
    timeout_ms: int
    proof: Proof | None  # None: the point itself, where it can be read
    scale: float = 1.0  # point value = control value * scale + offset
    offset: float = 0.0
    values: tuple[tuple[Value, Value], ...] = ()  # control value -> point value
    pulse_ms: int | None = None
    off_point: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    allow_if: str | None = None
    one_of: str | None = None


class SettingBinding(msgspec.Struct, frozen=True):
    """The register of a setting: written when its group is activated or a client writes it, and read back."""

    target: str  # `DOMAIN/LN$FC$DO$DA` of the value that is in force (SG, SP)
    point: int
    timeout_ms: int
    scale: float = 1.0  # point value = setting * scale + offset
    offset: float = 0.0
    values: tuple[tuple[Value, Value], ...] = ()


class TlsPlan(msgspec.Struct, frozen=True):
    """TLS of one IED's port; paths are absolute."""

    cert: str
    key: str
    ca: str
    listen: str
    crl: str | None = None
    peers: tuple[str, ...] = ()


class SecurityPlan(msgspec.Struct, frozen=True):
    """The peers that may associate. The password itself is never in the plan."""

    password_file: str | None = None
    password_env: str | None = None
    tls: TlsPlan | None = None
    allow: tuple[str, ...] = ()


class FilesPlan(msgspec.Struct, frozen=True):
    """The files of one IED, and what clients may do with them beyond fetching."""

    folder: str  # absolute path
    delete: bool = False
    rename: bool = False
    obtain: bool = False


class IedPlan(msgspec.Struct, frozen=True):
    """One MMS server, an OS process: its SCL file, where it listens, and what feeds it."""

    name: str
    scl: str  # absolute path
    scl_sha256: str
    access_point: str
    listen: str  # `host:port`, or `none` when TLS alone listens
    max_clients: int | None
    writes: dict[str, bool]  # FC -> may clients write it
    security: SecurityPlan
    objects: tuple[ObjectBinding, ...]
    presets: tuple[Preset, ...]
    unfed: tuple[str, ...]  # `q` of process data that nothing feeds: invalid from the start, and for ever
    commands: tuple[CommandBinding, ...] = ()
    settings: tuple[SettingBinding, ...] = ()
    report_buffer_octets: int = 1 << 20
    report_buffer_age_ms: int = 30 * 24 * 3600 * 1000
    files: FilesPlan | None = None


def served(ied: IedPlan) -> IedPlan:
    """`ied` without what a running server can take anew: equal for two plans if it can go from one to the other."""
    return msgspec.structs.replace(ied, scl="", objects=(), presets=(), unfed=(), commands=(), settings=())


class Plan(msgspec.Struct, frozen=True):
    """A whole site, compiled."""

    site: str
    site_file: str  # absolute path
    workers: tuple[WorkerPlan, ...]
    ieds: tuple[IedPlan, ...]
    assumed_clock_error_ns: int | None = None  # the most that this host's clock is off; None: the kernel says
    revision: str = ""
    format: int = FORMAT

    def worker(self, name: str) -> WorkerPlan:
        """The worker `name`. Raises KeyError."""
        return _named(self.workers, name)

    def ied(self, name: str) -> IedPlan:
        """The IED `name`. Raises KeyError."""
        return _named(self.ieds, name)

    def revisions(self) -> dict[str, str]:
        """The revision of each worker: 16 hexadecimal digits over its part of the plan."""
        return {worker.name: _digest((worker, self.assumed_clock_error_ns)) for worker in self.workers}

    def workers_of_points(self) -> dict[int, str]:
        """The worker of each point of the site, by the point's number."""
        return {
            point.number: worker.name
            for worker in self.workers
            for line in worker.lines
            for device in line.devices
            for point in device.points
        }

    def points(self) -> dict[int, PointPlan]:
        """Every point of the site by its number."""
        return {
            point.number: point
            for worker in self.workers
            for line in worker.lines
            for device in line.devices
            for point in device.points
        }


class _Head(msgspec.Struct):
    """The part of a plan file that every format has."""

    format: int


_Row = TypeVar("_Row", WorkerPlan, IedPlan)


def _named(rows: tuple[_Row, ...], name: str) -> _Row:
    for row in rows:
        if row.name == name:
            return row
    raise KeyError(name)


def sealed(plan: Plan) -> Plan:
    """`plan` with its revision: 16 hexadecimal digits over all the rest of it."""
    return msgspec.structs.replace(plan, revision=_digest(msgspec.structs.replace(plan, revision="")))


def _digest(part: object) -> str:
    return hashlib.sha256(msgspec.msgpack.encode(part)).hexdigest()[:16]


def save(plan: Plan, path: Path) -> None:
    """Write `plan` beside `path` and move it there, so that a reader sees the whole of one plan."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.msgpack.encode(plan))
    fresh.replace(path)


def load(path: Path) -> Plan:
    """The plan in `path`.

    Raises ValueError if it is of another format or was changed, msgspec.DecodeError if it is no plan, OSError.
    """
    octets = path.read_bytes()
    found = msgspec.msgpack.decode(octets, type=_Head).format
    if found != FORMAT:
        raise ValueError(f"{path}: plan format {found}, expected {FORMAT}")
    plan = msgspec.msgpack.decode(octets, type=Plan)
    if sealed(plan).revision != plan.revision:
        raise ValueError(f"{path}: the plan does not match its revision {plan.revision}")
    return plan
