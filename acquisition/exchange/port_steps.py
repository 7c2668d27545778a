"""Steps of the exchanges on a line: what their generators ask of the owner of the port (pure).

    generator ── yields ──► Open, Close, Send, SetBaudrate, Receive, Rest ──► owner of the port
        ▲                                                                        │
        └── `time.now` set anew, then: the octets received, or NoConnectionError ┘

The generators of `request_response`, `link`, `attempt`, `writes.queue` and `line` decide; they know no port, no clock and no
loop. The owner carries out one step after the other: `acquisition.port_loop` on a real port, a test on a model of one in virtual
time.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class LineTime:
    """Time of the last step that was carried out, in seconds of the owner's monotonic clock.

    `came_at`: when the octets of the last `Receive` came, which may have been while the line rested.
    """

    now: float
    came_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Open:
    """Open the port."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the port; it may be closed already."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write `octets`, all or none where that is possible."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class SetBaudrate:
    """Go on at `baudrate` once all written octets are on the line; a port that has no speed does nothing."""

    baudrate: int


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for octets until `until`: at least one, or none at that time. A time that has passed: those that are there."""

    until: float


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait until `until`, without a look at the port. `wakeable`: or until a write is enqueued or a device resumes."""

    until: float
    wakeable: bool = False


PortStep = Open | Close | Send | SetBaudrate | Receive | Rest
Steps = Generator[PortStep, bytes, T]
"""A generator of steps with the result T. It is resumed with the octets of `Receive`, with none after any other step."""
