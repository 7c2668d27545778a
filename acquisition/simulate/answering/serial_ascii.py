"""The devices' side of instruments that answer a request with a line of text."""

from functools import partial

from acquisition.simulate.answering.base import REQUEST_LIMIT, Devices, Turn, turn_of, unreadable
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import Reply


class Lines:
    """Instruments that answer a request with a line of text."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        for unit, device in self._devices.items():
            for point in device.plan.points:
                request = point.source.request if isinstance(point.source, Reply) else ""
                if request and buffer.startswith(request.encode("ascii")):
                    del buffer[: len(request)]
                    return turn_of(self._devices, unit, len(request), partial(self._answer, request=request))
        if len(buffer) > REQUEST_LIMIT:
            buffer.clear()
        return None

    def _answer(self, device: SimulatedDevice, request: str) -> bytes:
        text = "?" * 8 if unreadable(device) else device.line(request) or ""
        return (text + device.end_of(request)).encode("ascii", "replace")
