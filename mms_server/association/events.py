"""The events of the server's end of an association, in the order in which they happen."""

from dataclasses import dataclass

from mms_server.mms.initiate import Proposal
from mms_server.stack.acse import AssociateRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A client asks to associate: who it says it is, and what it proposes. Answer with `accept` or `refuse`."""

    acse: AssociateRequest
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Request:
    """One confirmed request: the service's tag (as in stack.ber) and its contents. Owed exactly one answer."""

    invoke_id: int
    service: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """It is over; `reason` for the log. `orderly` if the client concluded or nothing was wrong."""

    reason: str
    orderly: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The peer's answer to our one request: the tag and contents of the service's element; tag None: it says no."""

    tag: int | None
    body: bytes = b""


Event = Asked | Request | Answered | Closed
