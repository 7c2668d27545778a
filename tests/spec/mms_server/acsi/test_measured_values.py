"""Deadband, zero band and ranges of measured values (IEC 61850-7-3, MV and CMV), as programs, fields and clients see them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import quality
from bus.quality import UtcTime
from mapping.model import FC, LogicalNodeType, ReportControl
from mms_server.acsi.measured_values.deadband import Bounds, Range
from mms_server.engine import Engine
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel
from tests.support import measured_models, models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient
from tests.support.wire_data import bits, boolean, single, unsigned

LD = "DEMOLD0"
MMXU = LogicalNodeType(
    "MMXU", "MMXU",
    (
        measured_models.measured("TotW"), measured_models.measured("Cnt", "i"), models.measured_value("TotVA"),
        models.data_object("PhV", "WYE", measured_models.vector("phsA"), measured_models.vector("phsB", angles=False)),
        models.data_object("HA", "HMV", measured_models.vector("phsAHar", count=3)),
        measured_models.own_deadband("Hz"), models.status("Ind1"),
    ),
)  # fmt: skip
SPAN = {"TotW.rangeC.max.f": 1000.0}
LIMITS = {
    "TotW.rangeC.hhLim.f": 90.0,
    "TotW.rangeC.hLim.f": 80.0,
    "TotW.rangeC.lLim.f": 20.0,
    "TotW.rangeC.llLim.f": 10.0,
}
WIDE = {"TotW.rangeC.min.f": 0.0, "TotW.rangeC.max.f": 100.0, "TotW.rangeC.limDb": 2000, **LIMITS}


class Bench:
    """One engine. `values` are what the file says, by path below MMXU1."""

    def __init__(self, **values: Any) -> None:
        report = ReportControl("events", False, True, 1, None, "all", 1, 0, 0, 0b011001, 0b0111110110)
        server = models.server(
            models.lln0(data_sets=(measured_models.ALL,), reports=(report,)), models.node(MMXU, values=values)
        )
        self.engine = Engine(DataModel(server), IDENTITY)
        self.engine.behaviour.permissions.open_fcs.add(FC.CF)
        self.engine.start(CLOCK.now())
        self.client = EngineClient(self.engine)

    def slot(self, path: str) -> int:
        return self.engine.model.find(f"LD0/MMXU1.{path}")

    def update(self, values: dict[str, Any], *, force: bool = False) -> Changes:
        return self.engine.commit(
            [(self.slot(path), value) for path, value in values.items()], CLOCK.now(), force=force
        )

    def feed(self, value: float, **more: Any) -> Changes:
        """The program feeds instMag of TotW; `more` are attributes beside it."""
        return self.update({"TotW.instMag.f": value, **{f"TotW.{name}": one for name, one in more.items()}})

    def get(self, path: str) -> Any:
        return self.engine.model.value(self.slot(path))

    def shown(self, name: str = "TotW") -> tuple[float, int, str]:
        """mag, range and quality."""
        return self.get(f"{name}.mag.f"), self.get(f"{name}.range"), quality.describe(self.get(f"{name}.q"))

    def write(self, **attributes: bytes) -> None:
        pairs = [(f"MMXU1$CF$TotW${name}", data) for name, data in attributes.items()]
        assert self.client.write(LD, *pairs) == ["success"] * len(pairs)


# ---------------------------------------------------------------------- the deadband


@pytest.mark.conformance("SRV-11")
def test_mag_follows_inst_mag_beyond_db_of_the_range_and_not_before() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 1000})  # 1 % of 1000
    followed = []
    for value in (100.0, 105.0, 110.0, 110.5, 101.0, 100.0):
        bench.feed(value)
        assert bench.get("TotW.instMag.f") == value
        followed.append(bench.get("TotW.mag.f"))
    assert followed == [100.0, 100.0, 100.0, 110.5, 110.5, 100.0]


@pytest.mark.conformance("SRV-11")
@pytest.mark.parametrize(
    ("values", "band"),
    [
        ({"TotW.db": 1000, "TotW.dbRef": 500.0, **SPAN}, 5.0),
        ({"TotW.db": 1000, "TotW.dbRef": 0.0, **SPAN}, 10.0),
        ({"TotW.db": 1000, "TotW.rangeC.min.f": -1000.0, **SPAN}, 20.0),
        ({"TotW.db": 1000}, 2.0),  # neither: 1 % of the value, 200
        ({"TotW.db": 0, **SPAN}, 0.0),
        (SPAN, 0.0),
    ],
    ids=["dbRef", "range where dbRef is 0", "range from min", "mag itself", "db 0", "db without a value"],
)
def test_db_is_counted_in_thousandths_of_a_percent_of_its_reference(values: dict[str, Any], band: float) -> None:
    bench = Bench(**values)
    bench.feed(200.0)
    bench.feed(200.0 + band)
    assert bench.get("TotW.mag.f") == 200.0
    bench.feed(200.0 + band + 0.01)
    assert bench.get("TotW.mag.f") == pytest.approx(200.0 + band + 0.01)


def test_a_program_that_sets_mag_alone_has_its_own_deadband() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 1000, "TotW.instMag.f": 7.0})
    for value in (100.0, 100.1):
        bench.update({"TotW.mag.f": value})
        assert bench.get("TotW.mag.f") == pytest.approx(value)
    bench.update({"TotW.q": quality.NO_ANSWER})
    assert bench.get("TotW.mag.f") == pytest.approx(100.1)


def test_without_db_mag_is_what_the_program_says_whatever_inst_mag_is() -> None:
    bench = Bench(**{"Hz.rangeC.hLim.f": 51.0})
    bench.update({"Hz.instMag.f": 50.2, "Hz.mag.f": 50.0})
    bench.update({"Hz.instMag.f": 50.3})
    assert bench.shown("Hz") == (50.0, Range.NORMAL, "good")
    bench.update({"Hz.instMag.f": 52.0})
    assert bench.shown("Hz") == (52.0, Range.HIGH, "good")


def test_mag_that_is_fed_together_with_inst_mag_is_held_back_as_well() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 1000})
    bench.feed(100.0, **{"mag.f": 100.0})
    assert bench.feed(104.0, **{"mag.f": 104.0}).dchg == []
    assert (bench.get("TotW.mag.f"), bench.get("TotW.instMag.f")) == (100.0, 104.0)


@pytest.mark.conformance("SRV-11")
def test_a_value_below_zero_db_is_shown_as_zero_and_inst_mag_stays() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 1000, "TotW.zeroDb": 500})  # below 5
    shown = []
    for value in (30.0, 4.9, -4.9, 6.0, 11.0, 5.0):
        bench.feed(value)
        assert bench.get("TotW.instMag.f") == pytest.approx(value)
        shown.append(bench.get("TotW.mag.f"))
    assert shown == [30.0, 0.0, 0.0, 0.0, 11.0, 11.0]
    bench.update({"TotW.zeroDbRef": 100.0})
    bench.feed(0.6)
    assert bench.get("TotW.mag.f") == pytest.approx(0.6)


def test_not_a_number_is_never_within_a_deadband_and_is_one_change() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 1000})
    bench.feed(50.0)
    assert bench.feed(float("nan")).dchg == [bench.slot("TotW.mag.f")]
    assert bench.feed(float("nan")).dchg == []
    assert bench.shown()[1:] == (Range.NORMAL, "good")
    bench.feed(50.1)
    assert bench.get("TotW.mag.f") == pytest.approx(50.1)


@given(
    db=st.integers(0, 100_000),
    zero=st.integers(0, 5_000),
    fed=st.lists(st.floats(-2000, 2000, width=32), min_size=1, max_size=20),
)
def test_after_a_commit_mag_is_never_further_off_than_the_bands_allow(db: int, zero: int, fed: list[float]) -> None:
    bench = Bench(**SPAN, **{"TotW.db": db, "TotW.zeroDb": zero})
    for value in fed:
        bench.feed(value)
        mag = bench.get("TotW.mag.f")
        assert abs(mag - value) <= max(db, zero) * 1e-5 * 1000.0
        assert mag == 0 or abs(mag) >= zero * 1e-5 * 1000.0


def test_integers_count_in_steps_of_their_scale_factor() -> None:
    bench = Bench(**{"Cnt.db": 1000, "Cnt.dbRef": 500.0, "Cnt.sVC.scaleFactor": 0.5})  # 5, which are 10 steps
    for value, mag in ((100, 100), (110, 100), (111, 111)):
        bench.update({"Cnt.instMag.i": value})
        assert bench.get("Cnt.mag.i") == mag


# ---------------------------------------------------------------------- vectors


def phasor(magnitude: float, angle: float, name: str = "PhV.phsA") -> dict[str, float]:
    return {f"{name}.instCVal.mag.f": magnitude, f"{name}.instCVal.ang.f": angle}


@pytest.mark.conformance("SRV-11")
@pytest.mark.parametrize(
    ("name", "band"), [("PhV.phsA", 36.0), ("PhV.phsB", 3.6)], ids=["by dbAng", "by db where there is no dbAng"]
)
def test_a_vector_follows_whole_when_its_magnitude_or_its_angle_does(name: str, band: float) -> None:
    values = {f"{name}.db": 1000, f"{name}.rangeC.max.f": 100.0}
    bench = Bench(**values, **({f"{name}.dbAng": 10_000} if name == "PhV.phsA" else {}))

    def fed(magnitude: float, angle: float) -> tuple[object, object]:
        bench.update(phasor(magnitude, angle, name))
        return bench.get(f"{name}.cVal.mag.f"), bench.get(f"{name}.cVal.ang.f")

    assert fed(50.0, 179.0) == (50.0, 179.0)
    assert fed(50.5, -180.0 + band / 2) == (50.0, 179.0)
    assert fed(50.5, -180.0 + band) == (50.5, pytest.approx(-180.0 + band))
    assert fed(52.0, -180.0) == (52.0, -180.0)


def test_ranges_of_a_vector_are_those_of_its_magnitude_and_of_its_angle() -> None:
    bench = Bench(
        **{"PhV.phsA.rangeC.lLim.f": 10.0, "PhV.phsA.rangeAngC.hLim.f": 30.0, "PhV.phsA.rangeAngC.max.f": 60.0}
    )
    bench.update(phasor(5.0, 90.0))
    assert [bench.get(f"PhV.phsA.{one}") for one in ("range", "rangeAng", "q")] == [Range.LOW, Range.HIGH, quality.GOOD]


def test_each_element_of_an_array_has_its_own_deadband() -> None:
    bench = Bench()
    bench.update({"HA.phsAHar(1).db": 10_000, "HA.phsAHar(1).rangeC.max.f": 100.0})
    for value in (50.0, 55.0):
        bench.update({**phasor(value, 0.0, "HA.phsAHar(1)"), **phasor(value, 0.0, "HA.phsAHar(2)")})
    assert [bench.get(f"HA.phsAHar({at}).cVal.mag.f") for at in (0, 1, 2)] == [0.0, 50.0, 55.0]


# ---------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("value", "present", "judged"),
    [
        (80.0, Range.NORMAL, Range.NORMAL), (80.1, Range.NORMAL, Range.HIGH), (78.0, Range.HIGH, Range.HIGH),
        (77.9, Range.HIGH, Range.NORMAL), (90.1, Range.NORMAL, Range.HIGH_HIGH), (88.0, Range.HIGH_HIGH, Range.HIGH_HIGH),
        (87.9, Range.HIGH_HIGH, Range.HIGH), (79.0, Range.HIGH_HIGH, Range.HIGH), (77.0, Range.HIGH_HIGH, Range.NORMAL),
        (20.0, Range.NORMAL, Range.NORMAL), (19.9, Range.NORMAL, Range.LOW), (22.0, Range.LOW, Range.LOW),
        (22.1, Range.LOW, Range.NORMAL), (9.9, Range.NORMAL, Range.LOW_LOW), (12.0, Range.LOW_LOW, Range.LOW_LOW),
        (12.1, Range.LOW_LOW, Range.LOW), (5.0, Range.HIGH_HIGH, Range.LOW_LOW), (95.0, Range.LOW, Range.HIGH_HIGH),
        (float("nan"), Range.LOW, Range.LOW),
    ],
)  # fmt: skip
@pytest.mark.conformance("SRV-11")
def test_a_range_is_left_a_hysteresis_inside_its_limit(value: float, present: Range, judged: Range) -> None:
    limits = {"hhLim": 90.0, "hLim": 80.0, "lLim": 20.0, "llLim": 10.0}
    assert Bounds(0.0, 0.0, 0.0, limits, 2.0).range_of(value, present) == judged


@given(
    st.floats(0, 100), st.sampled_from(Range), st.floats(0, 50),
    st.dictionaries(st.sampled_from(["hhLim", "hLim", "lLim", "llLim"]), st.floats(0, 100)),
)  # fmt: skip
def test_a_range_that_has_been_judged_stays_while_the_value_does(
    value: float, present: Range, hysteresis: float, limits: dict[str, float]
) -> None:
    bounds = Bounds(0.0, 0.0, 0.0, limits, hysteresis)
    judged = bounds.range_of(value, present)
    assert bounds.range_of(value, judged) == judged


@pytest.mark.conformance("SRV-11")
def test_a_change_of_range_takes_mag_along_whatever_the_deadband() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 10_000})
    bench.feed(75.0)
    assert bench.feed(80.0).dchg == []
    assert sorted(bench.feed(81.0).dchg) == sorted([bench.slot("TotW.mag.f"), bench.slot("TotW.range")])
    assert bench.shown() == (81.0, Range.HIGH, "good")


@pytest.mark.conformance("SRV-9")
def test_beyond_min_and_max_the_quality_is_questionable_with_out_of_range_until_it_is_back() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 10_000})
    bench.feed(99.0)
    assert bench.feed(101.0).qchg == [bench.slot("TotW.q")]
    assert bench.shown() == (101.0, Range.HIGH_HIGH, "questionable (outOfRange)")
    assert bench.feed(102.0, q=quality.INACCURATE).qchg == [bench.slot("TotW.q")]
    assert bench.shown()[2] == "questionable (outOfRange, inaccurate)"
    assert bench.feed(103.0, q=quality.INACCURATE).qchg == []
    bench.feed(100.0)
    assert bench.shown()[2] == "good (inaccurate)"


def test_a_limit_that_nobody_has_set_does_not_bind() -> None:
    bench = Bench(**{"TotW.rangeC.hLim.f": 80.0})
    for value in (-5.0, 0.0, 79.0):
        bench.feed(value)
        assert bench.shown()[1:] == (Range.NORMAL, "good")
    bench = Bench()
    bench.feed(5.0, range=Range.HIGH)
    assert bench.get("TotW.range") == Range.HIGH


def test_the_range_of_an_invalid_value_is_not_judged() -> None:
    bench = Bench(**WIDE)
    bench.feed(50.0)
    bench.feed(99.0, q=quality.INVALID)
    assert bench.shown() == (99.0, Range.NORMAL, "invalid")
    bench.feed(99.0, q=quality.GOOD)
    assert bench.shown() == (99.0, Range.HIGH_HIGH, "good")


# ---------------------------------------------------------------------- quality, time, reports


@pytest.mark.conformance("SRV-9", "SRV-11")
def test_a_change_of_quality_takes_mag_along_whatever_the_deadband() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 10_000})
    bench.feed(100.0)
    bench.feed(104.0)
    bench.update({"TotW.q": quality.NO_ANSWER})
    assert bench.shown() == (104.0, Range.NORMAL, "invalid (failure, oldData)")


@pytest.mark.conformance("SRV-11")
def test_value_range_quality_and_time_leave_in_one_report() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 1000})
    bench.feed(50.0)
    pairs = [("TrgOps", bits("011000")), ("OptFlds", bits("0000000000")), ("RptEna", boolean(True))]
    assert bench.client.write(LD, *((f"LLN0$RP$events01${key}", data) for key, data in pairs)) == ["success"] * 3
    bench.feed(50.5)
    assert bench.client.reports() == []
    bench.feed(120.0, t=UtcTime(1_700_000_000_000_000_000))
    (report,) = bench.client.reports()
    ((inst, mag, judged, q, _t),) = report.values
    assert (report.inclusion, inst, mag, judged, q) == ("10", *[[bytes.fromhex("0842f00000")]] * 2, 3, "1101000000000")


def test_a_program_keeps_the_time_that_it_gives() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 1000})
    for second, value in ((1, 100.0), (2, 101.0)):
        bench.feed(value, t=UtcTime(second * 10**9))
        assert bench.get("TotW.t") == UtcTime(second * 10**9)
    bench.feed(200.0)
    assert bench.get("TotW.t") == UtcTime(2 * 10**9)


# ---------------------------------------------------------------------- what clients write


@pytest.mark.conformance("SRV-11")
def test_a_deadband_that_a_client_writes_holds_at_once_and_from_then_on() -> None:
    bench = Bench(**SPAN, **{"TotW.db": 10_000})
    bench.feed(100.0)
    bench.feed(110.0)
    assert bench.get("TotW.mag.f") == 100.0
    CLOCK.pass_ms(10, bench.engine)
    bench.write(db=unsigned(500))
    assert (bench.get("TotW.mag.f"), bench.get("TotW.t")) == (110.0, UtcTime(CLOCK.now().utc_ns))
    bench.feed(114.0)
    bench.feed(116.0)
    assert bench.get("TotW.mag.f") == 116.0


@pytest.mark.conformance("SRV-11")
def test_a_limit_that_a_client_writes_judges_the_present_value() -> None:
    bench = Bench(**{"TotW.mag.f": 50.0})
    bench.write(**{"rangeC$lLim$f": single(0.0)})
    assert bench.shown() == (50.0, Range.NORMAL, "good")
    bench.write(**{"rangeC$hLim$f": single(40.0), "rangeC$max$f": single(45.0)})
    assert bench.shown() == (50.0, Range.HIGH, "questionable (outOfRange)")
    bench.feed(-1.0)
    assert bench.shown() == (-1.0, Range.LOW, "good")


# ---------------------------------------------------------------------- beside other behaviours


def test_substitution_covers_what_is_measured_and_the_process_goes_on_underneath() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 1000})
    bench.feed(50.0)
    bench.update({"TotW.subMag.f": 42.0, "TotW.subEna": True})
    bench.feed(50.5)
    bench.feed(101.0)
    assert bench.shown() == (42.0, Range.HIGH_HIGH, "good (substituted)")
    bench.update({"TotW.subEna": False})
    assert bench.shown() == (101.0, Range.HIGH_HIGH, "questionable (outOfRange)")
    bench.feed(50.0)
    assert bench.shown() == (50.0, Range.NORMAL, "good")


def test_a_commit_that_does_not_fit_changes_nothing() -> None:
    bench = Bench(**WIDE, **{"TotW.db": 1000})
    bench.feed(50.0)
    with pytest.raises(TypeError):
        bench.update({"TotW.instMag.f": 99.0, "Ind1.stVal": "yes"})
    bench.update({"TotW.q": quality.INACCURATE})
    assert (bench.get("TotW.instMag.f"), *bench.shown()) == (50.0, 50.0, Range.NORMAL, "good (inaccurate)")


def test_what_is_not_measured_costs_nothing() -> None:
    bench = Bench()
    before = bench.engine.model.cache.encodings
    bench.update({"Ind1.stVal": True})
    assert bench.engine.model.cache.encodings == before + 1
