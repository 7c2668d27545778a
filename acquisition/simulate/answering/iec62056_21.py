"""The devices' side of meters that are read out (IEC 62056-21, mode C)."""

from typing import Final

from acquisition.drivers.iec62056_21 import RATES, bcc
from acquisition.simulate.answering.base import REQUEST_LIMIT, Devices, Turn, turn_of, unreadable
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import Obis

_READOUT_BAUDRATE: Final = 9600


class Readouts:
    """Meters that are read out (IEC 62056-21, mode C)."""

    def __init__(self, devices: Devices, baudrate: int, *, fixed: bool) -> None:
        self._by_request = {
            point.source.request.encode("ascii"): unit
            for unit, device in devices.items()
            for point in device.plan.points
            if isinstance(point.source, Obis)
        }
        self._devices = devices
        self._offered = baudrate if fixed else _READOUT_BAUDRATE
        self._unit = -1  # of the meter that has been signed on

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        buffer[:] = bytes(octet & 0x7F for octet in buffer)
        while (end := buffer.find(b"\r\n") + 2) >= 2:
            text = bytes(buffer[:end])
            del buffer[:end]
            for request, unit in self._by_request.items():
                if text.endswith(request):
                    self._unit = unit
                    return turn_of(
                        self._devices, unit, end, lambda _: b"/SIM%dGATEWAY\r\n" % RATES.index(self._offered)
                    )
            if text[-6:-4] == b"\x060" and text[-4:-3].isdigit() and text[-3:] == b"0\r\n":
                turn = turn_of(self._devices, self._unit, end, self._readout)
                rate = RATES[min(int(text[-4:-3]), len(RATES) - 1)]
                return Turn(end, turn.answer, turn.late_s, rate)
        if len(buffer) > REQUEST_LIMIT:
            buffer.clear()
        return None

    def _readout(self, device: SimulatedDevice) -> bytes:
        block = device.readout().encode("ascii", "replace") + b"!\r\n\x03"
        check = bcc(block) ^ unreadable(device)
        return b"\x02" + block + bytes((check,))
