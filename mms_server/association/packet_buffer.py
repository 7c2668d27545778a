"""Receive buffer: octets of the peer that are no whole TPKT yet, or that wait until requests have been answered."""

from mms_server.stack import tpkt


class PacketBuffer:
    """The `octets` that wait, and the number of octets that make the next packet whole."""

    __slots__ = ("_needed", "octets")

    def __init__(self) -> None:
        self.octets = bytearray()
        self._needed = tpkt.HEADER_OCTETS

    def keep(self, octets: bytes, needed: int) -> None:
        """Keep `octets` until there are `needed` of them."""
        self.octets += octets
        self._needed = needed

    def joined(self, octets: bytes, *, full: bool) -> bytes | None:
        """The kept octets with `octets` behind them, removed from the buffer. None if all stay: too few, or `full`."""
        self.octets += octets
        if full or len(self.octets) < self._needed:
            return None
        return self.taken()

    def taken(self) -> bytes:
        """All kept octets, removed from the buffer."""
        taken = bytes(self.octets)
        self.octets.clear()
        return taken

    def clear(self) -> None:
        """Drop all kept octets."""
        self.octets.clear()
