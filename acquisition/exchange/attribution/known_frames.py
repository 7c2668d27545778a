"""Known frames of one line (pure): a response with the very octets of an earlier one is a second one, and no stranger's.

read accepted, or its response late ──► the last 32 frames of its signature
write confirmed                     ──► the last 32 confirmations
"""

from collections import deque
from typing import Final

from acquisition.exchange.identity.asked_reads import SIGNATURES_LIMIT, ReadSignature

FRAMES_KEPT: Final = 32


class KnownFrames:
    """Frames that were responses to requests of ours. `last`: the unit in hand, as it came."""

    def __init__(self) -> None:
        self.last = b""
        self._responses: dict[ReadSignature, deque[bytes]] = {}
        self._confirmations: deque[tuple[bytes, float]] = deque(maxlen=FRAMES_KEPT)  # and when the write was sent

    def keep(self, signature: ReadSignature) -> None:
        """The unit in hand is the response to a read of ours."""
        if len(self._responses) > SIGNATURES_LIMIT:
            self._responses.clear()
        self._responses.setdefault(signature, deque(maxlen=FRAMES_KEPT)).append(self.last)

    def is_known(self, signature: ReadSignature) -> bool:
        """True if a response with these very octets has come to a read of ours."""
        frame = self.last
        return any(frame.endswith(one) or one.endswith(frame) for one in self._responses.get(signature, ()))

    def confirms(self, asked_at: float) -> None:
        """The unit in hand is the response to a write that was sent at `asked_at`."""
        self._confirmations.append((self.last, asked_at))

    def confirmed_at(self) -> float | None:
        """Time at which the last write was sent whose confirmation had the octets in hand; None if there was none."""
        return next((at for frame, at in reversed(self._confirmations) if frame == self.last), None)
