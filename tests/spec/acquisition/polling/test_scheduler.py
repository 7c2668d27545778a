"""The schedule of one line in virtual time."""

from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from acquisition.polling.refused_registers import DeviceHoles, Hole
from acquisition.polling.scheduler import PROBE_LIMIT_S, Job, Poller
from mapping.plan import DevicePlan, PointPlan, PollSettings, Priority, Register, RegisterBlock
from tests.support.field import polled_with

COST_S = 0.02
TIMEOUT_S = 0.3  # of one try


def device(name: str, unit: int, *addresses: int, every_ms: int = 1000) -> DevicePlan:
    blocks = tuple(RegisterBlock("holding", address, 10, every_ms, ()) for address in addresses)
    return DevicePlan(name, unit, None, PollSettings(timeout_ms=300), (), blocks)


def run(poller: Poller, seconds: float, dead: set[str], start: float = 0.0) -> dict[str, list[float]]:
    """Poll in virtual time; when each device was answered."""
    now, answers = start, {one.plan.name: list[float]() for one in poller.devices}
    while now < seconds:
        job = poller.next(now)
        if job is None:
            now = max(poller.next_time(), now + 1e-6)
        elif job.device.plan.name in dead:
            now += TIMEOUT_S
            poller.silent(job, now, TIMEOUT_S)
        else:
            now += COST_S
            poller.answered(job, now)
            answers[job.device.plan.name].append(now)
    return answers


def test_each_block_is_asked_once_a_period_without_drift() -> None:
    poller = Poller([device("a", 1, 0, 100)], 0.0)
    assert 2 * 100 <= len(run(poller, 100, set())["a"]) <= 2 * 100 + 4


def test_the_first_times_are_spread_over_the_period() -> None:
    poller = Poller([device("a", 1, 0, 100), device("b", 2, 0, 100)], 0.0)
    assert sorted(due.due for one in poller.devices for due in one.dues) == [0.0, 0.25, 0.5, 0.75]


def test_a_dead_unit_of_eight_costs_its_neighbours_at_most_a_tenth() -> None:
    def saturated() -> Poller:
        return Poller([device(str(unit), unit, 0, every_ms=10) for unit in range(8)], 0.0)

    alone = sum(len(times) for name, times in run(saturated(), 30, set()).items() if name != "7") / 7 * 8
    beside = sum(len(times) for name, times in run(saturated(), 30, {"7"}).items())
    assert beside >= 0.9 * alone * 7 / 8


def test_a_dead_unit_is_probed_within_thirty_seconds_and_then_polled_at_once() -> None:
    poller = Poller([device("a", 1, 0, 100, 200), device("b", 2, 0)], 0.0)
    assert run(poller, 200, {"a"})["a"] == []
    back = run(poller, 240, set(), start=200)["a"]
    assert back[0] <= 200 + PROBE_LIMIT_S
    assert back[2] <= back[0] + 3 * COST_S + 0.5


def taken(poller: Poller, now: float) -> Job:
    job = poller.next(now)
    assert job is not None
    return job


def test_an_exchange_fails_with_its_last_try_and_the_second_failed_one_gives_the_device_up() -> None:
    poller = Poller([device("a", 1, 0)], 0.0)
    poller.answered(taken(poller, 0.0), 0.1)
    assert [poller.silent(taken(poller, 1.0), 1.3, 0.3), poller.silent(taken(poller, 1.3), 1.6, 0.3)] == [None, False]
    assert [poller.silent(taken(poller, 2.0), 2.3, 0.3), poller.silent(taken(poller, 2.3), 2.6, 0.3)] == [None, True]
    assert poller.devices[0].down


def test_after_a_try_without_an_answer_another_unit_goes_first_and_then_the_silent_one_again() -> None:
    poller = Poller([device("a", 1, 0, every_ms=10), device("b", 2, 0, every_ms=10)], 0.0)
    for now in (0.0, 0.02):
        poller.answered(taken(poller, now), now)
    late = taken(poller, 5.0)
    assert poller.silent(late, 5.3, 0.3) is None
    other = taken(poller, 5.3)
    assert other.device is not late.device
    poller.answered(other, 5.32)
    assert taken(poller, 5.32) == late


def test_a_line_that_is_asked_for_too_much_stretches_all_periods_alike() -> None:
    names = {"fast": 50, "middle": 200, "slow": 2000}
    plans = [device(name, unit, *range(0, 40, 20), every_ms=ms) for unit, (name, ms) in enumerate(names.items(), 1)]
    load = sum(2 * COST_S * 1000 / ms for ms in names.values())
    assert load > 1
    answers = run(Poller(plans, 0.0), 200, set())
    for name, ms in names.items():
        stretch = 200 / (len(answers[name]) / 2) / (ms / 1000)
        assert 0.9 * load <= stretch <= 1.15 * load, name


def test_a_device_that_comes_back_on_a_line_that_is_full_gets_its_share() -> None:
    poller = Poller([device(str(unit), unit, 0, every_ms=10) for unit in range(8)], 0.0)
    run(poller, 100, {"7"})
    answers = run(poller, 160, set(), start=100)
    assert answers["7"][0] <= 100 + PROBE_LIMIT_S
    assert len(answers["7"]) >= 0.9 * len(answers["6"]) * (160 - answers["7"][0]) / 60


def test_dead_units_share_a_twentieth_of_the_line() -> None:
    plans = [device(str(unit), unit, 0, every_ms=10) for unit in range(8)]
    beside = run(Poller(plans, 0.0), 300, {"4", "5", "6", "7"})
    alone = run(Poller(plans[:4], 0.0), 300, set())
    assert sum(map(len, beside.values())) >= 0.9 * sum(map(len, alone.values()))


def test_a_dead_unit_that_takes_nobodys_time_is_probed_after_1_2_4_seconds_and_so_on() -> None:
    plan = polled_with(device("a", 1, 0), retries=0)
    poller = Poller([plan], 0.0)
    now, probes = 0.0, []
    while now < 120:
        job = poller.next(now)
        if job is None:
            now = poller.next_time()
        else:
            probes.append(now)
            now += 1.0
            poller.silent(job, now, 1.0)
    assert probes == [0, 2, 5, 10, 19, 36, 67, 98]


def test_a_busy_device_is_asked_again_after_a_while_and_the_line_is_free_meanwhile() -> None:
    poller = Poller([device("a", 1, 0), device("b", 2, 0)], 0.0)
    job = taken(poller, 0.0)
    assert poller.busy(job, 0.02, 0.1)
    assert poller.next(0.1) is None
    assert taken(poller, 0.13) == job
    assert not poller.busy(job, 0.15, 0.1)


def test_a_dead_device_that_cannot_be_asked_for_safely_is_left_alone_for_a_while() -> None:
    poller = Poller([device("a", 1, 0)], 0.0)
    poller.silent(taken(poller, 0.0), 0.3, 0.3)
    poller.silent(taken(poller, 0.3), 0.6, 0.3)
    probe = taken(poller, 20.0)
    assert probe.probe
    poller.later(probe, 20.0, 0.5)
    assert (poller.next(20.4), poller.next_time()) == (None, 20.5)


def test_lateness_is_told_in_periods() -> None:
    poller = Poller([device("a", 1, 0, every_ms=500)], 0.0)
    assert poller.lateness(0.0) == 0
    assert poller.lateness(1.0) == 2


def values(*addresses: int) -> DevicePlan:
    """One block of registers 0..9, with a value of two registers at each of `addresses`."""
    points = tuple(
        PointPlan(number, f"a.p{at}", "", Register("holding", at, "float32", 2), True, 3000, 1000)
        for number, at in enumerate(addresses)
    )
    block = RegisterBlock("holding", 0, 10, 1000, tuple(range(len(points))))
    return DevicePlan("a", 1, None, PollSettings(timeout_ms=300), points, (block,))


def spans(poller: Poller) -> list[tuple[int, int, bool]]:
    return [
        (due.block.address, due.block.count, due.hole is not None)
        for due in poller.devices[0].dues
        if isinstance(due.block, RegisterBlock)
    ]


def test_a_block_with_an_illegal_register_is_halved_until_the_hole_is_found() -> None:
    poller = Poller([values(0, 2, 4, 6, 8)], 0.0)
    poller.answered(taken(poller, 0.0), 0.0)
    now = 1.0
    while (job := poller.next(now)) is not None:
        block = job.due.block
        assert isinstance(block, RegisterBlock)
        if block.address <= 6 < block.address + block.count:
            poller.split(job, 2, now)
        else:
            poller.sound(job, now)
    assert spans(poller) == [(0, 6, False), (6, 2, True), (8, 2, False)]
    assert poller.devices[0].holes() == [Hole("holding", 6, 2, 2)]


def test_a_hole_is_asked_for_again_ever_more_rarely_and_at_last_daily() -> None:
    poller = Poller([msgspec.structs.replace(values(8), blocks=(RegisterBlock("holding", 8, 2, 1000, (0,)),))], 0.0)
    poller.answered(taken(poller, 0.0), 0.0)
    due = poller.devices[0].dues[0]
    waits, now = [], 1.0
    for _ in range(5):
        poller.split(Job(poller.devices[0], due), 2, now)
        waits.append(due.due - now)
        now = due.due
    assert waits == [60, 600, 3600, 86400, 86400]


def test_a_remembered_hole_is_not_asked_for_on_the_first_day() -> None:
    poller = Poller(
        [values(0, 2, 4, 6, 8)], 0.0, {"a": DeviceHoles(1, None, (Hole("holding", 6, 2, 2), Hole("holding", 3, 2, 2)))}
    )
    assert spans(poller) == [(0, 6, False), (6, 2, True), (8, 2, False)]
    now, asked = 0.0, set()
    while now < 3600:
        job = poller.next(now)
        if job is None:
            now = poller.next_time()
        else:
            asked.add(job.due.block.address if isinstance(job.due.block, RegisterBlock) else -1)
            poller.answered(job, now)
    assert asked == {0, 8}


def asked(poller: Poller, until: float, has: Callable[[float, range], bool], now: float = 0.0) -> list[tuple[int, int]]:
    """The reads, as (address, count), that a device is asked for which answers those that it `has`, at that time."""
    found = []
    while now < until:
        job = poller.next(now)
        if job is None:
            now = poller.next_time()
            continue
        block = job.due.block
        assert isinstance(block, RegisterBlock)
        found.append((block.address, block.count))
        if has(now, range(block.address, block.address + block.count)):
            poller.sound(job, now)
        else:
            poller.split(job, 2, now)
    return found


def test_an_illegal_gap_costs_itself_and_not_the_value_behind_it() -> None:
    poller = Poller([values(0, 2, 8)], 0.0)
    last = asked(poller, 5.0, lambda _, read: not {4, 5, 6, 7} & {*read})[-2:]
    assert last == [(0, 4), (8, 2)]
    assert spans(poller) == [(0, 4, False), (4, 4, True), (8, 2, False)]


def test_a_point_that_is_new_in_a_gap_that_was_refused_is_asked_for() -> None:
    gap = {"a": DeviceHoles(1, None, (Hole("holding", 2, 6, 2),))}
    assert spans(Poller([values(0, 8)], 0.0, gap)) == [(0, 2, False), (2, 6, True), (8, 2, False)]
    assert spans(Poller([values(0, 4, 8)], 0.0, gap)) == [(0, 10, False)]


def test_a_device_that_refuses_all_while_it_starts_is_read_in_one_request_afterwards() -> None:
    poller = Poller([values(0, 2, 8)], 0.0)
    asked(poller, 200.0, lambda now, _: now > 10.0)
    assert spans(poller) == [(0, 10, False)]
    assert poller.devices[0].holes() == []


def test_a_register_that_comes_and_goes_leaves_one_request_each_time_that_it_is_there() -> None:
    poller = Poller([values(0, 2, 4, 6, 8)], 0.0)
    now, seen = 0.0, []
    for lacks in (4, None, 8, None):
        asked(poller, now + 4000.0, lambda _, read, lacks=lacks: lacks not in read, now)  # type: ignore[misc]
        seen.append([(start, count) for start, count, hole in spans(poller) if not hole])
        now += 4000.0
    assert seen == [[(0, 4), (6, 4)], [(0, 10)], [(0, 8)], [(0, 10)]]


def test_what_is_refused_although_its_parts_are_answered_is_not_joined_again() -> None:
    poller = Poller([values(0, 2, 4, 6, 8)], 0.0)
    reads = asked(poller, 30.0, lambda _, read: len(read) < 8)
    assert reads.count((0, 10)) == 2
    assert spans(poller) == [(0, 4, False), (4, 6, False)]


@given(st.sets(st.sampled_from(range(0, 60, 2)), min_size=1).map(sorted), st.sets(st.integers(0, 61)), st.booleans())
def test_every_value_that_a_device_has_is_read_in_as_few_requests_as_its_holes_allow(
    addresses: list[int], absent: set[int], restart: bool
) -> None:
    first, end = addresses[0], addresses[-1] + 2
    plan = values(*addresses)
    block = RegisterBlock("holding", first, end - first, 1000, plan.blocks[0].points)
    plan = msgspec.structs.replace(plan, blocks=(block,))
    poller = Poller([plan], 0.0)
    asked(poller, 20.0, lambda _, read: not absent & {*read})
    holes = tuple(poller.devices[0].holes())
    if restart:
        poller = Poller([plan], 20.0, {"a": DeviceHoles(1, None, holes)})
    reads = {*asked(poller, 30.0, lambda _, read: not absent & {*read}, 20.0)}
    has = {at for at in addresses if not absent & {at, at + 1}}
    assert {at for at in addresses for start, count in reads if start <= at < start + count} == has
    runs = [[at in has for at in range(start, start + count, 2) if at in addresses] for start, count in reads]
    assert all(all(run) for run in runs)
    assert len(reads) == _runs(addresses, absent)


def _runs(addresses: list[int], absent: set[int]) -> int:
    """How many reads bring the values that are there: one more for each hole that lies between two of them."""
    has = [at for at in addresses if not absent & {at, at + 1}]
    return sum(
        1 for at, before in zip(has, [None, *has], strict=False) if before is None or absent & {*range(before, at)}
    )


def test_lines_of_a_worker_begin_one_after_the_other_and_stay_so() -> None:
    pollers = [Poller([device("a", 1, 0, every_ms=1000)], 0.0, phase=place / 4) for place in range(4)]
    assert [poller.next_time() for poller in pollers] == [0.0, 0.25, 0.5, 0.75]
    for poller in pollers:
        at = poller.next_time()
        job = poller.next(at)
        assert job is not None
        poller.answered(job, at + 0.3)
    assert [poller.next_time() for poller in pollers] == [1.0, 1.25, 1.5, 1.75]


def test_a_meter_that_is_asked_every_minute_says_its_first_word_within_seconds() -> None:
    poller = Poller([device(str(unit), unit, 0, every_ms=60_000) for unit in range(4)], 0.0)
    assert [due.due for polled in poller.devices for due in polled.dues] == [0.0, 0.5, 1.0, 1.5]


def test_on_a_line_that_is_full_high_priority_keeps_its_period_and_low_is_served_too() -> None:
    ranks: dict[str, Priority] = {"high": "high", "normal": "normal", "low": "low"}
    plans = [
        polled_with(device(name, unit, *range(0, 80, 20), every_ms=150), priority=rank)
        for unit, (name, rank) in enumerate(ranks.items(), 1)
    ]
    answers = run(Poller(plans, 0.0), 100, set())
    stretch = {name: 100 / (len(times) / 4) / 0.15 for name, times in answers.items()}
    assert stretch["high"] <= 1.05
    assert 1 < stretch["normal"] < stretch["low"] < 10


def test_a_line_with_time_for_all_keeps_the_period_of_low_priority() -> None:
    plans = [
        polled_with(device("high", 1, 0, 20), priority="high"),
        polled_with(device("low", 2, 0, 20), priority="low"),
    ]
    answers = run(Poller(plans, 0.0), 100, set())
    assert all(2 * 100 <= len(times) <= 2 * 100 + 4 for times in answers.values())


def test_what_is_due_beside_a_job_is_of_its_device_and_no_more_than_the_device_takes() -> None:
    plans = [
        polled_with(device("a", 1, 0, 20, 40, 60), pipeline=3),
        device("b", 2, 0),
    ]
    poller = Poller(plans, 0.0)
    assert poller.beside(taken(poller, 5.0), 5.0) == []  # not heard yet
    poller.answered(taken(poller, 5.0), 5.0)
    poller.devices[0].identified = True
    job = Job(poller.devices[0], poller.devices[0].dues[1])
    beside = poller.beside(job, 9.0)
    assert [(one.device, one.beside) for one in beside] == [(job.device, True)] * 2
    assert job.due not in [one.due for one in beside]
