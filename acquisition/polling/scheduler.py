"""What to ask next: due blocks in order, dead devices in their place (pure).

    UP ──an exchange fails──► UP, failing ──the next one too──► DOWN ──a probe is answered──► UP, all due at once

A device that never answered goes DOWN with its first failure. A DOWN device is asked for its cheapest block, at most
every 30 s and never so often that all such devices take more than a twentieth of the line's time from their neighbours.

Of what is due, that comes first which has waited longest for its period: on a line that is asked for more than it can
do all periods grow by the same factor, and nothing starves. A device of high priority counts its wait four times, one
of low priority a quarter: its periods grow by so much less, or more. After a try without an answer another unit goes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Read
from acquisition.polling import block_split
from acquisition.polling.block_split import HOLE_RETRIES_S, HOLE_RETRY_S, Due, Place
from acquisition.polling.refused_registers import DeviceHoles, Hole
from mapping.plan import DevicePlan, Priority, RegisterBlock

PROBE_LIMIT_S: Final = 30.0
PROBE_FIRST_S: Final = 1.0
PROBE_SHARE: Final = 20.0  # a probe's cost, times this, passes before the next one

WEIGHTS: Final[dict[Priority, float]] = {"high": 4.0, "normal": 1.0, "low": 0.25}


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
    who: str | None = None  # what it says it is, since it was last away; None: it was not asked, empty: it does not say
    knew: str = ""  # which one its holes are of
    resting: bool = False  # another path speaks for it: nothing is asked
    refused: set[Read] = field(default_factory=set)  # reads beyond a block that it refuses
    apart: set[Place] = field(default_factory=set)  # reads that it refuses, and whose parts it answers

    def holes(self) -> list[Hole]:
        """What it has refused by itself."""
        return [due.hole for due in self.dues if due.hole is not None]


@dataclass(frozen=True, slots=True)
class Job:
    """One block of one device, now. A probe has one try.

    `beside`: asked at once with another, whose failure is the device's: so many at once are one silence.
    """

    device: Polled
    due: Due
    probe: bool = False
    beside: bool = False


class Poller:
    """The schedule of one line. `holes`: by device, what it has refused before."""

    def __init__(
        self,
        devices: Sequence[DevicePlan],
        now: float,
        holes: dict[str, DeviceHoles] | None = None,
        phase: float = 0.0,
    ) -> None:
        """`phase`, from 0 to 1, moves the whole schedule against those of other lines."""
        known = holes or {}
        self.devices = [
            Polled(plan, list(block_split.spread(plan, phase, position, len(devices), now, _holes_of(known, plan))))
            for position, plan in enumerate(devices)
        ]
        for device in self.devices:
            device.knew = known[device.plan.name].identity if device.plan.name in known else ""
        self._last_failed: Polled | None = None

    # ------------------------------------------------------------------ whose turn it is

    def next(self, now: float) -> Job | None:
        """The job whose turn it is; None if none is due."""
        best: Job | None = None
        rank = (False, 0.0)
        for device in self.devices:
            job, waited = _next_of(device, now)
            waited *= WEIGHTS[device.plan.polling.priority]
            if job is not None and (best is None or (device is not self._last_failed, waited) > rank):
                best, rank = job, (device is not self._last_failed, waited)
        return best

    def beside(self, job: Job, now: float) -> list[Job]:
        """What else of `job`'s device is due and may be asked for at once with it, the longest wait first.

        None for a device that is not known to be there and to be the right one.
        """
        device = job.device
        if device.plan.polling.pipeline == 1 or job.probe or not (device.answered and device.identified):
            return []
        others = [due for due in device.dues if due is not job.due and due.ready_at <= now]
        others.sort(key=lambda due: (now - due.asked) / due.period_s, reverse=True)
        return [Job(device, due, beside=True) for due in others[: device.plan.polling.pipeline - 1]]

    def next_time(self) -> float:
        """When the next job is due; infinity if there is nothing to poll."""
        return min(
            (_ready_at(device) for device in self.devices if device.dues and not device.resting), default=float("inf")
        )

    def retry_holes(self, device: Polled, now: float) -> None:
        """Ask at once for what `device` has refused."""
        device.apart.clear()
        for due in device.dues:
            if due.hole is not None:
                due.due, due.refusals = now, 0

    def rest(self, device: Polled) -> None:
        """Ask `device` nothing until it resumes."""
        device.resting = True

    def resume(self, device: Polled, now: float) -> None:
        """Ask `device` all it has, as if it had never been asked."""
        device.resting = device.answered = device.identified = device.down = False
        device.failures, device.probe_wait_s = 0, PROBE_FIRST_S
        for due in device.dues:
            due.due, due.not_before, due.tries = min(due.due, now), 0.0, 0

    def lateness(self, now: float) -> float:
        """How late the line is, in periods: 0 while all is asked in its time, 1 if something has missed a turn."""
        waits = [
            (now - due.ready_at) / due.period_s
            for device in self.devices
            if not (device.down or device.resting)
            for due in device.dues
            if due.hole is None
        ]
        return max(0.0, *waits) if waits else 0.0

    # ------------------------------------------------------------------ what became of it

    def answered(self, job: Job, now: float) -> bool:
        """The device has answered, whatever it said. True if it is back: all it has is due at once."""
        device = job.device
        back = self._lives(device, now)
        _done(job.due, now)
        return back

    def silent(self, job: Job, now: float, cost_s: float) -> bool | None:
        """A try without a sound answer, which took `cost_s`. None if another try follows, after other units.

        Otherwise the exchange has failed; True if the device is given up now.
        """
        due = job.due
        due.tries += 1
        due.cost_s += cost_s
        self._last_failed = job.device
        if due.tries <= (0 if job.probe else job.device.plan.polling.retries):
            return None
        return self._failed(job, now)

    def busy(self, job: Job, now: float, seconds: float) -> bool:
        """The device is busy: another try after `seconds`, the others first. False if it has none left."""
        self._lives(job.device, now)
        if job.due.tries >= job.device.plan.polling.retries:
            return False
        job.due.tries += 1
        job.due.not_before = now + seconds
        return True

    def give_up(self, job: Job, now: float, cost_s: float) -> None:
        """The device is not to be polled: it goes DOWN at once, whatever it answered."""
        job.device.failures = max(job.device.failures, 1)
        job.due.cost_s += cost_s
        self._failed(job, now)

    def later(self, job: Job, now: float, seconds: float) -> None:
        """Ask `job` again after `seconds`, without judging it."""
        if job.device.down:
            job.device.probe_at = now + seconds
        else:
            job.due.not_before = now + seconds

    def sound(self, job: Job, now: float) -> bool:
        """The device has answered with what was asked for. True if it had refused that before: it is no hole."""
        due = job.due
        self.answered(job, now)
        if due.sound and due.hole is None:
            return False
        healed = due.hole is not None
        due.hole, due.refusals, due.sound = None, 0, True
        self._join(job.device, due)
        return healed

    def split(self, job: Job, code: int, now: float) -> bool:
        """Halve a block that has a register which the device refuses. False if it is a single value or gap: a hole."""
        device, due, block = job.device, job.due, job.due.block
        self._lives(device, now)
        if due not in device.dues:
            return True  # asked for at once with others, and part of another read by now
        halves = block_split.halved(device.plan, due, now)
        if not halves:
            if isinstance(block, RegisterBlock):
                due.hole = Hole(block.table, block.address, block.count, code)
                device.apart -= {one for one in device.apart if block_split.explains(due.hole, one)}
            _done(due, now)
            steps = HOLE_RETRIES_S
            due.due = now + (steps[due.refusals] if due.refusals < len(steps) else HOLE_RETRY_S)
            due.refusals += 1
            self._join(device, due)
            return False
        if due.joined and isinstance(block, RegisterBlock):
            device.apart.add((block.table, block.address, block.count))
        position = device.dues.index(due)
        device.dues[position : position + 1] = halves
        return True

    def _join(self, device: Polled, due: Due) -> None:
        if due in device.dues:
            device.dues = block_split.joined(device.plan, device.dues, due, device.apart)

    def _lives(self, device: Polled, now: float) -> bool:
        first, back = not device.answered, device.down or not device.answered
        device.answered, device.failures, device.down = True, 0, False
        device.probe_wait_s = PROBE_FIRST_S
        if back:
            for due in device.dues:
                if first and due.hole is not None:
                    continue  # remembered from before the start
                due.due, due.asked = min(due.due, now), max(due.asked, now - due.period_s)
        self._last_failed = None
        return back

    def _failed(self, job: Job, now: float) -> bool:
        device, cost_s = job.device, job.due.cost_s
        _done(job.due, now)
        self._last_failed = device
        if job.beside:
            return False
        device.failures += 1
        opens = not device.down and (device.failures > 1 or not device.answered)
        if opens:
            device.down = True
            device.probe_wait_s = PROBE_FIRST_S
        elif device.down:
            device.probe_wait_s = min(2 * device.probe_wait_s, PROBE_LIMIT_S)
        asked = [one for one in self.devices if one.dues and not one.resting]
        dead = sum(one.down for one in asked)
        share = PROBE_SHARE * dead if dead < len(asked) else 0.0  # nobody is there whose time it would take
        device.probe_at = now + min(max(device.probe_wait_s, share * cost_s), PROBE_LIMIT_S)
        return opens


def _holes_of(known: dict[str, DeviceHoles], plan: DevicePlan) -> Sequence[Hole]:
    return known[plan.name].holes if plan.name in known else ()


def _next_of(device: Polled, now: float) -> tuple[Job | None, float]:
    """What of `device` is due, and how many of its periods it has waited since it was last asked."""
    if device.resting:
        return None, 0.0
    if device.down:
        if not device.dues or device.probe_at > now:
            return None, 0.0
        return Job(device, min(device.dues, key=_cost), probe=True), 1 + (now - device.probe_at) / PROBE_FIRST_S
    best, longest = None, -1.0
    for due in device.dues:
        if due.due <= now and due.not_before <= now:
            waited = (now - due.asked) / due.period_s
            if waited > longest:
                best, longest = due, waited
    return (None, 0.0) if best is None else (Job(device, best), longest)


def _ready_at(device: Polled) -> float:
    return device.probe_at if device.down else min(due.ready_at for due in device.dues)


def _cost(due: Due) -> tuple[bool, int]:
    return due.hole is not None, due.block.count if isinstance(due.block, RegisterBlock) else len(due.block.request)


def _done(due: Due, now: float) -> None:
    """The exchange is over: the next time is on the same grid, and what was missed is not made up for."""
    due.asked, due.tries, due.cost_s, due.not_before = now, 0, 0.0, 0.0
    due.due += due.period_s
    if due.due <= now - due.period_s:
        due.due += (now - due.due) // due.period_s * due.period_s
