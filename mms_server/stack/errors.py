"""Protocol error of a layer: the offset, the expected octets, and the answer that the peer is owed."""

from dataclasses import dataclass
from enum import Enum


class FaultAnswer(Enum):
    """The answer to a protocol error, mildest first."""

    REJECT = "reject"  # an MMS Reject PDU; the association goes on
    ABORT = "abort"  # a session ABORT, then the connection is closed
    CLOSE = "close"  # nothing: the connection is closed


@dataclass
class WireError(ValueError):
    """Octets that are not the protocol. Its reader is whoever holds the capture."""

    layer: str  # "ber", "tpkt", "cotp", "session", "presentation", "acse" or "mms"
    offset: int  # octets from the start of what that layer was given
    reason: str
    answer: FaultAnswer = FaultAnswer.CLOSE

    def __str__(self) -> str:
        return f"{self.layer}: {self.reason}, at octet {self.offset}"
