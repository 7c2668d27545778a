"""Faults of a line: the kinds, their keys with their bounds, and the lines that can have them (pure).

A device has one fault at a time; a line has one of each kind, since a converter that queues may repeat an answer too.
"""

import re
from collections.abc import Collection
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from acquisition.drivers.base import DriverSpec, Question, Read
from mapping.plan import Obis, Register, Table
from mapping.schema.fields import Strict, milliseconds

_RANGE: Final = re.compile(r"(coil|discrete|input|holding) ([0-9]{1,5})(?:-([0-9]{1,5}))?")


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
    """Up to `depth` requests wait while one is answered, each in its turn; the first `surplus` answers come twice."""

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
    """The connection ends `ms` after a request, which has gone on to the line; its answer comes in the next connection."""

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
}


def register_range(text: str) -> tuple[Table, int, int]:
    """The table, the first and the last address of `holding 100-101` or `coil 7`. Raises ValueError."""
    match = _RANGE.fullmatch(text)
    table: Table | None = match.group(1) if match else None  # type: ignore[assignment]  # one of the four: the expression says so
    first, last = (int(match.group(2)), int(match.group(3) or match.group(2))) if match else (0, 0)
    if table is None or not first <= last <= 0xFFFF:
        raise ValueError(f"`{text}` names no registers, expected them as `holding 100-101` or `coil 7`")
    return table, first, last


def foreign_ask(fault: SecondMaster | Shared, spec: DriverSpec) -> Read | Question:
    """The question that the other one asks: registers, or a text where the line's are texts. Raises ValueError."""
    if spec.protocol.asks is not Register:
        return Question(fault.read)
    table, first, last = register_range(fault.read)
    return Read(fault.unit, table, first, last - first + 1)


def misfit(fault: LineFault, spec: DriverSpec, units: Collection[int]) -> str | None:
    """The reason why a line of that protocol, with devices of these `units`, cannot have `fault`; None if it can."""
    reason = _carrier_misfit(fault, spec)
    if reason is None and isinstance(fault, SecondMaster | Shared):
        reason = _question_misfit(fault, spec)
    if reason is None and isinstance(fault, SecondMaster | Shared | SecondDevice) and fault.unit not in units:
        reason = f"its devices have the units {', '.join(map(str, sorted(units)))}, none has {fault.unit}"
    return reason


def _carrier_misfit(fault: LineFault, spec: DriverSpec) -> str | None:
    if spec.transport == "memory":
        return "its devices answer in the worker, nothing is between them"
    match fault:
        case SecondMaster() | SecondDevice() if spec.tagged:
            return "each answer has the id of its request: only a line without ids is heard by others"
        case Shared() if spec.tagged or spec.transport != "tcp":
            return "it is no serial line behind a TCP port"
        case ResetAfterRequest() | MuteConnection() if spec.transport not in ("tcp", "tls"):
            return "it has no connection"
        case GivesUp() if not (spec.tagged and spec.protocol.modbus):
            return "it is no Modbus TCP: its answers have no ids"
        case _:
            return None


def _question_misfit(fault: SecondMaster | Shared, spec: DriverSpec) -> str | None:
    if spec.protocol.asks is Obis:
        return "its meters are read out in a conversation of two"
    try:
        foreign_ask(fault, spec)
    except ValueError as error:
        return str(error)
    return None
