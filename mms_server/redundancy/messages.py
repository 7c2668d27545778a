"""Messages between the two gateways of one site: the role of each, and the rows that the standby keeps. One frame each.

    run of a PC ── Status, twice a second ───────────────────────► run of the other PC
    MMS server of an IED ── Begin, Rows 1, Rows 2, ... ──────────► the standby
                         ◄── Ack, after each that is kept ────────

`Begin` opens a stream; its first Rows carry the store as it was, in pieces, among the operations that happen meanwhile. The
Rows that are `last` complete the copy. `Ack` has the number up to which all is kept. See PROTOCOL.md.
"""

from enum import Enum
from typing import Annotated, Final

import msgspec

from bus.codec import MessageError
from bus.state_schema import FIRST
from bus.topics import MESSAGE_LIMIT_OCTETS

_MAGIC: Final = bytes((0x50, 1))
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]  # what a database can hold


class Role(Enum):
    """The role of one gateway of a pair."""

    WAITING = "waiting"  # it has just started, and serves nothing yet
    STANDBY = "standby"  # it has heard the other one serve, and follows
    ACTIVE = "active"  # it polls the field and serves clients
    ENDED = "ended"  # it has ended in order, and holds neither


class Status(msgspec.Struct, frozen=True, array_like=True, tag="word"):
    """Sign of life of one gateway: its role, its term (a number that grows with each takeover), and if it may begin alone."""

    name: str
    role: Role
    term: Number
    first: bool


class Put(msgspec.Struct, frozen=True, array_like=True, tag="put", gc=False):
    """Keep `value` under `kind` and `key`; None removes it."""

    kind: str
    key: str
    value: bytes | None


class File(msgspec.Struct, frozen=True, array_like=True, tag="file", gc=False):
    """Keep an entry of a report buffer or a log."""

    block: str
    entry_id: Number
    time_ns: Number
    content: bytes


class Drop(msgspec.Struct, frozen=True, array_like=True, tag="drop", gc=False):
    """Forget the entries of `block` up to and with `entry_id`."""

    block: str
    entry_id: Number


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """A stream begins, from nothing: what it brings replaces what was kept of the IED, once it is complete.

    `schema` is the schema number of the store; version 0.1.0 does not say it, and passes over it.
    """

    ied: str
    stream: int
    schema: int = FIRST


class Rows(msgspec.Struct, frozen=True, array_like=True, tag="rows"):
    """Operations in their order; `last` if the copy is complete with them. Without operations they are a keep-alive."""

    ied: str
    stream: int
    number: int
    operations: tuple[Put | File | Drop, ...]
    last: bool = False


class Ack(msgspec.Struct, frozen=True, array_like=True, tag="have"):
    """Acknowledgement: all up to `number` of that stream is kept."""

    ied: str
    stream: int
    number: int


PairMessage = Status | Begin | Rows | Ack
_ENCODER: Final = msgspec.msgpack.Encoder()
_KNOWN: Final = msgspec.msgpack.Decoder(PairMessage)


def encode(message: PairMessage) -> bytes:
    """`message` as one frame."""
    return _MAGIC + _ENCODER.encode(message)


def decode(frame: bytes) -> PairMessage:
    """The message in `frame`. Raises MessageError for another version, and for octets that are no message."""
    if len(frame) > MESSAGE_LIMIT_OCTETS:
        raise MessageError(f"{len(frame)} octets, expected at most {MESSAGE_LIMIT_OCTETS}")
    if frame[:2] != _MAGIC:
        raise MessageError(f"version {frame[:2].hex()}, expected {_MAGIC.hex()}")
    try:
        message: PairMessage = _KNOWN.decode(memoryview(frame)[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MessageError("octets that are no message") from error
    return message
