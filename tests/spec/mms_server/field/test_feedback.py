"""The points that prove commands: which samples count for a command, and which came from before it."""

import pytest

from bus import quality
from bus.messages import Sample, Value
from mapping.plan import Proof
from mms_server.field.feedback import Watch, WatchedPoints
from tests.support.field import point, register

POSITION, TAP = 1, 2
POINTS = [point(POSITION, "io.position", register("discrete", 0, "bool")), point(TAP, "io.tap", register("holding", 0))]
COMMANDED_NS = 5_000_000_000
EQUAL, NEAR, STEP = Proof(POSITION, 200), Proof(TAP, 200, tolerance=0.5), Proof(TAP, 200, moves=True)
PROOFS = [(EQUAL, True, True, False), (NEAR, 20, 20, 12), (STEP, None, 7, 5)]
IDS = ["a position", "a setpoint", "a step"]


class Watched:
    """The points of one IED, and what waits for them."""

    def __init__(self) -> None:
        self.points = WatchedPoints()
        for one in POINTS:
            self.points.add(one)

    def watch(self, proof: Proof, wanted: Value, *, at_ns: int = COMMANDED_NS) -> Watch:
        return self.points.watch(proof, wanted, upwards=True, now_ns=at_ns)

    def sample(self, number: int, value: Value, seen_ns: int, judged: int = quality.GOOD) -> list[Watch]:
        return self.points.sampled([Sample(number, value, judged, 0, "")], [seen_ns])


@pytest.mark.parametrize(("proof", "wanted", "after", "before"), PROOFS, ids=IDS)
@pytest.mark.parametrize("known", [True, False], ids=["was known", "was not known"])
def test_an_exchange_from_before_the_command_proves_nothing_though_it_is_heard_after_it(
    proof: Proof, wanted: Value, after: Value, before: Value, known: bool
) -> None:
    watched = Watched()
    if known or proof is STEP:
        watched.sample(proof.point, before, COMMANDED_NS - 3)
    watch = watched.watch(proof, wanted)
    for seen_ns in (COMMANDED_NS - 2, COMMANDED_NS - 1, COMMANDED_NS):  # they were in a queue
        assert watched.sample(proof.point, after, seen_ns) == []
    assert (watch.done, watch.shown, watch.wrong) == (False, None, False)
    assert watched.sample(proof.point, after, COMMANDED_NS + 1) == [watch]
    assert watched.sample(proof.point, after, COMMANDED_NS + 2) == []  # nobody waits any more


@pytest.mark.parametrize(("proof", "wanted", "after", "before"), PROOFS, ids=IDS)
def test_an_old_sample_of_another_value_makes_no_command_wrong(
    proof: Proof, wanted: Value, after: Value, before: Value
) -> None:
    watched = Watched()
    watch = watched.watch(proof, wanted)
    watched.sample(proof.point, before, COMMANDED_NS)
    assert not watch.wrong
    watched.sample(proof.point, before, COMMANDED_NS + 1)
    assert watch.wrong


def test_of_two_commands_each_counts_from_its_own_time() -> None:
    watched = Watched()
    first, second = watched.watch(EQUAL, True), watched.watch(EQUAL, True, at_ns=COMMANDED_NS + 10)
    assert watched.sample(POSITION, True, COMMANDED_NS + 10) == [first]
    assert watched.sample(POSITION, True, COMMANDED_NS + 11) == [second]


def test_of_several_samples_in_one_message_each_has_its_own_time() -> None:
    watched = Watched()
    position, near = watched.watch(EQUAL, True), watched.watch(NEAR, 20)
    samples = [Sample(POSITION, True, quality.GOOD, 0, ""), Sample(TAP, 20, quality.GOOD, 0, "")]
    assert watched.points.sampled(samples, [COMMANDED_NS + 1, COMMANDED_NS - 1]) == [position]
    assert watched.points.sampled(samples, [COMMANDED_NS + 2, COMMANDED_NS + 2]) == [near]


@pytest.mark.parametrize("judged", [quality.INVALID, quality.RESET, quality.STALE])
def test_a_sample_that_is_not_good_proves_nothing_and_the_next_good_one_does(judged: int) -> None:
    watched = Watched()
    watch = watched.watch(EQUAL, True)
    assert watched.sample(POSITION, True, COMMANDED_NS + 1, judged) == []
    assert not watch.wrong
    assert watched.sample(POSITION, True, COMMANDED_NS + 2) == [watch]
