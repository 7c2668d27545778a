"""A simulated line's protocol from the devices' side: requests in, answers out, faults made (pure but for garbage).

octets ──► take ──► Turn: what the request took on the line, how late the device is, and what it answers
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from acquisition.drivers.adam_ascii import sealed
from acquisition.drivers.iec62056_21 import RATES, bcc
from acquisition.drivers.modbus_ascii import lrc
from acquisition.drivers.modbus_rtu import crc
from acquisition.simulate import adam, slave
from acquisition.simulate.device import SimulatedDevice
from mapping.plan import Obis, Reply

_REQUEST_LIMIT: Final = 256
_SHORTEST: Final = 4  # an RTU frame that asks for the server id
_READOUT_BAUDRATE: Final = 9600

Devices = Mapping[int, SimulatedDevice]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: `asked` octets of it, how late its device is, and its answer, at `baudrate` if that changes."""

    asked: int
    answer: Callable[[], bytes]
    late_s: float | None = None
    baudrate: int | None = None


class Answering(Protocol):
    """One protocol. What is no request is taken out of the buffer and gets no answer."""

    def take(self, buffer: bytearray) -> Turn | None:
        """The next request in `buffer`, which is removed from it; None while there is no whole one."""


def answering(protocol: str, devices: Devices, settings: Mapping[str, str | int | float | bool]) -> Answering:
    """The devices' side of `protocol`."""
    match protocol:
        case "modbus-rtu" | "modbus-rtu-over-tcp":
            return Rtu(devices)
        case "modbus-ascii":
            return Ascii(devices)
        case "adam-ascii":
            return Adam(devices, checksum=bool(settings.get("checksum", False)))
        case "serial-ascii":
            return Lines(devices)
        case "iec62056-21":
            return Readouts(devices, int(settings["baudrate"]), fixed=bool(settings.get("fixed_baudrate", False)))
    return Mbap(devices)


# ---------------------------------------------------------------------- Modbus


def _turn(devices: Devices, unit: int, asked: int, answer: Callable[[SimulatedDevice], bytes]) -> Turn:
    """The turn of the device `unit`, which may be absent or silent."""
    device = devices.get(unit)
    fault = None if device is None else device.fault
    if device is None or (fault is not None and fault.kind == "silent"):
        return Turn(asked, lambda: b"")
    late_s = fault.ms / 1000 if fault is not None and fault.kind == "late" else None
    return Turn(asked, lambda: answer(device), late_s)


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
        return _turn(self._devices, unit[6], len(unit), partial(self._answer, asked=unit))

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
                return _turn(self._devices, frame[0], size, partial(self._answer, asked=frame))
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
                return _turn(self._devices, octets[0], len(text) + 3, partial(self._answer, asked=octets[:-1]))
        return None

    def _answer(self, device: SimulatedDevice, asked: bytes) -> bytes:
        octets = _modbus(device, asked[0], asked[1:])
        octets = _faulty(device, octets + bytes((lrc(octets),)))
        return b":" + octets.hex().upper().encode("ascii") + b"\r\n"


# ---------------------------------------------------------------------- text


def _unreadable(device: SimulatedDevice) -> bool:
    return device.fault is not None and device.fault.kind in ("garbage", "crc", "exception")


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
                return _turn(self._devices, unit, end + 1, answer)
        return None

    def _answer(self, device: SimulatedDevice, command: str) -> bytes:
        fault = device.fault
        if fault is not None and fault.kind == "exception":
            text = f"?{command[1:3]}"
        else:
            text = "?" * 8 if _unreadable(device) else adam.answer(device, command)
        return sealed(text.encode("ascii"), checksum=self._checksum) if text else b""


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
                    return _turn(self._devices, unit, len(request), partial(self._answer, request=request))
        if len(buffer) > _REQUEST_LIMIT:
            buffer.clear()
        return None

    def _answer(self, device: SimulatedDevice, request: str) -> bytes:
        text = "?" * 8 if _unreadable(device) else device.line(request) or ""
        return (text + device.end_of(request)).encode("ascii", "replace")


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
                    return _turn(self._devices, unit, end, lambda _: b"/SIM%dGATEWAY\r\n" % RATES.index(self._offered))
            if text[-6:-4] == b"\x060" and text[-4:-3].isdigit() and text[-3:] == b"0\r\n":
                turn = _turn(self._devices, self._unit, end, self._readout)
                rate = RATES[min(int(text[-4:-3]), len(RATES) - 1)]
                return Turn(end, turn.answer, turn.late_s, rate)
        if len(buffer) > _REQUEST_LIMIT:
            buffer.clear()
        return None

    def _readout(self, device: SimulatedDevice) -> bytes:
        block = device.readout().encode("ascii", "replace") + b"!\r\n\x03"
        check = bcc(block) ^ _unreadable(device)
        return b"\x02" + block + bytes((check,))
