"""Quality of points whose exchange has failed: the reason why a point is invalid is decided here and nowhere else (pure).

no answer, or none that is sound      invalid, failure, oldData    the value stays
the device sent an exception          invalid, failure             the value stays
"""

from collections.abc import Sequence

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from bus import quality

INCONSISTENT = quality.Quality(quality.INVALID | quality.INCONSISTENT)
EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure", 5: "acknowledge",
    6: "device busy", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway target did not respond",
}  # fmt: skip


def no_answer(numbers: Sequence[int], reason: str) -> list[PointReading]:
    """Readings of points without a sound response; None as value means that the last one stays."""
    return [PointReading(number, Reading(None, quality.NO_ANSWER, reason)) for number in numbers]


def refused(numbers: Sequence[int], code: int) -> list[PointReading]:
    """Readings of points for which the device sent an exception."""
    return [PointReading(number, Reading(None, quality.REFUSED, exception(code))) for number in numbers]


def inconsistent(numbers: Sequence[int], reason: str) -> list[PointReading]:
    """Readings of points to which there are two different responses."""
    return [PointReading(number, Reading(None, INCONSISTENT, reason)) for number in numbers]


def exception(code: int) -> str:
    """A Modbus exception as people read it."""
    return f"exception {code} ({EXCEPTIONS.get(code, 'unknown')})"
