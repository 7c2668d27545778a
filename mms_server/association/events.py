"""The events of the server's end of an association, in the order in which they happen."""

from dataclasses import dataclass

from mms_server.mms.initiate import Proposal
from mms_server.stack.acse import AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateIndication:
    """A-ASSOCIATE indication: the AARQ of a client, and the Initiate that it proposes. Answer with `accept` or `refuse`."""

    acse: AssociateRequest
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Request:
    """One confirmed request: the service's tag (as in stack.ber) and its contents. It gets exactly one answer."""

    invoke_id: int
    service: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of the association; `reason` is for the log. `orderly` if the client ended it without a fault."""

    reason: str
    orderly: bool = False


@dataclass(frozen=True, slots=True)
class PeerResponse:
    """The peer's answer to our one confirmed request: the tag and contents of the service; tag None for an error or a reject."""

    tag: int | None
    body: bytes = b""


Event = AssociateIndication | Request | PeerResponse | Closed
