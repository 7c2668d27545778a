"""The schedule of one line in virtual time."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from acquisition.drivers.base import Read
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from acquisition.polling.scheduler import PROBE_LIMIT_S, Job, Scheduler
from mapping.plan import DevicePlan, PointPlan, PollSettings, Priority, Register, RegisterBlock
from tests.support.field import polled_with

COST_S = 0.02
TIMEOUT_S = 0.3  # of one try


def device(name: str, unit: int, *addresses: int, every_ms: int = 1000) -> DevicePlan:
    blocks = tuple(RegisterBlock("holding", address, 10, every_ms, ()) for address in addresses)
    return DevicePlan(name, unit, None, PollSettings(timeout_ms=300), (), blocks)


def run(scheduler: Scheduler, seconds: float, dead: set[str], start: float = 0.0) -> dict[str, list[float]]:
    """Poll in virtual time; when each device was answered."""
    now, answers = start, {one.plan.name: list[float]() for one in scheduler.devices}
    while now < seconds:
        job = scheduler.next(now)
        if job is None:
            now = max(scheduler.next_time(), now + 1e-6)
        elif job.device.plan.name in dead:
            now += TIMEOUT_S
            scheduler.timed_out(job, now, TIMEOUT_S)
        else:
            now += COST_S
            scheduler.answered(job, now)
            answers[job.device.plan.name].append(now)
    return answers


def test_each_block_is_asked_once_a_period_without_drift() -> None:
    scheduler = Scheduler([device("a", 1, 0, 100)], 0.0)
    assert 2 * 100 <= len(run(scheduler, 100, set())["a"]) <= 2 * 100 + 4


def test_the_first_times_are_spread_over_the_period() -> None:
    scheduler = Scheduler([device("a", 1, 0, 100), device("b", 2, 0, 100)], 0.0)
    assert sorted(due.due_at for one in scheduler.devices for due in one.blocks) == [0.0, 0.25, 0.5, 0.75]


def test_a_dead_unit_of_eight_costs_its_neighbours_at_most_a_tenth() -> None:
    def saturated() -> Scheduler:
        return Scheduler([device(str(unit), unit, 0, every_ms=10) for unit in range(8)], 0.0)

    alone = sum(len(times) for name, times in run(saturated(), 30, set()).items() if name != "7") / 7 * 8
    beside = sum(len(times) for name, times in run(saturated(), 30, {"7"}).items())
    assert beside >= 0.9 * alone * 7 / 8


def test_a_dead_unit_is_probed_in_its_time_on_a_line_that_cannot_keep_up_with_short_periods() -> None:
    scheduler = Scheduler([device("a", 1, 0, 100, 200, every_ms=20), device("b", 2, 0, every_ms=20)], 0.0)
    now, probes = 0.0, list[float]()
    while now < 200.0:
        job = scheduler.next(now)
        now += 2.0
        if job is not None and job.device.plan.name == "b":
            probes.append(now)
            scheduler.timed_out(job, now, TIMEOUT_S)
        elif job is not None:
            scheduler.answered(job, now)
    assert max(later - earlier for earlier, later in pairwise([*probes, now])) <= PROBE_LIMIT_S + 8.0


def test_a_dead_unit_is_probed_within_thirty_seconds_and_then_polled_at_once() -> None:
    scheduler = Scheduler([device("a", 1, 0, 100, 200), device("b", 2, 0)], 0.0)
    assert run(scheduler, 200, {"a"})["a"] == []
    back = run(scheduler, 240, set(), start=200)["a"]
    assert back[0] <= 200 + PROBE_LIMIT_S
    assert back[2] <= back[0] + 3 * COST_S + 0.5


def taken(scheduler: Scheduler, now: float) -> Job:
    job = scheduler.next(now)
    assert job is not None
    return job


def test_an_exchange_fails_with_its_last_try_and_the_second_failed_one_gives_the_device_up() -> None:
    scheduler = Scheduler([device("a", 1, 0)], 0.0)
    scheduler.answered(taken(scheduler, 0.0), 0.1)
    assert [
        scheduler.timed_out(taken(scheduler, 1.0), 1.3, 0.3),
        scheduler.timed_out(taken(scheduler, 1.3), 1.6, 0.3),
    ] == [None, False]
    assert [
        scheduler.timed_out(taken(scheduler, 2.0), 2.3, 0.3),
        scheduler.timed_out(taken(scheduler, 2.3), 2.6, 0.3),
    ] == [None, True]
    assert scheduler.devices[0].down


def test_after_a_try_without_an_answer_another_unit_goes_first_and_then_the_silent_one_again() -> None:
    scheduler = Scheduler([device("a", 1, 0, every_ms=10), device("b", 2, 0, every_ms=10)], 0.0)
    for now in (0.0, 0.02):
        scheduler.answered(taken(scheduler, now), now)
    late = taken(scheduler, 5.0)
    assert scheduler.timed_out(late, 5.3, 0.3) is None
    other = taken(scheduler, 5.3)
    assert other.device is not late.device
    scheduler.answered(other, 5.32)
    assert taken(scheduler, 5.32) == late


def test_a_line_that_is_asked_for_too_much_stretches_all_periods_alike() -> None:
    names = {"fast": 50, "middle": 200, "slow": 2000}
    plans = [device(name, unit, *range(0, 40, 20), every_ms=ms) for unit, (name, ms) in enumerate(names.items(), 1)]
    load = sum(2 * COST_S * 1000 / ms for ms in names.values())
    assert load > 1
    answers = run(Scheduler(plans, 0.0), 200, set())
    for name, ms in names.items():
        stretch = 200 / (len(answers[name]) / 2) / (ms / 1000)
        assert 0.9 * load <= stretch <= 1.15 * load, name


def test_a_device_that_comes_back_on_a_line_that_is_full_gets_its_share() -> None:
    scheduler = Scheduler([device(str(unit), unit, 0, every_ms=10) for unit in range(8)], 0.0)
    run(scheduler, 100, {"7"})
    answers = run(scheduler, 160, set(), start=100)
    assert answers["7"][0] <= 100 + PROBE_LIMIT_S
    assert len(answers["7"]) >= 0.9 * len(answers["6"]) * (160 - answers["7"][0]) / 60


def test_dead_units_share_a_twentieth_of_the_line() -> None:
    plans = [device(str(unit), unit, 0, every_ms=10) for unit in range(8)]
    beside = run(Scheduler(plans, 0.0), 300, {"4", "5", "6", "7"})
    alone = run(Scheduler(plans[:4], 0.0), 300, set())
    assert sum(map(len, beside.values())) >= 0.9 * sum(map(len, alone.values()))


def test_a_dead_unit_that_takes_nobodys_time_is_probed_after_1_2_4_seconds_and_so_on() -> None:
    plan = polled_with(device("a", 1, 0), retries=0)
    scheduler = Scheduler([plan], 0.0)
    now, probes = 0.0, []
    while now < 120:
        job = scheduler.next(now)
        if job is None:
            now = scheduler.next_time()
        else:
            probes.append(now)
            now += 1.0
            scheduler.timed_out(job, now, 1.0)
    assert probes == [0, 2, 5, 10, 19, 36, 67, 98]


def test_a_busy_device_is_asked_again_after_a_while_and_the_line_is_free_meanwhile() -> None:
    scheduler = Scheduler([device("a", 1, 0), device("b", 2, 0)], 0.0)
    job = taken(scheduler, 0.0)
    assert scheduler.busy(job, 0.02, 0.1)
    assert scheduler.next(0.1) is None
    assert taken(scheduler, 0.13) == job
    assert not scheduler.busy(job, 0.15, 0.1)


def test_a_dead_device_that_cannot_be_asked_for_safely_is_left_alone_for_a_while() -> None:
    scheduler = Scheduler([device("a", 1, 0)], 0.0)
    scheduler.timed_out(taken(scheduler, 0.0), 0.3, 0.3)
    scheduler.timed_out(taken(scheduler, 0.3), 0.6, 0.3)
    probe = taken(scheduler, 20.0)
    assert probe.probe
    scheduler.defer(probe, 20.0, 0.5)
    assert (scheduler.next(20.4), scheduler.next_time()) == (None, 20.5)


def test_lateness_is_told_in_periods() -> None:
    scheduler = Scheduler([device("a", 1, 0, every_ms=500)], 0.0)
    assert scheduler.lateness(0.0) == 0
    assert scheduler.lateness(1.0) == 2


def values(*addresses: int) -> DevicePlan:
    """One block of registers 0..9, with a value of two registers at each of `addresses`."""
    points = tuple(
        PointPlan(number, f"a.p{at}", "", Register("holding", at, "float32", 2), True, 3000, 1000)
        for number, at in enumerate(addresses)
    )
    block = RegisterBlock("holding", 0, 10, 1000, tuple(range(len(points))))
    return DevicePlan("a", 1, None, PollSettings(timeout_ms=300), points, (block,))


def spans(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    return [
        (due.block.address, due.block.count, due.refused is not None)
        for due in scheduler.devices[0].blocks
        if isinstance(due.block, RegisterBlock)
    ]


def test_a_block_with_an_illegal_register_is_halved_until_the_hole_is_found() -> None:
    scheduler = Scheduler([values(0, 2, 4, 6, 8)], 0.0)
    scheduler.answered(taken(scheduler, 0.0), 0.0)
    now = 1.0
    while (job := scheduler.next(now)) is not None:
        block = job.due.block
        assert isinstance(block, RegisterBlock)
        if block.address <= 6 < block.address + block.count:
            scheduler.split(job, 2, now)
        else:
            scheduler.succeeded(job, now)
    assert spans(scheduler) == [(0, 6, False), (6, 2, True), (8, 2, False)]
    assert scheduler.devices[0].refused_ranges() == [RefusedRange("holding", 6, 2, 2)]


def test_a_hole_is_asked_for_again_ever_more_rarely_and_at_last_daily() -> None:
    scheduler = Scheduler(
        [msgspec.structs.replace(values(8), blocks=(RegisterBlock("holding", 8, 2, 1000, (0,)),))], 0.0
    )
    scheduler.answered(taken(scheduler, 0.0), 0.0)
    due = scheduler.devices[0].blocks[0]
    waits, now = [], 1.0
    for _ in range(5):
        scheduler.split(Job(scheduler.devices[0], due), 2, now)
        waits.append(due.due_at - now)
        now = due.due_at
    assert waits == [60, 600, 3600, 86400, 86400]


def test_a_remembered_hole_is_not_asked_for_on_the_first_day() -> None:
    scheduler = Scheduler(
        [values(0, 2, 4, 6, 8)],
        0.0,
        {"a": DeviceRefusals(1, None, (RefusedRange("holding", 6, 2, 2), RefusedRange("holding", 3, 2, 2)))},
    )
    assert spans(scheduler) == [(0, 6, False), (6, 2, True), (8, 2, False)]
    now, asked = 0.0, set()
    while now < 3600:
        job = scheduler.next(now)
        if job is None:
            now = scheduler.next_time()
        else:
            asked.add(job.due.block.address if isinstance(job.due.block, RegisterBlock) else -1)
            scheduler.answered(job, now)
    assert asked == {0, 8}


def asked(
    scheduler: Scheduler, until: float, has: Callable[[float, range], bool], now: float = 0.0
) -> list[tuple[int, int]]:
    """The reads, as (address, count), that a device is asked for which answers those that it `has`, at that time."""
    found = []
    while now < until:
        job = scheduler.next(now)
        if job is None:
            now = scheduler.next_time()
            continue
        block = job.due.block
        assert isinstance(block, RegisterBlock)
        found.append((block.address, block.count))
        if has(now, range(block.address, block.address + block.count)):
            scheduler.succeeded(job, now)
        else:
            scheduler.split(job, 2, now)
    return found


def test_an_illegal_gap_costs_itself_and_not_the_value_behind_it() -> None:
    scheduler = Scheduler([values(0, 2, 8)], 0.0)
    last = asked(scheduler, 5.0, lambda _, read: not {4, 5, 6, 7} & {*read})[-2:]
    assert last == [(0, 4), (8, 2)]
    assert spans(scheduler) == [(0, 4, False), (4, 4, True), (8, 2, False)]


def test_a_point_that_is_new_in_a_gap_that_was_refused_is_asked_for() -> None:
    gap = {"a": DeviceRefusals(1, None, (RefusedRange("holding", 2, 6, 2),))}
    assert spans(Scheduler([values(0, 8)], 0.0, gap)) == [(0, 2, False), (2, 6, True), (8, 2, False)]
    assert spans(Scheduler([values(0, 4, 8)], 0.0, gap)) == [(0, 10, False)]


def test_a_device_that_refuses_all_while_it_starts_is_read_in_one_request_afterwards() -> None:
    scheduler = Scheduler([values(0, 2, 8)], 0.0)
    asked(scheduler, 200.0, lambda now, _: now > 10.0)
    assert spans(scheduler) == [(0, 10, False)]
    assert scheduler.devices[0].refused_ranges() == []


def test_a_register_that_comes_and_goes_leaves_one_request_each_time_that_it_is_there() -> None:
    scheduler = Scheduler([values(0, 2, 4, 6, 8)], 0.0)
    now, seen = 0.0, []
    for lacks in (4, None, 8, None):
        asked(scheduler, now + 4000.0, lambda _, read, lacks=lacks: lacks not in read, now)  # type: ignore[misc]
        seen.append([(start, count) for start, count, hole in spans(scheduler) if not hole])
        now += 4000.0
    assert seen == [[(0, 4), (6, 4)], [(0, 10)], [(0, 8)], [(0, 10)]]


def test_what_is_refused_although_its_parts_are_answered_is_not_joined_again() -> None:
    scheduler = Scheduler([values(0, 2, 4, 6, 8)], 0.0)
    reads = asked(scheduler, 30.0, lambda _, read: len(read) < 8)
    assert reads.count((0, 10)) == 2
    assert spans(scheduler) == [(0, 4, False), (4, 6, False)]


@given(st.sets(st.sampled_from(range(0, 60, 2)), min_size=1).map(sorted), st.sets(st.integers(0, 61)), st.booleans())
def test_every_value_that_a_device_has_is_read_in_as_few_requests_as_its_holes_allow(
    addresses: list[int], absent: set[int], restart: bool
) -> None:
    first, end = addresses[0], addresses[-1] + 2
    plan = values(*addresses)
    block = RegisterBlock("holding", first, end - first, 1000, plan.blocks[0].points)
    plan = msgspec.structs.replace(plan, blocks=(block,))
    scheduler = Scheduler([plan], 0.0)
    asked(scheduler, 20.0, lambda _, read: not absent & {*read})
    holes = tuple(scheduler.devices[0].refused_ranges())
    if restart:
        scheduler = Scheduler([plan], 20.0, {"a": DeviceRefusals(1, None, holes)})
    reads = {*asked(scheduler, 30.0, lambda _, read: not absent & {*read}, 20.0)}
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
    pollers = [Scheduler([device("a", 1, 0, every_ms=1000)], 0.0, phase=place / 4) for place in range(4)]
    assert [scheduler.next_time() for scheduler in pollers] == [0.0, 0.25, 0.5, 0.75]
    for scheduler in pollers:
        at = scheduler.next_time()
        job = scheduler.next(at)
        assert job is not None
        scheduler.answered(job, at + 0.3)
    assert [scheduler.next_time() for scheduler in pollers] == [1.0, 1.25, 1.5, 1.75]


def test_a_meter_that_is_asked_every_minute_says_its_first_word_within_seconds() -> None:
    scheduler = Scheduler([device(str(unit), unit, 0, every_ms=60_000) for unit in range(4)], 0.0)
    assert [due.due_at for polled in scheduler.devices for due in polled.blocks] == [0.0, 0.5, 1.0, 1.5]


def test_on_a_line_that_is_full_high_priority_keeps_its_period_and_low_is_served_too() -> None:
    ranks: dict[str, Priority] = {"high": "high", "normal": "normal", "low": "low"}
    plans = [
        polled_with(device(name, unit, *range(0, 80, 20), every_ms=150), priority=rank)
        for unit, (name, rank) in enumerate(ranks.items(), 1)
    ]
    answers = run(Scheduler(plans, 0.0), 100, set())
    stretch = {name: 100 / (len(times) / 4) / 0.15 for name, times in answers.items()}
    assert stretch["high"] <= 1.05
    assert 1 < stretch["normal"] < stretch["low"] < 10


def test_a_line_with_time_for_all_keeps_the_period_of_low_priority() -> None:
    plans = [
        polled_with(device("high", 1, 0, 20), priority="high"),
        polled_with(device("low", 2, 0, 20), priority="low"),
    ]
    answers = run(Scheduler(plans, 0.0), 100, set())
    assert all(2 * 100 <= len(times) <= 2 * 100 + 4 for times in answers.values())


def test_what_is_due_beside_a_job_is_of_its_device_and_no_more_than_the_device_takes() -> None:
    plans = [
        polled_with(device("a", 1, 0, 20, 40, 60), pipeline=3),
        device("b", 2, 0),
    ]
    scheduler = Scheduler(plans, 0.0)
    assert scheduler.concurrent(taken(scheduler, 5.0), 5.0) == []  # not heard yet
    scheduler.answered(taken(scheduler, 5.0), 5.0)
    scheduler.devices[0].identified = True
    job = Job(scheduler.devices[0], scheduler.devices[0].blocks[1])
    beside = scheduler.concurrent(job, 9.0)
    assert [(one.device, one.concurrent) for one in beside] == [(job.device, True)] * 2
    assert job.due not in [one.due for one in beside]


def test_a_longer_read_is_refused_for_good_by_one_certain_exception_or_by_the_third_that_may_be_anothers() -> None:
    device = Scheduler([values(0, 2)], 0.0).devices[0]
    longer, other = Read(1, "holding", 0, 5), Read(1, "holding", 0, 6)
    device.refuses_longer(longer, certain=False)
    device.refuses_longer(longer, certain=False)
    device.refuses_longer(other, certain=True)
    assert device.refused_reads == {other}
    device.refuses_longer(longer, certain=False)
    assert device.refused_reads == {longer, other}
