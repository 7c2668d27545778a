"""Attribution of responses on one line (pure): to whom a unit belongs that was received, and what follows from it.

    fits the last request ──► is_answer: its response, unless an earlier or another master's request may have it
    fits another request  ──► foreign  ─┐    ┌─ late: the response that was missing
    nobody waits for it   ──► surplus  ─┼──►─┼─ known: a second response, and its unit is in doubt
    before any request    ──► before_any┘    └─ a stranger: another master's, or a second device's

It owns the memory of its line: reads that were asked, responses that are missing, readings in doubt, other masters, faults.
Octets are cut into units by `responses`; lines of text have an attribution of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    DriverSpec,
    ExceptionResponse,
    Foreign,
    ForeignRequest,
    Found,
    Read,
    Registers,
    Step,
    Text,
    Write,
)
from acquisition.exchange.attribution.debt_clock import DebtClock
from acquisition.exchange.attribution.exception_evidence import ExceptionEvidence
from acquisition.exchange.attribution.gateway_evidence import UNREACHED, GatewayEvidence
from acquisition.exchange.attribution.known_frames import KnownFrames
from acquisition.exchange.attribution.request_ages import RequestAges
from acquisition.exchange.attribution.surplus_responses import SurplusResponses
from acquisition.exchange.attribution.text_attribution import TextAttribution
from acquisition.exchange.attribution.transaction_ids import TransactionIds
from acquisition.exchange.counters import Counters
from acquisition.exchange.identity.asked_reads import TABLES, AskedReads, ReadSignature, signature_of
from acquisition.exchange.identity.channel_faults import ChannelFaults, shown_of
from acquisition.exchange.identity.doubts import Doubts
from acquisition.exchange.identity.late_answers import LateResponse, LateResponses
from acquisition.exchange.identity.late_text import TEXT
from acquisition.exchange.identity.other_masters import OtherMasters
from acquisition.exchange.identity.resynchronization import Resynchronization
from acquisition.exchange.pipelining import ReadResponse
from acquisition.polling.path_failover import OwedRequest
from mapping.plan import Behind, LinePath

AMBIGUOUS_OCTETS: Final = 3  # of bits: such a response may be another master's request


class Attribution:
    """Attribution of the responses of one line. `request`: the last one; `tag`: the transaction id before the first one.

    Behind a `gateway` an id proves no more than that the gateway has answered, since the devices behind it have none; it names
    the response of a `device` for good. `behind` None: of the device, until something tells of a gateway. `path` None: by
    transport, and a serial port whose responses come very late is a network.

    `misanswered`: another response has come to the last request, of the same unit; under its id, where it has one.
    `doubted` is called as soon as readings prove to be in doubt.
    """

    def __init__(
        self,
        spec: DriverSpec,
        counters: Counters,
        tag: int,
        *,
        behind: Behind | None = None,
        path: LinePath | None = None,
        resync: Resynchronization | None = None,
    ) -> None:
        shared = spec.tagged and behind == "gateway"
        self.late = LateResponses(any_unit=shared)
        self.asked = AskedReads(any_unit=shared)
        self.doubts = Doubts()
        self.others = OtherMasters()
        self.faults = ChannelFaults("second-master" if spec.serial else "shared-line", read_between=not spec.tagged)
        self.frames = KnownFrames()
        self.gateway = GatewayEvidence(behind, tagged=spec.tagged)
        self.exceptions = ExceptionEvidence(self.late, self.asked, tagged=spec.tagged)
        self.ids = TransactionIds(tag, self.late, self.faults)
        self._clock = DebtClock(spec, self.asked, path)
        self.text = TextAttribution(
            spec, counters, self.asked, self.doubts, self.faults, self._clock, resync or Resynchronization()
        )
        self._surplus = SurplusResponses(counters, self.asked, self.doubts, self.faults, self.frames, self._clock)
        self.ages = RequestAges(self.asked, self.late, self.doubts, self.text, self.gateway, self._clock, self.faults)
        self.request: Ask | None = None
        self._asked_at = 0.0  # the last request
        self._collided = False  # another master's response looks like that to the last request
        self.misanswered = False
        self.doubted: Callable[[], None] = lambda: None
        self._tagged = spec.tagged
        self._counters = counters

    # ------------------------------------------------------------------ a request

    def is_owed(self, now: float) -> bool:
        """True if a response is outstanding that a new connection may bring: not where each names its own request."""
        return self.gateway.is_possible and (self.late.any(now) or self.text.late.any(now))

    def expect_of_others(self, unit: int, owed: Sequence[OwedRequest]) -> None:
        """Responses to `owed`, requests on another path to the device that is `unit` here, may come on this one."""
        for request, asked_at, until in owed:
            self.late.expect(replace(request, unit=unit), asked_at, until, elsewhere=True)

    def sent(self, request: Ask, octets: bytes, now: float) -> None:
        """`octets`, those of `request`, have left."""
        self.request, self._asked_at = request, now
        self.faults.sent(now)
        self.ages.sent(request, now)
        self.exceptions.sent()
        self.misanswered = False
        if self.text.concerns(request):
            self.text.sent(request, now, self.ages.silent_s(now))
        elif isinstance(request, Read):
            self.asked.sent(request, now)
        elif isinstance(request, Write):
            self.asked.wrote(request, now)
        if not self._tagged:
            self._sent_without_id(request, octets, now)

    def _sent_without_id(self, request: Ask, octets: bytes, now: float) -> None:
        self._collided = isinstance(request, Read) and self.others.is_awaited(signature_of(request), now)
        self.others.sent(octets)
        if isinstance(request, Write):
            self.late.overtake(request)

    def timed_out(self, request: Ask, now: float, timeout_s: float, *, unsound: bool) -> None:
        """No response to `request` in its time. One is outstanding from now on, unless it has come and was `unsound`."""
        if self.text.concerns(request):
            self.text.expect(request, now, timeout_s)
        elif not isinstance(request, Read | Write):
            return  # an identification: nobody else is asked for one
        elif not self._tagged:
            if not unsound:
                self._expect(request, now, timeout_s)
        elif isinstance(request, Read):
            self.gateway.timed_out(now)
            self._expect(request, now, timeout_s)
            self.ids.missing(request, self.ids.last)

    def cut_short(self, request: Ask, now: float, timeout_s: float, asked_at: float | None = None) -> None:
        """The connection was lost before the response to `request`, which may come in the next one.

        `asked_at`: when it was sent; None: it was the last one.
        """
        if self.text.concerns(request):
            self.text.expect(request, now, timeout_s)
        elif isinstance(request, Read | Write) and not self.gateway.names_request(now):
            self._expect(request, now, timeout_s, asked_at)

    def missing_concurrently(self, read: Read, response: ReadResponse, now: float, timeout_s: float) -> None:
        """The device has not answered `read`, one of several requests: `response` has no registers."""
        self.gateway.timed_out(now)
        self._expect(read, now, timeout_s, response.asked_at)
        self.ids.missing(read, response.tag)

    def _expect(self, request: Read | Write, now: float, timeout_s: float, asked_at: float | None = None) -> None:
        self._clock.missing(timeout_s)
        sent_at = self._asked_at if asked_at is None else asked_at
        self.late.expect(request, sent_at, now + self._clock.response_s(request.unit, timeout_s, now))

    # ------------------------------------------------------------------ its response

    def is_answer(self, request: Ask, found: Step, now: float) -> bool:
        """True if `found`, which fits `request`, may be its response; otherwise it belongs to another one, and is counted."""
        match found:
            case Registers() if self._collided:
                self._counters.foreign += 1
            case ExceptionResponse():
                return self.exceptions.is_certain(request, found, now)
            case Text(line):
                return self.text.is_answer(request, line, now)
            case Confirmed() if self._is_overtaken(request, now):
                self._counters.late += 1  # the earlier one's, or this one's: the second one counts
            case _:
                return True
        return False

    def _is_overtaken(self, request: Ask, now: float) -> bool:
        return isinstance(request, Write) and not self._tagged and self.late.settle_overtaken(request, now)

    def answered(self, request: Ask, found: Found, now: float, timeout_s: float) -> None:
        """`request` had its response in time, unless another one may still come."""
        if isinstance(request, Read | Write) and not self._concludes(request, found, now, timeout_s):
            return
        self.asked.took(now - self._asked_at)
        if self._tagged:
            self.ids.answered(request, self._asked_at)
        if self.text.concerns(request):
            self.text.accepted(request, found)
        elif isinstance(request, Read | Write):
            self._accepted(request, found, now)

    def _concludes(self, request: Read | Write, found: Found, now: float, timeout_s: float) -> bool:
        """True unless a response to `request` may follow `found`.

        A gateway that reached no device (exceptions 10 and 11) may still get a response from it. So may we behind an exception
        that may be another request's.
        """
        doubted = self.exceptions.doubted
        if found is doubted:
            until = now + self.asked.window(request.unit, now)
            self.late.expect(request, self._asked_at, until, refused=True)
            return False
        if doubted is not None:
            self._counters.doubled += 1
            self.faults.again(f"{shown_of(request)}: an exception", self._asked_at, now)
        if not isinstance(request, Read) or not isinstance(found, ExceptionResponse):
            return True
        if found.code not in UNREACHED:
            if not self._tagged:
                self.late.only_refused(request, self._asked_at, now)
            return True
        if self._tagged:
            self.gateway.shown(now)
            self._expect(request, now, timeout_s)
        return False

    def _accepted(self, request: Read | Write, found: Found, now: float) -> None:
        if isinstance(request, Write):
            self.frames.confirms(self._asked_at)
        elif isinstance(found, Registers):
            self.frames.keep(self.asked.signature_of(request))
            self.faults.accepted(signature_of(request), now)
        if not isinstance(found, ExceptionResponse):
            in_order = not self._clock.is_network and not self.asked.lag(request.unit, now)
            self.late.answered(request, self._asked_at, now, in_order=in_order)

    # ------------------------------------------------------------------ a unit that no request waits for

    def before_any(self, request: Ask, found: Step, now: float) -> None:
        """A unit has come before the first request, which is `request`: it is to somebody else, or to an earlier OS process."""
        signature = self._signature(request, found)
        if isinstance(found, Foreign) and found.octets_of_data is not None and found.function in TABLES:
            signature = (found.unit, TABLES[found.function], found.octets_of_data)
        if signature is not None:
            self._counters.foreign += 1
            self.asked.contest(signature, now)

    def surplus(self, request: Ask, found: Step, now: float) -> None:
        """A unit that fits `request`, the last one, has come while nobody waits: late, a second time, or somebody else's."""
        signature = self._signature(request, found)
        if signature is not None and self.others.answered(signature, now):
            self._counters.foreign += 1
        elif not isinstance(request, Read | Write) or self.text.concerns(request):
            self._again(request, found, now)
        elif (late := self._settled(request, found, now)) is not None:
            self._surplus.late(late, now)
        elif signature is not None:
            self._surplus.unclaimed(signature, request.unit, now)
        else:
            self._again(request, found, now)

    def _again(self, request: Ask, found: Step, now: float) -> None:
        """The second response to `request`."""
        if isinstance(found, ExceptionResponse):
            self.exceptions.proves(request, now)
        self._counters.doubled += 1
        if self.text.concerns(request):
            self.text.again(request, found, now)
        else:
            unit = self.text.unit_of(request)
            self.asked.lagged(unit, now - self._asked_at, now)
            self.doubts.surplus(unit, now)
        self.faults.again(shown_of(request), self._asked_at, now)

    def _settled(self, request: Read | Write, found: Step, now: float) -> LateResponse | None:
        """The missing response to a request that looks like `request`, which `found` is; None if there was none."""
        if isinstance(found, ExceptionResponse):
            return self.late.settle_refused(request, now)
        signature = self._signature(request, found)
        known = signature is None or self._is_known(signature, now)
        return self.late.settle_request(request, now, known=known)

    def _signature(self, request: Ask, found: Step) -> ReadSignature | None:
        """The signature of `found` if it is the data of `request`, a read; otherwise None."""
        if not isinstance(request, Read) or not isinstance(found, Registers):
            return None
        return self.asked.signature_of(request)

    def _is_known(self, signature: ReadSignature, now: float) -> bool:
        """True if the response in hand has come before, or is somebody else's."""
        return self.frames.is_known(signature) or self.asked.is_heard(signature, now)

    def tell_doubts(self) -> None:
        """Say that readings are in doubt, if they are."""
        if self.doubts.has_taken_back:
            self.doubted()

    # ------------------------------------------------------------------ a unit that fits another request

    def foreign(self, found: Foreign | ForeignRequest, now: float) -> None:
        """A sound unit that answers something else, or a request that is not ours."""
        if isinstance(found, ForeignRequest):
            self._other_master(found, now)
        else:
            self._foreign(found, now)

    def _foreign(self, found: Foreign, now: float) -> None:
        """A response that is late, came a second time, or is to nothing that is known."""
        table, octets = TABLES.get(found.function), found.octets_of_data
        self.exceptions.came(found.unit, found.function, now)
        if self._tagged and octets is not None:  # under the id of a request that wants another response
            self.faults.misfit(found.unit, found.function, octets, now)
            self.gateway.shown(now)
            self.misanswered = self.ids.in_hand == self.ids.last
        elif not self._tagged:
            self.misanswered = isinstance(self.request, Read | Write) and found.unit == self.request.unit
        signature = None if table is None or octets is None else self.asked.signature(found.unit, table, octets)
        if found.may_ask or (signature is not None and self.others.answered(signature, now)):
            self._counters.foreign += 1
            return
        known = signature is not None and self._is_known(signature, now)
        late = self.late.settle(found, TABLES, now, known=known)
        if late is not None:
            self._surplus.late(late, now)
        elif signature is None or self._tagged:
            self._surplus.unfitting(found.unit, now)
        else:
            self._surplus.unclaimed(signature, found.unit, now)

    def _other_master(self, found: ForeignRequest, now: float) -> None:
        """A request that is not ours: its response is not ours either, and ours are to look different (D123)."""
        if self.others.is_echo(self.frames.last):
            self._counters.echoes += 1
            return
        self._counters.foreign += 1
        table = TABLES.get(found.function)
        self.faults.other_asked(found.unit, found.function, found.octets_of_data, now)
        if table is None or found.octets_of_data is None:
            return
        signature = (found.unit, table, found.octets_of_data)
        self.others.asked(signature, now, self.asked.window(found.unit, now))
        self.asked.contest(signature, now)
        if table in ("coil", "discrete"):
            self.asked.contest((found.unit, table, AMBIGUOUS_OCTETS), now)
        self._collided |= isinstance(self.request, Read) and signature_of(self.request) == signature

    # ------------------------------------------------------------------ readings

    def is_inconsistent(self, unit: int, now: float) -> bool:
        """True while responses of another device or master come under the number of `unit`."""
        return any(self.doubts.is_inconsistent(one, now, self.asked.window(one, now)) for one in (unit, TEXT))
