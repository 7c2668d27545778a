"""Messages as frames: one frame each, two octets of schema in front, MessagePack behind.

    4D schema | [tag, field, field, ...]

A frame of another schema or revision, or one that cannot be decoded, is refused whole, with a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from bus.messages import SCHEMA, CommandResult, Publication, Reply, Request, SnapshotRequest
from bus.topics import MESSAGE_LIMIT_OCTETS

_MAGIC: Final = bytes((0x4D, SCHEMA))
_ENCODER: Final = msgspec.msgpack.Encoder()
Message = Publication | Reply
_MESSAGES: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)
_REQUESTS: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(Request)
_Message = TypeVar("_Message")


@dataclass
class MessageError(ValueError):
    """A frame that this OS process refuses."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def encode(message: Message | Request) -> bytes:
    """`message` as one frame."""
    return _MAGIC + _ENCODER.encode(message)


def decode(frame: bytes, revisions: Mapping[str, str]) -> Message:
    """The message of a worker in `frame`; `revisions` are those that the plan gives the workers.

    Raises MessageError for another schema or revision, for a worker that the plan lacks, and for what is no such message.
    """
    message = _read(_MESSAGES, frame)
    if message.worker not in revisions:
        raise MessageError(f"worker {message.worker}, which the plan lacks")
    if not isinstance(message, CommandResult):
        _agree(message.revision, revisions[message.worker])
    return message


def decode_request(frame: bytes, revision: str) -> Request:
    """The request to a worker of `revision` in `frame`. A command of another revision is not refused here but answered.

    Raises MessageError for another schema or revision, and for what is no such message.
    """
    message = _read(_REQUESTS, frame)
    if isinstance(message, SnapshotRequest):
        _agree(message.revision, revision)
    return message


def _agree(revision: str, expected: str) -> None:
    if revision != expected:
        raise MessageError(f"revision {revision}, expected {expected}")


def _read(decoder: msgspec.msgpack.Decoder[_Message], frame: bytes) -> _Message:
    if len(frame) > MESSAGE_LIMIT_OCTETS:
        raise MessageError(f"{len(frame)} octets, expected at most {MESSAGE_LIMIT_OCTETS}")
    if frame[:2] != _MAGIC:
        raise MessageError(f"schema {frame[:2].hex()}, expected {_MAGIC.hex()}")
    try:
        return decoder.decode(memoryview(frame)[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MessageError("octets that are no message") from error
