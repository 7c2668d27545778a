"""Messages as frames: one frame each, two octets of schema in front, MessagePack behind.

    4D schema | [tag, field, field, ...]

What is not of this schema, not of this revision, or not decodable is refused with a reason, and never half understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from bus.messages import SCHEMA, Answered, Asked, CommandResult, Published, SnapshotRequest
from bus.topics import MESSAGE_LIMIT_OCTETS

_MAGIC: Final = bytes((0x4D, SCHEMA))
_ENCODER: Final = msgspec.msgpack.Encoder()
Message = Published | Answered
_TOLD: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)
_ASKED: Final[msgspec.msgpack.Decoder[Asked]] = msgspec.msgpack.Decoder(Asked)
_Message = TypeVar("_Message")


@dataclass
class Refused(ValueError):  # noqa: N818 - it is an answer, not an error
    """A frame that this process does not believe."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def encode(message: Message | Asked) -> bytes:
    """`message` as one frame."""
    return _MAGIC + _ENCODER.encode(message)


def decode(frame: bytes, revisions: Mapping[str, str]) -> Message:
    """What a worker says in `frame`; `revisions` are those that the plan gives the workers.

    Raises Refused for another schema or revision, for a worker that the plan lacks, and for what is no such message.
    """
    message = _read(_TOLD, frame)
    if message.worker not in revisions:
        raise Refused(f"worker {message.worker}, which the plan lacks")
    if not isinstance(message, CommandResult):
        _agree(message.revision, revisions[message.worker])
    return message


def decode_asked(frame: bytes, revision: str) -> Asked:
    """What a worker of `revision` is asked in `frame`. A command of another revision is not refused here but answered.

    Raises Refused for another schema or revision, and for what is no such message.
    """
    message = _read(_ASKED, frame)
    if isinstance(message, SnapshotRequest):
        _agree(message.revision, revision)
    return message


def _agree(revision: str, expected: str) -> None:
    if revision != expected:
        raise Refused(f"revision {revision}, expected {expected}")


def _read(decoder: msgspec.msgpack.Decoder[_Message], frame: bytes) -> _Message:
    if len(frame) > MESSAGE_LIMIT_OCTETS:
        raise Refused(f"{len(frame)} octets, expected at most {MESSAGE_LIMIT_OCTETS}")
    if frame[:2] != _MAGIC:
        raise Refused(f"schema {frame[:2].hex()}, expected {_MAGIC.hex()}")
    try:
        return decoder.decode(memoryview(frame)[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("octets that are no message") from error
