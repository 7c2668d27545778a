"""Substitution, blocking and the mode: the overrides of process values, and the process values after them."""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from bus import quality
from mapping.model import FC, BasicType, DataSet, DataSetMember, LogicalNodeType, ReportControl
from mms_server.acsi.substitution import derived
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, bare
from tests.support.wire_data import bits, boolean, single, structure, text

LD = "DEMOLD0"


def substitutable(name: str) -> Any:
    """An MV with substitution and blocking."""
    return models.data_object(
        name, "MV",
        models.struct("instMag", FC.MX, models.leaf("f", BasicType.FLOAT32)),
        models.struct("mag", FC.MX, models.leaf("f", BasicType.FLOAT32), dchg=True),
        *models.quality_and_time(FC.MX),
        models.leaf("subEna", BasicType.BOOLEAN, FC.SV),
        models.struct("subMag", FC.SV, models.leaf("f", BasicType.FLOAT32)),
        models.leaf("subQ", BasicType.QUALITY, FC.SV), models.leaf("subID", BasicType.VIS_STRING_64, FC.SV),
        models.leaf("blkEna", BasicType.BOOLEAN, FC.BL),
    )  # fmt: skip


MODE = models.status("Mod", BasicType.ENUM, models.BEHAVIOUR)
BEH = models.status("Beh", BasicType.ENUM, models.BEHAVIOUR)
MMXU = LogicalNodeType("MMXU", "MMXU", (MODE, BEH, substitutable("TotW"), models.status("Ind1")))


class Bench:
    def __init__(self, file: Mapping[str, Any] = MappingProxyType({})) -> None:
        """`file`: the values that the SCL file has for the MMXU, by path."""
        told = DataSet("told", (DataSetMember("DEMOLD0", "MMXU1$MX$TotW"),))
        block = ReportControl("told", False, True, 1, None, "told", 1, 0, 0, 0b011001, 0b0101110100)
        server = models.server(models.lln0(data_sets=(told,), reports=(block,)), models.node(MMXU, values=file))
        self.engine = Engine(DataModel(server), IDENTITY)
        self.client = EngineClient(self.engine)

    def process(self, value: float, judged: int = 0) -> Any:
        find = self.engine.model.find
        pairs = [(find("LD0/MMXU1.TotW.mag.f"), value), (find("LD0/MMXU1.TotW.instMag.f"), value)]
        return self.engine.commit([*pairs, (find("LD0/MMXU1.TotW.q"), judged)], CLOCK.now())

    def set(self, reference: str, value: Any) -> Any:
        return self.engine.commit([(self.engine.model.find(f"LD0/{reference}"), value)], CLOCK.now())

    def put(self, *pairs: tuple[str, bytes]) -> Any:
        return self.client.write(LD, *pairs)

    def time_s(self) -> int:
        stamp = self.engine.model.value(self.engine.model.find("LD0/MMXU1.TotW.t"))
        assert isinstance(stamp, quality.UtcTime)
        return stamp.ns // 1_000_000_000

    def shown(self) -> tuple[float, float, str]:
        model = self.engine.model
        judged = int(str(model.value(model.find("LD0/MMXU1.TotW.q"))))
        mag, inst = (model.value(model.find(f"LD0/MMXU1.TotW.{name}.f")) for name in ("mag", "instMag"))
        return float(str(mag)), float(str(inst)), quality.describe(judged)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.process(5.0)
    return bench


@pytest.mark.conformance("SUB-1", "SUB-2", "SUB-3", "SUB-4")
def test_substitution_shows_its_own_value_and_then_the_process_again(bench: Bench) -> None:
    assert bench.put(
        ("MMXU1$SV$TotW$subMag", structure(single(42.0))), ("MMXU1$SV$TotW$subQ", bits("0" * 13)),
        ("MMXU1$SV$TotW$subID", text("operator")),
    ) == ["success"] * 3  # fmt: skip
    assert bench.shown() == (5.0, 5.0, "good")
    assert bench.put(("MMXU1$SV$TotW$subEna", boolean(True))) == ["success"]
    assert bench.shown() == (42.0, 42.0, "good (substituted)")
    bench.process(6.0, quality.NO_ANSWER)
    assert bench.shown() == (42.0, 42.0, "good (substituted)")
    assert bench.put(("MMXU1$SV$TotW$subMag$f", single(43.0))) == ["success"]
    assert bench.shown() == (43.0, 43.0, "good (substituted)")
    bench.client.close()
    assert bench.shown()[0] == 43.0
    bench.client = EngineClient(bench.engine)
    assert bench.put(("MMXU1$SV$TotW$subEna", boolean(False))) == ["success"]
    assert bench.shown() == (6.0, 6.0, "invalid (failure, oldData)")
    bench.process(7.0)
    assert bench.shown() == (7.0, 7.0, "good")


def test_substitution_is_a_change_like_any_other(bench: Bench) -> None:
    bench.set("MMXU1.TotW.subMag.f", 42.0)
    find = bench.engine.model.find
    changes = bench.set("MMXU1.TotW.subEna", True)
    assert (changes.dchg, changes.qchg) == ([find("LD0/MMXU1.TotW.mag.f")], [find("LD0/MMXU1.TotW.q")])
    assert bench.process(99.0).dchg == []


@pytest.mark.conformance("SUB-1", "SUB-2")
def test_reports_tell_of_substitution_as_it_comes_and_goes(bench: Bench) -> None:
    assert bench.put(("LLN0$RP$told01$RptEna", boolean(True))) == ["success"]
    bench.put(("MMXU1$SV$TotW$subMag$f", single(42.0)), ("MMXU1$SV$TotW$subID", text("me")))
    assert bench.client.reports() == []
    bench.put(("MMXU1$SV$TotW$subEna", boolean(True)))
    bench.put(("MMXU1$SV$TotW$subMag$f", single(43.0)))
    bench.process(6.0)
    bench.put(("MMXU1$SV$TotW$subEna", boolean(False)))
    bench.process(7.0)
    told = [(one.values[0][1][0][1:].hex(), one.reasons) for one in bench.client.reports()]
    shown = [(42.0, "011000"), (43.0, "010000"), (6.0, "011000"), (7.0, "010000")]
    assert told == [(struct.pack(">f", value).hex(), [reason]) for value, reason in shown]
    (identity,) = bench.client.read(LD, "MMXU1$SV$TotW$subID")
    assert bare(identity["success"]) == "me"


def test_a_blocked_value_is_held_and_says_so(bench: Bench) -> None:
    bench.set("MMXU1.TotW.t", 1_700_000_000.0)
    assert bench.put(("MMXU1$BL$TotW$blkEna", boolean(True))) == ["success"]
    assert bench.shown() == (5.0, 5.0, "questionable (oldData, operatorBlocked)")
    assert bench.process(6.0).dchg == []
    bench.set("MMXU1.TotW.t", 1_700_000_060.0)
    assert bench.shown() == (5.0, 5.0, "questionable (oldData, operatorBlocked)")
    assert bench.time_s() == 1_700_000_000
    bench.process(6.0, quality.NO_ANSWER)
    assert bench.shown() == (5.0, 5.0, "invalid (failure, oldData, operatorBlocked)")
    bench.put(("MMXU1$BL$TotW$blkEna", boolean(False)))
    assert bench.shown() == (6.0, 6.0, "invalid (failure, oldData)")
    assert bench.time_s() == 1_700_000_060
    bench.process(7.0)
    assert bench.shown() == (7.0, 7.0, "good")


def test_what_was_blocked_is_what_the_process_said_before_whatever_is_substituted_meanwhile(bench: Bench) -> None:
    bench.put(("MMXU1$SV$TotW$subMag$f", single(42.0)), ("MMXU1$SV$TotW$subEna", boolean(True)))
    bench.process(6.0)
    assert bench.put(("MMXU1$BL$TotW$blkEna", boolean(True))) == ["success"]
    assert bench.shown() == (42.0, 42.0, "good (substituted, operatorBlocked)")
    bench.process(7.0)
    bench.put(("MMXU1$SV$TotW$subEna", boolean(False)))
    assert bench.shown() == (6.0, 6.0, "questionable (oldData, operatorBlocked)")
    bench.put(("MMXU1$SV$TotW$subEna", boolean(True)), ("MMXU1$BL$TotW$blkEna", boolean(False)))
    assert bench.shown() == (42.0, 42.0, "good (substituted)")
    bench.put(("MMXU1$SV$TotW$subEna", boolean(False)))
    assert bench.shown() == (7.0, 7.0, "good")


@pytest.mark.conformance("CNF-3")
@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ({"TotW.subEna": True, "TotW.subMag.f": 42.0}, (42.0, 42.0, "good (substituted)")),
        ({"TotW.mag.f": 5.0, "TotW.instMag.f": 5.0, "TotW.blkEna": True},
         (5.0, 5.0, "questionable (oldData, operatorBlocked)")),
    ],
    ids=["substituted", "blocked"],
)  # fmt: skip
def test_what_the_file_covers_is_covered_from_the_start(file: dict[str, Any], shown: Any) -> None:
    bench = Bench(file)
    assert bench.shown() == shown
    bench.process(6.0)
    assert bench.shown() == shown
    bench.put(("MMXU1$SV$TotW$subEna", boolean(False)), ("MMXU1$BL$TotW$blkEna", boolean(False)))
    assert bench.shown() == (6.0, 6.0, "good")


@pytest.mark.conformance("CNF-3", "SRV-10")
@pytest.mark.parametrize(("mode", "judged"), [(1, "good"), (2, "good"), (3, "good (test)"), (5, "invalid")])
def test_beh_follows_the_mode_of_the_file_from_the_start(mode: int, judged: str) -> None:
    bench = Bench({"Mod.stVal": mode})
    assert bench.engine.model.value(bench.engine.model.find("LD0/MMXU1.Beh.stVal")) == mode
    bench.process(6.0)
    assert bench.shown() == (6.0, 6.0, judged)


@pytest.mark.conformance("SRV-10")
@pytest.mark.parametrize(
    ("mode", "judged"), [(1, "good"), (2, "good"), (3, "good (test)"), (4, "good (test)"), (5, "invalid")]
)
@pytest.mark.parametrize("where", ["MMXU1", "LLN0"])
def test_the_mode_shows_in_every_quality_and_beh_follows_it(bench: Bench, mode: int, judged: str, where: str) -> None:
    bench.set(f"{where}.Mod.stVal", mode)
    model = bench.engine.model
    assert model.value(model.find("LD0/MMXU1.Beh.stVal")) == mode
    assert bench.shown()[2] == judged
    bench.process(6.0)
    assert bench.shown()[2] == judged
    bench.set(f"{where}.Mod.stVal", 1)
    assert bench.shown()[2] == "good"


@pytest.mark.parametrize(
    ("modes", "beh"),
    [([1, 1], 1), ([1, 2], 2), ([3, 1], 3), ([2, 3], 4), ([4, 1], 4), ([5, 1], 5), ([3, 5], 5), ([], 1), ([3], 3)],
)
def test_beh_is_what_both_modes_make_of_it(modes: list[int], beh: int) -> None:
    assert derived(modes) == beh
    assert derived(modes[::-1]) == beh
