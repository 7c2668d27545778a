"""Liveness of workers in virtual time: lost messages, silence, restarts, and an OS process that woke up too late."""

from bus.liveness import (
    SILENCE_S,
    Apply,
    Event,
    Liveness,
    MessageDropped,
    NeedSnapshot,
    WorkerBack,
    WorkerLost,
    WorkerPhase,
)
from bus.messages import Heartbeat, Snapshot


def beat(sequence: int, started: int = 1, worker: str = "w") -> Heartbeat:
    return Heartbeat(worker, started, "r", sequence, 0, (), (), {})


def snapshot(sequence: int, started: int = 1) -> Snapshot:
    return Snapshot("w", started, "r", sequence, 0, 10, (), ())


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def synced() -> Liveness:
    liveness = Liveness(["w"], 0.0)
    liveness.heard(beat(1), 0.0)
    liveness.heard(snapshot(1), 0.0)
    assert liveness.synced()
    return liveness


def test_a_worker_heard_for_the_first_time_is_asked_for_a_snapshot() -> None:
    liveness = Liveness(["w"], 0.0)
    first = beat(5)
    assert liveness.heard(first, 0.1) == [WorkerBack("w", restarted=False), Apply(first), NeedSnapshot("w")]
    assert liveness.phase("w") is WorkerPhase.SYNCING
    assert kinds(liveness.heard(snapshot(5), 0.2)) == [Apply]
    assert liveness.synced()


def test_messages_in_order_are_believed_and_ask_for_nothing() -> None:
    liveness = synced()
    assert [kinds(liveness.heard(beat(number), 0.1)) for number in (2, 3)] == [[Apply], [Apply]]


def test_a_hole_in_the_sequence_asks_for_a_snapshot() -> None:
    liveness = synced()
    assert kinds(liveness.heard(beat(3), 0.1)) == [Apply, NeedSnapshot]
    assert not liveness.synced()
    assert kinds(liveness.heard(snapshot(3), 0.2)) == [Apply]
    assert liveness.synced()


def test_a_snapshot_from_before_the_hole_is_not_enough() -> None:
    liveness = synced()
    liveness.heard(beat(9), 0.1)
    assert kinds(liveness.heard(snapshot(7), 0.2)) == [Apply, NeedSnapshot]
    assert not liveness.synced()
    liveness.heard(snapshot(8), 0.3)
    assert liveness.synced()


def test_what_was_heard_already_is_dropped() -> None:
    liveness = synced()
    assert liveness.heard(beat(1), 0.1) == [MessageDropped("w", "sequence 1 again")]


def test_silence_is_loss_once_and_the_return_is_told() -> None:
    liveness = synced()
    assert liveness.next_deadline() == SILENCE_S
    assert liveness.tick(SILENCE_S - 0.01) == []
    assert liveness.tick(SILENCE_S) == [WorkerLost("w")]
    assert liveness.tick(SILENCE_S + 1) == []
    assert kinds(liveness.heard(beat(2), 4.0)) == [WorkerBack, Apply, NeedSnapshot]


def test_a_younger_instance_is_believed_and_the_older_one_no_more() -> None:
    liveness = synced()
    assert liveness.heard(beat(1, started=2), 0.5)[0] == WorkerBack("w", restarted=True)
    assert liveness.heard(beat(2, started=1), 0.6) == [MessageDropped("w", "an older instance of the worker")]


def test_a_snapshot_that_does_not_come_is_asked_for_again_each_second() -> None:
    liveness = Liveness(["w"], 0.0)
    liveness.heard(beat(1), 0.0)
    assert liveness.tick(0.5) == []
    assert liveness.tick(1.0) == [NeedSnapshot("w")]


def test_a_worker_that_the_plan_lacks_is_dropped() -> None:
    assert synced().heard(beat(1, worker="x"), 0.0) == [MessageDropped("x", "a worker that the plan lacks")]


def test_another_plan_brings_workers_takes_some_and_leaves_what_is_known_of_the_rest() -> None:
    liveness = synced()
    liveness.follow(["w", "fresh"], 1.0)
    assert (liveness.phase("w"), liveness.phase("fresh")) == (WorkerPhase.ALIVE, WorkerPhase.UNHEARD)
    assert kinds(liveness.heard(beat(2), 1.0)) == [Apply]
    liveness.follow(["fresh"], 1.5)
    assert liveness.heard(beat(3), 1.6) == [MessageDropped("w", "a worker that the plan lacks")]
    assert liveness.tick(1.0 + SILENCE_S) == [WorkerLost("fresh")]


def test_a_younger_instance_counts_anew_however_long_the_older_one_had_lived() -> None:
    liveness = synced()
    liveness.heard(beat(2000), 0.1)
    liveness.heard(snapshot(2000), 0.1)
    assert kinds(liveness.heard(beat(1, started=2), 0.5)) == [WorkerBack, Apply, NeedSnapshot]
    assert kinds(liveness.heard(snapshot(1, started=2), 0.5)) == [Apply]
    assert [kinds(liveness.heard(beat(number, started=2), 0.6)) for number in (2, 3)] == [[Apply], [Apply]]
    assert liveness.synced()
