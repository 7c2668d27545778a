"""A Modbus RTU unit on a pseudo-terminal that keeps a real line's time: an octet takes as long as the baud rate says.

Written on its own, from the Modbus specification: it shares nothing with `acquisition`, which it measures.
"""

import os
import struct
import threading
import time
import tty
from dataclasses import dataclass, field
from typing import Final

CHARACTER_BITS: Final = 10  # 8N1
TURNAROUND_S: Final = 0.005
LENGTHS: Final = {1: 8, 3: 8, 5: 8, 6: 8}  # of requests; that of function 16 is in it


@dataclass(frozen=True, slots=True)
class Written:
    """One write: when its last octet had come (monotonic seconds), where, and what."""

    at_s: float
    function: int
    address: int
    words: tuple[int, ...]


@dataclass(eq=False)
class PacedUnit:
    """One unit with 2,000 holding registers and 100 coils. `silent`: it hears, and neither does nor says anything."""

    baudrate: int
    unit: int = 1
    silent: bool = False
    written: list[Written] = field(default_factory=list)
    exchanges: int = 0

    def __post_init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave  # kept open: the line does not end when the master closes it
        self._registers = [0] * 2000
        self._coils = [0] * 100
        self._character_s = CHARACTER_BITS / self.baudrate
        self._ends = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; the terminal goes."""
        self._ends = True
        os.close(self._slave)
        self._thread.join(2)
        os.close(self._master)

    def _serve(self) -> None:
        buffer = b""
        while not self._ends:
            try:
                came = os.read(self._master, 512)
            except OSError:
                return
            time.sleep(len(came) * self._character_s)  # they are there when the last has come, and no sooner
            buffer += came
            if (length := _length(buffer)) is None or len(buffer) < length:
                continue
            request, buffer = buffer[:length], b""
            if _crc(request) == 0 and request[0] == self.unit and not self.silent:
                self._send(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        function, address, count = struct.unpack_from(">xBHH", request)
        self.exchanges += 1
        match function:
            case 1:
                bits = self._coils[address : address + count]
                packed = sum(bit << at for at, bit in enumerate(bits)).to_bytes(-(-count // 8), "little")
                return bytes((self.unit, 1, len(packed))) + packed
            case 3:
                return bytes((self.unit, 3, 2 * count)) + struct.pack(
                    f">{count}H", *self._registers[address : address + count]
                )
            case 5:
                self._coils[address] = int(count == 0xFF00)
                words: tuple[int, ...] = (self._coils[address],)
            case 6:
                self._registers[address], words = count, (count,)
            case _:
                words = struct.unpack_from(f">{count}H", request, 7)
                self._registers[address : address + count] = words
        self.written.append(Written(time.monotonic(), function, address, words))
        return request[:6]

    def _send(self, answer: bytes) -> None:
        time.sleep(TURNAROUND_S)
        frame = answer + _crc(answer).to_bytes(2, "little")
        started, sent = time.monotonic(), 0
        while sent < len(frame):
            time.sleep(min(16, len(frame) - sent) * self._character_s)
            due = min(int((time.monotonic() - started) / self._character_s) + 1, len(frame))
            os.write(self._master, frame[sent:due])
            sent = due


def _length(buffer: bytes) -> int | None:
    if len(buffer) < 2:
        return None
    if buffer[1] == 16:
        return 9 + buffer[6] if len(buffer) > 6 else None
    return LENGTHS.get(buffer[1], len(buffer))


def _crc(octets: bytes) -> int:
    """The CRC of a frame; 0 for a whole frame that is sound."""
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
