"""One polling attempt: identify the device if needed, read one block, classify the result. No schedule, no publication.

identify (once) ──► WrongDevice
registers, a line of text ──► BlockReadings | DeviceException | ResponseTimeout | BadFrame | Deferral
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from acquisition.decoding import failure_quality, point_readings
from acquisition.decoding.point_readings import PointReading
from acquisition.drivers.base import ExceptionResponse, Identification, Identity, Question, Read, Registers, Text
from acquisition.exchange import identification
from acquisition.exchange.attribution.gateway_evidence import UNREACHED
from acquisition.exchange.counters import BUSY
from acquisition.exchange.identity.asked_reads import WINDOW_S
from acquisition.exchange.identity.read_variants import Part, ReadLimits
from acquisition.exchange.link import Link
from acquisition.exchange.pipelining import ReadResponse
from acquisition.exchange.port_steps import Steps
from acquisition.polling.scheduler import Job, PolledDevice
from mapping.plan import DevicePlan, Identify, RegisterBlock, ReplyBlock

FUNCTIONS: Final[tuple[Literal[43, 17], ...]] = (43, 17)
MISFITS_LIMIT: Final = 8  # in a row, before the device counts as silent
ABSENT: Final = (2, 3)  # illegal address, illegal value: the device does not have that


@dataclass(frozen=True, slots=True)
class BlockReadings:
    """Readings of the points of a block, and when they were requested."""

    read: list[PointReading]
    asked_at: float


@dataclass(frozen=True, slots=True)
class DeviceException:
    """Exception response. `certain`: to this very request; otherwise it may be a late or a second one, to another (D67)."""

    code: int
    certain: bool


@dataclass(frozen=True, slots=True)
class ResponseTimeout:
    """No response in time, or none that is sound."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A response that no point of the block can be read from."""

    reason: str


@dataclass(frozen=True, slots=True)
class WrongDevice:
    """Another device than the one that the profile describes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferral:
    """No safe request is possible yet, or for `wait_s`, or another request is to be tried now (`at_once`).

    Each attempt that ends with `at_once` has shown something for good: the line's other blocks wait meanwhile.
    """

    at_once: bool = False
    wait_s: float | None = None


AttemptResult = BlockReadings | DeviceException | ResponseTimeout | BadFrame | WrongDevice | Deferral


def poll(link: Link, job: Job) -> Steps[AttemptResult]:
    """One attempt of `job`; before it the device is identified, if it is not yet. Raises NoConnectionError."""
    device, block = job.device, job.due.block
    if device.plan.identify is not None and not device.identified:
        result = yield from _identified(link, job, device.plan.identify)
        if result is not None:
            return result
    device.identified = True
    if isinstance(block, ReplyBlock):
        return (yield from _text(link, job, block))
    read = _read(device, block)
    if job.due.is_searched and (wait_s := link.safe.exception_wait_s(read)) > 0:
        return Deferral(wait_s=wait_s)
    found = yield from registers(link, device, read, job.due.borders, exact=job.due.is_searched)
    return _readings(job, block, found, link.asked_at) if isinstance(found, tuple) else found


def poll_concurrently(link: Link, jobs: Sequence[Job], conclude: Callable[[Job, AttemptResult], None]) -> Steps[None]:
    """One attempt of all `jobs` at once, of one identified device; `conclude` gets each result. Raises NoConnectionError.

    A job that has to wait for the others is deferred; where that is the first one, it is attempted alone.
    """
    device = jobs[0].device
    blocks = [(job, job.due.block) for job in jobs]
    wanted = [(job, block) for job, block in blocks if isinstance(block, RegisterBlock)]
    parts = link.safe.apart(
        [(_read(device, block), _limits(device, exact=job.due.is_searched)) for job, block in wanted]
    )
    if parts[0] is None:
        conclude(jobs[0], (yield from poll(link, jobs[0])))
        return
    sent = [(job, block, part) for (job, block), part in zip(wanted, parts, strict=True) if part is not None]

    def responded(response: ReadResponse) -> None:
        job, block, part = sent[response.place]
        conclude(job, _result(job, block, part, response))

    yield from link.exchanges([part.read for *_, part in sent], device.plan, responded)
    for (job, _), part in zip(wanted, parts, strict=True):
        if part is None:
            conclude(job, Deferral(at_once=True))


def _result(job: Job, block: RegisterBlock, part: Part, response: ReadResponse) -> AttemptResult:
    device = job.device
    if part.longer and response.found is None:
        device.missed_proof()
    else:
        device.tried(as_planned=not part.longer, answered=isinstance(response.found, Registers))
    match response.found:
        case Registers(values):
            first = part.start - part.read.address
            return _readings(job, block, values[first : first + part.count], response.asked_at)
        case ExceptionResponse(code) if part.longer and code in ABSENT:
            device.refuses_longer(part.read, certain=True)
            return Deferral(at_once=True)
        case ExceptionResponse(code) if code not in UNREACHED:
            return DeviceException(code, certain=True)
        case _:
            return ResponseTimeout(f"no answer within {device.plan.polling.timeout_ms} ms")


def _read(device: PolledDevice, block: RegisterBlock) -> Read:
    return Read(device.plan.unit, block.table, block.address, block.count)


def _readings(job: Job, block: RegisterBlock, words: Sequence[int], asked_at: float) -> BlockReadings:
    return BlockReadings(
        point_readings.from_registers(job.due.located, dict(enumerate(words, block.address))), asked_at
    )


def registers(
    link: Link, device: PolledDevice, read: Read, borders: Sequence[int], *, fresh: bool = False, exact: bool = False
) -> Steps[tuple[int, ...] | DeviceException | ResponseTimeout | Deferral]:
    """Values of `read`, by reads that no late response can satisfy; otherwise why there are none. Raises NoConnectionError.

    `fresh`: as in SafeRequests.parts. `exact`: nothing else is read along, since a register that is refused is searched for.
    """
    plan, limits = device.plan, _limits(device, exact=exact)
    if not device.answers_proofs:
        borders = borders[-1:]  # nor in parts
    if not fresh and (wait_s := link.safe.room_s(read)) > 0:
        return Deferral(wait_s=wait_s)
    yield from link.listen_first(read, plan)
    proof = link.safe.proof_before(read, borders, limits) if device.answers_proofs else None
    if proof is not None and not (yield from _in_step(link, device, proof)):
        return _unanswered(link, device)
    parts = link.safe.parts(read, borders, limits, fresh=fresh)
    if parts is not None:
        found = yield from link.ask_parts(plan, parts)
        device.tried(as_planned=[part.read for part in parts] == [read], answered=isinstance(found, tuple))
    elif proof is not None and link.safe.is_bracketed(read, plan):
        found = yield from link.ask_before(proof, read, plan)
        if link.was_cut:
            return Deferral()  # nothing of one connection proves anything of the next one
    else:
        return Deferral()
    if isinstance(found, tuple):
        device.misfits = 0
        return found
    if found is None or found.code in UNREACHED:
        return _unanswered(link, device)
    if parts and parts[0].longer and found.code in ABSENT:
        device.refuses_longer(parts[0].read, certain=link.is_certain)
        return Deferral(at_once=True) if link.is_certain else Deferral(wait_s=link.safe.exception_wait_s(read))
    return DeviceException(found.code, certain=link.is_certain)


def _limits(device: PolledDevice, *, exact: bool) -> ReadLimits:
    polling = device.plan.polling
    return ReadLimits(
        polling.max_registers,
        device.refused_reads,
        device.ranges_in_doubt(),
        exact=exact or polling.reads_exactly or not device.answers_proofs,
    )


def _unanswered(link: Link, device: PolledDevice) -> ResponseTimeout | Deferral:
    """The result of a request without a response: tried again soon if another one came instead, for a few times."""
    if (link.misanswered or link.was_cut) and device.misfits < MISFITS_LIMIT:
        device.misfits += 1  # the line's fault, and none of the device's
        return Deferral(wait_s=WINDOW_S)
    return ResponseTimeout(f"no answer within {device.plan.polling.timeout_ms} ms")


def _in_step(link: Link, device: PolledDevice, proof: Read) -> Steps[bool]:
    """True if `device` answers `proof`, be it with a refusal. One that never does is not asked in this way any more."""
    found = yield from link.exchange(proof, device.plan)
    if found is None:
        if not (link.misanswered or link.was_cut):
            device.missed_proof()
        return False
    if isinstance(found, ExceptionResponse) and found.code in UNREACHED:
        return False  # the gateway's answer, and none of the device
    if isinstance(found, ExceptionResponse) and found.code in ABSENT:
        device.refuses_longer(proof, certain=link.is_certain)
    if link.is_certain:
        device.proof_answered = True
        link.safe.proved(proof)
    return True


def _identified(link: Link, job: Job, identify: Identify) -> Steps[AttemptResult | None]:
    """Result that ends the attempt; None if the device is the right one."""
    register = identify.register
    read = Read(job.device.plan.unit, register.table, register.address, register.count)
    found = yield from registers(link, job.device, read, [register.address + register.count])
    if isinstance(found, tuple):
        mismatch = identification.mismatch(identify, found)
        return None if mismatch is None else WrongDevice(mismatch)
    if isinstance(found, DeviceException) and found.code not in BUSY:
        place = identification.place(identify)
        return WrongDevice(f"it is another device: {place} is refused, {failure_quality.exception(found.code)}")
    return found


def identity_of(link: Link, device: DevicePlan) -> Steps[str]:
    """Identity of `device` by function 43/14 or 17; empty if it gives none. Raises NoConnectionError."""
    for function in FUNCTIONS:
        found = yield from link.exchange(Identification(device.unit, function), device)
        if isinstance(found, Identity):
            return " ".join(text for text in found.texts if text)
        if found is None:
            break  # no response, where an exception was due
    return ""


def _text(link: Link, job: Job, block: ReplyBlock) -> Steps[AttemptResult]:
    device, question = job.device.plan, Question(block.request, block.end)
    if not link.safe.may_ask(question, device):
        return Deferral()
    found = yield from link.exchange(question, device)
    if not isinstance(found, Text):
        return ResponseTimeout(f"no answer within {device.polling.timeout_ms} ms")
    read = point_readings.from_line(device, block.points, found.line)
    if read is None:
        link.misfitted()
        return BadFrame(f"the answer `{found.line[:40]}` fits no expression")
    return BlockReadings(read, link.asked_at)
