"""The confirmed requests of one association, in both directions, and the number of open ones (ISO 9506-2, Initiate)."""

from collections import deque
from typing import Final

from mms_server.association.events import PeerResponse, Request
from mms_server.stack import ber
from mms_server.stack.errors import WireError

WAITING_LIMIT: Final = 64  # requests beyond the agreed number that wait for their turn; then no more octets are decoded


class PeerCalls:
    """The requests of the peer: at most the agreed number is `open`, the others wait. `full` while no more may wait."""

    __slots__ = ("_agreed", "_waiting", "full", "open")

    def __init__(self) -> None:
        self.full = False
        self.open = 0
        self._agreed = 0
        self._waiting: deque[Request] = deque()

    def agree(self, number: int) -> None:
        """Set the number of requests that may be open at a time."""
        self._agreed = number

    def taken(self, request: Request) -> bool:
        """Take one request: True if it is open now, False if it waits."""
        if self.open < self._agreed:
            self.open += 1
            return True
        self._waiting.append(request)
        self.full = len(self._waiting) >= WAITING_LIMIT
        return False

    def answered(self) -> Request | None:
        """Count one answer; the waiting request that is open now, None if none waits."""
        if not self._waiting:
            self.open -= 1
            return None
        self.full = False
        return self._waiting.popleft()

    def clear(self) -> None:
        """Drop all waiting requests."""
        self._waiting.clear()
        self.full = False


class OwnCall:
    """Our own confirmed request to the peer, one at a time."""

    __slots__ = ("_count", "_open")

    def __init__(self) -> None:
        self._count = 0
        self._open: int | None = None

    def pdu(self, element: bytes) -> bytes:
        """A request of the service `element`; an answer to an earlier one is dropped from now on."""
        self._open = self._count = self._count % 0x7FFF + 1
        return ber.tlv(0xA0, ber.tlv(0x02, ber.unsigned(self._open)) + element)

    def answer(self, tag: int, octets: bytes, start: int, end: int) -> PeerResponse | None:
        """The answer in the PDU `tag` with the contents `octets[start:end]`; None if it is garbled or answers no open request."""
        try:
            first_tag, first, after = ber.header(octets, start, end)
            if first_tag not in (0x02, 0x80) or ber.decode_unsigned(octets, first, after) != self._open:
                return None
            answer = PeerResponse(None)
            if tag == 0xA1:
                service, first, after = ber.header(octets, after, end)
                answer = PeerResponse(service, octets[first:after])
        except WireError:
            return None
        self._open = None
        return answer
