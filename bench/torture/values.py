"""Values of the simulated registers: each holds its unit, its address and the time, so that a wrong value is recognised.

    float32   unit * 1,000,000 + address * 1,000 + tick      unit 1..15, address 0..999 and even, a tick of 50 ms modulo 1,000
    coil      the units, eights of addresses and periods of 15 s alternate: neighbouring blocks of a unit are inverse

A float32 holds such a number exactly. An odd address is the second register of the float before it.
"""

import math
import struct
from enum import Enum
from typing import Final

TICK_S: Final = 0.05
TICKS: Final = 1000
FLIP_S: Final = 15.0  # a coil changes as often
TOLERANCE_S: Final = 0.1  # of the clocks of two OS processes, and of the way to the client
TWIN: Final = 8  # added to the unit by the second device with its address


class Verdict(Enum):
    """Judgement of one reading with good quality."""

    RIGHT = "right"
    FOREIGN = "foreign"  # the value of another register, or of none
    OLD = "old"  # the register's own value, of another time than `t` and the staleness limit name


def number(unit: int, address: int, at: float) -> int:
    """The value of the float32 at `address` at the UTC time `at`, in seconds."""
    return unit * 1_000_000 + address * 1_000 + int(at / TICK_S) % TICKS


def word(unit: int, address: int, at: float) -> bytes:
    """The two octets of one register."""
    octets = struct.pack(">f", number(unit, address & ~1, at))
    return octets[2:] if address % 2 else octets[:2]


def coil(unit: int, address: int, at: float) -> bool:
    """One coil."""
    return bool((unit + address // 8 + int(at / FLIP_S)) % 2)


def judged(value: float, identity: int, stamp: float, read_at: float, exchange_s: float, stale_s: float) -> Verdict:
    """Judgement of a good number that was read at `read_at` with the time stamp `stamp`.

    `identity` is the number without its tick, in thousands; `exchange_s` is the longest exchange with all its tries: the
    register held the value at most so long before `stamp`.
    """
    if not math.isfinite(value) or value != int(value) or int(value) // TICKS != identity:
        return Verdict.FOREIGN
    ticks = (int(read_at / TICK_S) - int(value)) % TICKS
    if ticks > TICKS // 2:
        ticks -= TICKS  # the clock of the reader may be a tick behind
    age = (ticks - 1) * TICK_S  # at the least
    before_stamp = age - (read_at - stamp)
    limits = age <= stale_s + TOLERANCE_S and before_stamp <= exchange_s + TOLERANCE_S
    return Verdict.RIGHT if limits else Verdict.OLD


def judged_coil(value: bool, unit: int, address: int, read_at: float, stale_s: float) -> Verdict:
    """Judgement of a good coil: right if the device held it at any time within the staleness limit."""
    times = (read_at - (stale_s + TOLERANCE_S) * part / 4 for part in range(5))
    return Verdict.RIGHT if value in {coil(unit, address, at) for at in times} else Verdict.FOREIGN
