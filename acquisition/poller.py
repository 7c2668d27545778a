"""What to ask next: due blocks in order, dead devices in their place (pure).

    UP ──an exchange fails──► UP, failing ──the next one too──► DOWN ──a probe is answered──► UP, all due at once

A device that never answered goes DOWN with its first failure. A DOWN device is asked for its cheapest block, at most
every 30 s and never so often that it takes more than a twentieth of the line's time from its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mapping.plan import Block, DevicePlan, RegisterBlock

PROBE_LIMIT_S: Final = 30.0
PROBE_FIRST_S: Final = 1.0
PROBE_SHARE: Final = 20.0  # a probe's cost, times this, passes before the next one
HOLE_RETRY_S: Final = 600.0  # a register that the device does not have is asked for again after that


@dataclass(slots=True, eq=False)
class Due:
    """A block with its next time."""

    block: Block
    due: float
    period_s: float


@dataclass(slots=True, eq=False)
class Polled:
    """One device as the poller sees it."""

    plan: DevicePlan
    dues: list[Due]
    answered: bool = False  # since the start
    identified: bool = False  # it is what its profile says, since it was last away
    down: bool = False
    failures: int = 0  # exchanges in a row
    probe_at: float = 0.0
    probe_wait_s: float = PROBE_FIRST_S
    refuses_longer: set[int] = field(default_factory=set)  # addresses of blocks that cannot be read beyond their end


@dataclass(frozen=True, slots=True)
class Job:
    """One block of one device, now. A probe has one try."""

    device: Polled
    due: Due
    probe: bool = False


class Poller:
    """The schedule of one line."""

    def __init__(self, devices: Sequence[DevicePlan], now: float) -> None:
        self.devices = [
            Polled(plan, _spread(plan, position, len(devices), now)) for position, plan in enumerate(devices)
        ]
        self._last_failed: Polled | None = None

    def next(self, now: float) -> Job | None:
        """The job whose turn it is; None if none is due."""
        ready: list[tuple[bool, float, int, Job]] = []
        for position, device in enumerate(self.devices):
            job, since = _next_of(device, now)
            if job is not None and since <= now:
                ready.append((device is self._last_failed, since, position, job))
        return min(ready, key=lambda row: row[:3])[3] if ready else None

    def next_time(self, now: float) -> float:
        """When the next job is due; infinity if there is nothing to poll."""
        return min(
            (since for device in self.devices for job, since in [_next_of(device, now)] if job), default=float("inf")
        )

    def answered(self, job: Job, now: float) -> bool:
        """The device has answered, whatever it said. True if it is back: all it has is due at once."""
        device = job.device
        back = device.down or not device.answered
        device.answered, device.failures, device.down = True, 0, False
        device.probe_wait_s = PROBE_FIRST_S
        if back:
            for due in device.dues:
                due.due = min(due.due, now)
        _advance(job.due, now)
        if self._last_failed is device:
            self._last_failed = None
        return back

    def failed(self, job: Job, now: float, cost_s: float) -> bool:
        """No sound answer in any try, which took `cost_s`. True if the device is given up now."""
        device = job.device
        _advance(job.due, now)
        self._last_failed = device
        device.failures += 1
        opens = not device.down and (device.failures > 1 or not device.answered)
        if opens:
            device.down = True
            device.probe_wait_s = PROBE_FIRST_S
        elif device.down:
            device.probe_wait_s = min(2 * device.probe_wait_s, PROBE_LIMIT_S)
        device.probe_at = now + min(max(device.probe_wait_s, PROBE_SHARE * cost_s), PROBE_LIMIT_S)
        return opens

    def give_up(self, job: Job, now: float, cost_s: float) -> None:
        """The device is not to be polled: it goes DOWN at once, whatever it answered."""
        job.device.failures = max(job.device.failures, 1)
        self.failed(job, now, cost_s)

    def later(self, job: Job, now: float, seconds: float) -> None:
        """Ask `job` again after `seconds`, without judging it."""
        job.due.due = now + seconds

    def split(self, job: Job, borders: Sequence[int], now: float) -> bool:
        """Halve a block that has a register which the device refuses. False if it is a single value: a hole.

        `borders` are the ends of the block's values, ascending.
        """
        block = job.due.block
        if not isinstance(block, RegisterBlock) or len(borders) < 2:
            job.due.due = now + HOLE_RETRY_S
            return False
        middle = borders[len(borders) // 2 - 1]
        first = _cut(block, block.address, middle)
        rest = _cut(block, middle, block.address + block.count)
        dues = job.device.dues
        position = dues.index(job.due)
        dues[position : position + 1] = [Due(first, now, job.due.period_s), Due(rest, now, job.due.period_s)]
        return True


def _spread(plan: DevicePlan, position: int, of: int, now: float) -> list[Due]:
    """The blocks of one device, their first times spread over their periods."""
    count = max(len(plan.blocks), 1)
    return [
        Due(block, now + block.every_ms / 1000 * (position + index / count) / max(of, 1), block.every_ms / 1000)
        for index, block in enumerate(plan.blocks)
    ]


def _next_of(device: Polled, now: float) -> tuple[Job | None, float]:
    if not device.dues:
        return None, float("inf")
    if device.down:
        return Job(device, min(device.dues, key=_cost), probe=True), device.probe_at
    due = min(device.dues, key=lambda one: one.due)
    return Job(device, due), due.due


def _cost(due: Due) -> int:
    return due.block.count if isinstance(due.block, RegisterBlock) else len(due.block.request)


def _advance(due: Due, now: float) -> None:
    """The next time on the same grid; what was missed is not made up for."""
    due.due += due.period_s
    if due.due <= now - due.period_s:
        due.due += (now - due.due) // due.period_s * due.period_s


def _cut(block: RegisterBlock, start: int, end: int) -> RegisterBlock:
    return RegisterBlock(block.table, start, end - start, block.every_ms, block.points)
