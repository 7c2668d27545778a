"""Modbus PDUs, for the drivers that frame them; pymodbus' codecs, our strictness.

A reply is taken only if its function, its byte count and, for a write, address and value are those that were asked.
"""

from typing import Final

from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    ExceptionResponse,
    Foreign,
    ForeignRequest,
    Identification,
    Identity,
    Question,
    Read,
    Registers,
    Write,
)

READ_FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_DECODER: Final = DecodePDU(False)
_EXCEPTION: Final = 0x80
_ENCAPSULATED: Final = 43  # with MEI type 14: read device identification
_SERVER_ID: Final = 17
_BASIC_OBJECTS: Final = bytes((_ENCAPSULATED, 14, 1, 0))  # from object 0: vendor, product code, revision
READ_REQUEST_OCTETS: Final = 5
WRITE_HEADER_OCTETS: Final = 6
DATA_LIMIT: Final = 250  # octets of data in the response to a read
_OBJECTS_FROM: Final = 7  # octets before the first object of an identification


def function_of(ask: Ask) -> int:
    """The function code of `ask`."""
    match ask:
        case Read():
            return READ_FUNCTIONS[ask.table]
        case Write() | Identification():
            return ask.function
        case Question():
            raise TypeError("a question to a serial instrument on a Modbus line")


def request_pdu(ask: Ask) -> bytes:
    """The request PDU: function code and what follows."""
    if isinstance(ask, Identification):
        return _BASIC_OBJECTS if ask.function == _ENCAPSULATED else bytes((_SERVER_ID,))
    message = _message(ask)
    return bytes((function_of(ask),)) + bytes(message.encode())


def _message(ask: Read | Write | Question) -> ModbusPDU:
    match ask:
        case Read():
            return _READS[ask.table](address=ask.address, count=ask.count)
        case Write(function=5):
            return WriteSingleCoilRequest(address=ask.address, bits=[bool(ask.values[0])])
        case Write(function=6):
            return WriteSingleRegisterRequest(address=ask.address, registers=list(ask.values))
        case Write(function=15):
            return WriteMultipleCoilsRequest(address=ask.address, bits=[bool(value) for value in ask.values])
        case Write(function=16):
            return WriteMultipleRegistersRequest(address=ask.address, registers=list(ask.values))
        case Write(function=22):
            return MaskWriteRegisterRequest(address=ask.address, and_mask=ask.values[0], or_mask=ask.values[1])
        case Write():
            raise ValueError(f"function {ask.function}, expected 5, 6, 15, 16 or 22")
        case Question():
            raise TypeError("a question to a serial instrument on a Modbus line")


def octets_of_data(ask: Ask) -> int | None:
    """The byte count that a positive reply to `ask` has; None for a write."""
    if not isinstance(ask, Read):
        return None
    return -(-ask.count // 8) if ask.table in ("coil", "discrete") else 2 * ask.count


def reply_octets(pdu: bytes) -> int | None:
    """How long the reply PDU at the front of `pdu` is; None if too little of it is there; 0 if it can be no reply.

    Its first two octets tell, but for an identification: that is as long as its objects.
    """
    if not pdu:
        return None
    function = pdu[0]
    if function & _EXCEPTION:
        return 2
    if function in READ_FUNCTIONS.values() or function == _SERVER_ID:
        return None if len(pdu) < 2 else 2 + pdu[1]
    if function == 22:
        return 7
    if function == _ENCAPSULATED:
        return _identification_octets(pdu)
    return 5 if function in (5, 6, 15, 16) else 0


def _identification_octets(pdu: bytes) -> int | None:
    if pdu[1:2] not in (b"", b"\x0e"):
        return 0
    end = _OBJECTS_FROM
    for _ in range(pdu[6] if len(pdu) >= _OBJECTS_FROM else 1):
        if len(pdu) < end + 2:
            return None
        end += 2 + pdu[end + 1]
    return end


def judge(ask: Ask, unit: int, pdu: bytes) -> Registers | Identity | Confirmed | ExceptionResponse | Foreign:
    """Classify the sound response `pdu` from `unit` to `ask`: its result, an exception, or Foreign."""
    function = pdu[0]
    data = pdu[1] if function in READ_FUNCTIONS.values() and len(pdu) > 1 else None
    foreign = Foreign(unit, function, data, may_ask=data is not None and request_in(unit, pdu) is not None)
    if isinstance(ask, Question) or unit != ask.unit or function & 0x7F != function_of(ask):
        return foreign
    if function & _EXCEPTION:
        return ExceptionResponse(pdu[1])
    if isinstance(ask, Write):
        return Confirmed() if pdu == _confirmation(ask) else foreign
    if isinstance(ask, Identification):
        return Identity(_objects(pdu) if function == _ENCAPSULATED else (_printable(pdu[2:]),))
    if data is None or data != octets_of_data(ask) or len(pdu) != 2 + data:
        return foreign
    decoded = _DECODER.decode(pdu)
    if decoded is None:
        return foreign
    if ask.table in ("coil", "discrete"):
        return Registers(tuple(int(bit) for bit in decoded.bits[: ask.count]))
    return Registers(tuple(decoded.registers))


def request_in(unit: int, pdu: bytes) -> ForeignRequest | None:
    """The request that the sound `pdu` is; None if it is none, or one that looks like its own response (5, 6 and 22)."""
    function = pdu[0]
    if function in READ_FUNCTIONS.values() and len(pdu) == READ_REQUEST_OCTETS:
        count, bits = int.from_bytes(pdu[3:5], "big"), function <= READ_FUNCTIONS["discrete"]
        octets = -(-count // 8) if bits else 2 * count
        return ForeignRequest(unit, function, octets) if 1 <= octets <= DATA_LIMIT else None
    if function in (15, 16) and len(pdu) > WRITE_HEADER_OCTETS and len(pdu) == WRITE_HEADER_OCTETS + pdu[5]:
        return ForeignRequest(unit, function, None)
    return None


def _objects(pdu: bytes) -> tuple[str, ...]:
    """The texts of an identification, in the order of the answer."""
    texts, at = [], _OBJECTS_FROM
    while at + 2 <= len(pdu):
        texts.append(_printable(pdu[at + 2 : at + 2 + pdu[at + 1]]))
        at += 2 + pdu[at + 1]
    return tuple(texts)


def _printable(octets: bytes) -> str:
    return bytes(octet if 0x20 <= octet < 0x7F else 0x20 for octet in octets).decode("ascii").strip()


def _confirmation(ask: Write) -> bytes:
    if ask.function in (5, 6, 22):
        return request_pdu(ask)
    return bytes((ask.function,)) + ask.address.to_bytes(2, "big") + len(ask.values).to_bytes(2, "big")
