"""Faults of a line: the kinds, their keys with their bounds, and the lines that can have them (pure).

A device has one fault at a time; a line has one of each kind, since a converter that queues may repeat an answer too.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from acquisition.drivers.base import DriverSpec, Question, Read
from acquisition.simulate.faults.register_range import register_range
from mapping.plan import Obis, Register
from mapping.schema.fields import Strict, milliseconds


def _duration(text: str) -> str:
    if milliseconds(text) < 1:
        raise ValueError("a duration of nothing, expected at least 1ms")
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Share = Annotated[float, Field(gt=0, le=1)]
DelayMs = Annotated[int, Field(ge=0, le=600_000)]
Times = Annotated[int, Field(ge=1)]
Unit = Annotated[int, Field(ge=0, le=255)]


class Duplicate(Strict):
    """An answer comes again `ms` later: of a `share` of them, `times` at most."""

    kind: Literal["duplicate"] = "duplicate"
    ms: DelayMs = 40
    share: Share = 1.0
    times: Times | None = None


class Delay(Strict):
    """Every answer comes `ms` later, as from a radio that stores and forwards. One that comes after the fault overtakes it."""

    kind: Literal["delay"] = "delay"
    ms: DelayMs = 1000


class Queue(Strict):
    """Up to `depth` requests wait while one is answered, each in its turn; the first `surplus` answers come twice.

    Of a serial server, the answers to the requests of a connection that has ended come in the next one.
    """

    kind: Literal["queue"] = "queue"
    depth: Annotated[int, Field(ge=1, le=64)] = 8
    surplus: Annotated[int, Field(ge=0, le=64)] = 1


class HoldUntilNext(Strict):
    """An answer is passed on when the next request comes."""

    kind: Literal["hold_until_next"] = "hold_until_next"


class SecondMaster(Strict):
    """Another master reads from `unit`: its requests and the answers to them are on the wire."""

    kind: Literal["second_master"] = "second_master"
    unit: Unit
    read: str
    every: Duration = "1s"

    @property
    def every_s(self) -> float:
        """Its period in seconds."""
        return milliseconds(self.every) / 1000


class Shared(Strict):
    """Another client of the serial server reads from `unit`: the answers to it come to every client."""

    kind: Literal["shared"] = "shared"
    unit: Unit
    read: str
    every: Duration = "1s"

    @property
    def every_s(self) -> float:
        """Its period in seconds."""
        return milliseconds(self.every) / 1000


class ResetAfterRequest(Strict):
    """The connection ends `ms` after a request, which has gone on to the line.

    Of a serial server, the answers to the requests of a connection that has ended come in the next one.
    """

    kind: Literal["reset_after_request"] = "reset_after_request"
    ms: DelayMs = 10
    share: Share = 0.1


class GivesUp(Strict):
    """A gateway with serial devices behind it that waits `ms`, and puts a later answer under the next request's id."""

    kind: Literal["gives_up"] = "gives_up"
    ms: Annotated[int, Field(ge=1, le=600_000)] = 200
    share: Share = 0.05


class SecondDevice(Strict):
    """A second device with the address `unit` answers too, `ms` later, with other values."""

    kind: Literal["second_device"] = "second_device"
    unit: Unit
    ms: DelayMs = 115


class MuteConnection(Strict):
    """A connection is acknowledged and no more once it is `after` old; a new one works as long."""

    kind: Literal["mute_connection"] = "mute_connection"
    after: Duration = "5s"

    @property
    def after_s(self) -> float:
        """Its age in seconds when it falls silent."""
        return milliseconds(self.after) / 1000


class Loss(Strict):
    """A `share` of the exchanges is lost: one half with the request, one with the answer."""

    kind: Literal["loss"] = "loss"
    share: Share = 0.1


class Packing(Strict):
    """Octets are passed on in packets of `octets` at most, one each `ms`: answers come in pieces, or several at once."""

    kind: Literal["packing"] = "packing"
    ms: Annotated[int, Field(ge=1, le=600_000)] = 20
    octets: Annotated[int, Field(ge=1, le=4096)] = 16


class Noise(Strict):
    """An octet that nobody has sent comes each `every`, give or take a tenth."""

    kind: Literal["noise"] = "noise"
    every: Duration = "100ms"

    @property
    def every_s(self) -> float:
        """Its period in seconds."""
        return milliseconds(self.every) / 1000


LineFault = (
    Duplicate
    | Delay
    | Queue
    | HoldUntilNext
    | SecondMaster
    | Shared
    | ResetAfterRequest
    | GivesUp
    | SecondDevice
    | MuteConnection
    | Loss
    | Packing
    | Noise
)

LINE_FAULTS: Final[dict[str, type[LineFault]]] = {
    "duplicate": Duplicate,
    "delay": Delay,
    "queue": Queue,
    "hold_until_next": HoldUntilNext,
    "second_master": SecondMaster,
    "shared": Shared,
    "reset_after_request": ResetAfterRequest,
    "gives_up": GivesUp,
    "second_device": SecondDevice,
    "mute_connection": MuteConnection,
    "loss": Loss,
    "packing": Packing,
    "noise": Noise,
}


@dataclass(slots=True)
class ActiveFaults:
    """The faults that a line has now, by kind."""

    duplicate: Duplicate | None = None
    delay: Delay | None = None
    queue: Queue | None = None
    hold_until_next: HoldUntilNext | None = None
    second_master: SecondMaster | None = None
    shared: Shared | None = None
    reset_after_request: ResetAfterRequest | None = None
    gives_up: GivesUp | None = None
    second_device: SecondDevice | None = None
    mute_connection: MuteConnection | None = None
    loss: Loss | None = None
    packing: Packing | None = None
    noise: Noise | None = None


Kind = Literal[
    "duplicate", "delay", "queue", "hold_until_next", "second_master", "shared", "reset_after_request", "gives_up",
    "second_device", "mute_connection", "loss", "packing", "noise",
]  # fmt: skip


class Misfit(NamedTuple):
    """The key of a fault that does not go with the line, and the reason."""

    key: str
    reason: str


def foreign_ask(fault: SecondMaster | Shared, spec: DriverSpec) -> Read | Question:
    """The question that the other one asks: registers, or a text where the line's are texts. Raises ValueError."""
    if spec.protocol.asks is not Register:
        return Question(fault.read)
    table, first, last = register_range(fault.read)
    return Read(fault.unit, table, first, last - first + 1)


def misfit(fault: LineFault, spec: DriverSpec, units: Collection[int]) -> Misfit | None:
    """The reason why a line of that protocol, with devices of these `units`, cannot have `fault`; None if it can."""
    reason = _carrier_misfit(fault.kind, spec)
    if reason is not None:
        return Misfit("kind", reason)
    if not isinstance(fault, SecondMaster | Shared | SecondDevice):
        return None
    if fault.unit not in units:
        return Misfit("unit", f"its devices have {_units(units)}, none has {fault.unit}")
    return None if isinstance(fault, SecondDevice) else _question_misfit(fault, spec)


def possible(spec: DriverSpec) -> list[str]:
    """The kinds that a line of that protocol can have."""
    return [kind for kind in LINE_FAULTS if _carrier_misfit(kind, spec) is None]


def _units(units: Collection[int]) -> str:
    return f"the unit{'s' if len(units) > 1 else ''} {', '.join(map(str, sorted(units)))}"


def _carrier_misfit(kind: str, spec: DriverSpec) -> str | None:
    if spec.transport == "memory":
        return "its devices answer in the worker, nothing is between them"
    match kind:
        case "second_master" | "second_device" if spec.tagged:
            return "each answer has the id of its request: nobody else is heard"
        case "second_master" | "shared" if spec.protocol.asks is Obis:
            return "its meters are read out in a conversation of two"
        case "shared" if spec.tagged or spec.transport != "tcp":
            return "it is no serial line behind a TCP port"
        case "reset_after_request" | "mute_connection" if spec.transport not in ("tcp", "tls"):
            return "it has no connection"
        case "packing" if spec.transport == "udp":
            return "a datagram comes whole"
        case "noise" if spec.tagged:
            return "TCP lets no octet through that was not sent"
        case "gives_up" if not (spec.tagged and spec.protocol.modbus):
            return "its answers have no ids"
        case _:
            return None


def _question_misfit(fault: SecondMaster | Shared, spec: DriverSpec) -> Misfit | None:
    try:
        spec.make().request(foreign_ask(fault, spec), 0)
    except ValueError as error:
        return Misfit("read", str(error))
    return None
