"""This host's clocks, with what the kernel says of them: adjtimex(2), looked at once a second. Shell.

The kernel has its state from the daemon that disciplines it: chronyd (with `rtcsync`), ntpd, systemd-timesyncd, ptp4l
with phc2sys. Where there is no adjtimex, or it is forbidden, the clock counts as not synchronized.
"""

import ctypes
import sys
import time
from collections.abc import Callable
from typing import Final

from bus.clock import UNKNOWN, ClockState, time_quality
from bus.quality import Stamp

LOOK_EVERY_NS: Final = 1_000_000_000

OnChange = Callable[[ClockState | None, ClockState], None]


class _Timex(ctypes.Structure):
    """The head of `struct timex`, with room for the rest; `modes` 0 only asks."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def kernel_state() -> ClockState:
    """The state of the kernel's clock; UNKNOWN where the kernel does not say."""
    if sys.platform != "linux":
        return UNKNOWN
    found = _Timex()
    result = ctypes.CDLL(None).adjtimex(ctypes.byref(found))
    return UNKNOWN if result < 0 else ClockState.of_kernel(result, found.status, found.maxerror)


class SystemClock:
    """Both clocks of this host, and the quality of the second.

    `assumed_error_ns`: the site vouches for the clock, the kernel is not asked. `on_change(before, state)` is called with the
    first state (before is None then) and whenever the clock becomes synchronized, is so no more, fails or works again.
    """

    def __init__(
        self,
        assumed_error_ns: int | None = None,
        *,
        on_change: OnChange | None = None,
        read: Callable[[], ClockState] = kernel_state,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        assumed = ClockState(synchronized=True, error_ns=assumed_error_ns)
        self._read = read if assumed_error_ns is None else lambda: assumed
        self._monotonic_ns = monotonic_ns
        self._on_change = on_change
        self._state: ClockState | None = None
        self._quality = 0
        self._next_ns = -1

    def now(self) -> Stamp:
        """Stamp of this moment."""
        monotonic_ns = self._monotonic_ns()
        if monotonic_ns >= self._next_ns:
            self._look(monotonic_ns)
        return Stamp(monotonic_ns, time.time_ns(), self._quality)

    def _look(self, monotonic_ns: int) -> None:
        self._next_ns = monotonic_ns + LOOK_EVERY_NS
        before, state = self._state, self._read()
        self._state, self._quality = state, time_quality(state)
        if self._on_change is not None and (before is None or before[:2] != state[:2]):
            self._on_change(before, state)
