"""Requests of another master on one line (pure): the response that follows is its own, and none of ours is taken for it.

    request heard ──► the line waits for its response, at most a window
                        ├── a response with its signature ──► it is the other master's: over
                        └── ours with that signature is under way meanwhile ──► neither response is believed

Frames that can be requests and responses alike (functions 5 and 6, three octets of bits) count for neither. The echo of our
own request is no master: a converter of two wires returns it, at once or late.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from acquisition.exchange.identity.asked_reads import ReadSignature

REQUESTS_KEPT: Final = 16
SENT_KEPT: Final = 16  # of our own requests, which may come back
WAIT_LIMIT_S: Final = 0.5


class _ForeignRead(NamedTuple):
    signature: ReadSignature
    until: float  # its response may come


@dataclass(slots=True)
class OtherMasters:
    """Reads of other masters whose responses have not come yet, and our own requests, by their octets."""

    _reads: deque[_ForeignRead] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    _sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=SENT_KEPT))

    def sent(self, octets: bytes) -> None:
        """A request of ours is sent."""
        self._sent.append(octets)

    def is_echo(self, frame: bytes) -> bool:
        """True if `frame` is a request of ours that came back."""
        return any(frame.endswith(one) for one in self._sent)

    def asked(self, signature: ReadSignature, now: float, window_s: float) -> None:
        """Another master has asked for a response with `signature`, which comes within a window, if at all."""
        self._reads.append(_ForeignRead(signature, now + min(window_s, WAIT_LIMIT_S)))

    def answered(self, signature: ReadSignature, now: float) -> bool:
        """True if a response with `signature` is another master's, whose request is done then."""
        self._expire(now)
        found = next((one for one in self._reads if one.signature == signature), None)
        if found is not None:
            self._reads.remove(found)
        return found is not None

    def is_awaited(self, signature: ReadSignature, now: float) -> bool:
        """True if a response with `signature` is under way to another master."""
        self._expire(now)
        return any(one.signature == signature for one in self._reads)

    def until(self, now: float) -> float:
        """Time until which the line waits for responses to other masters; `now` if there is none to come."""
        self._expire(now)
        return max((one.until for one in self._reads), default=now)

    def _expire(self, now: float) -> None:
        for one in [one for one in self._reads if one.until <= now]:  # windows of units differ
            self._reads.remove(one)
