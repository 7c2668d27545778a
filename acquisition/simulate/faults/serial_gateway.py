"""A Modbus TCP gateway with serial devices behind it that gives up early (pure).

    request 7 ──► serial line ··· nothing in time ──► exception 11 with id 7, or nothing
    request 8 ──► serial line ──► the answer to 7 comes ──► it goes out with id 8
                                  the answer to 8 comes ──► dropped, or it goes out with id 9

The serial line has no ids and one device answers at a time. The gateway compares unit and function, as masters do.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from acquisition.simulate.faults.line_faults import GivesUp

REQUESTS_LIMIT: Final = 16
NO_RESPONSE: Final = 11  # the exception: gateway target device failed to respond
TAG: Final = slice(0, 2)
HEADER: Final = slice(0, 4)  # transaction id and protocol
UNIT, FUNCTION = 6, 7  # in a unit of Modbus TCP


class Draw(Protocol):
    """Source of random numbers, as random.Random."""

    def random(self) -> float:
        """The next one, from 0 up to 1."""


class GatewayRequest(Protocol):
    """A request that waits for its answer."""

    @property
    def octets(self) -> bytes:
        """The unit that asks."""

    def latency_s(self) -> float:
        """The time that its device takes."""

    def answer(self, now: float) -> bytes:
        """The answer of its device, empty if there is none."""


Later = Callable[[float, Callable[[float], None]], None]
"""`later(at, act)` calls `act(at)` at that time."""


class SerialGateway:
    """One gateway. `deliver(request, octets, now)` gets what it answers to a request."""

    def __init__(self, draw: Draw, later: Later, deliver: Callable[[GatewayRequest, bytes, float], None]) -> None:
        self._draw = draw
        self._later = later
        self._deliver = deliver
        self._outstanding: GatewayRequest | None = None
        self._waiting: deque[tuple[GatewayRequest, GivesUp]] = deque()
        self._line_free_at = 0.0

    def take(self, request: GatewayRequest, fault: GivesUp, now: float) -> None:
        """Forward `request`, or keep it until the one before it is done; beyond the limit it is dropped."""
        if self._outstanding is None:
            self._forward(request, fault, now)
        elif len(self._waiting) < REQUESTS_LIMIT:
            self._waiting.append((request, fault))

    def _forward(self, request: GatewayRequest, fault: GivesUp, now: float) -> None:
        self._outstanding = request
        late_s = fault.ms / 1000 * (1 + self._draw.random()) if self._draw.random() < fault.share else 0.0
        self._line_free_at = max(now, self._line_free_at) + request.latency_s() + late_s
        self._later(self._line_free_at, lambda at: self._answered(request, at))
        self._later(now + fault.ms / 1000, lambda at: self._give_up(request, at))

    def _answered(self, request: GatewayRequest, now: float) -> None:
        octets, awaited = request.answer(now), self._outstanding
        if octets and awaited is not None and _may_answer(octets, awaited.octets):
            self._outstanding = None
            self._deliver(awaited, awaited.octets[TAG] + octets[TAG.stop :], now)
            self._next(now)

    def _give_up(self, request: GatewayRequest, now: float) -> None:
        if self._outstanding is request:
            self._outstanding = None
            if self._draw.random() < 0.5:
                unit, function = request.octets[UNIT], request.octets[FUNCTION]
                pdu = bytes((unit, function | 0x80, NO_RESPONSE))
                self._deliver(request, request.octets[HEADER] + len(pdu).to_bytes(2, "big") + pdu, now)
            self._next(now)

    def _next(self, now: float) -> None:
        if self._waiting:
            self._forward(*self._waiting.popleft(), now)


def _may_answer(octets: bytes, request: bytes) -> bool:
    """True if unit and function are those of the request: all that a serial answer shows of it."""
    return octets[UNIT] == request[UNIT] and octets[FUNCTION] & 0x7F == request[FUNCTION]
