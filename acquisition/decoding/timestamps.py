"""Time stamp of an exchange: the gateway's, or the device's own where its clock was read along (pure).

It is not known how a device's clock is set: its stamp is never called synchronized (D91), and is no finer than
the register counts. The gateway's stamp is the middle of the exchange, blurred by half its duration (D83).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from bus import quality
from bus.clock import accuracy
from bus.quality import Stamp, TimeQuality
from mapping.plan import DevicePlan, PointPlan, Register

_MS_NS: Final = 1_000_000
_S_NS: Final = 1_000_000_000


def clocks_of(devices: Sequence[DevicePlan]) -> dict[int, PointPlan]:
    """The points that show the clock of their device, by number."""
    return {point.number: point for device in devices for point in device.points if point.number == device.clock}


def stamp(read: Sequence[PointReading], clocks: Mapping[int, PointPlan], gateway: Stamp) -> Stamp:
    """The stamp of one exchange: the device's, if its clock is among what was read and shows a time."""
    for number, reading in read if clocks else ():
        if number in clocks:
            return _own(clocks[number], reading, gateway.monotonic_ns) or gateway
    return gateway


def _own(clock: PointPlan, reading: Reading, monotonic_ns: int) -> Stamp | None:
    shown = reading.value
    if not isinstance(clock.source, Register) or isinstance(shown, bool | str | None):
        return None
    if not quality.is_good(reading.quality):
        return None
    resolution_ns = _MS_NS if clock.source.type == "time:iec870" else round(_S_NS * abs(clock.scale))
    time_quality = TimeQuality.CLOCK_NOT_SYNCHRONIZED | accuracy(resolution_ns)
    return Stamp(monotonic_ns, round(shown * 1000) * _MS_NS, time_quality)
