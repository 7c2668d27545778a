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

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from acquisition.decoding import point_readings
from acquisition.drivers.base import DriverSpec, Read
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S, WINDOW_S, ReadSignature, octets_of, signature_of
from acquisition.exchange.identity.read_variants import BITS_LIMIT, Part, ReadLimits, variants
from mapping.block_planning import planner
from mapping.plan import Block, DevicePlan, LinePlan, RegisterBlock, ReplyBlock

IdentityKind = Literal["transaction id", "size", "text", "resync", "silence only"]
FREE: Final = "0"
SILENCE: Final = "silence"


@dataclass(frozen=True, slots=True)
class Means:
    """The means by which the response to one block is told from others, and its cost: octets, or time, of one request."""

    text: str
    cost: str = FREE


class LineIdentities:
    """The identity of responses to each block of `line`, with its means. What concerns the line as a whole is reckoned once."""

    def __init__(self, line: LinePlan, spec: DriverSpec) -> None:
        self._line = line
        self._spec = spec
        self._by_id = spec.transport == "memory" or (spec.tagged and line.behind != "gateway")
        self._questions = len({_question(device, block) for device in line.devices for block in device.blocks})
        self._shown = Counter(
            self._signature(device, block)
            for device in line.devices
            for block in device.blocks
            if isinstance(block, RegisterBlock)
        )
        self.window_s = window_s(line, spec)
        cost = planner.line_cost(line, spec.protocol.framing)
        silence_load = cost.requests_per_s * self.window_s  # with a window of silence before each request
        self.has_room = cost.load + silence_load <= 1.0

    def identity(self, device: DevicePlan, block: Block) -> IdentityKind:
        """The identity of responses to `block` of `device`."""
        if self._by_id:
            return "transaction id"
        if self._spec.anonymous or isinstance(block, ReplyBlock):
            if self._questions == 1:
                return "text"
            return "silence only" if device.resync is None else "resync"
        return "silence only" if self._is_alike(device, block) and not self._others(device, block) else "size"

    def means(self, device: DevicePlan, block: Block) -> Means:
        """The means of `block`, the first in the order of D119 that serves."""
        kind = self.identity(device, block)
        if kind == "transaction id":
            return Means("simulated in its worker" if self._spec.transport == "memory" else "transaction id")
        if kind == "text":
            return Means("its question alone")
        if isinstance(block, RegisterBlock) and not self._spec.anonymous and not self._is_alike(device, block):
            return Means("its size alone")
        if self.has_room:
            return Means(SILENCE)
        if kind == "resync" and device.resync is not None:
            asked = ReplyBlock(device.resync.request, device.resync.end, 0, ())
            return Means(f"resync {device.resync.request.strip()}", _ms(self._physics(device).exchange_s(asked)))
        if kind == "silence only" or isinstance(block, ReplyBlock):
            return Means(SILENCE, _ms(self.window_s))
        return self._varied(device, block)

    def _signature(self, device: DevicePlan, block: RegisterBlock) -> ReadSignature:
        return signature_of(_read(device, block), any_unit=self._spec.tagged)

    def _is_alike(self, device: DevicePlan, block: RegisterBlock) -> bool:
        """True if another request has a response that looks like that to `block`: of its unit, or of any behind a gateway."""
        return self._shown[self._signature(device, block)] > 1

    def _others(self, device: DevicePlan, block: RegisterBlock) -> list[list[Part]]:
        """The variants of the read of `block` besides the planned one, the cheapest first."""
        bits = block.table in ("coil", "discrete")
        most = BITS_LIMIT if bits else min(device.polling.max_registers, self._spec.protocol.framing.registers)
        limits = ReadLimits(most, exact=device.polling.reads_exactly)
        borders = point_readings.borders(point_readings.located(device, block), block)
        return list(variants(_read(device, block), borders, limits))[1:]

    def _varied(self, device: DevicePlan, block: RegisterBlock) -> Means:
        """Longer reads or a cut, whichever of the variants is the cheapest; it is sent in turn with the planned one."""
        cheapest, *_ = others = self._others(device, block)
        if len(cheapest) > 1:
            physics = self._physics(device)
            parts = (RegisterBlock(block.table, one.start, one.count, block.every_ms, ()) for one in cheapest)
            more_s = sum(map(physics.exchange_s, parts)) - physics.exchange_s(block)
            return Means(f"cut at {cheapest[1].start}", _ms(more_s))
        longer = sorted({one[0].read.count - block.count for one in others if len(one) == 1})[:2]
        more = octets_of(cheapest[0].read) - octets_of(_read(device, block))
        counts = ", ".join(f"+{count}" for count in longer)
        return Means(f"longer reads ({counts})", "1 octet" if more == 1 else f"{more} octets")

    def _physics(self, device: DevicePlan) -> planner.Physics:
        return planner.physics(self._spec.protocol.framing, self._line.settings).to(device)


def by_silence(line: LinePlan, spec: DriverSpec) -> list[tuple[DevicePlan, Block]]:
    """The blocks of `line` whose responses have no identity but silence."""
    known = LineIdentities(line, spec)
    blocks = ((device, block) for device in line.devices for block in device.blocks)
    return [one for one in blocks if known.identity(*one) == "silence only"]


def window_s(line: LinePlan, spec: DriverSpec) -> float:
    """The silence before a request without identity, in seconds, while no response has come late."""
    physics = planner.physics(spec.protocol.framing, line.settings)
    longest_s = max(
        (physics.to(device).exchange_s(block) for device in line.devices for block in device.blocks), default=0.0
    )
    return min(max(WINDOW_S, 2 * longest_s), HOLD_LIMIT_S)


def _question(device: DevicePlan, block: Block) -> tuple[int, str, str | int]:
    return (0, block.request, block.end) if isinstance(block, ReplyBlock) else (device.unit, block.table, block.address)


def _read(device: DevicePlan, block: RegisterBlock) -> Read:
    return Read(device.unit, block.table, block.address, block.count)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
