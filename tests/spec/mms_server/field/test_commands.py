"""Controls and settings of a site on their way: what is sent to a worker, what its results and the field's samples mean."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from bus import quality
from bus.messages import Command, CommandResult, Outcome, Sample, Value
from mapping.plan import CommandBinding, Proof, SettingBinding
from mms_server.acsi.clients import Client
from mms_server.acsi.control.selection import Operation, Selection
from mms_server.acsi.controllable_objects import ControlAction
from mms_server.field.commands import CommandPlan, FieldCommands
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError
from tests.support import steady_loop
from tests.support.field import point, register

COIL, POSITION, TAP, LIMIT, LOCAL = range(5)
POINTS = {
    COIL: point(COIL, "io.close", register("coil", 0, "bool"), write=register("coil", 0, "bool")),
    POSITION: point(POSITION, "io.position", register("discrete", 0, "bool")),
    TAP: point(TAP, "io.tap", register("holding", 0)),
    LIMIT: point(LIMIT, "io.limit", register("holding", 1)),
    LOCAL: point(LOCAL, "io.local", register("discrete", 1, "bool")),
}
BREAKER, CHANGER, SWITCH, SETPOINT = (f"LD/GGIO1.{name}" for name in ("Breaker", "Tap", "Switch", "Setpoint"))
BINDINGS = {
    BREAKER: CommandBinding(BREAKER, COIL, 500, Proof(POSITION, 200), pulse_ms=50, allow_if="not io.local"),
    CHANGER: CommandBinding(
        CHANGER, COIL, 500, Proof(TAP, 200, moves=True), values=((2, True), (1, False)), off_point=LIMIT
    ),
    SWITCH: CommandBinding(SWITCH, COIL, 150, None),
    SETPOINT: CommandBinding(SETPOINT, LIMIT, 500, Proof(TAP, 200, scale=0.1, tolerance=0.5), scale=0.1, maximum=1000),
}
SETTINGS = {
    7: SettingBinding("LD/PTOC1$SG$StrVal$setMag$f", LIMIT, 150, 10.0),
    9: SettingBinding("LD/PTOC1$SG$OpDlTmms$setVal", TAP, 150),
}


PLAN = CommandPlan(BINDINGS, SETTINGS, POINTS, dict.fromkeys(POINTS, "w"), {"w": "r"})


class _Object:
    def __init__(self, reference: str) -> None:
        self.reference = reference


class Way:
    """The commands of one IED, with a worker that does what a test says."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.there = True
        self.operation: Operation  # the last
        self.then: Sequence[Callable[[], None]] = ()  # what happens once it has left, in this order
        self.commands = FieldCommands("IED", PLAN, self._send)

    def _send(self, _worker: str, command: Command) -> bool:
        self.sent.append(command)
        for step in self.then:
            asyncio.get_running_loop().call_soon(step)
        return self.there

    def result(self, *outcomes: Outcome) -> None:
        command = self.sent[-1]
        for outcome in outcomes:
            self.commands.heard(CommandResult(command.issuer, command.number, outcome, 0, "", 0, "w"))

    def pulse_over(self) -> None:
        self.result(Outcome.ENDED)

    def sample(self, number: int, value: Value, judged: int = quality.GOOD, *, age_s: float = 0.0) -> None:
        seen = time.monotonic_ns() - int(age_s * 1e9)
        self.commands.sampled([Sample(number, value, judged, time.time_ns(), "")], [seen])

    async def operate(
        self, reference: str, value: object, *then: Callable[[], None], enhanced: bool = False, test: bool = False
    ) -> Any:
        """The verdict on an operation, or both where the second tells the end."""
        action = ControlAction(reference, value, 3, b"", 1, test, False, False)
        operation = Operation(_Object(reference), action, Client(1, "127.0.0.1:1", 0), b"", enhanced)  # type: ignore[arg-type]
        self.then, self.operation = then, operation
        return await self._verdicts(operation)

    async def _verdicts(self, operation: Operation) -> Any:
        began = await self.commands.begin(operation)
        return [began, await self.commands.complete(operation)] if operation.enhanced and began is True else began


def run(scenario: Callable[[Way], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario(Way())

    steady_loop.run(whole())


@pytest.mark.conformance("GW-5", "DOE-1")
def test_a_pulse_is_proven_by_the_position_and_by_nothing_older_than_the_command() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        assert await way.operate(BREAKER, True, accepted, closed, way.pulse_over) is True
        command = way.sent[0]
        assert (command.point, command.value, command.pulse_ms, command.prove) == (COIL, True, 50, False)
        assert await way.operate(BREAKER, True, accepted, closed, way.pulse_over, enhanced=True) == [True, True]
        old = lambda: way.sample(POSITION, True, age_s=1)  # noqa: E731
        assert await way.operate(BREAKER, True, accepted, old, way.pulse_over) is AddCause.TIME_LIMIT_OVER
        bad = lambda: way.sample(POSITION, True, quality.INVALID)  # noqa: E731
        assert await way.operate(BREAKER, True, accepted, bad, way.pulse_over) is AddCause.TIME_LIMIT_OVER

    run(scenario)


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize(
    ("reference", "value", "number", "shown"),
    [(BREAKER, True, POSITION, True), (SETPOINT, 204.0, TAP, 20), (CHANGER, 2, TAP, 8)],
    ids=["a position", "a setpoint", "a step"],
)
def test_what_was_in_a_queue_when_the_command_left_proves_nothing(
    reference: str, value: object, number: int, shown: Value, enhanced: bool
) -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        way.sample(TAP, 5, age_s=2)
        accepted, over = lambda: way.result(Outcome.ACCEPTED), way.pulse_over if reference is BREAKER else lambda: None
        old, new = (lambda: way.sample(number, shown, age_s=1)), (lambda: way.sample(number, shown))
        late = AddCause.TIME_LIMIT_OVER
        verdict = await way.operate(reference, value, accepted, old, over, enhanced=enhanced)
        assert verdict == ([True, late] if enhanced else late)
        way.sample(TAP, 5, age_s=0.5)
        verdict = await way.operate(reference, value, old, accepted, new, over, enhanced=enhanced)
        assert verdict == ([True, True] if enhanced else True)

    run(scenario)


@pytest.mark.conformance("DOE-3", "DOE-4")
def test_a_position_that_never_comes_and_a_wrong_one_have_their_causes() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        way.sample(TAP, 10)
        accepted = lambda: way.result(Outcome.ACCEPTED)  # noqa: E731
        assert await way.operate(SETPOINT, 200.0, accepted, enhanced=True) == [True, AddCause.TIME_LIMIT_OVER]
        there = lambda: way.sample(TAP, 20)  # noqa: E731
        assert await way.operate(SETPOINT, 204.0, accepted, there, enhanced=True) == [True, True]
        wrong = lambda: way.sample(TAP, 21)  # noqa: E731
        assert await way.operate(SETPOINT, 200.0, accepted, wrong, enhanced=True) == [True, AddCause.INVALID_POSITION]

    run(scenario)


def test_a_step_is_proven_by_moving_its_way() -> None:
    async def scenario(way: Way) -> None:
        accepted = lambda: way.result(Outcome.ACCEPTED)  # noqa: E731
        way.sample(TAP, 5)
        up, down = (lambda: way.sample(TAP, 6)), (lambda: way.sample(TAP, 4))
        assert await way.operate(CHANGER, 2, accepted, up) is True
        assert (way.sent[-1].point, way.sent[-1].value) == (COIL, True)
        assert await way.operate(CHANGER, 1, accepted, down) is True
        assert (way.sent[-1].point, way.sent[-1].value) == (LIMIT, True)
        way.sample(TAP, 6)
        assert await way.operate(CHANGER, 2, accepted, down) is AddCause.INVALID_POSITION
        assert await way.operate(CHANGER, 0) is AddCause.INCONSISTENT_PARAMETERS  # stop is neither

    run(scenario)


CAUSES = [
    ([Outcome.EXPIRED], AddCause.TIME_LIMIT_OVER),
    ([Outcome.NO_ANSWER], AddCause.ABORTION_BY_COMMUNICATION_LOSS),
    ([Outcome.EXCEPTION], AddCause.BLOCKED_BY_PROCESS),
    ([Outcome.ACCEPTED, Outcome.DIFFERS], AddCause.INVALID_POSITION),
    ([Outcome.ACCEPTED], AddCause.TIME_LIMIT_OVER),
    ([], AddCause.TIME_LIMIT_OVER),
    ([Outcome.ACCEPTED, Outcome.PROVEN], True),
]


@pytest.mark.conformance("CT-14", "GW-5")
@pytest.mark.parametrize(("outcomes", "verdict"), CAUSES)
def test_what_the_worker_says_is_the_cause(outcomes: Sequence[Outcome], verdict: Any) -> None:
    async def scenario(way: Way) -> None:
        assert await way.operate(SWITCH, True, lambda: way.result(*outcomes)) is verdict

    run(scenario)


def test_what_cannot_leave_is_refused_and_nothing_is_sent() -> None:
    async def scenario(way: Way) -> None:
        assert await way.operate(BREAKER, True) is AddCause.BLOCKED_BY_INTERLOCKING  # nothing is known of io.local
        way.sample(LOCAL, True)
        assert await way.operate(BREAKER, True) is AddCause.BLOCKED_BY_INTERLOCKING
        way.sample(LOCAL, False)
        assert await way.operate(BREAKER, False) is AddCause.INCONSISTENT_PARAMETERS  # no pulse of off
        assert await way.operate(SETPOINT, 1001.0) is AddCause.INCONSISTENT_PARAMETERS
        assert await way.operate("LD/GGIO1.Other", True) is AddCause.NOT_SUPPORTED
        assert await way.operate(SWITCH, True, test=True) is True
        assert way.sent == []
        way.there = False
        assert await way.operate(SWITCH, True) is AddCause.ABORTION_BY_COMMUNICATION_LOSS

    run(scenario)


@pytest.mark.conformance("SBE-2")
@pytest.mark.parametrize(
    ("value", "local", "verdict"),
    [
        (True, False, True), (None, False, True), (None, True, AddCause.BLOCKED_BY_INTERLOCKING),
        (False, False, AddCause.INCONSISTENT_PARAMETERS),
    ],
)  # fmt: skip
def test_a_selection_is_judged_by_the_rule_and_the_value(value: object, local: bool, verdict: Any) -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, local)
        action = ControlAction(BREAKER, value, 3, b"", 1, False, False, False, select=True)
        selection = Selection(_Object(BREAKER), action, Client(1, "127.0.0.1:1", 0))  # type: ignore[arg-type]
        assert await way.commands.check(selection) is verdict

    run(scenario)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([Outcome.ACCEPTED, Outcome.PROVEN], True),
        ([Outcome.ACCEPTED, Outcome.DIFFERS], DataAccessError.HARDWARE_FAULT),
        ([Outcome.EXCEPTION], DataAccessError.HARDWARE_FAULT),
    ],
)
def test_a_setting_is_written_in_the_points_unit_and_stands_once_it_reads_back(
    outcomes: Sequence[Outcome], verdict: Any
) -> None:
    async def scenario(way: Way) -> None:
        way.then = [lambda: way.result(*outcomes)]
        assert await way.commands.write_settings([(7, 2.5, 2.0), (8, 1.0, 0.0)]) is verdict
        back = [] if verdict is True or Outcome.EXCEPTION in outcomes else [(LIMIT, 20.0)]  # it may have been written
        assert [(one.point, one.value) for one in way.sent] == [(LIMIT, 25.0), *back]

    run(scenario)


@pytest.mark.conformance("SG-1")
def test_a_group_of_which_one_setting_fails_is_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    proven, refused = (Outcome.ACCEPTED, Outcome.PROVEN), (Outcome.EXCEPTION,)

    async def scenario(way: Way) -> None:
        said = [proven, refused, proven]
        way.then = [lambda: way.result(*said.pop(0))]
        assert await way.commands.write_settings([(7, 2.5, 2.0), (9, 4, 3)]) is DataAccessError.HARDWARE_FAULT
        assert [(one.point, one.value) for one in way.sent] == [(LIMIT, 25.0), (TAP, 4), (LIMIT, 20.0)]
        said[:] = [proven, refused, refused]
        assert await way.commands.write_settings([(7, 2.5, 2.0), (9, 4, 3)]) is DataAccessError.HARDWARE_FAULT
        assert len(way.sent) == 6

    run(scenario)
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "LD/PTOC1$SG$StrVal$setMag$f: its register may not have the setting that is in force"
    ]


THIRD = {11: SettingBinding("LD/PTOC1$SG$Alm$setVal", COIL, 150)}
BEGUN = [(LIMIT, 25.0), (TAP, 4), (COIL, 1)]
BACK = [(COIL, 0), (TAP, 3), (LIMIT, 20.0)]


@pytest.mark.parametrize(
    ("fails", "back"),
    [(Outcome.EXCEPTION, BACK[1:]), (Outcome.DIFFERS, BACK), (Outcome.NO_ANSWER, BACK)],
    ids=["nothing of it was written", "it reads back otherwise", "nobody knows"],
)
def test_settings_are_taken_back_in_the_opposite_order(fails: Outcome, back: list[tuple[int, Value]]) -> None:
    async def scenario(way: Way) -> None:
        way.commands.follow(PLAN._replace(settings=SETTINGS | THIRD))
        proven = (Outcome.ACCEPTED, Outcome.PROVEN)
        last = (fails,) if fails is not Outcome.DIFFERS else (Outcome.ACCEPTED, fails)
        said = [proven, proven, last, proven, proven, proven]
        way.then = [lambda: way.result(*said.pop(0))]
        wanted = [(7, 2.5, 2.0), (8, 1.0, 0.0), (9, 4, 3), (11, 1, 0)]
        assert await way.commands.write_settings(wanted) is DataAccessError.HARDWARE_FAULT
        assert [(one.point, one.value) for one in way.sent] == BEGUN + back

    run(scenario)


def test_what_cannot_be_taken_back_ends_the_taking_back_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(way: Way) -> None:
        way.commands.follow(PLAN._replace(settings=SETTINGS | THIRD))
        proven = (Outcome.ACCEPTED, Outcome.PROVEN)
        said = [proven, proven, (Outcome.EXCEPTION,), (Outcome.NO_ANSWER,)]
        way.then = [lambda: way.result(*said.pop(0))]
        assert (
            await way.commands.write_settings([(7, 2.5, 2.0), (9, 4, 3), (11, 1, 0)]) is DataAccessError.HARDWARE_FAULT
        )
        assert [(one.point, one.value) for one in way.sent] == [*BEGUN, BACK[1]]

    run(scenario)
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "LD/PTOC1$SG$OpDlTmms$setVal: its register may not have the setting that is in force"
    ]


def test_the_settings_of_two_clients_do_not_mix() -> None:
    async def scenario(way: Way) -> None:
        way.then = [lambda: way.result(Outcome.ACCEPTED, Outcome.PROVEN)]
        both = [way.commands.write_settings([(7, one, 0.0), (9, one, 0)]) for one in (1, 2)]
        assert await asyncio.gather(*both) == [True, True]
        assert [(one.point, one.value) for one in way.sent] == [(LIMIT, 10.0), (TAP, 1), (LIMIT, 20.0), (TAP, 2)]

    run(scenario)


@pytest.mark.conformance("CT-14")
@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (2, AddCause.BLOCKED_BY_PROCESS), (4, AddCause.BLOCKED_BY_HEALTH), (6, AddCause.BLOCKED_BY_PROCESS),
        (10, AddCause.ABORTION_BY_COMMUNICATION_LOSS), (11, AddCause.ABORTION_BY_COMMUNICATION_LOSS),
    ],
)  # fmt: skip
def test_the_exception_of_the_device_decides_the_cause(code: int, cause: AddCause) -> None:
    async def scenario(way: Way) -> None:
        def refused() -> None:
            command = way.sent[-1]
            way.commands.heard(
                CommandResult(command.issuer, command.number, Outcome.EXCEPTION, code, f"exception {code}", 0, "w")
            )

        assert await way.operate(SWITCH, True, refused) is cause
        assert way.operation.note == f"exception {code}"

    run(scenario)


def test_the_deadline_of_a_pulse_is_that_of_its_write() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        began = time.monotonic_ns()
        assert await way.operate(BREAKER, True, accepted, closed, way.pulse_over) is True
        assert way.sent[0].pulse_ms == 50
        assert began <= way.sent[0].expires_monotonic_ns - 500_000_000 <= time.monotonic_ns()

    run(scenario)


@pytest.mark.conformance("DOE-1", "CT-9")
@pytest.mark.parametrize("enhanced", [False, True])
def test_a_command_is_carried_out_until_its_pulse_has_ended(enhanced: bool) -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        operating = asyncio.create_task(way.operate(BREAKER, True, accepted, closed, enhanced=enhanced))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not operating.done()
        way.pulse_over()
        assert await operating == ([True, True] if enhanced else True)

    run(scenario)


@pytest.mark.conformance("CT-9")
@pytest.mark.parametrize(
    ("then", "verdict"),
    [
        (lambda way: None, AddCause.COMMAND_ALREADY_IN_EXECUTION),
        (lambda way: way.commands.lost("another"), AddCause.COMMAND_ALREADY_IN_EXECUTION),
        (lambda way: way.result(Outcome.ENDED), True),
        (lambda way: way.result(Outcome.NO_ANSWER), True),
        (lambda way: way.commands.lost("w") or way.sample(LOCAL, False), True),
        (lambda way: way.commands.restarted("w"), True),
    ],
    ids=["nothing", "another worker is lost", "it ends", "its end is given up", "its worker is lost", "it starts anew"],
)
def test_no_other_command_begins_beside_a_pulse_of_which_no_end_is_known(
    then: Callable[[Way], None], verdict: Any
) -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        with pytest.raises(TimeoutError):  # as operTimeout does
            await asyncio.wait_for(way.operate(BREAKER, True, accepted, closed, enhanced=True), 0.05)
        then(way)
        assert await way.operate(BREAKER, True, accepted, closed, way.pulse_over) is verdict
        assert way.operation.note == ("done and proven" if verdict is True else "its pulse has not ended yet")
        assert len(way.sent) == (2 if verdict is True else 1)

    run(scenario)


@pytest.mark.conformance("CT-9")
def test_no_other_of_a_group_begins_beside_a_pulse_of_which_no_end_is_known() -> None:
    async def scenario(way: Way) -> None:
        grouped = {name: structs.replace(BINDINGS[name], one_of="busbar") for name in (BREAKER, SWITCH)}
        way.commands.follow(PLAN._replace(bindings=BINDINGS | grouped))
        way.sample(LOCAL, False)
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(way.operate(BREAKER, True, accepted, closed, enhanced=True), 0.05)
        assert await way.operate(SWITCH, True) is AddCause.ONE_OF_N_CONTROL
        assert way.operation.note == "the pulse of another of its group has not ended yet"
        way.pulse_over()
        assert await way.operate(SWITCH, True, accepted, lambda: way.result(Outcome.PROVEN)) is True

    run(scenario)


def test_a_pulse_that_nothing_can_prove_is_done_when_it_has_ended() -> None:
    async def scenario(way: Way) -> None:
        blind = {COIL: structs.replace(POINTS[COIL], readable=False)}
        pulsed = {SWITCH: structs.replace(BINDINGS[SWITCH], pulse_ms=50)}
        way.commands.follow(PLAN._replace(bindings=pulsed, points=POINTS | blind))
        assert await way.operate(SWITCH, True, lambda: way.result(Outcome.ACCEPTED), way.pulse_over) is True
        assert (way.operation.note, way.sent[0].prove) == ("taken by the device", True)
        assert await way.operate(SWITCH, True, lambda: way.result(Outcome.ACCEPTED)) is AddCause.TIME_LIMIT_OVER

    run(scenario)


def test_an_interlock_knows_nothing_of_a_worker_that_is_silent() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        way.commands.lost("w")
        assert await way.operate(BREAKER, True) is AddCause.BLOCKED_BY_INTERLOCKING
        assert way.operation.note == "`not io.local` is not known to hold"

    run(scenario)


# ---------------------------------------------------------------------- another plan


@pytest.mark.conformance("GW-8")
def test_what_is_on_its_way_goes_on_under_another_plan_whose_revision_the_next_command_has() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        after = PLAN._replace(bindings={BREAKER: BINDINGS[BREAKER]}, revisions={"w": "s"})
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        assert (
            await way.operate(BREAKER, True, lambda: way.commands.follow(after), accepted, closed, way.pulse_over)
            is True
        )
        assert await way.operate(BREAKER, True, accepted, closed, way.pulse_over) is True
        assert [one.revision for one in way.sent] == ["r", "s"]
        assert await way.operate(SWITCH, True) is AddCause.NOT_SUPPORTED

    run(scenario)


@pytest.mark.conformance("GW-8")
def test_nothing_is_proven_by_a_point_that_has_the_number_of_another_now() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        moved = POINTS | {POSITION: POINTS[TAP], TAP: POINTS[POSITION]}
        after = PLAN._replace(points={number: structs.replace(one, number=number) for number, one in moved.items()})
        accepted, closed = lambda: way.result(Outcome.ACCEPTED), lambda: way.sample(POSITION, True)
        verdict = await way.operate(BREAKER, True, accepted, lambda: way.commands.follow(after), closed, way.pulse_over)
        assert verdict is AddCause.TIME_LIMIT_OVER

    run(scenario)


@pytest.mark.conformance("GW-8")
def test_an_interlock_knows_nothing_of_a_point_that_is_converted_otherwise_now() -> None:
    async def scenario(way: Way) -> None:
        way.sample(LOCAL, False)
        way.commands.follow(PLAN._replace(points=POINTS | {LOCAL: structs.replace(POINTS[LOCAL], scale=2.0)}))
        assert await way.operate(BREAKER, True) is AddCause.BLOCKED_BY_INTERLOCKING

    run(scenario)
