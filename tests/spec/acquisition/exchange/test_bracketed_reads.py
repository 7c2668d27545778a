"""Blocks of one size on a network, one response of which is missing: they are read between two proofs (D134)."""

from typing import Final

import pytest

from acquisition.drivers.modbus_rtu import crc
from acquisition.simulate.faults.line_faults import Loss
from acquisition.simulate.return_path import Arrival
from tests.support.channel_scenes import line_of, meter
from tests.support.virtual_line import VirtualLine

PLACES: Final = (0, 10, 20, 30)
SIZE: Final = 2  # registers of each block, none of which may be lengthened
LOST_S: Final = 0.05
TIMEOUT_S: Final = 0.3
CONNECTION: Final = 1  # the first one


def line_with_a_missing_response(**keys: str) -> tuple[VirtualLine, int]:
    """A line one response of which was lost just now, and the first register of its block."""
    line = line_of("modbus-rtu-over-tcp", [meter(1, *((at, SIZE) for at in PLACES), max_gap=0)], 1, **keys)
    line.run(1.0)
    line.channel.begin(Loss(share=1.0), line.time.now)
    line.run(LOST_S)
    line.channel.end(line.time.now)
    *_, (_, request) = line.sent
    line.run(TIMEOUT_S)
    return line, int.from_bytes(request[2:4], "big")


def asked(line: VirtualLine, since: float) -> list[tuple[int, int]]:
    """The first register and the size of each read since then."""
    return [
        (int.from_bytes(octets[2:4], "big"), int.from_bytes(octets[4:6], "big"))
        for at, octets in line.sent
        if at >= since
    ]


def good_points(line: VirtualLine, since: float) -> set[int]:
    return {reading.point for _, reading in line.good(since)}


@pytest.mark.parametrize(("path", "bracketed"), [({}, True), ({"path": "wire"}, False)], ids=["a network", "a wire"])
def test_while_a_response_is_missing_the_other_blocks_of_its_size_are_read_between_two_proofs(
    path: dict[str, str], bracketed: bool
) -> None:
    line, missing = line_with_a_missing_response(**path)
    line.run(3.0)
    since = line.time.now
    line.run(2.0)
    points = {10_000 + at + more for at in PLACES for more in range(SIZE)}
    assert good_points(line, since) == points
    assert line.wrong() == []
    reads = asked(line, since)
    between = [
        (before, behind)
        for (_, before), (at, size), (_, behind) in zip(reads, reads[1:], reads[2:], strict=False)
        if at != missing and size == SIZE
    ]
    assert len(between) > 5
    assert (set(between) == {(1, 1)}) is bracketed


def test_a_block_does_not_count_while_no_proof_behind_it_is_answered() -> None:
    line, missing = line_with_a_missing_response()
    since = line.time.now
    while not any(size == SIZE and at != missing for at, size in asked(line, since)):
        line.run(0.001)
    line.channel.begin(Loss(share=1.0), line.time.now)  # the response to the read is on its way
    place, _ = asked(line, since)[-1]
    line.run(2.0)
    assert asked(line, since)[-1] != (place, SIZE)
    assert not good_points(line, since) & {10_000 + place, 10_001 + place}


def test_a_missing_response_that_comes_instead_of_a_blocks_own_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line, missing = line_with_a_missing_response()
    unit = bytes((1, 3, 2 * SIZE, 1, missing, 0x12, 0x34))
    late = unit + crc(unit)
    came: list[float] = []
    advance = line.channel.advance

    def advance_with_it(now: float) -> list[Arrival]:
        at, request = line.sent[-1]
        other = request[4:6] == bytes((0, SIZE)) and int.from_bytes(request[2:4], "big") != missing
        if not came and other:
            came.append(at)
            return [Arrival(now, CONNECTION, late), *advance(now)]
        return advance(now)

    monkeypatch.setattr(line.channel, "advance", advance_with_it)
    line.run(5.0)
    assert len(came) == 1
    assert line.line.counters.late + line.line.counters.foreign + line.line.counters.doubled > 0
    assert line.line.counters.reconnects == CONNECTION
    assert line.wrong() == []
    assert good_points(line, line.time.now - 1.0) == {10_000 + at + more for at in PLACES for more in range(SIZE)}
