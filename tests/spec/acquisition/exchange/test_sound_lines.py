"""Sound serial lines: what the identity of responses costs them back to back, and that it costs nothing where there is room."""

from itertools import pairwise

import pytest

from acquisition.exchange.identity.asked_reads import WINDOW_S
from bench.line_shapes import SHAPES, shape
from tests.support.sound_lines import BAUDRATES, line_of, rate

LEAST_SHARE = 0.95
SECONDS = 10.0


@pytest.mark.parametrize("baudrate", BAUDRATES)
@pytest.mark.parametrize("name", SHAPES)
def test_a_line_back_to_back_has_95_of_100_exchanges_of_an_ideal_master(name: str, baudrate: int) -> None:
    found = rate(name, baudrate, SECONDS)
    assert found.share >= LEAST_SHARE, found
    assert found.share <= 1.01  # the ideal one is none otherwise
    assert found.faults == []


def requests(name: str, every_ms: int, seconds: float) -> tuple[set[tuple[int, int, int]], list[float], int]:
    """Reads that a line at 9600 baud sends behind its beginning.

    Each by unit, address and count; the times between them; and how many they are.
    """
    line = line_of(shape(name, every_ms), 9600)
    line.run(every_ms / 1000)
    line.sent.clear()
    line.run(seconds)
    sent = {
        (octets[0], int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:6], "big")) for _, octets in line.sent
    }
    times = [at for at, _ in line.sent]
    assert line.wrong() == []
    return sent, [after - before for before, after in pairwise(times)], len(times)


@pytest.mark.parametrize(
    ("name", "every_ms", "blocks"),
    [
        ("one meter, two blocks of 40", 2000, {(1, 0, 40), (1, 100, 40)}),
        ("eight meters of 20", 4000, {(unit, 0, 20) for unit in range(1, 9)}),
    ],
)
def test_where_every_question_finds_its_line_silent_the_planned_reads_are_sent_and_no_others(
    name: str, every_ms: int, blocks: set[tuple[int, int, int]]
) -> None:
    sent, gaps, count = requests(name, every_ms, 200.0)
    assert sent == blocks
    assert count == pytest.approx(200_000 / every_ms * len(blocks), abs=len(blocks))
    assert min(gaps) > WINDOW_S


def test_where_they_do_not_other_reads_are_sent_too() -> None:
    sent, _, _ = requests("one meter, two blocks of 40", 10, 20.0)
    assert {request[:2] for request in sent} == {(1, 0), (1, 100)}
    sizes = [{count for _, first, count in sent if first == each} for each in (0, 100)]
    assert min(map(len, sizes)) > 1
    assert sizes[0].isdisjoint(sizes[1])  # each block has its own
