"""The reading half of a connection (shell): octets of the peer, decrypted if it speaks TLS; it can be paused."""

import asyncio

from mms_server.network.connection.outlet import Outlet
from mms_server.network.refused_peers import Refusals
from mms_server.network.tls import TlsRefused, TlsSession


class Inlet:
    """The octets received by `transport`; octets of TLS itself leave by `outlet`. `who` names the peer in the log."""

    def __init__(
        self,
        transport: asyncio.Transport,
        tls: TlsSession | None,
        outlet: Outlet,
        refusals: Refusals,
        who: dict[str, object],
    ) -> None:
        self._transport = transport
        self._tls = tls
        self._reading = True  # as asyncio begins
        self._outlet = outlet
        self._refusals = refusals
        self._who = who

    def plain(self, data: bytes) -> bytes:
        """The octets for the association that `data` carry; none if there are none yet, or the peer is refused."""
        if self._tls is None:
            return data
        try:
            plain = self._tls.receive(data)
        except TlsRefused as refused:
            self._refusals.say(self._who, "no TLS: %s", refused.reason)
            self._outlet.write_plain(refused.alert)
            self._outlet.close()
            return b""
        said = self._tls.to_send()
        if said:
            self._outlet.write_plain(said)
        return plain

    def read(self, wanted: bool) -> None:
        """Resume reading from the peer if `wanted`, else pause it."""
        if wanted == self._reading or self._outlet.closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
