"""One worker: its lines, the last sample of each point, and its end of the bus."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from acquisition.decoding.derived_points import DerivedPoints
from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.decoding.timestamps import clocks_of, stamp
from acquisition.drivers.registry import driver_of
from acquisition.exchange.identity import channel_record
from acquisition.exchange.identity.channel_record import ChannelRecords
from acquisition.learned_devices import LearnedChannels, LearnedRefusals, LearnedTurnarounds
from acquisition.line_task import LineTask
from acquisition.polling import refused_registers
from acquisition.polling.path_failover import Paths
from acquisition.polling.refused_registers import DeviceRefusals
from acquisition.writes.tasks import Task, WriteTasks
from bus.clock import FINEST, worst
from bus.messages import Command, CommandResult, Heartbeat, Sample, SampleBatch, Snapshot
from bus.quality import Quality, Stamp
from bus.sockets import WorkerEndpoint
from bus.system_clock import SystemClock
from bus.topics import TOPICS
from mapping.block_planning import turnaround
from mapping.plan import Plan

TIMED_S: Final = 10.0
RECORDED_S: Final = 300.0  # between records of lags that have not grown: their hours of service go on
HEARTBEAT_S: Final = TOPICS["heartbeat"].period_s or 0.5

log = logging.getLogger("acquisition.worker")


def boot_id() -> str:
    """Identifier of this host's boot: monotonic clocks of one boot can be compared. Raises OSError."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _switched(device: str, text: str) -> None:
    log.warning("device %s: %s", device, text, extra={"device": device})


class _Last(NamedTuple):
    """Last sample of a point, and the stamp of its exchange."""

    sample: Sample
    stamp: Stamp


class Worker:
    """Runs the lines of one WorkerPlan; must be made within a running loop."""

    def __init__(self, plan: Plan, name: str, run_dir: Path, state_dir: Path | None = None) -> None:
        self._name = name
        self._revision = plan.revisions()[name]
        self._started_ns = time.time_ns()
        self._sequence = 0
        self._clock = SystemClock(plan.assumed_clock_error_ns)
        self._last: dict[int, _Last] = {}  # by point
        described = plan.worker(name)
        devices = [device for line in described.lines for device in line.devices]
        simulated = [
            point.number
            for line in described.lines
            if driver_of(line.protocol).transport == "memory"
            for device in line.devices
            for point in device.points
        ]
        self._derived = DerivedPoints((point for device in devices for point in device.points), simulated)
        self._tasks = WriteTasks(name, self._revision, boot_id(), devices, self._reading)
        self._clocks = clocks_of(devices)
        self._refusals = LearnedRefusals(
            None if state_dir is None else refused_registers.file_of(state_dir, name), devices
        )
        self._described = described
        self._turnarounds = LearnedTurnarounds(None if state_dir is None else turnaround.file_of(state_dir, name))
        self._channels = LearnedChannels(None if state_dir is None else channel_record.file_of(state_dir, name))
        self._line_of = {device.name: line.name for line in described.lines for device in line.devices}
        self._make_lines(self._refusals.known, self._channels.known)
        self._polling: set[asyncio.Task[None]] = set()
        self._renewed = asyncio.Event()
        self._endpoint = WorkerEndpoint(
            run_dir, name, self._revision, snapshot=self._snapshot, on_command=self._command
        )

    def _make_lines(self, refused: dict[str, DeviceRefusals], channels: ChannelRecords) -> None:
        """Make the lines, which know of no answer, no failure, and of `refused` and `channels` alone."""
        lines = self._described.lines
        self._paths = Paths(_switched)
        self._line_tasks = {
            line.name: LineTask(
                line,
                driver_of(line.protocol),
                self._publish,
                self._tasks,
                self._clock,
                refused=refused,
                refused_changed=self._refusals.note,
                record=channels.get(line.name),
                record_changed=self._channels.note,
                phase=place / len(lines),
                paths=self._paths,
            )
            for place, line in enumerate(lines)
        }
        self._lines = {name: task.line for name, task in self._line_tasks.items()}
        for line in lines:
            for device in line.fallbacks:
                self._paths.add(device.name, self._lines[self._line_of[device.name]], self._lines[line.name])

    async def run(self) -> None:
        """Poll and publish until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._poll(tasks)
                tasks.create_task(self._renewals(tasks))
                tasks.create_task(self._beat())
                tasks.create_task(self._time())
                tasks.create_task(self._record())
        finally:
            self._keep_channels()
            self._endpoint.close()

    def _poll(self, tasks: asyncio.TaskGroup) -> None:
        self._polling = {tasks.create_task(line.run()) for line in self._line_tasks.values()}

    def renew(self) -> None:
        """See every device as new: missing answers, lags, waits and refused registers are forgotten; the last values stay."""
        self._renewed.set()

    async def _renewals(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._renewed.wait()
            self._renewed.clear()
            for task in self._polling:
                task.cancel()
            await asyncio.wait(self._polling)
            log.info("every device is seen as new")
            self._make_lines({}, {})
            self._poll(tasks)

    def _publish(self, read: list[PointReading], gateway: Stamp) -> None:
        at = stamp(read, self._clocks, gateway)
        monotonic_ns, utc_ns, time_quality = at
        samples = tuple(
            self._sample(point, reading.value, reading.quality, reading.reason, utc_ns)
            for point, reading in self._derived.follow(read, monotonic_ns)
        )
        for sample in samples:
            self._last[sample.point] = _Last(sample, at)
        self._sequence += 1
        self._endpoint.publish(
            SampleBatch(
                self._name,
                self._started_ns,
                self._revision,
                self._sequence,
                monotonic_ns,
                time_quality,
                samples,
            )
        )

    def _sample(self, point: int, value: object, quality: int, reason: str, utc_ns: int) -> Sample:
        """The sample of one reading; without a value the last one stays."""
        if value is None and point in self._last:
            value = self._last[point].sample.value
        return Sample(point, value, quality, utc_ns, reason)  # type: ignore[arg-type]

    def _reading(self, point: int) -> tuple[Reading, int] | None:
        """The last reading of `point`, and when it was made on the monotonic clock."""
        if point not in self._last:
            return None
        sample, at = self._last[point]
        return Reading(sample.value, Quality(sample.quality), sample.reason), at.monotonic_ns

    def _snapshot(self) -> Snapshot:
        now = time.monotonic_ns()
        return Snapshot(
            worker=self._name,
            started_ns=self._started_ns,
            revision=self._revision,
            sequence=self._sequence,
            monotonic_ns=now,
            time_quality=reduce(worst, (last.stamp.time_quality for last in self._last.values()), FINEST),
            samples=tuple(last.sample for last in self._last.values()),
            ages_ms=tuple((now - last.stamp.monotonic_ns) // 1_000_000 for last in self._last.values()),
        )

    async def _command(self, command: Command, answer: Callable[[CommandResult], None]) -> None:
        def placed(result: CommandResult) -> None:
            answer(msgspec.structs.replace(result, sequence=self._sequence))

        taken = self._tasks.taken(command, self._clock.now())
        if isinstance(taken, Task):
            self._enqueue(taken, placed)
        else:
            placed(taken)

    def _enqueue(self, task: Task, answer: Callable[[CommandResult], None]) -> None:
        """Put a write on the line that is the active path of its device."""
        first = self._lines[self._line_of[task.device.name]]
        line = next((one for one in self._lines.values() if one is self._paths.active(task.device.name)), first)
        line.enqueue(task if line is first else task.by(line.reached(task.device.name) or task.device), answer)

    async def _time(self) -> None:
        """Keep the turnarounds of devices, for the next start or reload."""
        while True:
            await asyncio.sleep(TIMED_S)
            for line in self._lines.values():
                self._turnarounds.keep(line.turnarounds())

    async def _record(self) -> None:
        """Keep the channel records of lines, so that their lags count for no longer than their hours of service."""
        while True:
            await asyncio.sleep(RECORDED_S)
            self._keep_channels()

    def _keep_channels(self) -> None:
        self._channels.keep({name: line.record() for name, line in self._lines.items()})

    async def _beat(self) -> None:
        while True:
            self._sequence += 1
            counters: dict[str, int] = {}
            for name, line in self._lines.items():
                counters |= line.counters.as_dict(name)
            self._endpoint.publish(
                Heartbeat(
                    self._name,
                    self._started_ns,
                    self._revision,
                    self._sequence,
                    time.monotonic_ns(),
                    tuple(line.state() for line in self._lines.values()),
                    tuple(state for line in self._lines.values() for state in line.device_states()),
                    counters,
                )
            )
            await asyncio.sleep(HEARTBEAT_S)
