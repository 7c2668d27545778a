"""The contract of every driver, ours and those of other packages that are installed: its master side and its device side."""

from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition import drivers
from acquisition.drivers.base import (
    Ask,
    Confirmed,
    Continue,
    Driver,
    DriverSpec,
    ExceptionResponse,
    Foreign,
    ForeignRequest,
    Question,
    Read,
    Registers,
    Step,
    Text,
    Write,
)
from acquisition.drivers.device_side import Answering, Fault
from acquisition.drivers.modbus import judge
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.device import SimulatedDevice
from bus.plugins import constants
from mapping.plan import DevicePlan, Obis, PointPlan, PollSettings, Register, Reply

SPECS = sorted(by_protocol().values(), key=lambda spec: spec.name)
OURS = sorted(spec.name for _, spec in constants(drivers, "DRIVER", DriverSpec))
BOUND_OCTETS = 40_000  # what a driver may keep of a stranger's octets

READ = Read(1, "input", 0, 2)
WORDS = Registers((0x4366, 0x3334))
MBAP = bytes.fromhex("000700000007 01 04 04 43663334")
RTU_FRAME = bytes.fromhex("01 04 04 43663334 1b38")
TAG = 7

# protocol: what is asked, the whole of an answer, and what that is
EXAMPLES: dict[str, tuple[Ask, bytes, Registers | Text]] = {
    "adam-ascii": (READ, b">+230.20\r", Registers((0x4366, 0x3333))),
    "iec62056-21": (
        Question("/?!\r\n"),
        b"/ABB5\\@V9.20\r\n\x021.8.0(001234.567*kWh)\r\n!\r\n\x03\x7a",
        Text("1.8.0(001234.567*kWh)\r\n"),
    ),
    "modbus-ascii": (READ, b":01040443663334E7\r\n", WORDS),
    "modbus-rtu": (READ, RTU_FRAME, WORDS),
    "modbus-rtu-over-tcp": (READ, RTU_FRAME, WORDS),
    "modbus-tcp": (READ, MBAP, WORDS),
    "modbus-tls": (READ, MBAP, WORDS),
    "modbus-udp": (READ, MBAP, WORDS),
    "serial-ascii": (Question("SI\r\n"), b"S S 1.0 kg\r\n", Text("S S 1.0 kg")),
    "simulated": (READ, MBAP, WORDS),
    "tcp-ascii": (Question("SI\r\n"), b"S S 1.0 kg\r\n", Text("S S 1.0 kg")),
}
ADDRESSED = [spec.name for spec in SPECS if spec.name in EXAMPLES and spec.protocol.modbus]  # an answer tells its unit
SEALED = [spec.name for spec in SPECS if spec.name in EXAMPLES and spec.checksum]


def found_in(driver: Driver, ask: Ask, chunks: Iterable[bytes]) -> list[Step]:
    """Results of the driver while `chunks` come, except steps that only continue a conversation."""
    buffer, found = bytearray(), list[Step]()
    for chunk in chunks:
        buffer += chunk
        while (one := driver.take(ask, TAG, buffer)) is not None:
            found.append(one)
    return [one for one in found if not isinstance(one, Continue)]


# ---------------------------------------------------------------------- its device side

SETPOINT = Register("holding", 10, "float32", 2)
SOURCES: dict[type, tuple[Register | Reply | Obis, Read | Question]] = {
    Register: (Register("input", 0, "float32", 2), Read(1, "input", 0, 2)),
    Reply: (
        Reply("SI\r\n", r"S (?P<state>[SDI]) +(?P<value>[-0-9.]+) kg", "value", (("state", "S"),)),
        Question("SI\r\n"),
    ),
    Obis: (Obis("/?!\r\n", "1.8.0"), Question("/?!\r\n")),
}


def simulated(spec: DriverSpec) -> SimulatedDevice:
    """A device that shows 230.5 at its point `power`, and where the protocol has registers a `setpoint` of 7."""
    source, _ = SOURCES[spec.protocol.asks]
    points = [PointPlan(0, "d.power", "", source, polled=True, stale_after_ms=0, every_ms=0)]
    if spec.protocol.asks is Register:
        written = PointPlan(1, "d.setpoint", "", SETPOINT, polled=True, stale_after_ms=0, every_ms=0, write=SETPOINT)
        points.append(written)
    plan = DevicePlan("d", 1, None, PollSettings(), tuple(points), ())
    device = SimulatedDevice(plan)
    device.tick(0)
    device.set("power", 230.5)
    return device


def shown(spec: DriverSpec, device: SimulatedDevice) -> Registers | Text:
    """The answer that `device` owes to who asks for its `power`."""
    source, ask = SOURCES[spec.protocol.asks]
    if isinstance(ask, Read):
        return Registers(tuple(device.read(ask.table, ask.address, ask.count)))
    return Text(device.readout() if isinstance(source, Obis) else device.line(ask.text) or "")


def conversation(answering: Answering, driver: Driver, ask: Ask) -> tuple[bytes, list[Step]]:
    """The octets that the device side answers to `ask`, and what the master side finds in them."""
    sent, heard, said, found = bytearray(driver.request(ask, TAG)), bytearray(), b"", list[Step]()
    while (turn := answering.take(sent)) is not None:
        answer = turn.answer()
        said += answer
        heard += answer
        while (step := driver.take(ask, TAG, heard)) is not None:
            if isinstance(step, Continue):
                sent += step.octets
            else:
                found.append(step)
    return said, found


def example(spec: DriverSpec) -> tuple[Ask, bytes, Registers | Text]:
    """A question, the octets of its answer, and what that is: of ours as a manual has it, of others as their device side."""
    if spec.name in EXAMPLES:
        return EXAMPLES[spec.name]
    device, ask = simulated(spec), SOURCES[spec.protocol.asks][1]
    said, _ = conversation(spec.devices({1: device}, {}), spec.make(), ask)
    return ask, said, shown(spec, device)


def test_every_driver_of_ours_has_its_example() -> None:
    assert sorted(EXAMPLES) == OURS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
class TestEveryDeviceSide:
    def test_it_answers_what_the_master_side_asks(self, spec: DriverSpec) -> None:
        device, (_, ask) = simulated(spec), SOURCES[spec.protocol.asks]
        _, found = conversation(spec.devices({1: device}, {}), spec.make(), ask)
        assert found == [shown(spec, device)]
        device.set("power", 17.25)
        _, again = conversation(spec.devices({1: device}, {}), spec.make(), ask)
        assert again == [shown(spec, device)]
        assert again != found

    def test_it_takes_a_request_octet_by_octet_unless_a_read_gives_a_whole_datagram(self, spec: DriverSpec) -> None:
        device, (_, ask) = simulated(spec), SOURCES[spec.protocol.asks]
        answering, buffer, turns = spec.devices({1: device}, {}), bytearray(), 0
        for octet in spec.make().request(ask, TAG):
            buffer.append(octet)
            turns += answering.take(buffer) is not None
        assert turns == 1
        assert not buffer

    def test_a_silent_device_and_one_that_is_not_there_say_nothing(self, spec: DriverSpec) -> None:
        device, (_, ask) = simulated(spec), SOURCES[spec.protocol.asks]
        device.fault = Fault("silent")
        assert conversation(spec.devices({1: device}, {}), spec.make(), ask) == (b"", [])
        assert conversation(spec.devices({}, {}), spec.make(), ask) == (b"", [])

    def test_a_late_device_says_by_how_much(self, spec: DriverSpec) -> None:
        device, (_, ask) = simulated(spec), SOURCES[spec.protocol.asks]
        device.fault = Fault("late", ms=700)
        turn = spec.devices({1: device}, {}).take(bytearray(spec.make().request(ask, TAG)))
        assert turn is not None
        assert turn.late_s == 0.7

    @pytest.mark.parametrize("kind", ["garbage", "crc", "exception"])
    def test_a_fault_spoils_the_answer(self, spec: DriverSpec, kind: str) -> None:
        device, (_, ask) = simulated(spec), SOURCES[spec.protocol.asks]
        device.fault = Fault(kind)
        said, found = conversation(spec.devices({1: device}, {}), spec.make(), ask)
        assert said
        assert shown(spec, device) not in found

    def test_no_octets_make_it_raise_or_keep_them_all(self, spec: DriverSpec) -> None:
        request = spec.make().request(SOURCES[spec.protocol.asks][1], TAG)
        pieces = st.sampled_from([request, request[:3], request[3:], b"\r\n", b"\r", b":", b"#", b"/?"])

        @given(st.lists(st.binary(max_size=80) | pieces, max_size=12))
        def take_all(chunks: list[bytes]) -> None:
            answering, buffer = spec.devices({1: simulated(spec)}, {}), bytearray()
            for chunk in chunks:
                buffer += chunk
                while (turn := answering.take(buffer)) is not None:
                    turn.answer()
                assert len(buffer) <= BOUND_OCTETS

        take_all()


@pytest.mark.parametrize("spec", [one for one in SPECS if one.protocol.asks is Register], ids=lambda spec: spec.name)
def test_what_the_master_side_writes_the_device_has_taken(spec: DriverSpec) -> None:
    device, words = simulated(spec), (0x40E0, 0)
    _, found = conversation(spec.devices({1: device}, {}), spec.make(), Write(1, 16, SETPOINT.address, words))
    assert found == [Confirmed()]
    assert device.values["setpoint"] == 7.0
    assert list(device.writes) == [("holding", 10, words)]


# ---------------------------------------------------------------------- its master side


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
class TestEveryDriver:
    def test_it_finds_its_answer_in_one_piece(self, spec: DriverSpec) -> None:
        ask, answer, expected = example(spec)
        assert found_in(spec.make(), ask, [answer]) == [expected]

    def test_it_finds_its_answer_octet_by_octet_unless_a_read_gives_a_whole_datagram(self, spec: DriverSpec) -> None:
        ask, answer, expected = example(spec)
        found = found_in(spec.make(), ask, [bytes((one,)) for one in answer])
        assert found == ([] if spec.transport == "udp" else [expected])

    def test_an_answer_that_is_cut_anywhere_is_none(self, spec: DriverSpec) -> None:
        ask, answer, _ = example(spec)
        answer = answer.removesuffix(b"\n") if spec.protocol.asks is Reply else answer  # CR ends it as well
        for end in range(len(answer)):
            assert found_in(spec.make(), ask, [answer[:end]]) == []

    def test_what_is_asked_and_comes_back_as_an_echo_is_no_answer(self, spec: DriverSpec) -> None:
        ask, answer, expected = example(spec)
        driver = spec.make()
        echo = driver.request(ask, TAG)
        found = found_in(driver, ask, [echo, answer])
        if spec.protocol.asks is Reply:
            assert found == [Text("SI"), expected]  # which the point's expression does not fit
        else:
            assert [one for one in found if not isinstance(one, Foreign | ForeignRequest)] == [expected]

    def test_it_takes_what_it_used_out_of_the_buffer(self, spec: DriverSpec) -> None:
        ask, answer, _ = example(spec)
        driver, buffer = spec.make(), bytearray(answer)
        while isinstance(driver.take(ask, TAG, buffer), Continue):
            pass
        assert bytes(buffer).strip(b"\n") == b""

    def test_no_octets_make_it_raise_loop_or_keep_them_all(self, spec: DriverSpec) -> None:
        ask, answer, _ = example(spec)
        driver = spec.make()
        pieces = st.sampled_from([answer, answer[:4], answer[4:], b"\r\n", b":", b">", b"\x02", b"\x03", b"/", b"!"])

        @given(st.lists(st.binary(max_size=80) | pieces, max_size=12).map(b"".join))
        def take_all(octets: bytes) -> None:
            driver.request(ask, TAG)
            buffer = bytearray(octets)
            before = len(buffer) + 1
            while driver.take(ask, TAG, buffer) is not None:
                assert len(buffer) < before
                before = len(buffer)

        take_all()

    def test_a_line_that_babbles_fills_no_memory(self, spec: DriverSpec) -> None:
        ask, answer, _ = example(spec)
        for babble in (b"\x00" * 512, b"\xff" * 512, b":" + b"0" * 511, b"\x02" + b"1" * 511, answer[:5] * 100):
            driver, buffer = spec.make(), bytearray()
            driver.request(ask, TAG)
            driver.take(ask, TAG, bytearray(answer[:14]))
            for _ in range(200):
                buffer += babble
                while driver.take(ask, TAG, buffer) is not None:
                    pass
                assert len(buffer) <= BOUND_OCTETS

    def test_it_refuses_unknown_keys_of_a_line(self, spec: DriverSpec) -> None:
        keys = {key for key, field in spec.protocol.settings.model_fields.items() if field.is_required()}
        given = {key: 502 if key == "port" and not spec.serial else "x" for key in keys}
        spec.protocol.settings.model_validate(given)
        with pytest.raises(ValueError, match="nonsense"):
            spec.protocol.settings.model_validate(given | {"nonsense": 1})


@pytest.mark.parametrize("protocol", [*SEALED, "adam-ascii", "modbus-udp"])
def test_an_answer_behind_a_cut_one_is_found(protocol: str) -> None:
    ask, answer, expected = EXAMPLES[protocol]
    for end in range(1, len(answer)):
        found = found_in(by_protocol()[protocol].make(), ask, [answer[:end], answer])
        assert [one for one in found if not isinstance(one, Foreign)] == [expected]


@pytest.mark.parametrize("protocol", SEALED)
def test_an_answer_with_any_octet_wrong_is_none(protocol: str) -> None:
    ask, answer, expected = EXAMPLES[protocol]
    first = answer.find(b"\x02") if protocol == "iec62056-21" else 0
    for at in range(first, len(answer)):
        for wrong in (0x01, 0x10, 0x40):
            spoilt = answer[:at] + bytes((answer[at] ^ wrong,)) + answer[at + 1 :]
            found = found_in(by_protocol()[protocol].make(), ask, [spoilt])
            assert expected not in found
            assert [one for one in found if not isinstance(one, Foreign)] == []


@pytest.mark.parametrize("protocol", ADDRESSED)
def test_an_answer_of_another_unit_is_foreign(protocol: str) -> None:
    _, answer, _ = EXAMPLES[protocol]
    (found,) = found_in(by_protocol()[protocol].make(), Read(2, "input", 0, 2), [answer])
    assert isinstance(found, Foreign)


WRITES = [  # what is written, and beside it what differs in the unit, the function, the address or the value alone
    (Write(1, 5, 20, (1,)), [Write(2, 5, 20, (1,)), Write(1, 6, 20, (0xFF00,)), Write(1, 5, 21, (1,)), Write(1, 5, 20, (0,))]),
    (Write(1, 6, 20, (7,)), [Write(2, 6, 20, (7,)), Write(1, 5, 20, (0,)), Write(1, 6, 276, (7,)), Write(1, 6, 20, (263,))]),
    (Write(1, 22, 4, (0xFFF7, 8)), [Write(1, 22, 5, (0xFFF7, 8)), Write(1, 22, 4, (0xFFF7, 0)), Write(1, 22, 4, (0xFFFF, 8))]),
]  # fmt: skip


@pytest.mark.parametrize("name", ADDRESSED)
@pytest.mark.parametrize(("write", "others"), WRITES, ids=["5", "6", "22"])
def test_a_write_is_confirmed_by_its_echo_and_by_no_other(name: str, write: Write, others: list[Write]) -> None:
    driver = by_protocol()[name].make()
    for other in others:
        assert not any(isinstance(one, Confirmed) for one in found_in(driver, write, [driver.request(other, TAG)]))
        assert found_in(driver, other, [driver.request(other, TAG)]) == [Confirmed()]
    assert found_in(driver, write, [driver.request(write, TAG)]) == [Confirmed()]


SEVERAL = [(Write(1, 15, 20, (1, 0, 1)), "01 0f 0014 0003"), (Write(1, 16, 20, (7, 8)), "01 10 0014 0002")]


@pytest.mark.parametrize(("write", "confirmed"), SEVERAL, ids=["15", "16"])
def test_a_write_of_several_is_confirmed_by_its_address_and_count_alone(write: Write, confirmed: str) -> None:
    unit, *pdu = bytes.fromhex(confirmed)
    assert judge(write, unit, bytes(pdu)) == Confirmed()
    for at, bit in product(range(len(pdu)), range(8)):
        changed = bytes(one ^ (1 << bit if place == at else 0) for place, one in enumerate(pdu))
        judged = judge(write, unit, changed)
        if (at, bit) == (0, 7):
            assert judged == ExceptionResponse(pdu[1])
        else:
            assert isinstance(judged, Foreign)
            assert (judged.unit, judged.function) == (unit, changed[0])
    assert judge(write, unit + 1, bytes(pdu)) == Foreign(unit + 1, pdu[0], None)
    assert judge(write, unit, bytes(pdu) + b"\x00") == Foreign(unit, pdu[0], None)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.tagged], ids=lambda spec: spec.name)
def test_an_answer_with_another_transaction_id_is_foreign(spec: DriverSpec) -> None:
    ask, answer, _ = example(spec)
    assert isinstance(spec.make().take(ask, TAG + 1, bytearray(answer)), Foreign)


RTU = by_protocol()["modbus-rtu"]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\xff\x00\x55" + RTU_FRAME, WORDS),
        (RTU.make().request(READ, 0) + RTU_FRAME, WORDS),
        (RTU_FRAME[:-1] + b"\x00" + RTU_FRAME, WORDS),
        (RTU_FRAME[:5] + RTU_FRAME, WORDS),
        (bytes.fromhex("010402 0001 78f0".replace(" ", "")), Foreign(1, 4, 2)),
    ],
    ids=["garbage before", "echo", "wrong CRC", "cut and again", "late response of another size"],
)
def test_an_rtu_frame_is_found_among_what_is_none(octets: bytes, expected: object) -> None:
    driver, buffer = RTU.make(), bytearray(octets)
    found = None
    while found is None or (isinstance(found, Foreign | ForeignRequest) and not isinstance(expected, Foreign)):
        found = driver.take(READ, 0, buffer)
        if found is None:
            break
    assert found == expected
