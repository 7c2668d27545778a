"""Rules of a line that its octets show, each with its second case: when a request leaves, how it looks, and how it ends."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pytest
from msgspec import structs

from acquisition.drivers.device_side import Fault, RegisterRange
from acquisition.exchange.identity.asked_reads import WINDOW_S
from acquisition.exchange.identity.doubts import PROOF_S
from acquisition.line import DOUBTED, INCONSISTENT
from acquisition.simulate.faults.line_faults import Duplicate, Queue, SecondDevice, SecondMaster
from acquisition.writes.queue import UNCERTAIN
from acquisition.writes.tasks import Task
from bus.messages import Command, CommandResult, Outcome
from bus.quality import Stamp
from mapping.plan import DevicePlan, PointPlan, Register
from tests.support.channel_scenes import EVERY_MS, STALE_MS, line_of, meter
from tests.support.text_scenes import Instrument, TextLine, instrument
from tests.support.virtual_line import VirtualLine

RELAYS: Final = (50, 51, 52)  # coils that nothing reads
SETPOINT: Final = 4  # a register of the first block
WRITES: Final = (5, 6)
REQUEST_OCTETS: Final = 8  # of a read
HEARD_S: Final = 0.0005  # the line has looked at what came


def commanded(plan: DevicePlan) -> DevicePlan:
    """`plan` with relays that are written and not read, and one of its registers to be written."""
    relays = tuple(
        PointPlan(at, f"m1.coil{at}", "", kind, False, STALE_MS, EVERY_MS, write=kind, readable=False)
        for at in RELAYS
        for kind in (Register("coil", at, "bool", 1),)
    )
    points = tuple(
        structs.replace(one, write=one.source) if one.number == 10_000 + SETPOINT else one for one in plan.points
    )
    return structs.replace(plan, points=(*points, *relays))


@dataclass
class Commands:
    """Commands that are given to a line, and their results in order."""

    line: VirtualLine
    results: list[tuple[int, Outcome, str]] = field(default_factory=list)
    given: int = 0

    def give(self, point: int, value: bool | int) -> None:
        self.given += 1
        now_ns = round(self.line.time.now * 1e9)
        command = Command("i", self.given, "r", point, value, "boot", now_ns + 5_000_000_000, now_ns + 5_000_000_000)
        task = self.line.tasks.taken(command, Stamp(now_ns, now_ns))
        assert isinstance(task, Task)
        self.line.line.enqueue(task, self._result)

    def _result(self, result: CommandResult) -> None:
        self.results.append((result.number, result.outcome, result.reason))


def functions(line: VirtualLine, *wanted: int) -> list[tuple[float, bytes]]:
    """The requests that were sent with one of these functions, on a serial line."""
    return [one for one in line.sent if one[1][1] in wanted]


def gaps(line: VirtualLine, since: float, until: float = float("inf")) -> list[float]:
    """Seconds from each request to the next one."""
    times = [at for at, _ in line.sent if since <= at < until]
    return [later - earlier for earlier, later in pairwise(times)]


# ---------------------------------------------------------------------- idle time (rule 1)


@pytest.mark.parametrize(("periods_ms", "room"), [((500, 310), True), ((EVERY_MS, EVERY_MS), False)])
def test_a_line_with_room_asks_each_question_of_a_unit_a_window_after_the_last_and_as_planned(
    periods_ms: tuple[int, int], room: bool
) -> None:
    plan = meter(1, (0, 10), (20, 10))
    blocks = tuple(structs.replace(one, every_ms=ms) for one, ms in zip(plan.blocks, periods_ms, strict=True))
    line = line_of("modbus-rtu", [structs.replace(plan, blocks=blocks)], 1)
    line.run(1.0)
    began = line.time.now
    line.run(10.0)
    assert (min(gaps(line, began)) >= WINDOW_S) is room
    assert ({count for at, _, _, count in line.devices[1].reads if at > began} == {10}) is room


# ---------------------------------------------------------------------- writes (rule 9)


def test_between_two_writes_that_look_alike_a_window_is_kept_and_none_between_two_that_differ() -> None:
    line = line_of("modbus-rtu", [commanded(meter(1, (0, 10)))], 1)
    commands = Commands(line)
    line.run(1.0)
    for value in (True, False, True):
        commands.give(RELAYS[0], value)
    line.run(1.0)
    assert [outcome for _, outcome, _ in commands.results] == [Outcome.ACCEPTED] * 3
    on, off, again = (at for at, _ in functions(line, *WRITES))
    assert off - on < WINDOW_S
    assert again - off >= WINDOW_S
    assert [words for _, _, words in line.devices[1].written_words] == [(1,), (0,), (1,)]


def test_the_read_back_of_a_command_has_a_size_that_no_read_of_its_registers_had_lately() -> None:
    line = line_of("modbus-rtu", [commanded(meter(1, (SETPOINT, 1)))], 1)
    commands = Commands(line)
    line.run(1.0)
    commands.give(10_000 + SETPOINT, 0x0100 | SETPOINT)  # which it holds
    line.run(1.0)
    assert [outcome for _, outcome, _ in commands.results] == [Outcome.ACCEPTED, Outcome.PROVEN]
    ((written_at, _),) = functions(line, *WRITES)
    polls = {octets for at, octets in functions(line, 3) if written_at - 0.4 < at < written_at}
    back = next(octets for at, octets in functions(line, 3) if at > written_at)
    assert len(polls) == 1  # a line with one question asks it alike
    assert back not in polls


def test_a_confirmation_is_no_proof_of_a_command_whose_register_reads_back_otherwise() -> None:
    line = line_of("modbus-rtu", [commanded(meter(1, (SETPOINT, 1)))], 1)
    commands = Commands(line)
    line.run(1.0)
    commands.give(10_000 + SETPOINT, 7)
    line.run(6.0)
    assert [outcome for _, outcome, _ in commands.results] == [Outcome.ACCEPTED, Outcome.DIFFERS]
    assert [words for _, _, words in line.devices[1].written_words] == [(7,)]


# ---------------------------------------------------------------------- exceptions (rule 7)


def refused_in_a_queue(seed: int) -> tuple[VirtualLine, float]:
    """A line whose unit refuses its second block and all that is longer, and exceptions come twice; and when that begins."""
    line = line_of("modbus-rtu", [meter(1, (0, 10), (20, 10))], seed)
    line.run(1.0)
    began = line.time.now
    line.devices[1].fault = Fault("exception", code=2, registers=RegisterRange("holding", 20, 29))
    line.channel.begin(Queue(depth=8, surplus=4), began)
    line.channel.begin(Duplicate(ms=40, share=0.3), began)
    line.run(8.0)
    return line, began


@pytest.mark.parametrize("seed", [51, 57])
def test_a_longer_read_whose_exception_may_be_an_earlier_ones_is_tried_three_times_at_most(seed: int) -> None:
    line, began = refused_in_a_queue(seed)
    asked = [_addresses(octets) for at, octets in functions(line, 3) if at > began]
    tries = Counter((first, behind) for first, behind in asked if first <= 20 and behind >= 30 and behind - first > 10)
    assert sum(count == 3 for count in tries.values()) >= 1
    assert max(tries.values()) == 3


@pytest.mark.parametrize("seed", range(1, 6))
def test_while_longer_reads_are_refused_one_after_the_other_the_block_beside_them_is_read_on(seed: int) -> None:
    line, began = refused_in_a_queue(seed)
    beside = [at for at, octets in functions(line, 3) if at > began and _addresses(octets)[0] < 10]
    assert max(behind - at for at, behind in pairwise(beside)) < 0.3


def test_an_exception_to_a_write_that_may_be_an_earlier_ones_ends_as_no_answer_and_is_not_written_again() -> None:
    line = line_of("modbus-rtu", [commanded(meter(1, (0, 10)))], 1)
    line.devices[1].fault = Fault("exception", code=4, registers=RegisterRange("coil", *RELAYS[::2]))
    commands = Commands(line)
    line.run(1.0)
    commands.give(RELAYS[0], True)
    commands.give(RELAYS[1], True)
    line.run(1.0)
    commands.give(RELAYS[2], True)
    line.run(1.0)
    assert [(number, outcome) for number, outcome, _ in commands.results] == [
        (1, Outcome.EXCEPTION),
        (2, Outcome.NO_ANSWER),
        (3, Outcome.EXCEPTION),
    ]
    assert commands.results[1][2] == UNCERTAIN
    assert len(functions(line, *WRITES)) == 3


def test_a_read_whose_exception_may_be_an_earlier_ones_is_asked_again_and_one_whose_exception_is_its_own_is_not() -> (
    None
):
    line = line_of("modbus-rtu", [meter(1, (0, 10), (20, 10))], 1)
    line.run(1.0)
    began = line.time.now
    line.devices[1].fault = Fault("exception", code=4, registers=RegisterRange("holding", 0, 29))
    line.run(1.0)
    refused = [
        (one.at, reading.point - 10_000)
        for one in line.published
        for reading in one.read
        if reading.point in (10_000, 10_020) and reading.reading.reason.startswith("exception 4")
    ]
    (own_at, own), (doubted_at, doubted) = refused[:2]
    assert {own, doubted} == {0, 20}
    asked = [(at, _addresses(octets)[0]) for at, octets in functions(line, 3) if at > began]
    first = [at for at, address in asked if address == own and at < own_at]
    second = [at for at, address in asked if address == doubted and at < doubted_at]
    assert len(first) == 1
    assert len(second) == 2
    assert second[1] - second[0] >= WINDOW_S


def test_no_hole_is_searched_for_because_of_an_exception_that_may_be_an_earlier_ones() -> None:
    plan = meter(1, (0, 10), (20, 12), exact=True)
    plan = structs.replace(plan, polling=structs.replace(plan.polling, retries=0))
    line = line_of("modbus-rtu", [plan], 1)
    line.run(1.0)
    began = line.time.now
    line.devices[1].fault = Fault("exception", code=2, registers=RegisterRange("holding", 0, 31))
    line.run(0.3)
    (own, own_end), (doubted, doubted_end), *later = (
        _addresses(octets) for at, octets in functions(line, 3) if at > began
    )
    assert {(own, own_end), (doubted, doubted_end)} == {(0, 10), (20, 32)}
    assert (own, own_end - 5) in later  # its first half
    assert [behind for first, behind in later if first == doubted] == [doubted_end - 1]  # all but a value


def test_a_search_for_a_refused_register_keeps_a_window_between_its_questions() -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 10))], 1)
    line.run(1.0)
    began = line.time.now
    line.devices[1].fault = Fault("exception", code=2, registers=RegisterRange("holding", 5, 5))
    line.run(10.0)
    asked = [(at, *_addresses(octets)) for at, octets in functions(line, 3) if at > began]
    refused = [at for at, first, behind in asked if first <= 5 < behind]
    searches = [at for at, first, _ in asked if first >= 5]
    behind = [min((one - at for one in searches if one > at), default=WINDOW_S) for at in refused]
    assert len(refused) >= 4
    assert min(behind) >= WINDOW_S
    assert min(gaps(line, began)) < WINDOW_S  # other reads go on meanwhile


def _addresses(octets: bytes) -> tuple[int, int]:
    first = int.from_bytes(octets[2:4], "big")
    return first, first + int.from_bytes(octets[4:6], "big")


# ---------------------------------------------------------------------- two devices (rule 10)


def test_what_two_devices_with_one_address_answer_is_invalid_and_their_neighbour_stays_good() -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 10)), meter(2, (0, 12))], 1)
    line.run(1.0)
    began = line.time.now
    line.channel.begin(SecondDevice(unit=1, ms=115), began)
    line.run(10.0)
    good = [reading.point for _, reading in line.good(began + 1.0)]
    assert {point // 10_000 for point in good} == {2}
    assert len(good) > 1000
    assert INCONSISTENT in {reading.reading.reason for one in line.published for reading in one.read}
    assert line.wrong() == []


# ---------------------------------------------------------------------- nothing that nobody configured (rule 11)


@pytest.mark.parametrize(("max_gap", "only"), [(0, True), (None, False)])
def test_where_no_gap_may_be_read_no_register_beside_a_block_is_read_whatever_comes(
    max_gap: int | None, only: bool
) -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 10), (20, 10), (40, 10), max_gap=max_gap)], 1)
    line.channel.begin(Duplicate(ms=40), line.time.now)
    line.run(10.0)
    named = {at for first in (0, 20, 40) for at in range(first, first + 10)}
    read = {at for _, _, first, count in line.devices[1].reads for at in range(first, first + count)}
    assert (read <= named) is only
    assert line.wrong() == []


# ---------------------------------------------------------------------- silence (rule 12)

FIXED: Final = meter(1, (0, 1), (20, 1), max_gap=0)  # nothing but silence tells their responses apart
VARIED: Final = meter(1, (0, 1), (20, 1))


@pytest.mark.parametrize(("plan", "heard"), [(FIXED, True), (VARIED, False)], ids=["by silence", "by size"])
def test_what_rests_on_silence_is_proven_by_a_silence_each_half_a_second(plan: DevicePlan, heard: bool) -> None:
    line = line_of("modbus-rtu", [plan], 1)
    line.run(1.0)
    began = line.time.now
    line.run(5.0)
    silences = sum(one >= WINDOW_S for one in gaps(line, began))
    assert (silences >= 9) is heard
    assert heard or silences == 0


@pytest.mark.parametrize(("plan", "waits"), [(FIXED, True), (VARIED, False)], ids=["by silence", "by size"])
def test_behind_a_surplus_response_each_read_that_rests_on_silence_waits_for_one(plan: DevicePlan, waits: bool) -> None:
    line = line_of("modbus-rtu", [plan], 1)
    line.run(1.0)
    line.channel.begin(Duplicate(ms=40, times=1), line.time.now)
    line.run(1.0)
    line.channel.end(line.time.now)
    began = line.time.now
    line.run(5.0)
    assert (min(gaps(line, began)) >= WINDOW_S) is waits


@pytest.mark.parametrize(("plan", "taken"), [(FIXED, True), (VARIED, False)], ids=["by silence", "by size"])
def test_what_rests_on_silence_is_taken_back_within_half_a_second_of_a_surplus_response_and_nothing_else_is(
    plan: DevicePlan, taken: bool
) -> None:
    line = line_of("modbus-rtu", [plan], 1)
    line.run(1.03)
    line.channel.begin(Duplicate(ms=40, times=1), line.time.now)
    began = line.time.now
    line.run(1.0)
    back = [one for one in line.published if any(reading.reading.reason == DOUBTED for reading in one.read)]
    assert bool(back) is taken
    assert all(one.at - began < 0.12 + PROOF_S for one in back)
    assert line.wrong() == [] or taken


# ---------------------------------------------------------------------- lines of text (rule 13)


@dataclass
class Stammering(Instrument):
    """Answers one question with a line that fits no expression."""

    stammers_at: float = float("inf")

    def line(self, request: str) -> str | None:
        if self.now < self.stammers_at:
            return super().line(request)
        self.stammers_at = float("inf")
        return "-"


@pytest.mark.parametrize("stammers", [True, False])
def test_behind_a_line_that_fits_no_expression_each_question_waits_for_silence(stammers: bool) -> None:
    plan = instrument(None)
    line = TextLine(plan)
    line.devices[1] = Stammering(plan, stammers_at=line.time.now + 1.0 if stammers else float("inf"))
    line.run(2.0)
    began = line.time.now
    line.run(2.0)
    assert (min(gaps(line, began)) >= WINDOW_S) is stammers


def test_between_another_masters_request_and_its_response_the_line_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = line_of("modbus-rtu", (meter(1, (0, 10), (20, 10)),), 1)
    heard: list[tuple[float, int]] = []
    deliver = line.channel._back.deliver_all

    def overheard(octets: bytes, now: float) -> None:
        heard.append((now, len(octets)))
        deliver(octets, now)

    monkeypatch.setattr(line.channel._back, "deliver_all", overheard)
    line.run(1.0)
    line.channel.begin(SecondMaster(unit=1, read="holding 100-109", every="150ms"), line.time.now)
    line.run(10.0)
    asked = [at for at, octets in heard if octets == REQUEST_OCTETS]
    answered = [at for at, octets in heard if octets != REQUEST_OCTETS]
    assert len(asked) > 50
    between = [
        at for began, ended in zip(asked, answered, strict=False) for at, _ in line.sent if began + HEARD_S < at < ended
    ]
    assert between == []
