"""Fewest requests, then fewest registers: against every way there is, and against telegraf's `max_insert`."""

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from mapping.block_planning.partition import Span, partition


def spans_of(drawn: Sequence[tuple[int, int]]) -> list[Span]:
    return [Span(start, start + length, (number,)) for number, (start, length) in enumerate(drawn)]


def request(spans: Sequence[Span]) -> Span:
    return Span(min(one.start for one in spans), max(one.end for one in spans), ())


def holes(spans: Sequence[Span]) -> int:
    """The largest hole between the spans of one request."""
    ordered = sorted(spans)
    end, largest = ordered[0].end, 0
    for one in ordered:
        largest, end = max(largest, one.start - end), max(end, one.end)
    return largest


def ways(spans: Sequence[Span]) -> Iterator[list[list[Span]]]:
    """Every way to put the spans into requests, whatever their order."""
    if not spans:
        yield []
        return
    head, rest = spans[0], spans[1:]
    for others in ways(rest):
        yield [[head], *others]
        for index, one in enumerate(others):
            yield [*others[:index], [head, *one], *others[index + 1 :]]


def allowed(way: Sequence[Sequence[Span]], limit: int, gap: int) -> bool:
    return all(len(one) == 1 or (request(one).end - request(one).start <= limit and holes(one) <= gap) for one in way)


def cost(requests: Sequence[Span]) -> tuple[int, int]:
    return len(requests), sum(one.end - one.start for one in requests)


drawn = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), min_size=1, max_size=6)


@given(drawn, st.integers(8, 16), st.integers(0, 12))
def test_no_way_of_asking_is_cheaper(found: list[tuple[int, int]], limit: int, gap: int) -> None:
    spans = spans_of(found)
    best = min(cost([request(one) for one in way]) for way in ways(spans) if allowed(way, limit, gap))
    assert cost(partition(spans, limit, gap)) == best


def max_insert(spans: Sequence[Span], limit: int, gap: int) -> list[Span]:
    """As telegraf describes its `max_insert`: by address, a field joins the request before it if the hole between them is
    no larger than `optimization_max_register_fill` and the whole no longer than a request may be."""
    found: list[Span] = []
    for one in sorted(spans):
        last = found[-1] if found else None
        reach = one.end if last is None else max(last.end, one.end)
        if last is not None and one.start - last.end <= gap and reach - last.start <= limit:
            found[-1] = Span(last.start, reach, ())
        else:
            found.append(Span(one.start, one.end, ()))
    return found


sites = st.lists(st.tuples(st.integers(0, 1500), st.sampled_from([1, 1, 2, 2, 2, 4])), min_size=1, max_size=120)


@given(sites, st.sampled_from([20, 60, 100, 125]), st.integers(0, 60))
def test_there_are_no_more_requests_than_with_max_insert_and_the_same_gap(
    found: list[tuple[int, int]], limit: int, gap: int
) -> None:
    spans = spans_of(found)
    ours, theirs = partition(spans, limit, gap), max_insert(spans, limit, gap)
    assert cost(ours) <= cost(theirs)
    assert all(one.end - one.start <= limit for one in ours)


@given(drawn, st.integers(1, 16), st.integers(0, 12))
def test_every_span_lies_whole_in_one_request(found: list[tuple[int, int]], limit: int, gap: int) -> None:
    spans = spans_of(found)
    requests = partition(spans, limit, gap)
    assert sorted(number for one in requests for number in one.points) == list(range(len(spans)))
    for one in requests:
        assert all(one.start <= spans[number].start and spans[number].end <= one.end for number in one.points)


def test_of_as_many_requests_the_cut_is_at_the_widest_hole() -> None:
    found = partition(spans_of([(0, 2), (4, 2), (9, 2), (11, 2)]), limit=8, gap=10)
    assert [(one.start, one.end) for one in found] == [(0, 6), (9, 13)]


def test_what_is_longer_than_a_request_may_be_is_asked_for_alone() -> None:
    found = partition(spans_of([(0, 20), (5, 1), (20, 1)]), limit=8, gap=10)
    assert [(one.start, one.end, one.points) for one in found] == [(0, 20, (0, 1)), (20, 21, (2,))]
