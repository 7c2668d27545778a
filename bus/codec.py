"""Messages as frames: one frame each, two octets of schema in front, MessagePack behind.

    4D schema | [tag, field, field, ...]

What is not of this schema, not of this plan, or not decodable is refused with a reason, and never half understood.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from bus.messages import SCHEMA, Answered, Asked, CommandResult, Published
from bus.topics import MESSAGE_LIMIT_OCTETS

_MAGIC: Final = bytes((0x4D, SCHEMA))
_ENCODER: Final = msgspec.msgpack.Encoder()
_KNOWN: Final = msgspec.msgpack.Decoder(Published | Asked | Answered)
Message = Published | Asked | Answered


@dataclass
class Refused(ValueError):  # noqa: N818 - it is an answer, not an error
    """A frame that this process does not believe."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def encode(message: Message) -> bytes:
    """`message` as one frame."""
    return _MAGIC + _ENCODER.encode(message)


def decode(frame: bytes, revision: str) -> Message:
    """The message in `frame`. Raises Refused for another schema or plan, and for what is no message."""
    if len(frame) > MESSAGE_LIMIT_OCTETS:
        raise Refused(f"{len(frame)} octets, expected at most {MESSAGE_LIMIT_OCTETS}")
    if frame[:2] != _MAGIC:
        raise Refused(f"schema {frame[:2].hex()}, expected {_MAGIC.hex()}")
    try:
        message: Message = _KNOWN.decode(memoryview(frame)[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(f"no message: {error}") from error
    if not isinstance(message, CommandResult) and message.revision != revision:
        raise Refused(f"plan {message.revision}, expected {revision}")
    return message
