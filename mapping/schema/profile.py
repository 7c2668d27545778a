"""The shape of a device profile: one meter model as its manual prints it, and the points of a device in site.yaml."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from mapping.plan import Order, Priority, RegisterType, Table
from mapping.schema.fields import Milliseconds, Name, Number, Period, Plain, Strict, expression, one_or_more
from mapping.schema.register_text import REGISTER_SCHEMA, long_form

_OBIS: Final = re.compile(r"([0-9]{1,3}-[0-9]{1,3}:)?[0-9A-Z]{1,3}(\.[0-9A-Z]{1,3}){1,2}(\*[0-9]{1,3})?")
_PROPOSAL: Final = re.compile(r"[A-Z]{4}(\.[A-Za-z][A-Za-z0-9]*)+")


def _proposal(text: str) -> str:
    if _PROPOSAL.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no proposal, expected LNCLASS.DO[.SDO] as MMXU.TotW")
    return text


Proposal = Annotated[str, AfterValidator(_proposal)]


class Register(Strict):
    """The register of a quantity: `holding 100 float32 cdab`, or written long."""

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


def _raw_value(text: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise ValueError(f"`{text}` is no raw value, expected a whole number")
    return text


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
    """The motion of a point in a simulated device, after another point of it. The gateway itself does not use it."""

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
    request: Annotated[str | None, Field(description="of an instrument that answers in text, with its line end")] = None
    reply: Annotated[
        str | None, Field(description="expression that the whole answer to `request`, a line, must match")
    ] = None
    value: Annotated[str | None, Field(description="named group of `reply` that holds the value")] = None
    good_if: Annotated[
        dict[str, str], Field(description="named group of `reply` and the text that makes the value good")
    ] = {}
    end: Annotated[str, Field(description="end of the answer to `request`; default CR, LF or CR LF")] = ""
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
        one_or_more({"type": "string"}),
    ] = []
    absent: Annotated[
        list[int | float | str],
        Field(description="raw values, or nan, that mean no measurement; one, or a list"),
        one_or_more({"type": ["number", "string"]}),
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
        Field(description="a meter that is read out: code of the line in its readout, as 1.8.0 or 1-0:1.8.0*255"),
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
        groups = expression(self.reply).groupindex
        for group in (self.value, *self.good_if):
            if group not in groups:
                raise ValueError(f"`{group}` is no named group of the reply")
        if not (self.request or "").isascii() or not self.end.isascii():
            raise ValueError("request and end are ASCII")


class DeviceKeys(Strict):
    """The settings of exchanges with a device; a key of the site wins over that of the profile."""

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
    exact: Annotated[
        bool | None,
        Field(
            description="no register or bit is read that no point names, nor beyond a block to tell its answer from others; "
            "default true with `max_gap: 0`, else false"
        ),
    ] = None
    close_after: Annotated[bool | None, Field(description="close the connection after each exchange")] = None
    command_timeout: Period | None = None
    pipeline: Annotated[
        int | None,
        Field(
            ge=1,
            le=16,
            description="reads that it takes at once, on Modbus TCP, TLS and UDP; default 1, as with `pause` or `close_after`, "
            "and on a line that shows a gateway: several units, exceptions 10 or 11, responses of a wrong size",
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

    @model_validator(mode="after")
    def _no_gap(self) -> "DeviceKeys":
        if self.exact and self.max_gap:
            raise ValueError(f"`max_gap: {self.max_gap}` beside `exact: true`, which reads no gap along")
        return self


class ProfileDefaults(DeviceKeys):
    """A profile's defaults for its devices and points."""

    order: Order | None = None


class Maker(Strict):
    """The maker of the device, and the manual that the registers are from."""

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
            expression(self.match)
        return self


class Resync(Strict):
    """The question of an instrument in text whose reply no other question of it has, as that for its version."""

    request: Annotated[str, Field(min_length=1, description="with its line end")]
    reply: Annotated[
        str, Field(description="expression that the whole reply, a line, must match, and no other reply does")
    ]
    end: Annotated[str, Field(description="end of the reply; default CR, LF or CR LF")] = ""

    @model_validator(mode="after")
    def _sound(self) -> "Resync":
        expression(self.reply)
        if not self.request.isascii() or not self.end.isascii():
            raise ValueError("request and end are ASCII")
        return self


class Profile(Strict):
    """A device profile: one meter model as its manual prints it. It knows nothing of any site."""

    device: Maker
    base: str | None = None
    defaults: ProfileDefaults = ProfileDefaults()
    identify: Identify | None = None
    resync: Annotated[
        Resync | None,
        Field(
            description="of an instrument in text: asked after a surplus or a late line, and where a line needs proof that it "
            "answers what was asked, instead of waiting for silence"
        ),
    ] = None
    points: Annotated[dict[Name, Point | None], Field(description="null takes one of the base away")] = {}


# ---------------------------------------------------------------------- which forms of a point go together

_WHOLE: Final = frozenset(
    {
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bcd16",
        "bcd32",
        "sbcd16",
        "sbcd32",
        "bit",
        "bits",
        "bool",
    }
)
_COUNTING: Final = frozenset(
    {"uint16", "uint32", "uint64", "int32", "int64", "bcd16", "bcd32", "mod10", "float32", "float64"}
)
_WORDS: Final = frozenset({"bool", "bit", "string"})
INTEGERS: Final = {"int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64}
"""The integer types, and how many bits each has."""
_OF_REGISTERS: Final = ("write_with", "enum", "scale_from", "counter", "together", "absent", "scale", "offset", "every")


def form_objection(point: Point) -> str | None:
    """The reason for which the keys of `point` cannot stand together; None if they can."""
    register = point.read or point.write
    return (
        _computed(point)
        or _limits(point, register)
        or _named(point, register)
        or _scaled(point, register)
        or _absent(point, register)
        or _counted(point, register)
    )


def _computed(point: Point) -> str | None:
    if point.expr is None:
        return None
    if point.read or point.write or point.request is not None or point.obis is not None:
        return "both `expr` and something to ask the device for, expected one of them"
    wrong = next((key for key in _OF_REGISTERS if key in point.model_fields_set), None)
    return (
        None if wrong is None else f"`{wrong}` beside `expr`: what is computed has `unit`, `min`, `max` and `proposes`"
    )


def _limits(point: Point, register: Register | None) -> str | None:
    if point.min is None and point.max is None:
        return None
    if point.min is not None and point.max is not None and point.min > point.max:
        return f"`min` {point.min} is above `max` {point.max}"
    if point.enum or (register is not None and (register.type in _WORDS or register.table in ("coil", "discrete"))):
        return "`min` and `max` are of numbers"
    return None


def _named(point: Point, register: Register | None) -> str | None:
    if not point.enum:
        return None
    if register is None:
        return "`enum` needs a register: a text is its own name"
    for one in (point.read, point.write):
        if one is not None and one.type not in _WHOLE:
            return f"`enum` of a {one.type}, expected a whole number"
    other = next(
        (key for key in ("unit", "scale", "offset", "scale_from", "counter") if key in point.model_fields_set), None
    )
    if other is not None:
        return f"`{other}` beside `enum`: a name has none"
    names = list(point.enum.values())
    twice = next((name for name in names if names.count(name) > 1), None)
    return (
        None
        if twice is None or point.write is None
        else f"`{twice}` stands for two values: which one is to be written?"
    )


def _scaled(point: Point, register: Register | None) -> str | None:
    if point.scale_from is None:
        return None
    if register is None or register.type in _WORDS or register.type.startswith("time:"):
        return "`scale_from` needs a register with a number"
    return None


def _absent(point: Point, register: Register | None) -> str | None:
    """The fault of `absent`: a value that the register cannot hold never matches, so "no measurement" would pass as one."""
    if not point.absent or register is None:
        return None
    if register.type in _WORDS and not point.enum:
        return "`absent` is of numbers"
    word = next((one for one in point.absent if isinstance(one, str) and one != "nan"), None)
    if word is not None:
        return f"`absent` of `{word}`, expected a number or nan"
    bits = INTEGERS.get(register.type)
    if bits is None:
        return None
    least = -(1 << bits - 1) if register.type.startswith("int") else 0
    never = next((one for one in point.absent if not isinstance(one, str) and not least <= one < 1 << bits), None)
    return None if never is None else f"`absent` {never} is nothing that a {register.type} can hold"


def _counted(point: Point, register: Register | None) -> str | None:
    if not point.counter:
        return None
    if register is not None and register.type not in _COUNTING:
        return f"`counter` of a {register.type}, expected a number that counts up"
    return "`counter` beside `write`: a counter is not set" if point.write is not None else None
