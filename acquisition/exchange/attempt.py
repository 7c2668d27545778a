"""One try of one job: what is asked for it on the line, and what came of it. No schedule, no publication.

identify (once) ──► Objected: it is another device
registers, a line of text ──► Answered | Rejected | Silent | Postponed
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from acquisition.decoding import point_readings
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import Identification, Identity, Question, Read, Refused, Registers, Text
from acquisition.exchange import identification
from acquisition.exchange.link import BUSY, Link
from acquisition.polling.scheduler import Job, Polled
from mapping.plan import DevicePlan, Identify, RegisterBlock, ReplyBlock

UNREACHED: Final = (10, 11)  # a gateway says that nobody answered behind it
FUNCTIONS: Final[tuple[Literal[43, 17], ...]] = (43, 17)
ABSENT: Final = (2, 3)  # illegal address, illegal value: the device does not have that


@dataclass(frozen=True, slots=True)
class Answered:
    """What the points of the job are worth now, and when they were asked for."""

    read: list[PointReading]
    asked_at: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """The device said no. `certain`: to this very request; otherwise it may be a late no to something else."""

    code: int
    certain: bool


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer, or none that is sound."""

    reason: str


@dataclass(frozen=True, slots=True)
class Objected:
    """The device is not the one that its profile describes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Nothing can be asked for safely yet, or it is to be asked for otherwise at once (`at_once`)."""

    at_once: bool = False


Outcome = Answered | Rejected | Silent | Objected | Postponed


async def tried(link: Link, job: Job) -> Outcome:
    """Ask once for `job`, and before that what the device is, if that is not known. Raises LinkError."""
    device, block = job.device, job.due.block
    if device.plan.identify is not None and not device.identified:
        outcome = await _identified(link, job, device.plan.identify)
        if outcome is not None:
            return outcome
    device.identified = True
    if isinstance(block, ReplyBlock):
        return await _text(link, job, block)
    found = await registers(link, device, _read(device, block), job.due.borders)
    return _answered(job, block, found, link.asked_at) if isinstance(found, tuple) else found


async def together(link: Link, jobs: Sequence[Job]) -> AsyncIterator[tuple[Job, Outcome]]:
    """Ask at once for `jobs`, which are of one device that is known; each with its outcome, as it comes. Raises LinkError."""
    device = jobs[0].device
    blocks = [(job, job.due.block) for job in jobs]
    asked = [(job, block) for job, block in blocks if isinstance(block, RegisterBlock)]
    async for place, found, asked_at in link.exchanges([_read(device, block) for _, block in asked], device.plan):
        job, block = asked[place]
        match found:
            case Registers(values):
                yield job, _answered(job, block, values, asked_at)
            case Refused(code) if code not in UNREACHED:
                yield job, Rejected(code, certain=True)
            case _:
                yield job, Silent(f"no answer within {device.plan.polling.timeout_ms} ms")


def _read(device: Polled, block: RegisterBlock) -> Read:
    return Read(device.plan.unit, block.table, block.address, block.count)


def _answered(job: Job, block: RegisterBlock, words: Sequence[int], asked_at: float) -> Answered:
    return Answered(point_readings.from_registers(job.due.located, dict(enumerate(words, block.address))), asked_at)


async def registers(
    link: Link, device: Polled, read: Read, borders: Sequence[int]
) -> tuple[int, ...] | Rejected | Silent | Postponed:
    """The values of `read`, by reads that no late answer can satisfy; otherwise why there are none. Raises LinkError."""
    plan = device.plan
    parts = link.parts(read, borders, max_registers=plan.polling.max_registers, refused=device.refused)
    if parts is None:
        return Postponed()
    found = await link.ask_parts(plan, parts)
    if isinstance(found, tuple):
        return found
    if found is None or found.code in UNREACHED:
        return Silent(f"no answer within {plan.polling.timeout_ms} ms")
    if parts[0].longer and found.code in ABSENT:
        device.refused.add(parts[0].read)
        return Postponed(at_once=True)
    return Rejected(found.code, certain=not link.doubtful(read))


async def _identified(link: Link, job: Job, identify: Identify) -> Outcome | None:
    """None if the device is the one that it should be."""
    register = identify.register
    read = Read(job.device.plan.unit, register.table, register.address, register.count)
    found = await registers(link, job.device, read, [register.address + register.count])
    if isinstance(found, tuple):
        objection = identification.objection(identify, found)
        return None if objection is None else Objected(objection)
    if isinstance(found, Rejected) and found.code not in BUSY:
        place = identification.place(identify)
        return Objected(f"it is another device: {place} is refused, {point_readings.exception(found.code)}")
    return found


async def identity_of(link: Link, device: DevicePlan) -> str:
    """What `device` says it is, by function 43/14 or 17; empty if it does not say. Raises LinkError."""
    for function in FUNCTIONS:
        found = await link.exchange(Identification(device.unit, function), device)
        if isinstance(found, Identity):
            return " ".join(text for text in found.texts if text)
        if found is None:
            break  # it is silent where it should refuse
    return ""


async def _text(link: Link, job: Job, block: ReplyBlock) -> Outcome:
    device = job.device.plan
    found = await link.exchange(Question(block.request, block.end), device)
    if not isinstance(found, Text):
        return Silent(f"no answer within {device.polling.timeout_ms} ms")
    read = point_readings.from_line(device, block.points, found.line)
    return (
        Silent(f"the answer `{found.line[:40]}` fits no expression") if read is None else Answered(read, link.asked_at)
    )
