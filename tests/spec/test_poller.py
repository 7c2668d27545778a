"""The schedule of one line in virtual time."""

from acquisition.poller import PROBE_LIMIT_S, Poller
from mapping.plan import DevicePlan, RegisterBlock

COST_S = 0.02
TIMEOUT_S = 0.6  # two tries


def device(name: str, unit: int, *addresses: int, every_ms: int = 1000) -> DevicePlan:
    blocks = tuple(RegisterBlock("holding", address, 10, every_ms, ()) for address in addresses)
    return DevicePlan(name, unit, None, 300, 1, 0, 125, False, (), blocks)


def run(poller: Poller, seconds: float, dead: set[str], start: float = 0.0) -> dict[str, list[float]]:
    """Poll in virtual time; when each device was answered."""
    now, answers = start, {one.plan.name: list[float]() for one in poller.devices}
    while now < seconds:
        job = poller.next(now)
        if job is None:
            now = max(poller.next_time(now), now + 1e-6)
        elif job.device.plan.name in dead:
            cost = TIMEOUT_S / 2 if job.probe else TIMEOUT_S
            now += cost
            poller.failed(job, now, cost)
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


def test_one_lost_answer_does_not_give_a_device_up() -> None:
    poller = Poller([device("a", 1, 0)], 0.0)
    job = poller.next(0.0)
    assert job is not None
    poller.answered(job, 0.1)
    job = poller.next(1.0)
    assert job is not None
    assert poller.failed(job, 1.6, 0.6) is False
    job = poller.next(2.0)
    assert job is not None
    assert poller.failed(job, 2.6, 0.6) is True


def test_after_a_failure_another_unit_goes_first() -> None:
    poller = Poller([device("a", 1, 0, 100, 200), device("b", 2, 0)], 0.0)
    for _ in range(3):
        job = poller.next(1.0)
        assert job is not None
        poller.answered(job, 1.0)
    late = poller.next(5.0)
    assert late is not None
    poller.failed(late, 5.0, 0.6)
    following = poller.next(5.0)
    assert following is not None
    assert following.device is not late.device


def test_a_block_with_an_illegal_register_is_halved_until_the_hole_is_found() -> None:
    poller = Poller([device("a", 1, 0)], 0.0)
    for borders, sizes in (([2, 4, 6, 8, 10], [4, 6]), ([2, 4], [2, 2, 6])):
        job = poller.next(0.0)
        assert job is not None
        assert poller.split(job, borders, 0.0)
        blocks = [due.block for due in poller.devices[0].dues]
        assert [block.count for block in blocks if isinstance(block, RegisterBlock)] == sizes
    job = poller.next(0.0)
    assert job is not None
    assert not poller.split(job, [2], 0.0)
    assert job.due.due > 60
