"""Pipelining: several reads outstanding at once, each response matched by its transaction id (pure).

read 1 ─► read 2 ─► read 3 ─►       the transaction id of a unit says with which of them it is matched
◄─ 3     ◄─ 1    (2: its deadline)  a response to none of them is Foreign, and the waiting goes on
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from acquisition.drivers.base import Continue, Driver, DriverSpec, Foreign, ForeignRequest, Found, Read


class ReadResponse(NamedTuple):
    """Response to the read at `place` in its sequence; `found` None if none came in its time.

    `asked_at`: when the read was sent, with `tag`.
    """

    place: int
    found: Found | None
    asked_at: float
    tag: int


class _Exchange(NamedTuple):
    place: int
    read: Read
    asked_at: float
    deadline: float


@dataclass(slots=True)
class OutstandingReads:
    """Reads of one line that have no response yet, by tag, in the order in which they were sent."""

    _exchanges: dict[int, _Exchange] = field(default_factory=dict)

    def add(self, tag: int, place: int, read: Read, asked_at: float, deadline: float) -> None:
        """`read` was sent with `tag`; its response is awaited until `deadline`."""
        self._exchanges[tag] = _Exchange(place, read, asked_at, deadline)

    @property
    def reads(self) -> list[Read]:
        """The outstanding reads."""
        return [one.read for one in self._exchanges.values()]

    @property
    def deadline(self) -> float | None:
        """Time at which the first of them is to be given up; None if none is outstanding."""
        return next((one.deadline for one in self._exchanges.values()), None)

    def take(self, spec: DriverSpec, driver: Driver, buffer: bytearray) -> ReadResponse | Foreign | None:
        """The next unit in `buffer`, matched with the read whose tag it bears; None while there is no whole one.

        A unit with the tag of a read that is no response to it is Foreign, and the read stays outstanding.
        """
        assert spec.tagged  # noqa: S101 - the plan pipelines on no other line
        tag = spec.tag_of(buffer)
        if tag not in self._exchanges:
            tag = next(iter(self._exchanges))  # any: the unit does not bear it
        found = driver.take(self._exchanges[tag].read, tag, buffer)
        if found is None or isinstance(found, Foreign):
            return found
        assert not isinstance(found, Continue | ForeignRequest)  # noqa: S101 - a unit with a tag is a whole response
        exchange = self._exchanges.pop(tag)
        return ReadResponse(exchange.place, found, exchange.asked_at, tag)

    def give_up(self) -> ReadResponse:
        """The first of them, without a response: it is outstanding no more."""
        tag = next(iter(self._exchanges))
        exchange = self._exchanges.pop(tag)
        return ReadResponse(exchange.place, None, exchange.asked_at, tag)
