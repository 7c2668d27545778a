"""The status board: the reason and the time of every point that is not good."""

from bus import quality
from bus.liveness import Apply, WorkerLost
from bus.messages import ConditionState, Heartbeat, LineState, Sample, SampleBatch
from mapping.plan import DevicePlan, LinePlan, Own, Plan, PointPlan, PollSettings, Register, RegisterBlock, WorkerPlan
from mms_gateway.status.board import Board

S = 1_000_000_000
NOON_NS = 1_710_676_800 * S  # 2024-03-17 12:00:00 UTC


def board() -> Board:
    level = PointPlan(0, "m.level", "V", Register("input", 0, "uint16", 1), True, 3000, 1000)
    online = PointPlan(1, "m.online", "", Own("online"), True, 3000, 1000)
    device = DevicePlan("m", 1, None, PollSettings(), (level, online), (RegisterBlock("input", 0, 1, 1000, (0,)),))
    line = LinePlan("lan", "modbus-tcp", {}, (device,))
    return Board(Plan("bench", "/site.yaml", (WorkerPlan("tcp", (line,)),), (), revision="r"))


def heard(at_s: int, value: object, judged: int, reason: str = "") -> Apply:
    sample = Sample(0, value, judged, NOON_NS + at_s * S, reason)  # type: ignore[arg-type]
    return Apply(SampleBatch("tcp", 0, "r", at_s, at_s * S, 10, (sample,)))


def shown(of: Board, now_s: float) -> tuple[object, ...]:
    (point,) = of.points(now_s)
    return point["value"], point["quality"], point["reason"], point["since"]


def test_a_good_point_has_neither_reason_nor_since() -> None:
    one = board()
    assert shown(one, 0) == (None, "invalid", "not heard yet", None)
    one.follow([heard(1, 5, quality.GOOD)])
    assert shown(one, 1) == (5, "good", "", None)


def test_a_bad_point_tells_why_and_from_when_on_it_has_been_so() -> None:
    one = board()
    one.follow([heard(1, 5, quality.GOOD), heard(10, 5, quality.NO_ANSWER, "no answer within 500 ms")])
    one.follow([heard(20, 5, quality.NO_ANSWER, "no answer within 500 ms")])
    silent = "no answer within 500 ms"
    assert shown(one, 20) == (5, "invalid (failure, oldData)", silent, "2024-03-17T12:00:10Z")
    one.follow([heard(30, 5, quality.REFUSED, "exception 4 (device failure)")])
    assert shown(one, 30)[2:] == ("exception 4 (device failure)", "2024-03-17T12:00:30Z")
    one.follow([heard(31, 6, quality.GOOD)])
    assert shown(one, 31) == (6, "good", "", None)


def test_a_point_that_is_not_refreshed_has_been_bad_since_it_should_have_been() -> None:
    one = board()
    one.follow([heard(1, 5, quality.GOOD)])
    assert shown(one, 6) == (5, "invalid (failure, oldData)", "not refreshed for 5 s", "2024-03-17T12:00:04Z")


def test_a_questionable_point_grows_old_like_any_other() -> None:
    one = board()
    one.follow([heard(1, 5, quality.RESET, "the counter fell from 9 to 5: a reset")])
    assert shown(one, 2)[1] == "questionable (inconsistent)"
    assert shown(one, 6)[1] == "invalid (failure, oldData)"


def test_what_a_lost_worker_said_is_good_no_more() -> None:
    one = board()
    one.follow([heard(1, 5, quality.GOOD), WorkerLost("tcp")])
    assert shown(one, 2) == (5, "invalid (failure, oldData)", "not refreshed for 1 s", "2024-03-17T12:00:02Z")


def beat(sequence: int, *conditions: ConditionState) -> Apply:
    line = LineState("lan", True, NOON_NS, "", 0.1, 0.0, conditions)
    return Apply(Heartbeat("tcp", 0, "r", sequence, sequence * S, (line,), (), {}))


def test_the_conditions_of_a_line_are_shown_while_it_has_them() -> None:
    one = board()
    one.follow([beat(1, ConditionState("late-answers", NOON_NS + 5 * S, 3, "unit 1, function 3, 20 octets: 900 ms"))])
    (line,) = one.shown(1.0)["lines"]
    assert line["conditions"] == [
        {
            "name": "late-answers",
            "since": "2024-03-17T12:00:05Z",
            "count": 3,
            "evidence": "unit 1, function 3, 20 octets: 900 ms",
        }
    ]
    one.follow([beat(2)])
    assert [line["conditions"] for line in one.shown(2.0)["lines"]] == [[]]
