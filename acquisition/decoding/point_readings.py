"""Readings of points from the response to a block: registers of each point, value and quality (pure).

    no measurement, not a number          invalid
    beyond the point's limits             invalid, outOfRange
    no response, or an exception          see `failure_quality`

A value and the register that holds its scale stand in one request, or there is no value.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from acquisition.decoding import obis, scaling
from acquisition.decoding.scaling import Reading
from mapping.plan import Block, DevicePlan, Obis, PointPlan, Register, RegisterBlock, Reply


class PointReading(NamedTuple):
    """A point and its reading after an exchange."""

    point: int
    reading: Reading


class PointRegister(NamedTuple):
    """A point and its register."""

    point: PointPlan
    register: Register


def located(device: DevicePlan, block: Block) -> list[PointRegister]:
    """The points of a register block, those that lie wholly in it, by address."""
    if not isinstance(block, RegisterBlock):
        return []
    wanted = set(block.points)
    end = block.address + block.count
    found = [
        PointRegister(point, point.source)
        for point in device.points
        if point.number in wanted
        and isinstance(point.source, Register)
        and block.address <= point.source.address
        and point.source.address + point.source.count <= end
    ]
    return sorted(found, key=lambda one: one.register.address)


def borders(points: Sequence[PointRegister], block: RegisterBlock) -> list[int]:
    """The ends of the block's values, ascending, where it may be cut without tearing one; the block's own end last.

    Points that are declared `together` count as one value.
    """
    spans = _spans(points)
    return _untorn({end for _, end in spans}, spans, block)


def places(points: Sequence[PointRegister], block: RegisterBlock) -> list[int]:
    """As `borders`, and where its values begin: a gap between them counts as a value. The block's own begin is none."""
    spans = _spans(points)
    return _untorn({at for span in spans for at in span if at > block.address}, spans, block)


def _spans(points: Sequence[PointRegister]) -> list[tuple[int, int]]:
    """Where each value, or group that is declared `together`, begins, and where what follows it does."""
    spans: dict[tuple[bool, int], tuple[int, int]] = {}
    for point, register in points:
        key = (point.together is None, point.number if point.together is None else point.together)
        start, end = spans.get(key, (register.address, register.address))
        spans[key] = (min(start, register.address), max(end, register.address + register.count))
    return list(spans.values())


def _untorn(places: set[int], spans: Sequence[tuple[int, int]], block: RegisterBlock) -> list[int]:
    whole = [at for at in places if not any(start < at < end for start, end in spans)]
    return sorted({*whole, block.address + block.count})


def from_registers(points: Sequence[PointRegister], values: Mapping[int, int]) -> list[PointReading]:
    """The readings of the points whose registers are all in `values` (by address); those with a scale of their own last."""
    found, scaled = [], []
    for point, register in points:
        addresses = range(register.address, register.address + register.count)
        if all(address in values for address in addresses):
            raw = [values[address] for address in addresses]
            if point.scale_from is None:
                found.append(PointReading(point.number, scaling.reading(point, register, raw)))
            else:
                scaled.append((point, register, raw, point.scale_from.point))
    if scaled:
        plain = dict(found)
        found += [
            PointReading(point.number, scaling.scaled_reading(point, register, raw, plain.get(scale)))
            for point, register, raw, scale in scaled
        ]
    return found


def from_line(device: DevicePlan, numbers: Sequence[int], line: str) -> list[PointReading] | None:
    """The readings of the points whose expressions fit `line`; None if it fits none: an unsound answer.

    In a readout every point has a reading: a code that is not in it is invalid.
    """
    found = []
    for point in device.points:
        if point.number in numbers and isinstance(point.source, Reply):
            reading = scaling.text_reading(point, point.source, line)
            if reading is not None:
                found.append(PointReading(point.number, reading))
        elif point.number in numbers and isinstance(point.source, Obis):
            found.append(PointReading(point.number, obis.reading(point, point.source, line)))
    return found or None
