"""Another plan for a model that is served, in virtual time: what stays bound is left alone, the rest is one commit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bus import quality
from bus.messages import Sample
from bus.quality import Stamp, UtcTime
from mapping.diagnostics import Diagnostics
from mapping.plan import Plan
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mms_server.engine import Engine
from mms_server.field.values import FieldValues
from mms_server.model.tree import DataModel
from tests.support.engine_client import IDENTITY, EngineClient
from tests.support.sites import SITE, compile_folder, with_reports, write_site
from tests.support.wire_data import bits, boolean, unsigned

UTC = 1_700_000_000_000_000_000
REST = "unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
BEFORE = {"AnIn1": "io1.temperature", "AnIn2": "io1.power"}


def at(seconds: float) -> Stamp:
    return Stamp(round(seconds * 1e9), UTC + round(seconds * 1e9))


@dataclass
class Bench:
    """An IED that is served with a plan, a client whose block is enabled, and the other plans that it may get."""

    folder: Path
    engine: Engine
    client: EngineClient
    plan: Plan
    values: FieldValues

    def say(self, seconds: float, *, seen: float | None = None, **points: Any) -> None:
        numbers = {point.local_name: point.number for point in self.plan.points().values()}
        samples = [Sample(numbers[name], value, quality.GOOD, at(seconds).utc_ns) for name, value in points.items()]
        exchanges = [at(seconds if seen is None else seen).monotonic_ns] * len(samples)
        fed = self.values.samples(samples, exchanges, 0x0A, at(seconds))
        self.engine.commit(fed.first, at(seconds), quiet=True)
        self.engine.commit(fed.changes, at(seconds))

    def reload(self, seconds: float, rows: dict[str, str], *, site: str = SITE) -> None:
        self.plan = plan_of(self.folder, rows, site)
        before, self.values = self.values, bound(self.plan, self.engine)
        self.engine.field_feeds(self.values.held())
        self.engine.commit(self.values.succeed(before, at(seconds)), at(seconds))

    def tick(self, seconds: float) -> None:
        self.engine.commit(self.values.stale(at(seconds)), at(seconds))

    def shown(self, name: str, value: str = "mag.f") -> tuple[Any, str, float]:
        """Value, quality and the second that `t` says."""
        judged, stamp = self.get(f"{name}.q"), self.get(f"{name}.t")
        assert isinstance(judged, int)
        assert isinstance(stamp, UtcTime)
        return self.get(f"{name}.{value}"), quality.describe(judged), (stamp.ns - UTC) / 1e9

    def get(self, path: str) -> object:
        return self.engine.model.value(self.engine.model.find(f"LD0/GGIO1.{path}"))

    def reports(self) -> list[list[str]]:
        """The reasons of each report that has come."""
        return [one.reasons for one in self.client.reports()]


def plan_of(folder: Path, rows: dict[str, str], site: str = SITE) -> Plan:
    listed = "".join(f"  LD0/GGIO1.{name}: {row}\n" for name, row in rows.items())
    write_site(folder, f"points:\n{listed}{REST}", site)
    (folder / "io.icd").write_text(with_reports("AnIn1", "AnIn2", "AnIn3"), encoding="utf-8")
    compiled = compile_folder(folder)
    assert compiled.plan is not None, [one.headline() for one in compiled.diagnostics]
    return compiled.plan


def bound(plan: Plan, engine: Engine) -> FieldValues:
    return FieldValues(plan.ieds[0], plan.points(), plan.workers_of_points(), engine.model, engine.process)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    plan, found = plan_of(tmp_path, BEFORE), Diagnostics()
    engine = Engine(DataModel(server(read(tmp_path / "io.icd", found), None, None, found)), IDENTITY)
    values = bound(plan, engine)
    engine.field_feeds(values.held())
    engine.commit(values.start(), at(0), quiet=True)
    engine.start(at(0))
    client = EngineClient(engine)
    pairs = {"TrgOps": bits("011000"), "OptFlds": bits("0001000000"), "BufTm": unsigned(0), "RptEna": boolean(True)}
    assert client.write("IOLD0", *((f"LLN0$RP$urcb01${key}", data) for key, data in pairs.items())) == ["success"] * 4
    one = Bench(tmp_path, engine, client, plan, values)
    one.say(1, temperature=20.0, power=1500.0)
    return one


@pytest.mark.conformance("GW-8")
def test_an_unchanged_map_changes_no_octet_and_reports_nothing(bench: Bench) -> None:
    bench.reload(2, BEFORE)
    assert bench.shown("AnIn1") == (20.0, "good", 1.0)
    assert bench.shown("AnIn2") == (1.5, "good", 1.0)
    assert bench.reports() == []


@pytest.mark.conformance("GW-8")
def test_rows_that_came_went_and_scale_otherwise_are_one_report_and_the_others_keep_time(bench: Bench) -> None:
    bench.reload(2, {"AnIn2": "{from: io1.power, scale: 2}", "AnIn3": "io1.temperature"})
    assert bench.shown("AnIn1", "mag.f") == (20.0, "invalid", 2.0)
    assert bench.shown("AnIn2") == (3.0, "good", 1.0)
    assert bench.shown("AnIn3") == (20.0, "good", 1.0)
    assert bench.reports() == [["001000", "010000", "011000"]]
    assert bench.client.read("IOLD0", "LLN0$RP$urcb01$RptEna") == [{"success": {"boolean": True}}]
    bench.say(3, temperature=21.0, power=1500.0)
    assert (bench.shown("AnIn2"), bench.shown("AnIn3")) == ((3.0, "good", 1.0), (21.0, "good", 3.0))


def test_a_point_that_nothing_used_before_is_invalid_until_its_first_sample(bench: Bench) -> None:
    bench.reload(2, BEFORE | {"Ind1.stVal": "io1.breaker"})
    assert bench.shown("Ind1", "stVal")[:2] == (False, "invalid")
    bench.say(3, breaker=True)
    assert bench.shown("Ind1", "stVal") == (True, "good", 3.0)


def test_a_sample_that_has_become_too_old_is_not_good_for_a_new_row(bench: Bench) -> None:
    bench.tick(30)
    bench.reload(31, BEFORE | {"AnIn3": "io1.temperature"})
    assert bench.shown("AnIn3")[:2] == (20.0, quality.describe(quality.STALE))


def test_what_stays_becomes_stale_when_it_would_have(bench: Bench) -> None:
    bench.reload(2, BEFORE)
    deadline = bench.values.next_deadline_ns() / 1e9
    assert deadline == 4.0
    bench.tick(deadline)
    assert bench.shown("AnIn1")[1:] == (quality.describe(quality.STALE), 4.0)


def limited(stale_after: str) -> str:
    return SITE.replace("    unit: 2\n", f"    unit: 2\n    stale_after: {stale_after}\n")


@pytest.mark.parametrize(
    ("stale_after", "until"), [("10s", 11.0), ("3100ms", 4.1), ("1500ms", 2.5)], ids=["longer", "a little", "shorter"]
)
def test_another_limit_of_age_holds_at_once_for_what_is_good_and_for_what_comes(
    bench: Bench, stale_after: str, until: float
) -> None:
    bench.reload(2, BEFORE, site=limited(stale_after))
    assert bench.values.next_deadline_ns() == at(until).monotonic_ns
    bench.tick(until - 0.001)
    assert [bench.shown(name)[1] for name in BEFORE] == ["good", "good"]
    bench.tick(until)
    assert [bench.shown(name)[1:] for name in BEFORE] == [(quality.describe(quality.STALE), until)] * 2
    bench.say(20, temperature=20.0, power=1500.0)
    bench.reload(21, BEFORE, site=limited(stale_after))
    assert bench.values.next_deadline_ns() == at(20 + until - 1).monotonic_ns


def test_a_limit_that_has_passed_already_when_it_comes_holds_at_once(bench: Bench) -> None:
    bench.say(2.5, power=1500.0)
    bench.reload(3.5, BEFORE, site=limited("1500ms"))
    bench.tick(3.5)
    assert [bench.shown(name)[1] for name in BEFORE] == [quality.describe(quality.STALE), "good"]
    bench.tick(4)
    assert bench.shown("AnIn2")[1] == quality.describe(quality.STALE)


def test_a_longer_limit_makes_nothing_good_again_that_had_grown_old(bench: Bench) -> None:
    bench.tick(4)
    bench.reload(5, BEFORE, site=limited("100s"))
    bench.tick(6)
    assert [bench.shown(name)[1] for name in BEFORE] == [quality.describe(quality.STALE)] * 2
    bench.say(7, temperature=20.0)
    assert [bench.shown(name)[1] for name in BEFORE] == ["good", quality.describe(quality.STALE)]


def test_points_that_have_other_numbers_now_are_known_by_their_names(bench: Bench) -> None:
    first = "devices:\n  first: {line: lan, unit: 9, points: {x: {read: holding 0 int16}}}\n"
    bench.reload(2, BEFORE, site=SITE.replace("devices:\n", first))
    assert bench.plan.points()[0].name == "first.x"
    assert (bench.shown("AnIn1"), bench.reports()) == ((20.0, "good", 1.0), [])
    bench.say(3, temperature=22.0, power=1500.0)
    assert bench.shown("AnIn1") == (22.0, "good", 3.0)


def test_a_constant_comes_and_goes_back_to_what_the_file_says(bench: Bench) -> None:
    bench.reload(2, BEFORE | {"AnIn3": "{constant: 7}"})
    assert bench.get("AnIn3.mag.f") == 7.0
    assert bench.shown("AnIn3")[1] == "good"
    bench.reload(3, BEFORE)
    assert bench.shown("AnIn3")[:2] == (0.0, "invalid")


def test_a_deadband_holds_what_was_shown_across_a_reload(bench: Bench) -> None:
    rows = BEFORE | {"AnIn1": "{from: io1.temperature, deadband: 5 degC}"}
    bench.reload(2, rows)
    bench.say(3, temperature=23.0)
    bench.reload(4, rows)
    assert (bench.get("AnIn1.mag.f"), bench.get("AnIn1.instMag.f")) == (20.0, 23.0)
