"""The shape of site.yaml, map.yaml and device profiles. JSON Schemas and FORMAT.md are generated from here.

Every model is closed and frozen; units are said; what people get wrong is answered in the description.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from mapping.plan import Order, Priority, RegisterType, Table
from mapping.point_rules import form_objection
from mapping.schema import addresses
from mapping.schema.register_text import REGISTER_SCHEMA, long_form

NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
_OBIS: Final = re.compile(r"([0-9]{1,3}-[0-9]{1,3}:)?[0-9A-Z]{1,3}(\.[0-9A-Z]{1,3}){1,2}(\*[0-9]{1,3})?")
_PROPOSAL: Final = re.compile(r"[A-Z]{4}(\.[A-Za-z][A-Za-z0-9]*)+")
_UNITS_MS: Final = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Strict(BaseModel):
    """A closed, frozen model: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def milliseconds(text: object) -> int:
    """`500ms`, `1s`, `1.5s` or `2m` in milliseconds; the number 0 too. Raises ValueError."""
    if text == 0 and not isinstance(text, bool):
        return 0
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"`{text}` is no duration, expected one as 500ms, 1s or 2m")
    return round(float(match.group(1)) * _UNITS_MS[match.group(2)])


def _positive(text: object) -> int:
    value = milliseconds(text)
    if value < 1:
        raise ValueError("a duration of nothing, expected at least 1ms")
    return value


def _proposal(text: str) -> str:
    if _PROPOSAL.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no proposal, expected LNCLASS.DO[.SDO] as MMXU.TotW")
    return text


_DURATION_SCHEMA: Final = WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m)$"})
Milliseconds = Annotated[int, BeforeValidator(milliseconds), _DURATION_SCHEMA]
Period = Annotated[int, BeforeValidator(_positive), _DURATION_SCHEMA]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Number = int | float
Proposal = Annotated[str, AfterValidator(_proposal)]
Plain = bool | int | float | str
Permission = Literal["allow", "deny"]


@dataclass(frozen=True)
class RelativePath:
    """Marks the setting of a line that is a file: its path is relative to site.yaml, and it must be there."""


SiteFile = Annotated[str, Field(min_length=1), RelativePath()]


class Register(Strict):
    """Where a quantity stands: `holding 100 float32 cdab`, or written long."""

    table: Table
    address: Annotated[
        int, Field(ge=0, le=65535, description="zero-based protocol address: a manual's 40101 is holding 100")
    ]
    type: RegisterType
    count: Annotated[int, Field(ge=1, le=125, description="registers it takes")] = 1
    order: Annotated[Order | None, Field(description="octet order; `cdab` words swapped")] = None
    low_bit: Annotated[int, Field(ge=0, le=63)] = 0
    high_bit: Annotated[int, Field(ge=0, le=63)] = 0

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return long_form(given)

    @model_validator(mode="after")
    def _fits(self) -> "Register":
        if self.table in ("coil", "discrete") and self.type != "bool":
            raise ValueError(f"a {self.table} is a bool, not a {self.type}")
        if self.address + self.count > 0x10000:
            raise ValueError(f"{self.type} at {self.address} goes beyond the last register, 65535")
        if self.high_bit < self.low_bit:
            raise ValueError(f"bits:{self.low_bit}-{self.high_bit}, expected the lower bit first")
        if self.type in ("bit", "bits") and self.high_bit > 15:
            raise ValueError(f"bit {self.high_bit}, expected 0..15")
        return self


RegisterField = Annotated[Register, WithJsonSchema(REGISTER_SCHEMA)]


def _one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item}]})


def _raw_value(text: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise ValueError(f"`{text}` is no raw value, expected a whole number")
    return text


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"`{text}` is no expression: {error}") from error


def _obis(text: str) -> str:
    if _OBIS.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no code of a readout, expected one as 1.8.0, F.F or 1-0:1.8.0*255")
    return text


class ScaleFrom(Strict):
    """The point of the same device that holds the scale; it is read in one request with what it scales."""

    point: Name
    as_: Annotated[
        Literal["power", "factor"],
        Field(alias="as", description="its value is the power of ten (SunSpec's _SF), or the factor itself"),
    ] = "power"


class Counter(Strict):
    """A value that only counts up. If it falls otherwise than by rolling over, one reading is questionable."""

    rolls_at: Annotated[
        Number | None, Field(gt=0, description="in `unit`, what it counts to before it begins at 0 again")
    ] = None


class Simulate(Strict):
    """How a point moves in a simulated device, because another point of it did. The gateway itself knows nothing of it."""

    follows: Annotated[Name | None, Field(description="the point that it follows")] = None
    values: Annotated[dict[str, Plain], Field(description="what it becomes for each value of `follows`; else 0")] = {}
    up: Annotated[Name | None, Field(description="the point that moves it one up when it becomes true")] = None
    down: Annotated[Name | None, Field(description="the point that moves it one down")] = None
    min: Annotated[int, Field(description="with `up` and `down`: no further down")] = -64
    max: Annotated[int, Field(description="no further up")] = 63
    after: Annotated[Milliseconds, Field(description="how long it travels; what follows shows 0 meanwhile")] = 0

    @model_validator(mode="after")
    def _one_way(self) -> "Simulate":
        if (self.follows is None) == (self.up is None and self.down is None):
            raise ValueError("expected `follows`, or `up` and `down`")
        return self


class Point(Strict):
    """One quantity: a register, the answer of a serial instrument, or computed. value = raw * scale + offset, in `unit`."""

    read: RegisterField | None = None
    write: RegisterField | None = None
    write_with: Annotated[
        Literal[15, 16] | None, Field(description="function for a single coil or register, where 5 and 6 are refused")
    ] = None
    request: Annotated[str | None, Field(description="serial-ascii: what is sent, with its line end")] = None
    reply: Annotated[str | None, Field(description="serial-ascii: expression that the whole line must match")] = None
    value: Annotated[str | None, Field(description="serial-ascii: named group of `reply` that holds the value")] = None
    good_if: Annotated[
        dict[str, str], Field(description="serial-ascii: named group and the text that makes the value good")
    ] = {}
    end: Annotated[str, Field(description="serial-ascii: end of the answer; default CR, LF or CR LF")] = ""
    expr: Annotated[
        str | None,
        Field(description="computed from points of the device: `voltage_l1 * current_l1`, see docs/mapping.md"),
    ] = None
    scale: Number = 1.0
    offset: Number = 0.0
    scale_from: Annotated[
        ScaleFrom | None,
        Field(description="point that holds a further scale; its name alone: the power of ten"),
    ] = None
    unit: Annotated[str, Field(description="engineering unit, with prefix: V, kW, degC, %")] = ""
    proposes: Annotated[
        list[Proposal],
        Field(description="LNCLASS.DO[.SDO] of IEC 61850 that the quantity is; one, or a list"),
        _one_or_more({"type": "string"}),
    ] = []
    absent: Annotated[
        list[int | float | str],
        Field(description="raw values, or nan, that mean no measurement; one, or a list"),
        _one_or_more({"type": ["number", "string"]}),
    ] = []
    enum: Annotated[
        dict[Annotated[str, AfterValidator(_raw_value)], str],
        Field(description="raw value and its name: the point's value is the name; any other is invalid"),
    ] = {}
    min: Annotated[Number | None, Field(description="least value, in `unit`, that is believed; below it: invalid")] = (
        None
    )
    max: Annotated[Number | None, Field(description="largest value that is believed")] = None
    counter: Annotated[
        bool | Counter, Field(description="it only counts up: a reset is told; true, or where it rolls over")
    ] = False
    together: Annotated[
        Name | None, Field(description="points of the device with one name here come in one request")
    ] = None
    every: Annotated[Period | None, Field(description="period of this point, where it is not the device's")] = None
    obis: Annotated[
        Annotated[str, AfterValidator(_obis)] | None,
        Field(description="iec62056-21: code of the line in the readout, as 1.8.0 or 1-0:1.8.0*255"),
    ] = None
    simulate: Annotated[Simulate | None, Field(description="how it moves when the device is simulated")] = None

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, given: Any) -> Any:
        if isinstance(given, dict):
            lists: dict[str, Any] = {
                key: [given[key]] for key in ("proposes", "absent") if key in given and not isinstance(given[key], list)
            }
            if isinstance(given.get("scale_from"), str):
                lists["scale_from"] = {"point": given["scale_from"]}
            return given | lists
        return given

    @model_validator(mode="after")
    def _whole(self) -> "Point":
        if (self.read or self.write) and self.request is not None:
            raise ValueError("both a register and a request, expected one of them")
        if self.obis is not None and (self.read or self.write or self.request is not None):
            raise ValueError("`obis` beside a register or a request, expected one of them")
        if not (self.read or self.write) and self.request is None and self.obis is None and self.expr is None:
            raise ValueError("neither `read`, `write`, `request`, `obis` nor `expr`: nothing to acquire")
        if self.request is not None:
            self._check_reply()
        if self.write is not None and self.write.table not in ("coil", "holding"):
            raise ValueError(f"`{self.write.table}` cannot be written, expected coil or holding")
        if self.write is not None and self.write.type in ("string", "mod10", "bits"):
            raise ValueError(f"a {self.write.type} cannot be written")
        if not self.scale:
            raise ValueError("scale 0 would make every value the same")
        objection = form_objection(self)
        if objection is not None:
            raise ValueError(objection)
        return self

    def _check_reply(self) -> None:
        if self.reply is None or self.value is None:
            raise ValueError("a request needs `reply`, an expression, and `value`, its group")
        groups = _expression(self.reply).groupindex
        for group in (self.value, *self.good_if):
            if group not in groups:
                raise ValueError(f"`{group}` is no named group of the reply")
        if not (self.request or "").isascii() or not self.end.isascii():
            raise ValueError("request and end are ASCII")


class DeviceKeys(Strict):
    """How a device is talked to; what a site says wins over its profile."""

    every: Period | None = None
    timeout: Annotated[Period | None, Field(description="of each try; default 500ms")] = None
    retries: Annotated[int | None, Field(ge=0, le=10, description="further tries; default 1")] = None
    stale_after: Annotated[
        Period | None, Field(description="no value is good past it; default the larger of 3 x every and 2s")
    ] = None
    pause: Annotated[Milliseconds | None, Field(description="least silence before a request to it")] = None
    max_registers: Annotated[int | None, Field(ge=1, le=125)] = None
    max_gap: Annotated[
        int | None, Field(ge=0, le=124, description="registers between values that may be read along; default computed")
    ] = None
    close_after: Annotated[bool | None, Field(description="close the connection after each exchange")] = None
    command_timeout: Period | None = None
    pipeline: Annotated[
        int | None,
        Field(
            ge=1,
            le=16,
            description="reads that it takes at once, on Modbus TCP, TLS and UDP; default 1, as with `pause` or `close_after`",
        ),
    ] = None
    priority: Annotated[
        Priority | None,
        Field(description="what is due of it goes first, or last, on a line that is full; default normal"),
    ] = None
    clock: Annotated[
        Name | None,
        Field(description="point that shows the device's own clock: it stamps what one request brings with it"),
    ] = None


class Fallback(Strict):
    """The second path to a device."""

    line: str
    unit: Annotated[int | None, Field(ge=0, le=255, description="on that line; by default as on the first")] = None


class Device(DeviceKeys):
    """One device of a site."""

    line: str
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    profile: str | None = None
    fallback: Annotated[
        Fallback | None, Field(description="a second path, for as long as the device is silent on its line")
    ] = None
    points: Annotated[
        dict[Name, Point | None], Field(description="beside the profile's, or in their place; null takes one away")
    ] = {}
    address: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9A-Za-z ]{1,32}$",
            description="iec62056-21: the meter's own address, where a line has several",
        ),
    ] = None


class ProfileDefaults(DeviceKeys):
    """A profile's defaults for its devices and points."""

    order: Order | None = None


class Maker(Strict):
    """Whose device it is, and from which manual the registers are."""

    maker: str
    model: str
    manual: str | None = None
    aliases: list[str] = []


class Identify(Strict):
    """The register that proves that the profile fits the device."""

    read: RegisterField
    equals: int | float | str | None = None
    match: Annotated[str | None, Field(description="expression that the text must match whole")] = None

    @model_validator(mode="after")
    def _one(self) -> "Identify":
        if (self.equals is None) == (self.match is None):
            raise ValueError("expected one of `equals` and `match`")
        if self.match is not None:
            _expression(self.match)
        return self


class Profile(Strict):
    """A device profile: one meter model as its manual prints it. It knows nothing of any site."""

    device: Maker
    base: str | None = None
    defaults: ProfileDefaults = ProfileDefaults()
    identify: Identify | None = None
    points: Annotated[dict[Name, Point | None], Field(description="null takes one of the base away")] = {}


class Tls(Strict):
    """TLS of an IED's port, mutual."""

    cert: str
    key: str
    ca: str
    listen: Annotated[str, AfterValidator(addresses.endpoint)] = "0.0.0.0:3782"
    crl: Annotated[str | None, Field(description="certificates that are revoked")] = None
    peers: Annotated[
        list[Annotated[str, AfterValidator(addresses.peer)]],
        Field(description="sha256:HEX or CN=NAME; empty: any under the CA"),
    ] = []


class Security(Strict):
    """Who may associate."""

    password_file: str | None = None
    password_env: str | None = None
    tls: Tls | None = None
    allow: Annotated[
        list[Annotated[str, AfterValidator(addresses.network)]], Field(description="addresses or networks; empty: any")
    ] = []

    @model_validator(mode="after")
    def _one_password(self) -> "Security":
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("both `password_file` and `password_env`, expected one of them")
        return self


class ReportBuffer(Strict):
    """What each buffered report control block keeps for clients that are away."""

    octets: Annotated[int, Field(ge=16_384, le=1 << 30)] = 1 << 20
    age: Annotated[Milliseconds, Field(description="older entries go")] = 30 * 24 * 3600 * 1000


class Files(Strict):
    """What clients may fetch, and do. `files: DIR` alone is short for `{folder: DIR}`."""

    folder: Annotated[str, Field(description="beside site.yaml; it has to be there")]
    delete: Annotated[Permission, Field(description="clients may delete files")] = "deny"
    rename: Annotated[Permission, Field(description="clients may rename files")] = "deny"
    obtain: Annotated[
        Permission, Field(description="clients may put files there; over old ones with `delete: allow`")
    ] = "deny"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"folder": given} if isinstance(given, str) else given


class Ied(Strict):
    """One IED: its model, its mapping, its port."""

    scl: str
    map: str
    access_point: str | None = None
    listen: Annotated[str, AfterValidator(addresses.listen), Field(description="host:port, or none for TLS alone")] = (
        "0.0.0.0:102"
    )
    max_clients: Annotated[int | None, Field(ge=1, le=1024)] = None
    writes: dict[Literal["SP", "SV", "SE", "BL", "CF", "DC"], Permission] = {}
    security: Security = Security()
    report_buffer: ReportBuffer = ReportBuffer()
    files: Annotated[
        Files | None,
        Field(description="what clients may fetch, with the audit log and the event export; without it nothing"),
    ] = None

    @model_validator(mode="after")
    def _listens(self) -> "Ied":
        if self.listen == "none" and self.security.tls is None:
            raise ValueError("`listen: none` without `tls`: nobody could connect")
        return self


class Clock(Strict):
    """Who says how good this host's clock is: its kernel, or whoever writes `assume-synchronized`."""

    source: Literal["kernel", "assume-synchronized"] = "kernel"
    accuracy: Annotated[Period | None, Field(description="of a clock that is assumed synchronized; default 1ms")] = None

    @model_validator(mode="after")
    def _who_says(self) -> "Clock":
        if self.accuracy is not None and self.source == "kernel":
            raise ValueError("`accuracy` is for `source: assume-synchronized`: the kernel knows its own")
        return self

    @property
    def assumed_error_ns(self) -> int | None:
        """The most that the clock is off; None if the kernel is to say."""
        return None if self.source == "kernel" else (self.accuracy or 1) * 1_000_000


class Site(Strict):
    """One gateway: its IEDs, its lines, the devices on them."""

    site: str
    ieds: dict[Name, Ied]
    lines: Annotated[dict[Name, dict[str, Any]], Field(description="by name: protocol, and that protocol's keys")]
    devices: dict[Name, Device]
    clock: Clock = Clock()


class Command(Strict):
    """The way of a control to the field."""

    to: Annotated[str, Field(description="the point that is written")]
    timeout: Annotated[Period | None, Field(description="until it is written and proven")] = None
    proof: Annotated[str | None, Field(description="the point that shows it is done, where `to` does not")] = None
    proof_timeout: Annotated[Period | None, Field(description="how long `proof` may take; default `timeout`")] = None
    pulse: Annotated[Period | None, Field(description="write true, and false again after so long")] = None
    off: Annotated[str | None, Field(description="the point that is set for off (or lower) instead of `to`")] = None
    min: Annotated[Number | None, Field(description="least value, in the object's unit")] = None
    max: Annotated[Number | None, Field(description="largest value")] = None
    allow_if: Annotated[str | None, Field(description="expression over points that must hold")] = None
    one_of: Annotated[
        str | None, Field(description="a group of rows: one of them at a time is selected or operated")
    ] = None


class Row(Strict):
    """What feeds a data object, and where its commands go. `feeder1.voltage_l1` alone is short for `{from: ...}`."""

    source: Annotated[str | None, Field(alias="from", description="device.point, or a device for a whole LN")] = None
    constant: Plain | None = None
    deadband: Annotated[str | int | float | None, Field(description="least change: `50 W`, `0.5 %` or `0.2`")] = None
    values: Annotated[dict[str, Plain], Field(description="what each point value becomes")] = {}
    scale: Annotated[Number, Field(description="after the profile's; -1 turns a direction round")] = 1.0
    swap: Annotated[bool, Field(description="whole LN: exchange Sup and Dmd, negate powers")] = False
    command: Command | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"from": given}
        if isinstance(given, dict) and isinstance(given.get("command"), str):
            return given | {"command": {"to": given["command"]}}
        return given

    @model_validator(mode="after")
    def _something(self) -> "Row":
        if self.source is not None and self.constant is not None:
            raise ValueError("both `from` and `constant`, expected one of them")
        if self.source is None and self.constant is None and self.command is None:
            raise ValueError("neither `from`, `constant` nor `command`: the row says nothing")
        if not self.scale:
            raise ValueError("scale 0 would make every value the same")
        return self


class Map(Strict):
    """The mapping of one IED: data objects of the SCL file from points of devices."""

    points: dict[str, Row]
    unmapped: Annotated[
        list[str], Field(description="process data that is left unfed on purpose; it reads invalid")
    ] = []


FILES: Final[dict[str, type[Strict]]] = {"site": Site, "map": Map, "device": Profile}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one kind of file: site, map or device. Raises KeyError."""
    schema = FILES[kind].model_json_schema(by_alias=True)
    point = schema["$defs"].get("Point")
    if point is not None:
        scale_from = point["properties"]["scale_from"]
        scale_from["anyOf"] = [{"type": "string"}, *scale_from["anyOf"]]
    if kind == "map":
        schema["properties"]["points"]["additionalProperties"] = {
            "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Row"}]
        }
        command = schema["$defs"]["Row"]["properties"]["command"]
        command["anyOf"] = [{"type": "string"}, *command["anyOf"]]
    if kind == "site":
        files = schema["$defs"]["Ied"]["properties"]["files"]
        files["anyOf"] = [{"type": "string"}, *files["anyOf"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mms-gateway {kind} file"} | schema
