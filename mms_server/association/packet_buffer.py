"""Octets of the peer that are not a whole TPKT yet, or that wait until requests have been answered."""

from mms_server.stack import tpkt


class PacketBuffer:
    """The octets that were kept, and how many there must be before it is worth looking again."""

    __slots__ = ("_kept", "_needed")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._needed = tpkt.HEADER_OCTETS

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, octets: bytes, needed: int) -> None:
        """Keep `octets`, which nobody wants before there are `needed`."""
        self._kept += octets
        self._needed = needed

    def joined(self, octets: bytes, *, full: bool) -> bytes | None:
        """What was kept with `octets` behind it, which is then the caller's; None if it is all kept: too little, or `full`."""
        self._kept += octets
        if full or len(self._kept) < self._needed:
            return None
        return self.taken()

    def taken(self) -> bytes:
        """All that was kept; it is then the caller's."""
        octets = bytes(self._kept)
        self._kept.clear()
        return octets

    def clear(self) -> None:
        """Nobody wants it any more."""
        self._kept.clear()
