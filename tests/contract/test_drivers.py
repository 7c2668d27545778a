"""What every driver owes, whichever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.drivers.base import Ask, DriverSpec, Foreign, Question, Read, Registers, Text
from acquisition.drivers.registry import by_protocol

SPECS = sorted(by_protocol().values(), key=lambda spec: spec.protocol)
ASKS: dict[str, Ask] = {"serial-ascii": Question("SI\r\n")}
ANSWERS = {
    "modbus-rtu": bytes.fromhex("0104044366333 41b38".replace(" ", "")),
    "modbus-tcp": bytes.fromhex("00070000000701040443663334"),
    "serial-ascii": b"S S 1.0 kg\r\n",
}
TAG = 7


def ask_of(spec: DriverSpec) -> Ask:
    return ASKS.get(spec.protocol, Read(1, "input", 0, 2))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.protocol)
class TestEveryDriver:
    def test_it_finds_its_answer_in_one_piece_and_octet_by_octet(self, spec: DriverSpec) -> None:
        for chunks in ([ANSWERS[spec.protocol]], [bytes((one,)) for one in ANSWERS[spec.protocol]]):
            driver, buffer, found = spec.make(), bytearray(), []
            for chunk in chunks:
                buffer += chunk
                if (one := driver.take(ask_of(spec), TAG, buffer)) is not None:
                    found.append(one)
            assert found in ([Registers((0x4366, 0x3334))], [Text("S S 1.0 kg")])

    def test_it_takes_what_it_used_out_of_the_buffer(self, spec: DriverSpec) -> None:
        buffer = bytearray(ANSWERS[spec.protocol])
        assert spec.make().take(ask_of(spec), TAG, buffer) is not None
        assert bytes(buffer).strip(b"\n") == b""

    def test_no_octets_make_it_raise_or_loop(self, spec: DriverSpec) -> None:
        driver = spec.make()

        @given(st.binary(max_size=600))
        def take_all(octets: bytes) -> None:
            buffer = bytearray(octets)
            before = len(buffer) + 1
            while driver.take(ask_of(spec), TAG, buffer) is not None:
                assert len(buffer) < before
                before = len(buffer)
            assert len(buffer) <= 1024

        take_all()

    def test_it_refuses_unknown_keys_of_a_line(self, spec: DriverSpec) -> None:
        with pytest.raises(ValueError, match="nonsense"):
            spec.settings.model_validate({"host": "h", "port": "/dev/x" if spec.serial else 502, "nonsense": 1})


RTU = by_protocol()["modbus-rtu"]
READ = Read(1, "input", 0, 2)
GOOD = ANSWERS["modbus-rtu"]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\xff\x00\x55" + GOOD, Registers((0x4366, 0x3334))),
        (RTU.make().request(READ, 0) + GOOD, Registers((0x4366, 0x3334))),
        (GOOD[:-1] + b"\x00" + GOOD, Registers((0x4366, 0x3334))),
        (GOOD[:5] + GOOD, Registers((0x4366, 0x3334))),
        (bytes.fromhex("010402 0001 78f0".replace(" ", "")), Foreign(1, 4, 2)),
    ],
    ids=["garbage before", "echo", "wrong CRC", "cut and again", "late twin of another size"],
)
def test_an_rtu_frame_is_found_among_what_is_none(octets: bytes, expected: object) -> None:
    driver, buffer = RTU.make(), bytearray(octets)
    found = None
    while found is None or (isinstance(found, Foreign) and not isinstance(expected, Foreign)):
        found = driver.take(READ, 0, buffer)
        if found is None:
            break
    assert found == expected


def test_an_answer_with_another_transaction_id_is_foreign() -> None:
    answer = bytearray(ANSWERS["modbus-tcp"])
    assert isinstance(by_protocol()["modbus-tcp"].make().take(READ, TAG + 1, answer), Foreign)
