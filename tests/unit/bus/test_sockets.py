"""Both ends of the bus on real sockets: what is published arrives, snapshots answer, commands never wait for nobody."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from bus.codec import Message
from bus.messages import Command, CommandResult, Outcome, Sample, SampleBatch, Snapshot
from bus.sockets import Subscriber, WorkerEndpoint

LAST = Snapshot("w", 1, "r", 7, 1, 10, (Sample(0, 1.5, 0, 1),), (20,))
COMMAND = Command("test", 1, "r", 0, True, "boot", 1, 1)


async def answer_twice(command: Command, answer: Callable[[CommandResult], None]) -> None:
    for outcome in (Outcome.ACCEPTED, Outcome.PROVEN):
        answer(CommandResult(command.issuer, command.number, outcome, 0, "", 1, "w"))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not what():  # noqa: ASYNC110 - bounded, and the sockets offer no event
            await asyncio.sleep(0.005)


def test_batches_snapshots_and_commands_find_their_way(tmp_path: Path) -> None:
    heard: list[Message] = []

    async def run() -> None:
        worker = WorkerEndpoint(tmp_path, "w", "r", snapshot=lambda: LAST, on_command=answer_twice)
        end = Subscriber(tmp_path, {"w": "r"}, on_messages=heard.extend, on_refused=lambda _reason: None)
        try:
            await until(lambda: end.request_snapshot("w"))
            await until(lambda: LAST in heard)
            batch = SampleBatch("w", 1, "r", 8, 1, 10, ())

            def arrived() -> bool:
                worker.publish(batch)
                return batch in heard

            await until(arrived)
            assert end.send_command("w", COMMAND)
            results = [Outcome.ACCEPTED, Outcome.PROVEN]
            await until(lambda: [one.outcome for one in heard if isinstance(one, CommandResult)] == results)
        finally:
            end.close()
            worker.close()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_a_command_to_a_worker_that_is_not_there_fails_at_once_and_is_never_delivered(tmp_path: Path) -> None:
    taken: list[Command] = []

    async def take(command: Command, _answer: Callable[[CommandResult], None]) -> None:
        taken.append(command)

    async def run() -> None:
        end = Subscriber(tmp_path, {"w": "r"}, on_messages=lambda _m: None, on_refused=lambda _reason: None)
        assert end.send_command("w", COMMAND) is False
        worker = WorkerEndpoint(tmp_path, "w", "r", snapshot=lambda: LAST, on_command=take)
        try:
            await until(lambda: end.request_snapshot("w"))
        finally:
            end.close()
            worker.close()

    asyncio.run(run())
    assert taken == []


def test_a_subscriber_with_another_plan_is_refused_and_counts_it(tmp_path: Path) -> None:
    reasons: list[str] = []
    heard: list[Message] = []

    async def run() -> None:
        worker = WorkerEndpoint(tmp_path, "w", "r", snapshot=lambda: LAST, on_command=answer_twice)
        end = Subscriber(tmp_path, {"w": "other"}, on_messages=heard.extend, on_refused=reasons.append)
        try:

            def refused() -> bool:
                worker.publish(SampleBatch("w", 1, "r", 8, 1, 10, ()))
                return bool(reasons)

            await until(refused)
            await until(lambda: end.request_snapshot("w"))
            await until(lambda: worker.refused > 0)
        finally:
            end.close()
            worker.close()

    asyncio.run(run())
    assert (heard, set(reasons)) == ([], {"revision r, expected other"})


def test_a_subscriber_follows_another_plan_and_keeps_what_runs_with_workers_that_stay(tmp_path: Path) -> None:
    heard: list[Message] = []

    async def run() -> None:
        workers = {
            name: WorkerEndpoint(tmp_path, name, "r", snapshot=lambda: LAST, on_command=answer_twice)
            for name in ("w", "gone", "fresh")
        }
        end = Subscriber(tmp_path, {"w": "r", "gone": "r"}, on_messages=heard.extend, on_refused=lambda _reason: None)

        def arrived(*names: str) -> bool:
            for name, worker in workers.items():
                worker.publish(SampleBatch(name, 1, "r", 8, 1, 10, ()))
            return {one.worker for one in heard} >= set(names)

        try:
            await until(lambda: arrived("w", "gone"))
            await until(lambda: end.send_command("w", COMMAND))
            end.follow({"w": "r", "fresh": "r"})
            await until(lambda: Outcome.PROVEN in [one.outcome for one in heard if isinstance(one, CommandResult)])
            heard.clear()
            await until(lambda: arrived("w", "fresh"))
            assert "gone" not in {one.worker for one in heard}
        finally:
            end.close()
            for worker in workers.values():
                worker.close()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []
