"""Receive buffer: octets of the peer that are no whole TPKT yet, or that wait until requests have been answered."""

from mms_server.stack import tpkt


class PacketBuffer:
    """Octets that wait, and the number of octets that make the next packet whole."""

    __slots__ = ("_kept", "_needed")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._needed = tpkt.HEADER_OCTETS

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, octets: bytes, needed: int) -> None:
        """Keep `octets` until there are `needed` of them."""
        self._kept += octets
        self._needed = needed

    def joined(self, octets: bytes, *, full: bool) -> bytes | None:
        """The kept octets with `octets` behind them, removed from the buffer. None if all stay: too few, or `full`."""
        self._kept += octets
        if full or len(self._kept) < self._needed:
            return None
        return self.taken()

    def taken(self) -> bytes:
        """All kept octets, removed from the buffer."""
        octets = bytes(self._kept)
        self._kept.clear()
        return octets

    def clear(self) -> None:
        """Drop all kept octets."""
        self._kept.clear()
