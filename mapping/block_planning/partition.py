"""The fewest requests that bring all spans of one table, and of those plans the one that reads least (pure).

    spans, by their start     [ab][c ]      [d ][ef]                    [g ]
    requests                  |------ limit ------|                     |  |    no hole over `gap` within one

A span is a value, or a group that must not be torn: it lies wholly in one request. In the order of their starts (and ends)
an optimal plan cuts the row of spans into runs: a span that starts later than another and is not within it ends later too,
and one that is within another costs that one's request nothing. So the best cut of a row is the best cut of its beginning
and one run more, over all runs that the limits allow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Registers `start` to `end` (not included), and the numbers of the points there."""

    start: int
    end: int
    points: tuple[int, ...]


def partition(spans: Sequence[Span], limit: int, gap: int) -> list[Span]:
    """The requests, ascending. A span longer than `limit` is a request of its own: nothing shorter brings it."""
    row = sorted(spans)
    best: list[tuple[int, int]] = [(0, 0)]  # of the first n spans: requests, registers
    cut: list[int] = [0]  # where the last run of them begins
    worst = (len(row) + 1, 0)
    best += [worst] * len(row)
    cut += [0] * len(row)
    for first in range(len(row)):
        requests, registers = best[first]
        for last, count in _runs(row, first, limit, gap):
            cost = (requests + 1, registers + count)
            if cost <= best[last + 1]:  # of equal plans the one with the longest requests first
                best[last + 1], cut[last + 1] = cost, first
    return list(reversed(list(_requests(row, cut))))


def _runs(row: Sequence[Span], first: int, limit: int, gap: int) -> Iterator[tuple[int, int]]:
    """Each span that a request which begins with span `first` may reach to, and its registers then."""
    start, end = row[first].start, row[first].end
    yield first, end - start
    for last in range(first + 1, len(row)):
        reach = max(end, row[last].end)
        if row[last].start - end > gap or reach - start > max(limit, end - start):
            return
        end = reach
        yield last, end - start


def _requests(row: Sequence[Span], cut: Sequence[int]) -> Iterator[Span]:
    beyond = len(row)
    while beyond:
        run = row[cut[beyond] : beyond]
        yield Span(run[0].start, max(one.end for one in run), tuple(number for one in run for number in one.points))
        beyond = cut[beyond]
