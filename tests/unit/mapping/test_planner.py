"""The planner: every plan covers all points, tears none, and keeps every limit."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.block_planning import planner
from mapping.plan import PointPlan, Register, RegisterBlock
from tests.support.sites import framing

SERIAL = planner.physics(framing("modbus-rtu"), {"baudrate": 9600, "parity": "even"})
TCP = planner.physics(framing("modbus-tcp"), {"host": "h"})

registers = st.builds(
    lambda table, address, count: Register(table, address, "uint16", count if table in ("holding", "input") else 1),
    st.sampled_from(["holding", "input", "coil", "discrete"]),
    st.integers(0, 400),
    st.sampled_from([1, 2, 4]),
)


def points_of(found: list[Register], groups: dict[int, int] | None = None) -> list[PointPlan]:
    """Points of two periods; `groups`: by their number, what is declared together."""
    return [
        PointPlan(
            number, f"d.p{number}", "", register, True, 3000, 1000 if number % 3 else 5000,
            together=(groups or {}).get(number),
        )
        for number, register in enumerate(found)
    ]  # fmt: skip


def grouped(found: list[Register], limit: int) -> dict[int, int]:
    """Neighbours of one table and one period declared together, as far as a request takes them."""
    groups: dict[int, int] = {}
    for number in range(0, len(found) - 3, 4):
        first, second = found[number], found[number + 3]
        ends = [one.address + one.count for one in (first, second)]
        if first.table == second.table and max(ends) - min(first.address, second.address) <= limit:
            groups |= {number: number, number + 3: number}
    return groups


@given(st.lists(registers, min_size=1, max_size=60), st.integers(4, 125), st.none() | st.integers(0, 20), st.booleans())
def test_every_plan_covers_all_points_within_the_limits_and_tears_none(
    found: list[Register], limit: int, gap: int | None, serial: bool
) -> None:
    groups = grouped(found, limit)
    points = [
        one if one.together is None else msgspec.structs.replace(one, every_ms=1000) for one in points_of(found, groups)
    ]
    blocks = planner.plan_blocks(points, SERIAL if serial else TCP, max_registers=limit, max_gap=gap)
    carried = [number for block in blocks for number in block.points]
    assert sorted(carried) == list(range(len(points)))
    for block in blocks:
        assert isinstance(block, RegisterBlock)
        assert block.count <= (planner.BITS_LIMIT if block.table in ("coil", "discrete") else limit)
        for number in block.points:
            register = found[number]
            assert (register.table, points[number].every_ms) == (block.table, block.every_ms)
            assert block.address <= register.address
            assert register.address + register.count <= block.address + block.count
    carrier = {number: block for block in blocks for number in block.points}
    assert all(carrier[number] is carrier[group] for number, group in groups.items())


@given(st.lists(registers, min_size=1, max_size=60))
def test_a_gap_of_nothing_reads_only_what_somebody_wants(found: list[Register]) -> None:
    wanted = {(one.table, address) for one in found for address in range(one.address, one.address + one.count)}
    for block in planner.plan_blocks(points_of(found), SERIAL, max_registers=125, max_gap=0):
        assert isinstance(block, RegisterBlock)
        assert {(block.table, at) for at in range(block.address, block.address + block.count)} <= wanted


BREAK_EVEN = [(9600, 12), (19200, 14), (38400, 21), (57600, 28), (115200, 51)]


@pytest.mark.parametrize(("baudrate", "gap"), BREAK_EVEN)
def test_the_gap_that_pays_follows_from_the_baud_rate(baudrate: int, gap: int) -> None:
    assert planner.physics(framing("modbus-rtu"), {"baudrate": baudrate, "parity": "even"}).gap() == gap


POLLS = [(9600, 1, 33.1), (9600, 125, 3.2), (19200, 10, 35.8), (38400, 50, 24.5), (115200, 2, 99)]


@pytest.mark.parametrize(("baudrate", "count", "per_s"), POLLS)
def test_an_exchange_takes_what_the_line_makes_it_take(baudrate: int, count: int, per_s: float) -> None:
    line = planner.physics(framing("modbus-rtu"), {"baudrate": baudrate, "parity": "even"})
    block = RegisterBlock("holding", 0, count, 1000, ())
    assert 1 / line.exchange_s(block) == pytest.approx(per_s, rel=0.02)


LIMITS = [(1200, "even", 16), (9600, "none", 62), (9600, "even", 55), (19200, "none", 125), (115200, "none", 125)]


@pytest.mark.parametrize(("baudrate", "parity", "limit"), LIMITS)
def test_a_line_that_carries_commands_has_blocks_that_hold_none_up(baudrate: int, parity: str, limit: int) -> None:
    line = planner.physics(framing("modbus-rtu"), {"baudrate": baudrate, "parity": parity})
    assert line.commanded_limit() == limit
    if limit > planner.COMMANDED_LEAST:
        assert line.exchange_s(RegisterBlock("holding", 0, limit, 1000, ())) <= planner.COMMANDED_EXCHANGE_S


def test_a_connection_has_no_such_limit() -> None:
    assert planner.physics(framing("modbus-tcp"), {"host": "127.0.0.1"}).commanded_limit() == 125
