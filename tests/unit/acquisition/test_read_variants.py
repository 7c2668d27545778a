"""Variants of a read: their order, and the one that is sent."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.drivers.base import Read
from acquisition.exchange.identity.asked_reads import WINDOW_S, AskedReads, octets_of, signature_of
from acquisition.exchange.identity.late_answers import LateResponses
from acquisition.exchange.identity.read_variants import OWN_S, Part, ReadChoice, ReadLimits, variants
from acquisition.polling.refused_registers import RefusedRange
from mapping.plan import Table

READ, OTHER = Read(1, "holding", 100, 4), Read(1, "holding", 200, 4)
BORDERS = [102, 104]
NOW = 10.0


def sizes(read: Read, borders: list[int], limits: ReadLimits) -> list[list[tuple[int, int]]]:
    """Address and count of each part of each variant, in their order."""
    return [[(part.read.address, part.read.count) for part in one] for one in variants(read, borders, limits)]


def test_a_block_is_read_as_planned_then_longer_then_in_parts_then_longer_still() -> None:
    assert sizes(READ, [101, 104], ReadLimits()) == [
        [(100, 4)],
        [(100, 5)], [(100, 6)], [(99, 5)], [(98, 6)],
        [(100, 1), (101, 3)],
        *([(100, 4 + more)] for more in range(3, 11)),
        *([(100 - more, 4 + more)] for more in range(3, 11)),
    ]  # fmt: skip


def test_two_parts_of_one_size_are_no_variant() -> None:
    assert [(100, 2), (102, 2)] not in sizes(READ, BORDERS, ReadLimits())


def test_where_nothing_unplanned_may_be_read_there_are_parts_alone() -> None:
    assert sizes(READ, [101, 102, 103, 104], ReadLimits(exact=True)) == [
        [(100, 4)], [(100, 3), (103, 1)], [(100, 1), (101, 3)],
    ]  # fmt: skip
    assert sizes(READ, [104], ReadLimits(exact=True)) == [[(100, 4)]]


def test_bits_are_lengthened_by_whole_octets_of_the_response() -> None:
    found = sizes(Read(1, "coil", 20, 3), [23], ReadLimits(2000))
    assert found[:5] == [[(20, 3)], [(20, 11)], [(20, 19)], [(12, 11)], [(4, 19)]]
    assert (-4, 27) not in [part for one in found for part in one]


@pytest.mark.parametrize(
    ("read", "limits"),
    [
        (READ, ReadLimits(most=4)),
        (Read(1, "holding", 0, 0x10000), ReadLimits(most=0x20000)),
        (READ, ReadLimits(refused={Read(1, "holding", 100 - before, 4 + more) for more in range(1, 11) for before in (0, more)})),
    ],
    ids=["longest", "all there are", "refused"],
)  # fmt: skip
def test_no_read_is_longer_than_it_may_be(read: Read, limits: ReadLimits) -> None:
    assert sizes(read, [read.address + read.count], limits) == [[(read.address, read.count)]]


@pytest.mark.parametrize(("table", "avoided"), [("holding", True), ("input", False)])
def test_no_longer_read_has_a_register_that_its_device_has_refused(table: Table, avoided: bool) -> None:
    end = READ.address + READ.count
    limits = ReadLimits(holes=[RefusedRange(table, end, 1, 2)])  # right behind the block
    found = [part for one in sizes(READ, [end], limits) for part in one]
    assert (max(start + count for start, count in found) == end) is avoided
    assert min(start for start, _ in found) < READ.address


# ------------------------------------------------------------------ the one that is sent


def never() -> float:
    """A number with which no second variant is drawn."""
    return 1.0


class Bench:
    """The choice on one line, and what was sent."""

    def __init__(self, draw: Callable[[], float] = never) -> None:
        self.late, self.asked = LateResponses(), AskedReads()
        self._choice = ReadChoice(self.late, self.asked, draw)

    def parts(self, read: Read = READ, *, silent_s: float = 0.0, exact: bool = False, now: float = NOW) -> list[Part]:
        found = self._choice.parts(read, [read.address + read.count], ReadLimits(exact=exact), now, silent_s=silent_s)
        assert found is not None
        return found

    def sent(self, read: Read, now: float = NOW) -> None:
        self.asked.sent(read, now)

    def distinguishes(self, read: Read, silent_s: float = 0.0) -> bool:
        return self._choice.distinguishes(read, NOW, silent_s=silent_s)


def test_a_block_is_read_as_planned_if_nothing_looks_alike() -> None:
    assert Bench().parts() == [Part(READ, 100, 4)]


def test_within_the_window_of_another_question_of_its_size_it_is_longer() -> None:
    bench = Bench()
    bench.sent(OTHER)
    assert bench.parts() == [Part(Read(1, "holding", 100, 5), 100, 4)]
    assert bench.parts(now=NOW + bench.asked.window(1, NOW)) == [Part(READ, 100, 4)]


def test_on_a_line_that_was_silent_for_a_window_it_is_read_as_planned() -> None:
    bench = Bench()
    bench.sent(OTHER)
    window_s = bench.asked.window(1, NOW)
    assert bench.parts(silent_s=window_s - 0.001)[0].longer
    assert bench.parts(silent_s=window_s) == [Part(READ, 100, 4)]
    assert (bench.distinguishes(READ, window_s - 0.001), bench.distinguishes(READ, window_s)) == (False, True)


def test_a_unit_with_one_question_is_always_asked_alike() -> None:
    bench = Bench(lambda: 0.0)
    bench.sent(READ)
    for _ in range(8):
        assert bench.parts() == [Part(READ, 100, 4)]
        bench.sent(READ)


def test_a_unit_with_two_questions_is_not_asked_alike_within_the_window_while_it_can_be_avoided() -> None:
    bench, counts = Bench(), []
    bench.sent(OTHER, NOW - 1)
    for _ in range(4):
        parts = bench.parts()
        counts.append((parts[0].read.address, parts[0].read.count))
        bench.sent(parts[0].read)
    assert counts == [(100, 4), (100, 5), (100, 6), (100, 7)]


def test_every_fourth_time_on_average_the_second_variant_is_sent() -> None:
    for drawn, count in ((0.24, 5), (0.25, 4)):
        bench = Bench(lambda drawn=drawn: drawn)  # type: ignore[misc]
        bench.sent(OTHER, NOW - OWN_S - 1)
        bench.sent(Read(1, "holding", 0, 1), NOW - 0.01)
        assert bench.parts()[0].read.count == count


def test_where_the_unit_was_asked_nothing_for_a_window_no_variant_is_drawn() -> None:
    bench = Bench(lambda: 0.0)
    bench.sent(OTHER, NOW - 1)
    bench.sent(Read(1, "holding", 0, 1), NOW - WINDOW_S)
    assert bench.parts()[0].read == READ


def test_parts_are_used_before_reads_that_are_longer_still_once_the_device_has_refused_a_longer_one() -> None:
    longer = [
        Read(1, "holding", 100, 5),
        Read(1, "holding", 100, 6),
        Read(1, "holding", 99, 5),
        Read(1, "holding", 98, 6),
    ]
    sizes: list[list[int]] = []
    for refused in ([], longer):
        bench = Bench()
        for read in (OTHER, READ, *longer):
            bench.sent(read, NOW - 0.001)
        parts = bench._choice.parts(READ, [103, 104], ReadLimits(refused=refused), NOW)
        sizes.append([part.read.count for part in parts or ()])
    assert sizes == [[7], [3, 1]]


def test_a_signature_that_another_master_uses_is_avoided() -> None:
    bench = Bench()
    bench.asked.contest(signature_of(READ), NOW)
    assert bench.parts()[0].read.count == 5


def test_where_all_variants_are_contested_one_is_sent_all_the_same() -> None:
    bench = Bench()
    for count in range(1, 16):
        bench.asked.contest((1, "holding", 2 * count), NOW)
    assert bench.parts() == [Part(READ, 100, 4)]


def test_where_nothing_distinguishes_it_rests_on_silence() -> None:
    bench = Bench()
    bench.sent(OTHER)
    assert bench.parts(exact=True) == [Part(READ, 100, 4)]
    assert not bench.distinguishes(READ)


def test_a_variant_that_was_asked_longest_ago_goes_first_where_all_were_asked() -> None:
    bench = Bench()
    bench.sent(OTHER, NOW - 1)
    bench.sent(READ, NOW)
    assert bench.parts(exact=True, now=NOW + 0.01) == [Part(READ, 100, 4)]
    found = []
    for step in range(40):
        parts = bench.parts(now=NOW + step / 10_000)
        found.append(parts[0].read)
        bench.sent(parts[0].read, NOW + step / 10_000)
    assert len(set(found[20:30])) > 1
    assert all(one != two for one, two in pairwise(found))


# ------------------------------------------------------------------ properties

registers = st.builds(lambda at, count: Read(1, "holding", at, count), st.integers(900, 1100), st.integers(1, 20))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Read, list[int]]:
    """A block and the ends of its values."""
    count = draw(st.integers(1, 40))
    cuts = draw(st.sets(st.integers(1, 39), max_size=12))
    return Read(1, "holding", 1000, count), sorted({1000 + one for one in cuts if one < count} | {1000 + count})


def chosen(
    block: tuple[Read, list[int]], sent: list[Read], owed: list[Read], drawn: float, limits: ReadLimits
) -> tuple[list[Part] | None, LateResponses, AskedReads]:
    late, asked = LateResponses(), AskedReads()
    for one in sent:
        asked.sent(one, NOW)
    for one in owed:
        late.expect(one, NOW, NOW + 60)
    read, borders = block
    return ReadChoice(late, asked, lambda: drawn).parts(read, borders, limits, NOW), late, asked


@pytest.mark.parametrize(("before_s", "fresh", "alike"), [(0.1, True, False), (0.1, False, True), (0.3, True, True)])
def test_a_read_back_looks_like_no_read_of_the_last_quarter_second_though_the_line_was_silent_since(
    before_s: float, fresh: bool, alike: bool
) -> None:
    asked = AskedReads()
    asked.sent(READ, NOW - before_s)
    found = ReadChoice(LateResponses(), asked, never).parts(
        READ, [READ.address + READ.count], ReadLimits(), NOW, silent_s=before_s, fresh=fresh
    )
    assert found is not None
    assert ([one.read for one in found] == [READ]) is alike


def limits_for(read: Read, most: int, exact: bool) -> ReadLimits:
    return ReadLimits(max(most, read.count), exact=exact)


SCENE = (
    blocks(),
    st.lists(registers, max_size=12),
    st.lists(registers, max_size=12),
    st.floats(0, 1),
    st.integers(1, 125),
    st.booleans(),
)


@given(*SCENE)
def test_parts_cover_the_block_tear_nothing_and_are_no_longer_than_they_may_be(
    block: tuple[Read, list[int]], sent: list[Read], owed: list[Read], drawn: float, most: int, exact: bool
) -> None:
    read, borders = block
    limits = limits_for(read, most, exact)
    parts, _, _ = chosen(block, sent, owed, drawn, limits)
    if parts is None:
        return
    assert [part.start for part in parts] == [1000, *(part.start + part.count for part in parts[:-1])]
    assert parts[-1].start + parts[-1].count == 1000 + read.count
    assert all(part.start + part.count in borders for part in parts)
    assert all(part.read.address <= part.start for part in parts)
    assert all(part.start + part.count <= part.read.address + part.read.count for part in parts)
    assert all(part.read.count <= limits.most for part in parts)
    assert not (exact and any(part.longer for part in parts))
    assert len({octets_of(part.read) for part in parts}) == len(parts)


@given(*SCENE)
def test_no_part_can_be_taken_for_a_missing_response_or_looks_like_another_question_unless_nothing_else_is_there(
    block: tuple[Read, list[int]], sent: list[Read], owed: list[Read], drawn: float, most: int, exact: bool
) -> None:
    read, borders = block
    limits = limits_for(read, most, exact)
    parts, late, asked = chosen(block, sent, owed, drawn, limits)

    def safe() -> Iterator[list[Part]]:
        return (one for one in variants(read, borders, limits) if not any(late.may_satisfy(p.read, NOW) for p in one))

    if parts is None:
        assert list(safe()) == []
        return
    assert not any(late.may_satisfy(part.read, NOW) for part in parts)
    if any(asked.looks_alike(part.read, NOW) for part in parts):
        unowed = [one for one in safe() if all(late.owed_alike(part.read, NOW) is None for part in one)]
        others = unowed or list(safe())
        assert all(any(asked.looks_alike(part.read, NOW) for part in one) for one in others)
