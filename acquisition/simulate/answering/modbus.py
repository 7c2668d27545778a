"""The devices' side of Modbus: TCP units (MBAP), RTU frames and ASCII frames."""

import random
from functools import partial
from typing import Final

from acquisition.drivers.modbus_ascii import lrc
from acquisition.drivers.modbus_rtu import crc
from acquisition.simulate import slave
from acquisition.simulate.answering.base import Devices, Turn, turn_of
from acquisition.simulate.device import SimulatedDevice

_SHORTEST: Final = 4  # octets of an RTU frame that asks for the server id


def _modbus(device: SimulatedDevice, unit: int, pdu: bytes) -> bytes:
    """Unit and PDU of the answer."""
    fault = device.fault
    refused = fault is not None and fault.kind == "exception"
    answered = slave.exception(pdu[0], fault.code) if refused and fault is not None else slave.answer(device, pdu)
    return bytes((unit + (fault is not None and fault.kind == "wrong_unit") & 0xFF,)) + answered


def _faulty(device: SimulatedDevice, octets: bytes) -> bytes:
    """`octets` as they come on the line: their last one wrong, or all of them."""
    kind = None if device.fault is None else device.fault.kind
    if kind == "crc":
        return octets[:-1] + bytes((octets[-1] ^ 0xFF,))
    return random.randbytes(len(octets)) if kind == "garbage" else octets  # noqa: S311


class Mbap:
    """Units of Modbus TCP."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        if len(buffer) < 8:
            return None
        length = int.from_bytes(buffer[4:6], "big")
        if not 2 <= length <= 254:
            buffer.clear()
            return None
        if len(buffer) < 6 + length:
            return None
        unit = bytes(buffer[: 6 + length])
        del buffer[: 6 + length]
        return turn_of(self._devices, unit[6], len(unit), partial(self._answer, asked=unit))

    def _answer(self, device: SimulatedDevice, asked: bytes) -> bytes:
        answered = _modbus(device, asked[6], asked[7:])
        octets = asked[:4] + len(answered).to_bytes(2, "big") + answered
        if device.fault is not None and device.fault.kind == "crc":
            return random.randbytes(len(octets))  # noqa: S311 - there is no checksum to spoil
        return _faulty(device, octets)


class Rtu:
    """RTU frames."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while len(buffer) >= _SHORTEST:
            size = 3 + slave.request_octets(bytes(buffer[1:8]))
            if len(buffer) < size:
                return None
            frame = bytes(buffer[:size])
            if crc(frame[:-2]) == frame[-2:]:
                del buffer[:size]
                return turn_of(self._devices, frame[0], size, partial(self._answer, asked=frame))
            del buffer[:1]
        return None

    def _answer(self, device: SimulatedDevice, asked: bytes) -> bytes:
        octets = _modbus(device, asked[0], asked[1:-2])
        return _faulty(device, octets + crc(octets))


class Ascii:
    """ASCII frames."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while (end := buffer.find(b"\r\n")) >= 0:
            text = bytes(buffer[buffer.rfind(b":", 0, end) + 1 : end])
            del buffer[: end + 2]
            try:
                octets = bytes.fromhex(text.decode("ascii"))
            except ValueError:
                continue
            if len(octets) >= 3 and lrc(octets[:-1]) == octets[-1]:
                return turn_of(self._devices, octets[0], len(text) + 3, partial(self._answer, asked=octets[:-1]))
        return None

    def _answer(self, device: SimulatedDevice, asked: bytes) -> bytes:
        octets = _modbus(device, asked[0], asked[1:])
        octets = _faulty(device, octets + bytes((lrc(octets),)))
        return b":" + octets.hex().upper().encode("ascii") + b"\r\n"
