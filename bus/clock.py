"""State of this host's clock, and the TimeQuality octet for its stamps (IEC 61850-7-2, TimeQuality; pure).

    bit 7 leapSecondsKnown   6 clockFailure   5 clockNotSynchronized   4..0 accuracy: 2^-n s, n 0..24; 31 unspecified

A clock that is disciplined takes leap seconds as its source does: they are known. One that runs free may miss one, and
its accuracy is unspecified.
"""

from math import floor, log2
from typing import Final, NamedTuple

from bus.quality import Stamp, TimeQuality

STA_UNSYNC: Final = 0x0040
STA_CLOCKERR: Final = 0x1000
TIME_ERROR: Final = 5
FINEST_BITS: Final = 20  # about a microsecond: reading the clock takes that long
FINEST: Final = TimeQuality.LEAP_SECONDS_KNOWN | FINEST_BITS  # no stamp is better
_ACCURACY: Final = 0x1F


class ClockState(NamedTuple):
    """State of a clock. `error_ns` is the most that it can be off, None if that is not known."""

    synchronized: bool
    failed: bool = False
    error_ns: int | None = None

    @classmethod
    def of_kernel(cls, result: int, status: int, max_error_us: int) -> "ClockState":
        """State by adjtimex(2): its result, `status` and `maxerror`."""
        synchronized = result != TIME_ERROR and not status & STA_UNSYNC
        return cls(synchronized, bool(status & STA_CLOCKERR), max_error_us * 1000 if synchronized else None)


UNKNOWN: Final = ClockState(synchronized=False)


def time_quality(state: ClockState) -> int:
    """The octet for stamps of a clock in `state`."""
    octet = TimeQuality.LEAP_SECONDS_KNOWN if state.synchronized else TimeQuality.CLOCK_NOT_SYNCHRONIZED
    if state.failed:
        octet |= TimeQuality.CLOCK_FAILURE
    known = state.synchronized and state.error_ns is not None
    return octet | (accuracy(state.error_ns or 0) if known else TimeQuality.UNSPECIFIED)


def accuracy(error_ns: int) -> int:
    """The bits of a second's fraction that hold though the clock may be off by `error_ns`: the largest n with 2^-n s no less.

    31, unspecified, for more than a second.
    """
    if error_ns > 1_000_000_000:
        return TimeQuality.UNSPECIFIED
    return min(floor(log2(1e9 / error_ns)), FINEST_BITS) if error_ns > 0 else FINEST_BITS


def blurred(octet: int, error_ns: int) -> int:
    """`octet` for a moment that is known to `error_ns` only: the worse accuracy of both."""
    return octet & ~_ACCURACY | _coarser(octet & _ACCURACY, accuracy(error_ns))


def middle(end: Stamp, half_ns: int) -> Stamp:
    """Stamp of what happened some time in the 2 * `half_ns` before `end`: the middle of them in UTC, no finer than half of them.

    Its monotonic time stays that of the end.
    """
    return Stamp(end.monotonic_ns, end.utc_ns - half_ns, blurred(end.time_quality, half_ns))


def worst(first: int, second: int) -> int:
    """The octet for several stamps, with either: the worse of both in each part."""
    leap = first & second & TimeQuality.LEAP_SECONDS_KNOWN
    wrong = (first | second) & (TimeQuality.CLOCK_FAILURE | TimeQuality.CLOCK_NOT_SYNCHRONIZED)
    return leap | wrong | _coarser(first & _ACCURACY, second & _ACCURACY)


def _coarser(first: int, second: int) -> int:
    unspecified = TimeQuality.UNSPECIFIED in (first, second)
    return TimeQuality.UNSPECIFIED if unspecified else min(first, second)
