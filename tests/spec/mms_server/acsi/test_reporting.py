"""Reports of unbuffered blocks, in virtual time (IEC 61850-7-2 URCB, IEC 61850-8-1 report mapping)."""

from typing import Any

import pytest

from bus.quality import Stamp
from mapping.model import ClientLn, DataSet, DataSetMember, Edition, ReportControl, ReportSettings, Setting
from mms_server.acsi.clients import OUTBOX_OCTETS
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, Report, name, variable
from tests.support.wire_data import bits, boolean, octets, text, unsigned

LD = "DEMOLD0"
URCB = "LLN0$RP$events01"
TOTW, TOTW_F, HARMONIC, STATES = range(4)  # members of the data set
DCHG, QCHG, DUPD, INTEGRITY, GI = "010000", "001000", "000100", "000010", "000001"
ALL_TRIGGERS = "011111"
ALL_FIELDS = "0111111110"
GOOD, INVALID = 0, 0b01 << 11


class Bench:
    """An engine with the demo model, and its clients."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine(DataModel(models.demo()), IDENTITY)
        self.engine.start(CLOCK.now())
        self.client = EngineClient(self.engine)

    def set(self, **values: Any) -> None:
        """One commit; names are the last steps of a reference within LD0, `totw_f=5.0`."""
        find = self.engine.model.find
        places = {
            "f": "MMXU1.TotW.mag.f", "q": "MMXU1.TotW.q", "t": "MMXU1.TotW.t", "db": "MMXU1.TotW.db",
            "harmonic": "MMXU1.HA.phsAHar(2).cVal.mag.f", "ind": "GGIO1.Ind1.stVal", "ind_q": "GGIO1.Ind1.q",
        }  # fmt: skip
        self.engine.commit([(find(f"LD0/{places[key]}"), value) for key, value in values.items()], CLOCK.now())

    def write(self, *pairs: tuple[str, bytes], block: str = URCB, client: EngineClient | None = None) -> list[Any]:
        return (client or self.client).write(LD, *((f"{block}${key}", data) for key, data in pairs))

    def enable(self, *, block: str = URCB, client: EngineClient | None = None, **attributes: bytes) -> None:
        pairs = [*attributes.items(), ("RptEna", boolean(True))]
        assert self.write(*pairs, block=block, client=client) == ["success"] * len(pairs)

    def read(self, attribute: str, block: str = URCB) -> Any:
        (result,) = self.client.read(LD, f"{block}${attribute}")
        ((_, value),) = result["success"].items()
        return value

    def pass_ms(self, milliseconds: float) -> None:
        CLOCK.pass_ms(milliseconds, self.engine)

    def reports(self) -> list[Report]:
        return self.client.reports()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def members(report: Report) -> list[int]:
    return [number for number, bit in enumerate(report.inclusion) if bit == "1"]


def milliseconds(time_of_entry: bytes) -> int:
    """A BinaryTime: milliseconds since midnight, days since 1984."""
    return int.from_bytes(time_of_entry[:4], "big") + 86_400_000 * int.from_bytes(time_of_entry[4:], "big")


IMMEDIATE: dict[str, Any] = {
    "BufTm": unsigned(0),
    "TrgOps": bits(ALL_TRIGGERS),
    "OptFlds": bits(ALL_FIELDS),
    "IntgPd": unsigned(0),
}

# ---------------------------------------------------------------------- what is there


@pytest.mark.conformance("RP-1")
def test_a_blocks_attributes_stand_in_the_standards_order_with_the_files_values(bench: Bench) -> None:
    described = bench.client.type_of(LD, URCB)["type"]["structure"]["components"]
    assert [one["name"] for one in described] == [
        "RptID", "RptEna", "Resv", "DatSet", "ConfRev", "OptFlds", "BufTm", "SqNum", "TrgOps", "IntgPd", "GI",
    ]  # fmt: skip
    assert [bench.read(attribute) for attribute in ("DatSet", "ConfRev", "BufTm", "IntgPd", "TrgOps")] == [
        "DEMOLD0/LLN0$measured", 7, 100, 5000, "011001",
    ]  # fmt: skip


@pytest.mark.conformance("RP-2")
@pytest.mark.parametrize(
    "flags", [f"{number:010b}" for number in (0, 0x1FE, 0x100, 0x80, 0x40, 0x20, 0x10, 0xE, 0x3FF)]
)
def test_a_report_has_the_fields_of_optflds_in_order_and_none_besides(bench: Bench, flags: str) -> None:
    bench.enable(**IMMEDIATE | {"OptFlds": bits(flags)})
    bench.set(f=5.0)
    (report,) = bench.reports()
    assert report.opt_flds == "0" + flags[1:6] + "00" + flags[8] + "0"  # no bufOvfl, no entryID in an URCB
    assert (report.sq_num, report.data_set, report.conf_rev) == (
        0 if flags[1] == "1" else None,
        "DEMOLD0/LLN0$measured" if flags[4] == "1" else None,
        7 if flags[8] == "1" else None,
    )
    assert report.references == (["DEMOLD0/MMXU1$MX$TotW", "DEMOLD0/MMXU1$MX$TotW$mag$f"] if flags[5] == "1" else [])
    assert len(report.values) == 2


# ---------------------------------------------------------------------- triggers


@pytest.mark.conformance("RP-3")
@pytest.mark.parametrize("triggers", [f"{number:06b}" for number in range(0, 32, 4)])
def test_only_the_triggers_that_are_enabled_give_reports(bench: Bench, triggers: str) -> None:
    bench.enable(**IMMEDIATE | {"TrgOps": bits(triggers)})
    bench.set(f=5.0)
    bench.set(q=INVALID)
    found = [(members(report), report.reasons) for report in bench.reports()]
    expected = []
    if triggers[1] == "1":
        expected.append(([TOTW, TOTW_F], [DCHG, DCHG]))
    if triggers[2] == "1":
        expected.append(([TOTW], [QCHG]))
    assert found == expected


@pytest.mark.conformance("RP-3")
def test_an_update_that_changes_nothing_is_no_data_change() -> None:
    server = models.demo()
    with_db = DataSet("measured", (DataSetMember(LD, "MMXU1$CF$TotW$db"), DataSetMember(LD, "MMXU1$MX$TotW")))
    lln0 = models.lln0(data_sets=(with_db,))
    server = models.server(lln0, *server.devices[0].nodes[1:])
    bench = Bench(Engine(DataModel(server), IDENTITY))
    bench.enable(**IMMEDIATE)
    bench.set(db=0)
    bench.set(f=42.5)
    bench.set(db=3)
    assert [(members(report), report.reasons) for report in bench.reports()] == [([0], [DUPD]), ([0], [DUPD])]


@pytest.mark.conformance("RP-3", "RP-15")
def test_value_and_quality_of_one_commit_are_one_report_with_both_reasons(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    bench.set(f=5.0, q=INVALID, t=1.0, harmonic=2.0, ind=True)
    (report,) = bench.reports()
    assert members(report) == [TOTW, TOTW_F, HARMONIC, STATES]
    assert report.reasons == ["011000", DCHG, DCHG, DCHG]
    assert report.values[0][1] == "0100000000000"


@pytest.mark.conformance("RP-8", "RP-9")
def test_a_change_of_one_attribute_sends_its_whole_object_once_and_a_new_time_alone_sends_nothing(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    bench.set(t=77.0)
    assert bench.reports() == []
    bench.set(ind_q=INVALID)
    (report,) = bench.reports()
    assert (members(report), report.reasons) == ([STATES], [QCHG])
    assert bench.client.read(LD, "GGIO1$ST") == [{"success": {"structure": _again(report, bench)}}]


def _again(report: Report, bench: Bench) -> Any:
    (result,) = bench.client.read(LD, "GGIO1$ST")
    assert len(report.values[0]) == len(result["success"]["structure"])
    return result["success"]["structure"]


@pytest.mark.conformance("GW-6")
def test_a_nan_that_stays_is_no_storm(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    for _ in range(5):
        bench.set(f=float("nan"))
    assert len(bench.reports()) == 1


def test_quiet_updates_give_no_report_and_forced_ones_always_do(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    slot = bench.engine.model.find("LD0/MMXU1.TotW.mag.f")
    bench.engine.commit([(slot, 5.0)], CLOCK.now(), quiet=True)
    assert bench.reports() == []
    bench.engine.commit([(slot, 5.0)], CLOCK.now(), force=True)
    assert [report.reasons for report in bench.reports()] == [[DCHG, DCHG]]


# ---------------------------------------------------------------------- BufTm


@pytest.mark.conformance("RP-7")
def test_events_of_different_members_within_buftm_are_one_report(bench: Bench) -> None:
    bench.enable(**IMMEDIATE | {"BufTm": unsigned(100)})
    bench.set(ind=True)
    bench.pass_ms(50)
    bench.set(harmonic=3.0)
    assert bench.reports() == []
    bench.pass_ms(49)
    assert bench.reports() == []
    bench.pass_ms(1)
    (report,) = bench.reports()
    assert members(report) == [HARMONIC, STATES]


@pytest.mark.conformance("RP-7")
def test_a_second_event_of_a_member_sends_the_first_at_once_and_opens_a_new_window(bench: Bench) -> None:
    bench.enable(**IMMEDIATE | {"BufTm": unsigned(100)})
    bench.set(ind=True)
    bench.pass_ms(60)
    bench.set(ind=False)
    (first,) = bench.reports()
    bench.pass_ms(99)
    assert bench.reports() == []
    bench.pass_ms(1)
    (second,) = bench.reports()
    shown = [report.values[0] for report in (first, second)]
    assert shown[0] != shown[1]
    assert (first.sq_num, second.sq_num) == (0, 1)


# ---------------------------------------------------------------------- integrity and general interrogation


@pytest.mark.conformance("RP-10")
@pytest.mark.parametrize(("triggers", "period", "expected"), [("000010", 500, 4), ("011101", 500, 0), ("000010", 0, 0)])
def test_integrity_reports_come_by_their_period(bench: Bench, triggers: str, period: int, expected: int) -> None:
    bench.enable(**IMMEDIATE | {"TrgOps": bits(triggers), "IntgPd": unsigned(period)})
    bench.pass_ms(2100)
    reports = bench.reports()
    assert [(report.inclusion, report.reasons) for report in reports] == [("1111", [INTEGRITY] * 4)] * expected


@pytest.mark.conformance("GW-9")
def test_integrity_reports_that_were_missed_are_not_made_up_for(bench: Bench) -> None:
    bench.enable(**IMMEDIATE | {"IntgPd": unsigned(500)})
    CLOCK.pass_ms(5000)
    bench.engine.deadline(CLOCK.now())
    assert len(bench.reports()) == 1
    bench.pass_ms(500)
    assert len(bench.reports()) == 1


@pytest.mark.conformance("GW-9")
@pytest.mark.parametrize("hours", [1, -1])
def test_a_jump_of_the_clock_changes_times_of_entry_and_no_period(bench: Bench, hours: int) -> None:
    bench.enable(**IMMEDIATE | {"IntgPd": unsigned(500)})

    def jumped() -> Stamp:
        now = CLOCK.now()
        return now._replace(utc_ns=now.utc_ns + hours * 3_600_000_000_000)

    bench.pass_ms(500)
    (before,) = bench.reports()
    CLOCK.pass_ms(499)
    bench.engine.deadline(jumped())
    assert bench.reports() == []
    CLOCK.pass_ms(1)
    bench.engine.deadline(jumped())
    (after,) = bench.reports()
    assert before.time is not None
    assert after.time is not None
    assert milliseconds(after.time) - milliseconds(before.time) == 500 + hours * 3_600_000
    bench.engine.deadline(jumped())
    assert bench.reports() == []


@pytest.mark.conformance("RP-11")
def test_a_general_interrogation_sends_all_and_gi_reads_false_afterwards(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    assert bench.write(("GI", boolean(True))) == ["success"]
    (report,) = bench.reports()
    assert (report.inclusion, report.reasons) == ("1111", [GI] * 4)
    assert bench.read("GI") is False
    bench.write(("RptEna", boolean(False)), ("TrgOps", bits("011110")), ("RptEna", boolean(True)))
    assert bench.write(("GI", boolean(True))) == ["success"]
    assert bench.reports() == []


def test_what_happened_before_an_interrogation_is_sent_before_it(bench: Bench) -> None:
    bench.enable(**IMMEDIATE | {"BufTm": unsigned(1000)})
    bench.set(ind=True)
    bench.write(("GI", boolean(True)))
    assert [members(report) for report in bench.reports()] == [[STATES], [0, 1, 2, 3]]
    bench.pass_ms(2000)
    assert bench.reports() == []


# ---------------------------------------------------------------------- segmentation, sequence


@pytest.mark.conformance("RP-5")
def test_a_report_that_is_too_long_comes_in_segments(bench: Bench) -> None:
    bench.client = EngineClient(bench.engine, max_pdu=420)
    bench.enable(**IMMEDIATE)
    bench.write(("GI", boolean(True)))
    bench.set(ind=True)
    reports = bench.reports()
    segmented = [report for report in reports if report.segment is not None]
    assert [report.segment for report in segmented] == [(0, True), (1, False)]
    assert {(report.sq_num, report.time, report.opt_flds[9]) for report in segmented} == {(0, segmented[0].time, "1")}
    assert [members(report) for report in segmented] == [[0, 1, 2], [3]]
    assert [(report.sq_num, report.segment) for report in reports[2:]] == [(1, None)]


@pytest.mark.conformance("RP-5")
def test_a_member_that_fits_no_pdu_prevents_enabling(bench: Bench) -> None:
    bench.client = EngineClient(bench.engine, max_pdu=300)
    assert bench.write(("RptEna", boolean(True))) == [2]
    assert bench.read("RptEna") is False


@pytest.mark.conformance("RP-14")
def test_the_sequence_number_wraps_from_255_to_0_and_starts_anew_with_each_enabling(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    for turn in range(258):
        bench.set(f=float(turn + 1))
    numbers = [report.sq_num for report in bench.reports()]
    assert numbers == [*range(256), 0, 1]
    assert bench.read("SqNum") == 2
    bench.write(("RptEna", boolean(False)), ("RptEna", boolean(True)))
    bench.set(f=-1.0)
    assert [report.sq_num for report in bench.reports()] == [0]


@pytest.mark.conformance("BR-16")
def test_what_a_client_does_not_take_is_dropped_whole_and_sqnum_shows_it(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    for turn in range(2000):
        bench.set(f=float(turn + 1), ind=turn % 2 == 0)
    assert bench.client.client.outbox.octets <= OUTBOX_OCTETS
    taken = bench.reports()
    assert [report.sq_num for report in taken[:3]] == [0, 1, 2]
    assert len(taken) < 2000
    bench.set(f=-1.0)
    (last,) = bench.reports()
    assert last.sq_num == 2000 % 256


# ---------------------------------------------------------------------- RptID, DatSet, ConfRev


@pytest.mark.conformance("RP-4")
def test_an_empty_rptid_reads_empty_and_reports_carry_the_blocks_own_name(bench: Bench) -> None:
    bench.enable(**IMMEDIATE | {"RptID": text("")})
    assert bench.read("RptID") == ""
    bench.set(f=5.0)
    (report,) = bench.reports()
    assert report.rpt_id == "DEMOLD0/LLN0$RP$events01"


@pytest.mark.conformance("RP-6", "RP-N6")
def test_another_data_set_raises_confrev_and_the_same_or_an_unknown_one_does_not(bench: Bench) -> None:
    mine = name(LD, "LLN0$mine")
    assert bench.client.define(mine, variable(LD, "GGIO1$ST$Ind1")) is None
    assert bench.write(("DatSet", text("DEMOLD0/LLN0$measured"))) == ["success"]
    assert bench.read("ConfRev") == 7
    assert bench.write(("DatSet", text("DEMOLD0/LLN0$none")), ("DatSet", text("nonsense"))) == [11, 11]
    bench.enable(**IMMEDIATE | {"DatSet": text("DEMOLD0/LLN0$mine")})
    bench.set(f=5.0)
    assert bench.reports() == []
    bench.set(ind=True)
    (report,) = bench.reports()
    assert (report.conf_rev, report.inclusion, report.references) == (8, "1", ["DEMOLD0/GGIO1$ST$Ind1"])


# ---------------------------------------------------------------------- refusals


@pytest.mark.conformance("RP-N1")
def test_an_unknown_block_is_unknown(bench: Bench) -> None:
    assert bench.client.read(LD, "LLN0$RP$none01") == [{"failure": 10}]
    assert bench.write(("RptEna", boolean(True)), block="LLN0$RP$none01") == [10]
    assert bench.write(("None", boolean(True))) == [10]


@pytest.mark.conformance("RP-N2", "RP-N3")
def test_while_it_is_enabled_nothing_but_gi_and_rptena_is_written_and_gi_only_then(bench: Bench) -> None:
    assert bench.write(("GI", boolean(True))) == [2]
    bench.enable(**IMMEDIATE)
    values = {
        "RptID": text("x"), "DatSet": text(""), "OptFlds": bits("0"), "BufTm": unsigned(1), "TrgOps": bits("0"),
        "IntgPd": unsigned(1), "Resv": boolean(False), "RptEna": boolean(True),
    }  # fmt: skip
    assert {key: bench.write((key, data)) for key, data in values.items()} == {key: [2] for key in values}


@pytest.mark.conformance("RP-N4")
def test_a_block_without_a_data_set_is_not_enabled(bench: Bench) -> None:
    assert bench.write(("DatSet", text("")), ("RptEna", boolean(True))) == ["success", 2]


@pytest.mark.conformance("RP-N5", "RP-12")
def test_a_block_serves_one_client_and_another_is_refused_but_may_read(bench: Bench) -> None:
    other = EngineClient(bench.engine, address="127.0.0.1:50001")
    bench.enable(**IMMEDIATE)
    assert bench.write(("RptEna", boolean(True)), ("GI", boolean(True)), ("RptID", text("x")), client=other) == [
        2,
        2,
        2,
    ]
    assert bench.write(("RptEna", boolean(False)), client=other) == [2]
    assert other.read(LD, f"{URCB}$RptEna") == [{"success": {"boolean": True}}]
    bench.enable(block="LLN0$RP$events02", client=other, **IMMEDIATE)
    bench.set(f=5.0)
    assert [len(one.reports()) for one in (bench.client, other)] == [1, 1]


@pytest.mark.conformance("RP-13", "RP-N9")
def test_a_reservation_ends_with_its_association_or_when_it_is_given_back(bench: Bench) -> None:
    other = EngineClient(bench.engine, address="127.0.0.1:50001")
    assert bench.write(("Resv", boolean(True))) == ["success"]
    assert bench.write(("RptID", text("x")), client=other) == [2]
    bench.client.close()
    bench.client = other
    assert bench.read("Resv") is False
    bench.enable(**IMMEDIATE)  # nobody asked for the reservation: it is implied
    assert bench.read("Resv") is True
    bench.write(("RptEna", boolean(False)))
    assert bench.read("Resv") is False
    third = EngineClient(bench.engine)
    assert bench.write(("Resv", boolean(True)), ("Resv", boolean(False))) == ["success"] * 2
    assert bench.write(("RptID", text("x")), client=third) == ["success"]


def test_reports_end_with_the_association(bench: Bench) -> None:
    bench.enable(**IMMEDIATE)
    bench.client.close()
    bench.set(f=5.0)
    bench.pass_ms(10_000)
    assert bench.client.reports() == []
    bench.client = EngineClient(bench.engine)
    assert bench.read("RptEna") is False


@pytest.mark.conformance("RP-N7")
def test_what_is_the_servers_own_is_denied(bench: Bench) -> None:
    assert bench.write(("ConfRev", unsigned(1)), ("SqNum", unsigned(1))) == [3, 3]
    assert bench.write(("TimeofEntry", b"\x8c\x06" + bytes(6)), block="LLN0$BR$history01") == [3]


@pytest.mark.conformance("RP-N8")
def test_what_reportsettings_fix_is_denied() -> None:
    fixed = ReportSettings(Setting.FIX, Setting.FIX, Setting.CONF, Setting.FIX, Setting.CONF, Setting.FIX, Setting.DYN)
    bench = Bench(Engine(DataModel(models.demo(settings=fixed)), IDENTITY))
    values = {
        "RptID": text("x"), "DatSet": text(""), "OptFlds": bits("0"), "BufTm": unsigned(1), "TrgOps": bits("0"),
    }  # fmt: skip
    assert {key: bench.write((key, data)) for key, data in values.items()} == {key: [3] for key in values}
    assert bench.write(("IntgPd", unsigned(1000)), ("RptEna", boolean(True))) == ["success"] * 2


def test_data_of_another_type_are_refused(bench: Bench) -> None:
    assert bench.write(("RptEna", unsigned(1)), ("IntgPd", boolean(True)), ("RptID", octets(b"x"))) == [7, 7, 7]


def test_an_instance_assigned_to_a_client_serves_its_address_only() -> None:
    client = ClientLn("SCADA", "AP1", "LD0", "", "IHMI", "1", "10.1.2.3")
    assigned = ReportControl("events", False, True, 2, None, "measured", 1, 0, 0, 0b011000, 0, (client,))
    server = models.server(models.lln0(reports=(assigned,)), models.node(models.MMXU), models.node(models.GGIO))
    bench = Bench(Engine(DataModel(server), IDENTITY))
    assert bench.write(("RptEna", boolean(True))) == [2]
    theirs = EngineClient(bench.engine, address="10.1.2.3:40000")
    assert bench.write(("RptEna", boolean(True)), client=theirs) == ["success"]
    assert bench.write(("RptEna", boolean(True)), block="LLN0$RP$events02") == ["success"]


@pytest.mark.parametrize("edition", list(Edition))
def test_every_edition_reserves_implicitly(edition: Edition) -> None:
    bench = Bench(Engine(DataModel(models.demo(edition)), IDENTITY))
    bench.enable(**IMMEDIATE)
    bench.set(f=5.0)
    assert len(bench.reports()) == 1
