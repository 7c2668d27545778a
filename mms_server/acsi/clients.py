"""Who is associated: what behaviour with a memory needs to know of a client."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mms_server.model.datasets import DataSet

OUTBOX_OCTETS: Final = 256 * 1024


@dataclass(eq=False, slots=True)
class Client:
    """One associated client: who it is, how long a PDU it takes, and what waits to be sent to it.

    `address` is host:port, `certificate` the DER octets of what it showed in TLS. `data_sets` are its own, by name
    without the `@`; they go with the association.
    """

    association: int
    address: str
    max_pdu: int
    certificate: bytes | None = None
    authenticated: bool = False  # by an authenticator that said yes
    data_sets: dict[bytes, DataSet] = field(default_factory=dict)
    outbox: deque[bytes] = field(default_factory=deque)
    outbox_octets: int = 0

    @property
    def host(self) -> str:
        """The address without the port, and without the brackets of IPv6."""
        return self.address.rpartition(":")[0].strip("[]")

    def post(self, pdus: list[bytes]) -> bool:
        """Queue the PDUs of one report; False, and none queued, if they do not fit what may wait."""
        octets = sum(map(len, pdus))
        if self.outbox and self.outbox_octets + octets > OUTBOX_OCTETS:
            return False
        self.outbox.extend(pdus)
        self.outbox_octets += octets
        return True

    def take(self) -> list[bytes]:
        """Everything that is queued; it is then the caller's."""
        pdus = list(self.outbox)
        self.outbox.clear()
        self.outbox_octets = 0
        return pdus
