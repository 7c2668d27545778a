"""The plan file: a saved plan comes back, and a file that was changed since is refused."""

from pathlib import Path

import msgspec
import pytest

from mapping import plan as plans
from mapping.plan import DevicePlan, LinePlan, Own, Plan, PointPlan, PollSettings, Register, RegisterBlock, WorkerPlan


def small_plan() -> Plan:
    voltage = PointPlan(0, "m.voltage_l1", "V", Register("input", 0, "float32", 2), True, 3000, 1000)
    online = PointPlan(1, "m.online", "", Own("online"), True, 3000, 1000)
    device = DevicePlan("m", 1, None, PollSettings(), (voltage, online), (RegisterBlock("input", 0, 2, 1000, (0,)),))
    line = LinePlan("lan", "modbus-tcp", {"host": "127.0.0.1", "port": 502}, (device,))
    return plans.sealed(Plan("bench", "/site.yaml", (WorkerPlan("tcp", (line,)),), ()))


def test_a_saved_plan_comes_back_whole(tmp_path: Path) -> None:
    plans.save(small_plan(), tmp_path / "p")
    assert plans.load(tmp_path / "p") == small_plan()


def test_the_revision_follows_any_change() -> None:
    plan = small_plan()
    assert plans.sealed(msgspec.structs.replace(plan, site="other")).revision != plan.revision
    assert plans.sealed(plan).revision == plan.revision


def test_the_revision_of_a_worker_follows_its_own_part_only() -> None:
    plan = small_plan()
    before = plan.revisions()["tcp"]
    assert msgspec.structs.replace(plan, site="other").revisions() == {"tcp": before}
    other = msgspec.structs.replace(plan.workers[0], name="serial")
    assert msgspec.structs.replace(plan, workers=(*plan.workers, other)).revisions()["tcp"] == before
    assert msgspec.structs.replace(plan, assumed_clock_error_ns=1000).revisions()["tcp"] != before
    line = msgspec.structs.replace(plan.workers[0].lines[0], settings={"host": "127.0.0.2", "port": 502})
    changed = msgspec.structs.replace(plan.workers[0], lines=(line,))
    assert msgspec.structs.replace(plan, workers=(changed,)).revisions()["tcp"] != before


def test_a_plan_that_was_changed_after_sealing_is_refused(tmp_path: Path) -> None:
    plans.save(msgspec.structs.replace(small_plan(), site="other"), tmp_path / "p")
    with pytest.raises(ValueError, match=r"does not match its revision [0-9a-f]{16}$"):
        plans.load(tmp_path / "p")


def test_a_plan_of_another_format_is_refused(tmp_path: Path) -> None:
    plans.save(msgspec.structs.replace(small_plan(), format=1), tmp_path / "p")
    with pytest.raises(ValueError, match=r"plan format 1, expected 2$"):
        plans.load(tmp_path / "p")


def test_points_are_found_by_their_number() -> None:
    assert [point.local_name for point in small_plan().points().values()] == ["voltage_l1", "online"]


def test_a_worker_that_the_plan_lacks_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="rs485"):
        small_plan().worker("rs485")
