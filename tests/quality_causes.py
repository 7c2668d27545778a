"""Every cause for which a value is not plainly good, and the quality that it has then: docs/quality.md has this table.

`cause` is what an engineer looks for; `reason` the words with which the status page tells it of a point, beginning with these.
"""

from typing import Final, NamedTuple

from bus import quality
from bus.quality import Quality


class Cause(NamedTuple):
    """One row."""

    cause: str
    quality: Quality
    value: str  # what is shown: the last one, the one that came, none
    reason: str = ""


LAST: Final = "the last one"
CAME: Final = "what came"

CAUSES: Final = (
    Cause("the field has not said anything since the start", quality.NOT_YET, "the default", "not heard yet"),
    Cause("nothing feeds it", quality.NOT_YET, "the default"),
    Cause("nobody answered in any try", quality.NO_ANSWER, LAST, "no answer within"),
    Cause("what answered was not sound", quality.NO_ANSWER, LAST, "no answer within"),
    Cause("exception 5 or 6, busy, in every try", quality.NO_ANSWER, LAST, "no answer within"),
    Cause("exception 10 or 11: nobody answered behind a gateway", quality.NO_ANSWER, LAST, "no answer within"),
    Cause("any other exception", quality.REFUSED, LAST, "exception"),
    Cause("the line or the connection is lost", quality.NO_ANSWER, LAST),
    Cause("another device than the profile's", quality.NO_ANSWER, LAST, "it is another device"),
    Cause("another response may have been taken for its own", quality.NO_ANSWER, LAST, "another response may"),
    Cause("its response came later than `stale_after`", quality.NO_ANSWER, LAST, "its response came too late"),
    Cause(
        "another device or master answers under its address",
        Quality(quality.INVALID | quality.INCONSISTENT),
        LAST,
        "another device or master answers",
    ),
    Cause("not refreshed for `stale_after`, for whatever reason", quality.STALE, LAST, "not refreshed for"),
    Cause("the acquisition process is gone, or has another plan", quality.STALE, LAST, "not refreshed for"),
    Cause("`absent`: no measurement", quality.INVALID, LAST, "the device gives no measurement"),
    Cause("NaN", quality.INVALID, LAST, "not a number"),
    Cause("registers that are no value of their type", quality.INVALID, LAST),
    Cause("a raw value that `enum` does not name", quality.INVALID, LAST),
    Cause("a scale that is not known", quality.INVALID, LAST, "its scale is not known"),
    Cause("an instrument's answer fails `good_if`", quality.INVALID, CAME),
    Cause("below `min` or above `max` of the point", quality.IMPLAUSIBLE, CAME),
    Cause("infinite", Quality(quality.INVALID | quality.OVERFLOW), LAST, "beyond any number"),
    Cause("beyond what the attribute can hold", Quality(quality.INVALID | quality.OVERFLOW), LAST),
    Cause(
        "below `rangeC.min` or above `rangeC.max` of the model",
        Quality(quality.QUESTIONABLE | quality.OUT_OF_RANGE),
        CAME,
    ),
    Cause("a counter that was reset: this reading only", quality.RESET, CAME, "the counter fell from"),
    Cause("a line of `protocol: simulated`", quality.SIMULATED, CAME),
)


def table() -> str:
    """The rows as Markdown."""
    rows = ["| cause | validity | details | value shown |", "|---|---|---|---|"]
    for one in CAUSES:
        details = ", ".join(name for bit, name in quality.DETAILS.items() if one.quality & bit)
        rows.append(f"| {one.cause} | {quality.validity(one.quality).name.lower()} | {details} | {one.value} |")
    return "\n".join(rows)
