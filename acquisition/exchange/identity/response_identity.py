"""Identity of responses, derived from a plan (pure): by what the response to each planned request is told from others.

    transaction id    the response bears the number of its request
    size              no other request of its unit has a response that looks the same, or the request can be varied
    text              the line has no other question
    silence only      nothing: another request has a response that looks the same, and neither can be varied

Of the last kind, the line is silent for a window before the request where there is room for it.
"""

from typing import Final, Literal

from acquisition.decoding import point_readings
from acquisition.drivers.base import DriverSpec, Read
from acquisition.exchange.identity.asked_reads import WINDOW_S, octets_of
from acquisition.exchange.identity.read_variants import BITS_LIMIT, ReadLimits, variants
from mapping.block_planning import planner
from mapping.plan import Block, DevicePlan, LinePlan, RegisterBlock, ReplyBlock

IdentityKind = Literal["transaction id", "size", "text", "silence only"]
WINDOW_LIMIT_S: Final = 2.0  # the longest wait for silence


def identity(line: LinePlan, device: DevicePlan, block: Block, spec: DriverSpec) -> IdentityKind:
    """The identity of responses to `block` of `device` on `line`."""
    if spec.tagged or spec.transport == "memory":
        return "transaction id"
    if spec.anonymous or isinstance(block, ReplyBlock):
        return "silence only" if len(_questions(line)) > 1 else "text"
    alike = [one for one in _reads(line, device.unit) if _looks_alike(one, block)]
    return "silence only" if len(alike) > 1 and not _can_vary(device, block, spec) else "size"


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


def _questions(line: LinePlan) -> set[tuple[int, str, str | int]]:
    """The questions of a line whose responses do not name theirs."""
    return {_question(device, block) for device in line.devices for block in device.blocks}


def _question(device: DevicePlan, block: Block) -> tuple[int, str, str | int]:
    return (0, block.request, block.end) if isinstance(block, ReplyBlock) else (device.unit, block.table, block.address)


def _reads(line: LinePlan, unit: int) -> list[RegisterBlock]:
    blocks = (block for device in line.devices if device.unit == unit for block in device.blocks)
    return [block for block in blocks if isinstance(block, RegisterBlock)]


def _looks_alike(one: RegisterBlock, other: RegisterBlock) -> bool:
    return (one.table, _octets(one)) == (other.table, _octets(other))


def _octets(block: RegisterBlock) -> int:
    return octets_of(Read(0, block.table, block.address, block.count))


def _can_vary(device: DevicePlan, block: RegisterBlock, spec: DriverSpec) -> bool:
    bits = block.table in ("coil", "discrete")
    most = BITS_LIMIT if bits else min(device.polling.max_registers, spec.protocol.framing.registers)
    limits = ReadLimits(most, exact=device.polling.reads_exactly)
    read = Read(device.unit, block.table, block.address, block.count)
    borders = point_readings.borders(point_readings.located(device, block), block)
    return sum(1 for _ in variants(read, borders, limits)) > 1
