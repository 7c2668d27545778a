"""Schedule of one line: the block to be read next, and probes of devices that are down (pure).

    UP ──an exchange fails──► UP, failing ──the next one too──► DOWN ──a probe is answered──► UP, all due at once

A device that never answered goes DOWN with its first failure. A probe reads the cheapest block of a DOWN device, at most
every 30 s and never so often that all such devices take more than a twentieth of the line's time from their neighbours (D9).

Of the blocks that are due, the one comes first that has waited longest for its period: on a line that has more to do than
it can, all periods grow by the same factor, and nothing starves (D68). A device of high priority counts its wait four times, one
of low priority a quarter: its periods grow by so much less, or more. After a try without an answer another unit goes first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from acquisition.drivers.base import Read
from acquisition.polling import block_split
from acquisition.polling.block_split import REFUSED_RETRIES_S, REFUSED_RETRY_S, ReadRange, ScheduledBlock
from acquisition.polling.refused_registers import DeviceRefusals, RefusedRange
from mapping.plan import DevicePlan, Priority, RegisterBlock

DOUBTFUL_REFUSALS: Final = 3  # of one read, that count as one which is certain
PROBE_LIMIT_S: Final = 30.0
PROOFS_LIMIT: Final = 3
PROBE_FIRST_S: Final = 1.0
PROBE_SHARE: Final = 20.0  # a probe's cost, times this, passes before the next one

WEIGHTS: Final[dict[Priority, float]] = {"high": 4.0, "normal": 1.0, "low": 0.25}


@dataclass(slots=True, eq=False)
class PolledDevice:
    """State of one device in the schedule."""

    plan: DevicePlan
    blocks: list[ScheduledBlock]
    answered: bool = False  # since the start
    identified: bool = False  # it is the one that its profile describes, since it was last away
    down: bool = False
    failures: int = 0  # exchanges in a row
    probe_at: float = 0.0
    probe_wait_s: float = PROBE_FIRST_S
    identity: str | None = None  # that it has given since it was last away; None: not asked yet, empty: it gives none
    known_identity: str = ""  # of the device whose refused ranges these are
    suspended: bool = False  # another path is active: nothing is requested
    refused_reads: set[Read] = field(default_factory=set)  # reads beyond a block that it refuses
    unanswered_proofs: int = 0  # each before a read as planned that was answered
    proof_missing: bool = False  # the last one was not answered: a read as planned comes next
    proof_answered: bool = False
    misfits: int = 0  # in a row: responses of a gateway that belong to another request
    doubtful_refusals: Counter[Read] = field(default_factory=Counter)  # of such reads, by exceptions that may be late
    unjoinable: set[ReadRange] = field(default_factory=set)  # reads that it refuses, and whose parts it answers

    @property
    def answers_proofs(self) -> bool:
        """False for a device that answers nothing but reads as planned, and for one try while that may be so."""
        return self.proof_answered or not (self.proof_missing or self.unanswered_proofs >= PROOFS_LIMIT)

    def missed_proof(self) -> None:
        """A read that only shows that the line is in step was not answered."""
        self.proof_missing = not self.proof_answered

    def tried(self, *, as_planned: bool, answered: bool) -> None:
        """A block was requested, by a read as planned or by others, and `answered`, or not.

        If neither a proof nor the read as planned behind it is answered, that is no matter of proofs. One that answers other
        reads answers proofs.
        """
        if as_planned:
            self.unanswered_proofs += self.proof_missing and answered
            self.proof_missing = False
        else:
            self.proof_answered |= answered

    def refused_ranges(self) -> list[RefusedRange]:
        """Ranges that it has refused by themselves."""
        return [due.refused for due in self.blocks if due.refused is not None]

    def ranges_in_doubt(self) -> list[RefusedRange]:
        """Ranges that it has refused, by themselves or as parts of what it did not answer."""
        searched = (due.block for due in self.blocks if due.is_searched)
        parts = (one for one in searched if isinstance(one, RegisterBlock))
        return [*self.refused_ranges(), *(RefusedRange(one.table, one.address, one.count, 0) for one in parts)]

    def refuses_longer(self, read: Read, *, certain: bool) -> None:
        """An exception has answered `read`, which is longer than its block; one that is not `certain` may be another's."""
        self.doubtful_refusals[read] += 1
        if certain or self.doubtful_refusals[read] >= DOUBTFUL_REFUSALS:
            self.refused_reads.add(read)
            del self.doubtful_refusals[read]


@dataclass(frozen=True, slots=True)
class Job:
    """One block of one device, now. A probe has one try.

    `concurrent`: outstanding together with another, whose failure is the device's: so many at once are one time-out (D52).
    """

    device: PolledDevice
    due: ScheduledBlock
    probe: bool = False
    concurrent: bool = False


class Scheduler:
    """Schedule of one line. `refused`: by device, the ranges that it has refused before."""

    def __init__(
        self,
        devices: Sequence[DevicePlan],
        now: float,
        refused: dict[str, DeviceRefusals] | None = None,
        phase: float = 0.0,
    ) -> None:
        """`phase`, from 0 to 1, moves the whole schedule against those of other lines."""
        known = refused or {}
        self.devices = [
            PolledDevice(
                plan, list(block_split.spread(plan, phase, position, len(devices), now, _refused_of(known, plan)))
            )
            for position, plan in enumerate(devices)
        ]
        for device in self.devices:
            device.known_identity = known[device.plan.name].identity if device.plan.name in known else ""
        self._last_failed: PolledDevice | None = None

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

    def concurrent(self, job: Job, now: float) -> list[Job]:
        """Other jobs of `job`'s device that are due and may be outstanding together with it, the longest wait first.

        None for a device that is not known to be there and to be the right one.
        """
        device = job.device
        if device.plan.polling.pipeline == 1 or job.probe or not (device.answered and device.identified):
            return []
        others = [due for due in device.blocks if due is not job.due and due.ready_at <= now]
        others.sort(key=lambda due: (now - due.asked) / due.period_s, reverse=True)
        return [Job(device, due, concurrent=True) for due in others[: device.plan.polling.pipeline - 1]]

    def next_time(self) -> float:
        """Time at which the next job is due; infinity if there is nothing to poll."""
        return min(
            (_ready_at(device) for device in self.devices if device.blocks and not device.suspended),
            default=float("inf"),
        )

    def retry_refused(self, device: PolledDevice, now: float) -> None:
        """Request now the ranges that `device` has refused (D93)."""
        device.unjoinable.clear()
        for due in device.blocks:
            if due.refused is not None:
                due.due_at, due.refusals = now, 0

    def suspend(self, device: PolledDevice) -> None:
        """Request nothing of `device` until it resumes."""
        device.suspended = True

    def resume(self, device: PolledDevice, now: float) -> None:
        """Request all blocks of `device`, as if it had never been polled."""
        device.suspended = device.answered = device.identified = device.down = False
        device.failures, device.probe_wait_s = 0, PROBE_FIRST_S
        for due in device.blocks:
            due.due_at, due.not_before, due.tries = min(due.due_at, now), 0.0, 0

    def lateness(self, now: float) -> float:
        """Lateness of the line in periods: 0 while every block is read in its time, 1 if one has missed a turn."""
        waits = [
            (now - due.ready_at) / due.period_s
            for device in self.devices
            if not (device.down or device.suspended)
            for due in device.blocks
            if due.refused is None
        ]
        return max(0.0, *waits) if waits else 0.0

    # ------------------------------------------------------------------ results

    def answered(self, job: Job, now: float) -> bool:
        """The device has responded, if only with an exception. True if it is back: all its blocks are due at once."""
        device = job.device
        back = self._answers(device, now)
        _done(job.due, now)
        return back

    def timed_out(self, job: Job, now: float, cost_s: float) -> bool | None:
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
        self._answers(job.device, now)
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

    def defer(self, job: Job, now: float, seconds: float) -> None:
        """Try `job` again after `seconds`; it counts as no failure."""
        if job.device.down:
            job.device.probe_at = now + seconds
        else:
            job.due.not_before = now + seconds

    def succeeded(self, job: Job, now: float) -> bool:
        """The device has answered with the registers of `job`. True if it had refused them before."""
        due = job.due
        self.answered(job, now)
        if due.sound and due.refused is None:
            return False
        healed = due.refused is not None
        due.refused, due.refusals, due.sound = None, 0, True
        self._join(job.device, due)
        return healed

    def split(self, job: Job, code: int, now: float) -> bool:
        """Halve a block that has a register which the device refuses. False if it is a single value or gap."""
        device, due, block = job.device, job.due, job.due.block
        self._answers(device, now)
        if due not in device.blocks:
            return True  # it was outstanding together with others, and is part of another read by now
        halves = block_split.halved(device.plan, due, now)
        if not halves:
            if isinstance(block, RegisterBlock):
                due.refused = RefusedRange(block.table, block.address, block.count, code)
                device.unjoinable -= {one for one in device.unjoinable if block_split.explains(due.refused, one)}
            _done(due, now)
            steps = REFUSED_RETRIES_S
            due.due_at = now + (steps[due.refusals] if due.refusals < len(steps) else REFUSED_RETRY_S)
            due.refusals += 1
            self._join(device, due)
            return False
        if due.joined and isinstance(block, RegisterBlock):
            device.unjoinable.add((block.table, block.address, block.count))
        position = device.blocks.index(due)
        device.blocks[position : position + 1] = halves
        return True

    def _join(self, device: PolledDevice, due: ScheduledBlock) -> None:
        if due in device.blocks:
            device.blocks = block_split.joined(device.plan, device.blocks, due, device.unjoinable)

    def _answers(self, device: PolledDevice, now: float) -> bool:
        first, back = not device.answered, device.down or not device.answered
        device.answered, device.failures, device.down = True, 0, False
        device.probe_wait_s = PROBE_FIRST_S
        if back:
            for due in device.blocks:
                if first and due.refused is not None:
                    continue  # remembered from before the start
                due.due_at, due.asked = min(due.due_at, now), max(due.asked, now - due.period_s)
        self._last_failed = None
        return back

    def _failed(self, job: Job, now: float) -> bool:
        device, cost_s = job.device, job.due.cost_s
        _done(job.due, now)
        self._last_failed = device
        if job.concurrent:
            return False
        device.failures += 1
        opens = not device.down and (device.failures > 1 or not device.answered)
        if opens:
            device.down = True
            device.probe_wait_s = PROBE_FIRST_S
        elif device.down:
            device.probe_wait_s = min(2 * device.probe_wait_s, PROBE_LIMIT_S)
        asked = [one for one in self.devices if one.blocks and not one.suspended]
        dead = sum(one.down for one in asked)
        share = PROBE_SHARE * dead if dead < len(asked) else 0.0  # it takes no other device's time
        device.probe_at = now + min(max(device.probe_wait_s, share * cost_s), PROBE_LIMIT_S)
        return opens


def _refused_of(known: dict[str, DeviceRefusals], plan: DevicePlan) -> Sequence[RefusedRange]:
    return known[plan.name].ranges if plan.name in known else ()


def _next_of(device: PolledDevice, now: float) -> tuple[Job | None, float]:
    """The job of `device` that is due, and how many of its periods it has waited since it was last done."""
    if device.suspended:
        return None, 0.0
    if device.down:
        if not device.blocks or device.probe_at > now:
            return None, 0.0
        unit_s = min(
            PROBE_FIRST_S, *(due.period_s for due in device.blocks)
        )  # or its neighbours' turns come first for ever
        return Job(device, min(device.blocks, key=_cost), probe=True), 1 + (now - device.probe_at) / unit_s
    best, longest = None, -1.0
    for due in device.blocks:
        if due.due_at <= now and due.not_before <= now:
            waited = (now - due.asked) / due.period_s
            if waited > longest:
                best, longest = due, waited
    return (None, 0.0) if best is None else (Job(device, best), longest)


def _ready_at(device: PolledDevice) -> float:
    return device.probe_at if device.down else min(due.ready_at for due in device.blocks)


def _cost(due: ScheduledBlock) -> tuple[bool, int]:
    return due.refused is not None, due.block.count if isinstance(due.block, RegisterBlock) else len(due.block.request)


def _done(due: ScheduledBlock, now: float) -> None:
    """The exchange is over: the next time is on the same grid, and what was missed is not made up for."""
    due.asked, due.tries, due.cost_s, due.not_before = now, 0, 0.0, 0.0
    due.due_at += due.period_s
    if due.due_at <= now - due.period_s:
        due.due_at += (now - due.due_at) // due.period_s * due.period_s
