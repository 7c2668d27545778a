"""Associated clients, as the behaviours with a memory know them: address, limits, own data sets, outbox."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from bus.endpoint import Endpoint
from mms_server.model.datasets import DataSet

OUTBOX_OCTETS: Final = 256 * 1024
OURS: Final = {"internal": True}  # fields that are not for embedding programs


class Outbox:
    """The unbuffered reports that wait for one client, at most `OUTBOX_OCTETS` of them."""

    __slots__ = ("_pdus", "octets")

    def __init__(self) -> None:
        self._pdus: deque[bytes] = deque()
        self.octets = 0

    def post(self, pdus: list[bytes]) -> bool:
        """Queue the PDUs of one report; False, and none queued, if they do not fit what may wait."""
        octets = sum(map(len, pdus))
        if self._pdus and self.octets + octets > OUTBOX_OCTETS:
            return False
        self._pdus.extend(pdus)
        self.octets += octets
        return True

    def take(self) -> list[bytes]:
        """Everything that is queued; it is then the caller's."""
        pdus = list(self._pdus)
        self._pdus.clear()
        self.octets = 0
        return pdus


@dataclass(eq=False, slots=True)
class Client:
    """One associated client, for as long as the association lasts.

    `address` is host:port, `certificate` the DER octets of what it showed in TLS, `authenticated` whether an authenticator
    said yes, `max_pdu` how many octets a PDU to it may have.
    """

    association: int
    address: str
    max_pdu: int
    certificate: bytes | None = None
    authenticated: bool = False
    takes_requests: bool = field(default=True, metadata=OURS)  # it has agreed to be asked by us
    data_sets: dict[bytes, DataSet] = field(default_factory=dict, metadata=OURS)  # its own, by name without the `@`
    outbox: Outbox = field(default_factory=Outbox, metadata=OURS)
    before_answer: list[bytes] = field(default_factory=list, metadata=OURS)  # PDUs that leave before the next answer

    @property
    def host(self) -> str:
        """The address without the port, and without the brackets of IPv6."""
        return Endpoint.parse(self.address).host

    @property
    def address_octets(self) -> bytes:
        """The host as Owner and originatorID show it: the four octets of an IPv4 address, else at most 64 of its text."""
        parts = self.host.split(".")
        if len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts):
            return bytes(int(part) for part in parts)
        return self.host.encode("ascii", "replace")[:64]
