"""Safe requests on one line (pure): the choices before a request, by which its response is told from all others (D119, D121).

room_s        seconds to wait, where the line has time for that, so that the block can be read as planned
proof_before  a read that shows that the line is in step, where one is due
parts         the reads that bring a block; none while a missing response forbids each of them
needs_silence the line is to be silent for a window before the request, since nothing else tells its response
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from acquisition.drivers.base import Ask, Question, Read, Write
from acquisition.exchange.identity.asked_reads import HOLD_LIMIT_S
from acquisition.exchange.identity.read_variants import BITS_LIMIT, Part, ReadChoice, ReadLimits
from acquisition.exchange.request_response.exchange_context import ExchangeContext
from mapping.block_planning import planner
from mapping.plan import DevicePlan, LinePlan

ROOM: Final = 0.5  # the share of its time that a line may be busy, or silent for identity, and still have room for that


class SafeRequests:
    """Choices of requests on one line. `draw` gives numbers from 0 to 1."""

    def __init__(self, plan: LinePlan, context: ExchangeContext, draw: Callable[[], float]) -> None:
        self._context = context
        self._spec = context.spec
        self._time = context.time
        self._attribution = context.attribution
        self._beginnings = context.beginnings
        self._choice = ReadChoice(self._attribution.late, self._attribution.asked, draw)
        self._cost = planner.line_cost(plan, self._spec.protocol.framing)
        self._blocks = Counter(one.unit for one in (*plan.devices, *plan.fallbacks) for _ in one.blocks)

    # ------------------------------------------------------------------ the reads of a block

    def parts(
        self, read: Read, borders: Sequence[int], limits: ReadLimits, *, fresh: bool = False
    ) -> list[Part] | None:
        """Reads that bring `read`, and with which no other response could be confused; None if there are none yet.

        `borders`: where its values end. `fresh`: nor with an earlier response to the same read, since a write came between.
        """
        if self._spec.anonymous or self._spec.transport == "memory":
            return [Part(read, read.address, read.count)] if self.may_ask(read) else None
        if self._attribution.gateway.names_request(self._time.now):
            return [Part(read, read.address, read.count)]
        limits = self._limits(read, limits)
        doubtful = self._attribution.doubts.is_doubtful(read.unit, self._time.now)
        return self._choice.parts(
            read, borders, limits, self._time.now, silent_s=self._context.silent_s, fresh=fresh, doubtful=doubtful
        )

    def apart(self, reads: Sequence[tuple[Read, ReadLimits]]) -> list[Part | None]:
        """For each of `reads`, which are to be sent together, one read that brings it; None where it has to wait for the others.

        The response of none looks like that of another one. Where nothing tells of a gateway, one for which this cannot be is
        sent as planned, and so is one of a device that has refused to read more.
        """
        now, gateway = self._time.now, self._attribution.gateway
        found: list[Part | None] = []
        for read, limits in reads:
            planned, named = Part(read, read.address, read.count), gateway.names_request(now)
            if named and (limits.refused or not gateway.is_possible):
                found.append(planned)
                continue
            sent = [part.read for part in found if part is not None]
            part = self._choice.apart(read, self._limits(read, limits), now, sent)
            found.append(planned if part is None and named else part)
        return found

    def _limits(self, read: Read, limits: ReadLimits) -> ReadLimits:
        bits = read.table in ("coil", "discrete")
        return replace(limits, most=BITS_LIMIT if bits else min(limits.most, self._spec.protocol.framing.registers))

    def proof_before(self, read: Read, borders: Sequence[int], limits: ReadLimits) -> Read | None:
        """The read that shows that the line is in step, before `read` is asked; None if none is due, or if there is none.

        It is due at a beginning of the unit, and where nothing but silence tells the response to `read` while one is missing,
        or for so long that readings are to be proven.
        """
        now = self._time.now
        if self._spec.anonymous or self._spec.transport == "memory" or self._attribution.gateway.names_request(now):
            return None
        limits = self._limits(read, limits)
        if not self._is_proof_due(read, borders, limits):
            return None
        proof = self._choice.proof(read, borders, limits, now)
        if proof is None:
            self._beginnings.proved(read.unit)
        return proof

    def _is_proof_due(self, read: Read, borders: Sequence[int], limits: ReadLimits) -> bool:
        now = self._time.now
        if not (self._spec.tagged or self._beginnings.is_proven(read.unit)):
            return True
        if self._choice.is_told(read, borders, limits, now):
            return False
        missing = self._attribution.late.may_be_taken_for(read, now)
        return missing or self._attribution.doubts.needs_proof(read.unit, now)

    def is_bracketed(self, read: Read, device: DevicePlan) -> bool:
        """True if a missing response looks like that to `read` of `device`: it can only be asked between two proofs."""
        return not device.polling.close_after and self._attribution.late.may_satisfy(read, self._time.now)

    def proved(self, proof: Read) -> None:
        """`proof` was answered: its unit is in step."""
        self._beginnings.proved(proof.unit)
        self._attribution.late.proved(proof, self._time.now)

    # ------------------------------------------------------------------ time before a request

    def room_s(self, read: Read) -> float:
        """Seconds until the unit was asked nothing for a window, where the line has room to wait for that; otherwise 0."""
        now, asked = self._time.now, self._attribution.asked
        if self._blocks[read.unit] < 2 or self._spec.anonymous or self._attribution.gateway.names_request(now):
            return 0.0
        window_s = asked.window(read.unit, now)
        busy = self._cost.load + self._cost.requests_per_s * window_s
        return 0.0 if busy > ROOM or window_s > HOLD_LIMIT_S else max(asked.quiet_at(read, now) - now, 0.0)

    def exception_wait_s(self, read: Read) -> float:
        """Seconds until an exception to `read` is told from the last one of its unit and function; 0 or less: it is now."""
        return self._attribution.exceptions.wait_s(read, self._time.now)

    def may_ask(self, question: Ask, device: DevicePlan | None = None) -> bool:
        """True unless the missing answer to another question could be taken for that to `question`, on a line of text.

        The `resync` of `device` settles that first, where it has one.
        """
        return self._attribution.text.may_ask(question, self._time.now, device)

    def needs_silence(self, request: Ask) -> bool:
        """True if the line is to be silent for a window before `request`, since nothing else tells its response from others."""
        now, unit = self._time.now, self._attribution.text.unit_of(request)
        if self._attribution.gateway.names_request(now):
            return False
        if isinstance(request, Write) and not self._spec.anonymous:
            return self._attribution.asked.written_alike(request, now)
        if self._is_in_doubt(request, unit):
            return True
        if not isinstance(request, Read | Question) or self.is_proof(request):
            return False
        doubts = self._attribution.doubts
        by_silence = not (isinstance(request, Question) and self._attribution.text.resync.is_known)
        proof_due = doubts.needs_proof(unit, now, by_silence=by_silence)
        return doubts.is_doubtful(unit, now) or proof_due or not self.may_ask(request)

    def _is_in_doubt(self, request: Ask, unit: int) -> bool:
        """True if even a response that is told from others by its size may be an older one."""
        now, doubts = self._time.now, self._attribution.doubts
        if doubts.hold or self._beginnings.concerns(unit):
            return True
        if self._attribution.text.concerns(request) and doubts.is_doubtful(unit, now):
            return True
        return isinstance(request, Read) and self._attribution.late.is_owed(request, now)

    def is_proof(self, request: Ask) -> bool:
        """True if no response to another question could be taken for that to `request`, sent now."""
        now, text, silent_s = self._time.now, self._attribution.text, self._context.silent_s
        if self._attribution.gateway.names_request(now) or text.resync.asks(request):
            return True
        if text.concerns(request):
            alone = not text.late.rests_on_silence(request)
            return alone or silent_s >= self._attribution.asked.window(text.unit_of(request), now)
        return isinstance(request, Read) and self._choice.distinguishes(request, now, silent_s=silent_s)
