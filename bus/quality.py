"""Quality of a value, UTC time and stamps, as both sides of the bus have them.

A quality is the 13-bit string of IEC 61850-7-3, Quality, as one integer, bit 0 of the string as the most significant bit,
so that a comparison is an integer comparison and the wire form is a shift:

    bit   0 1        2        3          4            5           6       7       8            9          10     11   12
       validity  overflow outOfRange badReference oscillatory failure oldData inconsistent inaccurate source test operatorBlocked

Times are integers: nanoseconds of UTC since 1970-01-01, or nanoseconds of the monotonic clock.
"""

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple, NewType

Quality = NewType("Quality", int)
QUALITY_BITS: Final = 13


class Validity(IntEnum):
    """The first two bits of a quality (IEC 61850-7-3, Quality)."""

    GOOD = 0b00
    INVALID = 0b01
    RESERVED = 0b10
    QUESTIONABLE = 0b11


def _bit(position: int) -> Quality:
    return Quality(1 << (QUALITY_BITS - 1 - position))


GOOD: Final = Quality(0)
INVALID: Final = Quality(Validity.INVALID << 11)
QUESTIONABLE: Final = Quality(Validity.QUESTIONABLE << 11)
OVERFLOW: Final = _bit(2)
OUT_OF_RANGE: Final = _bit(3)
BAD_REFERENCE: Final = _bit(4)
OSCILLATORY: Final = _bit(5)
FAILURE: Final = _bit(6)
OLD_DATA: Final = _bit(7)
INCONSISTENT: Final = _bit(8)
INACCURATE: Final = _bit(9)
SUBSTITUTED: Final = _bit(10)
TEST: Final = _bit(11)
OPERATOR_BLOCKED: Final = _bit(12)

DETAILS: Final[dict[Quality, str]] = {
    OVERFLOW: "overflow",
    OUT_OF_RANGE: "outOfRange",
    BAD_REFERENCE: "badReference",
    OSCILLATORY: "oscillatory",
    FAILURE: "failure",
    OLD_DATA: "oldData",
    INCONSISTENT: "inconsistent",
    INACCURATE: "inaccurate",
    SUBSTITUTED: "substituted",
    TEST: "test",
    OPERATOR_BLOCKED: "operatorBlocked",
}

NO_ANSWER: Final = Quality(INVALID | FAILURE | OLD_DATA)  # no response, or none that is sound: the value is old
REFUSED: Final = Quality(INVALID | FAILURE)  # the device answered with an exception
STALE: Final = NO_ANSWER  # not refreshed within its stale_after, for whatever reason
IMPLAUSIBLE: Final = Quality(INVALID | OUT_OF_RANGE)  # beyond the limits that the point's `min` and `max` believe in
RESET: Final = Quality(QUESTIONABLE | INCONSISTENT)  # a counter that fell: true, but no difference over it is
SIMULATED: Final = TEST  # well-formed, and of no process
NOT_YET: Final = INVALID  # the field has not said anything since the start


def validity(quality: int) -> Validity:
    """The validity of `quality`."""
    return Validity(quality >> 11)


def is_good(quality: int) -> bool:
    """True if a client may use the value: validity good, whatever the details say."""
    return quality >> 11 == 0


def is_invalid(quality: int) -> bool:
    """True if the value must not be used."""
    return quality >> 11 == Validity.INVALID


_RANKS: Final = (0, 3, 2, 1)  # by validity: good, invalid, reserved, questionable


def worst(first: int, second: int) -> Quality:
    """The worse validity of the two, with the details of both (how an object's `q` follows several sources)."""
    bad = first if _RANKS[first >> 11] >= _RANKS[second >> 11] else second
    return Quality(bad & 0x1800 | (first | second) & 0x7FF)


def describe(quality: int) -> str:
    """Words for people: `good`, `invalid (failure, oldData)`."""
    named = [name for bit, name in DETAILS.items() if quality & bit]
    return validity(quality).name.lower() + (f" ({', '.join(named)})" if named else "")


class TimeQuality(int):
    """The last octet of a UtcTime: three flags and the number of significant fraction bits (0..24, 31 unspecified)."""

    LEAP_SECONDS_KNOWN: Final = 0x80
    CLOCK_FAILURE: Final = 0x40
    CLOCK_NOT_SYNCHRONIZED: Final = 0x20
    UNSPECIFIED: Final = 0x1F
    MILLISECOND: Final = 0x0A


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UtcTime(NamedTuple):
    """A time stamp: nanoseconds of UTC since 1970 and its TimeQuality octet (IEC 61850-7-2, TimeStamp)."""

    ns: int
    quality: int = TimeQuality.MILLISECOND

    @classmethod
    def of(cls, when: "UtcTime | datetime | float", quality: int = TimeQuality.MILLISECOND) -> "UtcTime":
        """`when` in any of the forms that users give: seconds since 1970, an aware datetime, or a UtcTime.

        Raises ValueError for a datetime without a zone: which clock it shows is not ours to guess.
        """
        if isinstance(when, UtcTime):
            return when
        if isinstance(when, datetime):
            if when.tzinfo is None:
                raise ValueError("a datetime without a time zone, expected an aware one")
            return cls((when - _EPOCH) // timedelta(microseconds=1) * 1000, quality)
        return cls(round(when * 1_000_000) * 1000, quality)

    @classmethod
    def from_octets(cls, octets: bytes) -> "UtcTime":
        """The time that the 8 octets of an MMS UTC time carry. Raises ValueError for another length."""
        if len(octets) != 8:
            raise ValueError(f"UtcTime of {len(octets)} octets, expected 8")
        seconds, fraction = int.from_bytes(octets[:4], "big"), int.from_bytes(octets[4:7], "big")
        return cls(seconds * 1_000_000_000 + (fraction * 1_000_000_000 >> 24), octets[7])

    def octets(self) -> bytes:
        """The 8 octets of an MMS UTC time: seconds (modulo 2^32), 24-bit fraction, quality.

        The fraction is rounded up, so that .999 s comes back as .999 from clients that truncate as well as from
        those that round.
        """
        seconds, ns = divmod(self.ns, 1_000_000_000)
        fraction = min(-(-(ns << 24) // 1_000_000_000), 0xFFFFFF)
        return (seconds & 0xFFFFFFFF).to_bytes(4, "big") + fraction.to_bytes(3, "big") + bytes((self.quality & 0xFF,))

    def seconds(self) -> float:
        """Seconds since 1970, to the microsecond."""
        return self.ns / 1e9

    def datetime(self) -> datetime:
        """An aware datetime in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.ns // 1000)


class Stamp(NamedTuple):
    """One moment on both clocks of a host: deadlines run on the first; the second is UTC, with its TimeQuality octet."""

    monotonic_ns: int
    utc_ns: int
    time_quality: int = TimeQuality.MILLISECOND
