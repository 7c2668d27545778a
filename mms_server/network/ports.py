"""The ports of a server, and the CRLs of those that speak TLS (shell)."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final, cast

from mms_server.network.tls import TlsPort

CRL_CHECK_S: Final = 60.0

log = logging.getLogger("mms.association")

Made = Callable[[TlsPort | None], asyncio.Protocol]


class ListeningPorts:
    """Listens on ports; `made` gives the protocol of each new connection, `crl_renewed` is called after a CRL has changed."""

    def __init__(self, made: Made, crl_renewed: Callable[[TlsPort], None]) -> None:
        self._made = made
        self._crl_renewed = crl_renewed
        self._servers: list[asyncio.Server] = []
        self._crl_timers: dict[TlsPort, asyncio.TimerHandle] = {}

    async def open(self, sock: socket.socket, tls: TlsPort | None) -> int:
        """Accept connections of `sock`, which is bound; its port. With `tls` it speaks TLS only."""
        server = await asyncio.get_running_loop().create_server(lambda: self._made(tls), sock=sock)
        self._servers.append(server)
        if tls is not None and tls.crl is not None:
            self._watch(tls)
        return cast("int", sock.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
        for timer in self._crl_timers.values():
            timer.cancel()
        self._servers.clear()
        self._crl_timers.clear()

    def _watch(self, tls: TlsPort) -> None:
        self._crl_timers[tls] = asyncio.get_running_loop().call_later(CRL_CHECK_S, self._check_crl, tls)

    def _check_crl(self, tls: TlsPort) -> None:
        try:
            changed = tls.reload()
        except OSError as error:
            changed = False
            log.error("the CRL %s cannot be used, the last one holds: %s", tls.crl, error)
        if changed:
            log.warning("a new CRL: TLS sessions end")
            self._crl_renewed(tls)
        self._watch(tls)
