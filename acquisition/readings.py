"""From an answer to samples: which point lies where in a block, and what each is worth (pure).

The quality of what went wrong is decided here and nowhere else:

    no answer, or none that is sound      invalid, failure, oldData    the value stays
    the device said no (an exception)     invalid, failure             the value stays
    no measurement, not a number          invalid
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from acquisition import convert, obis
from acquisition.convert import Reading
from bus import quality
from mapping.plan import Block, DevicePlan, Obis, PointPlan, Register, RegisterBlock, Reply

EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure", 5: "acknowledge",
    6: "device busy", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway target did not respond",
}  # fmt: skip


class PointReading(NamedTuple):
    """What one point is worth after an exchange."""

    point: int
    reading: Reading


class Located(NamedTuple):
    """A point and where it stands."""

    point: PointPlan
    register: Register


def located(device: DevicePlan, block: Block) -> list[Located]:
    """The points of a register block, those that lie wholly in it, by address."""
    if not isinstance(block, RegisterBlock):
        return []
    wanted = set(block.points)
    end = block.address + block.count
    found = [
        Located(point, point.source)
        for point in device.points
        if point.number in wanted
        and isinstance(point.source, Register)
        and block.address <= point.source.address
        and point.source.address + point.source.count <= end
    ]
    return sorted(found, key=lambda one: one.register.address)


def borders(points: Sequence[Located], block: RegisterBlock) -> list[int]:
    """The ends of the block's values, ascending, where it may be cut without tearing one; the block's own end last."""
    ends = {one.register.address + one.register.count for one in points}
    whole = [
        end
        for end in ends
        if not any(one.register.address < end < one.register.address + one.register.count for one in points)
    ]
    return sorted({*whole, block.address + block.count})


def from_registers(points: Sequence[Located], values: Mapping[int, int]) -> list[PointReading]:
    """The readings of the points whose registers are all in `values` (by address)."""
    found = []
    for point, register in points:
        addresses = range(register.address, register.address + register.count)
        if all(address in values for address in addresses):
            raw = [values[address] for address in addresses]
            found.append(PointReading(point.number, convert.reading(point, register, raw)))
    return found


def from_line(device: DevicePlan, numbers: Sequence[int], line: str) -> list[PointReading] | None:
    """The readings of the points whose expressions fit `line`; None if it fits none: an unsound answer.

    In a readout every point has a reading: a code that is not in it is invalid.
    """
    found = []
    for point in device.points:
        if point.number in numbers and isinstance(point.source, Reply):
            reading = convert.text_reading(point, point.source, line)
            if reading is not None:
                found.append(PointReading(point.number, reading))
        elif point.number in numbers and isinstance(point.source, Obis):
            found.append(PointReading(point.number, obis.reading(point, point.source, line)))
    return found or None


def no_answer(numbers: Sequence[int], reason: str) -> list[PointReading]:
    """The readings of points of which nothing sound came; None as value means that the last one stays."""
    return [PointReading(number, Reading(None, quality.NO_ANSWER, reason)) for number in numbers]


def refused(numbers: Sequence[int], code: int) -> list[PointReading]:
    """The readings of points for which the device said no."""
    return [PointReading(number, Reading(None, quality.REFUSED, exception(code))) for number in numbers]


def exception(code: int) -> str:
    """A Modbus exception as people read it."""
    return f"exception {code} ({EXCEPTIONS.get(code, 'unknown')})"
