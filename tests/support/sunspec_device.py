"""A SunSpec device for tests: registers written out by hand, and a Modbus TCP server that shows them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

UNIT: Final = 126


def text(content: str, registers: int) -> list[int]:
    octets = content.encode().ljust(2 * registers, b"\0")
    return [octets[at] << 8 | octets[at + 1] for at in range(0, len(octets), 2)]


def model(number: int, length: int, points: dict[int, int]) -> list[int]:
    """ID, length and `length` registers, 0 but for `points`, by their offset from the ID as SunSpec prints it."""
    return [number, length, *(points.get(offset, 0) for offset in range(2, 2 + length))]


def common(length: int = 66) -> list[int]:
    fields = [*text("Fabrikam", 16), *text("PV 10", 16), *text("", 8), *text("1.4.2", 8), *text("S/N 77", 16), 1, 0]
    return [1, length, *fields[:length]]


INVERTER: Final = model(
    103,
    50,
    {
        2: 3702, 3: 1234, 4: 1231, 5: 1237, 6: 0xFFFE,  # currents, 10^-2 A
        10: 2301, 11: 2298, 12: 0xFFFF, 13: 0xFFFF,  # voltages, 10^-1 V; L3 is not there
        14: 845, 15: 1, 16: 4998, 17: 0xFFFE,  # 8450 W, 49.98 Hz
        18: 856, 19: 1, 20: 0xFF9C, 21: 0x8000,  # VA; var without a scale factor
        22: 9870, 23: 0xFFFE,  # 98.7 %
        24: 0x075B, 25: 0xCD15, 26: 0,  # 123456789 Wh
        33: 0xFFD8, 37: 0xFFFF, 38: 4,  # -4.0 degC, MPPT
    },
)  # fmt: skip
METER: Final = model(
    203,
    105,
    {
        8: 2305, 9: 2311, 10: 2299, 15: 0xFFFF,  # 10^-1 V
        18: 0xFA24, 19: 0xFE0C, 22: 1,  # -15000 W, -5000 W
        38: 0, 39: 0, 46: 1, 47: 0xE240, 54: 1,  # no export, 1234560 Wh imported
    },
)  # fmt: skip


def device(base: int = 40000, length: int = 66) -> dict[int, int]:
    """An inverter with the meter behind it: registers by address."""
    words = [
        0x5375, 0x6E53, *common(length), *INVERTER, *model(120, 26, {}), *common(65), *METER, 0xFFFF, 0,
    ]  # fmt: skip
    return dict(enumerate(words, base))


def read(registers: dict[int, int], address: int, count: int) -> tuple[int, ...] | None:
    """The registers, None if the device has not all of them or is asked for too many."""
    asked = range(address, address + count)
    return tuple(registers[at] for at in asked) if count <= 125 and all(at in registers for at in asked) else None


@contextmanager
def served(registers: dict[int, int], host: str = "127.0.0.1") -> Iterator[int]:
    """A Modbus TCP server on `host` that shows `registers` to one master at a time; its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the test is over
            with connection:
                while request := connection.recv(260):
                    connection.sendall(answer(registers, request))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def answer(registers: dict[int, int], request: bytes) -> bytes:
    """The unit that answers `request`, one of function 3."""
    unit, function = request[6], request[7]
    address, count = int.from_bytes(request[8:10], "big"), int.from_bytes(request[10:12], "big")
    words = read(registers, address, count) if (unit, function) == (UNIT, 3) else None
    if words is None:
        pdu = bytes((function | 0x80, 2))
    else:
        pdu = bytes((function, 2 * count)) + b"".join(word.to_bytes(2, "big") for word in words)
    return request[:4] + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu
