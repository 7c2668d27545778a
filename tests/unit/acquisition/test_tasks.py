"""A command as the write that it becomes, and as what proves it."""

from typing import Any

import pytest
from msgspec import structs

from acquisition.drivers.base import Read, Write
from acquisition.writes.tasks import REMEMBERED, Task, WriteTasks, proves
from bus.messages import Command, CommandResult, Outcome, Value
from bus.quality import Stamp
from mapping.plan import Register
from tests.support.field import BOOT, device, point, register

RELAY, WORD, REAL = register("coil", 20, "bool"), register("holding", 5, "int16"), register("holding", 8, "float32", 2)
FLAG = Register("holding", 7, "bit", 1, low_bit=3, high_bit=3)
SWAPPED = Register("holding", 8, "float32", 2, "cdab")


def commands(**more: Any) -> WriteTasks:
    """Of a worker with one point."""
    return WriteTasks("w", "r", BOOT, [device("io", 9, [point(1, "io.point", **more)], [])])


def command(value: Value, **more: Any) -> Command:
    return Command("i", more.pop("number", 1), "r", more.pop("point", 1), value, BOOT, 1000, 1000, **more)


@pytest.mark.conformance("GW-5")
@pytest.mark.parametrize(
    ("target", "write_with", "value", "write"),
    [
        (RELAY, None, True, Write(9, 5, 20, (1,))), (RELAY, None, False, Write(9, 5, 20, (0,))),
        (RELAY, 15, True, Write(9, 15, 20, (1,))), (WORD, None, -2, Write(9, 6, 5, (0xFFFE,))),
        (WORD, 16, 7, Write(9, 16, 5, (7,))), (REAL, None, 1.0, Write(9, 16, 8, (0x3F80, 0))),
        (SWAPPED, None, 1.0, Write(9, 16, 8, (0, 0x3F80))),
        (FLAG, None, True, Write(9, 22, 7, (0xFFF7, 8))), (FLAG, None, False, Write(9, 22, 7, (0xFFF7, 0))),
    ],
)  # fmt: skip
def test_the_register_decides_with_which_function_it_is_written(
    target: Register, write_with: int | None, value: Value, write: Write
) -> None:
    task = commands(source=target, write=target, write_with=write_with).taken(command(value), Stamp(0, 0))
    assert isinstance(task, Task)
    assert (task.write, task.proof) == (write, Read(9, target.table, target.address, target.count))


def test_a_setpoint_is_written_in_the_registers_scale_and_proven_as_near_as_it_can_say() -> None:
    task = commands(source=WORD, write=WORD, scale=0.1, offset=5.0).taken(command(12.34), Stamp(0, 0))
    assert isinstance(task, Task)
    assert task.write.values == (73,)
    assert [proves(task, (raw,)) for raw in (72, 73, 74)] == [False, True, False]


def test_a_pulse_has_its_end_with_it() -> None:
    task = commands(source=RELAY, write=RELAY).taken(command(True, pulse_ms=500), Stamp(0, 0))
    assert isinstance(task, Task)
    assert (task.write.values, task.release) == ((1,), Write(9, 5, 20, (0,)))


@pytest.mark.parametrize(
    ("given", "at", "outcome"),
    [
        (command(True), 1000, Outcome.EXPIRED),
        (command(True, point=2), 0, Outcome.UNKNOWN_POINT),
        (command(2), 0, Outcome.UNFIT_VALUE),
        (command(False, pulse_ms=500), 0, Outcome.UNFIT_VALUE),
        (Command("i", 1, "other", 1, True, BOOT, 1000, 1000), 0, Outcome.OTHER_PLAN),
        (Command("i", 1, "r", 1, True, "another boot", 9999, 1000), 1000, Outcome.EXPIRED),
    ],
)
def test_what_may_not_be_written_ends_here(given: Command, at: int, outcome: Outcome) -> None:
    worker = commands(source=RELAY, write=RELAY)
    result = worker.taken(given, Stamp(at, at))
    assert isinstance(result, CommandResult)
    assert result.outcome is outcome
    again = worker.taken(given, Stamp(0, 0))
    assert isinstance(again, CommandResult)
    assert again.outcome is Outcome.DUPLICATE


def test_of_more_commands_than_are_remembered_the_oldest_are_forgotten() -> None:
    worker = commands(source=RELAY, write=RELAY)

    def duplicate(number: int) -> bool:
        taken = worker.taken(command(True, number=number), Stamp(0, 0))
        return isinstance(taken, CommandResult) and taken.outcome is Outcome.DUPLICATE

    last = 2 * REMEMBERED
    for number in range(1, last + 1):
        assert [duplicate(number), duplicate(number)] == [False, True]
    assert all(duplicate(number) for number in range(last - REMEMBERED + 1, last + 1))
    assert not duplicate(last - REMEMBERED)


def test_a_number_is_seen_before_only_from_the_same_issuer() -> None:
    worker = commands(source=RELAY, write=RELAY)
    taken = [worker.taken(structs.replace(command(True), issuer=one), Stamp(0, 0)) for one in ("i", "j", "i")]
    assert [isinstance(one, Task) for one in taken] == [True, True, False]
