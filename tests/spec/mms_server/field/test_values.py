"""Values from the field, in virtual time: what is good is true, and no longer than it may be."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import quality
from bus.messages import Sample
from bus.quality import Stamp, UtcTime
from mapping.diagnostics import Diagnostics
from mapping.plan import Plan
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mms_server.field.bindings import NEVER
from mms_server.field.values import FieldValues
from mms_server.mms.data import Scalar
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel
from tests.support.sites import SCL, compile_folder, write_site

ROWS = """\
points:
  LD0/GGIO1.AnIn1: {from: io1.temperature, deadband: 0.5 degC}
  LD0/GGIO1.AnIn2: io1.power
  LD0/XCBR1.Pos: io1.breaker
  LD0/MMTR1.SupWh: io1.energy
  LD0/GGIO1.Ind1.stVal: io1.relay
unmapped: [LD0/GGIO1]
"""
TEMPERATURE, POWER, BREAKER, ENERGY, RELAY, ONLINE = 0, 1, 2, 3, 4, 6
UTC = 1_700_000_000_000_000_000


def at(seconds: float) -> Stamp:
    return Stamp(round(seconds * 1e9), UTC + round(seconds * 1e9))


@dataclass
class Bench:
    """One IED's values and its cache."""

    values: FieldValues
    data: DataModel
    events: Changes = field(default_factory=lambda: Changes([], [], []))

    def say(
        self, seconds: float, *samples: tuple[int, object], judged: int = quality.GOOD, seen: float | None = None
    ) -> None:
        listed = [Sample(point, value, judged, at(seconds).utc_ns) for point, value in samples]  # type: ignore[arg-type]
        exchange = [at(seconds if seen is None else seen).monotonic_ns] * len(listed)
        fed = self.values.samples(listed, exchange, 0x0A, at(seconds))
        self.events = self.data.cache.commit(fed.changes)
        self.data.cache.commit(fed.first)

    def tick(self, seconds: float) -> None:
        self.data.cache.commit(self.values.stale(at(seconds)))

    def read(self, reference: str) -> object:
        return self.data.value(self.data.find(f"LD0/{reference}"))

    def q(self, reference: str) -> str:
        judged = self.read(f"{reference}.q")
        assert isinstance(judged, int)
        return quality.describe(judged)

    def t(self, reference: str) -> float:
        stamp = self.read(f"{reference}.t")
        assert isinstance(stamp, UtcTime)
        return (stamp.ns - UTC) / 1e9


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    compiled = compile_folder(write_site(tmp_path_factory.mktemp("site"), ROWS))
    assert compiled.plan is not None
    return compiled.plan


@pytest.fixture
def bench(plan: Plan) -> Bench:
    return bench_of(plan)


def bench_of(plan: Plan) -> Bench:
    """One IED of `plan`, of which nothing is known yet."""
    data = DataModel(server(read(Path(SCL), Diagnostics()), None, None, Diagnostics()))

    def process(slot: int) -> Scalar:
        value = data.cache.values[slot]
        assert isinstance(value, Scalar)
        return value

    values = FieldValues(plan.ieds[0], plan.points(), dict.fromkeys(plan.points(), "tcp"), data, process)
    data.cache.commit(values.start())
    return Bench(values, data)


def test_what_the_field_has_not_said_yet_is_not_good(bench: Bench) -> None:
    assert [bench.q(one) for one in ("GGIO1.AnIn1", "XCBR1.Pos", "GGIO1.Ind1", "GGIO1.Ind3")] == ["invalid"] * 4


@pytest.mark.conformance("SRV-9")
def test_a_sample_becomes_value_quality_and_time(bench: Bench) -> None:
    bench.say(1, (POWER, 1500.0), (BREAKER, True), (ENERGY, 12_345))
    assert bench.read("GGIO1.AnIn2.mag.f") == pytest.approx(1.5)
    assert (bench.read("XCBR1.Pos.stVal"), bench.read("MMTR1.SupWh.actVal")) == (2, 123)
    assert (bench.q("GGIO1.AnIn2"), bench.t("GGIO1.AnIn2")) == ("good", 1.0)


@pytest.mark.conformance("SRV-9")
def test_time_moves_with_a_change_and_not_with_every_poll(bench: Bench) -> None:
    for second in (1, 2, 3):
        bench.say(second, (POWER, 1500.0))
    assert bench.t("GGIO1.AnIn2") == 1.0
    bench.say(4, (POWER, 1501.0))
    assert bench.t("GGIO1.AnIn2") == 4.0


@pytest.mark.conformance("GW-1")
def test_a_failed_read_makes_quality_bad_and_keeps_the_value(bench: Bench) -> None:
    bench.say(1, (POWER, 1500.0))
    bench.say(2, (POWER, None), judged=quality.NO_ANSWER)
    assert bench.read("GGIO1.AnIn2.mag.f") == pytest.approx(1.5)
    assert (bench.q("GGIO1.AnIn2"), bench.t("GGIO1.AnIn2")) == ("invalid (failure, oldData)", 2.0)
    bench.say(3, (POWER, 1500.0))
    assert (bench.q("GGIO1.AnIn2"), bench.t("GGIO1.AnIn2")) == ("good", 3.0)


@pytest.mark.conformance("GW-2")
def test_nothing_is_good_past_its_stale_after(bench: Bench) -> None:
    bench.say(1, (POWER, 1500.0))
    assert bench.values.next_deadline_ns() == at(4).monotonic_ns
    bench.tick(3.999)
    assert bench.q("GGIO1.AnIn2") == "good"
    bench.tick(4)
    assert (bench.q("GGIO1.AnIn2"), bench.t("GGIO1.AnIn2")) == ("invalid (failure, oldData)", 4.0)


SAID = {POWER: 5.0, BREAKER: True, ENERGY: 1000, RELAY: True}


@pytest.mark.conformance("GW-2")
def test_each_point_grows_old_at_its_own_time_whatever_grew_old_before_it(bench: Bench) -> None:
    shown = {
        "GGIO1.AnIn2": (1, POWER),
        "XCBR1.Pos": (2, BREAKER),
        "MMTR1.SupWh": (2, ENERGY),
        "GGIO1.Ind1": (3.5, RELAY),
    }
    for seen, number in shown.values():
        bench.say(seen, (number, SAID[number]))
    for second in (4, 5, 6.5):
        assert bench.values.next_deadline_ns() == at(second).monotonic_ns
        bench.tick(second)
        for name, (seen, _) in shown.items():
            assert bench.q(name) == ("good" if second < seen + 3 else "invalid (failure, oldData)")
    assert bench.values.next_deadline_ns() == NEVER
    bench.say(7, (BREAKER, True))
    bench.say(8, (POWER, 5.0))
    for second in (10, 11):  # and all over again
        assert bench.values.next_deadline_ns() == at(second).monotonic_ns
        bench.tick(second)
    assert [bench.q(name) for name in shown] == ["invalid (failure, oldData)"] * 4


def test_a_point_that_is_refreshed_keeps_no_other_one_good(bench: Bench) -> None:
    bench.say(1, (POWER, 5.0), (BREAKER, True))
    for second in (2, 3, 3.9):
        bench.say(second, (POWER, 5.0))
    bench.tick(4)
    assert (bench.q("GGIO1.AnIn2"), bench.q("XCBR1.Pos")) == ("good", "invalid (failure, oldData)")
    assert bench.values.next_deadline_ns() == at(6.9).monotonic_ns
    bench.data.cache.commit(bench.values.lost("other", at(5)))
    bench.tick(6.9)
    assert bench.q("GGIO1.AnIn2") == "invalid (failure, oldData)"


FED = {POWER: "GGIO1.AnIn2", BREAKER: "XCBR1.Pos", ENERGY: "MMTR1.SupWh", RELAY: "GGIO1.Ind1"}
STEPS = st.tuples(
    st.integers(1, 2000), st.sampled_from([*FED]), st.sampled_from([quality.GOOD, quality.RESET, quality.INVALID]),
    st.integers(0, 4000),
)  # fmt: skip


@given(st.lists(STEPS, max_size=30))
def test_with_no_look_but_at_its_deadlines_nothing_is_ever_good_for_too_long(
    plan: Plan, steps: list[tuple[int, int, int, int]]
) -> None:
    """Each step: milliseconds that pass, then a sample, of that quality, which is so many milliseconds old."""
    bench, now_ms = bench_of(plan), 10_000
    good_until = dict.fromkeys(FED, 0)
    latest = dict.fromkeys(FED, 0)
    for pause_ms, number, judged, age_ms in steps:
        now_ms += pause_ms
        while (due := bench.values.next_deadline_ns()) <= at(now_ms / 1000).monotonic_ns:
            bench.tick(due / 1e9)
        seen_ms = now_ms - age_ms
        bench.say(now_ms / 1000, (number, SAID[number]), judged=judged, seen=seen_ms / 1000)
        if seen_ms >= latest[number]:
            latest[number], good_until[number] = seen_ms, 0 if judged == quality.INVALID else seen_ms + 3000
        for one, name in FED.items():
            assert (not bench.q(name).startswith("invalid")) is (now_ms < good_until[one])


def test_a_questionable_value_grows_old_and_goes_with_its_worker_like_a_good_one(bench: Bench) -> None:
    bench.say(1, (POWER, 4.2), judged=quality.RESET)
    assert bench.q("GGIO1.AnIn2") == "questionable (inconsistent)"
    bench.tick(5)
    assert bench.q("GGIO1.AnIn2") == "invalid (failure, oldData)"
    bench.say(6, (POWER, 4.2), judged=quality.RESET)
    bench.data.cache.commit(bench.values.lost("tcp", at(7)))
    assert bench.q("GGIO1.AnIn2") == "invalid (failure, oldData)"


def test_staleness_counts_from_the_exchange_and_not_from_the_arrival(bench: Bench) -> None:
    bench.say(10, (POWER, 1500.0), seen=7.5)
    bench.tick(10.4)
    assert bench.q("GGIO1.AnIn2") == "good"
    bench.tick(10.5)
    assert bench.q("GGIO1.AnIn2") == "invalid (failure, oldData)"


def test_a_sample_that_is_too_old_when_it_comes_is_never_good(bench: Bench) -> None:
    bench.say(10, (POWER, 1500.0), seen=7.0)
    assert bench.q("GGIO1.AnIn2") == "invalid (failure, oldData)"


def test_an_older_sample_does_not_undo_a_younger_one(bench: Bench) -> None:
    bench.say(5, (POWER, 2000.0))
    bench.say(5.1, (POWER, 1000.0), seen=4.0)
    assert bench.read("GGIO1.AnIn2.mag.f") == pytest.approx(2.0)


@pytest.mark.conformance("GW-2")
def test_a_silent_worker_makes_all_that_it_feeds_bad_at_once(bench: Bench) -> None:
    bench.say(1, (POWER, 1500.0), (BREAKER, False))
    bench.data.cache.commit(bench.values.lost("other", at(2)))
    assert bench.q("XCBR1.Pos") == "good"
    bench.data.cache.commit(bench.values.lost("tcp", at(2)))
    assert [bench.q(one) for one in ("GGIO1.AnIn2", "XCBR1.Pos")] == ["invalid (failure, oldData)"] * 2


@pytest.mark.conformance("SRV-11")
def test_a_deadband_holds_mag_while_inst_mag_follows(bench: Bench) -> None:
    for second, value in ((1, 20.0), (2, 20.4), (3, 20.5)):
        bench.say(second, (TEMPERATURE, value))
        held = bench.read("GGIO1.AnIn1.mag.f")
        assert (bench.read("GGIO1.AnIn1.instMag.f"), held) == (
            pytest.approx(value, abs=1e-5),
            pytest.approx(20.5 if second == 3 else 20.0),
        )
    assert bench.t("GGIO1.AnIn1") == 3.0


SHOWN = [
    (100.0, [(109.0, 100.0), (90.5, 100.0), (111.0, 111.0), (100.0, 111.0), (99.8, 99.8), (109.7, 99.8)]),
    (-100.0, [(-109.0, -100.0), (-90.5, -100.0), (-111.0, -111.0), (-100.0, -111.0), (100.0, 100.0)]),
    (0.0, [(0.001, 0.001), (0.0, 0.0)]),
]


@pytest.mark.parametrize(("first", "steps"), SHOWN)
def test_a_deadband_in_percent_is_of_the_value_that_is_shown(
    tmp_path: Path, first: float, steps: list[tuple[float, float]]
) -> None:
    compiled = compile_folder(write_site(tmp_path, ROWS.replace("0.5 degC", "10 %")))
    assert compiled.plan is not None
    bench = bench_of(compiled.plan)
    bench.say(1, (TEMPERATURE, first))
    for second, (value, held) in enumerate(steps, 2):
        bench.say(second, (TEMPERATURE, value))
        shown = bench.read("GGIO1.AnIn1.instMag.f"), bench.read("GGIO1.AnIn1.mag.f")
        assert shown == (pytest.approx(value), pytest.approx(held))


@pytest.mark.conformance("GW-6")
def test_a_value_beyond_its_attribute_is_invalid_with_overflow_and_no_wrong_number(bench: Bench) -> None:
    bench.say(1, (ENERGY, 1000))
    bench.say(2, (ENERGY, 1e30))
    assert (bench.read("MMTR1.SupWh.actVal"), bench.q("MMTR1.SupWh")) == (10, "invalid (overflow)")


def test_a_value_that_the_map_does_not_know_is_invalid(bench: Bench) -> None:
    bench.say(1, (BREAKER, True))
    bench.say(2, (BREAKER, "half"))
    assert (bench.read("XCBR1.Pos.stVal"), bench.q("XCBR1.Pos")) == (2, "invalid")


def test_the_health_of_the_device_follows_its_answers(bench: Bench) -> None:
    bench.say(1, (ONLINE, True))
    assert bench.read("LPHD1.PhyHealth.stVal") == 1
    bench.say(2, (ONLINE, False))
    assert bench.read("LPHD1.PhyHealth.stVal") == 3


def test_one_commit_costs_one_encoding_for_each_changed_leaf(bench: Bench) -> None:
    bench.say(1, (POWER, 1500.0))
    before = bench.data.cache.encodings
    bench.say(2, (POWER, 1500.0))
    assert bench.data.cache.encodings == before
    bench.say(3, (POWER, 1600.0))
    assert bench.data.cache.encodings == before + 2  # the value and its time


@pytest.mark.conformance("GW-4")
def test_what_is_told_for_the_first_time_is_a_fill_and_no_event(bench: Bench) -> None:
    bench.say(0, (POWER, 5.0), (TEMPERATURE, 20.0))
    assert bench.events == Changes([], [], [])
    assert bench.q("GGIO1.AnIn2") == "good"
    bench.say(1, (POWER, 6.0))
    assert len(bench.events.dchg) == 1
