"""Values from the field beneath a substitution or a block: what the process says is kept, with the time at which it said so."""

from pathlib import Path
from typing import Any

import pytest

from bus import quality
from bus.messages import Sample
from bus.quality import Stamp, UtcTime
from mapping.diagnostics import Diagnostics
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mms_server.engine import Engine
from mms_server.field.values import FieldValues
from mms_server.model.tree import DataModel
from tests.support.engine_client import IDENTITY, EngineClient
from tests.support.sites import SCL, compile_folder, write_site
from tests.support.wire_data import boolean

ROWS = """\
points:
  LD0/GGIO1.Ind1: io1.relay
unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]
"""
RELAY = 4
SPS = '<DOType id="SPS" cdc="SPS">'
COVERS = """\
<DA name="subEna" fc="SV" bType="BOOLEAN"/><DA name="subVal" fc="SV" bType="BOOLEAN"/><DA name="subQ" fc="SV" bType="Quality"/>
<DA name="subID" fc="SV" bType="VisString64"/><DA name="blkEna" fc="BL" bType="BOOLEAN"/>"""
UTC = 1_700_000_000_000_000_000


def at(seconds: float) -> Stamp:
    return Stamp(round(seconds * 1e9), UTC + round(seconds * 1e9))


class Bench:
    """A relay of the field, a status that it feeds, and a client that covers it."""

    def __init__(self, folder: Path) -> None:
        write_site(folder, ROWS)
        scl = folder / "io.icd"
        scl.write_text(SCL.read_text(encoding="utf-8").replace(SPS, SPS + COVERS), encoding="utf-8")
        plan = compile_folder(folder).plan
        assert plan is not None
        found = Diagnostics()
        self.engine = Engine(DataModel(server(read(scl, found), None, None, found)), IDENTITY)
        workers = dict.fromkeys(plan.points(), "tcp")
        self.values = FieldValues(plan.ieds[0], plan.points(), workers, self.engine.model, self.engine.process)
        self.engine.commit(self.values.start(), at(0))
        self.client = EngineClient(self.engine)

    def say(self, seconds: float, value: bool) -> None:
        sample = Sample(RELAY, value, quality.GOOD, at(seconds).utc_ns)
        fed = self.values.samples([sample], [at(seconds).monotonic_ns], 0x0A, at(seconds))
        self.engine.commit(fed.first, at(seconds))
        self.engine.commit(fed.changes, at(seconds))

    def cover(self, **attributes: bool) -> None:
        for name, value in attributes.items():
            item = f"GGIO1${'BL' if name == 'blkEna' else 'SV'}$Ind1${name}"
            assert self.client.write("IOLD0", (item, boolean(value))) == ["success"]

    def shown(self) -> tuple[Any, str, float]:
        """Value, quality and the second that `t` says."""
        model = self.engine.model
        value, judged, stamp = (model.value(model.find(f"LD0/GGIO1.Ind1.{name}")) for name in ("stVal", "q", "t"))
        assert isinstance(judged, int)
        assert isinstance(stamp, UtcTime)
        return value, quality.describe(judged), (stamp.ns - UTC) / 1e9


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    one = Bench(tmp_path)
    one.say(1, False)
    return one


@pytest.mark.conformance("SUB-2")
def test_the_process_that_comes_to_agree_with_the_substitution_is_not_forgotten(bench: Bench) -> None:
    bench.cover(subVal=True, subEna=True)
    bench.say(2, True)
    assert bench.shown()[:2] == (True, "good (substituted)")
    bench.cover(subEna=False)
    assert bench.shown() == (True, "good", 2.0)


@pytest.mark.conformance("SUB-1", "SRV-9")
def test_polls_that_bring_nothing_new_do_not_move_time_though_something_else_is_shown(bench: Bench) -> None:
    bench.cover(subVal=True, subEna=True)
    for second in (2, 3, 4):
        bench.say(second, False)
        assert bench.shown() == (True, "good (substituted)", 1.0)
    bench.cover(subEna=False)
    assert bench.shown() == (False, "good", 1.0)


def test_what_was_blocked_comes_back_with_the_time_of_its_change(bench: Bench) -> None:
    bench.cover(blkEna=True)
    for second, value in ((2, True), (3, True), (4, True)):
        bench.say(second, value)
        assert bench.shown() == (False, "questionable (oldData, operatorBlocked)", 1.0)
    bench.cover(blkEna=False)
    assert bench.shown() == (True, "good", 2.0)
