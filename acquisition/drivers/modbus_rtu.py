"""Modbus RTU: unit, PDU, CRC, on a serial line (Modbus over serial line, section 2.5.1).

    | unit | function | ... | CRC low | CRC high |

A frame's end is found from its length, never from silence: user space does not see 1.5 characters. Octets that can
begin neither a response nor a request are dropped one by one, so garbage, echoes and cut frames cost only themselves.
"""

from functools import partial
from typing import Final

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from acquisition.drivers import modbus, modbus_device
from acquisition.drivers.base import Ask, DriverSpec, ForeignRequest, Found, Question, SerialSettings
from acquisition.drivers.device_side import AnsweringDevice, Devices, Turn, turn_of
from mapping.protocols import Framing, Protocol

_SHORTEST: Final = 5
_SHORTEST_REQUEST: Final = 4  # asks for the server id
_LONGEST: Final = 254  # unit and PDU
_REQUESTS: Final = frozenset((1, 2, 3, 4, 15, 16))  # functions whose request is no response


class ModbusRtu:
    """RTU frames: which octets ask, and which octets answer."""

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(False))

    def request(self, ask: Ask, tag: int) -> bytes:
        """The frame that asks; RTU has no place for a tag."""
        if isinstance(ask, Question):
            raise TypeError("a question to a serial instrument on a Modbus line")
        return self._framer.encode(modbus.request_pdu(ask), ask.unit, tag)

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | ForeignRequest | None:
        """The next sound frame; a frame that is not the answer is Foreign, one that asks is ForeignRequest."""
        start, kept = 0, len(buffer)
        while len(buffer) - start >= _SHORTEST:
            size = modbus.reply_octets(bytes(buffer[start + 1 : start + _LONGEST]))
            end = start + (size or 0) + 3
            if size is None or (size and end > len(buffer)):
                if self._may_be(ask, buffer, start):
                    break  # the answer is still coming
            elif size and _sound(bytes(buffer[start:end])):
                frame = bytes(buffer[start:end])
                del buffer[:end]
                return modbus.judge(ask, frame[0], frame[1:-2])
            request = _request_at(buffer, start)
            if isinstance(request, ForeignRequest):
                return request
            if request:
                kept = min(kept, start)
            start += 1
        del buffer[: min(start, kept)]
        return None

    def _may_be(self, ask: Ask, buffer: bytearray, start: int) -> bool:
        """True if what begins at `start` may be the answer to `ask`, or a late one of another size."""
        if isinstance(ask, Question):
            return False
        return buffer[start] == ask.unit and buffer[start + 1] & 0x7F == modbus.function_of(ask)


def _request_at(buffer: bytearray, start: int) -> ForeignRequest | bool:
    """The request that begins at `start`, removed with all before it; True if one may still be coming."""
    if buffer[start + 1] not in _REQUESTS:
        return False
    end = start + 3 + modbus_device.request_octets(bytes(buffer[start + 1 : start + 8]))
    if end > len(buffer):
        return True
    frame = bytes(buffer[start:end])
    request = modbus.request_in(frame[0], frame[1:-2])
    if request is None or not _sound(frame):
        return False
    del buffer[:end]
    return request


def crc(octets: bytes) -> bytes:
    """The two octets that end a frame of `octets`."""
    return FramerRTU.compute_CRC(octets).to_bytes(2, "big")


def _sound(frame: bytes) -> bool:
    return crc(frame[:-2]) == frame[-2:]


class ModbusRtuDevices:
    """The device side of RTU frames."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while len(buffer) >= _SHORTEST_REQUEST:
            size = 3 + modbus_device.request_octets(bytes(buffer[1:8]))
            if len(buffer) < size:
                return None
            frame = bytes(buffer[:size])
            if _sound(frame):
                del buffer[:size]
                registers = modbus_device.registers_of(frame[1:-2])
                return turn_of(self._devices, frame[0], size, partial(self._answer, asked=frame), registers)
            del buffer[:1]
        return None

    def _answer(self, device: AnsweringDevice, asked: bytes) -> bytes:
        octets = modbus_device.answered(device, asked[0], asked[1:-2])
        return modbus_device.faulty(device, octets + crc(octets))


DRIVER: Final = DriverSpec(
    Protocol("modbus-rtu", SerialSettings, "serial", framing=Framing(silence=True), broadcast=True, modbus=True),
    lambda _: ModbusRtu(),
    lambda devices, _: ModbusRtuDevices(devices),
    checksum=True,
)
