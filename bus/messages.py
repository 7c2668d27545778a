"""Messages between OS processes: frozen structures, one frame each, versioned by `SCHEMA`.

Every message of a worker has its name (`worker`), its instance (`started_ns`: the younger one counts) and its plan
(`revision`: of the worker's part of it). Batches and heartbeats share one counter (`sequence`), so
that a gap in it means a lost message. See PROTOCOL.md for the order of messages and the endpoints.
"""

from enum import IntEnum
from typing import Final

import msgspec

SCHEMA: Final = 1

Value = bool | int | float | str | None


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One acquired quantity: `value` in the point's unit, None if there never was one."""

    point: int  # its number in the plan
    value: Value
    quality: int  # 13 bits, see bus.quality
    time_ns: int  # UTC of the middle of the exchange that gave it, or of the detection if it went bad
    reason: str = ""  # why it is not good, for people; empty if good


class SampleBatch(msgspec.Struct, frozen=True, array_like=True, tag="batch", gc=False):
    """All that one exchange with a device gave; commits as one."""

    worker: str
    started_ns: int
    revision: str
    sequence: int
    monotonic_ns: int  # when the exchange ended, on the worker's monotonic clock (one clock per host)
    time_quality: int  # TimeQuality octet of every `time_ns` in it
    samples: tuple[Sample, ...]


class DeviceState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Status of one device, for the operator."""

    device: str
    online: bool
    since_ns: int  # UTC of the last change of `online`
    reason: str  # of the last failure; empty if there was none
    polls: int
    failures: int


class ConditionState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One condition of a line, by name: a fault of its channel, or `no-identity`, which its plan has."""

    name: str
    since_ns: int  # UTC of its first sign
    count: int  # how often it has shown since; of `no-identity` the blocks that rest on silence
    evidence: str  # the last sign of it, a short sentence with numbers


class LineState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Status of one line, for the operator: its port or connection, and how much of its time is used."""

    line: str
    connected: bool
    since_ns: int
    reason: str
    load: float  # 0..1, the share of the last period in which the line was busy
    lateness: float = 0.0  # how late the latest block is, in its periods: 1 and more means that the line cannot keep up
    conditions: tuple[ConditionState, ...] = ()


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag="heartbeat", gc=False):
    """Sent at least once a second: the worker is alive, with the status of its lines and devices."""

    worker: str
    started_ns: int
    revision: str
    sequence: int
    monotonic_ns: int
    lines: tuple[LineState, ...]
    devices: tuple[DeviceState, ...]
    counters: dict[str, int]


class SnapshotRequest(msgspec.Struct, frozen=True, array_like=True, tag="snapshot?", gc=False):
    """Request of a subscriber that starts, or has seen a gap, for the last sample of every point."""

    revision: str


class Snapshot(msgspec.Struct, frozen=True, array_like=True, tag="snapshot", gc=False):
    """The answer: the last sample of each point that has one; what follows has a greater `sequence`.

    `ages_ms[i]` is how old samples[i] was, on the worker's monotonic clock, when this was sent at `monotonic_ns`.
    """

    worker: str
    started_ns: int
    revision: str
    sequence: int
    monotonic_ns: int
    time_quality: int  # the worst of theirs
    samples: tuple[Sample, ...]
    ages_ms: tuple[int, ...]


class Command(msgspec.Struct, frozen=True, array_like=True, tag="command", gc=False):
    """Write `value` (in the point's unit) to `point`, before the deadline or never.

    `boot` names the host's boot: where it is the worker's own, the deadline is `expires_monotonic_ns`, otherwise
    `expires_utc_ns`. `issuer` and `number` identify the command: a worker executes each at most once.
    """

    issuer: str  # name of the OS process and its start time
    number: int
    revision: str
    point: int
    value: Value
    boot: str
    expires_monotonic_ns: int
    expires_utc_ns: int
    test: bool = False
    pulse_ms: int = 0  # of a bool: it goes back to false after so long, whatever the deadline
    prove: bool = True  # read it back, where it can be read


class Outcome(IntEnum):
    """Progress of a command, or the reason of its end."""

    ACCEPTED = 1  # the device confirmed the write
    PROVEN = 2  # read back, and it is so
    EXPIRED = 3  # its deadline passed before it could be written; nothing was written
    NO_ANSWER = 4  # written, and not confirmed
    EXCEPTION = 5  # refused by the device; `detail` is the exception code
    DIFFERS = 6  # confirmed, but it reads back otherwise
    UNKNOWN_POINT = 7  # the point is not this worker's, or cannot be written
    UNFIT_VALUE = 8  # the value does not fit the register
    OTHER_PLAN = 9  # issued under another revision of the plan
    DUPLICATE = 10  # this command was seen before; nothing was written again
    ENDED = 11  # its pulse is over, and nothing is read back


class CommandResult(msgspec.Struct, frozen=True, array_like=True, tag="result", gc=False):
    """Result of a command; ACCEPTED may be followed by PROVEN, DIFFERS or ENDED, any other outcome is the last.

    `sequence` is that of the worker's last publication: it holds the values of the proof, and comes on another socket.
    """

    issuer: str
    number: int
    outcome: Outcome
    detail: int  # the Modbus exception code for EXCEPTION, otherwise 0
    reason: str
    time_ns: int
    worker: str
    sequence: int = 0


Publication = SampleBatch | Heartbeat
Request = SnapshotRequest | Command
Reply = Snapshot | CommandResult
