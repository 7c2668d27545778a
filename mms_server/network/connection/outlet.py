"""The writing half of a connection (shell): octets leave at once, or wait until the peer reads.

While more than WRITE_HIGH_OCTETS wait it is paused: no request is read from the peer and no report is made for it. If the
peer takes no octet for STUCK_S, the connection is closed.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from mms_server.network.tls import TlsRefused, TlsSession

WRITE_HIGH_OCTETS: Final = 512 * 1024
STUCK_S: Final = 30.0
STUCK_CHECK_S: Final = 5.0

log = logging.getLogger("mms.association")


class Outlet:
    """The octets that leave by `transport`, encrypted if there is `tls`. `who` names the peer in the log."""

    __slots__ = ("_stuck_timer", "_transport", "_who", "closing", "paused", "write")

    def __init__(self, transport: asyncio.Transport, tls: TlsSession | None, who: dict[str, object]) -> None:
        self.paused = False
        self.closing = transport.is_closing  # () is True once nothing can be written any more
        self.write = transport.write if tls is None else self._sealing(tls)  # octets of the association
        self._transport = transport
        self._who = who
        self._stuck_timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Limit the octets that may wait, once the peer is admitted."""
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_OCTETS)

    def write_plain(self, octets: bytes) -> None:
        """Send octets of TLS itself."""
        self._transport.write(octets)

    def pause(self) -> None:
        """The peer does not read: wait until it reads, at most STUCK_S without progress."""
        self.paused = True
        self._watch_stuck(self._transport.get_write_buffer_size(), asyncio.get_running_loop().time())

    def resume(self) -> None:
        """The peer reads again."""
        self.paused = False
        self.stop_watching()

    def stop_watching(self) -> None:
        """Stop watching the peer's progress."""
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()

    def close(self) -> None:
        """Close once everything is written."""
        self._transport.close()

    def cut(self) -> None:
        """Close without waiting for the peer."""
        self._transport.abort()

    def _sealing(self, tls: TlsSession) -> Callable[[bytes], None]:
        def write(octets: bytes) -> None:
            try:
                sealed = tls.send(octets)
            except TlsRefused as refused:
                log.warning("TLS ended: %s", refused.reason, extra=self._who)
            else:
                self._transport.write(sealed)

        return write

    def _watch_stuck(self, unsent: int, since: float) -> None:
        loop, left = asyncio.get_running_loop(), self._transport.get_write_buffer_size()
        now = loop.time()
        if left != unsent:
            unsent, since = left, now
        if now - since >= STUCK_S:
            log.warning("cut off: no octet left for %d s", STUCK_S, extra=self._who)
            self._transport.abort()
            return
        self._stuck_timer = loop.call_later(STUCK_CHECK_S, self._watch_stuck, unsent, since)
