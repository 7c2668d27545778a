r"""Octets of the simulated devices: Modbus RTU, lines of text, ADAM commands. No code of the gateway.

RTU      unit function data CRC-16 (low octet first)
text     "V?100\n" asks for the value at address 100 of the only unit, "1100042\r\n" answers: one bare number
ADAM     "#01N\r" asks module 01 for channel N, ">+1042.0\r" answers
readout  "/?1!\r\n" asks meter 1, "/TOR-1\r\n" STX "31.7.0(1031042*A)\r\n" ... "!\r\n" ETX BCC answers (IEC 62056-21, mode A)
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Final

from bench.torture import values

READS: Final = (1, 2, 3, 4)
LONGEST: Final = 300  # octets of a request; what is longer is no request
ILLEGAL_FUNCTION: Final = 1
OBIS: Final = {31: ("31.7.0", "A"), 32: ("32.7.0", "V")}
"""Code and unit of the values of a readout, by their addresses here."""

Take = Callable[[bytearray], bytes | None]
Answer = Callable[[bytes], bytes | None]


def crc(octets: bytes) -> bytes:
    """CRC-16 of Modbus RTU."""
    value = 0xFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def rtu(body: bytes) -> bytes:
    """An RTU frame of unit, function and data."""
    return body + crc(body)


def read_request(unit: int, function: int, address: int, count: int) -> bytes:
    """A read as RTU."""
    return rtu(bytes((unit, function)) + address.to_bytes(2, "big") + count.to_bytes(2, "big"))


def exception(request: bytes, code: int) -> bytes:
    """The exception response to an RTU request."""
    return rtu(bytes((request[0], request[1] | 0x80, code)))


def take_rtu(buffer: bytearray) -> bytes | None:
    """The next request of eight octets, removed from `buffer`; octets before it that fit no CRC are dropped."""
    while len(buffer) >= 8:
        frame = bytes(buffer[:8])
        if crc(frame[:6]) == frame[6:]:
            del buffer[:8]
            return frame
        del buffer[0]
    return None


def take_line(buffer: bytearray) -> bytes | None:
    """The next request that ends with CR or LF, removed from `buffer`."""
    for at, octet in enumerate(buffer):
        if octet in b"\r\n":
            line = bytes(buffer[: at + 1])
            del buffer[: at + 1]
            return line
    del buffer[:-LONGEST]
    return None


def answer_rtu(units: Mapping[int, int], request: bytes) -> bytes | None:
    """The response to a read at this moment, None from a unit that is not there; `units` has the identity of each."""
    identity = units.get(request[0])
    if identity is None:
        return None
    address, count, now = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big"), time.time()
    if request[1] not in READS:
        return exception(request, ILLEGAL_FUNCTION)
    if request[1] > 2:
        data = b"".join(values.word(identity, at, now) for at in range(address, address + count))
    else:
        bits = sum(values.coil(identity, address + at, now) << at for at in range(count))
        data = bits.to_bytes(-(-count // 8), "little")
    return rtu(request[:2] + bytes((len(data),)) + data)


def answer_text(request: bytes) -> bytes | None:
    """The response of an instrument: a bare number."""
    if not request.startswith(b"V?"):
        return None
    return b"%d\r\n" % values.number(1, int(request[2:]), time.time())


def answer_adam(request: bytes) -> bytes | None:
    """The response of an ADAM module to `#AAN`: seven digits that hold channel and time, `+NTTT.0`."""
    if len(request) != 5 or request[:1] != b"#":
        return None
    tick = int(time.time() / values.TICK_S) % values.TICKS
    return b">+%d%03d.0\r" % (int(request[3:4]), tick)


def answer_readout(request: bytes) -> bytes | None:
    """The identification and the readout of one of two meters; requests come with parity or without."""
    asked = re.fullmatch(rb"/\?([12])!\r\n?", bytes(octet & 0x7F for octet in request))
    if asked is None:
        return None
    now, meter = time.time(), int(asked[1])
    lines = [f"{code}({values.number(meter, at, now)}*{unit})\r\n" for at, (code, unit) in OBIS.items()]
    block = "".join(lines).encode() + b"!\r\n\x03"
    return b"/TOR-%d\r\n\x02" % meter + block + bytes((reduce(xor, block),))
