"""Measured values that the field feeds: the model's deadband, or that of the map, and a time that moves with what is shown."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bus import quality
from bus.messages import Sample
from bus.quality import Stamp, UtcTime
from mapping.compile import Compiled
from mapping.diagnostics import Diagnostics
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mms_server.acsi.measured_values.deadband import Range
from mms_server.engine import Engine
from mms_server.field.values import FieldValues
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel
from tests.support.engine_client import IDENTITY
from tests.support.sites import SCL, SITE, compile_folder

ROWS = """\
points:
  LD0/GGIO1.AnIn1: {from: io1.temperature, deadband: 5 degC}
  LD0/GGIO1.AnIn2: io1.temperature
  LD0/GGIO1.AnIn3: io1.temperature
unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]
"""
CONFIGURED = """\
<DA name="range" fc="MX" bType="Enum" type="Range" dchg="true"/>
<DA name="db" fc="CF" bType="INT32U"><Val>2000</Val></DA>
<DA name="rangeC" fc="CF" bType="Struct" type="RangeConfig"/>
"""
TYPES = """\
<DAType id="RangeConfig">
  <BDA name="hLim" bType="Struct" type="Limit80"/><BDA name="min" bType="Struct" type="Value"/>
  <BDA name="max" bType="Struct" type="Limit100"/>
</DAType>
<DAType id="Limit80"><BDA name="f" bType="FLOAT32"><Val>80</Val></BDA></DAType>
<DAType id="Limit100"><BDA name="f" bType="FLOAT32"><Val>100</Val></BDA></DAType>
<EnumType id="Range">
  <EnumVal ord="0">normal</EnumVal><EnumVal ord="1">high</EnumVal><EnumVal ord="2">low</EnumVal>
</EnumType>
"""
TEMPERATURE = 0
UTC = 1_700_000_000_000_000_000


def at(seconds: float) -> Stamp:
    return Stamp(round(seconds * 1e9), UTC + round(seconds * 1e9))


@dataclass
class Bench:
    """AnIn1: instMag and mag, a deadband in the map. AnIn2: mag alone. AnIn3: both, by the model's db of 2 %."""

    values: FieldValues
    engine: Engine
    events: Changes = field(default_factory=lambda: Changes([], [], []))

    def say(self, seconds: float, value: float | None, judged: int = quality.GOOD) -> None:
        sample = Sample(TEMPERATURE, value, judged, at(seconds).utc_ns)
        fed = self.values.samples([sample], [at(seconds).monotonic_ns], 0x0A, at(seconds))
        self.engine.commit(fed.first, at(seconds))
        self.events = self.engine.commit(fed.changes, at(seconds))

    def get(self, path: str) -> Any:
        return self.engine.model.value(self.engine.model.find(f"LD0/GGIO1.{path}"))

    def mag(self, name: str) -> tuple[object, float]:
        """mag, and the second that `t` says."""
        stamp = self.get(f"{name}.t")
        assert isinstance(stamp, UtcTime)
        return pytest.approx(self.get(f"{name}.mag.f"), abs=1e-3), (stamp.ns - UTC) / 1e9


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    text = SCL.read_text(encoding="utf-8")
    both = '<DA name="instMag" fc="MX" bType="Struct" type="Value"/>'
    text = text.replace('<DOType id="MV" cdc="MV">', f'<DOType id="MV" cdc="MV">{CONFIGURED}')
    text = text.replace(both, f"{both}{CONFIGURED}").replace(
        '<DO name="AnIn3" type="MV"/>', '<DO name="AnIn3" type="MV-deadband"/>'
    )
    text = text.replace('<DAType id="Value">', f'{TYPES}<DAType id="Value">')
    text = text.replace('<DAI name="SIUnit"><Val>W</Val></DAI><DAI name="multiplier"><Val>M</Val></DAI>', "")
    (tmp_path / "io.icd").write_text(text, encoding="utf-8")
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "map.yaml").write_text(ROWS, encoding="utf-8")
    compiled: Compiled = compile_folder(tmp_path)
    assert compiled.plan is not None, list(compiled.diagnostics.found)
    plan = compiled.plan
    found = Diagnostics()
    engine = Engine(DataModel(server(read(tmp_path / "io.icd", found), None, None, found)), IDENTITY)
    values = FieldValues(plan.ieds[0], plan.points(), dict.fromkeys(plan.points(), "tcp"), engine.model, engine.process)
    engine.field_feeds(values.held())
    engine.commit(values.start(), at(0))
    return Bench(values, engine)


@pytest.mark.conformance("SRV-11", "SRV-9")
def test_the_models_deadband_holds_mag_and_time_back_with_and_without_inst_mag(bench: Bench) -> None:
    for second, value, mag, since in (
        (1, 50.0, 50.0, 1), (2, 51.0, 50.0, 1), (3, 52.0, 50.0, 1), (4, 50.0, 50.0, 1), (5, 52.1, 52.1, 5), (6, 51.5, 52.1, 5),
    ):  # fmt: skip
        bench.say(second, value)
        assert bench.mag("AnIn2") == (mag, since)
        assert bench.mag("AnIn3") == (mag, since)
        assert bench.get("AnIn3.instMag.f") == pytest.approx(value)


@pytest.mark.conformance("SRV-11")
def test_a_deadband_of_the_map_stands_for_that_of_the_model(bench: Bench) -> None:
    for second, value, mag, since in ((1, 50.0, 50.0, 1), (2, 54.0, 50.0, 1), (3, 55.0, 55.0, 3)):
        bench.say(second, value)
        assert bench.mag("AnIn1") == (mag, since)


@pytest.mark.conformance("SRV-11")
@pytest.mark.parametrize("name", ["AnIn1", "AnIn2", "AnIn3"])
def test_a_change_of_range_shows_the_value_at_once_with_its_time(bench: Bench, name: str) -> None:
    bench.say(1, 79.0)
    bench.say(2, 80.5)
    assert (bench.mag(name), bench.get(f"{name}.range")) == ((80.5, 2), Range.HIGH)


@pytest.mark.conformance("SRV-9")
@pytest.mark.parametrize("name", ["AnIn1", "AnIn2", "AnIn3"])
def test_time_stands_still_while_a_value_stays_out_of_range(bench: Bench, name: str) -> None:
    bench.say(1, 50.0)
    for second in (2, 3, 4):
        bench.say(second, 120.0)
        assert (bench.mag(name), quality.describe(bench.get(f"{name}.q"))) == ((120.0, 2), "questionable (outOfRange)")
    assert bench.events == Changes([], [], [])


@pytest.mark.conformance("SRV-9", "GW-1")
@pytest.mark.parametrize("name", ["AnIn2", "AnIn3"])
def test_a_failed_read_keeps_the_value_and_moves_the_time(bench: Bench, name: str) -> None:
    bench.say(1, 50.0)
    bench.say(2, 51.0)
    bench.say(3, None, quality.NO_ANSWER)
    assert quality.describe(bench.get(f"{name}.q")) == "invalid (failure, oldData)"
    assert bench.mag(name)[1] == 3
    bench.say(4, 51.0)
    assert (bench.mag(name), quality.describe(bench.get(f"{name}.q"))) == ((51.0, 4), "good")
