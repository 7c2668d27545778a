"""Measured values of a simulated device by point, and the scales that its registers give (pure)."""

from collections.abc import Callable, Sequence
from typing import Final

from acquisition.decoding import device_clocks, scaling
from acquisition.simulate import physics
from bus.messages import Value
from mapping import units
from mapping.plan import PointPlan, Register

TENTHS: Final = 20
EXPONENTS: Final = range(-3, 11)


def value(device: str, point: PointPlan, second: int) -> Value:
    """Value of the point at `second`, in its unit and limits: by its name, the value that a feeder would give.

    A point that a master can write stands still until one does: setpoints and parameters do not move by themselves.
    """
    source = point.source
    if point.enum:
        return point.enum[0][1]
    if isinstance(source, Register):
        if source.type in ("bool", "bit") or source.table in ("coil", "discrete"):
            return False
        if source.type.startswith("time:"):
            return max(second, device_clocks.EARLIEST_S)
    unit = units.parse(point.unit)
    moment = second if point.write is None else 0
    measured = physics.value(device, point.local_name, moment) / (unit.factor if unit else 1.0)
    if point.minimum is not None:
        measured = max(measured, point.minimum)
    if point.maximum is not None:
        measured = min(measured, point.maximum)
    return measured


def fitting(point: PointPlan, measured: Value, factor: float) -> Value:
    """`measured`, or as small a part of it as the register holds: a small meter for a small load."""
    if not isinstance(point.source, Register) or point.source.type == "string":
        return measured
    for _ in range(TENTHS):
        try:
            scaling.registers_of(point, point.source, measured, factor)
        except ValueError:
            measured = measured / 10 if isinstance(measured, int | float) else measured
        else:
            return measured
    return point.offset


def scale(scaled: Sequence[PointPlan], wanted: Callable[[PointPlan], Value]) -> int | float:
    """Scale register of the `scaled` points: the least power of ten in which all of them fit."""
    if not all(point.scale_from is not None and point.scale_from.power for point in scaled):
        return 1.0
    for exponent in EXPONENTS:
        try:
            for point in scaled:
                scaling.registers_of(point, point.source, wanted(point), 10.0**exponent)  # type: ignore[arg-type]  # a register: the schema says so
        except ValueError:
            continue
        return exponent
    return EXPONENTS[-1]
