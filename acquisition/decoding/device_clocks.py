"""Clock registers of devices, as seconds since 1970 (pure). The time of the clock is taken as UTC.

time:unix32, time:unix64    seconds since 1970, or what the point's scale makes of them: milliseconds, say
time:iec870                 four words, as in power meters: IEC 60870-5-4 binary time spread over registers

word 1   0000 0000 0YYY YYYY     year - 2000
word 2   0000 MMMM WWWD DDDD     month, day of the week, day
word 3   S00H HHHH V0MM MMMM     summer time, hour, V: the clock itself says that it is wrong, minute
word 4   milliseconds of the minute, 0..59999
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CENTURY: Final = 2000
_WRONG: Final = 0x0080
_LAST_MS: Final = 59_999
EARLIEST_S: Final = 946_684_800  # the year 2000, where the four words begin
_LAST_S: Final = 4_102_444_800  # the year 2100: a clock that shows more shows nothing
_WORDS: Final = {"time:unix32": 2, "time:unix64": 4}


def is_time(shown: float) -> bool:
    """True if `shown`, in seconds since 1970, is a time that a device's clock may have."""
    return 0 <= shown < _LAST_S


def counted(kind: str, words: Sequence[int]) -> int | float | None:
    """Count of `words`, the most significant first: seconds, unless the point has a scale. None if they show no time."""
    if kind == "time:iec870":
        return _iec870(words)
    number = 0
    for word in words:
        number = number << 16 | word
    return number


def words_of(kind: str, shown: float) -> tuple[int, ...]:
    """The words that count `shown`, to the millisecond. Raises ValueError for what they cannot hold."""
    if kind in _WORDS:
        whole, count = round(shown), _WORDS[kind]
        if not 0 <= whole < 1 << 16 * count:
            raise ValueError(f"{shown} does not fit a {kind}")
        return tuple(whole >> 16 * place & 0xFFFF for place in reversed(range(count)))
    if not EARLIEST_S <= shown < _LAST_S:
        raise ValueError(f"{shown} does not fit a {kind}")
    when = _EPOCH + timedelta(milliseconds=round(shown * 1000))
    milliseconds = when.second * 1000 + when.microsecond // 1000
    return (
        when.year - _CENTURY,
        when.month << 8 | when.isoweekday() << 5 | when.day,
        when.hour << 8 | when.minute,
        milliseconds,
    )


def _iec870(words: Sequence[int]) -> float | None:
    year, date, time, milliseconds = words
    if time & _WRONG or milliseconds > _LAST_MS or year > 0x7F:
        return None
    try:
        minute = datetime(_CENTURY + year, date >> 8 & 0xF, date & 0x1F, time >> 8 & 0x1F, time & 0x3F, tzinfo=UTC)
    except ValueError:
        return None  # a 31st of February, an hour 25: what a clock shows that was never set
    return (minute - _EPOCH).total_seconds() + milliseconds / 1000
