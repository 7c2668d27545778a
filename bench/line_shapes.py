"""Shapes of serial lines on which our master is measured beside an ideal one: meters, their blocks, registers of each value."""

from typing import Final

from mapping.plan import DevicePlan, PointPlan, PollSettings, Register, RegisterBlock, RegisterType

TYPES: Final[dict[int, tuple[RegisterType, int]]] = {1: ("uint16", 1), 2: ("uint32", 2)}


def meter(unit: int, *blocks: tuple[int, int, int], every_ms: int, max_gap: int | None = None) -> DevicePlan:
    """A device with `blocks` of (first address, count, registers of each value)."""
    points: list[PointPlan] = []
    polled: list[RegisterBlock] = []
    for first, count, size in blocks:
        kind, registers = TYPES[size]
        made = [
            PointPlan(
                1000 * unit + at, f"m{unit}.r{at}", "", Register("holding", at, kind, registers), True, 60_000, every_ms
            )
            for at in range(first, first + count, size)
        ]
        points += made
        polled.append(RegisterBlock("holding", first, count, every_ms, tuple(one.number for one in made)))
    polling = PollSettings(timeout_ms=1000, retries=1, max_gap=max_gap)
    return DevicePlan(f"m{unit}", unit, None, polling, tuple(points), tuple(polled))


def shape(name: str, every_ms: int) -> tuple[DevicePlan, ...]:
    """The devices of a shape, each block polled every so often."""
    match name:
        case "one meter, two blocks of 40":
            return (meter(1, (0, 40, 1), (100, 40, 1), every_ms=every_ms),)
        case "eight meters of 20":
            return tuple(meter(unit, (0, 20, 1), every_ms=every_ms) for unit in range(1, 9))
        case "thirty meters of one float":
            return tuple(meter(unit, (0, 2, 2), every_ms=every_ms) for unit in range(1, 31))
        case _:
            singles = ((at, 2, 2) for at in range(40, 120, 10))
            return (meter(1, (0, 20, 2), *singles, every_ms=every_ms, max_gap=0),)


SHAPES: Final = (
    "one meter, two blocks of 40",
    "eight meters of 20",
    "thirty meters of one float",
    "one meter, nine blocks",
)
