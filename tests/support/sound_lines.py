"""Sound serial lines in virtual time: their exchanges beside those of an ideal master.

An ideal master asks the planned blocks one after the other, and keeps no more silence than the frames need.
"""

from dataclasses import dataclass
from typing import Final

from acquisition.drivers.registry import by_protocol
from bench.line_shapes import shape
from mapping.block_planning import planner
from mapping.plan import DevicePlan, LinePlan
from tests.support.virtual_line import VirtualLine

BAUDRATES: Final = (9600, 19200, 115200)
WARM_UP_S: Final = 2.0


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
