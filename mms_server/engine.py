"""The engine: requests, values and deadlines in; PDUs out. It knows every client and no connection.

    request   A0 { 02 invokeID, service }   ->   A1 { 02 invokeID, service }    positive
                                                 A2 { 80 invokeID, A2 error }   ServiceError
                                                 A4 { 80 invokeID, 8x reason }  Reject

Every request gets exactly one answer, none longer than what its client takes.
"""

from collections.abc import Iterable
from typing import Final

from mms_server.mms import reject
from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.mms.reject import Reason
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel
from mms_server.services import registry
from mms_server.services.base import Client, Context, Identity
from mms_server.stack import ber
from mms_server.stack.errors import WireError

ENVELOPE_OCTETS: Final = 16  # around a service's element: tags, lengths, the longest invokeID
CONCLUDE_BIT: Final = 83  # answered by the association


class Engine:
    """One server's behaviour towards all its clients."""

    def __init__(self, model: DataModel, identity: Identity) -> None:
        self.model = model
        self._identity = identity
        self._services = registry.by_tag()
        self._contexts: dict[Client, Context] = {}

    def supported(self) -> frozenset[int]:
        """The bits of ServiceSupportOptions for what really answers."""
        return frozenset({CONCLUDE_BIT, *(service.bit for service in self._services.values())})

    @property
    def clients(self) -> tuple[Client, ...]:
        """Who is associated now."""
        return tuple(self._contexts)

    def opened(self, client: Client) -> None:
        """A client has associated."""
        self._contexts[client] = Context(self.model, self._identity, client, client.max_pdu - ENVELOPE_OCTETS)

    def closed(self, client: Client) -> None:
        """A client has gone, in whatever way; what it held is free."""
        self._contexts.pop(client, None)

    def request(self, client: Client, invoke_id: int, tag: int, body: bytes) -> bytes:
        """The PDU that answers one confirmed request."""
        service = self._services.get(tag)
        if service is None:
            return reject.encode(Reason.UNRECOGNIZED_SERVICE, invoke_id)
        try:
            element = service.answer(self._contexts[client], body)
        except ArgumentError:
            return reject.encode(Reason.INVALID_ARGUMENT, invoke_id)
        except WireError:
            return reject.encode(Reason.INVALID_PDU if body else Reason.INVALID_ARGUMENT, invoke_id)
        if isinstance(element, ServiceError):
            return element.pdu(invoke_id)
        pdu = ber.tlv(0xA1, ber.tlv(0x02, ber.unsigned(invoke_id)) + element)
        return pdu if len(pdu) <= client.max_pdu else ServiceError.RESOURCE_OTHER.pdu(invoke_id)

    def commit(self, pairs: Iterable[tuple[int, object]]) -> Changes:
        """Take new values, all or none. Raises TypeError or ValueError for one that does not fit its leaf."""
        return self.model.cache.commit(pairs)
