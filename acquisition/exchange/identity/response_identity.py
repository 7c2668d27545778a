"""Identity of responses, derived from a plan (pure): by what the response to each request is told from others, and its cost.

    transaction id    the response bears the number of its request, and the device itself answers
    size              no other request of its unit has a response that looks the same, or the request can be varied; behind a
                      gateway with transaction ids, no request of any unit
    text              the line has no other question
    resync            a question whose reply is told from all others shows that the line answers what it is asked
    silence only      nothing: another request has a response that looks the same, and neither can be varied

The means say how (D119). A line with room for a window of silence before each request needs none but that, and no request of it
differs; of the last kind, the line is silent for a window before the request where there is room for it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from acquisition.decoding import point_readings
from acquisition.drivers.base import DriverSpec, Read
from acquisition.exchange.identity.asked_reads import WINDOW_S, octets_of
from acquisition.exchange.identity.read_variants import BITS_LIMIT, Part, ReadLimits, variants
from mapping.block_planning import planner
from mapping.plan import Block, DevicePlan, LinePlan, RegisterBlock, ReplyBlock

IdentityKind = Literal["transaction id", "size", "text", "resync", "silence only"]
WINDOW_LIMIT_S: Final = 2.0  # the longest wait for silence
FREE: Final = "0"
SILENCE: Final = "silence"


@dataclass(frozen=True, slots=True)
class Means:
    """The means by which the response to one block is told from others, and its cost: octets, or time, of one request."""

    text: str
    cost: str = FREE


def identity(line: LinePlan, device: DevicePlan, block: Block, spec: DriverSpec) -> IdentityKind:
    """The identity of responses to `block` of `device` on `line`."""
    if _by_id(line, spec):
        return "transaction id"
    if spec.anonymous or isinstance(block, ReplyBlock):
        if len(_questions(line)) == 1:
            return "text"
        return "silence only" if device.resync is None else "resync"
    return "silence only" if _is_alike(line, device, block, spec) and not _others(device, block, spec) else "size"


def means(line: LinePlan, device: DevicePlan, block: Block, spec: DriverSpec) -> Means:
    """The means of `block`, the first in the order of D119 that serves."""
    kind = identity(line, device, block, spec)
    if kind == "transaction id":
        return Means("simulated in its worker" if spec.transport == "memory" else "transaction id")
    if kind == "text":
        return Means("its question alone")
    alone = isinstance(block, RegisterBlock) and not spec.anonymous and not _is_alike(line, device, block, spec)
    if alone:
        return Means("its size alone")
    if has_room(line, spec):
        return Means(SILENCE)
    if kind == "resync":
        return Means(
            f"resync {device.resync.request.strip()}" if device.resync else "", _ms(_resync_s(line, device, spec))
        )
    if kind == "silence only" or isinstance(block, ReplyBlock):
        return Means(SILENCE, _ms(window_s(line, spec)))
    return _varied(line, device, block, spec)


def by_silence(line: LinePlan, spec: DriverSpec) -> list[tuple[DevicePlan, Block]]:
    """The blocks of `line` whose responses have no identity but silence."""
    return [
        (device, block)
        for device in line.devices
        for block in device.blocks
        if identity(line, device, block, spec) == "silence only"
    ]


def window_s(line: LinePlan, spec: DriverSpec) -> float:
    """The silence before a request without identity, in seconds, while no response has come late."""
    physics = planner.physics(spec.protocol.framing, line.settings)
    longest_s = max(
        (physics.to(device).exchange_s(block) for device in line.devices for block in device.blocks), default=0.0
    )
    return min(max(WINDOW_S, 2 * longest_s), WINDOW_LIMIT_S)


def has_room(line: LinePlan, spec: DriverSpec) -> bool:
    """True if there is time for a window of silence before each request of `line`."""
    cost = planner.line_cost(line, spec.protocol.framing)
    return cost.load + cost.requests_per_s * window_s(line, spec) <= 1.0


def _by_id(line: LinePlan, spec: DriverSpec) -> bool:
    """True where a response names its request: the devices of a gateway have no ids."""
    return spec.transport == "memory" or (spec.tagged and line.behind != "gateway")


def _questions(line: LinePlan) -> set[tuple[int, str, str | int]]:
    """The questions of a line whose responses do not name theirs."""
    return {_question(device, block) for device in line.devices for block in device.blocks}


def _question(device: DevicePlan, block: Block) -> tuple[int, str, str | int]:
    return (0, block.request, block.end) if isinstance(block, ReplyBlock) else (device.unit, block.table, block.address)


def _is_alike(line: LinePlan, device: DevicePlan, block: RegisterBlock, spec: DriverSpec) -> bool:
    """True if another request has a response that looks like that to `block`: of its unit, or of any behind a gateway."""
    shown = (block.table, octets_of(_read(device, block)))
    others = (
        (one.table, octets_of(_read(other, one)))
        for other in line.devices
        if other.unit == device.unit or spec.tagged
        for one in other.blocks
        if isinstance(one, RegisterBlock) and (other is not device or one is not block)
    )
    return shown in others


def _read(device: DevicePlan, block: RegisterBlock) -> Read:
    return Read(device.unit, block.table, block.address, block.count)


def _others(device: DevicePlan, block: RegisterBlock, spec: DriverSpec) -> list[list[Part]]:
    """The variants of the read of `block` besides the planned one, the cheapest first."""
    bits = block.table in ("coil", "discrete")
    most = BITS_LIMIT if bits else min(device.polling.max_registers, spec.protocol.framing.registers)
    limits = ReadLimits(most, exact=device.polling.reads_exactly)
    borders = point_readings.borders(point_readings.located(device, block), block)
    return list(variants(_read(device, block), borders, limits))[1:]


def _varied(line: LinePlan, device: DevicePlan, block: RegisterBlock, spec: DriverSpec) -> Means:
    """Longer reads or a cut, whichever of the variants is the cheapest; it is sent in turn with the planned one."""
    cheapest, *_ = others = _others(device, block, spec)
    if len(cheapest) > 1:
        physics = planner.physics(spec.protocol.framing, line.settings).to(device)
        parts = (RegisterBlock(block.table, one.start, one.count, block.every_ms, ()) for one in cheapest)
        more_s = sum(map(physics.exchange_s, parts)) - physics.exchange_s(block)
        return Means(f"cut at {cheapest[1].start}", _ms(more_s))
    longer = sorted({one[0].read.count - block.count for one in others if len(one) == 1})[:2]
    more = octets_of(cheapest[0].read) - octets_of(_read(device, block))
    return Means(
        f"longer reads ({', '.join(f'+{count}' for count in longer)})", "1 octet" if more == 1 else f"{more} octets"
    )


def _resync_s(line: LinePlan, device: DevicePlan, spec: DriverSpec) -> float:
    assert device.resync is not None  # noqa: S101 - asked by the caller
    asked = ReplyBlock(device.resync.request, device.resync.end, 0, ())
    return planner.physics(spec.protocol.framing, line.settings).to(device).exchange_s(asked)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
