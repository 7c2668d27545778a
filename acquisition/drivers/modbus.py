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

from acquisition.drivers.base import Ask, Confirmed, Foreign, Question, Read, Refused, Registers, Write

READ_FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_DECODER: Final = DecodePDU(False)
_EXCEPTION: Final = 0x80


def function_of(ask: Ask) -> int:
    """The function code of `ask`."""
    match ask:
        case Read():
            return READ_FUNCTIONS[ask.table]
        case Write():
            return ask.function
        case Question():
            raise TypeError("a question to a serial instrument on a Modbus line")


def request_pdu(ask: Ask) -> bytes:
    """The request PDU: function code and what follows."""
    message = _message(ask)
    return bytes((function_of(ask),)) + bytes(message.encode())


def _message(ask: Ask) -> ModbusPDU:
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
    """How long the reply PDU at the front of `pdu` is; None if too little of it is there; 0 if it can be no reply."""
    if not pdu:
        return None
    function = pdu[0]
    if function & _EXCEPTION:
        return 2
    if function in READ_FUNCTIONS.values():
        return None if len(pdu) < 2 else 2 + pdu[1]
    if function == 22:
        return 7
    return 5 if function in (5, 6, 15, 16) else 0


def judge(ask: Ask, unit: int, pdu: bytes) -> Registers | Confirmed | Refused | Foreign:
    """What the sound reply `pdu` from `unit` is to `ask`."""
    function = pdu[0]
    data = pdu[1] if function in READ_FUNCTIONS.values() and len(pdu) > 1 else None
    foreign = Foreign(unit, function, data)
    if isinstance(ask, Question) or unit != ask.unit or function & 0x7F != function_of(ask):
        return foreign
    if function & _EXCEPTION:
        return Refused(pdu[1])
    if isinstance(ask, Write):
        return Confirmed() if pdu == _confirmation(ask) else foreign
    if data is None or data != octets_of_data(ask) or len(pdu) != 2 + data:
        return foreign
    decoded = _DECODER.decode(pdu)
    if decoded is None:
        return foreign
    if ask.table in ("coil", "discrete"):
        return Registers(tuple(int(bit) for bit in decoded.bits[: ask.count]))
    return Registers(tuple(decoded.registers))


def _confirmation(ask: Write) -> bytes:
    if ask.function in (5, 6, 22):
        return request_pdu(ask)
    return bytes((ask.function,)) + ask.address.to_bytes(2, "big") + len(ask.values).to_bytes(2, "big")
