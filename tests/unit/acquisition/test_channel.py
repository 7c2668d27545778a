"""The way between a master and the devices of a line in virtual time: without a fault, and with each kind of fault."""

from itertools import pairwise
from random import Random

import pytest

from acquisition.drivers.base import (
    Confirmed,
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
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.channel import TURNAROUND_S, UNDER_WAY_LIMIT, Channel
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import (
    LINE_FAULTS,
    Delay,
    Duplicate,
    GivesUp,
    HoldUntilNext,
    LineFault,
    Loss,
    MuteConnection,
    Noise,
    Packing,
    Queue,
    ResetAfterRequest,
    SecondDevice,
    SecondMaster,
    Shared,
    misfit,
)
from acquisition.simulate.faults.register_range import register_range
from acquisition.simulate.return_path import Arrival, End
from mapping.plan import Obis, Reply
from mapping.protocols import LineSettings
from tests.support.field import device, point, register

POWER, FREQUENCY, BOTH = Read(1, "holding", 0, 1), Read(1, "holding", 1, 1), Read(1, "holding", 0, 2)
SERIAL: LineSettings = {"port": "pty", "baudrate": 9600}
CHARACTER_S = 10 / 9600
EXCHANGE_S = (8 + 7 + 3.5) * CHARACTER_S + TURNAROUND_S  # one register by RTU at 9600 baud


def meter(unit: int) -> SimulatedDevice:
    """Registers 0 and 1 show 100 and 101 for the first unit, 200 and 201 for the second; 2 can be written."""
    points = [
        point(0, f"m{unit}.power", register("holding", 0)),
        point(1, f"m{unit}.frequency", register("holding", 1)),
        point(2, f"m{unit}.setpoint", register("holding", 2), write=register("holding", 2)),
    ]
    found = SimulatedDevice(device(f"m{unit}", unit, points, []))
    found.tick(0)
    found.set("power", 100 * unit)
    found.set("frequency", 100 * unit + 1)
    return found


class Line:
    """A channel, and all that has come to its master: when, in which connection, and what."""

    def __init__(self, protocol: str, *faults: LineFault, units: int = 1, seed: int = 1) -> None:
        self.spec = by_protocol()[protocol]
        self.devices = {unit: meter(unit) for unit in range(1, units + 1)}
        self.channel = Channel(self.spec, SERIAL if self.spec.serial else {}, self.devices, Random(seed))
        self.driver = self.spec.make()
        self.now = 0.0
        self.connection = self.channel.opened(0.0)
        self.heard: list[Arrival] = []
        for fault in faults:
            self.channel.begin(fault, 0.0)

    def until(self, at: float) -> None:
        """Let all come that comes until `at`."""
        while (deadline := self.channel.deadline()) is not None and deadline <= at:
            self.now = deadline
            self.heard += self.channel.advance(deadline)
        self.now = at

    def ask(self, ask: Read | Write | Question, at: float, tag: int = 0) -> None:
        """Ask at that time, in the connection that is open."""
        self.until(at)
        self.channel.receive(self.connection, self.driver.request(ask, tag), at)

    def found(self, ask: Read | Write | Question, tag: int = 0) -> list[tuple[float, Step]]:
        """All that has come so far as the master would take it for an answer to `ask`, with its time."""
        steps: list[tuple[float, Step]] = []
        for at, _, octets in self.heard:
            buffer = bytearray(octets if isinstance(octets, bytes) else b"")
            while (step := self.driver.take(ask, tag, buffer)) is not None:
                steps.append((at, step))
        return steps

    def values(self) -> list[tuple[float, int]]:
        """Time and value of all answers with one register."""
        return [(at, step.values[0]) for at, step in self.found(POWER) if isinstance(step, Registers)]


class TestWithoutAFault:
    def test_a_device_behind_tcp_answers_after_its_turnaround(self) -> None:
        line = Line("modbus-tcp")
        line.ask(BOTH, 1.0, tag=7)
        line.until(2.0)
        assert line.found(BOTH, tag=7) == [(1.0 + TURNAROUND_S, Registers((100, 101)))]
        assert line.channel.deadline() is None

    def test_a_serial_line_takes_time_for_its_characters(self) -> None:
        line = Line("modbus-rtu")
        line.ask(POWER, 1.0)
        line.until(2.0)
        ((at, value),) = line.values()
        assert at == pytest.approx(1.0 + EXCHANGE_S)
        assert value == 100

    def test_a_late_device_is_overtaken_by_another_one(self) -> None:
        line = Line("modbus-rtu-over-tcp", units=2)
        line.devices[1].fault = Fault("late", ms=300)
        line.ask(POWER, 1.0)
        line.ask(Read(2, "holding", 0, 1), 1.1)
        line.until(2.0)
        assert [at for at, _, _ in line.heard] == pytest.approx([1.105, 1.3])
        assert line.values() == [(1.3, 100)]

    def test_each_connection_gets_the_answers_to_its_own_requests(self) -> None:
        line = Line("modbus-rtu-over-tcp")
        first, line.connection = line.connection, line.channel.opened(0.5)
        line.ask(POWER, 1.0)
        line.until(2.0)
        assert [number for _, number, _ in line.heard] == [line.connection] != [first]

    def test_an_answer_to_a_connection_that_was_closed_goes_nowhere(self) -> None:
        line = Line("modbus-rtu-over-tcp")
        line.ask(POWER, 1.0)
        line.channel.closed(line.connection, 1.001)
        line.channel.opened(1.002)
        line.until(2.0)
        assert line.heard == []

    def test_a_request_may_come_octet_by_octet_on_a_stream_and_is_whole_in_a_datagram(self) -> None:
        for protocol, expected in (("modbus-tcp", 1), ("modbus-udp", 0)):
            line = Line(protocol)
            for octet in line.driver.request(POWER, 0):
                line.channel.receive(line.connection, bytes((octet,)), 1.0)
            line.until(2.0)
            assert len(line.heard) == expected

    def test_a_master_that_never_waits_is_served_so_far_and_no_further(self) -> None:
        line = Line("modbus-tcp")
        for _ in range(UNDER_WAY_LIMIT + 100):
            line.channel.receive(line.connection, line.driver.request(POWER, 0), 1.0)
        line.until(2.0)
        assert len(line.heard) == UNDER_WAY_LIMIT

    def test_the_same_seed_gives_the_same_octets_at_the_same_times(self) -> None:
        def heard(seed: int) -> list[Arrival]:
            faults = Duplicate(ms=3, share=0.3), Loss(share=0.3), SecondMaster(unit=1, read="holding 1", every="100ms")
            line = Line("modbus-rtu-over-tcp", *faults, seed=seed)
            for number in range(50):
                line.ask(POWER, number / 10)
            line.until(6.0)
            return line.heard

        assert heard(1) == heard(1) != heard(2)


class TestDuplicate:
    def test_an_answer_comes_again_after_its_time(self) -> None:
        line = Line("modbus-rtu", Duplicate(ms=40))
        line.ask(POWER, 1.0)
        line.until(2.0)
        (first, _), (second, _) = line.values()
        assert second - first == pytest.approx(0.04)

    def test_so_many_times_at_most(self) -> None:
        line = Line("modbus-rtu", Duplicate(ms=40, times=2))
        for second in range(5):
            line.ask(POWER, second)
        line.until(9.0)
        assert len(line.values()) == 7

    def test_a_share_of_them(self) -> None:
        line = Line("modbus-rtu", Duplicate(ms=40, share=0.05))
        for second in range(1000):
            line.ask(POWER, second)
        line.until(1001.0)
        assert 1030 < len(line.values()) < 1070


class TestDelay:
    def test_an_answer_comes_later_and_shows_what_was_read_before(self) -> None:
        line = Line("modbus-rtu-over-tcp", Delay(ms=16_600))
        line.ask(POWER, 1.0)
        line.until(10.0)
        line.devices[1].set("power", 777)
        line.until(20.0)
        ((at, value),) = line.values()
        assert at == pytest.approx(17.605)
        assert value == 100

    def test_what_is_asked_after_it_overtakes_what_is_under_way(self) -> None:
        line = Line("modbus-rtu-over-tcp", Delay(ms=500))
        line.ask(POWER, 1.0)
        line.channel.end(1.1)
        line.ask(FREQUENCY, 1.2)
        line.until(2.0)
        assert [value for _, value in line.values()] == [101, 100]


class TestQueue:
    def test_requests_wait_for_the_one_before_and_are_answered_in_order(self) -> None:
        line = Line("modbus-rtu", Queue(depth=8, surplus=0))
        line.devices[1].fault = Fault("late", ms=200)
        for ask in (POWER, FREQUENCY, POWER):
            line.ask(ask, 1.0)
        line.until(3.0)
        assert [value for _, value in line.values()] == [100, 101, 100]
        assert [later - at for (at, _), (later, _) in pairwise(line.values())] == pytest.approx([0.2 + EXCHANGE_S] * 2)

    def test_requests_beyond_its_depth_are_lost(self) -> None:
        line = Line("modbus-rtu", Queue(depth=1, surplus=0))
        for ask in (POWER, FREQUENCY, POWER):
            line.ask(ask, 1.0)
        line.until(3.0)
        assert [value for _, value in line.values()] == [100, 101]

    def test_one_surplus_answer_shifts_all_that_follow_on_a_full_line(self) -> None:
        line = Line("modbus-rtu", Queue())
        believed, asked, at = [], [POWER, FREQUENCY] * 20, 1.0
        for ask in asked:  # the next frame is taken for the answer, and the next request leaves at once
            before = len(line.heard)
            line.ask(ask, at)
            while len(line.heard) == before:
                line.until(line.channel.deadline() or 0.0)
            believed.append(line.values()[before][1])
            at = line.heard[before][0]
        assert believed[0] == 100
        assert believed[1:] == [100, 101] * 19 + [100]

    def test_what_a_master_had_asked_before_it_ended_comes_to_its_successor(self) -> None:
        line = Line("modbus-rtu-over-tcp", Queue(surplus=0))
        line.devices[1].fault = Fault("late", ms=200)
        for ask in (POWER, FREQUENCY):
            line.ask(ask, 1.0)
        line.channel.closed(line.connection, 1.01)
        line.connection = line.channel.opened(1.3)
        line.ask(POWER, 1.3)
        line.until(3.0)
        assert {number for _, number, _ in line.heard} == {line.connection}
        assert [value for _, value in line.values()] == [100, 101, 100]

    def test_what_waits_is_answered_when_the_fault_has_ended(self) -> None:
        line = Line("modbus-rtu", Queue(surplus=0))
        line.ask(POWER, 1.0)
        line.ask(FREQUENCY, 1.0)
        line.channel.end(1.0)
        line.until(2.0)
        assert [value for _, value in line.values()] == [100, 101]


class TestHoldUntilNext:
    def test_an_answer_comes_when_the_next_request_does(self) -> None:
        line = Line("modbus-rtu-over-tcp", HoldUntilNext())
        line.ask(POWER, 1.0)
        line.until(5.0)
        assert line.heard == []
        line.ask(FREQUENCY, 5.0)
        line.until(9.0)
        assert line.values() == [(5.0, 100)]

    def test_what_is_held_comes_when_the_fault_ends(self) -> None:
        line = Line("modbus-rtu-over-tcp", HoldUntilNext())
        line.ask(POWER, 1.0)
        line.until(5.0)
        line.channel.end(5.0)
        line.until(9.0)
        assert line.values() == [(5.0, 100)]


class TestSecondMaster:
    def test_its_requests_and_the_answers_to_them_are_heard(self) -> None:
        line = Line("modbus-rtu", SecondMaster(unit=1, read="holding 0-1", every="500ms"))
        line.until(5.0)
        requests = [(at, octets) for at, _, octets in line.heard if octets == line.driver.request(BOTH, 0)]
        answers = line.found(BOTH)
        assert 9 <= len(requests) <= 12
        assert [found for _, found in answers[:2]] == [ForeignRequest(1, 3, 4), Registers((100, 101))]
        exchange_s = (9 + 3.5) * CHARACTER_S + TURNAROUND_S  # from the end of its request to that of its answer
        assert answers[1][0] - requests[0][0] == pytest.approx(exchange_s)

    def test_it_falls_silent_when_the_fault_ends(self) -> None:
        line = Line("modbus-rtu", SecondMaster(unit=1, read="holding 0-1", every="500ms"))
        line.until(5.0)
        line.channel.end(5.0)
        before = len(line.heard)
        line.until(20.0)
        assert len(line.heard) <= before + 2
        assert line.channel.deadline() is None

    def test_one_that_asks_an_instrument_sends_its_text(self) -> None:
        line = Line("tcp-ascii")
        reply = Reply("SI\r\n", r"S S (?P<value>[-0-9.]+) kg", "value")
        line.devices[1] = SimulatedDevice(device("scale", 1, [point(0, "scale.gross", reply)], []))
        line.devices[1].tick(0)
        line.channel.begin(SecondMaster(unit=1, read="SI\r\n", every="1000ms"), 0.0)
        line.until(1.0)
        assert line.heard[0][2] == b"SI\r\n"
        assert [type(step) for _, step in line.found(Question("SI\r\n"))] == [Text, Text]


class TestShared:
    def test_the_answers_to_another_client_come_to_every_client(self) -> None:
        line = Line("modbus-rtu-over-tcp", Shared(unit=2, read="holding 1", every="500ms"), units=2)
        other = line.channel.opened(0.0)
        line.until(3.0)
        frequency = Read(2, "holding", 1, 1)
        assert {step.values for _, step in line.found(frequency) if isinstance(step, Registers)} == {(201,)}
        assert {number for _, number, _ in line.heard} == {line.connection, other}
        assert line.driver.request(frequency, 0) not in [octets for _, _, octets in line.heard]

    def test_our_own_answers_stay_our_own(self) -> None:
        line = Line("modbus-rtu-over-tcp", Shared(unit=1, read="holding 1", every="60000ms"))
        other = line.channel.opened(0.0)
        line.ask(POWER, 100.0)
        line.until(100.1)
        assert [number for at, number, _ in line.heard if at > 100] == [line.connection] != [other]


class TestResetAfterRequest:
    def test_the_answer_of_a_serial_server_comes_in_the_next_connection(self) -> None:
        line = Line("modbus-rtu-over-tcp", ResetAfterRequest(ms=10, share=1.0))
        first = line.connection
        line.ask(POWER, 1.0)
        line.until(2.0)
        assert [(at, number) for at, number, _ in line.heard] == [(1.01, first)]
        assert isinstance(line.heard[0][2], End)
        second = line.channel.opened(2.0)
        line.until(3.0)
        ((at, value),) = line.values()
        assert (line.heard[-1][1], value) == (second, 100)
        assert 2.0 <= at < 2.0 + TURNAROUND_S

    def test_the_answer_of_a_device_on_tcp_is_lost_with_its_connection(self) -> None:
        line = Line("modbus-tcp", ResetAfterRequest(ms=10, share=1.0))
        line.ask(POWER, 1.0)
        line.until(2.0)
        line.channel.opened(2.0)
        line.until(3.0)
        assert [type(what) for _, _, what in line.heard] == [End]

    def test_a_master_that_connects_for_each_request_gets_the_answer_before_its_own(self) -> None:
        line = Line("modbus-rtu-over-tcp", ResetAfterRequest(ms=1, share=1.0))
        line.ask(POWER, 1.0)
        line.until(1.5)
        line.channel.begin(ResetAfterRequest(ms=1, share=1e-9), 1.5)
        believed = []
        for second, ask in enumerate([FREQUENCY, POWER, FREQUENCY], start=2):
            line.connection, before = line.channel.opened(second), len(line.heard)
            line.ask(ask, second)
            while len(line.heard) == before:
                line.until(line.channel.deadline() or 0.0)
            believed.append(line.values()[-1][1])
            line.channel.closed(line.connection, line.now)
        assert believed == [100, 101, 100]

    def test_the_other_requests_keep_their_connection(self) -> None:
        line = Line("modbus-tcp", ResetAfterRequest(ms=10, share=1e-9))
        line.ask(POWER, 1.0)
        line.until(2.0)
        assert [what for _, _, what in line.heard if isinstance(what, End)] == []
        assert line.values() == [(1.0 + TURNAROUND_S, 100)]


class TestGivesUp:
    def test_the_next_request_is_answered_with_what_the_last_one_asked_for(self) -> None:
        line = Line("modbus-tcp", GivesUp(ms=100, share=1.0))
        line.ask(POWER, 1.0, tag=1)
        line.until(1.1)
        line.channel.begin(GivesUp(ms=100, share=1e-9), 1.1)
        line.ask(FREQUENCY, 1.1, tag=2)
        line.until(2.0)
        assert [step for _, step in line.found(FREQUENCY, tag=2) if not isinstance(step, Foreign)] == [
            Registers((100,))
        ]

    def test_of_the_request_that_it_gave_up_it_says_exception_11_or_nothing(self) -> None:
        said = []
        for seed in range(20):
            line = Line("modbus-tcp", GivesUp(ms=100, share=1.0), seed=seed)
            line.ask(POWER, 1.0, tag=1)
            line.until(2.0)
            said.append(line.found(POWER, tag=1))
        assert {str(one) for one in said} == {str([]), str([(1.1, ExceptionResponse(11))])}

    def test_an_answer_for_which_nothing_waits_is_dropped_and_the_next_is_right(self) -> None:
        line = Line("modbus-tcp", GivesUp(ms=100, share=1.0))
        line.ask(POWER, 1.0, tag=1)
        line.until(2.0)
        line.channel.begin(GivesUp(ms=100, share=1e-9), 2.0)
        line.ask(FREQUENCY, 2.0, tag=2)
        line.until(3.0)
        assert line.found(FREQUENCY, tag=2)[-1] == (2.0 + TURNAROUND_S, Registers((101,)))

    def test_an_answer_of_another_unit_or_function_is_dropped(self) -> None:
        line = Line("modbus-tcp", GivesUp(ms=100, share=1.0), units=2)
        line.ask(POWER, 1.0, tag=1)
        line.until(1.1)
        line.channel.begin(GivesUp(ms=300, share=1e-9), 1.1)
        other = Read(2, "holding", 0, 1)
        line.ask(other, 1.1, tag=2)
        line.until(2.0)
        assert [step for _, step in line.found(other, tag=2) if not isinstance(step, Foreign)] == [Registers((200,))]


class TestSecondDevice:
    def test_it_answers_later_with_other_values(self) -> None:
        line = Line("modbus-rtu", SecondDevice(unit=1, ms=115))
        line.ask(POWER, 1.0)
        line.until(2.0)
        (first, true), (second, other) = line.values()
        assert second - first == pytest.approx(0.115)
        assert (true, other) == (100, 100 ^ 0x0155)

    def test_the_other_units_have_their_address_for_themselves(self) -> None:
        line = Line("modbus-rtu", SecondDevice(unit=1), units=2)
        line.ask(Read(2, "holding", 0, 1), 1.0)
        line.until(2.0)
        assert len(line.heard) == 1

    def test_it_confirms_a_write_that_the_first_one_takes_once(self) -> None:
        line = Line("modbus-rtu", SecondDevice(unit=1))
        write = Write(1, 6, 2, (7,))
        line.ask(write, 1.0)
        line.until(2.0)
        assert [step for _, step in line.found(write)] == [Confirmed(), Confirmed()]
        assert list(line.devices[1].writes) == [("holding", 2, (7,))]

    def test_a_second_instrument_or_meter_shows_other_digits(self) -> None:
        reply, obis = Reply("SI\r\n", r"S S (?P<value>[-0-9.]+) kg", "value"), Obis("/?!\r\n", "1.8.0")
        for protocol, source, ask in (
            ("serial-ascii", reply, Question("SI\r\n")),
            ("adam-ascii", register("input", 0, "float32", 2), Read(1, "input", 0, 2)),
            ("iec62056-21", obis, Question("/?!\r\n")),
        ):
            line = Line(protocol)
            line.devices[1] = SimulatedDevice(device("d", 1, [point(0, "d.x", source)], []))
            line.devices[1].tick(0)
            line.connection = line.channel.opened(0.0)
            line.channel.begin(SecondDevice(unit=1), 0.0)
            line.ask(ask, 1.0)
            if protocol == "iec62056-21":
                line.channel.receive(line.connection, b"\x060" + b"50\r\n", 3.0)
            line.until(20.0)
            texts = [step for _, step in line.found(ask) if isinstance(step, Text | Registers)]
            assert len(texts) == 2, protocol
            assert texts[0] != texts[1]


class TestMuteConnection:
    def test_a_connection_falls_silent_at_its_age_and_a_new_one_works(self) -> None:
        line = Line("modbus-tcp", MuteConnection(after="5s"))
        for second in (1.0, 6.0):
            line.ask(POWER, second)
        line.until(7.0)
        line.connection = line.channel.opened(7.0)
        line.ask(POWER, 8.0)
        line.until(9.0)
        assert [at for at, _ in line.values()] == pytest.approx([1.005, 8.005])

    def test_it_stays_silent_when_the_fault_has_ended_and_those_not_yet_mute_go_on(self) -> None:
        line = Line("modbus-tcp", MuteConnection(after="5s"))
        line.until(4.0)
        first, line.connection = line.connection, line.channel.opened(4.0)
        line.until(6.0)
        line.channel.end(6.0)
        line.ask(POWER, 20.0)
        line.channel.receive(first, line.driver.request(POWER, 0), 20.0)
        line.until(21.0)
        assert [number for _, number, _ in line.heard] == [line.connection]


class TestLoss:
    def test_a_share_of_the_exchanges_is_lost(self) -> None:
        line = Line("modbus-rtu", Loss(share=0.2))
        for second in range(1000):
            line.ask(POWER, second)
        line.until(1001.0)
        assert 750 < len(line.values()) < 850

    def test_a_write_whose_answer_is_lost_was_done_and_one_whose_request_is_lost_was_not(self) -> None:
        line = Line("modbus-rtu", Loss(share=1.0))
        for second in range(1000):
            line.ask(Write(1, 6, 2, (second,)), second)
        line.until(1001.0)
        assert line.heard == []
        assert 420 < len(line.devices[1].writes) < 580


class TestPacking:
    def test_an_answer_comes_in_pieces(self) -> None:
        line = Line("modbus-rtu-over-tcp", Packing(ms=20, octets=5))
        line.ask(POWER, 1.0)
        line.until(2.0)
        whole = b"".join(octets for _, _, octets in line.heard if isinstance(octets, bytes))
        assert [(round(at, 6), len(octets)) for at, _, octets in line.heard if isinstance(octets, bytes)] == [
            (1.025, 5),
            (1.045, 2),
        ]
        assert line.driver.take(POWER, 0, bytearray(whole)) == Registers((100,))

    def test_two_answers_come_at_once_and_in_order(self) -> None:
        line = Line("modbus-rtu-over-tcp", Packing(ms=20, octets=100))
        line.ask(POWER, 1.0)
        line.ask(FREQUENCY, 1.01)
        line.until(2.0)
        assert len(line.heard) == 1
        assert [value for _, value in line.values()] == [100, 101]

    def test_what_waits_comes_before_all_else_when_the_fault_ends(self) -> None:
        line = Line("modbus-rtu-over-tcp", Packing(ms=500, octets=1))
        line.ask(POWER, 1.0)
        line.until(1.6)
        line.channel.end(1.6)
        line.ask(FREQUENCY, 1.7)
        line.until(3.0)
        whole = bytearray(b"".join(octets for _, _, octets in line.heard if isinstance(octets, bytes)))
        assert [line.driver.take(POWER, 0, whole) for _ in range(2)] == [Registers((100,)), Registers((101,))]


class TestNoise:
    def test_an_octet_comes_now_and_then_until_the_fault_ends(self) -> None:
        line = Line("modbus-rtu", Noise(every="100ms"))
        line.until(10.0)
        assert 90 < len(line.heard) < 112
        assert {len(octets) for _, _, octets in line.heard if isinstance(octets, bytes)} == {1}
        assert len({octets for _, _, octets in line.heard}) > 50
        line.channel.end(10.0)
        line.until(20.0)
        assert line.heard[-1].at <= 10.0


def test_how_often_the_channel_is_asked_changes_nothing() -> None:
    """The same requests at the same times, once with a call each millisecond, once with a call now and then."""

    def heard(step_s: float) -> list[Arrival]:
        line = Line(
            "modbus-rtu", Duplicate(share=0.3), Delay(ms=7), SecondMaster(unit=1, read="holding 1", every="80ms")
        )
        found: list[Arrival] = []
        for number in range(1000):
            now = number / 100
            line.channel.receive(line.connection, line.driver.request(POWER, 0), now)
            for call in range(round(0.01 / step_s)):
                found += line.channel.advance(now + call * step_s)
        return [*found, *line.channel.advance(11.0)]

    assert heard(0.001) == heard(0.01)
    assert len(heard(0.01)) > 1000


def test_two_kinds_last_together_and_one_of_them_ends_first() -> None:
    delay = Delay(ms=100)
    line = Line("modbus-rtu-over-tcp", delay, Duplicate(ms=40))
    line.ask(POWER, 1.0)
    line.until(2.0)
    line.channel.end(2.0, delay)
    line.ask(POWER, 3.0)
    line.until(4.0)
    assert [at for at, _ in line.values()] == pytest.approx([1.105, 1.145, 3.005, 3.045])


class TestClear:
    def test_nothing_of_a_fault_is_left(self) -> None:
        faults = Delay(ms=500), HoldUntilNext(), Duplicate(ms=40), Queue()
        line = Line("modbus-rtu-over-tcp", *faults)
        line.ask(POWER, 1.0)
        line.channel.clear(1.1)
        line.ask(FREQUENCY, 1.2)
        line.until(9.0)
        assert line.values() == [(1.2 + TURNAROUND_S, 101)]
        assert line.channel.deadline() is None

    def test_a_mute_connection_ends_and_a_sound_one_goes_on(self) -> None:
        line = Line("modbus-tcp", MuteConnection(after="5s"))
        mute, line.connection = line.connection, line.channel.opened(4.0)
        line.channel.clear(6.0)
        line.ask(POWER, 20.0)
        line.until(21.0)
        assert [(at, number) for at, number, _ in line.heard] == [(6.0, mute), (20.0 + TURNAROUND_S, line.connection)]
        assert line.heard[0].octets is End.RESET


BUS = {"second_master", "second_device", "noise"}
CONNECTION = {"reset_after_request", "mute_connection"}
EVERYWHERE = set(LINE_FAULTS) - BUS - CONNECTION - {"shared", "gives_up"}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("adam-ascii", EVERYWHERE | BUS),
        ("iec62056-21", EVERYWHERE | {"second_device", "noise"}),
        ("modbus-ascii", EVERYWHERE | BUS),
        ("modbus-rtu", EVERYWHERE | BUS),
        ("modbus-rtu-over-tcp", EVERYWHERE | BUS | CONNECTION | {"shared"}),
        ("modbus-tcp", EVERYWHERE | CONNECTION | {"gives_up"}),
        ("modbus-tls", EVERYWHERE | CONNECTION | {"gives_up"}),
        ("modbus-udp", EVERYWHERE - {"packing"} | {"gives_up"}),
        ("serial-ascii", EVERYWHERE | BUS),
        ("simulated", set()),
        ("tcp-ascii", EVERYWHERE | BUS | CONNECTION | {"shared"}),
    ],
)
def test_a_line_has_the_faults_of_what_carries_it(protocol: str, expected: set[str]) -> None:
    spec = by_protocol()[protocol]
    asked = {"unit": 1, "read": "holding 0"}
    possible = set()
    for kind, model in LINE_FAULTS.items():
        fault = model.model_validate({key: value for key, value in asked.items() if key in model.model_fields})
        if misfit(fault, spec, [1]) is None:
            possible.add(kind)
    assert possible == expected


@pytest.mark.parametrize(
    ("protocol", "fault", "said"),
    [
        ("modbus-tcp", SecondDevice(unit=1), "each answer has the id of its request"),
        ("modbus-rtu", MuteConnection(), "the line cannot have mute_connection: it has no connection"),
        ("modbus-rtu", SecondMaster(unit=9, read="holding 0"), "its devices have the unit 1, none has 9"),
        ("modbus-rtu", SecondMaster(unit=1, read="300001"), "`300001` names no registers, expected them as "),
    ],
)
def test_a_channel_refuses_a_fault_that_its_line_cannot_have(protocol: str, fault: LineFault, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Line(protocol, fault)


def test_registers_are_named_by_their_first_and_last_address() -> None:
    assert register_range("holding 100-101") == ("holding", 100, 101)
    assert register_range("coil 7") == ("coil", 7, 7)
    for wrong in ("holding 101-100", "holding 65536", "relay 1", "holding", "holding 1-"):
        with pytest.raises(ValueError, match="names no registers"):
            register_range(wrong)
