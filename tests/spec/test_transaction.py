"""Late answers: no request is sent whose answer a ghost could give."""

from hypothesis import given
from hypothesis import strategies as st

from acquisition.drivers.base import Foreign, Read
from acquisition.transaction import HAUNTS_S, Ghosts, next_tag, octets_of, safe_parts

TABLES = {4: "input", 3: "holding"}
READ = Read(3, "input", 100, 10)
EDGES = list(range(101, 111))


def test_after_a_time_out_one_register_more_is_asked_for() -> None:
    ghosts = Ghosts()
    ghosts.raise_for(READ, 0.0, 0.3)
    parts = safe_parts(READ, EDGES, ghosts, 1.0, limit=125, longer=True)
    assert parts is not None
    assert [(part.read.count, part.start, part.count) for part in parts] == [(11, 100, 10)]


def test_a_device_that_refuses_more_is_asked_in_two_parts() -> None:
    ghosts = Ghosts()
    ghosts.raise_for(READ, 0.0, 0.3)
    parts = safe_parts(READ, EDGES, ghosts, 1.0, limit=125, longer=False)
    assert parts is not None
    assert [(part.read.address, part.read.count) for part in parts] == [(100, 9), (109, 1)]


def test_a_late_answer_lays_its_ghost_and_time_lays_the_others() -> None:
    ghosts = Ghosts()
    ghosts.raise_for(READ, 0.0, 0.3)
    ghosts.raise_for(Read(3, "input", 0, 4), 0.0, 0.3)
    ghosts.lay(Foreign(3, 4, 20), TABLES)
    assert not ghosts.fits(READ, 0.1)
    assert ghosts.fits(Read(3, "input", 50, 4), 0.1)
    assert not ghosts.fits(Read(3, "input", 50, 4), HAUNTS_S + 0.1)


def test_another_unit_and_another_table_are_not_haunted() -> None:
    ghosts = Ghosts()
    ghosts.raise_for(READ, 0.0, 0.3)
    assert not ghosts.fits(Read(4, "input", 100, 10), 0.1)
    assert not ghosts.fits(Read(3, "holding", 100, 10), 0.1)


@given(
    st.integers(1, 60),
    st.lists(st.integers(1, 62), max_size=30),
    st.sets(st.integers(1, 59), max_size=20),
    st.booleans(),
    st.integers(10, 125),
)
def test_parts_cover_the_block_tear_nothing_and_are_never_haunted(
    count: int, haunted: list[int], cuts: set[int], longer: bool, limit: int
) -> None:
    read = Read(1, "holding", 1000, min(count, limit))
    ghosts = Ghosts()
    for size in haunted:
        ghosts.raise_for(Read(1, "holding", 0, size), 0.0, 0.3)
    end = read.address + read.count
    edges = sorted({1000 + cut for cut in cuts if cut < read.count} | {end})
    parts = safe_parts(read, edges, ghosts, 1.0, limit=limit, longer=longer)
    if parts is None:
        return
    assert [part.start for part in parts] == [1000, *(part.start + part.count for part in parts[:-1])]
    assert parts[-1].start + parts[-1].count == end
    assert all(part.start + part.count in edges for part in parts)
    assert not any(ghosts.fits(part.read, 1.0) for part in parts)
    assert all(part.read.count <= limit for part in parts)
    assert len({octets_of(part.read) for part in parts}) == len(parts)


def test_no_wrong_bit_makes_one_transaction_id_of_a_recent_one() -> None:
    tag, recent = 1, [1]
    for _ in range(1000):
        tag = next_tag(tag)
        assert not any((tag ^ old).bit_count() == 1 for old in recent[-8:])
        recent.append(tag)
    assert len(set(recent)) == len(recent)
