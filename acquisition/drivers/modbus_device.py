"""Modbus' device side, for the drivers that frame it: a request PDU in, the answer's PDU out, faults made (pure).

Registers that no point of a device has are an illegal address, unless between two that are.
"""

from typing import Final

from acquisition.drivers.device_side import BUSY, AnsweringDevice, RegisterRange
from mapping.plan import Table

_READS: Final[dict[int, Table]] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_TABLES: Final[dict[int, Table]] = {**_READS, 5: "coil", 6: "holding", 15: "coil", 16: "holding", 22: "holding"}
_BASIC_IDENTIFICATION: Final = bytes((43, 14, 1, 0))
_SERVER_ID: Final = bytes((17,))
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3


def answered(device: AnsweringDevice, unit: int, pdu: bytes) -> bytes:
    """Unit and PDU of the answer."""
    fault = device.fault
    refused = fault is not None and fault.kind == "exception"
    reply = exception(pdu[0], fault.code) if refused and fault is not None else answer(device, pdu)
    return bytes((unit + (fault is not None and fault.kind == "wrong_unit") & 0xFF,)) + reply


def faulty(device: AnsweringDevice, octets: bytes) -> bytes:
    """`octets` as they come on the line: the last one wrong, or every bit of them, which is a frame of no kind."""
    kind = None if device.fault is None else device.fault.kind
    if kind == "crc":
        return octets[:-1] + bytes((octets[-1] ^ 0xFF,))
    return inverted(octets) if kind == "garbage" else octets


def inverted(octets: bytes) -> bytes:
    """Every bit of `octets` turned."""
    return bytes(octet ^ 0xFF for octet in octets)


def answer(device: AnsweringDevice, pdu: bytes) -> bytes:
    """The PDU of the answer to the request `pdu`."""
    function = pdu[0]
    if device.busy():
        return exception(function, BUSY)
    if function in _READS and len(pdu) == 5:
        return _read(device, function, int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"))
    if function in (5, 6) and len(pdu) == 5:
        return _write_one(device, function, pdu)
    if function in (15, 16) and len(pdu) > 6 and len(pdu) == 6 + pdu[5]:
        return _write_many(device, function, pdu)
    if function == 22 and len(pdu) == 7:
        return _write_bits(device, pdu)
    if pdu == _BASIC_IDENTIFICATION:
        return _identification(device)
    if pdu == _SERVER_ID:
        text = _texts(device)[1].encode("ascii", "replace")
        return bytes((17, len(text) + 2, 0)) + text + b"\xff"
    return exception(function, ILLEGAL_FUNCTION)


def request_octets(pdu: bytes) -> int:
    """The length of the request PDU that begins with `pdu`, seven octets of it or all there are."""
    function = pdu[0]
    if function in (15, 16):
        return 6 + pdu[5] if len(pdu) > 5 else 7
    return {17: 1, 22: 7, 43: 4}.get(function, 5)


def registers_of(pdu: bytes) -> tuple[RegisterRange, ...]:
    """The registers or bits that the request `pdu` reads or writes, if it does."""
    table = _TABLES.get(pdu[0])
    if table is None or len(pdu) < 5:
        return ()
    first = int.from_bytes(pdu[1:3], "big")
    count = 1 if pdu[0] in (5, 6, 22) else int.from_bytes(pdu[3:5], "big")
    return (RegisterRange(table, first, first + max(count, 1) - 1),)


def _texts(device: AnsweringDevice) -> tuple[str, str, str]:
    return "simulated", device.plan.profile or device.plan.name, "1.0"


def _identification(device: AnsweringDevice) -> bytes:
    texts = [text.encode("ascii", "replace") for text in _texts(device)]
    objects = b"".join(bytes((number, len(text))) + text for number, text in enumerate(texts))
    return bytes((43, 14, 1, 1, 0, 0, len(texts))) + objects


def exception(function: int, code: int) -> bytes:
    """The exception `code` for `function`."""
    return bytes((function | 0x80, code))


def _read(device: AnsweringDevice, function: int, address: int, count: int) -> bytes:
    table = _READS[function]
    bits = table in ("coil", "discrete")
    if not 1 <= count <= (2000 if bits else 125):
        return exception(function, ILLEGAL_VALUE)
    known = [at for (own, at) in device.registers if own == table]
    if not known or address < min(known) or address + count - 1 > max(known):
        return exception(function, ILLEGAL_ADDRESS)
    words = device.read(table, address, count)
    if not bits:
        return bytes((function, 2 * count)) + b"".join(word.to_bytes(2, "big") for word in words)
    packed = sum(bool(word) << place for place, word in enumerate(words))
    octets = -(-count // 8)
    return bytes((function, octets)) + packed.to_bytes(octets, "little")


def _writable(device: AnsweringDevice, table: str, address: int, count: int) -> bool:
    return all(
        any(
            point.write is not None
            and point.write.table == table
            and point.write.address <= at < point.write.address + point.write.count
            for point in device.plan.points
        )
        for at in range(address, address + count)
    )


def _write_one(device: AnsweringDevice, function: int, pdu: bytes) -> bytes:
    table = "coil" if function == 5 else "holding"
    address, word = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    if not _writable(device, table, address, 1):
        return exception(function, ILLEGAL_ADDRESS)
    if function == 5 and word not in (0, 0xFF00):
        return exception(function, ILLEGAL_VALUE)
    device.written(table, address, [int(word == 0xFF00) if function == 5 else word])
    return pdu


def _write_bits(device: AnsweringDevice, pdu: bytes) -> bytes:
    address, stay, set_ = (int.from_bytes(pdu[at : at + 2], "big") for at in (1, 3, 5))
    if not _writable(device, "holding", address, 1):
        return exception(pdu[0], ILLEGAL_ADDRESS)
    word = device.registers.get(("holding", address), 0)
    device.written("holding", address, [word & stay | set_ & ~stay & 0xFFFF])
    return pdu


def _write_many(device: AnsweringDevice, function: int, pdu: bytes) -> bytes:
    table = "coil" if function == 15 else "holding"
    address, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    if pdu[5] != (-(-count // 8) if function == 15 else 2 * count):
        return exception(function, ILLEGAL_VALUE)
    if not _writable(device, table, address, count):
        return exception(function, ILLEGAL_ADDRESS)
    if function == 15:
        packed = int.from_bytes(pdu[6:], "little")
        words = [packed >> place & 1 for place in range(count)]
    else:
        words = [int.from_bytes(pdu[6 + 2 * place : 8 + 2 * place], "big") for place in range(count)]
    device.written(table, address, words)
    return pdu[:5]
