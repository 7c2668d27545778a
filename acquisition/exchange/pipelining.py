"""Several reads on their way at once: which answer is whose (pure).

ask 1 ─► ask 2 ─► ask 3 ─►          the transaction id of a unit says to which of them it is judged
◄─ 3    ◄─ 1    (2: its deadline)   an answer to none of them is Foreign, and the waiting goes on
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from acquisition.drivers.base import Continue, Driver, DriverSpec, Foreign, Found, Read


class Exchanged(NamedTuple):
    """What came of the read at `place`: None, if it was not answered in its time. `asked_at`: when it was sent."""

    place: int
    found: Found | None
    asked_at: float


class _Asked(NamedTuple):
    place: int
    read: Read
    asked_at: float
    deadline: float


@dataclass(slots=True)
class Awaited:
    """The reads of one line that have no answer yet, by tag, in the order in which they were sent."""

    _asked: dict[int, _Asked] = field(default_factory=dict)

    def ask(self, tag: int, place: int, read: Read, asked_at: float, deadline: float) -> None:
        """`read` was sent with `tag`; its answer is awaited until `deadline`."""
        self._asked[tag] = _Asked(place, read, asked_at, deadline)

    @property
    def deadline(self) -> float | None:
        """When the first of them is to be given up; None if none is awaited."""
        return next((asked.deadline for asked in self._asked.values()), None)

    def take(self, spec: DriverSpec, driver: Driver, buffer: bytearray) -> Exchanged | Foreign | None:
        """The next unit in `buffer`, judged against the read whose tag it bears; None while there is no whole one.

        An answer with the tag of a read that is not an answer to it is Foreign, and the read stays awaited.
        """
        assert spec.tagged  # noqa: S101 - the plan pipelines on no other line
        tag = spec.tag_of(buffer)
        if tag not in self._asked:
            tag = next(iter(self._asked))  # any: the unit does not bear it
        found = driver.take(self._asked[tag].read, tag, buffer)
        if found is None or isinstance(found, Foreign):
            return found
        assert not isinstance(found, Continue)  # noqa: S101 - a unit with a tag is the whole answer
        asked = self._asked.pop(tag)
        return Exchanged(asked.place, found, asked.asked_at)

    def give_up(self) -> Exchanged:
        """Wait no more for the first of them."""
        asked = self._asked.pop(next(iter(self._asked)))
        return Exchanged(asked.place, None, asked.asked_at)
