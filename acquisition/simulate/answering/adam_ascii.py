"""The devices' side of ADAM-4000 modules: a command and an answer in ASCII."""

from functools import partial

from acquisition.drivers.adam_ascii import sealed
from acquisition.simulate import adam
from acquisition.simulate.answering.base import Devices, Turn, turn_of, unreadable
from acquisition.simulate.device import SimulatedDevice


class Adam:
    """ADAM modules."""

    def __init__(self, devices: Devices, *, checksum: bool) -> None:
        self._devices = devices
        self._checksum = checksum

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while (end := buffer.find(b"\r")) >= 0:
            text = bytes(buffer[:end])
            del buffer[: end + 1]
            command = text[:-2] if self._checksum else text
            unit = adam.unit_of(command.decode("ascii", "replace"))
            if unit is not None and sealed(command, checksum=self._checksum) == text + b"\r":
                answer = partial(self._answer, command=command.decode("ascii"))
                return turn_of(self._devices, unit, end + 1, answer)
        return None

    def _answer(self, device: SimulatedDevice, command: str) -> bytes:
        fault = device.fault
        if fault is not None and fault.kind == "exception":
            text = f"?{command[1:3]}"
        else:
            text = "?" * 8 if unreadable(device) else adam.answer(device, command)
        return sealed(text.encode("ascii"), checksum=self._checksum) if text else b""
