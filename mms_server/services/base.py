"""A confirmed service: what every file of this folder offers, as one constant `SERVICE`.

`answer(context, body)` gets the contents of the service's element in the request and returns the service's element for
the response, tag and all; or a ServiceError, which becomes the confirmed-error PDU. An argument that means nothing
raises ArgumentError (or WireError, from the cursor): the client gets a Reject. A service keeps no memory; what must
outlive a request is behaviour and belongs to acsi/.

The engine checks the answer's size; a service whose answer can be cut (GetNameList) does so by `context.room`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mms_server.mms.errors import ServiceError
from mms_server.model.tree import DataModel


@dataclass(frozen=True, slots=True)
class Identity:
    """What Identify answers."""

    vendor: str
    model: str
    revision: str


@dataclass(eq=False, slots=True)
class Client:
    """One associated client: who it is, and how long a PDU it takes."""

    association: int
    address: str  # host:port
    max_pdu: int
    certificate: bytes | None = None


@dataclass(slots=True)
class Context:
    """What a service may look at: the model, who the server is, who asks, and the octets that an answer may have."""

    model: DataModel
    identity: Identity
    client: Client
    room: int


@dataclass(frozen=True, slots=True)
class Service:
    """One confirmed service; `bit` is its number in ServiceSupportOptions."""

    name: str
    tag: int
    bit: int
    answer: Callable[[Context, bytes], bytes | ServiceError]
