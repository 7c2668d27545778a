"""Functions 43/14 and 17: what a device says it is."""

import pytest

from acquisition.drivers import modbus, modbus_device
from acquisition.drivers.base import ExceptionResponse, Foreign, Identification, Identity
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.device import SimulatedDevice
from tests.support.field import meter

OBJECTS = bytes.fromhex("2b0e0101000003 0003616263 010164 0200".replace(" ", ""))  # abc, d and nothing
SERVER_ID = bytes.fromhex("1104014d31ff")
RTU = by_protocol()["modbus-rtu"]
WHO, ID = Identification(7, 43), Identification(7, 17)


def frame(pdu: bytes) -> bytes:
    from acquisition.drivers.modbus_rtu import crc

    return b"\x07" + pdu + crc(b"\x07" + pdu)


@pytest.mark.parametrize(("ask", "pdu"), [(WHO, "2b0e0100"), (ID, "11")])
def test_an_identification_asks_for_the_basic_objects_or_the_server_id(ask: Identification, pdu: str) -> None:
    assert modbus.request_pdu(ask).hex() == pdu


@pytest.mark.parametrize(
    ("ask", "pdu", "found"),
    [
        (WHO, OBJECTS, Identity(("abc", "d", ""))),
        (ID, SERVER_ID, Identity(("M1",))),
        (WHO, b"\xab\x01", ExceptionResponse(1)),
        (ID, b"\x91\x01", ExceptionResponse(1)),
        (WHO, SERVER_ID, Foreign(7, 17, None)),
    ],
)
def test_an_rtu_driver_finds_it_in_one_piece_and_octet_by_octet(ask: Identification, pdu: bytes, found: object) -> None:
    octets = frame(pdu)
    whole = bytearray(octets)
    assert RTU.make().take(ask, 0, whole) == found
    driver, buffer, seen = RTU.make(), bytearray(), []
    for octet in octets:
        buffer.append(octet)
        if (one := driver.take(ask, 0, buffer)) is not None:
            seen.append(one)
    assert seen in ([found], [])  # what another function answers may be dropped before it is whole
    assert seen == [found] or isinstance(found, Foreign)


@pytest.mark.parametrize("size", range(len(OBJECTS)))
def test_a_cut_identification_is_waited_for(size: int) -> None:
    assert modbus.reply_octets(OBJECTS[:size]) is None
    assert modbus.reply_octets(OBJECTS) == len(OBJECTS)


def test_another_encapsulated_interface_is_no_reply() -> None:
    assert modbus.reply_octets(b"\x2b\x0d\x01") == 0


@pytest.mark.parametrize("function", [43, 17])
def test_a_simulated_device_says_what_it_is(function: int) -> None:
    ask = Identification(3, function)  # type: ignore[arg-type]
    device = SimulatedDevice(meter("feeder1", 3, 0))
    answer = modbus_device.answer(device, modbus.request_pdu(ask))
    assert modbus.reply_octets(answer) == len(answer)
    texts = ("simulated", "feeder1", "1.0") if function == 43 else ("feeder1",)
    assert modbus.judge(ask, 3, answer) == Identity(texts)


@pytest.mark.parametrize(
    ("pdu", "octets"),
    [("0300000001", 5), ("11", 1), ("2b0e0100", 4), ("1600000000ffff", 7), ("10000000020400", 10), ("1000", 7)],
)
def test_a_request_is_as_long_as_its_function_says(pdu: str, octets: int) -> None:
    assert modbus_device.request_octets(bytes.fromhex(pdu)) == octets
