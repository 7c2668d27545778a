"""Compiled Reads: the slots that a request means, remembered by its octets, since clients repeat themselves."""

from dataclasses import dataclass
from typing import Final

from mms_server.model import alternate_access
from mms_server.model.alternate_access import ResolvedAccess
from mms_server.model.cache import Cache

OCTETS_LIMIT: Final = 2_000_000
LONGEST: Final = 8_192


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The specification to repeat (empty if not asked for), and the slots to read, or `parts` if not all of it is slots.

    A part is a slot, a selection inside one, or a result that is known beforehand (an error).
    """

    specification: bytes
    slots: tuple[int, ...]
    parts: tuple[int | ResolvedAccess | bytes, ...] = ()
    shared: bool = True  # False: it means something to one client only

    def results(self, cache: Cache, room: int) -> bytes | None:
        """The access results in order, None as soon as they are longer than `room`."""
        taken: list[bytes] = []
        known, read = cache.octets, cache.read
        for slot in self.slots:
            octets = known[slot] or read(slot)
            room -= len(octets)
            if room < 0:
                return None
            taken.append(octets)
        for part in self.parts:
            result = part if isinstance(part, bytes) else alternate_access.octets(cache, part, room)
            if result is None or (room := room - len(result)) < 0:
                return None
            taken.append(result)
        return b"".join(taken)


class Plans:
    """The plans by request body, bounded in octets: begun anew when full, or when a data set that all may read is gone."""

    def __init__(self) -> None:
        self._by_body: dict[bytes, ReadPlan] = {}
        self._octets = 0
        self.generation = 0  # grows when all are dropped: whoever has taken one looks again
        self.get = self._by_body.get

    def __len__(self) -> int:
        return len(self._by_body)

    def keep(self, body: bytes, plan: ReadPlan) -> None:
        """Remember a plan; one of a very long request is not worth its room."""
        if len(body) > LONGEST:
            return
        if self._octets + len(body) > OCTETS_LIMIT:
            self.forget()
        self._by_body[body] = plan
        self._octets += len(body)

    def forget(self) -> None:
        """Drop all plans."""
        self._by_body.clear()
        self._octets = 0
        self.generation += 1
