"""A worker that is told to see every device as new: what a device did before is forgotten, its last values stay."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from acquisition.drivers.device_side import Fault, RegisterRange
from acquisition.exchange.identity import channel_record
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.lags import RecordedLag
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.lines import line_of
from acquisition.worker import Worker
from bus import quality
from mapping.plan import LinePlan, Plan, WorkerPlan
from tests.support.field import meter

POWER, FREQUENCY = 0, 1


@asynccontextmanager
async def polled(folder: Path, state_dir: Path | None = None) -> AsyncIterator[tuple[Worker, SimulatedDevice]]:
    """A worker that polls a simulated meter, which has been read."""
    device = SimulatedDevice(meter("m", 1, POWER))
    device.tick(0)
    plan = LinePlan("lan", "modbus-tcp", {"host": "127.0.0.1", "port": 0}, (device.plan,))
    answered = line_of(plan, {1: device})
    assert answered is not None
    there = msgspec.structs.replace(plan, settings=plan.settings | await answered.start())
    worker = Worker(Plan("bench", "", (WorkerPlan("w", (there,)),), ()), "w", folder, state_dir)
    running = asyncio.create_task(worker.run())
    try:
        await until(lambda: good(worker, POWER) and good(worker, FREQUENCY))
        yield worker, device
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await answered.stop()


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - a worker tells its samples to the bus alone
            await asyncio.sleep(0.005)


def good(worker: Worker, point: int) -> bool:
    return any(one.point == point and quality.is_good(one.quality) for one in worker._snapshot().samples)


def since(worker: Worker, point: int) -> int:
    """When `point` was last read, on the monotonic clock."""
    return worker._last[point].stamp.monotonic_ns


def test_registers_that_were_refused_are_requested_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with polled(tmp_path) as (worker, device):
            device.fault = Fault("exception", code=2, registers=RegisterRange("holding", 1, 1))
            await until(lambda: not good(worker, FREQUENCY))
            assert good(worker, POWER)
            device.fault = None
            before = since(worker, POWER)
            await until(lambda: since(worker, POWER) > before)
            assert not good(worker, FREQUENCY)  # it is not asked for again so soon
            worker.renew()
            await until(lambda: good(worker, FREQUENCY), 2.0)

    asyncio.run(scenario())


def test_a_device_that_was_given_up_is_online_within_two_seconds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with polled(tmp_path) as (worker, device):
            device.fault = Fault("silent")
            scheduled = worker._lines["lan"]._scheduler.devices[0]
            await until(lambda: scheduled.probe_wait_s >= 4.0, 15.0)
            device.fault = None
            worker.renew()
            await until(lambda: good(worker, POWER) and good(worker, FREQUENCY), 2.0)

    asyncio.run(scenario())


def test_sound_values_stay_good_meanwhile(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with polled(tmp_path) as (worker, _):
            for _ in range(3):
                renewed_ns = time.monotonic_ns()
                worker.renew()

                def read_anew(after_ns: int = renewed_ns) -> bool:
                    assert good(worker, POWER)
                    assert good(worker, FREQUENCY)
                    return since(worker, POWER) > after_ns

                await until(read_anew, 3.0)

    asyncio.run(scenario())


def test_a_worker_begins_with_the_lags_of_the_one_before_and_leaves_its_own_with_less_time_to_count(
    tmp_path: Path,
) -> None:
    file = channel_record.file_of(tmp_path / "state", "w")
    channel_record.save(file, {"lan": ChannelRecord({1: (RecordedLag(0.4, 3600.0),)}), "gone": ChannelRecord()})

    async def scenario() -> None:
        async with polled(tmp_path, tmp_path / "state") as (worker, _):
            assert worker._lines["lan"]._link._attribution.asked.lag(1, worker._lines["lan"]._time.now) == 0.4

    for _ in range(2):
        asyncio.run(scenario())
    left = channel_record.load(file)["lan"].lags[1][0]
    assert left.seconds == 0.4
    assert 3590.0 < left.left_s < 3600.0


def test_lags_are_forgotten_with_everything_else(tmp_path: Path) -> None:
    file = channel_record.file_of(tmp_path / "state", "w")
    channel_record.save(file, {"lan": ChannelRecord({1: (RecordedLag(0.4, 3600.0),)}, other_master=True)})

    async def scenario() -> None:
        async with polled(tmp_path, tmp_path / "state") as (worker, _):
            before = worker._lines["lan"]
            worker.renew()
            await until(lambda: worker._lines["lan"] is not before)

    asyncio.run(scenario())
    assert channel_record.load(file) == {}
