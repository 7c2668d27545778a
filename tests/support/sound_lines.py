"""Sound serial lines in virtual time: their shapes, and their exchanges beside those of an ideal master.

An ideal master asks the planned blocks one after the other, and keeps no more silence than the frames need.
"""

from dataclasses import dataclass
from typing import Final

from acquisition.drivers.registry import by_protocol
from mapping.block_planning import planner
from mapping.plan import DevicePlan, LinePlan, PointPlan, PollSettings, Register, RegisterBlock, RegisterType
from tests.support.virtual_line import VirtualLine

BAUDRATES: Final = (9600, 19200, 115200)
TYPES: Final[dict[int, tuple[RegisterType, int]]] = {1: ("uint16", 1), 2: ("uint32", 2)}
WARM_UP_S: Final = 2.0


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


def line_of(devices: tuple[DevicePlan, ...], baudrate: int, *, seed: int = 1) -> VirtualLine:
    """An RTU line with `devices`."""
    settings: dict[str, str | int | float | bool] = {"port": "", "baudrate": baudrate}
    return VirtualLine(LinePlan("bench", "modbus-rtu", settings, devices), by_protocol()["modbus-rtu"], seed=seed)


@dataclass(frozen=True)
class Rate:
    """Blocks published in a second, of ours and of the ideal master, and all that was not as it should be."""

    ours: float
    ideal: float
    faults: list[str]

    @property
    def share(self) -> float:
        """Ours of the ideal one's."""
        return self.ours / self.ideal


def rate(name: str, baudrate: int, seconds: float, *, seed: int = 1) -> Rate:
    """The rate of a shape that is polled back to back."""
    devices = shape(name, 10)
    line = line_of(devices, baudrate, seed=seed)
    line.run(WARM_UP_S)
    began = len(line.published)
    line.run(seconds)
    ours = (len(line.published) - began) / seconds
    costs = planner.physics(by_protocol()["modbus-rtu"].protocol.framing, {"baudrate": baudrate})
    blocks = [block for device in devices for block in device.blocks]
    ideal = len(blocks) / sum(costs.exchange_s(block) for block in blocks)
    faults = [*line.wrong(), *(one.name for one in line.line.state().conditions if one.name != "no-identity")]
    faults += [reading.reading.reason for one in line.published for reading in one.read if reading.reading.reason]
    return Rate(ours, ideal, faults)
